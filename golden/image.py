"""The device image: what a load writes into an engine's memories, and the file that holds one image.

All integers are little-endian. The payload, which a board's loader executes as it arrives, is a
string of sections; each is

======  ====  ====================================================================
offset  size  field
======  ====  ====================================================================
0       1     memory, a `golden.memories.Memory`
1       1     bytes b of one word, `golden.memories.word_bytes`
2       2     PE, or 0xFFFF for every PE at once
4       2     address of the first word
6       2     number of words n, 1 to 65535
8       n*b   the words, one after another
======  ====  ====================================================================

A word of the sparse-matrix memory holds `word_entries` entries, the first one lowest. Pointer words
are described in `golden.pointers`, steps (eight words each) in `golden.steps`. Codebook values are int16.
A bias takes whole matrix words, the lowest bits first, sign-extended.

An image belongs to bank 0 or 1 (it then writes only that half of every memory) or to bank 2, the
whole engine. On disk it is wrapped:

======  ====  ====================================================================
offset  size  field
======  ====  ====================================================================
0       8     magic ``TAMISIMG``
8       2     version, 2
10      1     bank, 0 to 2
11      1     zero
12      60    geometry: 15 uint32 in the order of `golden.protocol.GEOMETRY_FIELDS`
72      4     payload length n
76      4     CRC-32 (zlib) of the payload, which BEGIN announces to the device
80      n     payload
80 + n  4     CRC-32 of bytes 0 to 79 + n
======  ====  ====================================================================
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import InputError
from golden.geometry import Geometry
from golden.memories import ALL_PES, Memory, depth, word_bits, word_bytes
from golden.protocol import GEOMETRY, GEOMETRY_FIELDS, WHOLE
from golden.steps import WORDS_PER_STEP

MAGIC = b"TAMISIMG"
VERSION = 2
SECTION = struct.Struct("<BBHHH")
PREFIX = struct.Struct(f"<8sHBx{GEOMETRY.size}sII")
LARGEST_SECTION = 0xFFFF
BANKED = (Memory.MATRIX, Memory.POINTERS, Memory.CODEBOOK, Memory.STEPS)
"""Memories that streaming divides in two halves."""

WordArray = NDArray[np.uint64]
Memories = Mapping[Memory, NDArray[Any]]
"""Raw words of each memory, shape (PEs, depth); one row for the steps."""


def bank_range(geometry: Geometry, memory: Memory, bank: int) -> range:
    """Addresses of `memory` that `bank` owns: a half (0, 1), or everything (`WHOLE`).

    >>> bank_range(Geometry(matrix_words=2048), Memory.MATRIX, 1)
    range(1024, 2048)
    """
    words = depth(geometry, memory)
    if bank == WHOLE:
        return range(words)
    unit = {Memory.STEPS: WORDS_PER_STEP, Memory.POINTERS: geometry.pointer_pieces}.get(memory, 1)
    half = words // unit // 2 * unit
    return range(bank * half, (bank + 1) * half)


def words_to_bytes(words: Any, size: int) -> bytes:
    """Little-endian words of `size` bytes."""
    raw = np.ascontiguousarray(words, dtype="<u8").view(np.uint8).reshape(-1, 8)
    return raw[:, :size].tobytes()


def bytes_to_words(data: bytes, size: int) -> WordArray:
    """Inverse of `words_to_bytes`.

    >>> bytes_to_words(words_to_bytes([1, 0x20304], 3), 3).tolist()
    [1, 131844]
    """
    raw = np.zeros((len(data) // size, 8), dtype=np.uint8)
    raw[:, :size] = np.frombuffer(data, dtype=np.uint8).reshape(-1, size)
    return raw.view("<u8").reshape(-1).astype(np.uint64)


@dataclass(frozen=True, eq=False)
class Section:
    """Consecutive words of one memory of one PE (or of all)."""

    memory: Memory
    pe: int
    address: int
    words: WordArray


class ImageBuilder:
    """Collects writes and emits them as sections, joining neighbours.

    Examples
    --------
    >>> builder = ImageBuilder(Geometry(pes=4))
    >>> builder.write(Memory.CODEBOOK, ALL_PES, 0, [0, -1])
    >>> builder.write(Memory.CODEBOOK, ALL_PES, 2, [7])
    >>> builder.payload().hex(" ")
    '02 02 ff ff 00 00 03 00 00 00 ff ff 07 00'
    """

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self.bytes_written = 0
        self._writes: dict[tuple[Memory, int], list[tuple[int, WordArray]]] = {}

    def write(self, memory: Memory, pe: int, address: int, words: Any) -> None:
        """Write integers (signed ones are cut to the memory's width) from `address` on."""
        mask = (1 << word_bits(self.geometry, memory)) - 1
        cut = (np.asarray(words).astype(np.int64) & mask).astype(np.uint64)
        if cut.size:
            self._writes.setdefault((memory, pe), []).append((address, cut))
            self.bytes_written += cut.size * word_bytes(self.geometry, memory)

    def sections(self) -> Iterator[Section]:
        """Sections in order of memory, PE and address."""
        for (memory, pe), writes in sorted(self._writes.items()):
            writes = sorted(writes, key=lambda write: write[0])
            ends = [address + words.size for address, words in writes]
            joints = [i for i in range(1, len(writes)) if writes[i][0] != ends[i - 1]]
            for first, last in zip([0, *joints], [*joints, len(writes)], strict=True):
                words = np.concatenate([piece for _, piece in writes[first:last]])
                for start in range(0, words.size, LARGEST_SECTION):
                    piece = words[start : start + LARGEST_SECTION]
                    yield Section(memory, pe, writes[first][0] + start, piece)

    def payload(self) -> bytes:
        """The image's bytes."""
        parts = []
        for section in self.sections():
            size = word_bytes(self.geometry, section.memory)
            parts.append(SECTION.pack(section.memory, size, section.pe, section.address, section.words.size))
            parts.append(words_to_bytes(section.words, size))
        return b"".join(parts)


def sections(payload: bytes, geometry: Geometry, bank: int = WHOLE) -> Iterator[Section]:
    """Read the sections of a payload, checking each against the geometry and the bank.

    Raises
    ------
    InputError
        If the payload ends within a section, or a section does not suit the engine.
    """
    position = 0
    while position < len(payload):
        if len(payload) - position < SECTION.size:
            raise InputError(f"the image ends within a section header at byte {position}; make it again")
        code, size, pe, address, count = SECTION.unpack_from(payload, position)
        where = f"the image's section at byte {position}"
        if code not in set(Memory) or code == Memory.COUNTERS:
            raise InputError(f"{where} names memory {code}, which cannot be written; make it again")
        memory = Memory(code)
        if size != word_bytes(geometry, memory):
            raise InputError(
                f"{where} has {memory.name.lower()} words of {size} bytes, but this engine's have "
                f"{word_bytes(geometry, memory)}; make the image for this geometry"
            )
        if pe >= geometry.pes and pe != ALL_PES and memory is not Memory.STEPS:
            raise InputError(f"{where} is for PE {pe}, but the last PE is {geometry.pes - 1}")
        owned = bank_range(geometry, memory, bank)
        if bank != WHOLE and memory not in BANKED:
            raise InputError(f"{where} writes {memory.name.lower()}, which belong to no bank")
        if count == 0 or address < owned.start or address + count > owned.stop:
            raise InputError(
                f"{where} writes {count} {memory.name.lower()} words from {address} on, but the bank has "
                f"{owned.start} to {owned.stop - 1}"
            )
        position += SECTION.size
        if len(payload) - position < count * size:
            raise InputError(
                f"{where} has {count * size} bytes of words, but {len(payload) - position} follow; "
                "make the image again"
            )
        words = bytes_to_words(payload[position : position + count * size], size)
        if int(words.max()) >> word_bits(geometry, memory):
            raise InputError(f"{where} has a word wider than {word_bits(geometry, memory)} bits")
        position += count * size
        yield Section(memory, pe, address, words)


def pieces(payload: bytes, room: int) -> Iterator[bytes]:
    """Cut a payload into pieces of at most `room` bytes, each of which ends after a section header or a word.

    >>> payload = SECTION.pack(Memory.CODEBOOK, 2, 0, 0, 5) + bytes(10)
    >>> [len(piece) for piece in pieces(payload, 13)]
    [12, 6]
    """
    start = section = 0
    while start < len(payload):
        cut = limit = start + room
        while section < len(payload):
            words = section + SECTION.size
            size, count = 1, 0  # of a header that is cut off
            if words <= len(payload):
                _, size, _, _, count = SECTION.unpack_from(payload, section)
            if words + size * count > limit:
                whole = words + (limit - words) // max(size, 1) * size
                cut = section if words > limit else max(whole, words)
                break
            section = words + size * count
        cut = cut if start < cut <= limit else limit
        yield payload[start:cut]
        start = cut


def apply(payload: bytes, geometry: Geometry, memories: Memories, bank: int = WHOLE) -> None:
    """Write a payload into memories (see `Memories`), nothing if it is bad."""
    for section in list(sections(payload, geometry, bank)):
        one = slice(None) if section.pe == ALL_PES else slice(section.pe, section.pe + 1)
        pes = slice(None) if section.memory is Memory.STEPS else one
        memories[section.memory][pes, section.address : section.address + section.words.size] = section.words


@dataclass(frozen=True)
class Image:
    """One device image: sections for one bank of one geometry."""

    geometry: Geometry
    bank: int
    payload: bytes = field(repr=False)

    @property
    def crc(self) -> int:
        """CRC-32 of the payload."""
        return zlib.crc32(self.payload)


def encode(image: Image) -> bytes:
    """Bytes of an image file.

    >>> image = Image(Geometry(pes=3), WHOLE, b"")
    >>> decode(encode(image)) == image
    True
    """
    values = image.geometry.as_dict()
    geometry = GEOMETRY.pack(*(values[name] for name in GEOMETRY_FIELDS))
    prefix = PREFIX.pack(MAGIC, VERSION, image.bank, geometry, len(image.payload), image.crc)
    data = prefix + image.payload
    return data + struct.pack("<I", zlib.crc32(data))


def decode(data: bytes) -> Image:
    """Image from the bytes of a file; the inverse of `encode`.

    Raises
    ------
    InputError
        If the bytes are no image, are damaged, or come from another version.
    """
    if data[: len(MAGIC)] != MAGIC:
        raise InputError("this is not a device image: it does not start with TAMISIMG")
    if len(data) < PREFIX.size + 4:
        raise InputError(
            f"the image file ends after {len(data)} bytes, within its header; copy or make it again"
        )
    _, version, bank, packed, length, crc = PREFIX.unpack_from(data)
    if version != VERSION:
        raise InputError(
            f"the image has version {version}, and this program reads version {VERSION}; "
            "make the image again from its model file"
        )
    if len(data) != PREFIX.size + length + 4:
        raise InputError(
            f"the image file has {len(data)} bytes, but its header asks for {PREFIX.size + length + 4}; "
            "copy or make it again"
        )
    payload = data[PREFIX.size : -4]
    if struct.unpack("<I", data[-4:])[0] != zlib.crc32(data[:-4]) or crc != zlib.crc32(payload):
        raise InputError("the image file is damaged: its CRC does not match; copy or make it again")
    fields = dict(zip(GEOMETRY_FIELDS, GEOMETRY.unpack(packed), strict=True))
    try:
        geometry = Geometry.from_dict(fields)
    except ValueError as error:
        raise InputError(f"the image names an impossible engine: {error}") from None
    if bank > WHOLE:
        raise InputError(f"the image names bank {bank}; banks are 0, 1 and {WHOLE}")
    return Image(geometry, bank, payload)


def check(image: Image) -> int:
    """Number of sections, each of which suits the image's geometry and bank.

    Raises
    ------
    InputError
        As `sections`.
    """
    return sum(1 for _ in sections(image.payload, image.geometry, image.bank))
