"""One training loop for both sides of `tamis bench rival`: the same steps, data, optimiser, teacher and care.

Networks of one shape and of several seeds are trained side by side, as one batched product, which costs
little more than a single network of this size. They share nothing: each has its own first weights and its
own order of the samples. What stands for a network's weights is the business of a form: dense int8
(`host.rival_dense`), or pruned and shared (`host.rival_sparse`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from host.tasks import Split
from host.train_torch import require_torch

Tensor = Any
FloatArray = NDArray[np.float32]
RATE, LAST_RATE = 3e-3, 3e-5
WEIGHT_DECAY = 1e-4
SMOOTHING = 0.05
CHECKS = 40
"""Times that validation is looked at in one call of `fit`."""


class Form(Protocol):
    """Several networks of one shape, side by side."""

    def parameters(self) -> list[Tensor]:
        """Tensors that are trained; the first axis of each counts the networks."""

    def layers(self) -> list[tuple[Tensor, Tensor]]:
        """Weights, shape (networks, rows, columns), and biases, shape (networks, rows), as they act."""


@dataclass(eq=False)
class Floats:
    """Plain float32 weights, shapes (networks, rows, columns) and (networks, rows)."""

    weights: list[Tensor]
    biases: list[Tensor]

    def parameters(self) -> list[Tensor]:
        return [*self.weights, *self.biases]

    def layers(self) -> list[tuple[Tensor, Tensor]]:
        return list(zip(self.weights, self.biases, strict=True))


def start(sizes: Sequence[int], seeds: Sequence[int], attempt: int = 0) -> Floats:
    """Random weights (He et al., ICCV 2015), a network for each seed, which does not depend on the others."""
    torch = require_torch()
    weights: list[list[Any]] = [[] for _ in sizes[1:]]
    for seed in seeds:
        rng = np.random.default_rng([seed, attempt, *sizes])
        for number, (columns, rows) in enumerate(pairwise(sizes)):
            weights[number].append(rng.standard_normal((rows, columns)) * (2 / columns) ** 0.5)
    return Floats(
        [torch.tensor(np.stack(each), dtype=torch.float32, requires_grad=True) for each in weights],
        [torch.zeros(len(seeds), rows, requires_grad=True) for rows in sizes[1:]],
    )


class Loop:
    """The data, ready to train stacks of networks on.

    Parameters
    ----------
    train, validation : Split
    seeds : sequence of int
        Of the orders of the samples, one for each network of a stack.
    batch : int
        Samples of a step, for each network.
    """

    def __init__(self, train: Split, validation: Split, seeds: Sequence[int], batch: int) -> None:
        torch = require_torch()
        self.inputs, self.labels = torch.tensor(train.inputs), torch.tensor(train.labels)
        self.judged = torch.tensor(validation.inputs), torch.tensor(validation.labels)
        self.seeds, self.batch = tuple(seeds), batch
        self.wanted: Tensor = None

    def teach(self, form: Form) -> None:
        """Ask for the outputs of a trained stack from now on, of each network for those of its own seed."""
        torch = require_torch()
        with torch.no_grad():
            parts = [outputs(form.layers(), part) for part in self.inputs.split(4096)]
            self.wanted = torch.cat(parts, 1).softmax(2)

    def fit(self, form: Form, steps: int, rate: float = RATE) -> None:
        """Train in place; each network ends in its state of least loss on validation.

        Parameters
        ----------
        form : Form
        steps : int
        rate : float
            Learning rate at the start; it falls as a cosine.
        """
        torch = require_torch()
        parameters = form.parameters()
        optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=WEIGHT_DECAY, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, LAST_RATE)
        orders = [np.random.default_rng([seed, steps]) for seed in self.seeds]
        best = torch.full((len(self.seeds),), float("inf"))
        kept = [value.detach().clone() for value in parameters]
        every = max(1, steps // CHECKS)
        order, place = torch.zeros(len(orders), 0, dtype=torch.int64), 0
        for step in range(1, steps + 1):
            if place + self.batch > order.shape[1]:
                order = torch.tensor(np.stack([rng.permutation(len(self.labels)) for rng in orders]))
                place = 0
            chosen = order[:, place : place + self.batch]
            place += self.batch
            loss = self.loss(form, chosen)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            if step % every == 0 or step == steps:
                score = self.score(form)[0]
                better = score < best
                best = torch.where(better, score, best)
                for saved, value in zip(kept, parameters, strict=True):
                    saved[better] = value.detach()[better]
        with torch.no_grad():
            for saved, value in zip(kept, parameters, strict=True):
                value.copy_(saved)

    def loss(self, form: Form, chosen: Tensor) -> Tensor:
        """Sum over the networks of each one's mean loss on its own batch."""
        torch = require_torch()
        cross_entropy = torch.nn.functional.cross_entropy
        found = outputs(form.layers(), self.inputs[chosen]).flatten(0, 1)
        loss = cross_entropy(found, self.labels[chosen].flatten(), label_smoothing=SMOOTHING)
        if self.wanted is not None:
            wanted = self.wanted[torch.arange(len(chosen))[:, None], chosen].flatten(0, 1)
            loss = loss + cross_entropy(found, wanted)
        return len(self.seeds) * loss

    def score(self, form: Form) -> tuple[Tensor, Tensor]:
        """Loss and accuracy on validation, each of shape (networks,)."""
        torch = require_torch()
        inputs, labels = self.judged
        with torch.no_grad():
            found = outputs(form.layers(), inputs)
            expected = labels.expand(len(found), -1)
            loss = torch.nn.functional.cross_entropy(found.movedim(2, 1), expected, reduction="none").mean(1)
            return loss, (found.argmax(2) == expected).float().mean(1)


def outputs(layers: Sequence[tuple[Tensor, Tensor]], inputs: Tensor) -> Tensor:
    """Last layer's values, shape (networks, samples, rows); inputs (networks or none, samples, columns)."""
    torch = require_torch()
    values = inputs.expand(len(layers[0][0]), -1, -1)
    for number, (weight, bias) in enumerate(layers, 1):
        values = torch.baddbmm(bias[:, None, :], values, weight.mT)
        if number < len(layers):
            values = values.relu()
    return values


def arrays_of(form: Form, network: int) -> tuple[list[FloatArray], list[FloatArray]]:
    """Weights and biases of one network of a stack, as they act."""
    with require_torch().no_grad():
        found = form.layers()
    return [weight[network].detach().numpy() for weight, _ in found], [
        bias[network].detach().numpy() for _, bias in found
    ]
