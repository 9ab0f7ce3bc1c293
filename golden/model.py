r"""The model file (`.tamis`): a pruned, weight-shared network that knows no board.

All numbers are little-endian. The file is a header, the layers in order of execution, and a checksum.

Header::

    offset  bytes  field
    0       8      magic: 8F 54 41 4D 49 53 0D 0A ("\x8fTAMIS\r\n")
    8       2      version, 1
    10      2      number of layers, at least 1
    12      8      length of the whole file in bytes, checksum included
    20      1      final operation, done on the host: 0 none, 1 softmax, 2 argmax
    21      1      flags; bit 0: argmax keeps its axis, giving (batch, 1); other bits zero
    22      1      d, dimensions of an input sample, 0 to 8; 0 when a sample is a plain vector
    23      1      zero
    24      4 d    the dimensions of an input sample; their product is the number of inputs

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

The entries are those of `golden.encoding` over the whole matrix read column by column, as one sequence: the
first gap counts from row 0 of column 0, and a gap runs on across the ends of columns. The run bits are the
writer's choice and have nothing to do with the entries of a device image.

Checksum: CRC-32 (as `zlib.crc32`) of everything before it, 4 bytes. Every version of this format keeps the
magic, the version and the length where they are, and the checksum at the end.
"""

import struct
import zlib
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from golden import encoding
from golden.codebook import MAX_INDEX_BITS
from golden.errors import InputError
from golden.layers import (
    FINALS,
    MAX_ACCUMULATOR_BITS,
    MAX_DIMENSIONS,
    MAX_SIZE,
    Final,
    Int32Array,
    Int64Array,
    Layer,
    Model,
    check,
)

__all__ = ["Final", "Layer", "Model", "check", "decode", "encode"]

MAGIC = b"\x8fTAMIS\r\n"
VERSION = 1
HEADER = struct.Struct("<8sHHQBBBB")
LAYER = struct.Struct("<IIBBBBhhhHQ")
CHUNK = 1 << 20
"""Weights or entries handled at once, which bounds the memory that encoding and decoding need."""


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
    (67, [[0, 5], [-7, 0]])
    """
    check(model, MAX_ACCUMULATOR_BITS)
    parts = [struct.pack(f"<{len(model.input_shape)}I", *model.input_shape)]
    for layer in model.layers:
        parts.extend(_encode_layer(layer))
    length = HEADER.size + sum(len(part) for part in parts) + 4
    header = HEADER.pack(
        MAGIC,
        VERSION,
        len(model.layers),
        length,
        FINALS.index(model.final),
        int(model.keepdims),
        len(model.input_shape),
        0,
    )
    body = b"".join([header, *parts])
    return body + struct.pack("<I", zlib.crc32(body))


def _encode_layer(layer: Layer) -> Iterator[bytes]:
    run_bits, count = _choose_run_bits(layer)
    bias_bytes = _bias_bytes(layer.bias)
    yield LAYER.pack(
        layer.rows,
        layer.columns,
        layer.index_bits,
        run_bits,
        bias_bytes,
        int(layer.relu),
        layer.weight_fraction,
        layer.input_fraction,
        layer.output_fraction,
        0,
        count,
    )
    yield layer.codebook.astype("<i2").tobytes()
    yield layer.bias.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :bias_bytes].tobytes()
    pending = np.zeros(0, dtype=np.uint16)
    for start in range(0, layer.nnz, CHUNK):
        chunk = slice(start, start + CHUNK)
        entries, _ = encoding.encode(_gaps(layer, start), layer.index[chunk], layer.index_bits, run_bits)
        pending = np.concatenate([pending, entries])
        whole = pending.size & ~7
        yield _pack(pending[:whole], layer.index_bits + run_bits)
        pending = pending[whole:]
    yield _pack(pending, layer.index_bits + run_bits)


def _gaps(layer: Layer, start: int) -> Int64Array:
    """Zeros before each of `CHUNK` weights from `start`, the matrix read column by column."""
    before = int(layer.places(start - 1, start)[0]) if start else -1
    return np.diff(layer.places(start, start + CHUNK), prepend=before) - 1


def _choose_run_bits(layer: Layer) -> tuple[int, int]:
    """Run bits that make the layer's entries smallest, and how many entries that gives."""
    splits = range(1, 17 - layer.index_bits)
    counts = dict.fromkeys(splits, 0)
    for start in range(0, layer.nnz, CHUNK):
        gap, times = np.unique(_gaps(layer, start), return_counts=True)
        for run_bits in splits:
            counts[run_bits] += int(encoding.entry_counts(gap, run_bits) @ times)
    best = min(splits, key=lambda run_bits: counts[run_bits] * (layer.index_bits + run_bits))
    return best, counts[best]


def _bias_bytes(bias: Int64Array) -> int:
    """Fewest bytes, 1 to 5, that hold every bias exactly."""
    largest = int(max(bias.max(), -1 - bias.min()))
    return largest.bit_length() // 8 + 1


def _pack(entries: NDArray[np.uint16], bits: int) -> bytes:
    """Concatenate the low `bits` bits of each entry, least significant first."""
    spread = np.unpackbits(entries.astype("<u2").view(np.uint8), bitorder="little").reshape(-1, 16)
    return np.packbits(spread[:, :bits], bitorder="little").tobytes()


