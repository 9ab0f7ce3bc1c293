"""Huffman codes for weight indices, one word for one or more indices of a block.

Where few values occur, or one of them often, a word for each index would waste a good part of a bit. So g
successive indices make one symbol, the first one its highest digit to the base of all possible indices; the
last symbol of a block is filled up with zeros. A code is declared by these fields (`golden.bits`)::

    3       g - 1
    ...     table of base**g symbols (`golden.huffman.write_table`), at most 512 if g is over 1
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden import bits, huffman
from golden.errors import InputError
from golden.model_blocks import BLOCK
from golden.number_code import Fields, IntArray

GROUP_BITS = 3
MOST_SYMBOLS = 512


@dataclass(frozen=True, eq=False, kw_only=True)
class IndexCode:
    """A code, and what it takes.

    Parameters
    ----------
    base : int
        Possible indices, 0 to base - 1.
    group : int
        g.
    lengths : array of uint8, shape (base**group,)
    data_bits : int
        Bits of all indices that the code was made for.
    """

    base: int
    group: int
    lengths: huffman.LengthArray
    data_bits: int = 0

    @property
    def table_bits(self) -> int:
        """Bits of the declaration."""
        return GROUP_BITS + sum(huffman.write_table(self.lengths)[1])

    @property
    def alone(self) -> bool:
        """Whether a single symbol occurs."""
        return int(np.count_nonzero(self.lengths)) == 1


def symbols(index: NDArray[Any], base: int, group: int) -> IntArray:
    """Symbols of indices, which begin with a block and may end within one.

    >>> symbols(np.array([1, 2, 0, 2, 1]), 3, 2).tolist()
    [5, 2, 3]
    """
    whole = index.size - index.size % BLOCK
    size = -(-BLOCK // group) * group
    blocks = np.zeros((whole // BLOCK, size), dtype=np.int64)
    blocks[:, :BLOCK] = index[:whole].reshape(-1, BLOCK)
    rest = np.zeros(-(-(index.size - whole) // group) * group, dtype=np.int64)
    rest[: index.size - whole] = index[whole:]
    places = base ** np.arange(group - 1, -1, -1)
    result: IntArray = np.concatenate([blocks.reshape(-1, group), rest.reshape(-1, group)]) @ places
    return result


def plan(counts: IntArray) -> IndexCode:
    """The code of single indices that occur as often as counted."""
    lengths = huffman.lengths(counts)
    return IndexCode(base=counts.size, group=1, lengths=lengths, data_bits=int(lengths @ counts))


def improve(code: IndexCode, parts: Callable[[], Iterator[NDArray[Any]]]) -> IndexCode:
    """The code of the group that makes indices and its own declaration shortest.

    Parameters
    ----------
    code : IndexCode
        That of single indices.
    parts : callable
        Gives the indices, in parts of whole blocks.
    """
    best = code
    for group in range(2, (1 << GROUP_BITS) + 1):
        if code.base == 1 or code.base**group > MOST_SYMBOLS:
            break
        counts = np.zeros(code.base**group, dtype=np.int64)
        for index in parts():
            counts += np.bincount(symbols(index, code.base, group), minlength=counts.size)
        lengths = huffman.lengths(counts)
        found = IndexCode(base=code.base, group=group, lengths=lengths, data_bits=int(lengths @ counts))
        best = min(best, found, key=lambda code: code.data_bits + code.table_bits)
    return best


def write(writer: bits.Writer, code: IndexCode) -> None:
    """Declare a code."""
    writer.add(code.group - 1, GROUP_BITS)
    writer.add(*huffman.write_table(code.lengths))


def read(reader: bits.Reader, base: int) -> IndexCode:
    """Inverse of `write`.

    Raises
    ------
    InputError
        If the declaration is damaged.
    """
    group = reader.take(GROUP_BITS) + 1
    if group > 1 and base**group > MOST_SYMBOLS:
        raise InputError(f"a code has {group} indices to the base {base} in a word; make the file again")
    return IndexCode(base=base, group=group, lengths=huffman.read_table(reader, base**group))


def fields(index: NDArray[Any], code: IndexCode) -> Fields:
    """Words of the indices of a block."""
    symbol = symbols(index, code.base, code.group)
    return huffman.stream_codes(code.lengths)[symbol], code.lengths[symbol].astype(np.int64)


def decode_lanes(
    words: bits.Windows, start: IntArray, counts: IntArray, code: IndexCode, left_out: bool
) -> tuple[NDArray[np.uint8], IntArray]:
    """Decode blocks that start at given bits, as `huffman.decode_lanes` does for symbols.

    `left_out` says that a symbol that occurs alone has no words.
    """
    sizes = -(-counts // code.group)
    if left_out and code.alone:
        symbol, end = np.full(int(sizes.sum()), np.argmax(code.lengths), dtype=np.uint16), start
    else:
        symbol, end = huffman.decode_lanes(words, start, sizes, code.lengths)
    index = np.empty((symbol.size, code.group), dtype=np.uint8)
    for digit in range(code.group - 1, -1, -1):
        symbol, index[:, digit] = np.divmod(symbol, np.uint16(code.base))
    there = np.ones(index.size, dtype=bool)
    stop, filled = np.cumsum(sizes) * code.group, sizes * code.group - counts
    for place in range(1, code.group):
        there[stop[filled >= place] - place] = False
    return index.ravel()[there], end
