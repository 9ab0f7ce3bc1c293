"""The training loop: epochs over the train split, and the state that is best on validation.

What is trained stands behind a `Form`: dense weights under masks, or shared values (`host.train_forms`).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from host.network import DenseLayer
from host.train_data import Samples, TrainData
from host.train_settings import TrainSettings
from host.train_torch import require_torch

Tensor = Any
JITTER = (0.1, 0.08, 0.08, 0.1, 0.1)
"""Spread of an image's angle, width, height (relative) and place (half images) while training."""


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One pass over the train split.

    Parameters
    ----------
    stage : str
        Such as "dense" or "prune 2 of 6".
    epoch, epochs : int
        Number of this pass from 1, and passes of the stage.
    loss : float
        Mean loss over the pass, in nats.
    accuracy : float
        On the validation split, in float32.
    kept : float
        Share of the weights that is not zero.
    seconds_left : float
        Estimate for all that is still to be done.
    """

    stage: str
    epoch: int
    epochs: int
    loss: float
    accuracy: float
    kept: float
    seconds_left: float

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers and strings, without the time left, which differs from run to run."""
        values = asdict(self)
        del values["seconds_left"]
        return values


Progress = Callable[[Epoch], None]


class Form(Protocol):
    """Something that is trained, as matrices and biases of the layers.

    `settled` says that its present state could be kept; a form that still prunes is not settled.
    """

    settled: bool

    def parameters(self) -> list[Tensor]:
        """Tensors that the optimiser moves."""

    def layers(self) -> list[tuple[Tensor, Tensor]]:
        """Weights, shape (rows, columns), and bias, shape (rows,), of each layer."""

    def start(self, epoch: int, epochs: int) -> None:
        """Called before each pass, numbered from 0."""


