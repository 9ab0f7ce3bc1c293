"""The table of the digits network after every step."""

import json

import numpy as np
import pytest

from golden import encoding
from golden.layers import Layer
from host import cli
from host.bench_training import Run, Step, print_runs, stored_bytes
from tests.host.test_cli import check_schema


def test_entries_of_fixed_width_are_counted_as_they_would_be_packed() -> None:
    rng = np.random.default_rng(0)
    indices = rng.integers(1, 8, (60, 50)) * (rng.random((60, 50)) < 0.07)
    layer = Layer.from_indices(indices, np.r_[0, 1:8], np.zeros(60))
    gaps = np.diff(layer.places(0, layer.nnz), prepend=-1) - 1
    sizes = []
    for run_bits in range(1, 14):
        entries, _ = encoding.encode(gaps, layer.index, 3, run_bits)
        sizes.append(-(-(len(entries) * (3 + run_bits) + 60 * 6 + 8 * 16) // 8))
    assert stored_bytes(layer, 3, 6, 16) == min(sizes)


def some_run(seed: int) -> Run:
    names = ("dense", "pruned", "shared", "fine-tuned", "coded")
    sizes = (1000.0, 300.0, 100.0, 90.0, 50.0 + seed)
    steps = tuple(
        Step(name=name, bytes=size, rate=1000 / size, kept=0.1, validation=0.9, test=0.95)
        for name, size in zip(names, sizes, strict=True)
    )
    right, right_dense = "1" * 340 + "0" * 14, "1" * 338 + "0" * 15 + "1"
    marks = {"right": right, "right_dense": right_dense}
    return Run(seed=seed, steps=steps, cpu_seconds=12.3, images=354, differing=None, **marks)


def test_the_table_shows_means_and_every_seed(capsys: pytest.CaptureFixture[str]) -> None:
    print_runs([some_run(1), some_run(3)])
    out = capsys.readouterr().out
    assert "mean of 2 seeds, 354 test images" in out
    assert "52" in out and "19.2" in out and "95.00 %" in out and "92.2 to 96.8 %" in out
    assert "+0.28 points" in out and "only when coded 4, only when dense 2, of 708" in out
    check_schema("bench_training", [json.loads(json.dumps(some_run(1).as_dict()))])


@pytest.mark.long
def test_the_command_trains_codes_and_compares_with_the_board(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "training", "--seeds", "1-1", "--epochs", "3", "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)
    check_schema("bench_training", runs)
    sizes = [step["bytes"] for step in runs[0]["steps"]]
    assert sizes == sorted(sizes, reverse=True)
    assert runs[0]["differing"] == 0 and runs[0]["images"] == 354
