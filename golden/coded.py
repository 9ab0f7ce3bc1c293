"""Coded loads: an image cut into requests whose bytes are Huffman code, with tables of its own statistics.

The symbols are bytes of the image, whatever they are part of: entries where these have 8 bits, and lengths in
pointer words. An image's memories follow one another and differ in their statistics, so it is cut into runs
of whole memories, and every run is coded with a table of its own, or not at all, whatever takes fewest bytes
on the wire, tables included. Each request's code begins on a byte, so a request that is repeated is decoded
alone.

A device keeps the table in a memory of 512 bytes: at address i symbol i, sorted by the length of their words
(`golden.huffman.Tables.symbols`), and at `COUNTS` + n how many words have n bits, n from 1 to 15.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden import huffman, protocol
from golden.huffman import MAX_LENGTH
from golden.image import SECTION
from golden.payloads import of_image
from golden.protocol import Code, Request

SYMBOLS = 256
COUNTS = 256
"""Address of the number of words of 0 bits, which is not used."""
LONGEST = 255
"""Image bytes that one request may bring as code."""
WIRE_OVERHEAD = protocol.OVERHEAD + 2
"""Bytes of a request on the wire besides its payload: header, CRC, code byte of COBS, and closing zero."""

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Requests of one kind, in order.

    Attributes
    ----------
    request : Request
        TABLE or CODED; DATA for an image that is not coded.
    payloads : list of bytes
    ends : list of int
        Image bytes taken when so many of them were answered; one more than there are payloads.
    """

    request: Request
    payloads: list[bytes]
    ends: list[int]

    @property
    def wire_bytes(self) -> int:
        """Bytes that they take on the wire."""
        return sum(map(len, self.payloads)) + WIRE_OVERHEAD * len(self.payloads)


def batches(image: bytes, limit: int) -> list[Batch]:
    """Requests that bring an image with the fewest bytes on the wire, which may be those of an uncoded load.

    Parameters
    ----------
    image : bytes
        Payload of an image (`golden.image`).
    limit : int
        Bytes of the longest payload.

    Returns
    -------
    list of Batch
        To be answered one after another.
    """
    ends = _ends(image)
    joints = _joints(image)
    best: list[tuple[int, list[Batch]]] = [(0, [])]
    for last in range(1, len(joints)):
        choices = [
            (best[first][0] + sum(batch.wire_bytes for batch in way), best[first][1] + way)
            for first in range(last)
            for way in _ways(image, joints[first], joints[last], ends, limit)
        ]
        best.append(min(choices, key=lambda choice: choice[0]))
    whole = uncoded(image, limit)
    return best[-1][1] if best[-1][0] < whole.wire_bytes else [whole]


def _ways(image: bytes, start: int, end: int, ends: IntArray, limit: int) -> Iterator[list[Batch]]:
    """A run as it is, and with a table of its own, if there is one."""
    yield [uncoded(image[start:end], limit, start)]
    symbols = np.frombuffer(image, np.uint8)[start:end]
    lengths = huffman.lengths(np.bincount(symbols, minlength=SYMBOLS))
    if huffman.tables(lengths).count.max() < SYMBOLS and np.count_nonzero(lengths) > 1:
        table = of_table(lengths, limit)
        yield [
            Batch(Request.TABLE, table, [start] * (len(table) + 1)),
            _coded(image, start, end, ends, limit, lengths),
        ]


def of_table(lengths: NDArray[np.uint8], limit: int) -> list[bytes]:
    """Payloads of TABLE for a complete code, given by the lengths of the 256 bytes' words.

    >>> [payload.hex(" ") for payload in of_table(np.array([2, 1, 2]), 128)]
    ['00 00 01 00 02', '01 01 01 02 00 00 00 00 00 00 00 00 00 00 00 00 00']
    """
    tables = huffman.tables(lengths)
    symbols = tables.symbols.astype(np.uint8).tobytes()
    room = limit - protocol.TABLE.size
    pieces = [(start, symbols[start : start + room]) for start in range(0, len(symbols), room)]
    pieces.append((COUNTS + 1, tables.count[1:].astype(np.uint8).tobytes()))
    return [protocol.TABLE.pack(address) + piece for address, piece in pieces]