@contextmanager
def one_thread() -> Iterator[None]:
    """One processor for PyTorch: sums in a fixed order, and no faster with more for networks this small."""
    torch = require_torch()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Trainer:
    """Trains forms of one network, one stage after another.

    Parameters
    ----------
    data : TrainData
    settings : TrainSettings
    relus : sequence of bool
        Of each layer.
    planned : int
        Epochs of all stages, for the time left.
    progress : callable or None
        Called with each `Epoch`.
    """

    def __init__(
        self,
        data: TrainData,
        settings: TrainSettings,
        relus: Sequence[bool],
        planned: int,
        progress: Progress | None = None,
    ) -> None:
        self.torch = require_torch()
        self.settings = settings
        self.relus = relus
        self.planned = planned
        self.progress = progress
        self.history: list[Epoch] = []
        self.train, self.validation = (self._tensors(split) for split in (data.train, data.validation))
        self.stages = 0
        self.started = time.monotonic()

    def fit(
        self,
        form: Form,
        stage: str,
        epochs: int,
        *,
        teacher: Sequence[DenseLayer] | None = None,
        noise: float = 0.0,
        rate: float | None = None,
    ) -> None:
        """Train in place, and leave the form in its settled state of least loss on validation.

        The state at the start is one of them, if it is settled.

        Parameters
        ----------
        form : Form
        stage : str
            What to call it.
        epochs : int
        teacher : sequence of DenseLayer, optional
            Network whose outputs the loss asks for as well.
        noise : float
            On the weights; see `TrainSettings`.
        rate : float, optional
            Learning rate at the start instead of the settings'.
        """
        torch, settings = self.torch, self.settings
        self.stages += 1
        generator = torch.Generator().manual_seed((settings.seed << 16) + self.stages)
        parameters = form.parameters()
        optimiser = torch.optim.AdamW(
            parameters, lr=rate or settings.rate, weight_decay=settings.weight_decay, fused=True
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
        taught = None if teacher is None else self._network(teacher)
        with torch.no_grad():
            best = self._judge(form.layers())[0] if form.settled else float("inf")
        kept = [value.detach().clone() for value in parameters]
        for epoch in range(epochs):
            form.start(epoch, epochs)
            loss = self._epoch(form, optimiser, generator, taught, noise)
            schedule.step()
            with torch.no_grad():
                layers = form.layers()
                score, accuracy = self._judge(layers)
            if form.settled and score < best:
                best, kept = score, [value.detach().clone() for value in parameters]
            self._tell(stage, epoch + 1, epochs, loss, accuracy, layers)
        with torch.no_grad():
            for value, saved in zip(parameters, kept, strict=True):
                value.copy_(saved)

    def validation_loss(self, layers: Sequence[DenseLayer]) -> float:
        """Loss of a network on the validation split, in nats."""
        with self.torch.no_grad():
            return self._judge([self._tensors(layer) for layer in layers])[0]

    def _network(self, layers: Sequence[DenseLayer]) -> Callable[[Tensor], Tensor]:
        """A network that is not trained, as a function of a batch."""
        tensors, relus = [self._tensors(layer) for layer in layers], [layer.relu for layer in layers]
        return lambda values: self._outputs(tensors, values, relus)

    def _epoch(
        self,
        form: Form,
        optimiser: Any,
        generator: Any,
        taught: Callable[[Tensor], Tensor] | None,
        noise: float,
    ) -> float:
        torch, settings = self.torch, self.settings
        functional = torch.nn.functional
        inputs, labels = self.train
        total = 0.0
        for chosen in torch.randperm(len(inputs), generator=generator).split(settings.batch):
            batch = self._disturbed(inputs[chosen], generator)
            layers = form.layers()
            if noise:
                layers = [(self._noisy(weight, noise, generator), bias) for weight, bias in layers]
            outputs = self._outputs(layers, batch, self.relus)
            loss = functional.cross_entropy(outputs, labels[chosen], label_smoothing=settings.smoothing)
            if taught is not None and settings.distil:
                with torch.no_grad():
                    wanted = functional.softmax(taught(batch), 1)
                loss = loss + settings.distil * functional.cross_entropy(outputs, wanted)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += float(loss.detach()) * len(chosen)
        return total / len(inputs)

    def _outputs(
        self, layers: Sequence[tuple[Tensor, Tensor]], values: Tensor, relus: Sequence[bool]
    ) -> Tensor:
        for (weight, bias), relu in zip(layers, relus, strict=True):
            values = self.torch.nn.functional.linear(values, weight, bias)
            if relu:
                values = values.relu()
        return values

    def _judge(self, layers: Sequence[tuple[Tensor, Tensor]]) -> tuple[float, float]:
        """Loss and accuracy on the validation split."""
        inputs, labels = self.validation
        outputs = self._outputs(layers, inputs, self.relus)
        loss = self.torch.nn.functional.cross_entropy(outputs, labels)
        return float(loss), float((outputs.argmax(1) == labels).float().mean())

    def _noisy(self, weight: Tensor, noise: float, generator: Any) -> Tensor:
        """A matrix with noise on every weight that is not zero; gradients pass to the weights."""
        with self.torch.no_grad():
            kept = weight != 0
            spread = noise * weight.norm() / max(int(kept.sum()), 1) ** 0.5
            disturbance = self.torch.randn(weight.shape, generator=generator).mul_(spread).mul_(kept)
        return weight + disturbance

    def _disturbed(self, inputs: Tensor, generator: Any) -> Tensor:
        torch, settings = self.torch, self.settings
        if settings.image is not None:
            inputs = jitter(inputs, settings.image, generator)
        if settings.input_noise:
            inputs = inputs + settings.input_noise * torch.randn(inputs.shape, generator=generator)
        return inputs

    def _tensors(self, source: Samples | DenseLayer) -> tuple[Tensor, Tensor]:
        torch = self.torch
        if isinstance(source, Samples):
            return torch.tensor(source.inputs), torch.tensor(source.labels)
        return torch.tensor(source.weights), torch.tensor(source.bias)

    def _tell(self, stage: str, epoch: int, epochs: int, loss: float, accuracy: float, layers: Any) -> None:
        kept = sum(int(weight.count_nonzero()) for weight, _ in layers)
        done = len(self.history) + 1
        spent = time.monotonic() - self.started
        record = Epoch(
            stage=stage,
            epoch=epoch,
            epochs=epochs,
            loss=loss,
            accuracy=accuracy,
            kept=kept / sum(weight.numel() for weight, _ in layers),
            seconds_left=spent / done * max(self.planned - done, 0),
        )
        self.history.append(record)
        if self.progress is not None:
            self.progress(record)


def jitter(images: Tensor, shape: tuple[int, int], generator: Any) -> Tensor:
    """Turn, stretch and move each image a little; see `JITTER`.

    Parameters
    ----------
    images : tensor of float, shape (images, height * width)
    shape : tuple of int
        Height and width.
    generator : torch.Generator
    """
    torch = require_torch()
    functional, count = torch.nn.functional, len(images)
    spread = torch.tensor(JITTER)[:, None] * torch.randn((5, count), generator=generator)
    angle, width, height, right, down = spread
    turn = torch.stack([angle.cos() + width, -angle.sin(), right, angle.sin(), angle.cos() + height, down], 1)
    size = [count, 1, *shape]
    grid = functional.affine_grid(turn.reshape(count, 2, 3), size, align_corners=False)
    moved = functional.grid_sample(images.reshape(size), grid, align_corners=False)
    return moved.reshape(count, -1)
