"""Both sides of the benchmark of small networks: choice on validation, sizes of files, and the forms."""

import json
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from host import bench_rival, cli, int8_mlp, tasks
from host.bench_rival import rows_of
from host.network import layer_values, perceptron
from host.rival_runs import SIZES, Run, append_ledger, read_ledger
from host.tasks import CLASSES, Split, Task
from host.train_settings import TrainSettings
from tests.host.test_bench import check_schema

long = pytest.mark.long
IMAGES = 120


def run(side: str, seed: int, limit: int, loss: float, share: float) -> Run:
    """A network that is right on a share of the images."""
    right = np.random.default_rng([seed, limit, int(1000 * share)]).random(IMAGES) < share
    return Run(
        side=side,
        task="digits",
        seed=seed,
        limit=limit,
        shape=(64, 20, 10),
        weight_bits=8,
        weights=1000,
        file_bytes=max(limit, 9) - 9,
        coded_bytes=max(limit, 9) // 2,
        loss=loss,
        validation=share,
        test=float(right.mean()),
        right="".join("01"[int(hit)] for hit in right),
    )


@pytest.fixture
def runs() -> list[Run]:
    """Two seeds; ours is far better at the largest size and far worse at the smallest."""
    found = [run("teacher", seed, 0, 0.1, 0.99) for seed in (1, 2)]
    ours = dict(zip(SIZES, (0.5, 0.9, 0.9, 1.0), strict=True))
    for limit in SIZES:
        for seed in (1, 2):
            found += [run("ours", seed, limit, 0.2, ours[limit]), run("ours", seed, limit, 0.3, 0.2)]
            found += [
                run("rival", seed, limit, 0.5, 0.1),
                run("rival", seed, limit, 0.4, 0.9 - 0.1 * (limit > 8000)),
            ]
    return found


def test_choice_is_by_loss_on_validation(runs):
    rows = rows_of(runs, np.arange(IMAGES))
    assert [row.limit for row in rows] == list(SIZES)
    assert all(row.ours.accuracy > 0.4 and row.rival.accuracy > 0.6 for row in rows)
    assert rows[0].comparison.verdict == "ours below"
    assert rows[-1].comparison.verdict == "ours above"
    assert rows[1].comparison.verdict == rows[2].comparison.verdict == "no difference shown"


def test_command_prints_compares_and_draws(runs, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(bench_rival, "measure", lambda *_: rows_of(runs, np.arange(IMAGES)))
    monkeypatch.setattr("host.train_torch.require_torch", lambda: None)
    assert cli.main(["bench", "rival", "--task", "digits", "--json", "--plots", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    check_schema("rival", printed)
    assert (tmp_path / "rival_digits.png").stat().st_size > 1000
    assert cli.main(["bench", "rival", "--task", "digits", "--seeds", "1-2"]) == 0
    output = capsys.readouterr().out
    assert "ours above" in output and "ours below" in output and "no difference shown" in output


def test_missing_torch_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert cli.main(["bench", "rival"]) == 6
    assert "pip install 'tamis[train]'" in capsys.readouterr().err


def test_ledger_keeps_whole_lines_only(tmp_path, runs):
    ledger = tmp_path / "ledger.jsonl"
    append_ledger(ledger, "first", runs[0])
    with open(ledger, "a") as file:
        file.write('{"key": "cut", "run": {"si')
    append_ledger(ledger, "second", runs[2])
    assert read_ledger(ledger) == {"first": runs[0], "second": runs[2]}


def small_task() -> Task:
    """Noisy copies of ten random images, easy to tell apart."""
    rng = np.random.default_rng(0)
    centres = rng.random((CLASSES, 64))

    def split(count: int) -> Split:
        labels = np.arange(count) % CLASSES
        inputs = np.clip(centres[labels] + 0.1 * rng.standard_normal((count, 64)), 0, 1).astype(np.float32)
        return Split(inputs, labels.astype(np.int64), np.arange(count))

    return Task(name="digits", side=8, train=split(400), validation=split(100), test=split(IMAGES))


@long
def test_runs_keep_within_their_bytes_and_go_on_from_the_ledger(tmp_path, monkeypatch):
    from host import rival_runs

    monkeypatch.setattr(rival_runs, "load", lambda name: small_task())
    monkeypatch.setattr(rival_runs, "SIZES", (2048, 4096))
    monkeypatch.setattr(rival_runs, "STARTS", {2048: (90, 40), 4096: (200, 80)})
    ledger, epochs = tmp_path / "ledger.jsonl", rival_runs.Epochs(teacher=20, ours=4, rival=80)
    runs = rival_runs.Bench("digits", (1, 2), ledger, epochs).runs()
    assert {(one.side, one.limit) for one in runs} == {("teacher", 0)} | {
        (side, limit) for side in ("ours", "rival") for limit in (2048, 4096)
    }
    assert len(runs) == 2 + 2 * 2 * 2 * rival_runs.FINALISTS
    assert len(read_ledger(ledger)) == len(runs) + 3, "the first tries of the rival's three shapes, too"
    assert all(one.file_bytes <= one.limit for one in runs if one.limit)
    assert all(one.file_bytes > 0.9 * one.limit for one in runs if one.side == "ours")
    assert all(one.validation > 0.9 and one.test == one.right.count("1") / IMAGES for one in runs)

    monkeypatch.setattr(rival_runs, "load", None)
    assert rival_runs.Bench("digits", (1, 2), ledger, epochs).runs() == runs


@long
def test_int8_form_is_what_the_file_holds():
    from host.rival_dense import Int8Form
    from host.rival_runs import fit
    from host.train_torch import random_network

    data = small_task().data(8)
    form = Int8Form(random_network(perceptron((64, 12, CLASSES)), 3).layers)
    fit(form, data, TrainSettings(epochs=60))
    acting = form.result()
    layers = int8_mlp.quantise_network(acting, data.train.inputs)
    for layer, real in zip(layers, acting, strict=True):
        assert_array_equal(np.ldexp(layer.weights.astype(float), -layer.weight_fraction), real.weights)
        assert_array_equal(np.ldexp(layer.bias.astype(float), -layer.bias_fraction), real.bias)
    outputs = np.ldexp(
        int8_mlp.forward(layers, data.validation.inputs).astype(float), -layers[-1].output_fraction
    )
    real = layer_values(acting, data.validation.inputs)[-1]
    assert np.mean(real.argmax(1) == data.validation.labels) > 0.9
    assert_allclose(outputs, real, atol=0.02 * np.ptp(real))


def test_tasks_are_those_of_the_command():
    assert tasks.NAMES == ("digits", "canvas")
