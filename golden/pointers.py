"""Pointer words: where the entries of eight (or four) neighbouring columns lie in a PE's matrix memory.

    bits    field
    0-31    lengths in entries of the group's columns, the first column lowest:
            eight of 4 bits (`short_lengths` = 1) or four of 8 bits (`short_lengths` = 0)
    32-     base: entry address of the group's first column

Where memory is scarce a word takes three places of the pointer memory: bits 0-15, bits 16-31, and the base.
The entries of a group are contiguous, so a column starts at the base plus the lengths before it in its
group. A column of length zero costs nothing but its length. All functions are vectorised over leading axes,
usually the PEs.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import InputError
from golden.geometry import LENGTHS_BITS

SHORT_LENGTH, LONG_LENGTH = 15, 255
"""Longest column, in entries, that either form of a pointer word holds."""

WordArray = NDArray[np.uint64]
IntArray = NDArray[np.int64]


def group_columns(short: int) -> int:
    """Columns that one pointer word describes: 8 or 4."""
    return 8 if short else 4


def longest(short: int) -> int:
    """Longest column, in entries, that a pointer word can describe."""
    return SHORT_LENGTH if short else LONG_LENGTH


def word_count(columns: int, short: int) -> int:
    """Pointer words for a number of columns.

    >>> word_count(9, short=1), word_count(9, short=0)
    (2, 3)
    """
    return -(-columns // group_columns(short))


def form(lengths: Any) -> int | None:
    """Smallest form that holds these column lengths: 1 short, 0 long, None neither.

    >>> form([3, 15]), form([3, 16]), form([256])
    (1, 0, None)
    """
    largest = int(np.max(lengths, initial=0))
    if largest <= SHORT_LENGTH:
        return 1
    return 0 if largest <= LONG_LENGTH else None


def pack(lengths: Any, base: Any, short: int) -> WordArray:
    """Pointer words of columns whose entries follow one another.

    Parameters
    ----------
    lengths : array of int, shape (..., columns)
        Entries of each column.
    base : int or array of int, shape (...)
        Entry address of the first column.
    short : int
        1 for eight 4-bit lengths a word, 0 for four 8-bit lengths.

    Returns
    -------
    array of uint64, shape (..., word_count(columns, short))

    Raises
    ------
    ValueError
        If a column is too long for the form.

    >>> [hex(word) for word in pack([1, 2, 3], base=5, short=1)]
    ['0x500000321']
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    if lengths.size and not (lengths.min() >= 0 and lengths.max() <= longest(short)):
        raise ValueError(f"column lengths must be from 0 to {longest(short)}, not {lengths.max()}")
    group = group_columns(short)
    words = word_count(lengths.shape[-1], short)
    padded = np.zeros((*lengths.shape[:-1], words * group), dtype=np.int64)
    padded[..., : lengths.shape[-1]] = lengths
    grouped = padded.reshape(*lengths.shape[:-1], words, group)
    totals = grouped.sum(axis=-1)
    bases = np.asarray(base, dtype=np.int64)[..., np.newaxis] + np.cumsum(totals, axis=-1) - totals
    fields = grouped << (np.arange(group, dtype=np.int64) * (LENGTHS_BITS // group))
    words_packed: IntArray = (bases << LENGTHS_BITS) | fields.sum(axis=-1)
    return words_packed.astype(np.uint64)


def unpack(words: Any, short: int) -> tuple[IntArray, IntArray]:
    """Inverse of `pack`: first entry and length of every column of the groups.

    >>> start, length = unpack([0x500000321], short=1)
    >>> start.tolist(), length.tolist()
    ([5, 6, 8, 11, 11, 11, 11, 11], [1, 2, 3, 0, 0, 0, 0, 0])
    """
    words = np.asarray(words, dtype=np.int64)
    group = group_columns(short)
    shifts = np.arange(group, dtype=np.int64) * (LENGTHS_BITS // group)
    lengths = (words[..., np.newaxis] >> shifts) & longest(short)
    starts = (words >> LENGTHS_BITS)[..., np.newaxis] + np.cumsum(lengths, axis=-1) - lengths
    shape = (*words.shape[:-1], words.shape[-1] * group)
    return starts.reshape(shape), lengths.reshape(shape)


def split(words: Any, pieces: int) -> WordArray:
    """What the pointer memory holds of pointer words, shape (..., words) to (..., words * pieces).

    >>> [hex(piece) for piece in split([0x543218765], 3)]
    ['0x8765', '0x4321', '0x5']
    """
    whole: WordArray = np.asarray(words, dtype=np.uint64)
    if pieces == 1:
        return whole
    half = LENGTHS_BITS // 2
    mask = np.uint64((1 << half) - 1)
    parts = [whole & mask, whole >> np.uint64(half) & mask, whole >> np.uint64(LENGTHS_BITS)]
    return np.stack(parts, axis=-1).reshape(*whole.shape[:-1], -1)


def join(memory: Any, pieces: int) -> WordArray:
    """Inverse of `split`.

    >>> [hex(word) for word in join([0x8765, 0x4321, 0x5], 3)]
    ['0x543218765']
    """
    found: WordArray = np.asarray(memory, dtype=np.uint64)
    if pieces == 1:
        return found
    half = LENGTHS_BITS // 2
    low, high, base = np.moveaxis(found.reshape(*found.shape[:-1], -1, pieces), -1, 0)
    words: WordArray = low | high << np.uint64(half) | base << np.uint64(LENGTHS_BITS)
    return words


def check(words: Any, short: int, entries: int) -> int:
    """Number of entries that the pointer words name.

    Raises
    ------
    InputError
        If a column reaches past the last of `entries` entries.
    """
    starts, lengths = unpack(words, short)
    end = int(np.max(starts + lengths, initial=0, where=lengths > 0))
    if end > entries:
        raise InputError(
            f"a pointer names entry {end - 1}, but the last one is {entries - 1}; "
            "the pointers are damaged, make the image again"
        )
    return int(lengths.sum())
