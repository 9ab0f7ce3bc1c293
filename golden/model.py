r"""The model file (`.tamis`): a pruned, weight-shared network that knows no board.

Header; numbers are little-endian::

    offset  bytes  field
    0       8      magic: 8F 54 41 4D 49 53 0D 0A ("\x8fTAMIS\r\n")
    8       2      version, 2
    10      2      number of layers, at least 1
    12      8      length of the whole file in bytes, checksum included

The rest, up to the checksum, is one sequence of bits as `golden.bits` defines it, filled up with zeros to a
whole byte. `number` is an integer from 0 on as `golden.bits.Writer.number` writes it, `signed` one of either
sign as its `signed_number` does::

    bits    field
    2       final operation, done on the host: 0 none, 1 softmax, 2 argmax
    1       argmax keeps its axis, giving (batch, 1)
    4       d, dimensions of an input sample, 0 to 8; 0 when a sample is a plain vector
    number  each of the d dimensions; their product is the number of inputs
    number  columns (inputs) of the first layer, 1 to 2**20
    signed  input fraction of the first layer

Then the layers in order of execution; a layer's columns and its input fraction are the rows and the output
fraction of the layer before::

    bits    field
    number  rows (outputs), 1 to 2**20
    1       ReLU
    signed  weight fraction
    signed  output fraction
    3       b - 1; b is the bits of a weight index, 1 to 8
    b       K, codebook values that follow; the value of index 0 is zero, and so are those above index K
    4       v - 1; v is the bits of a codebook value, 1 to 16; missing if K is zero
    v       each of the values of the indices 1 to K, in two's complement
    6       w, bits of a bias, 0 to 40; with 0, all biases are zero and the weights follow at once
    6       s, zeros below each bias
    1       whether biases are coded
    w       not coded: each bias is this times 2**s, in two's complement, at accumulator scale
            (weight fraction + input fraction)
    ...     coded: the code of the biases, see `golden.number_code`; a number 2 v stands for the bias v times
            2**s, a number 2 v + 1 for -v - 1 times 2**s
    ...     and blocks of the words and extra bits of the biases, see `golden.model_blocks`
    ...     the weights, see `golden.model_weights`

Checksum: CRC-32 (as `zlib.crc32`) of everything before it, 4 bytes. Every version of this format keeps the
magic, the version, the number of layers and the length where they are, and the checksum at the end. Version 1
(`golden.model_version1`) is still read.
"""

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from golden import bits, model_blocks, model_coding, model_version1, model_weights, number_code
from golden.errors import InputError
from golden.layers import (
    FINALS,
    MAX_ACCUMULATOR_BITS,
    MAX_DIMENSIONS,
    MAX_ROWS,
    MAX_SIZE,
    Final,
    Int64Array,
    Layer,
    Model,
    check,
)

__all__ = ["Final", "Layer", "Model", "check", "decode", "encode"]

MAGIC = b"\x8fTAMIS\r\n"
VERSION = 2
BIAS_BITS = 6
HEADER = struct.Struct("<8sHHQ")


def encode(model: Model) -> bytes:
    """Bytes of the model file.

    Raises
    ------
    InputError, UnsupportedError
        As `check` does, for the widest accumulator that an engine can have.

    Examples
    --------
    >>> model = Model(layers=(Layer.from_indices([[0, 1], [3, 0]], [0, 5, 6, -7], [10, 20]),))
    >>> data = encode(model)
    >>> len(data), decode(data).layers[0].weights().tolist()
    (38, [[0, 5], [-7, 0]])
    """
    check(model, MAX_ACCUMULATOR_BITS)
    writer = bits.Writer()
    dimensions = model.input_shape
    writer.add([FINALS.index(model.final), int(model.keepdims), len(dimensions)], [2, 1, 4])
    for size in dimensions:
        writer.number(size)
    writer.number(model.inputs)
    writer.signed_number(model.layers[0].input_fraction)
    for layer in model.layers:
        _write_layer(writer, layer)
    body = writer.finish()
    header = HEADER.pack(MAGIC, VERSION, len(model.layers), HEADER.size + len(body) + 4)
    return b"".join([header, body, struct.pack("<I", zlib.crc32(body, zlib.crc32(header)))])


def _write_layer(writer: bits.Writer, layer: Layer) -> None:
    writer.number(layer.rows)
    writer.add(int(layer.relu), 1)
    writer.signed_number(layer.weight_fraction)
    writer.signed_number(layer.output_fraction)
    values = stored_values(layer)
    writer.add([layer.index_bits - 1, values], [3, layer.index_bits])
    if values:
        codebook = layer.codebook[1 : values + 1].astype(np.int64)
        width = _signed_width(codebook)
        writer.add(width - 1, 4)
        writer.add(codebook, width)
    _write_bias(writer, layer.bias)
    model_weights.write(writer, layer, model_coding.plan(layer, values))


def stored_values(layer: Layer) -> int:
    """Codebook values of a layer that its file stores: up to the last that is not zero, or is in use."""
    nonzero = np.flatnonzero(layer.codebook)
    return max(int(nonzero[-1]) if nonzero.size else 0, int(layer.index.max(initial=0)))


def _signed_width(values: Int64Array) -> int:
    """Bits of the shortest two's complement that holds every value."""
    return int(max(values.max(), -1 - values.min())).bit_length() + 1


