"""Which weights go next: shares of the layers by their sensitivity, and neurons that pruning left useless.

No PyTorch here: layers are NumPy matrices, and a pruned weight is a zero.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from host.network import DenseLayer, layer_values
from host.pruning import Mask, keep_largest, prune

STEPS = 24
"""Shares at which a layer's sensitivity is measured."""

Loss = Callable[[Sequence[DenseLayer]], float]
"""Loss of a network, in nats, on samples that weights were not fitted to."""
Masks = Callable[[Sequence[DenseLayer], float], list[Mask]]
"""Which weights of layers stay, if a share of them shall."""


def logits(layers: Sequence[DenseLayer], inputs: Any) -> NDArray[np.float32]:
    """Outputs of the last layer in float32, shape (samples, rows)."""
    return layer_values(layers, inputs)[-1]


def cross_entropy(outputs: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Mean loss in nats of outputs before softmax.

    >>> round(cross_entropy(np.zeros((3, 2), dtype=np.float32), np.array([0, 1, 1])), 4)
    0.6931
    """
    shifted = outputs.astype(np.float64) - outputs.max(axis=1, keepdims=True)
    right = shifted[np.arange(len(labels)), labels]
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - right))


def pruned(layers: Sequence[DenseLayer], masks: Sequence[Mask]) -> list[DenseLayer]:
    """The layers with zeros outside their masks."""
    return [layer.pruned(mask) for layer, mask in zip(layers, masks, strict=True)]


def schedule(start: float, end: float, rounds: int) -> list[float]:
    """Shares that are left after each round: each keeps the same part of the round before.

    >>> [round(share, 3) for share in schedule(1.0, 0.1, 3)]
    [0.464, 0.215, 0.1]
    """
    if end >= start:
        return [end]
    return [start * (end / start) ** (step / rounds) for step in range(1, rounds + 1)]


def choose(layers: Sequence[DenseLayer], share: float, loss: Loss | None) -> list[Mask]:
    """Masks that keep a share of all weights.

    Parameters
    ----------
    layers : sequence of DenseLayer
        Weights as they are; zeros are never kept.
    share : float
        Above 0 and at most 1.
    loss : callable or None
        Measures the sensitivity of layers; None takes one threshold for all.

    Returns
    -------
    list of array of bool, shape (rows, columns)
    """
    weights = [layer.weights for layer in layers]
    if loss is None or len(layers) == 1:
        return prune(weights, keep_global=share)
    shares = sensitive_shares(layers, share, loss)
    return [
        keep_largest(np.abs(matrix), max(1, round(matrix.size * part)))
        for matrix, part in zip(weights, shares, strict=True)
    ]


def sensitive_shares(layers: Sequence[DenseLayer], share: float, loss: Loss) -> list[float]:
    """Share of each layer, so that each one's pruning alone raises the loss equally (Han et al., NIPS 2015).

    Returns
    -------
    list of float
        Shares of each layer's size; all together keep `share` of the weights, or every nonzero one.
    """
    sizes = np.array([layer.weights.size for layer in layers], dtype=np.float64)
    present = np.array([np.count_nonzero(layer.weights) for layer in layers])
    target = share * sizes.sum()
    if target >= present.sum():
        return list(present / sizes)
    # down to a tenth of what an even division would leave
    factors = np.geomspace(1.0, max(0.1 * target / present.sum(), 1e-6), STEPS)
    base = loss(layers)
    rises = np.zeros((len(layers), STEPS))
    for number, layer in enumerate(layers):
        magnitude = np.abs(layer.weights)
        for step, factor in enumerate(factors):
            mask = keep_largest(magnitude, max(1, round(present[number] * factor)))
            trial = [*layers]
            trial[number] = layer.pruned(mask)
            rises[number, step] = loss(trial) - base
    # a little more than the running maximum, so that less loss always means more weights
    rises = np.maximum.accumulate(np.maximum(rises, 0.0), axis=1) + 1e-9 * np.arange(STEPS)

    def kept(tolerance: float) -> NDArray[np.float64]:
        found = [np.interp(tolerance, rise, np.log(factors)) for rise in rises]
        weights: NDArray[np.float64] = np.maximum(np.exp(found) * present, 1)
        return weights

    low, high = 0.0, float(rises.max())
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if kept(middle).sum() > target else (low, middle)
    return list(np.minimum(kept(high) * target / kept(high).sum(), present) / sizes)


def remove_dead(layers: Sequence[DenseLayer]) -> list[DenseLayer]:
    """Take out what pruning made useless, without changing what the network computes.

    A neuron that no weight reads loses its own weights and its bias. One without weights gives a constant,
    which goes into the biases of the layer after it.

    >>> first = DenseLayer(weights=np.array([[1.0], [2.0], [0.0]], dtype=np.float32),
    ...                    bias=np.array([1.0, 1.0, 3.0], dtype=np.float32), relu=True, name="a")
    >>> last = DenseLayer(weights=np.array([[0.0, 1.0, 2.0]], dtype=np.float32),
    ...                   bias=np.zeros(1, dtype=np.float32), relu=False, name="b")
    >>> first, last = remove_dead([first, last])
    >>> first.weights.tolist(), first.bias.tolist(), last.weights.tolist(), last.bias.tolist()
    ([[0.0], [2.0], [0.0]], [0.0, 1.0, 0.0], [[0.0, 1.0, 0.0]], [6.0])
    """
    weights = [layer.weights.copy() for layer in layers]
    biases = [layer.bias.copy() for layer in layers]
    changed = True
    while changed:
        changed = False
        for here in range(len(layers) - 1):
            unread = ~weights[here + 1].any(axis=0)
            constant = ~weights[here].any(axis=1)
            value = np.where(constant, biases[here], 0)
            if layers[here].relu:
                value = np.maximum(value, 0)
            biases[here + 1] += weights[here + 1] @ value
            weights[here + 1][:, constant] = 0
            dead = unread | constant
            changed |= bool(weights[here][dead].any() or biases[here][dead].any())
            weights[here][dead] = 0
            biases[here][dead] = 0
    return [
        replace(layer, weights=matrix, bias=bias)
        for layer, matrix, bias in zip(layers, weights, biases, strict=True)
    ]
