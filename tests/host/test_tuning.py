"""The search over pruning and bits: honest figures, the same every time, never worse than uniform."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden.errors import InputError, UnsupportedError
from golden.forward import forward
from golden.geometry import Geometry
from golden.model import decode
from host import cli, tuning
from host.cost import Preset, cost, timed_inputs
from host.network import Network
from host.onnx_import import import_onnx
from host.train_data import Samples, TrainData, save_data, split_samples
from host.tune_plots import best_up_to
from host.tune_retrain import retrain
from host.tuning import Point, TuneResult, cheapest, pareto, tune
from host.values import to_integers
from tests.host.onnx_models import random_mlp
from tests.host.test_cli import check_schema

BOARD = Preset("test", Geometry(pes=2), 10_000_000, 1_000_000)


def samples(network: Network, count: int = 400) -> TrainData:
    """Inputs whose labels are what the float network answers, so that it is never wrong."""
    first, last = network.layers
    inputs = np.random.default_rng(1).standard_normal((count, first.weights.shape[1])).astype(np.float32)
    hidden = np.maximum(inputs @ first.weights.T + first.bias, 0)
    return split_samples(Samples(inputs, np.argmax(hidden @ last.weights.T + last.bias, axis=1)))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_mlp(tmp_path_factory.mktemp("tune") / "net.onnx", (10, 24, 3), 4)


@pytest.fixture(scope="module")
def network(path: Path) -> Network:
    return import_onnx(path)


@pytest.fixture(scope="module")
def result(network: Network) -> TuneResult:
    return tune(network, samples(network), BOARD, max_loss=10, evaluations=90, seed=3)


def accuracy(model: Any, split: Samples) -> float:
    outputs, _ = forward(model, to_integers(model, split.inputs)[0])
    return float(np.mean(outputs.argmax(axis=1) == split.labels))


def test_the_figures_are_those_of_the_file(result: TuneResult, network: Network) -> None:
    data = samples(network)
    model = decode(result.data)
    assert result.met
    assert result.reference == result.reference_test == 1.0
    assert result.chosen.validation == accuracy(model, data.validation) >= 0.9 - 0.01
    assert result.test == accuracy(model, data.test)
    assert result.chosen.cost == cost(model, BOARD, timed_inputs(model, data.train.inputs))
    assert result.chosen.cost.file_bytes == len(result.data)
    for layer, kept, (_, bits) in zip(model.layers, result.chosen.kept, result.chosen.choices, strict=True):
        assert layer.nnz == round(kept * layer.rows * layer.columns)
        assert layer.index_bits <= bits < BOARD.geometry.entry_bits


def test_the_choice_is_the_cheapest_within_the_limit(result: TuneResult) -> None:
    within = [point for point in result.points if point.validation >= result.limit]
    assert result.chosen is cheapest(within)
    assert result.uniform is cheapest([point for point in within if point.uniform])
    assert result.chosen.price[0] <= result.uniform.price[0] * (1 + tuning.ALIKE)
    assert result.beats_uniform <= (not result.chosen.uniform)
    assert result.evaluations <= 90


def test_nothing_on_the_front_is_dominated(result: TuneResult) -> None:
    for point in result.points:
        better = [
            one
            for one in result.points
            if one.validation >= point.validation
            and one.price[0] <= point.price[0]
            and one.price[1] <= point.price[1]
        ]
        same = [one for one in better if (one.validation, one.price) == (point.validation, point.price)]
        dominated = len(better) > len(same)
        assert (point in result.front) <= (not dominated)
        assert dominated or any(one in result.front for one in same)


def test_the_same_seed_gives_the_same_file_and_the_test_split_has_no_say(
    result: TuneResult, network: Network
) -> None:
    data = samples(network)
    wrong = replace(data, test=Samples(data.test.inputs, (data.test.labels + 1) % 3))
    again = tune(network, wrong, BOARD, max_loss=10, evaluations=90, seed=3)
    assert again.data == result.data
    assert again.test != result.test
    assert {p.choices for p in again.points} == {p.choices for p in result.points}


def test_a_target_out_of_reach_gives_the_most_accurate(network: Network) -> None:
    found = tune(network, samples(network), BOARD, max_loss=0, evaluations=3)
    assert not found.met
    assert found.chosen.validation == max(point.validation for point in found.points) < found.limit
    assert found.uniform is None
    assert not found.beats_uniform
    check_schema("tune", json.loads(json.dumps(found.as_dict())))


def test_a_board_that_can_run_nothing_is_refused(network: Network) -> None:
    tiny = BOARD._replace(
        geometry=Geometry(pes=1, activations=2, accumulators=2, matrix_words=2, pointer_words=2)
    )
    with pytest.raises(UnsupportedError):
        tune(network, samples(network), tiny, evaluations=4)
    with pytest.raises(InputError, match="the train samples have 9 values each"):
        data = samples(network)
        narrow = replace(data, train=Samples(data.train.inputs[:, :-1], data.train.labels))
        tune(network, narrow, BOARD)


def point(validation: float, cycles: float, size: int) -> Point:
    found = cost(decode_small(), Geometry(), np.ones((1, 10), np.int16))
    return Point(
        choices=((0, 4),),
        kept=(1.0,),
        validation=validation,
        cost=replace(found, cycles=cycles, file_bytes=size),
    )


def decode_small() -> Any:
    from host.cost import stand_in

    return stand_in([np.ones((3, 10))], np.ones((1, 10), np.int16))


def test_about_as_many_cycles_are_decided_by_bytes() -> None:
    slow, bulky, slim = point(0.9, 2000, 10), point(0.9, 1000, 500), point(0.8, 1009, 400)
    assert cheapest([slow, bulky, slim]) is slim
    assert pareto([slow, bulky, slim]) == (bulky, slim, slow)
    assert best_up_to([slow, bulky, slim], lambda one: one.price[0]) == [bulky]
    assert best_up_to([slow, bulky, slim], lambda one: one.price[1]) == [slow]


def test_a_choice_beats_uniform_by_cycles_or_else_by_bytes(result: TuneResult) -> None:
    uniform = point(0.9, 1000, 500)
    for cycles, size, beats in ((980, 900, True), (995, 499, True), (995, 500, True), (995, 501, False)):
        chosen = point(0.9, cycles, size)
        found = replace(result, chosen=chosen, uniform=uniform)
        assert found.beats_uniform == beats
        assert not replace(found, met=False).beats_uniform
    assert not replace(result, chosen=uniform, uniform=uniform).beats_uniform


def test_the_command_writes_a_model_a_table_and_a_figure(
    path: Path, network: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = samples(network)
    save_data(tmp_path / "d.npz", data)
    command = ["tune", str(path), "--data", str(tmp_path / "d.npz"), "--board", "icebreaker"]
    command += ["-o", str(tmp_path / "m.tamis"), "--max-loss", "10", "--evaluations", "60"]
    page = tmp_path / "r.html"
    assert cli.main([*command, "--json", "--plots", str(tmp_path), "--report", str(page)]) == 0
    found = json.loads(capsys.readouterr().out)
    check_schema("tune", found)
    assert found["chosen"]["file_bytes"] == (tmp_path / "m.tamis").stat().st_size
    assert f"{found['chosen']['file_bytes']:,} bytes instead of" in page.read_text()
    assert "Tuned for icebreaker: " in page.read_text()
    assert (tmp_path / "tuning.png").read_bytes().startswith(b"\x89PNG")
    assert cli.main(command) == 0
    shown = capsys.readouterr().out
    assert "beat" in shown
    assert f"{found['chosen']['file_bytes']:,} bytes" in shown
    assert cli.main([*command, "--max-loss", "0", "--evaluations", "2"]) == 7
    assert "below the 100.0 % of the float network; it is in" in capsys.readouterr().err


@pytest.mark.long
def test_retraining_goes_below_what_the_search_found(result: TuneResult, network: Network) -> None:
    data, seen = samples(network), []
    easy = replace(result, limit=0.7)
    found = retrain(network, data, BOARD, easy, epochs=20, progress=seen.append)
    model = decode(found.data)
    assert found.chosen is result.chosen
    assert found.retrained.cost == cost(model, BOARD, timed_inputs(model, data.train.inputs))
    assert found.retrained.price[0] < result.chosen.price[0]
    assert sum(layer.nnz for layer in model.layers) < sum(layer.nnz for layer in result.model.layers)
    assert found.retrained.validation == accuracy(model, data.validation) >= 0.7
    assert found.test == accuracy(model, data.test)
    assert [record.stage for record in seen[:: 20 + 11]][:1] == ["round 1"]
    assert retrain(network, data, BOARD, easy, epochs=20).data == found.data
    assert retrain(network, data, BOARD, replace(result, limit=1.1), epochs=1).data == result.data


@pytest.mark.long
def test_the_command_retrains(
    path: Path, network: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_data(tmp_path / "d.npz", samples(network))
    command = ["tune", str(path), "--data", str(tmp_path / "d.npz"), "--board", "icebreaker", "--retrain"]
    command += ["-o", str(tmp_path / "m.tamis"), "--max-loss", "20", "--evaluations", "30", "--json"]
    assert cli.main(command) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    check_schema("tune", found)
    written = found["retrained"] or found["chosen"]
    assert written["file_bytes"] == (tmp_path / "m.tamis").stat().st_size
    assert "round 1: epoch 30 of 30" in err