def _write_bias(writer: bits.Writer, bias: Int64Array) -> None:
    union = int(np.bitwise_or.reduce(bias))
    if not union:
        writer.add(0, BIAS_BITS)
        return
    shift = (union & -union).bit_length() - 1
    narrow = bias >> shift
    width = _signed_width(narrow)
    number = np.where(narrow < 0, -2 * narrow - 1, 2 * narrow)
    code = number_code.plan(*np.unique(number, return_counts=True))
    coded = code.table_bits + code.data_bits + model_blocks.size_bits(bias.size) < width * bias.size
    writer.add([width, shift, int(coded)], [BIAS_BITS, BIAS_BITS, 1])
    if coded:
        number_code.write(writer, code)
        model_blocks.write(writer, bias.size, _bias_blocks(number, code))
    else:
        writer.add(narrow, width)


def _bias_blocks(number: Int64Array, code: number_code.NumberCode) -> Iterator[number_code.Fields]:
    for start in range(0, number.size, model_blocks.BLOCK):
        words, extra = number_code.fields(number[start : start + model_blocks.BLOCK], code)
        yield np.concatenate([words[0], extra[0]]), np.concatenate([words[1], extra[1]])


def decode(data: bytes) -> Model:
    """Read a model file.

    Raises
    ------
    InputError
        If the file is not a model, is damaged, or is of a newer version.
    UnsupportedError
        If its sums would leave the widest accumulator that an engine can have.
    """
    if data[: len(MAGIC)] != MAGIC:
        raise InputError("this is not a Tamis model file; make one with `tamis compress`")
    if len(data) < HEADER.size + 4:
        raise InputError(f"the model file has only {len(data)} bytes: it is truncated; copy or make it again")
    _, version, count, length = HEADER.unpack_from(data)
    if length != len(data):
        raise InputError(
            f"the model file has {len(data)} bytes but says that it has {length}: it is truncated or "
            "damaged; copy or make it again"
        )
    if zlib.crc32(memoryview(data)[:-4]) != int.from_bytes(data[-4:], "little"):
        raise InputError("the model file's checksum is wrong: it is damaged; copy or make it again")
    if not 1 <= version <= VERSION:
        raise InputError(
            f"the model file has version {version}, but this Tamis reads versions 1 to {VERSION}; "
            "upgrade Tamis"
        )
    body = data[HEADER.size : -4]
    model = model_version1.decode(body, count) if version == 1 else _decode_body(body, count)
    check(model, MAX_ACCUMULATOR_BITS)
    return model


def _decode_body(body: bytes, count: int) -> Model:
    reader = bits.Reader(body)
    final, keepdims, dimensions = reader.take(2), reader.take(1), reader.take(4)
    if final >= len(FINALS) or dimensions > MAX_DIMENSIONS:
        raise InputError("the model file's header holds values that version 2 does not know; make it again")
    input_shape = tuple(reader.number() for _ in range(dimensions))
    columns, fraction = reader.number(), reader.signed_number()
    layers: list[Layer] = []
    rows = 0
    for number in range(count):
        try:
            layers.append(_read_layer(reader, columns, fraction, MAX_ROWS - rows))
        except InputError as error:
            raise InputError(f"layer {number}: {error}") from None
        columns, fraction = layers[-1].rows, layers[-1].output_fraction
        rows += columns
    reader.align()
    if reader.left:
        raise InputError(f"{reader.left // 8} bytes follow the model's last layer; make the file again")
    return Model(layers=tuple(layers), final=FINALS[final], keepdims=bool(keepdims), input_shape=input_shape)


def _read_layer(reader: bits.Reader, columns: int, input_fraction: int, most_rows: int) -> Layer:
    rows, relu = reader.number(), reader.take(1)
    if not (1 <= rows <= min(MAX_SIZE, most_rows) and 1 <= columns <= MAX_SIZE):
        raise InputError(f"{rows} x {columns} is no size of a layer; make the file again")
    weight_fraction, output_fraction = reader.signed_number(), reader.signed_number()
    index_bits = reader.take(3) + 1
    values = reader.take(index_bits)
    codebook = np.zeros(1 << index_bits, dtype=np.int16)
    if values:
        width = reader.take(4) + 1
        codebook[1 : values + 1] = bits.signed(reader.fields(values, width), width)
    bias = _read_bias(reader, rows)
    row, column, index = model_weights.read(reader, rows, columns, index_bits, values)
    return Layer(
        rows=rows,
        columns=columns,
        index_bits=index_bits,
        codebook=codebook,
        row=row,
        column=column,
        index=index,
        bias=bias,
        weight_fraction=weight_fraction,
        input_fraction=input_fraction,
        output_fraction=output_fraction,
        relu=bool(relu),
    )


def _read_bias(reader: bits.Reader, rows: int) -> Int64Array:
    width = reader.take(BIAS_BITS)
    if not width:
        return np.zeros(rows, dtype=np.int64)
    shift, coded = reader.take(BIAS_BITS), reader.take(1)
    if width + shift > MAX_ACCUMULATOR_BITS:
        raise InputError(
            f"a bias has {width + shift} bits, but at most {MAX_ACCUMULATOR_BITS} are possible; "
            "make the file again"
        )
    if not coded:
        return bits.signed(reader.fields(rows, width), width) << shift
    if rows > reader.left:  # a bias takes at least a bit
        raise InputError(f"{rows} biases cannot be there; make the file again")
    code = number_code.read(reader)
    parts = []
    for blocks in model_blocks.groups(reader, rows):
        number, end = number_code.decode_lanes(reader.words, blocks.start, blocks.counts, code)
        blocks.close(reader, end)
        if number.max() >> width:
            raise InputError(f"a bias has more than its {width} bits; make the file again")
        parts.append((number >> 1 ^ -(number & 1)) << shift)
    return np.concatenate(parts)
