"""The runs of `tamis bench rival`: both sides trained, chosen on validation, and kept in a ledger.

Both sides get the same samples, seeds, teacher, optimiser and loop (`host.rival_training`), and two full
trainings for each size, of which the loss on validation chooses one. Dense networks see int8 from the first
step on; short first tries choose their shapes. Ours start as a dense float network of a fixed shape that
loses its weights in rounds; then the weights that are left are shared with 3 and with 4 bits.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import InputError
from golden.fixed_point import dequantise
from golden.forward import forward
from golden.model import VERSION, encode
from host import int8_mlp
from host.rival_dense import Int8
from host.rival_sparse import Sparse, counts_for, importance, prune, trimmed
from host.rival_training import Loop, arrays_of, start
from host.tasks import CANVAS_SIDE, CLASSES, SIDE, Split, Task, halved, load
from host.train_loop import one_thread
from host.values import to_integers

SIZES = (1024, 2048, 4096, 8192)
WEIGHT_BITS = (3, 4)
TEACHER = (300, 100)
SIDES = {"digits": (SIDE,), "canvas": (SIDE, CANVAS_SIDE)}
"""Sides of the images that each task may be shown at; halving the canvas to 8 x 8 costs no bytes."""
OURS: dict[str, tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...]] = {
    "digits": ((SIDE, (150, 75), (8192, 4096, 2048, 1024)),),
    "canvas": (
        (CANVAS_SIDE, (100, 50), (8192,)),
        (CANVAS_SIDE, (56, 28), (4096,)),
        (SIDE, (80, 40), (2048,)),
        (SIDE, (48, 24), (1024,)),
    ),
}
"""Side of the images, hidden layers before pruning, and the bytes that are reached from there, largest first.

On the canvas about four weights a byte: where few of many stay, their places cost more than their values.
"""
STACK = 3
"""Seeds that are trained side by side."""
SHARED_RATE = 1e-3
SAMPLES = 2048
"""Training images that show how large activations become."""

Note = Callable[[str], None]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Steps of the optimiser; what is not said here follows from it.

    Parameters
    ----------
    teacher : int
        Of the dense float network that teaches both sides.
    dense : int
        Of ours before pruning.
    round : int
        After each pruning.
    shared : int
        With shared weights.
    screen : int
        Of a dense int8 network's first try.
    batch : int
        Samples of a step.
    """

    teacher: int = 3000
    dense: int = 1500
    round: int = 500
    shared: int = 1500
    screen: int = 1000
    batch: int = 64

    @property
    def rival(self) -> int:
        """Of a dense int8 network: more than any of ours sees."""
        return self.dense + (2 * len(SIZES) + 1) * self.round + self.shared


STEPS = {"digits": Steps(), "canvas": Steps(teacher=2000, dense=800, round=250, shared=800, screen=300)}
"""The canvas has fewer, as each takes longer."""
GUESSES = {"digits": (4, 4), "canvas": (1, 2)}
"""Trials until ours have the size that is wanted: in the rounds of pruning, and at the end of them."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One trained network.

    Parameters
    ----------
    side : {"ours", "rival", "teacher"}
    task : str
    seed : int
    limit : int
        Bytes that it was made to fill; 0 for the teacher.
    shape : tuple of int
        Inputs, hidden layers and outputs; of ours before pruning. Half as many inputs as the task has pixels
        on a side mean images of half the side.
    weight_bits : int
    weights : int
    file_bytes : int
    coded_bytes : int
        Of the rival, with its weights at their entropy; else the file's.
    loss, validation, test : float
        Loss and accuracy on validation, and accuracy on test, in integers.
    right : str
        For each test image, 1 if it is classified right, else 0.
    """

    side: str
    task: str
    seed: int
    limit: int
    shape: tuple[int, ...]
    weight_bits: int
    weights: int
    file_bytes: int
    coded_bytes: int
    loss: float
    validation: float
    test: float
    right: str


