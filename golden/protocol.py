"""The wire protocol: frames with type, sequence number, length, payload and CRC-32.

All integers are little-endian. The body of a frame is

======  ====  ==========================================================
offset  size  field
======  ====  ==========================================================
0       1     type: a `Request`, or the request's value + 0x80 in a reply
1       1     sequence number, chosen by the host, repeated in the reply
2       1     payload length n
3       n     payload
3 + n   4     CRC-32 (zlib) of bytes 0 to 2 + n
======  ====  ==========================================================

A request is COBS (Cheshire and Baker, 1999) of a body, which costs one byte whatever the body is, and
``00``. A reply is a body in which ``7D (byte xor 20)`` stands for each ``7E`` and ``7D`` (HDLC; RFC 1662,
section 4.2), and ``7E``: a device need not know the end of a reply when it sends the beginning. What
stands between two ends and is empty is no frame.

The host speaks first; each intact request is answered by exactly one reply, in order. A reply's
payload starts with a `Code` byte; what follows is empty unless the code is OK (or said below). A
frame whose CRC, length or COBS coding is wrong, or whose type is above 0x7F, changes nothing and gets
a reply of type `DAMAGED` with sequence 0 and code DAMAGED_FRAME.
Credits: the host keeps at most `window` requests (identity) unanswered, or more of them if they are short:
all together they must not take more bytes than `window` of the longest (`credit`). A reply returns what
its request took.
Every request may be repeated without harm: DATA that was already taken is acknowledged and ignored, a
RUN with the number of the run before is not run again. A refused request changes nothing, but for
ACTIVATIONS, INFER, TABLE and CODED.

Request payloads (struct notation) and the reply's payload after its code:

- IDENTIFY: empty -> `IDENTITY`: magic, protocol version, payload limit, window, `Capability` bits, clock in
  Hz, then the geometry (`GEOMETRY_FIELDS`), then `STATUS`.
- BEGIN: `BEGIN` (bank, image CRC) -> empty. Opens a transaction, forgets what the bank held.
  Bank 0 or 1: one half of the memories; bank 2: everything.
- DATA: `DATA` (offset) and image bytes -> `RECEIVED` (bytes taken so far). Section headers and words
  (`golden.image`) must be whole, so that a request ends after one of them (`golden.image.pieces`). All
  bytes are taken if the offset is that of the bytes taken so far, and none otherwise; an offset ahead of
  it gets OFFSET_GAP and the same payload.
- COMMIT: empty -> empty. BAD_IMAGE if the CRC of what arrived is wrong, or if the image named words
  that do not exist, or ended within a section; no word of a section is written if one does not exist.
- ACTIVATIONS: `ACTIVATIONS` (form, PE, address) and groups of values as in `golden.activations`, which says
  what the form is -> empty. Consecutive values go to consecutive PEs, and on to the next address after the
  last PE. With BAD_LENGTH, as if they end within a group or one has no place, the places may hold anything.
- INFER: `PLACE` (memory ACTIVATIONS), `STEPS` (first step, last step), and a whole payload of ACTIVATIONS ->
  `OUTCOME` (cycles and stalls of the run), and words as of OUTPUTS. Writes the values, runs the steps, and
  reads the place when they have ended. NOT_COMMITTED also if the run ended with a fault. It runs whenever it
  comes, and leaves the number of the run before; to repeat it without harm, repeat all values.
- RUN: `RUN` (run number, first step, last step) -> empty once it has been accepted. Number 0xFFFF stands
  for no run, and is for no RUN to use.
- STATUS: empty -> `STATUS`.
- READ: `PLACE` -> the words, as in an image. `PLACE` is memory, bytes per word, PE, address, and number of
  words, at least 1: the header of an image's section.
- OUTPUTS: `PLACE` (memory ACTIVATIONS) -> the words in the order of ACTIVATIONS.
- RESET: empty -> empty. Stops and resets the engine (memories keep their contents, commits are
  forgotten, accumulators are cleared); the link's counters are zeroed.

Devices that decode (`Capability.CODED_LOADS`) know two more; for others they are unknown requests.

- TABLE: `TABLE` (address) and bytes of the decoder's table (`golden.coded`) -> empty. Its symbols stand at
  addresses 0 to 255, in as many requests as are needed; the last request brings the 15 counts, at address
  257. BAD_TABLE if they make no complete code of at most 256 words. From the first request to the counts,
  and after any that is refused, the device has no table. It keeps a table until the next one.
- CODED: `CODED` (offset, count) and bytes -> `RECEIVED`. As DATA, and in its place wherever one pleases, but
  the bytes are Huffman code (`golden.huffman`) of so many bytes of the image, which offset and image CRC
  mean. With count 0 they are image bytes as in DATA. BAD_CODE, and the end of the transaction, if there is
  no table, or the code is too short for the count; what follows the last word means nothing.
"""

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import NamedTuple

