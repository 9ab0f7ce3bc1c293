"""The runs of `tamis bench rival`: both sides trained, chosen on validation, and kept in a ledger.

Ours are what `tamis train --bytes` makes; dense networks that see int8 from the first step on are trained
by the same loop (`host.train_loop`), with the same teacher, samples and settings, and more passes over
the samples. Of each side short first tries choose two networks for a size, which are trained in full, and of
these the loss on validation chooses one for each seed.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from math import isqrt
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from golden.errors import InputError
from golden.fixed_point import dequantise
from golden.forward import forward
from golden.model import VERSION
from host import int8_mlp
from host.network import Network, perceptron
from host.rival_dense import Int8Form
from host.tasks import CANVAS_SIDE, CLASSES, SIDE, Task, load
from host.train_data import TrainData
from host.train_forms import MaskedForm
from host.train_loop import Trainer, one_thread
from host.train_masks import cross_entropy, logits
from host.train_settings import TrainSettings
from host.train_torch import random_network
from host.training import train
from host.values import to_integers

SIZES = (1024, 2048, 4096, 8192)
WEIGHT_BITS = (3, 4)
TEACHER = (300, 100)
SIDES = {"digits": (SIDE,), "canvas": (SIDE, CANVAS_SIDE)}
"""Sides of the images that each task may be shown at; halving the canvas to 8 x 8 costs no bytes."""
STARTS = {1024: (48, 24), 2048: (80, 40), 4096: (100, 50), 8192: (150, 75)}
"""Hidden layers of ours before pruning, by the bytes that are wanted."""
RIVAL_NOISE = 0.05
"""On its weights while training, where ours have `TrainSettings.weight_noise`; more or none is worse."""
FIRST_TRY = 4
"""A first try has a quarter of the epochs."""
FINALISTS = 2
SAMPLES = 2048
"""Training images that show how large the rival's activations become."""

Note = Callable[[str], None]
Answers = Callable[[Any], Any]
"""From real inputs, shape (samples, pixels), to real outputs, shape (samples, classes)."""


@dataclass(frozen=True, kw_only=True)
class Epochs:
    """Passes over the samples.

    Parameters
    ----------
    teacher : int
        Of the dense float network that teaches both sides.
    ours : int
        Of ours while it is dense; all stages together are about six times as many (`TrainSettings`).
    rival : int
        Of a dense int8 network.
    """

    teacher: int
    ours: int
    rival: int


EPOCHS = {
    "digits": Epochs(teacher=565, ours=200, rival=2260),
    "canvas": Epochs(teacher=21, ours=4, rival=84),
}
"""The rival sees the samples two and four times as often as ours."""


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
        Inputs, hidden layers and outputs; of ours before pruning. A quarter as many inputs as the task has
        pixels mean images of half the side.
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


@dataclass(frozen=True)
class Candidate:
    """A network that may be trained; the names are those of `Run`."""

    side: str
    shape: tuple[int, ...]
    weight_bits: int

    @property
    def image_side(self) -> int:
        """Rows and columns of the images that it is shown."""
        return isqrt(self.shape[0])


class Trained(NamedTuple):
    """What training gave."""

    answers: Answers
    weights: int
    file_bytes: int
    coded_bytes: int


