"""Number formats: int16 activations and weights with power-of-two scales, accumulation modulo 2**A.

A real value r is stored as the integer round(r * 2**f); f is the number of fraction bits (it may be
negative). A layer with weight fraction fw, input fraction fa and output fraction fo requantises its
accumulator, which has fw + fa fraction bits, by a right shift of fw + fa - fo.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

INT16_MIN, INT16_MAX = -32768, 32767
MAX_SHIFT = 39
"""Largest requantising shift; a step descriptor holds six bits of it."""

IntArray = NDArray[np.int64]


def wrap(value: Any, bits: int) -> IntArray:
    """Reduce integers modulo 2**bits into the two's complement range.

    >>> wrap([2**31, -2**31 - 1], 32).tolist()
    [-2147483648, 2147483647]
    """
    half = 1 << (bits - 1)
    return ((np.asarray(value, dtype=np.int64) + half) & ((1 << bits) - 1)) - half


def saturate(value: Any) -> IntArray:
    """Clip integers to int16.

    >>> saturate([40000, -40000, 5]).tolist()
    [32767, -32768, 5]
    """
    return np.clip(np.asarray(value, dtype=np.int64), INT16_MIN, INT16_MAX)


def requantise(accumulator: Any, shift: int, relu: bool) -> tuple[IntArray, int]:
    """Turn finished accumulators into activations: add half, shift right, ReLU or none, saturate.

    Parameters
    ----------
    accumulator : array of int
        Sums, bias included, already wrapped to the accumulator width.
    shift : int
        0 to `MAX_SHIFT`. With 0 nothing is added. The half is added without overflow (one guard bit).
    relu : bool
        Replace negative values by zero, before saturation.

    Returns
    -------
    (array of int64 in int16 range, number of values that saturated)

    >>> requantise([6, -6, 1 << 20], 2, False)
    (array([    2,    -1, 32767]), 1)
    """
    total = np.asarray(accumulator, dtype=np.int64)
    if shift:
        total = (total + (1 << (shift - 1))) >> shift
    if relu:
        total = np.maximum(total, 0)
    result = saturate(total)
    return result, int(np.count_nonzero(result != total))


def keep_above(activations: Any, threshold: int) -> IntArray:
    """Dynamic pruning: activations whose magnitude does not exceed the threshold count as zero.

    >>> keep_above([-3, 2, 0, 5], 2).tolist()
    [-3, 0, 0, 5]
    """
    values = np.asarray(activations, dtype=np.int64)
    return np.where(np.abs(values) > threshold, values, 0)


def quantise(real: Any, fraction_bits: int) -> IntArray:
    """Nearest int16 to real * 2**fraction_bits, ties to even, saturated."""
    scaled = np.rint(np.ldexp(np.asarray(real, dtype=np.float64), fraction_bits))
    return np.clip(scaled, INT16_MIN, INT16_MAX).astype(np.int64)


def dequantise(integer: Any, fraction_bits: int) -> NDArray[np.float64]:
    """Real value of fixed-point integers."""
    return np.ldexp(np.asarray(integer, dtype=np.float64), -fraction_bits)
