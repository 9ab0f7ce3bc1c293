"""A device in pure Python, on `golden.protocol` and `golden.engine`, and a line that damages bytes."""

import zlib
from typing import NamedTuple

import numpy as np

from golden import activations, coded, protocol
from golden.engine import Engine
from golden.errors import DeviceError, InputError
from golden.execute import RunReport
from golden.geometry import Geometry
from golden.image import words_to_bytes
from golden.memories import Memory, word_bytes
from golden.protocol import WHOLE, Code, Frame, Identity, Request, Status
from host.transport import Transport

Answer = tuple[Code, bytes]
DONE: Answer = (Code.OK, b"")


class Transaction(NamedTuple):
    """An open load."""

    bank: int
    crc: int
    received: bytes = b""


class DeviceModel:
    """A transport whose far end answers at once; a reply that is not there now never comes.

    Parameters
    ----------
    geometry : Geometry
    payload_limit, window : int
    busy_polls : int
        Requests that find a run still in progress.
    capabilities : int
        What it can do besides what all can.
    """

    name = "model"

    def __init__(
        self,
        geometry: Geometry,
        *,
        payload_limit: int = 128,
        window: int = 2,
        busy_polls: int = 2,
        capabilities: int = 0,
    ) -> None:
        self.engine = Engine(geometry, lambda _geometry, traces: RunReport(100 * len(traces), len(traces)))
        self.payload_limit = payload_limit
        self.window = window
        self.busy_polls = busy_polls
        self.capabilities = capabilities
        self.table = coded.Table()
        self.incoming = bytearray()
        self.outgoing = bytearray()
        self.requests: list[Request] = []
        self.unanswered: list[int] = []
        self.most_unanswered = 0
        """Requests."""
        self.most_bytes_unanswered = 0
        self.longest = 0
        """Bytes of a request on the line."""
        self.frames = self.damaged = self.runs = 0
        self.running = False
        self.press_reset()

    def press_reset(self) -> None:
        """Forget what a reset makes a device forget."""
        self.engine.reset()
        self.running = False
        self.remaining = 0
        self.run = 0xFFFF
        self.report = RunReport(0, 0)
        self.crcs: dict[int, int] = {}
        self.transaction: Transaction | None = None

    def write(self, data: bytes) -> None:
        self.incoming += data
        while (end := self.incoming.find(0)) >= 0:
            wire = bytes(self.incoming[:end])
            del self.incoming[: end + 1]
            if wire:
                self.outgoing += self.answer(wire)

    def read(self, size: int, timeout: float) -> bytes:
        data = bytes(self.outgoing[:size])
        del self.outgoing[:size]
        del self.unanswered[: data.count(protocol.FLAG)]
        return data

    def close(self) -> None:
        pass

    def answer(self, wire: bytes) -> bytes:
        """The reply to what came between two zeros."""
        self.unanswered.append(len(wire) + 1)
        self.longest = max(self.longest, self.unanswered[-1])
        self.most_unanswered = max(self.most_unanswered, len(self.unanswered))
        self.most_bytes_unanswered = max(self.most_bytes_unanswered, sum(self.unanswered))
        try:
            frame = protocol.decode(wire)
            request = Request(frame.type)
        except ValueError:
            self.damaged += 1
            return protocol.encode_reply(Frame(protocol.DAMAGED, 0, bytes([Code.DAMAGED_FRAME])))
        self.frames += 1
        self.requests.append(request)
        code, payload = getattr(self, f"on_{request.name.lower()}")(frame.payload)
        reply = bytes([code]) + payload
        longer = protocol.OUTCOME.size if request == Request.INFER else 0
        assert max(len(reply) - longer, len(frame.payload)) <= self.payload_limit
        return protocol.encode_reply(Frame(request | protocol.REPLY, frame.sequence, reply))

    def busy(self) -> bool:
        """Whether a run is in progress; each question brings its end nearer."""
        if self.running and self.remaining == 0:
            self.report = self.engine.wait()
            self.running = False
        self.remaining = max(0, self.remaining - 1)
        return self.running

    def status(self) -> Status:
        received = len(self.transaction.received) if self.transaction else 0
        return Status(
            busy=self.busy(),
            fault=0,
            committed=sum(1 << bank for bank in self.crcs),
            transaction=self.transaction is not None,
            run=self.run,
            step=0,
            received=received,
            crc_bank0=self.crcs.get(0, 0),
            crc_bank1=self.crcs.get(1, 0),
            cycles=self.report.cycles,
            stalls=self.report.stalls,
            frames=self.frames,
            damaged=self.damaged,
            overruns=0,
        )

    def on_identify(self, payload: bytes) -> Answer:
        geometry = self.engine.geometry
        identity = Identity(
            protocol.VERSION,
            self.payload_limit,
            self.window,
            1_000_000,
            geometry,
            self.status(),
            self.capabilities,
        )
        return Code.OK, identity.encode()

    def on_status(self, payload: bytes) -> Answer:
        return Code.OK, protocol.STATUS.pack(*self.status())

    def on_reset(self, payload: bytes) -> Answer:
        self.press_reset()
        self.frames = self.damaged = 0
        return DONE

    def on_begin(self, payload: bytes) -> Answer:
        bank, crc = protocol.BEGIN.unpack(payload)
        if self.busy() and bank == WHOLE:
            return Code.BUSY, b""
        self.transaction = Transaction(bank, crc)
        for half in halves(bank):
            self.crcs.pop(half, None)
            self.engine.committed.discard(half)
        return DONE

    def on_table(self, payload: bytes) -> Answer:
        return self.table.write(payload), b""

    def on_coded(self, payload: bytes) -> Answer:
        offset, count = protocol.CODED.unpack_from(payload)
        return self.take(offset, count, payload[protocol.CODED.size :])

    def on_data(self, payload: bytes) -> Answer:
        (offset,) = protocol.DATA.unpack_from(payload)
        return self.take(offset, 0, payload[protocol.DATA.size :])

    def take(self, offset: int, count: int, data: bytes) -> Answer:
        """Bytes of an image, or code of `count` of them."""
        if self.transaction is None:
            return Code.NO_TRANSACTION, b""
        received = self.transaction.received
        if offset == len(received):
            if count:
                data, sound = self.table.decode(data, count)
                if not sound:
                    self.transaction = None
                    return Code.BAD_CODE, b""
            received += data
            self.transaction = self.transaction._replace(received=received)
        code = Code.OFFSET_GAP if offset > len(received) else Code.OK
        return code, protocol.RECEIVED.pack(len(received))

    def on_commit(self, payload: bytes) -> Answer:
        if self.transaction is None:
            return Code.NO_TRANSACTION, b""
        bank, crc, received = self.transaction
        self.transaction = None
        if zlib.crc32(received) != crc:
            return Code.BAD_IMAGE, b""
        try:
            self.engine.load(bank, received)
        except InputError:
            return Code.BAD_IMAGE, b""
        self.crcs |= dict.fromkeys(halves(bank), crc)
        return DONE

    def on_activations(self, payload: bytes) -> Answer:
        if self.busy():
            return Code.BUSY, b""
        form, pe, address = protocol.ACTIVATIONS.unpack_from(payload)
        try:
            values = activations.decode_form(payload[protocol.ACTIVATIONS.size :], form)
            geometry = self.engine.geometry
            while values.size:  # one file goes on in the other
                file, slot = divmod(address, geometry.activations)
                count = (geometry.activations - slot) * geometry.pes - pe
                self.engine.write_activations(file, slot, pe, values[:count])
                values, address, pe = values[count:], (file + 1) * geometry.activations, 0
        except (DeviceError, ValueError):
            return Code.BAD_LENGTH, b""
        return DONE

    def on_infer(self, payload: bytes) -> Answer:
        if self.busy():
            return Code.BUSY, b""
        place, payload = payload[: protocol.PLACE.size], payload[protocol.PLACE.size :]
        code, _ = self.on_activations(payload[protocol.STEPS.size :])
        if code != Code.OK:
            return code, b""
        first, last = protocol.STEPS.unpack_from(payload)
        try:
            self.engine.start(first, last - first + 1)
        except DeviceError:
            return Code.NOT_COMMITTED, b""
        self.report = self.engine.wait()
        self.runs += 1
        code, outputs = self.on_outputs(place)
        return code, protocol.OUTCOME.pack(self.report.cycles, self.report.stalls) + outputs

    def place(self, payload: bytes) -> tuple[tuple[int, int, int], int, int]:
        """File, slot and PE of the first of some activations, bytes of each, and their number."""
        memory, size, pe, address, count = protocol.PLACE.unpack_from(payload)
        assert memory == Memory.ACTIVATIONS
        return (*divmod(address, self.engine.geometry.activations), pe), size, count

    def on_run(self, payload: bytes) -> Answer:
        number, first, last = protocol.RUN.unpack(payload)
        if number == self.run:
            return DONE
        if self.busy():
            return Code.BUSY, b""
        try:
            self.engine.start(first, last - first + 1)
        except DeviceError:
            return Code.NOT_COMMITTED, b""
        self.run, self.running, self.remaining = number, True, self.busy_polls
        self.runs += 1
        return DONE

    def on_read(self, payload: bytes) -> Answer:
        code, size, pe, address, count = protocol.PLACE.unpack(payload)
        words = self.engine.memories[Memory(code)]
        if self.busy():
            return Code.BUSY, b""
        if size != word_bytes(self.engine.geometry, Memory(code)):
            return Code.BAD_LENGTH, b""
        if pe >= len(words) or address + count > words.shape[1]:
            return Code.OUT_OF_RANGE, b""
        return Code.OK, words_to_bytes(words[pe, address : address + count], size)

    def on_outputs(self, payload: bytes) -> Answer:
        if self.busy():
            return Code.BUSY, b""
        try:
            place, size, count = self.place(payload)
            assert size == 2
            values = self.engine.read_outputs(*place, count)
        except DeviceError:
            return Code.OUT_OF_RANGE, b""
        return Code.OK, values.astype("<i2").tobytes()


