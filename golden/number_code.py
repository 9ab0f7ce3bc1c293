"""Numbers of very different sizes, Huffman-coded: runs of zeros and biases of a model file.

A symbol is a small floating-point number: g is (mantissa << e) + extra, where e is as small as a mantissa
below 2**(m+1) allows, `extra` has e bits, and the symbol is (e << m) + mantissa. So numbers below 2**(m+1)
have symbols of their own. The symbols are Huffman-coded (`golden.huffman`); the extra bits stand apart from
them.

A code is declared by these fields (`golden.bits`)::

    3       m, mantissa bits, 0 to 7
    number  symbols, at least 1
    ...     table of the symbols (`golden.huffman.write_table`)

A sequence is the words of all its numbers, then the extra bits of all of them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden import bits, huffman
from golden.errors import InputError

MANTISSA_BITS = 3
MAX_EXTRA = 40

IntArray = NDArray[np.int64]
Fields = tuple[IntArray, IntArray]
"""Values and widths."""


@dataclass(frozen=True, eq=False, kw_only=True)
class NumberCode:
    """A code, and what it takes.

    Parameters
    ----------
    mantissa_bits : int
        m.
    lengths : array of uint8
        Word length of each symbol.
    data_bits : int
        Bits of all numbers that the code was made for.
    """

    mantissa_bits: int
    lengths: huffman.LengthArray
    data_bits: int = 0

    @property
    def table_bits(self) -> int:
        """Bits of the declaration."""
        fixed = MANTISSA_BITS + bits.LENGTH_BITS + self.lengths.size.bit_length() - 1
        return fixed + sum(huffman.write_table(self.lengths)[1])


def symbols(values: Any, mantissa_bits: int) -> tuple[IntArray, IntArray]:
    """Symbols of numbers below 2**41, and how many extra bits each has.

    >>> symbol, extra = symbols([0, 7, 8, 9, 10, 16, 20], 2)
    >>> symbol.tolist(), extra.tolist()
    ([0, 7, 8, 8, 9, 12, 13], [0, 0, 1, 1, 1, 2, 2])
    """
    value = np.asarray(values, dtype=np.int64)
    _, length = np.frexp(value.astype(np.float64))  # exact below 2**53
    extra = np.maximum(length.astype(np.int64) - 1 - mantissa_bits, 0)
    return (extra << mantissa_bits) + (value >> extra), extra


def plan(values: IntArray, times: IntArray) -> NumberCode:
    """The code that makes numbers and its own declaration shortest.

    Parameters
    ----------
    values, times : array of int64
        Different numbers, at least one, and how often each occurs.
    """
    found = []
    for mantissa_bits in range(1 << MANTISSA_BITS):
        symbol, extra = symbols(values, mantissa_bits)
        counts = np.zeros(int(symbol.max()) + 1, dtype=np.int64)
        np.add.at(counts, symbol, times)
        lengths = huffman.lengths(counts)
        data_bits = int(lengths @ counts + extra @ times)
        found.append(NumberCode(mantissa_bits=mantissa_bits, lengths=lengths, data_bits=data_bits))
    return min(found, key=lambda code: code.data_bits + code.table_bits)


def write(writer: bits.Writer, code: NumberCode) -> None:
    """Declare a code."""
    writer.add(code.mantissa_bits, MANTISSA_BITS)
    writer.number(code.lengths.size)
    writer.add(*huffman.write_table(code.lengths))


def read(reader: bits.Reader) -> NumberCode:
    """Inverse of `write`.

    Raises
    ------
    InputError
        If the declaration is damaged.
    """
    mantissa_bits = reader.take(MANTISSA_BITS)
    count = reader.number()
    if not 1 <= count <= MAX_EXTRA + 2 << mantissa_bits:
        raise InputError(f"numbers cannot have {count} symbols; make the file again")
    return NumberCode(mantissa_bits=mantissa_bits, lengths=huffman.read_table(reader, count))


def fields(values: Any, code: NumberCode) -> tuple[Fields, Fields]:
    """Words and extra bits of numbers."""
    symbol, extra = symbols(values, code.mantissa_bits)
    words = huffman.stream_codes(code.lengths)[symbol], code.lengths[symbol].astype(np.int64)
    return words, (values & ((1 << extra) - 1), extra)


def decode_lanes(
    words: bits.Windows, start: IntArray, counts: IntArray, code: NumberCode
) -> tuple[IntArray, IntArray]:
    """Decode sequences that start at given bits, as `huffman.decode_lanes` does for symbols."""
    symbol, end = huffman.decode_lanes(words, start, counts, code.lengths)
    symbol = symbol.astype(np.int64)
    width = np.maximum((symbol >> code.mantissa_bits) - 1, 0)
    after = np.cumsum(width)
    before = (after - width)[np.cumsum(counts) - counts]
    first = after - width + np.repeat(end - before, counts)
    extra = (bits.look(words, first) & ((1 << width) - 1).astype(np.uint64)).astype(np.int64)
    value = (symbol - (width << code.mantissa_bits) << width) + extra
    return value, end + np.append(before[1:], after[-1]) - before
