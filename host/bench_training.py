"""The digits network, trained by the whole pipeline: bytes and accuracy after every step, over seeds.

64-300-100-10, as in examples/digits. The seeds differ in the random weights at the start and in the order,
jitter and noise while training; the splits are the same for all.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from golden import encoding
from golden.forward import forward
from golden.layers import Layer, Model
from host.network import perceptron
from host.paired import Comparison, compare, wilson
from host.report import percent, print_table
from host.tasks import SIDE, load
from host.train_loop import Epoch
from host.train_settings import TrainSettings
from host.training import TrainResult, train
from host.values import to_integers

SIZES = (64, 300, 100, 10)
SETTINGS = TrainSettings(
    fresh=True,
    keep=0.08,
    rounds=8,
    weight_bits=4,
    bias_bits=6,
    epochs=400,
    batch=128,
    image=(SIDE, SIDE),
    distil=4.0,
)
STEPS = ("dense", "pruned", "shared", "fine-tuned", "coded")
BOARD_IMAGES = 32


@dataclass(frozen=True, kw_only=True)
class Step:
    """One network after one step.

    Parameters
    ----------
    name : {"dense", "pruned", "shared", "fine-tuned", "coded"}
    bytes : float
        Dense: all float32. Pruned: a float32 and a run of fixed width for each entry, float32 biases. Shared:
        an index and a run of fixed width, int16 values, float32 biases. Fine-tuned: the same with the rounded
        biases. Coded: the model file.
    rate : float
        Bytes of the dense network over these.
    kept : float
        Share of the weights that is not zero.
    validation, test : float
        Accuracy; of golden's integers from "shared" on.
    """

    name: str
    bytes: float
    rate: float
    kept: float
    validation: float
    test: float


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one seed gave.

    Parameters
    ----------
    seed : int
    steps : tuple of Step
    cpu_seconds : float
        Processor time of the training.
    images : int
        Of the test split.
    right, right_dense : str
        For each test image 1 if the coded, or the dense, network is right, else 0.
    differing : int or None
        Outputs in which the simulated board and golden differ; None if no board ran.
    """

    seed: int
    steps: tuple[Step, ...]
    cpu_seconds: float
    images: int
    right: str
    right_dense: str
    differing: int | None

    def as_dict(self) -> dict[str, Any]:
        """The object for JSON; see docs/schemas/bench_training.json."""
        return asdict(self)


def run(
    seeds: Sequence[int],
    settings: TrainSettings = SETTINGS,
    progress: Callable[[int, Epoch], None] | None = None,
    board: Callable[[Model, Any], Any] | None = None,
) -> list[Run]:
    """Train one network for each seed.

    Parameters
    ----------
    seeds : sequence of int
    settings : TrainSettings
        Their seed is replaced.
    progress : callable, optional
        Called with the seed and each `Epoch`.
    board : callable, optional
        Gives the raw outputs, shape (images, 10), of a board for a model and float32 inputs.
    """
    data, runs = load("digits").data(SIDE), []
    for seed in seeds:
        told = None if progress is None else (lambda epoch, seed=seed: progress(seed, epoch))
        result = train(perceptron(SIZES), data, replace(settings, seed=seed), progress=told)
        differing = None
        if board is not None:
            inputs = data.test.inputs[:BOARD_IMAGES]
            expected, _ = forward(result.model, to_integers(result.model, inputs)[0])
            differing = int(np.count_nonzero(board(result.model, inputs) != expected))
        runs.append(
            Run(
                seed=seed,
                steps=steps_of(result),
                cpu_seconds=result.seconds,
                images=len(data.test),
                right=_digits(result.stages[-1].correct),
                right_dense=_digits(result.stages[0].correct),
                differing=differing,
            )
        )
    return runs


def _digits(correct: Sequence[bool]) -> str:
    return "".join("1" if hit else "0" for hit in correct)


def paired(runs: Sequence[Run]) -> Comparison:
    """The coded networks against the dense ones, image by image; see `host.paired`."""
    coded, dense = (
        np.array([[digit == "1" for digit in text] for text in texts])
        for texts in ([run.right for run in runs], [run.right_dense for run in runs])
    )
    return compare(coded, dense, np.arange(coded.shape[1]))


