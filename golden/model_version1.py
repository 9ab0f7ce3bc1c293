"""Version 1 of the model file, which is read but no longer written.

All numbers are little-endian. The header of `golden.model` is followed by::

    bytes  field
    1      final operation, done on the host: 0 none, 1 softmax, 2 argmax
    1      flags; bit 0: argmax keeps its axis, giving (batch, 1); other bits zero
    1      d, dimensions of an input sample, 0 to 8; 0 when a sample is a plain vector
    1      zero
    4 d    the dimensions of an input sample; their product is the number of inputs

Each layer::

    bytes           field
    4               rows (outputs), 1 to 2**20
    4               columns (inputs), 1 to 2**20; equal to the rows of the layer before
    1               b, weight-index bits, 1 to 8
    1               r, run bits of an entry of this file, 1 to 16 - b
    1               w, bytes of a bias, 1 to 5
    1               flags; bit 0: ReLU; other bits zero
    2               weight fraction, signed
    2               input fraction, signed; equal to the output fraction of the layer before
    2               output fraction, signed
    2               zero
    8               n, number of entries
    2 * 2**b        codebook, int16; the first value is zero
    w * rows        biases, signed, at accumulator scale (weight fraction + input fraction)
    ceil(n(b+r)/8)  entries, packed from the least significant bit of the first byte; the rest is zero

The entries are those of the packed form of `golden.model_weights`, column by column, no row or column left
out.
"""

import struct

import numpy as np

from golden import bits, model_weights
from golden.codebook import MAX_INDEX_BITS
from golden.errors import InputError
from golden.layers import FINALS, MAX_DIMENSIONS, MAX_SIZE, Layer, Model
from golden.model_order import Order

START = struct.Struct("<BBBB")
LAYER = struct.Struct("<IIBBBBhhhHQ")


def decode(data: bytes, count: int) -> Model:
    """The model whose `count` layers are stored in what stands between the header and the checksum.

    Raises
    ------
    InputError
        If the bytes are not such a model.
    """
    reader = bits.Reader(data)
    final, flags, dimensions, zero = START.unpack(_take(reader, START.size))
    if final >= len(FINALS) or flags > 1 or dimensions > MAX_DIMENSIONS or zero:
        raise InputError("the model file's header holds values that version 1 does not know; make it again")
    input_shape = tuple(reader.take(32) for _ in range(dimensions))
    layers = tuple(_decode_layer(reader, number) for number in range(count))
    if reader.left:
        raise InputError(f"{reader.left // 8} bytes follow the model's last layer; make the file again")
    return Model(layers=layers, final=FINALS[final], keepdims=bool(flags), input_shape=input_shape)


def _take(reader: bits.Reader, size: int) -> bytes:
    start = reader.skip(8 * size) // 8
    return reader.data[start : start + size]


def _decode_layer(reader: bits.Reader, number: int) -> Layer:
    header = LAYER.unpack(_take(reader, LAYER.size))
    rows, columns, index_bits, run_bits, bias_bytes, flags, weight, input_, output, zero, count = header
    sizes_known = 1 <= rows <= MAX_SIZE and 1 <= columns <= MAX_SIZE and 1 <= bias_bytes <= 5
    split_known = 1 <= index_bits <= MAX_INDEX_BITS and 1 <= run_bits <= 16 - index_bits
    if not sizes_known or not split_known or flags > 1 or zero:
        raise InputError(f"layer {number} holds values that version 1 does not know; make the file again")
    codebook = np.frombuffer(_take(reader, 2 << index_bits), "<i2").astype(np.int16)
    bias = bits.signed(reader.fields(rows, 8 * bias_bytes), 8 * bias_bytes)
    order = Order(by_rows=False, rows=np.ones(rows, dtype=bool), columns=np.ones(columns, dtype=bool))
    row, column, index = model_weights.read_packed(reader, count, index_bits, run_bits, order)
    reader.align()
    return Layer(
        rows=rows,
        columns=columns,
        index_bits=index_bits,
        codebook=codebook,
        row=row,
        column=column,
        index=index,
        bias=bias,
        weight_fraction=weight,
        input_fraction=input_,
        output_fraction=output,
        relu=bool(flags),
    )