def uncoded(image: bytes, limit: int, start: int = 0) -> Batch:
    """The requests that bring an image, or whole sections of one from byte `start` on, as they are."""
    return Batch(Request.DATA, *of_image(image, limit, start))


def _coded(
    image: bytes, start: int, end: int, ends: IntArray, limit: int, lengths: NDArray[np.uint8]
) -> Batch:
    """A run of which each request is coded, unless it takes more of the image as it is."""
    symbols = np.frombuffer(image, np.uint8)
    bits = np.concatenate([[0], np.cumsum(lengths[symbols[start:end]].astype(np.int64))])
    room = limit - protocol.CODED.size
    places, payloads = [start], []
    while (place := places[-1]) < end:
        reach = start + int(np.searchsorted(bits, bits[place - start] + 8 * room, side="right")) - 1
        coded = _cut(ends, place, min(end, place + LONGEST, reach))
        plain = _cut(ends, place, min(end, place + room))
        if coded >= plain:
            code = huffman.encode(symbols[place:coded], lengths)
            payloads.append(protocol.CODED.pack(place, coded - place) + code)
        else:
            payloads.append(protocol.CODED.pack(place, 0) + image[place:plain])
        places.append(max(coded, plain))
    return Batch(Request.CODED, payloads, places)


def _cut(ends: IntArray, place: int, reach: int) -> int:
    """The last end of a header or a word up to `reach`."""
    end = int(ends[np.searchsorted(ends, reach, side="right") - 1])
    return end if end > place else reach


def _sections(image: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Memory, and where the header, the words and what follows them begin, and bytes of a word."""
    place = 0
    while place + SECTION.size <= len(image):
        memory, size, _, _, count = SECTION.unpack_from(image, place)
        yield memory, place, size, count
        place += SECTION.size + size * count


def _ends(image: bytes) -> IntArray:
    """Where headers and words end, 0 and the image's end too, ascending."""
    found = [np.zeros(1, dtype=np.int64)]
    for _, place, size, count in _sections(image):
        found.append(place + SECTION.size + size * np.arange(count + 1, dtype=np.int64))
    ends = np.unique(np.concatenate([*found, [len(image)]]))
    return ends[ends <= len(image)]


def _joints(image: bytes) -> list[int]:
    """Where the sections of another memory begin, and the image's ends."""
    joints, before = [0], None
    for memory, place, _, _ in _sections(image):
        if before not in (None, memory):
            joints.append(place)
        before = memory
    return [*joints, len(image)] if image else joints


class Table:
    """A device's table, and what it decodes with it: the model for gateware and devices in tests."""

    def __init__(self) -> None:
        self.memory = bytearray(2 * SYMBOLS)
        self.ready = False

    def write(self, payload: bytes) -> Code:
        """Carry out a TABLE request."""
        (address,) = protocol.TABLE.unpack_from(payload)
        data = payload[protocol.TABLE.size :]
        self.ready = False
        if address > COUNTS + 1 or address == COUNTS or (address < COUNTS < address + len(data)):
            return Code.OUT_OF_RANGE
        if address > COUNTS and len(data) != MAX_LENGTH:
            return Code.BAD_LENGTH
        self.memory[address : address + len(data)] = data
        if address > COUNTS:
            free = 1  # words of this length that are no words' beginnings
            for count in data:
                free = 2 * free - count
                if free < 0:
                    return Code.BAD_TABLE
            if free or sum(data) > SYMBOLS:
                return Code.BAD_TABLE
            self.ready = True
        return Code.OK

    def decode(self, code: bytes, count: int) -> tuple[bytes, bool]:
        """Bytes that a code stands for, zeros behind its end, and whether it is long enough."""
        found = bytearray()
        place = 0
        if not self.ready:
            return b"", False
        while len(found) < count:
            rest, base = 0, 0
            for length in range(1, MAX_LENGTH + 1):
                if place == 8 * len(code):
                    return bytes(found) + bytes(count - len(found)), False
                rest = 2 * rest + (code[place // 8] >> place % 8 & 1)
                place += 1
                words = self.memory[COUNTS + length]
                if rest < words:
                    break
                rest, base = rest - words, base + words
            found.append(self.memory[base + rest])
        return bytes(found), True
