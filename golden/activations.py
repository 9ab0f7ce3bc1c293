"""Activations on the wire: a bit for each place, and values only of those that are not zero.

Consecutive places are taken in groups of eight, but the first group has what is over: of n places
``(n - 1) % 8 + 1``. A group is

======  ====  ==================================================================
offset  size  field
======  ====  ==================================================================
0       1     map: bit i says that place i of the group is not zero
1       s     value of each such place, little-endian, in order
======  ====  ==================================================================

where s is 1 if all values fit in int8, or else 2. Bits of a map behind the group's last place mean nothing.

What cannot be seen from the groups is said before them by a byte, the *form*: places of the first group less
one, `ACROSS`, and `SHORT` if s is 1. Values in another form go nowhere.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Int16Array = NDArray[np.int16]
GROUP = 8
ACROSS = 16
SHORT = 32


class Part(NamedTuple):
    """As many consecutive activations as a request carries."""

    start: int
    """Places before it."""
    places: int
    size: int
    """Bytes of a value."""
    data: bytes

    @property
    def form(self) -> int:
        """What must be known to read `data`.

        >>> Part(0, 11, 1, encode([1] * 11, 1)).form
        50
        """
        return form(self.places, self.size)


def form(count: int, size: int) -> int:
    """What must be known to read the bytes of `count` activations with `size` bytes a value."""
    return (count - 1) % GROUP | ACROSS | (SHORT if size == 1 else 0)


def encode(values: Any, size: int) -> bytes:
    """Bytes of consecutive activations.

    Parameters
    ----------
    values : array of int, shape (n,), n at least 1
    size : int
        Bytes of a value, 1 or 2; the values must fit.

    >>> encode([0, 0, 5, -1], 1).hex(" ")
    '0c 05 ff'
    >>> encode([7, 0, 0, 0, 0, 0, 0, 0, 300], 2).hex(" ")
    '01 07 00 80 2c 01'
    """
    given = np.asarray(values, dtype=np.int64)
    groups = np.zeros((-(-given.size // GROUP), GROUP), dtype=np.int64)
    first = (given.size - 1) % GROUP + 1
    groups[0, :first] = given[:first]
    groups[1:] = given[first:].reshape(-1, GROUP)
    maps = np.packbits(groups != 0, axis=1, bitorder="little")[:, 0].tolist()
    kinds = {1: "i1", 2: "<i2"}
    return b"".join(
        bytes([bits]) + group[group != 0].astype(kinds[size]).tobytes()
        for bits, group in zip(maps, groups, strict=True)
    )


def decode(data: bytes, count: int, size: int) -> Int16Array:
    """Inverse of `encode`, shape (count,).

    Raises
    ------
    ValueError
        If the data end too early or too late.
    """
    values = np.zeros(count, dtype=np.int16)
    at = start = 0
    for end in range((count - 1) % GROUP + 1, count + 1, GROUP):
        bits = data[at] if at < len(data) else 0
        places = [place for place in range(start, end) if bits >> (place - start) & 1]
        found = data[at + 1 : at + 1 + size * len(places)]
        if len(found) != size * len(places) or at >= len(data):
            raise ValueError(f"{len(data)} bytes are too few for {count} activations")
        values[places] = np.frombuffer(found, dtype="i1" if size == 1 else "<i2")
        at, start = at + 1 + len(found), end
    if at != len(data):
        raise ValueError(f"{len(data)} bytes are too many for {count} activations that take {at}")
    return values


def decode_form(data: bytes, form: int) -> Int16Array:
    """As `decode`, but it is the form that is known.

    Raises
    ------
    ValueError
        If the data end within a group, or the form is none.

    >>> decode_form(encode([5, 0, 0, -7], 1), form(4, 1)).tolist()
    [5, 0, 0, -7]
    """
    if form & ~SHORT & ~(GROUP - 1) != ACROSS:
        raise ValueError(f"{form} is no form of activations")
    size = 1 if form & SHORT else 2
    count, at = form % GROUP + 1, 0
    first = count
    while at < len(data):
        places = first if not at else GROUP
        count += 0 if not at else GROUP
        at += 1 + size * (data[at] & (1 << places) - 1).bit_count()
    return decode(data, count, size)


def parts(values: Any, room: int) -> Iterator[Part]:
    """Cut activations into parts of at most `room` bytes, 3 or more.

    >>> [(part.start, part.places, part.size) for part in parts([1] * 9 + [0] * 90 + [300] * 9, 20)]
    [(0, 88, 1), (88, 19, 2), (107, 1, 2)]
    """
    given = np.asarray(values, dtype=np.int64)
    start = 0
    while start < given.size:
        ahead = given[start : start + GROUP * room]
        places = np.arange(1, ahead.size + 1)
        nonzeros = np.cumsum(ahead != 0)
        short = np.cumsum(ahead != ahead.astype(np.int8)) == 0
        costs = {size: -(-places // GROUP) + size * nonzeros for size in (1, 2)}
        longest = {1: (costs[1][short] <= room).sum(), 2: (costs[2] <= room).sum()}
        size = 1 if longest[1] >= longest[2] else 2
        count = int(longest[size])
        yield Part(start, count, size, encode(given[start : start + count], size))
        start += count
