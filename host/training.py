"""Training a network until it is small: dense, pruned in rounds, shared, fine-tuned, and a model file.

The pipeline of Deep Compression (Han et al., ICLR 2016, figure 1). PyTorch does the training, on the CPU;
what counts at the end are golden's integers. Every choice is made on the validation split. The test split is
read once, when all is done, for the table of `TrainResult.stages`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from golden.errors import InputError, UsageError
from golden.forward import forward
from golden.model import Model, encode
from host.calibration import measure, to_model
from host.importance import importance
from host.network import DenseLayer, Network, SharedNetwork
from host.onnx_import import import_onnx
from host.pruning import Mask, prune
from host.sharing import share
from host.train_data import Samples, TrainData
from host.train_forms import MaskedForm, SharedForm
from host.train_joint import JointForm
from host.train_loop import Epoch, Progress, Trainer, one_thread
from host.train_masks import choose, logits, pruned, remove_dead, schedule
from host.train_settings import TrainSettings
from host.train_torch import from_torch, random_network, require_torch
from host.values import to_integers

HEADROOM = 1.1
"""More than the bytes that are allowed, by this factor, is kept until the weights are shared."""
ROOM = 0.995
"""Part of the bytes that are allowed which pruning leaves then, as fine-tuning changes the size a little."""
HALVINGS = 9
"""Files that are written to find out how many weights fit, in each round of pruning."""

Chooser = Callable[[float], list[Mask]]
"""Which weights stay if a share of all shall."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The network after one step of the pipeline.

    Parameters
    ----------
    name : {"dense", "pruned", "shared", "fine-tuned"}
    weights : int
        That are not zero.
    kept : float
        Their share of all.
    validation, test : float
        Accuracy: of golden's integers from "shared" on, of float32 before.
    correct : tuple of bool, length of the test split
        Which test samples were right; for paired comparisons.
    """

    name: str
    weights: int
    kept: float
    validation: float
    test: float
    correct: tuple[bool, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers and strings, without the single samples."""
        values = asdict(self)
        del values["correct"]
        return values


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainResult:
    """A trained model and how it came about.

    Parameters
    ----------
    model : Model
    data : bytes
        Of the model file.
    dense : Network
        The dense network that it came from, trained.
    pruned : Network
        The network before sharing, trained under its masks.
    shared : SharedNetwork
        The real numbers that the model's integers stand for.
    stages : tuple of Stage
    history : tuple of Epoch
        Every pass over the train split.
    met : bool
        Whether the accuracy is within `max_loss`; True without such a limit.
    settings : TrainSettings
    seconds : float
        Processor time of the training.
    """

    model: Model
    data: bytes
    dense: Network
    pruned: Network
    shared: SharedNetwork
    stages: tuple[Stage, ...]
    history: tuple[Epoch, ...]
    met: bool
    settings: TrainSettings
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries, for JSON."""
        return {
            "settings": asdict(self.settings),
            "met": self.met,
            "file_bytes": len(self.data),
            "dense_bytes": self.model.dense_bytes,
            "rate": self.model.dense_bytes / len(self.data),
            "stages": [stage.as_dict() for stage in self.stages],
            "epochs": len(self.history),
            "cpu_seconds": self.seconds,
        }


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A network after pruning and retraining, and what sharing and fine-tuning made of it."""

    pruned: Sequence[DenseLayer]
    unshared: SharedNetwork
    tuned: SharedNetwork
    first: Model
    model: Model
    validation: float


def train(
    network: Any,
    data: TrainData,
    settings: TrainSettings | None = None,
    *,
    teacher: Network | None = None,
    progress: Progress | None = None,
) -> TrainResult:
    """Train, prune, share and fine-tune a network.

    Parameters
    ----------
    network : Network, path of an ONNX file, or torch.nn.Module
        See `host.train_torch.from_torch` for the modules that are supported.
    data : TrainData
        See `host.train_data.load_data`.
    settings : TrainSettings, optional
    teacher : Network, optional
        Whose outputs the network shall give as well; by default the dense network's own.
    progress : callable, optional
        Called with an `Epoch` after each pass over the train split.

    Returns
    -------
    TrainResult
        With `met` False if `settings.max_loss` could not be met; it is then the best that was found.

    Raises
    ------
    UsageError
        For settings that do not suit the network, or missing data.
    InputError
        For data that do not fit the network.
    UnsupportedError
        For a network that Tamis does not run.
    ToolMissingError
        If PyTorch, or onnx for an ONNX file, is not installed.
    """
    if data is None:
        raise UsageError(
            "training needs data, and none were given; give some, or compress the network without training "
            "it: `tamis compress`"
        )
    settings = settings or TrainSettings()
    started = time.process_time()
    if not isinstance(network, Network):
        is_path = isinstance(network, str | Path)
        network = import_onnx(network) if is_path else from_torch(network)
    bits = settings.bits_of(len(network.layers))
    inputs, classes = network.layers[0].weights.shape[1], len(network.layers[-1].bias)
    data.check(inputs, classes)
    if settings.image is not None and settings.image[0] * settings.image[1] != inputs:
        height, width = settings.image
        raise UsageError(
            f"--image {height}x{width} means {height * width} values, but the network takes {inputs}; give "
            "the size of one image"
        )
    if teacher is not None:
        _check_teacher(teacher, inputs, classes)
    require_torch()
    with one_thread():
        return _Pipeline(network, data, settings, bits, teacher, progress).run(started)