from cobs import cobs

from golden.geometry import Geometry

VERSION = 4
MAGIC = b"TAMIS"
REPLY = 0x80
DAMAGED = 0xFF
FLAG = 0x7E
"""Ends a reply on the wire."""
ESCAPE = 0x7D
ESCAPED = 0x20
"""What a byte of a reply that means something else on the wire is changed by."""
PAYLOAD_LIMIT = 176
"""Default largest payload, of requests and replies alike; a board may declare another. With it, two
requests and a device's variables fit in 512 bytes."""
LARGEST_LIMIT = 244
"""Largest payload limit: a request is one COBS block."""
WINDOW = 2
HEADER = struct.Struct("<BBB")
OVERHEAD = HEADER.size + 4


def credit(window: int, payload_limit: int) -> int:
    """Bytes on the line of the requests that may be unanswered.

    >>> credit(WINDOW, PAYLOAD_LIMIT)
    370
    """
    return window * (payload_limit + OVERHEAD + 2)


class Request(IntEnum):
    """Frame types from the host."""

    IDENTIFY = 1
    BEGIN = 2
    COMMIT = 3
    RUN = 4
    STATUS = 5
    RESET = 6
    READ = 7
    OUTPUTS = 8
    DATA = 9
    ACTIVATIONS = 10
    INFER = 11
    TABLE = 12
    CODED = 13


FIRST_OPEN = Request.DATA
"""From here on the payload goes on behind its arguments."""


class Code(IntEnum):
    """First byte of every reply."""

    OK = 0
    DAMAGED_FRAME = 1
    UNKNOWN_REQUEST = 2
    BAD_LENGTH = 3
    """The payload's length does not suit the request."""
    BUSY = 4
    """The engine is running, and the request needs it idle (or needs a bank that the run uses)."""
    NOT_COMMITTED = 5
    NO_TRANSACTION = 6
    OFFSET_GAP = 7
    BAD_IMAGE = 8
    OUT_OF_RANGE = 9
    BAD_TABLE = 10
    BAD_CODE = 11


class Fault(IntEnum):
    """Why the engine stopped a run by itself, or refused one, or no model was loaded at power-up."""

    NONE = 0
    NOT_COMMITTED = 1
    """A step named a bank that was not committed when its turn came."""
    FLASH_FOREIGN = 2
    """What lies in flash in an image's place is none for this device (`golden.flash`)."""
    FLASH_DAMAGED = 3
    """The image in flash is damaged; like the one above it is forgotten when a load begins."""


class Capability(IntFlag):
    """What a device can do besides what all can."""

    CODED_LOADS = 1


PLACE = struct.Struct("<BBHHH")
BEGIN = struct.Struct("<BxxxI")
DATA = struct.Struct("<I")
RECEIVED = struct.Struct("<I")
RUN = struct.Struct("<HBB")
ACTIVATIONS = struct.Struct("<BBH")
STEPS = struct.Struct("<BB")
OUTCOME = struct.Struct("<II")
CODED = struct.Struct("<IB")
TABLE = struct.Struct("<H")
IDENTITY = struct.Struct("<5sBHBBxxI")
STATUS = struct.Struct("<BBBBHHIIIIIIII")
WHOLE = 2
"""Bank number that stands for all of the memories."""

GEOMETRY_FIELDS = (
    "pes", "queue_depth", "entry_bits", "word_entries", "matrix_words", "pointer_words",
    "accumulators", "activations", "accumulator_bits", "codebook_entries", "steps", "scan_width",
    "padding_zeros", "empty_columns", "output_registers",
)  # fmt: skip
"""Order of the geometry in the identity; each is a uint32."""
GEOMETRY = struct.Struct(f"<{len(GEOMETRY_FIELDS)}I")


class Status(NamedTuple):
    """Payload of a STATUS reply, and the end of the identity; fields as in `STATUS`."""

    busy: int
    """1 while a run is in progress."""
    fault: int
    """A `Fault`: of the last run, or of power-up."""
    committed: int
    """Bit b: bank b holds a committed image."""
    transaction: int
    """1 while a transaction is open."""
    run: int
    """Number of the last accepted run; 0xFFFF after reset."""
    step: int
    """Step that is running, or that ended last."""
    received: int
    """Image bytes taken in the current transaction."""
    crc_bank0: int
    """CRC-32 of the image that bank 0 holds, if it is committed; likewise bank 1."""
    crc_bank1: int
    cycles: int
    """Clock cycles of the last run, from start accepted to last activation written."""
    stalls: int
    """Cycles of the last run in which an activation was ready and the broadcast was not."""
    frames: int
    """Intact frames since reset, modulo 2**16; likewise the next two."""
    damaged: int
    """Frames with a wrong CRC, length or coding since reset."""
    overruns: int
    """Times since reset that bytes were lost, because no buffer was free or by UART framing errors; those
    between the beginnings of two frames count as one."""


