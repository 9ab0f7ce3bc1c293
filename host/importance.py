"""How much each weight matters: the curvature of the loss, from data and without labels.

Near a trained network the loss rises by about half of ``curvature * change**2`` if one weight changes. The
curvature is the diagonal of the Fisher information, which is that of the Gauss-Newton matrix of softmax and
cross-entropy: the mean over samples, and over labels as likely as the network finds them, of the squared
gradient. It tells which weights can go: those of the least ``curvature * weight**2`` (optimal brain damage,
LeCun et al., NIPS 1989).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from host.network import DenseLayer, layer_values

FloatArray = NDArray[np.float32]
SAMPLES = 4096
"""Samples that are looked at, at most; they are spread evenly over those that are given."""


def curvature(layers: Sequence[DenseLayer], inputs: Any) -> list[FloatArray]:
    """Second derivative of the mean loss by every weight, as the Fisher information has it.

    Parameters
    ----------
    layers : sequence of DenseLayer
        The last one's outputs are those before softmax.
    inputs : array of float, shape (samples, columns of the first layer)

    Returns
    -------
    list of array of float32, shape (rows, columns)
        Not negative; in nats over the square of a weight's unit.

    Examples
    --------
    Of two equally likely classes each has p (1 - p) = 1/4, times the square of the input:

    >>> layer = DenseLayer(weights=np.zeros((2, 1), dtype=np.float32), bias=np.zeros(2, dtype=np.float32),
    ...                    relu=False, name="a")
    >>> curvature([layer], [[2.0]])[0].tolist()
    [[1.0], [1.0]]
    """
    given = np.asarray(inputs, dtype=np.float32)
    values = layer_values(layers, given[:: -(-len(given) // SAMPLES)])
    likely = np.exp(values[-1] - values[-1].max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)
    found = [np.zeros_like(layer.weights) for layer in layers]
    for label in range(likely.shape[1]):
        gradient = likely.copy()
        gradient[:, label] -= 1
        weight = likely[:, label, None]
        for number in reversed(range(len(layers))):
            if layers[number].relu:
                gradient = gradient * (values[number + 1] > 0)
            found[number] += (weight * gradient * gradient).T @ (values[number] * values[number])
            gradient = gradient @ layers[number].weights
    return [part / np.float32(len(values[0])) for part in found]


def importance(layers: Sequence[DenseLayer], inputs: Any) -> list[FloatArray]:
    """What the loss rises by if a weight goes: the square root of twice that, in the square root of nats.

    Parameters
    ----------
    layers : sequence of DenseLayer
    inputs : array of float, shape (samples, columns of the first layer)

    Returns
    -------
    list of array of float32, shape (rows, columns)
        0 for weights that are zero.
    """
    return [
        np.abs(layer.weights) * np.sqrt(part)
        for layer, part in zip(layers, curvature(layers, inputs), strict=True)
    ]
