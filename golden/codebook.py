"""Shared weights: a codebook of 2**index_bits int16 values of which the first is zero (EIE, section III.A).

A weight is stored as its index into the layer's codebook. Index 0 stands for "no weight", so every other
index must mean a weight that is there: a nonzero real value never becomes the integer zero.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import InputError
from golden.fixed_point import INT16_MAX, quantise

MAX_INDEX_BITS = 8

Codebook = NDArray[np.int16]
FloatArray = NDArray[np.float64]


def check(codebook: Any, index_bits: int) -> None:
    """Refuse a codebook that no engine can hold.

    Parameters
    ----------
    codebook : array of int16, shape (2**index_bits,)
    index_bits : int
        1 to 8.

    Raises
    ------
    InputError
        For a wrong number of index bits, a wrong length or type, or a first value other than zero.

    >>> check(np.array([0, -3], dtype=np.int16), 1)
    """
    if not 1 <= index_bits <= MAX_INDEX_BITS:
        raise InputError(
            f"a codebook has {index_bits} index bits, but 1 to {MAX_INDEX_BITS} are possible; "
            "compress the model again"
        )
    values = np.asarray(codebook)
    if values.dtype != np.int16 or values.shape != (1 << index_bits,):
        raise InputError(
            f"a codebook of {index_bits} index bits must be {1 << index_bits} int16 values, "
            f"not {values.dtype} of shape {values.shape}; compress the model again"
        )
    if values[0] != 0:
        raise InputError(
            f"the first codebook value must be 0, not {values[0]}; put the value that means no weight first"
        )


def assign(weights: Any, centroids: Any) -> NDArray[np.intp]:
    """Position of the centroid nearest to each weight; the lower centroid wins a tie.

    Parameters
    ----------
    weights : array of float
    centroids : array of float, shape (k,)
        Sorted in ascending order, k at least 1.

    >>> assign([-1.0, 0.2, 5.0], [-2.0, 0.0, 1.0]).tolist()
    [0, 1, 2]
    """
    centroids = np.asarray(centroids)
    midpoints = centroids[:-1] + (centroids[1:] - centroids[:-1]) / 2
    return np.searchsorted(midpoints, np.asarray(weights), side="left")


def largest_fraction(values: Any) -> int | None:
    """Most fraction bits with which every value still fits int16; None if all values are zero.

    >>> largest_fraction([0.0, 0.5, -0.25]), largest_fraction([1e6]), largest_fraction([0.0])
    (15, -5, None)
    """
    largest = float(np.max(np.abs(np.asarray(values, dtype=np.float64)), initial=0.0))
    if largest == 0.0:
        return None
    _, exponent = np.frexp(largest)
    fraction = 15 - int(exponent)
    return fraction if np.rint(np.ldexp(largest, fraction)) <= INT16_MAX else fraction - 1


def quantise_codebook(values: Any, fraction_bits: int) -> tuple[Codebook, int]:
    """Turn a real codebook into int16.

    A nonzero value that would round to zero becomes the nearest nonzero integer, 1 or -1, so that the
    pattern of kept weights does not change.

    Parameters
    ----------
    values : array of float, shape (2**index_bits,)
        The first is zero.
    fraction_bits : int
        See `golden.fixed_point`.

    Returns
    -------
    codebook : array of int16
    raised : int
        Values that became 1 or -1 instead of zero.

    >>> codebook, raised = quantise_codebook([0.0, 0.5, -0.25, 0.01], 4)
    >>> codebook.tolist(), raised
    ([0, 8, -4, 1], 1)
    """
    real = np.asarray(values, dtype=np.float64)
    integers = quantise(real, fraction_bits)
    vanished = (integers == 0) & (real != 0)
    integers[vanished] = np.where(real[vanished] < 0, -1, 1)
    return integers.astype(np.int16), int(np.count_nonzero(vanished))
