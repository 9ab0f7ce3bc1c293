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
    ...     code of the indices less one, see `golden.index_code`; the base is K, the layer's codebook values
    ...     code of the zeros before a weight, see `golden.number_code`
    ...     blocks of weights, see `golden.model_blocks`

A block holds the words of the indices, then those of the zeros before each weight, then their extra bits.
Where a single symbol of indices occurs, its words are left out.

Dense, one Huffman code for the indices of all places, where a place without a weight has index 0::

    ...     code of the indices, to the base K + 1
    ...     blocks of places
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from golden import bits, encoding, index_code, model_blocks, model_order, number_code
from golden.errors import InputError
from golden.index_code import IndexCode
from golden.layers import Int64Array, Layer
from golden.model_blocks import BLOCK
from golden.model_coding import FORMS, Coding, indices
from golden.model_order import Order, Sequence, Weights
from golden.number_code import Fields, NumberCode

FORM_BITS = 2
RUN_BITS_BITS = 4


def write(writer: bits.Writer, layer: Layer, coding: Coding) -> None:
    """Add the weights of a layer as `golden.model_coding.plan` chose."""
    writer.add(FORMS.index(coding.form), FORM_BITS)
    model_order.write(writer, coding.order)
    sequence = Sequence(layer, coding.order)
    if coding.index_code is not None and coding.run_code is not None:
        writer.number(layer.nnz)
        index_code.write(writer, coding.index_code)
        number_code.write(writer, coding.run_code)
        model_blocks.write(writer, layer.nnz, _sparse_blocks(sequence, coding.index_code, coding.run_code))
    elif coding.index_code is not None:
        index_code.write(writer, coding.index_code)
        model_blocks.write(writer, coding.order.places, _dense_blocks(sequence, coding.index_code))
    else:
        writer.add(coding.run_bits, RUN_BITS_BITS)
        writer.number(coding.entries)
        for start in range(0, layer.nnz, model_blocks.STEP):
            some = slice(start, start + model_blocks.STEP)
            gap, index = sequence.gaps(some.start, some.stop), sequence.index[some]
            entries, _ = encoding.encode(gap, index, layer.index_bits, coding.run_bits)
            writer.add(entries, layer.index_bits + coding.run_bits)


def _sparse_blocks(sequence: Sequence, code: IndexCode, run_code: NumberCode) -> Iterator[Fields]:
    place = 0
    for index in indices(sequence, "sparse"):
        words, extra = number_code.fields(sequence.gaps(place, place + index.size), run_code)
        place += index.size
        for start in range(0, index.size, BLOCK):
            block = slice(start, start + BLOCK)
            parts = [(words[0][block], words[1][block]), (extra[0][block], extra[1][block])]
            if not code.alone:
                parts.insert(0, index_code.fields(index[block], code))
            values, widths = zip(*parts, strict=True)
            yield np.concatenate(values), np.concatenate(widths)


def _dense_blocks(sequence: Sequence, code: IndexCode) -> Iterator[Fields]:
    for index in indices(sequence, "dense"):
        for start in range(0, index.size, BLOCK):
            yield index_code.fields(index[start : start + BLOCK], code)


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
    code = index_code.read(reader, values)
    run_code = number_code.read(reader)
    weights = _Weights(count, order)
    for blocks in model_blocks.groups(reader, count):
        index, end = index_code.decode_lanes(reader.words, blocks.start, blocks.counts, code, left_out=True)
        gap, end = number_code.decode_lanes(reader.words, end, blocks.counts, run_code)
        blocks.close(reader, end)
        weights.add(gap, index + 1)
    return weights.located()


def _read_dense(reader: bits.Reader, order: Order, values: int) -> Weights:
    count = order.places
    code = index_code.read(reader, values + 1)
    if not 1 <= count <= code.group * reader.left:
        raise InputError(f"{count} places cannot be there; make the file again")
    parts = []
    for blocks in model_blocks.groups(reader, count):
        index, end = index_code.decode_lanes(reader.words, blocks.start, blocks.counts, code, left_out=False)
        blocks.close(reader, end)
        parts.append(index)
    index = np.concatenate(parts)
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