class Bench:
    """Trains the networks of one task, and keeps what was done.

    Parameters
    ----------
    task : str
    seeds : sequence of int
        The first one is that of the first tries, too.
    ledger : Path
        JSON lines, one for each run.
    epochs : Epochs
    note : callable
        Called with a line of progress.
    """

    def __init__(
        self, task: str, seeds: Sequence[int], ledger: Path, epochs: Epochs, note: Note = lambda text: None
    ) -> None:
        self.name, self.seeds, self.ledger, self.epochs, self.note = task, tuple(seeds), ledger, epochs, note
        self.done = read_ledger(ledger)
        self.teachers: dict[tuple[int, int], Network] = {}

    @cached_property
    def task(self) -> Task:
        """Made when it is first needed: with a whole ledger nothing is trained."""
        return load(self.name)

    def runs(self) -> list[Run]:
        """Every network that is trained in full, from the ledger where it has them.

        Raises
        ------
        ToolMissingError
            If PyTorch or scikit-learn is needed and not installed.
        InputError
            If the ledger cannot be written.
        """
        teacher = teacher_of(max(SIDES[self.name]))
        found = [self._run(teacher, 0, seed) for seed in self.seeds]
        for limit in SIZES:
            for candidates in (dense_networks(self.name, limit), starts(self.name, limit)):
                finalists = self._finalists(candidates, limit)
                found += [self._run(each, limit, seed) for each in finalists for seed in self.seeds]
        return found

    def _finalists(self, candidates: Sequence[Candidate], limit: int) -> Sequence[Candidate]:
        """Those whose first tries have the least loss on validation."""
        if len(candidates) <= FINALISTS:
            return candidates
        losses = {each: self._run(each, limit, self.seeds[0], FIRST_TRY).loss for each in candidates}
        return sorted(candidates, key=losses.__getitem__)[:FINALISTS]

    def _run(self, candidate: Candidate, limit: int, seed: int, part: int = 1) -> Run:
        """A candidate trained, for a part of its epochs, and judged, if the ledger does not have it."""
        epochs = max(1, getattr(self.epochs, candidate.side) // part)
        key = json.dumps([self.name, asdict(candidate), limit, seed, epochs, self.epochs.teacher, VERSION])
        if key not in self.done:
            self.done[key] = self._judged(candidate, limit, seed, epochs)
            append_ledger(self.ledger, key, self.done[key])
        return self.done[key]

    def _judged(self, candidate: Candidate, limit: int, seed: int, epochs: int) -> Run:
        data = self.task.data(candidate.image_side)
        image = self.task.image
        settings = TrainSettings(seed=seed, fresh=True, epochs=epochs, image=image, file_bytes=limit or None)
        with one_thread():
            if candidate.side == "teacher":
                trained = plain(self._teacher(candidate.image_side, seed))
            else:
                make = ours if candidate.side == "ours" else rival
                trained = make(candidate, data, settings, self._teacher(candidate.image_side, seed))
        outputs = trained.answers(data.validation.inputs)
        right = trained.answers(data.test.inputs).argmax(axis=1) == data.test.labels
        run = Run(
            side=candidate.side,
            task=self.name,
            seed=seed,
            limit=limit,
            shape=candidate.shape,
            weight_bits=candidate.weight_bits,
            weights=trained.weights,
            file_bytes=trained.file_bytes,
            coded_bytes=trained.coded_bytes,
            loss=cross_entropy(outputs, data.validation.labels),
            validation=float(np.mean(outputs.argmax(axis=1) == data.validation.labels)),
            test=float(np.mean(right)),
            right="".join("01"[hit] for hit in right.astype(int)),
        )
        self.note(
            f"{self.name}, {limit} bytes, seed {seed}, {epochs} epochs: {run.side} {run.shape}, "
            f"{run.weight_bits} bits: {run.file_bytes} bytes, validation {100 * run.validation:.2f} %"
        )
        return run

    def _teacher(self, side: int, seed: int) -> Network:
        """The dense float network that both sides learn from, on images of this side."""
        if (side, seed) not in self.teachers:
            settings = TrainSettings(seed=seed, epochs=self.epochs.teacher, image=self.task.image)
            network = random_network(perceptron(teacher_of(side).shape), seed)
            form = MaskedForm(network.layers)
            fit(form, self.task.data(side), settings, noise=settings.weight_noise)
            self.teachers[side, seed] = replace(network, layers=tuple(form.result()))
        return self.teachers[side, seed]


def teacher_of(side: int) -> Candidate:
    """The teacher that sees images of this side."""
    return Candidate("teacher", (side * side, *TEACHER, CLASSES), 32)


def dense_networks(task: str, limit: int) -> list[Candidate]:
    """Dense int8 networks that fill `limit` bytes.

    >>> [candidate.shape for candidate in dense_networks("digits", 2048)]
    [(64, 27, 10), (64, 22, 16, 10)]
    """
    shapes = [shape for side in SIDES[task] for shape in int8_mlp.architectures(side * side, CLASSES, limit)]
    return [Candidate("rival", shape, 8) for shape in shapes]


def starts(task: str, limit: int) -> list[Candidate]:
    """Dense networks that are pruned until they fill `limit` bytes.

    >>> [(candidate.shape, candidate.weight_bits) for candidate in starts("digits", 2048)]
    [((64, 80, 40, 10), 3), ((64, 80, 40, 10), 4)]
    """
    shapes = [(side * side, *STARTS[limit], CLASSES) for side in SIDES[task]]
    return [Candidate("ours", shape, bits) for shape in shapes for bits in WEIGHT_BITS]


def ours(candidate: Candidate, data: TrainData, settings: TrainSettings, teacher: Network) -> Trained:
    """A pruned network with shared weights, as `tamis train` makes it."""
    settings = replace(settings, weight_bits=candidate.weight_bits)
    result = train(perceptron(candidate.shape), data, settings, teacher=teacher)
    model, size = result.model, len(result.data)

    def answers(inputs: Any) -> Any:
        return dequantise(forward(model, to_integers(model, inputs)[0])[0], model.layers[-1].output_fraction)

    return Trained(answers, sum(layer.nnz for layer in model.layers), size, size)


def rival(candidate: Candidate, data: TrainData, settings: TrainSettings, teacher: Network) -> Trained:
    """A dense network with int8 weights and biases in every step of its training."""
    form = Int8Form(random_network(perceptron(candidate.shape), settings.seed).layers)
    fit(form, data, settings, teacher=teacher.layers, noise=RIVAL_NOISE)
    layers = int8_mlp.quantise_network(form.result(), data.train.inputs[:SAMPLES])

    def answers(inputs: Any) -> Any:
        return dequantise(int8_mlp.forward(layers, inputs), layers[-1].output_fraction)

    weights = sum(layer.weights.size for layer in layers)
    return Trained(answers, weights, len(int8_mlp.encode(layers)), int8_mlp.coded_bytes(layers))


def plain(network: Network) -> Trained:
    """A float network as it is."""
    weights = sum(layer.weights.size for layer in network.layers)
    size = 4 * (weights + sum(layer.bias.size for layer in network.layers))
    return Trained(lambda inputs: logits(network.layers, inputs), weights, size, size)


def fit(form: MaskedForm, data: TrainData, settings: TrainSettings, **options: Any) -> None:
    """Train a form in one stage; for the options see `Trainer.fit`."""
    relus = [layer.relu for layer in form.source]
    Trainer(data, settings, relus, settings.epochs).fit(form, "dense", settings.epochs, **options)


def read_ledger(path: Path) -> dict[str, Run]:
    """Runs by their key; a line that was cut off in writing is none."""
    found = {}
    for text in path.read_text().splitlines() if path.exists() else ():
        try:
            line = json.loads(text)
            found[line["key"]] = Run(**(line["run"] | {"shape": tuple(line["run"]["shape"])}))
        except (ValueError, TypeError, KeyError):
            continue
    return found


def append_ledger(path: Path, key: str, run: Run) -> None:
    """Add a run to a ledger.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    text = json.dumps({"key": key, "run": asdict(run)})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab+") as file:
            cut_off = file.tell() and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n"
            file.write(b"\n" * cut_off + text.encode() + b"\n")
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror}; name another directory in TAMIS_CACHE"
        ) from None