@dataclass(frozen=True)
class Identity:
    """What a device says of itself."""

    version: int
    payload_limit: int
    window: int
    clock_hz: int
    geometry: Geometry
    status: Status
    capabilities: int = 0

    def encode(self) -> bytes:
        """Payload of the IDENTIFY reply, without the code byte."""
        values = self.geometry.as_dict()
        return (
            IDENTITY.pack(
                MAGIC, self.version, self.payload_limit, self.window, self.capabilities, self.clock_hz
            )
            + GEOMETRY.pack(*(values[name] for name in GEOMETRY_FIELDS))
            + STATUS.pack(*self.status)
        )

    @classmethod
    def decode(cls, payload: bytes) -> "Identity":
        """Inverse of `encode`.

        Raises
        ------
        ValueError
            If the payload is no identity, or one of another protocol version.
        """
        if payload[: len(MAGIC)] != MAGIC or len(payload) < IDENTITY.size:
            raise ValueError("the device does not identify itself as a Tamis engine")
        _, version, limit, window, capabilities, clock_hz = IDENTITY.unpack_from(payload)
        if version != VERSION:
            raise ValueError(
                f"the device speaks protocol version {version}, and this host version {VERSION}; "
                "build board and host from the same release"
            )
        if len(payload) != IDENTITY.size + GEOMETRY.size + STATUS.size:
            raise ValueError(f"an identity of {len(payload)} bytes is malformed")
        numbers = GEOMETRY.unpack_from(payload, IDENTITY.size)
        geometry = Geometry.from_dict(dict(zip(GEOMETRY_FIELDS, numbers, strict=True)))
        status = Status(*STATUS.unpack_from(payload, IDENTITY.size + GEOMETRY.size))
        return cls(version, limit, window, clock_hz, geometry, status, capabilities)


@dataclass(frozen=True)
class Frame:
    """One frame's body: type, sequence number and payload."""

    type: int
    sequence: int
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    """Bytes of a request on the wire, the closing zero included.

    >>> decode(encode(Frame(Request.DATA, 7, b"abc"))[:-1])
    Frame(type=9, sequence=7, payload=b'abc')
    """
    return bytes(cobs.encode(_body(frame))) + b"\0"


def decode(wire: bytes) -> Frame:
    """Request from the bytes between two zeros.

    Raises
    ------
    ValueError
        If coding, length or CRC is wrong.
    """
    try:
        return _frame(cobs.decode(wire))
    except cobs.DecodeError as error:
        raise ValueError(f"not a COBS frame: {error}") from None


def encode_reply(frame: Frame) -> bytes:
    r"""Bytes of a reply on the wire, the closing flag included.

    >>> decode_reply(encode_reply(Frame(REPLY | Request.READ, 7, bytes([0, FLAG, ESCAPE])))[:-1])
    Frame(type=135, sequence=7, payload=b'\x00~}')
    """
    wire = bytearray()
    for byte in _body(frame):
        wire += bytes([ESCAPE, byte ^ ESCAPED]) if byte in (FLAG, ESCAPE) else bytes([byte])
    return bytes(wire) + bytes([FLAG])


def decode_reply(wire: bytes) -> Frame:
    """Reply from the bytes between two flags.

    Raises
    ------
    ValueError
        If coding, length or CRC is wrong.
    """
    first, *others = wire.split(bytes([ESCAPE]))
    if not all(others):
        raise ValueError("the frame escapes no byte")
    return _frame(first + b"".join(bytes([part[0] ^ ESCAPED]) + part[1:] for part in others))


def _body(frame: Frame) -> bytes:
    body = HEADER.pack(frame.type, frame.sequence, len(frame.payload)) + frame.payload
    return body + struct.pack("<I", zlib.crc32(body))


def _frame(body: bytes) -> Frame:
    if len(body) < OVERHEAD:
        raise ValueError(f"a frame has at least {OVERHEAD} bytes, not {len(body)}")
    kind, sequence, length = HEADER.unpack_from(body)
    if length != len(body) - OVERHEAD:
        raise ValueError(f"the frame says {length} payload bytes and has {len(body) - OVERHEAD}")
    if struct.unpack("<I", body[-4:])[0] != zlib.crc32(body[:-4]):
        raise ValueError("the frame's CRC is wrong")
    return Frame(kind, sequence, body[HEADER.size : -4])