def halves(bank: int) -> tuple[int, ...]:
    """Banks that `bank` stands for."""
    return (0, 1) if bank == WHOLE else (bank,)


class FaultyTransport:
    """A transport that damages what passes through another one, the same way for the same seed.

    Parameters
    ----------
    inner : Transport
    rate : float
        Share of bytes that are hit, in each direction.
    seed : int
    kinds : sequence of {"flip", "drop", "duplicate", "truncate"}
        What may happen to a byte that is hit; "truncate" loses it and the rest of its block.
    """

    def __init__(
        self,
        inner: Transport,
        rate: float,
        seed: int = 1,
        kinds: tuple[str, ...] = ("flip", "drop", "duplicate", "truncate"),
    ) -> None:
        self.inner = inner
        self.name = inner.name
        self.rate = rate
        self.kinds = kinds
        self.rng = np.random.default_rng(seed)
        self.faults = 0

    def write(self, data: bytes) -> None:
        self.inner.write(self.damage(data))

    def read(self, size: int, timeout: float) -> bytes:
        return self.damage(self.inner.read(size, timeout))

    def close(self) -> None:
        self.inner.close()

    def damage(self, data: bytes) -> bytes:
        """What is left of a block of bytes."""
        damaged = bytearray()
        hits = self.rng.random(len(data)) < self.rate
        for byte, hit in zip(data, hits, strict=True):
            kind = self.rng.choice(self.kinds) if hit else ""
            self.faults += bool(hit)
            if kind == "truncate":
                break
            if kind == "flip":
                damaged.append(byte ^ (1 << int(self.rng.integers(8))))
            elif kind != "drop":
                damaged += bytes([byte] * (2 if kind == "duplicate" else 1))
        return bytes(damaged)
