"""The weights of a layer in a model file: their places and indices, in one of three forms.

The matrix is read as one sequence of places (`golden.model_order`), n of which hold a weight. The writer
takes the order and the form that are smallest. All are sequences of bits as `golden.bits` defines them;
`number` is an integer as `golden.bits.Writer.number` writes it::

    bits    field
    2       form: 0 packed, 1 sparse, 2 dense
    ...     order of the places, see `golden.model_order`

Packed, the entries of `golden.encoding`; the first gap counts from the first place, and a gap runs on across
the ends of columns or rows::

    4       r, run bits of an entry, 1 to 15; b + r is at most 16, b being the layer's index bits
    number  entries
    ...     entries of b + r bits

Sparse, a Huffman code (`golden.huffman`) for the indices and one for the zeros before a weight::

    number  n, at least 1
    ...     table of the indices 1 to K (`golden.huffman.write_table`), K being the layer's codebook values
    ...     code of the zeros before a weight, see `golden.number_code`
    ...     blocks of weights, see `golden.model_blocks`

A block holds the words of the indices, then those of the zeros before each weight, then their extra bits.
Where a single index occurs, its words are left out.

Dense, one Huffman code for the indices of all places, where a place without a weight has index 0::

    ...     table of the indices 0 to K
    ...     blocks of places
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from golden import bits, encoding, huffman, model_blocks, model_order, number_code
from golden.errors import InputError
from golden.layers import Int64Array, Layer
from golden.model_coding import FORMS, Coding
from golden.model_order import Order, Sequence, Weights
from golden.number_code import Fields

FORM_BITS = 2
RUN_BITS_BITS = 4


def write(writer: bits.Writer, layer: Layer, coding: Coding) -> None:
    """Add the weights of a layer as `golden.model_coding.plan` chose."""
    writer.add(FORMS.index(coding.form), FORM_BITS)
    model_order.write(writer, coding.order)
    sequence = Sequence(layer, coding.order)
    if coding.run_code is not None:
        writer.number(layer.nnz)
        writer.add(*huffman.write_table(coding.index_lengths))
        number_code.write(writer, coding.run_code)
        blocks = _sparse_blocks(sequence, coding.index_lengths, coding.run_code)
        model_blocks.write(writer, layer.nnz, blocks)
    elif coding.form == "dense":
        writer.add(*huffman.write_table(coding.index_lengths))
        model_blocks.write(writer, coding.order.places, _dense_blocks(sequence, coding.index_lengths))
    else:
        writer.add(coding.run_bits, RUN_BITS_BITS)
        writer.number(coding.entries)
        for start in range(0, layer.nnz, model_blocks.STEP):
            some = slice(start, start + model_blocks.STEP)
            gap, index = sequence.gaps(some.start, some.stop), sequence.index[some]
            entries, _ = encoding.encode(gap, index, layer.index_bits, coding.run_bits)
            writer.add(entries, layer.index_bits + coding.run_bits)


def _sparse_blocks(
    sequence: Sequence, index_lengths: huffman.LengthArray, run_code: number_code.NumberCode
) -> Iterator[Fields]:
    index_word = huffman.stream_codes(index_lengths)
    index_width = index_lengths.astype(np.int64)
    if np.count_nonzero(index_width) == 1:
        index_width[:] = 0
    for group in range(0, sequence.index.size, model_blocks.STEP):
        index = sequence.index[group : group + model_blocks.STEP] - 1
        words, extra = number_code.fields(sequence.gaps(group, group + model_blocks.STEP), run_code)
        parts = [(index_word[index], index_width[index]), words, extra]
        for start in range(0, index.size, model_blocks.BLOCK):
            block = slice(start, start + model_blocks.BLOCK)
            values, widths = zip(*((value[block], width[block]) for value, width in parts), strict=True)
            yield np.concatenate(values), np.concatenate(widths)


def _dense_blocks(sequence: Sequence, lengths: huffman.LengthArray) -> Iterator[Fields]:
    word, width = huffman.stream_codes(lengths), lengths.astype(np.int64)
    index = np.zeros(sequence.order.places, dtype=np.uint8)
    for group in range(0, sequence.index.size, model_blocks.STEP):
        some = slice(group, group + model_blocks.STEP)
        index[sequence.places(some.start, some.stop)] = sequence.index[some]
    for start in range(0, index.size, model_blocks.BLOCK):
        block = index[start : start + model_blocks.BLOCK]
        yield word[block], width[block]


def read(reader: bits.Reader, rows: int, columns: int, index_bits: int, values: int) -> Weights:
    """Inverse of `write`: rows, columns and indices of the weights, sorted by column, then row.

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
    order = model_order.read(reader, rows, columns)
    if FORMS[form] == "sparse":
        return _read_sparse(reader, order, values)
    if FORMS[form] == "dense":
        return _read_dense(reader, order, values)
    run_bits = reader.take(RUN_BITS_BITS)
    if not 1 <= run_bits <= 16 - index_bits:
        raise InputError(f"entries have {run_bits} run bits; make the file again")
    return read_packed(reader, reader.number(), index_bits, run_bits, order)


