"""Fields of any width in one sequence of bits; bit i of the sequence is bit i % 8 of byte i // 8.

A field stands with its least significant bit first, so fields of 8, 16, ... bits that start on a byte are
little-endian integers.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import InputError

IntArray = NDArray[np.int64]


def pack(values: Any, widths: Any) -> bytes:
    """Concatenate fields; the last byte is filled up with zeros.

    Parameters
    ----------
    values : array of int, at least 0
        Fields; the bits above a field's width must be zero.
    widths : array of int, same shape, or one int
        Bits of each field, 0 to 32.

    >>> pack([1, 0, 5], [1, 2, 3]).hex()
    '29'
    """
    value = np.asarray(values, dtype=np.uint64).ravel()
    width = np.broadcast_to(np.asarray(widths, dtype=np.int64), value.shape)
    if not value.size:
        return b""
    end = np.cumsum(width)
    total = int(end[-1])
    start = end - width
    word = start >> 5
    value = value << (start & 31).astype(
        np.uint64
    )  # a field begins in one word of 32 bits and may end in the next
    first = np.flatnonzero(np.diff(word, prepend=-1))
    sums = np.add.reduceat(value, first)  # fields do not overlap: a sum is their union
    words = np.zeros((total >> 5) + 2, dtype=np.uint64)
    words[word[first]] = sums & np.uint64(0xFFFFFFFF)
    words[word[first] + 1] |= sums >> np.uint64(32)
    return words.astype("<u4").tobytes()[: -(-total // 8)]


class Reader:
    """Reads fields one after another and refuses to go past the end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0
        """Bits read so far."""

    def take(self, width: int) -> int:
        """The next `width` bits as an unsigned integer."""
        end = self.position + width
        if end > 8 * len(self.data):
            raise InputError(
                f"the data end {end - 8 * len(self.data)} bits too early; copy or make the file again"
            )
        whole = int.from_bytes(self.data[self.position >> 3 : (end + 7) >> 3], "little")
        value = whole >> (self.position & 7) & ((1 << width) - 1)
        self.position = end
        return value

    def align(self) -> None:
        """Go on to the next byte; the bits left out must be zero."""
        if self.take(-self.position % 8):
            raise InputError("the bits that fill up a byte are not zero; make the file again")
