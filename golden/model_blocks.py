"""Blocks of a model file: long sequences of words, cut so that all pieces can be decoded in step.

A block holds 4,096 items, the last one what is left. One block alone follows at once and ends with its last
field. Two or more are preceded by the length of each in bytes, 16 bits, and start at whole bytes, as does
what follows them; the bits in between are zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from golden import bits, huffman
from golden.number_code import Fields, IntArray

BLOCK = 4096
GROUP = 1024
"""Blocks coded or decoded at once, which bounds the memory that this needs."""
STEP = BLOCK * GROUP
SIZE_BITS = 16


def size_bits(count: int) -> int:
    """Bits of the lengths of the blocks of `count` items."""
    return 0 if count <= BLOCK else -(-count // BLOCK) * SIZE_BITS


def write(writer: bits.Writer, count: int, blocks: Iterator[Fields]) -> None:
    """Add the blocks of `count` items."""
    if count <= BLOCK:
        for values, widths in blocks:
            writer.add(values, widths)
        return
    packed = [bits.pack(values, widths) for values, widths in blocks]
    writer.add([len(block) for block in packed], SIZE_BITS)
    writer.append(b"".join(packed))


@dataclass(frozen=True, eq=False)
class Blocks:
    """Blocks to decode.

    Parameters
    ----------
    first : int
        Items in the blocks before them.
    start, counts : array of int64, shape (blocks,)
        First bit of each, and its items.
    stop : array of int64, shape (blocks,), or None
        First bit after each; None for a block alone.
    """

    first: int
    start: IntArray
    counts: IntArray
    stop: IntArray | None

    def close(self, reader: bits.Reader, end: IntArray) -> None:
        """Check that the blocks end where their fields do, at `end`; go on after a block alone.

        Raises
        ------
        InputError
            If they do not.
        """
        if self.stop is None:
            reader.skip(int(end[0] - self.start[0]))
        else:
            huffman.check_ends(reader.words, end, self.stop)


def groups(reader: bits.Reader, count: int) -> Iterator[Blocks]:
    """The blocks of `count` items, some of them at a time.

    Raises
    ------
    InputError
        If they are longer than what is left.
    """
    if count <= BLOCK:
        yield Blocks(0, np.array([reader.position]), np.array([count]), None)
        return
    size = 8 * reader.fields(-(-count // BLOCK), SIZE_BITS)
    reader.align()
    stop = reader.skip(int(size.sum())) + np.cumsum(size)
    for first in range(0, count, STEP):
        some = slice(first // BLOCK, first // BLOCK + GROUP)
        counts = np.full(stop[some].size, BLOCK)
        counts[-1] = min(count - first, STEP) - BLOCK * (counts.size - 1)
        yield Blocks(first, (stop - size)[some], counts, stop[some])
