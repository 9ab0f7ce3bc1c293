"""A layer as the PEs see it, cut into row tiles and entry chunks.

A *row tile* is a range of slots [first, last) on every PE: the rows that are accumulated at once. Its
columns are named over the whole input vector. An *entry chunk* is a range of activation words
(`scan_width` slots each, so `scan_width * pes` columns) of one row tile, whose entries and pointers one
bank holds. Each PE stores its rows column by column (EIE, section III.C), under any placement.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden import encoding, pointers
from golden.errors import UnsupportedError
from golden.geometry import Geometry
from golden.layers import Layer
from golden.placement import Placement

IntArray = NDArray[np.int64]


def round_up(value: int, unit: int) -> int:
    """Smallest multiple of `unit` that is at least `value`."""
    return -(-value // unit) * unit


@dataclass(frozen=True)
class Chunk:
    """Activation words [first, last) of the input vector, and whether the row tile drains after them."""

    first: int
    last: int
    short: int
    drain: bool


@dataclass(frozen=True)
class Room:
    """What one bank holds: sparse-matrix entries and pointer words of a PE."""

    entries: int
    pointer_words: int


@dataclass(frozen=True, eq=False)
class Tile:
    """The encoded weights of one row tile.

    Parameters
    ----------
    geometry : Geometry
    first, last : int
        Slots of the output vector.
    words : int
        Activation words of the input vector.
    entries : array of uint16
        All PEs' entries, ordered by PE, column and row.
    starts : array of int64, shape (pes * columns + 1,)
        Place in `entries` of each column's first entry, PE after PE.
    bias : array of int64, shape (pes, drain_rows)
    bias_words : int
        Matrix words that each bias takes, 0 if all are zero.
    """

    geometry: Geometry
    first: int
    last: int
    words: int
    entries: NDArray[np.uint16]
    starts: IntArray
    bias: IntArray
    bias_words: int

    @property
    def drain_rows(self) -> int:
        """Accumulators that a drain empties: whole activation words."""
        return int(self.bias.shape[1])

    @property
    def word_columns(self) -> int:
        """Columns that one activation word names."""
        return self.geometry.pes * self.geometry.scan_width

    @property
    def bias_entries(self) -> int:
        """Room that the biases take in a PE's matrix memory, counted in entries."""
        return self.drain_rows * self.bias_words * self.geometry.word_entries

    @property
    def lengths(self) -> IntArray:
        """Entries of each column, shape (pes, columns)."""
        return np.diff(self.starts).reshape(self.geometry.pes, self.words * self.word_columns)

    def slice(self, pe: int, chunk: Chunk) -> NDArray[np.uint16]:
        """Entries of one PE in the columns of a chunk."""
        words = pe * self.words + np.array([chunk.first, chunk.last])
        start, stop = self.starts[words * self.word_columns]
        return self.entries[start:stop]

    def whole(self) -> list[Chunk]:
        """The tile as a single chunk, for a resident plan.

        Raises
        ------
        UnsupportedError
            If a column is too long for a pointer word.
        """
        longest = int(np.diff(self.starts).max(initial=0))
        if longest > pointers.LONG_LENGTH:
            raise UnsupportedError(
                f"a column has {longest} entries, and at most {pointers.LONG_LENGTH} are possible"
            )
        return [Chunk(0, self.words, int(longest <= pointers.SHORT_LENGTH), True)]

    def chunks(self, room: Room, file_words: int) -> list[Chunk]:
        """Cut the tile into chunks that fit one bank.

        Parameters
        ----------
        room : Room
        file_words : int
            Activation words of a file; a chunk never straddles a multiple of it (a column tile).

        Raises
        ------
        UnsupportedError
            If the biases, or the columns of a single activation word, do not fit.
        """
        if self.bias_entries > room.entries:
            raise UnsupportedError(
                f"the biases of {self.drain_rows} rows take {self.bias_entries} entries of a PE, "
                f"and half of its memory holds {room.entries}"
            )
        pe = np.arange(self.geometry.pes)[:, np.newaxis] * self.words
        filled = self.starts[(pe + np.arange(self.words + 1)) * self.word_columns]
        longest = self.lengths.reshape(self.geometry.pes, self.words, -1).max(axis=(0, 2), initial=0)
        chunks: list[Chunk] = []
        position = 0
        while position < self.words:
            end = min(self.words, (position // file_words + 1) * file_words)
            load = (filled[:, position : end + 1] - filled[:, position : position + 1]).max(axis=0)
            by_entries = int(np.searchsorted(load, room.entries, side="right")) - 1
            reach = {short: by_entries for short in (1, 0)}
            for short in reach:
                too_long = np.flatnonzero(longest[position:end] > pointers.longest(short))
                by_length = int(too_long[0]) if too_long.size else end - position
                by_pointers = room.pointer_words * pointers.group_columns(short) // self.word_columns
                reach[short] = min(by_entries, by_length, by_pointers)
            short = int(reach[1] >= reach[0])
            if reach[short] == 0:
                raise UnsupportedError(
                    f"the {self.word_columns} columns of one activation word take {load[1]} entries of a PE "
                    f"({longest[position]} the longest column) and "
                    f"{pointers.word_count(self.word_columns, short)} pointer words, and half of its "
                    f"memories hold {room.entries} and {room.pointer_words}"
                )
            chunks.append(Chunk(position, position + reach[short], short, False))
            position += reach[short]
        last = chunks.pop()
        used = int((filled[:, last.last] - filled[:, last.first]).max())
        if used + self.bias_entries <= room.entries:
            return [*chunks, Chunk(last.first, last.last, last.short, True)]
        return [*chunks, last, Chunk(last.last, last.last, 1, True)]


class PlacedLayer:
    """The weights of a layer ordered by PE, column and row slot.

    Parameters
    ----------
    layer : Layer
    source, rows : Placement
        Places of the layer's inputs and of its outputs.
    geometry : Geometry
    threshold : int
        Activations whose magnitude does not exceed it count as zero.

    Raises
    ------
    UnsupportedError
        If the geometry's entries leave no bit for the zero run.
    """

    def __init__(
        self, layer: Layer, source: Placement, rows: Placement, geometry: Geometry, threshold: int = 0
    ) -> None:
        if layer.index_bits >= geometry.entry_bits:
            raise UnsupportedError(
                f"a layer has weight indices of {layer.index_bits} bits, but entries of "
                f"{geometry.entry_bits} bits hold at most {geometry.entry_bits - 1}; "
                "compress it with fewer weight bits"
            )
        self.layer, self.rows, self.geometry = layer, rows, geometry
        self.threshold = threshold
        self.run_bits = geometry.entry_bits - layer.index_bits
        self.slots = rows.slots
        self.words = -(-source.slots // geometry.scan_width)
        self.columns = self.words * geometry.scan_width * geometry.pes
        slot = rows.slot[layer.row].astype(np.int64)
        cell = rows.pe[layer.row] * np.int64(self.columns) + source.columns(geometry.scan_width)[layer.column]
        order = np.argsort(cell * self.slots + slot)
        self.cell: IntArray = cell[order]
        self.slot: IntArray = slot[order]
        self.index = layer.index[order]
        self.bias = np.zeros((geometry.pes, round_up(self.slots, geometry.scan_width)), dtype=np.int64)
        self.bias[rows.pe, rows.slot] = layer.bias

    def tile(self, first: int, last: int) -> Tile:
        """Encode the rows in slots [first, last) of every PE."""
        cell, slot, index = self.cell, self.slot, self.index
        if first > 0 or last < self.slots:
            inside = (slot >= first) & (slot < last)
            cell, slot, index = cell[inside], slot[inside], index[inside]
        before = np.empty_like(slot)
        before[:1] = first - 1
        before[1:] = np.where(cell[1:] == cell[:-1], slot[:-1], first - 1)
        entries, counts = encoding.encode(
            slot - before - 1, index, self.layer.index_bits, self.run_bits, self.geometry.padding_zeros
        )
        weights = np.bincount(cell, minlength=self.geometry.pes * self.columns)
        weight_starts = np.concatenate([[0], np.cumsum(weights)])
        starts = np.concatenate([[0], np.cumsum(counts)])[weight_starts]
        bias = self.bias[:, first : first + round_up(last - first, self.geometry.scan_width)]
        words = bias_words(bias, self.geometry)
        return Tile(self.geometry, first, last, self.words, entries, starts, bias, words)

    def row_tiles(
        self, largest: int, cut: Callable[[Tile], list[Chunk]]
    ) -> Iterator[tuple[Tile, list[Chunk]]]:
        """Cut the rows into tiles of at most `largest` slots, halved until `cut` does not raise.

        Raises
        ------
        UnsupportedError
            If `cut` refuses even the smallest tile.
        """
        unit = self.geometry.scan_width
        size, first = largest // unit * unit, 0
        while first < self.slots:
            size = min(size, round_up(self.slots - first, unit))
            tile = self.tile(first, min(first + size, self.slots))
            try:
                chunks = cut(tile)
            except UnsupportedError as error:
                if size <= unit:
                    raise UnsupportedError(
                        f"with {size} rows on each PE at a time, {error}; use an engine with larger memories"
                    ) from None
                size = max(unit, size // 2 // unit * unit)
                continue
            yield tile, chunks
            first += size


def bias_words(bias: IntArray, geometry: Geometry) -> int:
    """Fewest matrix words that hold every bias, sign included; 0 if all are zero.

    >>> geometry = Geometry(entry_bits=8, word_entries=2)
    >>> [bias_words(np.array([[b]]), geometry) for b in (0, -32768, 32768)]
    [0, 1, 2]
    """
    low, high = int(bias.min(initial=0)), int(bias.max(initial=0))
    if low == high == 0:
        return 0
    bits = max(high, -1 - low).bit_length() + 1
    return -(-bits // geometry.word_bits)