def read_packed(reader: bits.Reader, count: int, index_bits: int, run_bits: int, order: Order) -> Weights:
    """Weights of `count` entries.

    Raises
    ------
    InputError
        If the entries are damaged.
    """
    width = index_bits + run_bits
    reader.skip(count * width)
    reader.position -= count * width
    entries = np.empty(count, dtype=np.uint16)
    for start in range(0, count, model_blocks.STEP):
        size = min(model_blocks.STEP, count - start)
        entries[start : start + size] = reader.fields(size, width)
    last = np.flatnonzero(entries & ((1 << index_bits) - 1)) + 1  # one past each weight's last entry
    weights = _Weights(last.size, order)
    cuts = [0, *last[model_blocks.STEP - 1 :: model_blocks.STEP].tolist(), entries.size]
    for start, stop in pairwise(cuts):
        weights.add(*encoding.decode(entries[start:stop], index_bits, run_bits))
    return weights.located()


def _read_sparse(reader: bits.Reader, order: Order, values: int) -> Weights:
    count = reader.number()
    if not 1 <= count <= min(reader.left, order.places) or not values:  # a weight takes at least a bit
        raise InputError(f"{count} weights cannot be there; make the file again")
    index_lengths = huffman.read_table(reader, values)
    run_code = number_code.read(reader)
    alone = np.count_nonzero(index_lengths) == 1
    weights = _Weights(count, order)
    for blocks in model_blocks.groups(reader, count):
        start, counts = blocks.start, blocks.counts
        index = np.full(int(counts.sum()), np.argmax(index_lengths), dtype=np.uint16)
        if not alone:
            index, start = huffman.decode_lanes(reader.words, start, counts, index_lengths)
        gap, end = number_code.decode_lanes(reader.words, start, counts, run_code)
        blocks.close(reader, end)
        weights.add(gap, index + 1)
    return weights.located()


def _read_dense(reader: bits.Reader, order: Order, values: int) -> Weights:
    count = order.places
    if not 1 <= count <= reader.left:
        raise InputError(f"{count} places cannot be there; make the file again")
    lengths = huffman.read_table(reader, values + 1)
    index = np.empty(count, dtype=np.uint8)
    for blocks in model_blocks.groups(reader, count):
        symbols, end = huffman.decode_lanes(reader.words, blocks.start, blocks.counts, lengths)
        blocks.close(reader, end)
        index[blocks.first : blocks.first + symbols.size] = symbols
    place = np.flatnonzero(index)
    return model_order.locate(order, place, index[place])


class _Weights:
    """Gathers the weights of a layer."""

    def __init__(self, count: int, order: Order) -> None:
        self._order = order
        self._place = np.empty(count, dtype=np.int64)
        self._index = np.empty(count, dtype=np.uint8)
        self._last = -1
        self._done = 0

    def add(self, gap: Int64Array, index: Any) -> None:
        """Add weights from the zeros before each and their indices."""
        if not gap.size:
            return
        places = self._last + np.cumsum(np.minimum(gap, self._order.places) + 1)  # cut: no sum overflows
        self._last = int(places[-1])
        if self._last >= self._order.places:
            raise InputError(
                f"a weight stands at place {self._last} of {self._order.places}; make the file again"
            )
        chunk = slice(self._done, self._done + gap.size)
        self._place[chunk], self._index[chunk] = places, index
        self._done += gap.size

    def located(self) -> Weights:
        """Rows, columns and indices."""
        return model_order.locate(self._order, self._place, self._index)