def _unpack(data: bytes, count: int, bits: int) -> NDArray[np.uint16]:
    """Inverse of `_pack`."""
    entries = np.empty(count, dtype=np.uint16)
    for start in range(0, count, CHUNK):  # CHUNK entries are a whole number of bytes
        size = min(CHUNK, count - start)
        packed = np.frombuffer(data, np.uint8, -(-size * bits // 8), start * bits // 8)
        spread = np.zeros((size, 16), dtype=np.uint8)
        spread[:, :bits] = np.unpackbits(packed, count=size * bits, bitorder="little").reshape(size, bits)
        entries[start : start + size] = np.packbits(spread, bitorder="little").view("<u2")
    return entries


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
    _, version, count, length, final, flags, dimensions, zero = HEADER.unpack_from(data)
    if length != len(data):
        raise InputError(
            f"the model file has {len(data)} bytes but says that it has {length}: it is truncated or "
            "damaged; copy or make it again"
        )
    if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise InputError("the model file's checksum is wrong: it is damaged; copy or make it again")
    if version != VERSION:
        raise InputError(
            f"the model file has version {version}, but this Tamis reads version {VERSION}; upgrade Tamis"
        )
    if final >= len(FINALS) or flags > 1 or dimensions > MAX_DIMENSIONS or zero:
        raise InputError("the model file's header holds values that version 1 does not know; make it again")
    reader = _Reader(data[:-4], HEADER.size)
    input_shape = struct.unpack(f"<{dimensions}I", reader.take(4 * dimensions))
    layers = tuple(_decode_layer(reader, number) for number in range(count))
    if reader.left:
        raise InputError(f"{reader.left} bytes follow the model's last layer; make the file again")
    model = Model(layers=layers, final=FINALS[final], keepdims=bool(flags), input_shape=input_shape)
    check(model, MAX_ACCUMULATOR_BITS)
    return model


class _Reader:
    """Hands out a file's bytes in order and refuses to go past its end."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position

    @property
    def left(self) -> int:
        return len(self.data) - self.position

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise InputError(
                f"the model file ends {size - self.left} bytes too early; copy it or make it again"
            )
        self.position += size
        return self.data[self.position - size : self.position]


def _decode_layer(reader: _Reader, number: int) -> Layer:
    header = LAYER.unpack(reader.take(LAYER.size))
    rows, columns, index_bits, run_bits, bias_bytes, flags, weight, input_, output, zero, count = header
    sizes_known = 1 <= rows <= MAX_SIZE and 1 <= columns <= MAX_SIZE and 1 <= bias_bytes <= 5
    split_known = 1 <= index_bits <= MAX_INDEX_BITS and 1 <= run_bits <= 16 - index_bits
    if not sizes_known or not split_known or flags > 1 or zero:
        raise InputError(f"layer {number} holds values that version 1 does not know; make the file again")
    codebook = np.frombuffer(reader.take(2 << index_bits), "<i2").astype(np.int16)
    biases = np.frombuffer(reader.take(rows * bias_bytes), np.uint8).reshape(rows, bias_bytes)
    bias = np.zeros((rows, 8), dtype=np.uint8)
    bias[:, :bias_bytes] = biases
    bias[:, bias_bytes:] = np.where(biases[:, -1:] & 0x80, 0xFF, 0)
    bits = index_bits + run_bits
    entries = _unpack(reader.take(-(-count * bits // 8)), count, bits)
    row, column, index = _locate(entries, index_bits, run_bits, rows, columns, number)
    return Layer(
        rows=rows,
        columns=columns,
        index_bits=index_bits,
        codebook=codebook,
        row=row,
        column=column,
        index=index,
        bias=bias.view("<i8")[:, 0].astype(np.int64),
        weight_fraction=weight,
        input_fraction=input_,
        output_fraction=output,
        relu=bool(flags),
    )


def _locate(
    entries: NDArray[np.uint16], index_bits: int, run_bits: int, rows: int, columns: int, number: int
) -> tuple[Int32Array, Int32Array, NDArray[np.uint8]]:
    """Rows, columns and indices of the weights that a layer's entries store."""
    last = np.flatnonzero(entries & ((1 << index_bits) - 1)) + 1  # one past each weight's last entry
    row = np.empty(last.size, dtype=np.int32)
    column = np.empty(last.size, dtype=np.int32)
    index = np.empty(last.size, dtype=np.uint8)
    cuts = [0, *last[CHUNK - 1 :: CHUNK].tolist(), entries.size]
    place, done = -1, 0
    for start, stop in pairwise(cuts):
        gap, indices = encoding.decode(entries[start:stop], index_bits, run_bits)
        if not gap.size:
            continue
        places = place + np.cumsum(gap + 1)
        place = int(places[-1])
        if place >= rows * columns:
            raise InputError(
                f"layer {number} has a weight at place {place} of its {rows} x {columns}; make the file again"
            )
        chunk = slice(done, done + gap.size)
        column[chunk], row[chunk] = np.divmod(places, rows)
        index[chunk] = indices
        done += gap.size
    return row, column, index
