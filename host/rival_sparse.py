"""Our form: pruned weights that share the values of a small codebook, both seen by the training.

Weights outside the masks are zero. Once there are codebooks, each weight acts as the value nearest to it;
the gradient of a value is the sum over its weights (Han et al., ICLR 2016, section 3), and the weights
behind go on moving by straight-through gradients, so that they may change to another value (CLIP-Q, Tung and
Mori, CVPR 2018). Codebooks and biases act as rounded to eight bits at a power of two.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.layers import Model
from golden.model import encode
from host.calibration import measure, to_model
from host.int8_mlp import int8_fraction
from host.network import SharedLayer, SharedNetwork, sorted_places
from host.rival_dense import rounded
from host.rival_training import Floats, Loop, arrays_of
from host.sharing import centroids_for
from host.train_torch import require_torch

Tensor = Any
BATCHES = 32
"""Batches over which gradients are gathered to find out how much each weight matters."""
GUESSES = 4
"""Trials until a network has the size that is wanted."""
ROOM = 0.985
"""Part of a size that is filled before the last training, which changes the size a little."""


class Sparse:
    """A stack of pruned networks.

    Parameters
    ----------
    source : Floats
        Trained on in place.
    masks : list of tensor of float32, shape (networks, rows, columns), optional
        1 where a weight is kept, 0 elsewhere; by default all are kept.
    """

    def __init__(self, source: Floats, masks: list[Tensor] | None = None) -> None:
        self.source = source
        self.masks = [require_torch().ones_like(each) for each in source.weights] if masks is None else masks
        self.codebooks: list[Tensor] = []

    def copy(self) -> "Sparse":
        """The same networks without codebooks, to be trained apart."""
        weights, biases = (
            [value.detach().clone().requires_grad_() for value in part]
            for part in (self.source.weights, self.source.biases)
        )
        return Sparse(Floats(weights, biases), [mask.clone() for mask in self.masks])

    def share(self, weight_bits: int) -> None:
        """Give every layer a codebook, by k-means over its kept weights."""
        torch, count = require_torch(), (1 << weight_bits) - 1
        for weight, mask in zip(self.source.weights, self.masks, strict=True):
            books = []
            for values, kept in zip(weight.detach().numpy(), mask.numpy() != 0, strict=True):
                found = centroids_for(values[kept], weight_bits, "") if kept.any() else np.ones(1)
                books.append(np.pad(found, (0, count - found.size), mode="edge"))
            self.codebooks.append(torch.tensor(np.stack(books), dtype=torch.float32, requires_grad=True))

    def parameters(self) -> list[Tensor]:
        return [*self.source.parameters(), *self.codebooks]

    def layers(self) -> list[tuple[Tensor, Tensor]]:
        weights, biases = self.source.weights, self.source.biases
        if self.codebooks:
            books = [rounded(book) for book in self.codebooks]
            weights = [nearest(weight, book) for weight, book in zip(weights, books, strict=True)]
            biases = [rounded(bias) for bias in biases]
        masked = [weight * mask for weight, mask in zip(weights, self.masks, strict=True)]
        return list(zip(masked, biases, strict=True))

    @property
    def counts(self) -> NDArray[np.int64]:
        """Weights of each network, shape (networks,)."""
        total: NDArray[np.int64] = sum(mask.sum((1, 2)) for mask in self.masks).numpy().astype(np.int64)
        return total


def nearest(weight: Tensor, codebook: Tensor) -> Tensor:
    """Codebook values nearest to weights, network by network; gradients go to both."""
    torch = require_torch()
    values = codebook.sort(1).values
    with torch.no_grad():
        middles = (values[:, 1:] + values[:, :-1]) / 2
        places = torch.searchsorted(middles, weight.flatten(1))
    found = values.gather(1, places).reshape(weight.shape)
    return found + (weight - weight.detach())


def importance(loop: Loop, form: Sparse) -> list[NDArray[np.float32]]:
    """Rise of the loss if a weight went, to second order: its square times its mean squared gradient.

    Optimal brain damage (LeCun et al., NIPS 1990), with the empirical Fisher information for the curvature.

    Returns
    -------
    list of array of float32, shape (networks, rows, columns)
        For each layer; 0 for weights that are gone.
    """
    torch = require_torch()
    order = torch.tensor(np.random.default_rng(0).permutation(len(loop.labels)))
    layers = form.layers()
    weights = [weight.detach().requires_grad_() for weight, _ in layers]
    frozen = Floats(weights, [bias.detach() for _, bias in layers])
    total = [torch.zeros_like(weight) for weight in weights]
    for chosen in order.split(loop.batch)[:BATCHES]:
        gradients = torch.autograd.grad(loop.loss(frozen, chosen.expand(len(loop.seeds), -1)), weights)
        for summed, gradient in zip(total, gradients, strict=True):
            summed += gradient.square()
    return [
        (weight.detach().square() * summed).numpy() for weight, summed in zip(weights, total, strict=True)
    ]


def prune(form: Sparse, scores: Sequence[NDArray[np.float32]], counts: Sequence[int]) -> None:
    """Keep the weights of the highest scores, `counts` of them in each network over all its layers."""
    torch = require_torch()
    flat = np.concatenate([score.reshape(len(score), -1) for score in scores], 1)
    for network, count in enumerate(counts):
        limit = np.partition(flat[network], -count)[-count] if count < flat.shape[1] else 0.0
        for score, mask in zip(scores, form.masks, strict=True):
            mask[network] *= torch.tensor(score[network] >= max(limit, 1e-37))
    for _ in form.masks:  # neurons that nothing leads to, or from, take their other weights with them
        for before, after in pairwise(form.masks):
            after *= before.any(2)[:, None, :]
            before *= after.any(1)[:, :, None]


def counts_for(
    form: Sparse, scores: Sequence[NDArray[np.float32]], limit: int, weight_bits: int, samples: Any
) -> list[int]:
    """Weights that each network may keep, so that its file has about `ROOM` times `limit` bytes.

    Parameters
    ----------
    form : Sparse
        Without codebooks; it is not changed.
    scores : sequence of array
        See `importance`.
    limit : int
    weight_bits : int
    samples : array of float32, shape (samples, inputs)
    """
    most = form.counts
    counts = np.minimum(most, 12 * limit // 10)
    for _ in range(GUESSES):
        trial = form.copy()
        prune(trial, scores, counts.tolist())
        trial.share(weight_bits)
        sizes = [len(encode(to_golden(trial, network, weight_bits, samples))) for network in range(len(most))]
        counts = np.clip((counts * ROOM * limit / np.array(sizes)).astype(np.int64), 1, most)
    return [int(count) for count in counts]


def trimmed(
    form: Sparse,
    network: int,
    weight_bits: int,
    limit: int,
    scores: Sequence[NDArray[np.float32]],
    samples: Any,
) -> Model:
    """The model of one network; while its file is larger than `limit`, its least important weights go."""
    while True:
        model = to_golden(form, network, weight_bits, samples)
        over = len(encode(model)) - limit
        if over <= 0:
            return model
        counts = form.counts
        counts[network] -= 2 * over
        prune(form, scores, counts.tolist())


def to_golden(form: Sparse, network: int, weight_bits: int, samples: Any) -> Model:
    """One network of a stack with codebooks in golden's integers.

    Parameters
    ----------
    form : Sparse
    network : int
    weight_bits : int
    samples : array of float32, shape (samples, inputs)
        That show how large activations become.
    """
    weights, biases = without_dead(*arrays_of(form, network))
    layers = []
    for number, (weight, bias) in enumerate(zip(weights, biases, strict=True), 1):
        values, index = np.unique(weight, return_inverse=True)
        ranks = np.cumsum(values != 0) * (values != 0)  # 0 for the value 0, the others from 1 on
        row, column = sorted_places(weight != 0)
        codebook = np.zeros(1 << weight_bits)
        codebook[1 : np.count_nonzero(values) + 1] = values[values != 0]
        layers.append(
            SharedLayer(
                rows=len(bias),
                columns=weight.shape[1],
                index_bits=weight_bits,
                codebook=codebook,
                row=row,
                column=column,
                index=ranks[index.reshape(weight.shape)[row, column]].astype(np.uint8),
                bias=bias.astype(np.float64),
                relu=number < len(weights),
                name=f"layer {number}",
                weight_fraction=int8_fraction(codebook),
            )
        )
    shared = SharedNetwork(layers=tuple(layers))
    return to_model(shared, measure(shared, samples))[0]


def without_dead(
    weights: Sequence[NDArray[np.float32]], biases: Sequence[NDArray[np.float32]]
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Take out hidden neurons that no weight leads to, or from.

    A neuron without inputs is a constant, which moves into the biases behind it.

    >>> weights, biases = without_dead(
    ...     [np.array([[1.0], [0.0], [2.0]]), np.array([[1.0, 3.0, 0.0]])], [np.ones(3), np.zeros(1)]
    ... )
    >>> [weight.tolist() for weight in weights], [bias.tolist() for bias in biases]
    ([[[1.0]], [[1.0]]], [[1.0], [3.0]])
    """
    weights, biases = list(weights), list(biases)
    while True:
        found = 0
        for here, after in pairwise(range(len(weights))):
            reached = weights[here].any(axis=1)
            constant = np.where(reached, 0, np.maximum(biases[here], 0))
            biases[after] = biases[after] + weights[after] @ constant
            alive = reached & weights[after].any(axis=0)
            found += int(np.count_nonzero(~alive))
            weights[here], biases[here] = weights[here][alive], biases[here][alive]
            weights[after] = weights[after][:, alive]
        if not found:
            return weights, biases
