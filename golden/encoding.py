"""Entries: how nonzero weights and the zeros between them are stored (EIE, section III.B).

An entry has E = index_bits + run_bits bits. The low index_bits hold the weight index; the run stands
above them with its bits reversed, its least significant bit at the top of the entry:

    bit   E-1      E-2     ...   index_bits    index_bits-1 ... 0
          run[0]   run[1]  ...   run[run_bits-1]    weight index

so a decoder whose split changes from layer to layer needs masks and no shifter.

A nonzero weight that follows `gap` zeros is stored as one entry with run = gap if gap < 2**run_bits.
A longer gap is escaped: an entry of index 0 (whose codebook value is always zero) adds
run << run_bits to the gap of the weight that follows. One escape reaches gaps below 2**(2*run_bits);
longer ones take several, and the runs of all escapes before a weight add up.

EIE's own padding entry (fifteen zeros and a zero weight, sixteen rows) is the escape with run 1 here;
`padding_zeros=True` uses only those, so it stores as many padding entries as the paper does.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import InputError

UIntArray = NDArray[np.uint16]
IntArray = NDArray[np.int64]


def reverse_bits(value: Any, bits: int) -> IntArray:
    """Reverse the low `bits` bits of each integer.

    >>> reverse_bits([1, 2, 6], 4).tolist()
    [8, 4, 6]
    """
    value = np.asarray(value, dtype=np.int64)
    result: IntArray = np.zeros_like(value)
    for i in range(bits):
        result |= ((value >> i) & 1) << (bits - 1 - i)
    return result


def check_split(index_bits: int, run_bits: int) -> None:
    """Refuse a split that cannot be stored or decoded."""
    if not 1 <= index_bits <= 8 or not 1 <= run_bits <= 15:
        raise ValueError(
            f"index_bits must be from 1 to 8 and run_bits from 1 to 15, not {index_bits} and {run_bits}"
        )


def entry_counts(gap: Any, run_bits: int, padding_zeros: bool = False) -> IntArray:
    """Entries that each weight takes, its escapes included.

    >>> entry_counts([0, 15, 16, 255, 256, 600], 4).tolist()
    [1, 1, 2, 2, 3, 4]
    >>> entry_counts([15, 16, 32], 4, padding_zeros=True).tolist()
    [1, 2, 3]
    """
    high = np.asarray(gap, dtype=np.int64) >> run_bits
    largest = 1 if padding_zeros else (1 << run_bits) - 1
    return 1 + -(-high // largest)


def encode(
    gap: Any, index: Any, index_bits: int, run_bits: int, padding_zeros: bool = False
) -> tuple[UIntArray, IntArray]:
    """Store a sequence of weights.

    Parameters
    ----------
    gap : array of int
        Zeros before each weight since the last one, or since the start of its column.
    index : array of int, same shape
        Weight indices, 1 to 2**index_bits - 1.
    index_bits, run_bits : int
        The split of an entry.
    padding_zeros : bool
        Use EIE's padding zeros instead of the compact escape.

    Returns
    -------
    entries : array of uint16
    counts : array of int64, same shape as `gap`
        Entries of each weight, escapes included; they stand before their weight.

    >>> entries, counts = encode([2, 18], [1, 3], 4, 4)
    >>> [hex(e) for e in entries], counts.tolist()
    (['0x41', '0x80', '0x43'], [1, 2])
    """
    check_split(index_bits, run_bits)
    gap = np.asarray(gap, dtype=np.int64)
    index = np.asarray(index, dtype=np.int64)
    if gap.size and gap.min() < 0:
        raise ValueError("gaps must not be negative: are the weights sorted?")
    if index.size and not (index.min() >= 1 and index.max() < 1 << index_bits):
        raise ValueError(f"weight indices must be from 1 to {(1 << index_bits) - 1}")
    counts = entry_counts(gap, run_bits, padding_zeros)
    ends = np.cumsum(counts)
    total = int(ends[-1]) if ends.size else 0
    largest = 1 if padding_zeros else (1 << run_bits) - 1
    run = np.full(total, largest, dtype=np.int64)
    weight_index = np.zeros(total, dtype=np.int64)
    high = gap >> run_bits
    escaped = counts > 1
    run[ends[escaped] - 2] = high[escaped] - (counts[escaped] - 2) * largest
    run[ends - 1] = gap & ((1 << run_bits) - 1)
    weight_index[ends - 1] = index
    entries = (reverse_bits(run, run_bits) << index_bits) | weight_index
    return entries.astype(np.uint16), counts


def decode(entries: Any, index_bits: int, run_bits: int) -> tuple[IntArray, IntArray]:
    """Inverse of `encode`: gaps and weight indices.

    Raises
    ------
    InputError
        If the entries end in an escape.

    >>> gap, index = decode([0x41, 0x80, 0x43], 4, 4)
    >>> gap.tolist(), index.tolist()
    ([2, 18], [1, 3])
    """
    check_split(index_bits, run_bits)
    entries = np.asarray(entries, dtype=np.int64)
    index = entries & ((1 << index_bits) - 1)
    run = reverse_bits(entries >> index_bits, run_bits)
    weight = index != 0
    if entries.size and not weight[-1]:
        raise InputError("a column ends in an escape; the entries are damaged, make the file again")
    contribution = np.where(weight, run, run << run_bits)
    total = np.cumsum(contribution)[weight]
    gap = np.diff(total, prepend=0)
    return gap, index[weight]


def check(entries: Any, index_bits: int, run_bits: int, rows: int) -> int:
    """Number of weights in one column of `rows` rows.

    Raises
    ------
    InputError
        If the entries end in an escape or reach past the last row.
    """
    gap, _ = decode(entries, index_bits, run_bits)
    reached = int(np.sum(gap + 1))
    if reached > rows:
        raise InputError(
            f"a column's entries reach row {reached - 1}, but the last row is {rows - 1}; "
            "the entries are damaged, make the file again"
        )
    return int(gap.size)
