"""Fields of any width in one sequence of bits; bit i of the sequence is bit i % 8 of byte i // 8.

A field stands with its least significant bit first, so fields of 8, 16, ... bits that start on a byte are
little-endian integers.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import InputError

WINDOW = 57
"""Bits that 64 bits from a whole byte on hold for sure, whichever bit of the byte they start at."""
LENGTH_BITS = 6

IntArray = NDArray[np.int64]
Windows = NDArray[np.uint64]


def pack(values: Any, widths: Any) -> bytes:
    """Concatenate fields; the last byte is filled up with zeros.

    Parameters
    ----------
    values : array of int, at least 0
        Fields; the bits above a field's width must be zero.
    widths : array of int, same shape, or one int
        Bits of each field, 0 to 63.

    >>> pack([1, 0, 5], [1, 2, 3]).hex()
    '29'
    """
    value = np.asarray(values, dtype=np.uint64).ravel()
    if not value.size:
        return b""
    width = np.broadcast_to(np.asarray(widths, dtype=np.int64).ravel(), value.shape)
    end = np.cumsum(width)
    start = end - width
    word, shift = start >> 6, (start & 63).astype(np.uint64)
    first = np.flatnonzero(np.diff(word, prepend=-1))
    words = np.zeros((int(end[-1]) >> 6) + 2, dtype=np.uint64)
    # Fields do not overlap, so a sum is their union; each may go on in the next word of 64 bits.
    words[word[first]] = np.add.reduceat(value << shift, first)
    words[word[first] + 1] |= np.add.reduceat(value >> np.uint64(1) >> (np.uint64(63) - shift), first)
    return words.astype("<u8").tobytes()[: -(-int(end[-1]) // 8)]


def signed(values: Any, width: int) -> IntArray:
    """Integers from their two's complement of `width` bits.

    >>> signed([1, 7], 3).tolist()
    [1, -1]
    """
    value = np.asarray(values, dtype=np.int64)
    result: IntArray = value - ((value >> (width - 1) & 1) << width)
    return result


def windows(data: bytes) -> Windows:
    """The eight bytes from every byte of the data on, as little-endian integers; zeros follow the data."""
    padded = data + bytes(8)
    return np.ndarray((len(data) + 1,), "<u8", padded, strides=(1,))


def look(words: Windows, start: IntArray) -> Windows:
    """The `WINDOW` bits from each bit `start` of `windows`; those past the end of the data are any."""
    result: Windows = words[np.minimum(start >> 3, words.size - 1)] >> (start & 7).astype(np.uint64)
    return result


class Writer:
    """Gathers fields and returns them as bytes."""

    def __init__(self) -> None:
        self._done: list[bytes] = []
        self._values: list[NDArray[np.uint64]] = []
        self._widths: list[IntArray] = []

    def add(self, values: Any, widths: Any) -> None:
        """Add fields of 0 to 63 bits; negative ones become their two's complement."""
        value = np.atleast_1d(np.asarray(values, dtype=np.int64)).ravel()
        width = np.broadcast_to(np.asarray(widths, dtype=np.int64), value.shape)
        self._values.append((value & ((1 << width) - 1)).astype(np.uint64))
        self._widths.append(width)

    def number(self, value: int) -> None:
        """Add an integer from 0 to 2**63 - 1: its length in 6 bits, then the bits below its highest one.

        >>> writer = Writer()
        >>> writer.number(5)
        >>> writer.finish().hex()
        '43'
        """
        length = value.bit_length()
        self.add([length, value & ~(1 << length >> 1)], [LENGTH_BITS, max(0, length - 1)])

    def signed_number(self, value: int) -> None:
        """Add an integer of either sign as the number 2 value, or -2 value - 1 if it is negative."""
        self.number(2 * value if value >= 0 else -2 * value - 1)

    def align(self) -> None:
        """Fill up the last byte with zeros."""
        if self._values:
            self._done.append(pack(np.concatenate(self._values), np.concatenate(self._widths)))
            self._values.clear()
            self._widths.clear()

    def append(self, data: bytes) -> None:
        """Add whole bytes, from the next whole byte on."""
        self.align()
        self._done.append(data)

    def finish(self) -> bytes:
        """All bytes."""
        self.align()
        return b"".join(self._done)


class Reader:
    """Reads fields one after another and refuses to go past the end.

    Parameters
    ----------
    data : bytes

    Attributes
    ----------
    position : int
        Bits read so far.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.words = windows(data)
        self.position = 0

    @property
    def left(self) -> int:
        """Bits that are still to be read."""
        return 8 * len(self.data) - self.position

    def skip(self, bits: int) -> int:
        """Go on by some bits; returns the position before them.

        Raises
        ------
        InputError
            If so many are not left.
        """
        if bits > self.left:
            raise InputError(
                f"the data end {-(-(bits - self.left) // 8)} bytes too early; copy or make the file again"
            )
        self.position += bits
        return self.position - bits

    def take(self, width: int) -> int:
        """The next `width` bits, at most 57, as an integer from 0 on."""
        start = self.skip(width)
        return int(self.words[start >> 3]) >> (start & 7) & ((1 << width) - 1)

    def fields(self, count: int, width: int) -> IntArray:
        """The next `count` fields of `width` bits, at most 57, as integers from 0 on."""
        start = self.skip(count * width) + width * np.arange(count, dtype=np.int64)
        value = look(self.words, start) & np.uint64((1 << width) - 1)
        return value.astype(np.int64)

    def number(self) -> int:
        """Inverse of `Writer.number`."""
        length = self.take(LENGTH_BITS)
        if length > WINDOW:
            raise InputError(f"a number has {length} bits; make the file again")
        return self.take(length - 1) | 1 << (length - 1) if length else 0

    def signed_number(self) -> int:
        """Inverse of `Writer.signed_number`."""
        value = self.number()
        return -(value + 1 >> 1) if value & 1 else value >> 1

    def align(self) -> None:
        """Go on to the next whole byte.

        Raises
        ------
        InputError
            If the bits before it are not zero.
        """
        if self.take(-self.position % 8):
            raise InputError("bits that fill up a byte are not zero; make the file again")
