"""A whole network in the engine's integers, without the engine: the answer that everything must equal.

Sums are gathered in float64, which is exact: a product is below 2**31 and a row has at most 2**20 of them, so
no partial sum, in whatever order, reaches 2**53. They are reduced modulo 2**A afterwards, as the accumulators
would have done all along (EIE, section IV: the arithmetic unit, here with wrapping instead of saturation).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.fixed_point import INT16_MAX, INT16_MIN, keep_above, requantise, wrap
from golden.model import Layer, Model

IntArray = NDArray[np.int64]


def layer_forward(
    layer: Layer, activations: Any, accumulator_bits: int = 32
) -> tuple[IntArray, IntArray, int]:
    """Run one layer; only the columns of nonzero activations are touched.

    Parameters
    ----------
    layer : Layer
    activations : array of int16 values, shape (batch, columns)
    accumulator_bits : int
        A; sums are modulo 2**A.

    Returns
    -------
    outputs : array of int64 in int16 range, shape (batch, rows)
    accumulators : array of int64, shape (batch, rows)
        The finished sums, bias included.
    saturations : int
        Outputs that were clipped.

    Raises
    ------
    ValueError
        If the activations have another shape or do not fit int16.

    >>> layer = Layer.from_indices([[0, 1], [3, 0]], [0, 5, 6, -7], [10, 20])
    >>> layer_forward(layer, [[2, 3]])
    (array([[25,  6]]), array([[25,  6]]), 0)
    """
    source = np.asarray(activations)
    if source.ndim != 2 or source.shape[1] != layer.columns or not np.issubdtype(source.dtype, np.integer):
        raise ValueError(
            f"activations must be integers of shape (batch, {layer.columns}), "
            f"not {source.dtype} of shape {source.shape}"
        )
    if source.size and (source.min() < INT16_MIN or source.max() > INT16_MAX):
        raise ValueError(f"activations must fit int16, not reach {source.min()} and {source.max()}")
    weights = layer.codebook[layer.index].astype(np.float64)
    counts = layer.column_counts
    pointers = np.concatenate([[0], np.cumsum(counts)])
    sums = np.empty((source.shape[0], layer.rows), dtype=np.float64)
    for sample, total in zip(source, sums, strict=True):
        active = np.flatnonzero(sample)
        lengths = counts[active]
        ends = np.cumsum(lengths)
        picked = np.repeat(pointers[active] - ends + lengths, lengths) + np.arange(lengths.sum())
        products = weights[picked] * np.repeat(sample[active].astype(np.float64), lengths)
        total[:] = np.bincount(layer.row[picked], weights=products, minlength=layer.rows)
    accumulators = wrap(sums.astype(np.int64) + layer.bias, accumulator_bits)
    outputs, saturations = requantise(accumulators, layer.shift, layer.relu)
    return outputs, accumulators, saturations


def forward(
    model: Model, activations: Any, accumulator_bits: int = 32, threshold: int = 0
) -> tuple[IntArray, int]:
    """Run a model's layers; the final operation is the host's and is not applied.

    Parameters
    ----------
    model : Model
    activations : array of int16 values, shape (batch, inputs)
    accumulator_bits : int
    threshold : int
        Inputs of every layer whose magnitude does not exceed it count as zero.

    Returns
    -------
    outputs : array of int64 in int16 range, shape (batch, outputs)
    saturations : int
        Values that were clipped, all layers together.

    See Also
    --------
    golden.engine : the same integers, found the way the processing elements find them.
    """
    source, saturations = np.asarray(activations), 0
    for layer in model.layers:
        source, _, clipped = layer_forward(layer, keep_above(source, threshold), accumulator_bits)
        saturations += clipped
    return source, saturations