def _check_teacher(teacher: Network, inputs: int, classes: int) -> None:
    found = teacher.layers[0].weights.shape[1], len(teacher.layers[-1].bias)
    if found != (inputs, classes):
        raise InputError(
            f"the teacher has {found[0]} inputs and {found[1]} outputs, but the network {inputs} and "
            f"{classes}; take a teacher of the same task"
        )


class _Pipeline:
    """One run of `train`."""

    def __init__(
        self,
        network: Network,
        data: TrainData,
        settings: TrainSettings,
        bits: tuple[int, ...],
        teacher: Network | None,
        progress: Progress | None,
    ) -> None:
        self.network = network
        self.data = data
        self.settings = settings
        self.bits = bits
        self.teacher = teacher
        relus = [layer.relu for layer in network.layers]
        self.trainer = Trainer(data, settings, relus, settings.all_epochs, progress)

    def run(self, started: float) -> TrainResult:
        settings = self.settings
        dense: Sequence[DenseLayer] = self.network.layers
        if settings.fresh:
            random = random_network(self.network, settings.seed).layers
            if settings.file_bytes is not None:  # too few are refused before anything is trained
                self._fitting(random, self._chooser(random), settings.file_bytes)
            form = MaskedForm(random)
            taught = None if self.teacher is None else self.teacher.layers
            self.trainer.fit(form, "dense", settings.epochs, teacher=taught, noise=settings.weight_noise)
            dense = form.result()
        self.taught = dense if self.teacher is None else self.teacher.layers
        base = accuracy(dense, self.data.validation)
        met = True
        if settings.joint:
            chosen = self._joint(dense)
        elif settings.file_bytes is not None:
            chosen = self._fit(dense, settings.file_bytes)
        else:
            chosen, met = self._search(dense, base)
        data = encode(chosen.model)
        finished = [
            ("dense", dense, dense),
            ("pruned", chosen.pruned, chosen.pruned),
            ("shared", chosen.pruned, chosen.first),
            ("fine-tuned", chosen.pruned, chosen.model),
        ]
        return TrainResult(
            model=chosen.model,
            data=data,
            dense=replace(self.network, layers=tuple(dense)),
            pruned=replace(self.network, layers=tuple(chosen.pruned)),
            shared=chosen.tuned,
            stages=tuple(self._stage(name, layers, what) for name, layers, what in finished),
            history=tuple(self.trainer.history),
            met=met,
            settings=settings,
            seconds=time.process_time() - started,
        )

    def _joint(self, dense: Sequence[DenseLayer]) -> _Candidate:
        """Prune and share in one loop, then fine-tune the shared values."""
        settings = self.settings
        form = JointForm(dense, settings.keep, self.bits, self._masks)
        self.trainer.fit(form, "joint", settings.joint_epochs, teacher=self.taught)
        return self._share(remove_dead(form.result()))

    def _search(self, dense: Sequence[DenseLayer], base: float) -> tuple[_Candidate, bool]:
        """The network to use, and whether it is accurate enough; `base` is the dense one's accuracy."""
        settings = self.settings
        shares = schedule(kept(dense), settings.keep, settings.rounds)
        if settings.max_loss is None:
            layers = dense
            for number, share_left in enumerate(shares, 1):
                masks = self._masks(layers, share_left)
                layers = self._prune(layers, masks, number, len(shares), number == len(shares))
            return self._share(layers), True
        limit = base - settings.max_loss / 100
        within = [dense]
        for number, share_left in enumerate(shares, 1):
            masks = self._masks(within[-1], share_left)
            layers = self._prune(within[-1], masks, number, len(shares), False)
            if accuracy(layers, self.data.validation) < limit:
                break
            within.append(layers)
        best: _Candidate | None = None
        for layers in reversed(within):
            candidate = self._share(self._retrain(layers, "retrain", settings.last_epochs))
            if candidate.validation >= limit:
                return candidate, True
            if best is None or candidate.validation > best.validation:
                best = candidate
        assert best is not None
        return best, False

    def _fit(self, dense: Sequence[DenseLayer], file_bytes: int) -> _Candidate:
        """The network whose model file has at most `file_bytes`."""
        layers, rounds = dense, self.settings.rounds
        for number in range(1, rounds + 1):
            chooser = self._chooser(layers)
            goal = self._fitting(layers, chooser, HEADROOM * file_bytes)
            [share_left, *_] = schedule(kept(layers), goal, rounds - number + 1)
            layers = self._prune(layers, chooser(share_left), number, rounds, number == rounds)
        chooser = self._chooser(layers)
        share_left = self._fitting(layers, chooser, ROOM * file_bytes)
        while True:
            candidate = self._share(remove_dead(pruned(layers, chooser(share_left))))
            size = len(encode(candidate.model))
            if size <= file_bytes:
                return candidate
            share_left *= ROOM * file_bytes / size

    def _fitting(self, layers: Sequence[DenseLayer], chooser: Chooser, file_bytes: float) -> float:
        """Largest share of all weights with which the model file has at most `file_bytes`, as things are now.

        Raises
        ------
        UsageError
            If a file of a weight for each output is larger.
        """

        def size(share_left: float) -> int:
            shared = self._shared(remove_dead(pruned(layers, chooser(share_left))))
            rounded = SharedForm(shared.layers, self.settings.bias_bits).result()
            return len(encode(self._integers(self.network.shared(rounded))))

        low, high = len(layers[-1].bias) / sum(layer.weights.size for layer in layers), kept(layers)
        if size(high) <= file_bytes:
            return high
        if (least := size(low)) > file_bytes:
            raise UsageError(
                f"--bytes {self.settings.file_bytes} is too few: the file of this network still has "
                f"{least} bytes when a weight is left for each output; allow more"
            )
        for _ in range(HALVINGS):
            middle = (low * high) ** 0.5
            low, high = (middle, high) if size(middle) <= file_bytes else (low, middle)
        return low

    def _prune(
        self, layers: Sequence[DenseLayer], masks: Sequence[Mask], number: int, rounds: int, last: bool
    ) -> Sequence[DenseLayer]:
        """One round: fewer weights, then training under the masks."""
        epochs = self.settings.last_epochs if last else self.settings.round_epochs
        return self._retrain(pruned(layers, masks), f"prune {number} of {rounds}", epochs)

    def _masks(self, layers: Sequence[DenseLayer], share_left: float) -> list[Mask]:
        """Which weights stay."""
        return self._chooser(layers)(share_left)

    def _chooser(self, layers: Sequence[DenseLayer]) -> Chooser:
        """Which weights stay if a share of them shall, as the settings want them chosen."""
        if self.settings.prune == "importance":
            scores = importance(layers, self.data.train.inputs)
            return lambda share_left: prune(scores, keep_global=share_left)
        loss = self.trainer.validation_loss if self.settings.prune == "sensitivity" else None
        return lambda share_left: choose(layers, share_left, loss)

    def _retrain(self, layers: Sequence[DenseLayer], stage: str, epochs: int) -> Sequence[DenseLayer]:
        alive = remove_dead(layers)
        form = MaskedForm(alive, [layer.weights != 0 for layer in alive])
        self.trainer.fit(form, stage, epochs, teacher=self.taught, noise=self.settings.weight_noise)
        return remove_dead(form.result())

    def _share(self, layers: Sequence[DenseLayer]) -> _Candidate:
        """Share the weights and fine-tune the shared values."""
        settings = self.settings
        unshared = self._shared(layers)
        form = SharedForm(unshared.layers, settings.bias_bits)
        self.trainer.fit(
            form, "fine-tune", settings.shared_epochs, teacher=self.taught, rate=settings.rate / 4
        )
        tuned = self.network.shared(form.result())
        first, model = (self._integers(network) for network in (unshared, tuned))
        return _Candidate(layers, unshared, tuned, first, model, accuracy(model, self.data.validation))

    def _shared(self, layers: Sequence[DenseLayer]) -> SharedNetwork:
        """The layers with shared weights, not fine-tuned."""
        return self.network.shared(
            share(layer, layer.weights != 0, bits) for layer, bits in zip(layers, self.bits, strict=True)
        )

    def _integers(self, network: SharedNetwork) -> Model:
        ranges = measure(network, self.data.train.inputs)
        return to_model(network, ranges, self.settings.accumulator_bits)[0]

    def _stage(self, name: str, layers: Sequence[DenseLayer], what: Any) -> Stage:
        correct = right(what, self.data.test)
        return Stage(
            name=name,
            weights=sum(int(np.count_nonzero(layer.weights)) for layer in layers),
            kept=kept(layers),
            validation=accuracy(what, self.data.validation),
            test=float(np.mean(correct)),
            correct=tuple(bool(hit) for hit in correct),
        )


def kept(layers: Sequence[DenseLayer]) -> float:
    """Share of all weights that are not zero."""
    weights = sum(int(np.count_nonzero(layer.weights)) for layer in layers)
    return weights / sum(layer.weights.size for layer in layers)


def right(network: Model | Sequence[DenseLayer], samples: Samples) -> Any:
    """Which samples have their largest output at their label.

    Parameters
    ----------
    network : Model or sequence of DenseLayer
        A model runs in golden's integers, layers in float32.
    samples : Samples

    Returns
    -------
    array of bool, shape (samples,)
    """
    if isinstance(network, Model):
        outputs, _ = forward(network, to_integers(network, samples.inputs)[0])
        return outputs.argmax(axis=1) == samples.labels
    return logits(network, samples.inputs).argmax(axis=1) == samples.labels


def accuracy(network: Model | Sequence[DenseLayer], samples: Samples) -> float:
    """Share of samples that are `right`."""
    return float(np.mean(right(network, samples)))
