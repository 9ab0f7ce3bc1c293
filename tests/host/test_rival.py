"""Both sides of the benchmark of small networks: choice on validation, sizes of files, and the forms."""

import json
import sys
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from golden.forward import forward
from golden.model import decode, encode
from host import bench_rival, cli, int8_mlp, tasks
from host.bench_rival import rows_of
from host.rival_runs import SIZES, Run, append_ledger, cross_entropy, read_ledger
from host.rival_sparse import without_dead
from host.tasks import CLASSES, Split, Task
from host.values import to_integers
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
    append_ledger(ledger, "first", runs[:2])
    with open(ledger, "a") as file:
        file.write('{"key": "cut", "runs": [{"si')
    append_ledger(ledger, "second", runs[2:4])
    assert read_ledger(ledger) == {"first": runs[:2], "second": runs[2:4]}


def test_dead_neurons_go_and_the_outputs_stay():
    rng = np.random.default_rng(1)
    sizes = (6, 9, 7, 3)
    weights = [rng.standard_normal((r, c)) * (rng.random((r, c)) < 0.3) for c, r in pairwise(sizes)]
    biases = [rng.standard_normal(rows) for rows in sizes[1:]]
    weights[0][2] = 0
    weights[1][:, 4] = 0
    weights[2][:, 1] = 0

    def outputs(weights, biases, values):
        for number, (weight, bias) in enumerate(zip(weights, biases, strict=True), 1):
            values = values @ weight.T + bias
            values = np.maximum(values, 0) if number < len(weights) else values
        return values

    inputs = rng.standard_normal((20, 6))
    fewer = without_dead(weights, biases)
    assert len(fewer[1][0]) <= 7 and len(fewer[1][1]) <= 6
    np.testing.assert_allclose(outputs(*fewer, inputs), outputs(weights, biases, inputs))


def small_task() -> Task:
    """Noisy copies of ten random images, easy to tell apart."""
    rng = np.random.default_rng(0)
    centres = rng.random((CLASSES, 64))

    def split(count: int) -> Split:
        labels = np.arange(count) % CLASSES
        inputs = np.clip(centres[labels] + 0.1 * rng.standard_normal((count, 64)), 0, 1).astype(np.float32)
        return Split(inputs=inputs, labels=labels.astype(np.int64), groups=np.arange(count))

    return Task(name="digits", side=8, copies=1, train=split(400), validation=split(100), test=split(IMAGES))


@long
def test_runs_keep_within_their_bytes_and_go_on_from_the_ledger(tmp_path, monkeypatch):
    from host import rival_runs
    from host.rival_runs import Bench, Steps

    monkeypatch.setattr(rival_runs, "load", lambda name: small_task())
    monkeypatch.setattr(rival_runs, "SIZES", (2048, 4096))
    monkeypatch.setattr(rival_runs, "SIDES", {"digits": {8: (4096, 2048)}})
    steps = Steps(teacher=200, dense=200, round=60, shared=60, screen=20)
    ledger = tmp_path / "ledger.jsonl"
    runs = Bench("digits", (1, 2), ledger, steps).runs()
    assert {(one.side, one.limit) for one in runs} == {("teacher", 0)} | {
        (side, limit) for side in ("ours", "rival") for limit in (2048, 4096)
    }
    assert all(one.file_bytes <= one.limit for one in runs if one.limit)
    assert all(one.file_bytes > 0.9 * one.limit for one in runs if one.side == "ours")
    assert all(one.validation > 0.9 and one.test == one.right.count("1") / IMAGES for one in runs)

    monkeypatch.setattr(rival_runs, "load", None)
    assert Bench("digits", (1, 2), ledger, steps).runs() == runs


@long
def test_int8_form_is_what_the_file_holds():
    from host.rival_dense import Int8
    from host.rival_training import Loop, arrays_of, start

    task = small_task()
    form = Int8(start((64, 12, CLASSES), (3, 4)))
    loop = Loop(task.train, task.validation, (3, 4), 32)
    loop.fit(form, 120)
    loss, accuracy = loop.score(form)
    for network in range(2):
        layers = int8_mlp.quantise_network(*arrays_of(form, network), task.train.inputs)
        for layer, weight in zip(layers, arrays_of(form, network)[0], strict=True):
            assert_array_equal(np.ldexp(layer.weights.astype(float), -layer.weight_fraction), weight)
        outputs = int8_mlp.forward(layers, task.validation.inputs)
        assert np.mean(outputs.argmax(1) == task.validation.labels) == pytest.approx(
            float(accuracy[network]), abs=0.02
        )
        real = np.ldexp(outputs.astype(float), -layers[-1].output_fraction)
        assert cross_entropy(real, task.validation.labels) == pytest.approx(float(loss[network]), abs=0.01)


@long
def test_sparse_form_is_what_golden_computes():
    from host.rival_sparse import Sparse, counts_for, importance, prune, to_golden, trimmed
    from host.rival_training import Loop, arrays_of, start

    task = small_task()
    loop = Loop(task.train, task.validation, (3, 4), 32)
    source = start((64, 40, 20, CLASSES), (3, 4))
    loop.fit(source, 100)
    form = Sparse(source)
    scores = importance(loop, form)
    counts = counts_for(form, scores, 700, 3, task.train.inputs)
    prune(form, scores, counts)
    assert np.all(form.counts <= counts)
    form.share(3)
    loop.fit(form, 100)
    loss, _ = loop.score(form)
    for network in range(2):
        model = to_golden(form, network, 3, task.train.inputs)
        assert all(len(np.unique(weight)) <= 8 for weight in arrays_of(form, network)[0])
        outputs, saturations = forward(model, to_integers(model, task.validation.inputs)[0])
        real = np.ldexp(outputs.astype(float), -model.layers[-1].output_fraction)
        assert cross_entropy(real, task.validation.labels) == pytest.approx(float(loss[network]), abs=0.01)
        assert saturations == 0
        small = encode(trimmed(form, network, 3, 600, scores, task.train.inputs))
        assert len(small) <= 600 and decode(small).inputs == 64


@long
def test_networks_of_a_stack_do_not_depend_on_each_other():
    from host.rival_dense import Int8
    from host.rival_training import Loop, arrays_of, start

    task, found = small_task(), []
    for seeds in ((5,), (4, 5)):
        loop = Loop(task.train, task.validation, seeds, 32)
        form = Int8(start((64, 12, CLASSES), seeds))
        loop.fit(form, 30)
        found.append(arrays_of(form, len(seeds) - 1)[0])
    for alone, together in zip(*found, strict=True):
        np.testing.assert_allclose(alone, together, atol=0.02)


def test_tasks_are_those_of_the_command():
    assert tasks.NAMES == ("digits", "canvas")
