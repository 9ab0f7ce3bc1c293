"""What the benches of `hdl.byte_link` share: the design, its engine, and what it should reply."""

import zlib
from collections.abc import Sequence

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.queue import Queue
from cocotb.triggers import with_timeout

from golden import protocol
from golden.geometry import Geometry
from golden.image import BANKED, SECTION, bank_range, pieces, words_to_bytes
from golden.memories import ALL_PES, Memory, word_bits, word_bytes
from golden.protocol import FLAG, REPLY, WHOLE, Code, Frame, Request
from tests.hdl.engine_model import EngineModel
from tests.hdl.link_reference import LinkReference
from tests.hdl.streams import clocked, drive, parameters, rng, start


class LinkBench:
    """The design, its engine, and what it should reply."""

    def __init__(self, dut: HierarchyObject) -> None:
        given = parameters()
        self.dut, self.rng, self.stall = dut, rng(), given["stall"]
        self.geometry = Geometry(**given["geometry"])
        self.limit, self.window = given["payload_limit"], given["window"]
        self.sequence = 0
        self.frames: Queue[bytes] = Queue()
        self.decodes = given.get("coded_loads") is not None
        self._settings = (given["clock_hz"], self.limit, self.window)

    async def begin(self) -> None:
        """Reset, and start the engine's model and the far end of the line."""
        await start(self.dut)
        self.engine = EngineModel(self.dut, self.geometry, self.rng, self.stall)
        self.reference = LinkReference(self.geometry, *self._settings, self.engine, decodes=self.decodes)
        cocotb.start_soon(self._receive())

    async def _receive(self) -> None:
        wire = b""
        valid, ready, payload = self.dut.tx__valid, self.dut.tx__ready, self.dut.tx__payload
        while True:
            ready.value = int(self.rng.random() >= self.stall)
            await clocked(self.dut, valid)
            if ready.value == 1 and valid.value == 1:
                byte = int(payload.value)
                if byte == FLAG:
                    self.frames.put_nowait(wire)
                    wire = b""
                else:
                    wire += bytes([byte])

    async def send(self, wire: bytes) -> None:
        """Bytes of the wire."""
        await drive(self.dut, "rx", wire, stall=self.stall, rng=self.rng)

    async def reply(self) -> Frame:
        """The next reply, which must be intact."""
        return protocol.decode_reply(await with_timeout(self.frames.get(), 3, "ms"))

    async def exchange(self, kind: int, payload: bytes = b"") -> tuple[Code, bytes]:
        """One request and its reply, unchecked."""
        self.sequence = self.sequence + 1 & 0xFF
        await self.send(protocol.encode(Frame(kind, self.sequence, payload)))
        self.reference.counters[0] += 1
        reply = await self.reply()
        assert (reply.type, reply.sequence) == (kind | REPLY, self.sequence)
        return Code(reply.payload[0]), reply.payload[1:]

    async def ask(self, kind: int, payload: bytes = b"") -> Code:
        """One request, whose reply must be the reference's."""
        self.reference.counters[0] += 1
        expected = self.reference.reply(kind, payload)
        self.reference.counters[0] -= kind != Request.RESET
        found = await self.exchange(kind, payload)
        self.reference.counters[0] -= kind == Request.RESET
        assert found == expected, f"{kind} {payload.hex(' ')}"
        assert self.frames.empty()
        return found[0]

    async def load(
        self, bank: int, image: bytes, *, crc: int | None = None, parts: Sequence[bytes] | None = None
    ) -> Code:
        """A transaction, in pieces of several sizes."""
        announced = zlib.crc32(image) if crc is None else crc
        await self.ask(Request.BEGIN, protocol.BEGIN.pack(bank, announced))
        assert self.dut.loading.value == 1
        assert self.dut.failed.value == 0
        if parts is None:
            parts = list(pieces(image, self.rng.randrange(12, self.limit - protocol.DATA.size + 1)))
        offset = 0
        for part in parts:
            await self.ask(Request.DATA, protocol.DATA.pack(offset) + part)
            offset += len(part)
        code = await self.ask(Request.COMMIT)
        assert self.dut.loading.value == 0
        assert self.dut.failed.value == (code != Code.OK)
        return code

    def words(self, memory: Memory, pe: int, address: int, count: int) -> bytes:
        """Section of random words."""
        words = [self.rng.getrandbits(word_bits(self.geometry, memory)) for _ in range(count)]
        return section(self.geometry, memory, pe, address, words)

    def section(self, bank: int, memory: Memory | None = None, count: int | None = None) -> bytes:
        """A random good section."""
        if memory is None:
            memory = self.rng.choice(BANKED if bank != WHOLE else list(Memory)[:6])
        owned = bank_range(self.geometry, memory, bank)
        first = self.rng.choice([owned.start, self.rng.randrange(owned.start, owned.stop)])
        last = self.rng.choice([owned.stop, first + 1, self.rng.randrange(first + 1, owned.stop + 1)])
        last = min(last, first + 40) if count is None else first + count
        pe = self.rng.choice([ALL_PES, self.geometry.pes - 1, self.rng.randrange(self.geometry.pes)])
        if memory is Memory.STEPS:
            pe = self.rng.randrange(1 << 16)
        return self.words(memory, pe, first, last - first)

    def image(self, bank: int, sections: int = 6) -> bytes:
        """A random good image."""
        return b"".join(self.section(bank) for _ in range(sections))

    def finish_run(self) -> None:
        """End the run."""
        self.engine.finish()
        self.reference.busy, self.reference.banks = False, 0

    def use_banks(self, banks: int) -> None:
        """Let the run have used banks."""
        self.engine.port("banks").value = banks
        self.reference.banks = banks


def section(geometry: Geometry, memory: Memory, pe: int, address: int, words: list[int]) -> bytes:
    """Bytes of a section."""
    size = word_bytes(geometry, memory)
    return SECTION.pack(memory, size, pe, address, len(words)) + words_to_bytes(words, size)


async def ready_bench(dut: HierarchyObject) -> LinkBench:
    """A bench after reset."""
    bench = LinkBench(dut)
    await bench.begin()
    return bench
