"""The weights of a layer in a model file: their places and indices, in one of three forms.

The matrix is read column by column as one sequence of rows * columns places; n of them hold a weight. The
writer takes the form that is smallest. All are sequences of bits as `golden.bits` defines them; `number` is
an integer as `golden.bits.Writer.number` writes it, and a table is one of `golden.huffman.write_table`::

    bits    field
    2       form: 0 packed, 1 sparse, 2 dense

Packed, the entries of `golden.encoding`; the first gap counts from row 0 of column 0, and a gap runs on
across the ends of columns::

    4       r, run bits of an entry, 1 to 15; b + r is at most 16, b being the layer's index bits
    number  entries
    ...     entries of b + r bits

Sparse, a Huffman code (`golden.huffman`) for the indices and one for the zeros before a weight::

    number  n, at least 1
    ...     table of the indices 1 to K, K being the layer's codebook values
    3       m, mantissa bits of a run symbol (`golden.model_coding.run_symbols`)
    number  run symbols
    ...     table of the run symbols
    ...     blocks

A block holds 4,096 weights, the last one what is left: the words of their indices, then those of their run
symbols, then their extra bits. Where a single index occurs, its words are left out.

Dense, one Huffman code for the indices of all places, where a place without a weight has index 0::

    ...     table of the indices 0 to K
    ...     blocks

A block holds the words of 4,096 places, the last one of what is left.

One block alone follows at once. Two or more are preceded by the length of each in bytes, 16 bits, and start
at whole bytes, as does what follows them; the bits in between are zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden import bits, encoding, huffman
from golden.errors import InputError
from golden.layers import Int32Array, Int64Array, Layer
from golden.model_coding import (
    BLOCK,
    FORMS,
    GROUP,
    MANTISSA_BITS,
    SIZE_BITS,
    STEP,
    Coding,
    extra_bits,
    gaps,
    run_symbols,
)

FORM_BITS = 2
RUN_BITS_BITS = 4
MAX_EXTRA = 40

Weights = tuple[Int32Array, Int32Array, NDArray[np.uint8]]


def write(writer: bits.Writer, layer: Layer, coding: Coding) -> None:
    """Add the weights of a layer in the form that `golden.model_coding.plan` chose."""
    writer.add(FORMS.index(coding.form), FORM_BITS)
    if coding.form == "packed":
        writer.add(coding.run_bits, RUN_BITS_BITS)
        writer.number(coding.entries)
        for start in range(0, layer.nnz, STEP):
            gap, index = gaps(layer, start, start + STEP), layer.index[start : start + STEP]
            entries, _ = encoding.encode(gap, index, layer.index_bits, coding.run_bits)
            writer.add(entries, layer.index_bits + coding.run_bits)
    elif coding.form == "sparse":
        writer.number(layer.nnz)
        writer.add(*huffman.write_table(coding.index_lengths))
        writer.add(coding.mantissa_bits, MANTISSA_BITS)
        writer.number(coding.run_lengths.size)
        writer.add(*huffman.write_table(coding.run_lengths))
        _write_blocks(writer, layer.nnz, _sparse_blocks(layer, coding))
    else:
        writer.add(*huffman.write_table(coding.index_lengths))
        _write_blocks(writer, layer.rows * layer.columns, _dense_blocks(layer, coding))


def _write_blocks(writer: bits.Writer, count: int, blocks: Iterator[tuple[Int64Array, Int64Array]]) -> None:
    if count <= BLOCK:
        for values, widths in blocks:
            writer.add(values, widths)
        return
    packed = [bits.pack(values, widths) for values, widths in blocks]
    writer.add([len(block) for block in packed], SIZE_BITS)
    writer.append(b"".join(packed))


def _sparse_blocks(layer: Layer, coding: Coding) -> Iterator[tuple[Int64Array, Int64Array]]:
    """Fields of each block: values and widths."""
    index_code = huffman.stream_codes(coding.index_lengths)
    index_width = coding.index_lengths.astype(np.int64)
    if np.count_nonzero(index_width) == 1:
        index_width[:] = 0
    run_code = huffman.stream_codes(coding.run_lengths)
    run_width = coding.run_lengths.astype(np.int64)
    for group in range(0, layer.nnz, STEP):
        gap = gaps(layer, group, group + STEP)
        index = layer.index[group : group + STEP] - 1
        symbol, extra_width = run_symbols(gap, coding.mantissa_bits)
        extra = gap & ((1 << extra_width) - 1)
        for start in range(0, gap.size, BLOCK):
            block = slice(start, start + BLOCK)
            yield (
                np.concatenate([index_code[index[block]], run_code[symbol[block]], extra[block]]),
                np.concatenate([index_width[index[block]], run_width[symbol[block]], extra_width[block]]),
            )


def _dense_blocks(layer: Layer, coding: Coding) -> Iterator[tuple[Int64Array, Int64Array]]:
    """Fields of each block: values and widths."""
    code = huffman.stream_codes(coding.index_lengths)
    width = coding.index_lengths.astype(np.int64)
    index = np.zeros(layer.rows * layer.columns, dtype=np.uint8)
    for group in range(0, layer.nnz, STEP):
        index[layer.places(group, group + STEP)] = layer.index[group : group + STEP]
    for start in range(0, index.size, BLOCK):
        block = index[start : start + BLOCK]
        yield code[block], width[block]


def read(reader: bits.Reader, rows: int, columns: int, index_bits: int, values: int) -> Weights:
    """Inverse of `write`: rows, columns and indices of the weights.

    Parameters
    ----------
    reader : Reader
    rows, columns, index_bits : int
    values : int
        K, codebook values that the file stores.

    Raises
    ------
    InputError
        If the weights are damaged.
    """
    form = reader.take(FORM_BITS)
    if form >= len(FORMS):
        raise InputError(f"weights have the unknown form {form}; make the file again")
    if FORMS[form] == "packed":
        run_bits = reader.take(RUN_BITS_BITS)
        if not 1 <= run_bits <= 16 - index_bits:
            raise InputError(f"entries have {run_bits} run bits; make the file again")
        return read_packed(reader, reader.number(), index_bits, run_bits, rows, columns)
    if FORMS[form] == "sparse":
        return _read_sparse(reader, rows, columns, values)
    return _read_dense(reader, rows, columns, values)


def read_packed(
    reader: bits.Reader, count: int, index_bits: int, run_bits: int, rows: int, columns: int
) -> Weights:
    """Weights of `count` entries.

    Raises
    ------
    InputError
        If the entries are damaged.
    """
    width = index_bits + run_bits
    if count * width > reader.left:
        reader.skip(count * width)
    entries = np.concatenate(
        [np.zeros(0, np.uint16)]
        + [
            reader.fields(min(STEP, count - start), width).astype(np.uint16)
            for start in range(0, count, STEP)
        ]
    )
    last = np.flatnonzero(entries & ((1 << index_bits) - 1)) + 1  # one past each weight's last entry
    places = _Places(last.size, rows, columns)
    for start, stop in pairwise([0, *last[STEP - 1 :: STEP].tolist(), entries.size]):
        gap, index = encoding.decode(entries[start:stop], index_bits, run_bits)
        places.add(gap, index)
    return places.weights()


def _read_sparse(reader: bits.Reader, rows: int, columns: int, values: int) -> Weights:
    count = reader.number()
    if not 1 <= count <= min(reader.left, rows * columns) or not values:  # a weight takes at least a bit
        raise InputError(f"{count} weights cannot be there; make the file again")
    index_lengths = huffman.read_table(reader, values)
    mantissa_bits = reader.take(MANTISSA_BITS)
    symbols = reader.number()
    if not 1 <= symbols <= MAX_EXTRA + 2 << mantissa_bits:
        raise InputError(f"runs of zeros have {symbols} symbols; make the file again")
    run_lengths = huffman.read_table(reader, symbols)
    alone = np.count_nonzero(index_lengths) == 1
    places = _Places(count, rows, columns)
    for blocks in _groups(reader, count):
        if alone:
            index = np.full(int(blocks.counts.sum()), np.argmax(index_lengths), dtype=np.uint16)
            end = blocks.start
        else:
            index, end = huffman.decode_lanes(reader.words, blocks.start, blocks.counts, index_lengths)
        symbol, end = huffman.decode_lanes(reader.words, end, blocks.counts, run_lengths)
        width = extra_bits(symbol, mantissa_bits)
        first = np.cumsum(blocks.counts) - blocks.counts
        after = np.cumsum(width)
        before = (after - width)[first]
        start = after - width + np.repeat(end - before, blocks.counts)
        extra = (bits.look(reader.words, start) & ((1 << width) - 1).astype(np.uint64)).astype(np.int64)
        blocks.close(reader, end + np.append(before[1:], after[-1]) - before)
        places.add(((symbol - (width << mantissa_bits)) << width) + extra, index + 1)
    return places.weights()


def _read_dense(reader: bits.Reader, rows: int, columns: int, values: int) -> Weights:
    count = rows * columns
    if count > reader.left:
        raise InputError(f"{rows} x {columns} places cannot be there; make the file again")
    lengths = huffman.read_table(reader, values + 1)
    index = np.empty(count, dtype=np.uint8)
    for blocks in _groups(reader, count):
        symbols, end = huffman.decode_lanes(reader.words, blocks.start, blocks.counts, lengths)
        blocks.close(reader, end)
        index[blocks.first : blocks.first + symbols.size] = symbols
    place = np.flatnonzero(index)
    column, row = np.divmod(place, rows)
    return row.astype(np.int32), column.astype(np.int32), index[place]


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Some of a layer's blocks.

    Parameters
    ----------
    first : int
        Weights or places in the blocks before them.
    start, counts : array of int64, shape (blocks,)
        First bit of each, and weights or places in it.
    stop : array of int64, shape (blocks,), or None
        First bit after each; None for a block alone, which ends with its last field.
    """

    first: int
    start: Int64Array
    counts: Int64Array
    stop: Int64Array | None

    def close(self, reader: bits.Reader, end: Int64Array) -> None:
        """Check that the blocks end where their fields do; go on after a block alone."""
        if self.stop is None:
            reader.skip(int(end[0] - self.start[0]))
        else:
            huffman.check_ends(reader.words, end, self.stop)