class Bench:
    """Trains the networks of one task and a few seeds, and keeps what was done.

    Parameters
    ----------
    task : str
    seeds : sequence of int
    ledger : Path
        JSON lines; a line holds the runs of one piece of work.
    steps : Steps
    note : callable
        Called with a line of progress.
    """

    def __init__(
        self, task: str, seeds: Sequence[int], ledger: Path, steps: Steps, note: Note = lambda text: None
    ) -> None:
        self.name, self.seeds, self.ledger, self.steps, self.note = task, tuple(seeds), ledger, steps, note
        self.task: Task | None = None
        self.loops: dict[int, Loop] = {}

    def runs(self) -> list[Run]:
        """Every network, from the ledger where it has them.

        Raises
        ------
        ToolMissingError
            If PyTorch or scikit-learn is needed and not installed.
        InputError
            If the ledger cannot be written.
        """
        work: dict[str, Callable[[], Iterator[Run]]] = {"teacher": self._teacher}
        for limit in SIZES:
            work[f"rival of {limit} bytes"] = partial(self._rival, limit)
        for side, hidden, limits in OURS[self.name]:
            what = f"{side} x {side}, {hidden}, {WEIGHT_BITS} bits, {limits} bytes, file {VERSION}"
            work[f"ours of {what}"] = partial(self._ours, side, hidden, limits)
        done = read_ledger(self.ledger)
        found = []
        for number, (name, make) in enumerate(work.items(), 1):
            key = json.dumps([self.name, self.seeds, name, asdict(self.steps)])
            if key not in done:
                self.note(f"{self.name}, seeds {self.seeds}: {name} ({number} of {len(work)})")
                with one_thread():
                    done[key] = list(make())
                append_ledger(self.ledger, key, done[key])
            found += done[key]
        return found

    def _loop(self, side: int) -> Loop:
        """The samples with images of a side, and the teacher's answers to them."""
        if self.task is None:
            self.task = load(self.name)
            loop = Loop(self.task.train, self.task.validation, self.seeds, self.steps.batch)
            self.teacher = start((self.task.inputs, *TEACHER, CLASSES), self.seeds)
            loop.fit(self.teacher, self.steps.teacher)
            loop.teach(self.teacher)
            self.loops[self.task.side] = loop
        if side not in self.loops:
            train, validation = (self._split(name, side) for name in ("train", "validation"))
            self.loops[side] = Loop(train, validation, self.seeds, self.steps.batch)
            self.loops[side].wanted = self.loops[self.task.side].wanted
        return self.loops[side]

    def _split(self, name: str, side: int) -> Split:
        assert self.task is not None
        split: Split = getattr(self.task, name)
        return split if side == self.task.side else replace(split, inputs=halved(split.inputs))

    def _teacher(self) -> Iterator[Run]:
        side = max(SIDES[self.name])
        self._loop(side)
        for network, seed in enumerate(self.seeds):
            weights, biases = arrays_of(self.teacher, network)

            def answers(inputs: Any, weights: Any = weights, biases: Any = biases) -> Any:
                for number, (weight, bias) in enumerate(zip(weights, biases, strict=True), 1):
                    inputs = inputs @ weight.T + bias
                    inputs = np.maximum(inputs, 0) if number < len(weights) else inputs
                return inputs

            size = 4 * sum(weight.size + bias.size for weight, bias in zip(weights, biases, strict=True))
            count = sum(weight.size for weight in weights)
            shape = (side * side, *TEACHER, CLASSES)
            yield self._run("teacher", seed, 0, shape, 32, count, size, size, side, answers)

    def _rival(self, limit: int) -> Iterator[Run]:
        tried = []
        for side in SIDES[self.name]:
            loop = self._loop(side)
            for shape in int8_mlp.architectures(side * side, CLASSES, limit):
                form = Int8(start(shape, self.seeds))
                loop.fit(form, self.steps.screen)
                loss, accuracy = loop.score(form)
                self.note(f"  first try of {shape}: validation {100 * float(accuracy.mean()):.2f} %")
                tried.append((float(loss.mean()), side, shape))
        best = sorted(tried)[:2]
        for number in range(len(WEIGHT_BITS)):  # as many as there are of ours
            _, side, shape = best[number % len(best)]
            loop, samples = self._loop(side), self._split("train", side).inputs[:SAMPLES]
            form = Int8(start(shape, self.seeds, number // len(best)))
            loop.fit(form, self.steps.rival)
            for network, seed in enumerate(self.seeds):
                layers = int8_mlp.quantise_network(*arrays_of(form, network), samples)
                count = sum(layer.weights.size for layer in layers)
                sizes = len(int8_mlp.encode(layers)), int8_mlp.coded_bytes(layers)

                def answers(inputs: Any, layers: Any = layers) -> Any:
                    return dequantise(int8_mlp.forward(layers, inputs), layers[-1].output_fraction)

                yield self._run("rival", seed, limit, shape, 8, count, *sizes, side, answers)

    def _ours(self, side: int, hidden: tuple[int, ...], limits: Sequence[int]) -> Iterator[Run]:
        loop, samples = self._loop(side), self._split("train", side).inputs[:SAMPLES]
        shape = (side * side, *hidden, CLASSES)
        source = start(shape, self.seeds)
        loop.fit(source, self.steps.dense)
        form = Sparse(source)
        for limit in limits:
            for rounds_left in (2, 1):
                scores = importance(loop, form)
                counts = partial(counts_for, form, scores, limit, samples, GUESSES[self.name][0])
                most = np.max([counts(bits) for bits in WEIGHT_BITS], axis=0)
                between = np.sqrt(form.counts * most) if rounds_left == 2 else most
                prune(form, scores, between.astype(int).tolist())
                loop.fit(form, self.steps.round)
            for bits in WEIGHT_BITS:
                yield from self._shared(loop, form.copy(), shape, limit, bits, samples, side)

    def _shared(
        self,
        loop: Loop,
        form: Sparse,
        shape: tuple[int, ...],
        limit: int,
        bits: int,
        samples: NDArray[np.float32],
        side: int,
    ) -> Iterator[Run]:
        scores = importance(loop, form)
        counts = counts_for(form, scores, limit, samples, GUESSES[self.name][1], bits)
        prune(form, scores, counts)
        loop.fit(form, self.steps.round)
        form.share(bits)
        loop.fit(form, self.steps.shared, SHARED_RATE)
        scores = importance(loop, form)
        for network, seed in enumerate(self.seeds):
            model = trimmed(form, network, bits, limit, scores, samples)
            size = len(encode(model))

            def answers(inputs: Any, model: Any = model) -> Any:
                outputs, _ = forward(model, to_integers(model, inputs)[0])
                return dequantise(outputs, model.layers[-1].output_fraction)

            count = sum(layer.nnz for layer in model.layers)
            yield self._run("ours", seed, limit, shape, bits, count, size, size, side, answers)

    def _run(
        self,
        kind: str,
        seed: int,
        limit: int,
        shape: tuple[int, ...],
        weight_bits: int,
        weights: int,
        file_bytes: int,
        coded_bytes: int,
        side: int,
        answers: Callable[[Any], Any],
    ) -> Run:
        validation, test = self._split("validation", side), self._split("test", side)
        outputs = answers(validation.inputs)
        right = answers(test.inputs).argmax(axis=1) == test.labels
        accuracy = float(np.mean(outputs.argmax(axis=1) == validation.labels))
        self.note(
            f"  {kind} seed {seed}: {file_bytes} bytes, {weights} weights of {weight_bits} bits, "
            f"{shape}: validation {100 * accuracy:.2f} %"
        )
        return Run(
            side=kind,
            task=self.name,
            seed=seed,
            limit=limit,
            shape=shape,
            weight_bits=weight_bits,
            weights=weights,
            file_bytes=file_bytes,
            coded_bytes=coded_bytes,
            loss=cross_entropy(outputs, validation.labels),
            validation=accuracy,
            test=float(np.mean(right)),
            right="".join("01"[hit] for hit in right.astype(int)),
        )


def cross_entropy(outputs: Any, labels: IntArray) -> float:
    """Mean loss in nats of outputs before softmax, shape (samples, classes).

    >>> round(cross_entropy(np.zeros((3, 2)), np.array([0, 1, 1])), 4)
    0.6931
    """
    values = np.asarray(outputs, dtype=np.float64)
    values = values - values.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(values).sum(axis=1)) - values[np.arange(len(labels)), labels]))


def read_ledger(path: Path) -> dict[str, list[Run]]:
    """Runs by the key of their work; a line that was cut off in writing is none."""
    found = {}
    for text in path.read_text().splitlines() if path.exists() else ():
        try:
            line = json.loads(text)
            runs = [Run(**(run | {"shape": tuple(run["shape"])})) for run in line["runs"]]
        except (ValueError, TypeError, KeyError):
            continue
        found[line["key"]] = runs
    return found


def append_ledger(path: Path, key: str, runs: Sequence[Run]) -> None:
    """Add the runs of a piece of work to a ledger.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    text = json.dumps({"key": key, "runs": [asdict(run) for run in runs]})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab+") as file:
            cut_off = file.tell() and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n"
            file.write(b"\n" * cut_off + text.encode() + b"\n")
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror}; name another directory in TAMIS_CACHE"
        ) from None
