"""The host's two ends of a run: real inputs become the engine's integers, and its integers become results."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.fixed_point import INT16_MAX, INT16_MIN, dequantise, quantise
from golden.model import Model


def to_integers(model: Model, inputs: Any) -> tuple[NDArray[np.int64], int]:
    """Quantise real inputs.

    Parameters
    ----------
    model : Model
    inputs : array of float, shape (batch, inputs)

    Returns
    -------
    activations : array of int64 in int16 range, shape (batch, inputs)
    saturations : int
        Inputs beyond what the model's input fraction can express.
    """
    fraction = model.layers[0].input_fraction
    scaled = np.ldexp(np.asarray(inputs, dtype=np.float64), fraction)
    beyond = (np.rint(scaled) > INT16_MAX) | (np.rint(scaled) < INT16_MIN)
    return quantise(inputs, fraction), int(np.count_nonzero(beyond))


def to_results(model: Model, outputs: Any) -> NDArray[Any]:
    """Dequantise the last layer's integers and apply the model's final operation.

    Parameters
    ----------
    model : Model
    outputs : array of int, shape (batch, outputs)

    Returns
    -------
    array
        float32 of shape (batch, outputs); with argmax, int64 of shape (batch,), or (batch, 1) if the model
        keeps the axis. Of equal outputs argmax takes the first.

    >>> from golden.model import Layer
    >>> layer = Layer.from_indices([[1], [1]], [0, 1], [0, 0], output_fraction=1)
    >>> to_results(Model(layers=(layer,)), [[1, 3]]).tolist()
    [[0.5, 1.5]]
    >>> to_results(Model(layers=(layer,), final="argmax"), [[1, 3]]).tolist()
    [1]
    """
    if model.final == "argmax":
        labels: NDArray[np.int64] = np.argmax(np.asarray(outputs), axis=1, keepdims=model.keepdims)
        return labels
    real = dequantise(outputs, model.layers[-1].output_fraction)
    if model.final == "softmax":
        powers = np.exp(real - real.max(axis=1, keepdims=True))
        real = powers / powers.sum(axis=1, keepdims=True)
    return real.astype(np.float32)