def _groups(reader: bits.Reader, count: int) -> Iterator[_Blocks]:
    """The blocks of `count` weights or places, some of them at a time."""
    if count <= BLOCK:
        yield _Blocks(0, np.array([reader.position]), np.array([count]), None)
        return
    size = 8 * reader.fields(-(-count // BLOCK), SIZE_BITS)
    reader.align()
    stop = reader.skip(int(size.sum())) + np.cumsum(size)
    for first in range(0, count, STEP):
        some = slice(first // BLOCK, first // BLOCK + GROUP)
        counts = np.full(stop[some].size, BLOCK)
        counts[-1] = min(count - first, STEP) - BLOCK * (counts.size - 1)
        yield _Blocks(first, (stop - size)[some], counts, stop[some])


class _Places:
    """Gathers the weights of a layer and where they stand."""

    def __init__(self, count: int, rows: int, columns: int) -> None:
        self._rows, self._columns = rows, columns
        self._row = np.empty(count, dtype=np.int32)
        self._column = np.empty(count, dtype=np.int32)
        self._index = np.empty(count, dtype=np.uint8)
        self._place = -1
        self._done = 0

    def add(self, gap: Int64Array, index: Any) -> None:
        """Add weights from the zeros before each and their indices."""
        if not gap.size:
            return
        size = self._rows * self._columns
        places = self._place + np.cumsum(np.minimum(gap, size) + 1)  # cut, so that no sum overflows
        self._place = int(places[-1])
        if self._place >= size:
            raise InputError(
                f"a weight stands at place {self._place} of {self._rows} x {self._columns}; "
                "make the file again"
            )
        chunk = slice(self._done, self._done + gap.size)
        self._column[chunk], self._row[chunk] = np.divmod(places, self._rows)
        self._index[chunk] = index
        self._done += gap.size

    def weights(self) -> Weights:
        """Rows, columns and indices."""
        return self._row, self._column, self._index