def steps_of(result: TrainResult) -> tuple[Step, ...]:
    """Bytes and accuracies of a training run."""
    stages = {stage.name: stage for stage in result.stages}
    layers = result.model.layers
    bias_bits = result.settings.bias_bits
    sizes = {
        "dense": result.model.dense_bytes,
        "pruned": sum(stored_bytes(layer, 32, 32, 0) for layer in layers),
        "shared": sum(stored_bytes(layer, layer.index_bits, 32, 16) for layer in layers),
        "fine-tuned": sum(stored_bytes(layer, layer.index_bits, bias_bits, 16) for layer in layers),
        "coded": len(result.data),
    }
    found = []
    for name in STEPS:
        stage = stages.get(name, result.stages[-1])
        found.append(
            Step(
                name=name,
                bytes=sizes[name],
                rate=sizes["dense"] / sizes[name],
                kept=stage.kept,
                validation=stage.validation,
                test=stage.test,
            )
        )
    return tuple(found)


def stored_bytes(layer: Layer, value_bits: int, bias_bits: int, codebook_bits: int) -> int:
    """Bytes of a layer with entries of a fixed width: a value, or its index, and the best number of run bits.

    Parameters
    ----------
    layer : Layer
    value_bits : int
    bias_bits : int
    codebook_bits : int
        Of each value of the codebook; 0 if there is none.

    >>> layer = Layer.from_indices([[0, 1], [3, 0]], [0, 5, 6, -7], [10, 20])
    >>> stored_bytes(layer, 2, 8, 16)  # 2 entries of 2 + 1 bits, 4 values, 2 biases
    11
    """
    gaps = np.diff(layer.places(0, layer.nnz), prepend=-1) - 1
    entries = min(
        int(encoding.entry_counts(gaps, run_bits).sum()) * (value_bits + run_bits)
        for run_bits in range(1, 16)
    )
    bits = entries + bias_bits * layer.rows + codebook_bits * layer.codebook.size
    return -(-bits // 8)


def print_runs(runs: Sequence[Run]) -> None:
    """Print the mean of the seeds for every step, and each seed's end."""
    images = runs[0].images
    rows: list[list[object]] = []
    for number, name in enumerate(STEPS):
        steps = [run.steps[number] for run in runs]
        mean = {key: float(np.mean([getattr(step, key) for step in steps])) for key in ("kept", "test")}
        size, rate = (float(np.mean([getattr(step, key) for step in steps])) for key in ("bytes", "rate"))
        # the images are the same for all seeds, so more seeds do not narrow the interval
        low, high = wilson(mean["test"] * images, images)
        shown = f"{100 * mean['test']:.2f} %", f"{100 * low:.1f} to {100 * high:.1f} %"
        rows.append([name, round(size), f"{rate:.1f}", percent(mean["kept"]), *shown])
    print_table(
        f"Digits, mean of {len(runs)} seeds, {images} test images",
        ["step", "bytes", "times smaller", "kept", "test", "95 % interval"],
        rows,
    )
    columns = ["seed", "bytes", "times smaller", "dense test", "test", "CPU seconds", "board differs in"]
    ends: list[list[object]] = []
    for one in runs:
        dense, coded = one.steps[0], one.steps[-1]
        tests = [f"{100 * step.test:.2f} %" for step in (dense, coded)]
        sizes = int(coded.bytes), f"{coded.rate:.1f}"
        ends.append([one.seed, *sizes, *tests, round(one.cpu_seconds), one.differing])
    print_table("Each seed", columns, ends)
    found = paired(runs)
    print(
        f"Coded against dense, the same images: {100 * found.difference:+.2f} points, 95 % interval "
        f"{100 * found.low:+.2f} to {100 * found.high:+.2f}; right only when coded {sum(found.only_ours)}, "
        f"only when dense {sum(found.only_other)}, of {images * len(runs)}."
    )
