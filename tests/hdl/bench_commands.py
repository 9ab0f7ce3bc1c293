"""Bench of commands and loader together: requests in, replies out, and a modelled engine."""

import zlib

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden import protocol
from golden.geometry import Geometry
from golden.image import SECTION, words_to_bytes
from golden.memories import Memory, depth, word_bits, word_bytes
from golden.protocol import DAMAGED, HEADER, REPLY, WHOLE, Code, Fault, Identity, Request, Status
from hdl.cobs import body_layout
from tests.hdl.engine_model import EngineModel
from tests.hdl.link_reference import LinkReference, words_of
from tests.hdl.streams import PATIENCE, cycles, drive, parameters, rng, start, unpack


class Bench:
    """The design, its engine, and what it should reply."""

    def __init__(self, dut: HierarchyObject) -> None:
        given = parameters()
        self.dut, self.rng, self.stall = dut, rng(), given["stall"]
        self.geometry = Geometry(**given["geometry"])
        self.limit = given["limit"]
        self.sequence = 0
        self._settings = (given["clock_hz"], self.limit, given["window"])

    async def begin(self) -> None:
        """Reset, and start the engine's model."""
        await start(self.dut)
        self.engine = EngineModel(self.dut, self.geometry, self.rng, self.stall)
        self.reference = LinkReference(self.geometry, *self._settings, self.engine)

    async def reply(self) -> tuple[int, int, bytes]:
        """Type, sequence and payload of the next reply."""
        body = b""
        for _ in range(PATIENCE):
            taking = self.rng.random() >= self.stall
            self.dut.reply__ready.value = int(taking)
            await RisingEdge(self.dut.clk)
            if taking and self.dut.reply__valid.value == 1:
                item = unpack(body_layout(), int(self.dut.reply__payload.value))
                body += bytes([item["data"]])
                if item["last"]:
                    self.dut.reply__ready.value = 0
                    kind, sequence, length = HEADER.unpack_from(body)
                    assert length == len(body) - HEADER.size
                    return kind, sequence, body[HEADER.size :]
        raise AssertionError(f"no reply within {PATIENCE} cycles, only {body.hex(' ')}")

    async def exchange(self, kind: int, payload: bytes = b"") -> tuple[Code, bytes]:
        """One request and its reply, unchecked."""
        self.sequence = self.sequence + 1 & 0xFF
        request = HEADER.pack(kind, self.sequence, len(payload)) + payload
        sending = cocotb.start_soon(drive(self.dut, "request", request, stall=self.stall, rng=self.rng))
        got, sequence, answer = await self.reply()
        assert (got, sequence) == (kind | REPLY, self.sequence)
        await sending
        return Code(answer[0]), answer[1:]

    async def ask(self, kind: int, payload: bytes = b"") -> Code:
        """One request, whose reply must be the reference's."""
        expected = self.reference.reply(kind, payload)
        found = await self.exchange(kind, payload)
        assert found == expected, f"{kind} {payload.hex(' ')}"
        return found[0]

    async def load(self, bank: int, image: bytes) -> Code:
        """A transaction, in frames of several sizes."""
        await self.ask(Request.BEGIN, protocol.BEGIN.pack(bank, len(image), zlib.crc32(image)))
        offset = 0
        while offset < len(image):
            size = self.rng.randrange(1, self.limit - protocol.DATA.size + 1)
            await self.ask(Request.DATA, protocol.DATA.pack(offset) + image[offset : offset + size])
            offset += size
        return await self.ask(Request.COMMIT)

    def image(self, memory: Memory, pe: int, address: int, count: int) -> bytes:
        """Image of one section of random words."""
        words = [self.rng.getrandbits(word_bits(self.geometry, memory)) for _ in range(count)]
        size = word_bytes(self.geometry, memory)
        return SECTION.pack(memory, size, pe, address, count) + words_to_bytes(words, size)

    def finish_run(self) -> None:
        """End the run."""
        self.engine.finish()
        self.reference.busy, self.reference.banks = False, 0

    def use_banks(self, banks: int) -> None:
        """Let the run have used banks."""
        self.engine.port("banks").value = banks
        self.reference.banks = banks


async def ready_bench(dut: HierarchyObject) -> Bench:
    """A bench after reset."""
    bench = Bench(dut)
    await bench.begin()
    return bench


@cocotb.test()
async def identifies_itself(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    code, payload = await bench.exchange(Request.IDENTIFY)
    identity = Identity.decode(payload)
    assert code == Code.OK
    assert identity.geometry == bench.geometry
    assert identity.status == Status(0, 0, 0, 0, 0xFFFF, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    assert await bench.ask(Request.IDENTIFY) == Code.OK


@cocotb.test()
async def reports_status(dut: HierarchyObject) -> None:
    """Every field alone, so that none stands in for another."""
    bench = await ready_bench(dut)
    reference, engine = bench.reference, bench.engine
    fields = {"cycles": 32, "stalls": 32, "step": 8}
    for name, bits in fields.items():
        for value in (1, 1 << bits - 1, bench.rng.getrandbits(bits)):
            engine.port(name).value = value
            setattr(reference, name, value)
            await bench.ask(Request.STATUS)
    engine.port("fault").value = reference.fault = Fault.NOT_COMMITTED
    await bench.ask(Request.STATUS)
    image = bench.image(Memory.CODEBOOK, 0, 0, 3)
    await bench.load(0, image)
    await bench.ask(Request.STATUS)
    await bench.load(1, b"")
    await bench.ask(Request.STATUS)
    await bench.ask(Request.BEGIN, protocol.BEGIN.pack(1, 100, 5))
    await bench.ask(Request.DATA, protocol.DATA.pack(0) + image)
    await bench.ask(Request.STATUS)
    await bench.ask(Request.RUN, protocol.RUN.pack(0x1234, 1, 1))
    await bench.ask(Request.STATUS)
    await bench.ask(Request.IDENTIFY)


@cocotb.test()
async def counts_events(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    for position, times in ((0, 3), (1, 260), (2, 515)):
        dut.events.value = 1 << position
        await cycles(dut, times)
        dut.events.value = 0
        bench.reference.counters[position] += times
        await bench.ask(Request.STATUS)
    await bench.ask(Request.RESET)
    await bench.ask(Request.STATUS)


@cocotb.test()
async def reads_counters_that_count(dut: HierarchyObject) -> None:
    """A carry between a counter's bytes never shows."""
    bench = await ready_bench(dut)
    dut.events.value = 0b111
    for _ in range(300):
        low = Status(*protocol.STATUS.unpack((await bench.exchange(Request.STATUS))[1]))
        assert low.frames < low.damaged < low.overruns < low.frames + 64 * (1 + 2 * bench.stall)
        await cycles(dut, bench.rng.randrange(3))


@cocotb.test()
async def answers_damaged_frames(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    for _ in range(3):
        await drive(dut, "request", [DAMAGED])
        assert await bench.reply() == (DAMAGED, 0, bytes([Code.DAMAGED_FRAME]))
        await bench.ask(Request.STATUS)


@cocotb.test()
async def refuses_unknown_requests_and_wrong_lengths(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    for kind in (0, *range(max(Request) + 1, 0x80, 13), 0x7F):
        assert await bench.ask(kind, bench.rng.randbytes(bench.rng.randrange(20))) == Code.UNKNOWN_REQUEST
    for kind in Request:
        for size in range(16):
            if kind not in (Request.DATA, Request.ACTIVATIONS) or size < 7:
                await bench.ask(kind, bytes(size))
        large = bench.limit - 1 if kind == Request.ACTIVATIONS else bench.limit
        if kind != Request.DATA:
            assert await bench.ask(kind, bytes(large)) == Code.BAD_LENGTH
    assert not bench.engine.writes
    await bench.ask(Request.STATUS)


@cocotb.test()
async def loads_images(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    expected = []
    for bank, memory, address, count in (
        (WHOLE, Memory.POINTERS, 3, 40),
        (WHOLE, Memory.ACCUMULATORS, 1, 9),
        (0, Memory.MATRIX, 0, 100),
        (1, Memory.STEPS, depth(bench.geometry, Memory.STEPS) // 2, 8),
    ):
        image = bench.image(memory, bench.geometry.pes - 1, address, count)
        assert await bench.load(bank, image) == Code.OK
        expected += words_of(image, bench.geometry, bank)
        assert await bench.ask(Request.COMMIT) == Code.NO_TRANSACTION
        await bench.ask(Request.STATUS)
    assert bench.engine.writes == expected
    bad = bench.image(Memory.CODEBOOK, bench.geometry.pes, 0, 2)
    assert await bench.load(1, bad) == Code.BAD_IMAGE
    assert dut.failed.value == 1
    await bench.ask(Request.STATUS)
    assert await bench.load(1, b"") == Code.OK
    assert dut.failed.value == 0
    assert bench.engine.writes == expected


@cocotb.test()
async def answers_when_words_are_written(dut: HierarchyObject) -> None:
    """However long the engine takes for them."""
    bench = await ready_bench(dut)
    bench.engine.stall = 0.95
    image = bench.image(Memory.POINTERS, 0, 0, 8)
    await bench.ask(Request.BEGIN, protocol.BEGIN.pack(0, len(image), zlib.crc32(image)))
    for end in (*range(len(image) - 12, len(image)), len(image)):
        offset = len(bench.reference.image)
        await bench.ask(Request.DATA, protocol.DATA.pack(offset) + image[offset:end])
        assert bench.engine.writes == words_of(image[:end], bench.geometry, 0)
    assert await bench.ask(Request.COMMIT) == Code.OK


@cocotb.test()
async def takes_each_byte_once(dut: HierarchyObject) -> None:
    """Duplicates, overlaps, gaps."""
    bench = await ready_bench(dut)
    image = bench.image(Memory.CODEBOOK, 0, 0, bench.geometry.codebook_entries)
    while len(image) < 1500:
        image += bench.image(Memory.CODEBOOK, 0, 0, bench.geometry.codebook_entries)
    assert await bench.ask(Request.DATA, protocol.DATA.pack(0) + image[:9]) == Code.NO_TRANSACTION
    await bench.ask(Request.BEGIN, protocol.BEGIN.pack(WHOLE, len(image), zlib.crc32(image)))
    seen = set()
    while len(bench.reference.image) < len(image):
        taken = len(bench.reference.image)
        offset = max(
            0, taken + bench.rng.choice([0, 0, 1, -1, -2, 7, -7, 40, -40, -500, -512, -600, 1 << 30])
        )
        size = bench.rng.choice([0, 1, 2, 7, 8, 40, bench.limit - protocol.DATA.size])
        data = image[offset : offset + size]
        code = await bench.ask(Request.DATA, protocol.DATA.pack(offset) + data)
        seen.add((code, len(bench.reference.image) > taken))
    assert seen == {(Code.OK, True), (Code.OK, False), (Code.OFFSET_GAP, False)}
    assert await bench.ask(Request.DATA, protocol.DATA.pack(0xFFFFFFFF) + b"x") == Code.OFFSET_GAP
    assert await bench.ask(Request.COMMIT) == Code.OK
    assert bench.engine.writes == words_of(image, bench.geometry, WHOLE)


@cocotb.test()
async def starts_runs(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    steps = bench.geometry.steps
    assert await bench.ask(Request.RUN, protocol.RUN.pack(1, 0, 1)) == Code.NOT_COMMITTED
    await bench.load(0, b"")
    refused = [
        (0, 0),
        (0, steps + 1),
        (steps, 1),
        (1, steps),
        (1 << 15, 1),
        (1, 1 << 15),
        (0xFFFF, 2),
        (2, 0xFFFF),
    ]
    for first, count in (*refused, (256, 1), (0, 512), (255, 257)):
        if not count or first + count > steps:
            assert await bench.ask(Request.RUN, protocol.RUN.pack(1, first, count)) == Code.OUT_OF_RANGE
    assert await bench.ask(Request.RUN, protocol.RUN.pack(0xFFFF, 0, 1)) == Code.OUT_OF_RANGE
    assert not bench.engine.runs
    started = []
    for number, first, count in ((0, 0, steps), (0x100, 0, 1), (1, steps - 1, 1), (0x8001, 1, steps - 1)):
        assert await bench.ask(Request.RUN, protocol.RUN.pack(number, first, count)) == Code.OK
        started.append((first, count))
        assert await bench.ask(Request.RUN, protocol.RUN.pack(number, first, count)) == Code.OK
        assert await bench.ask(Request.RUN, protocol.RUN.pack(number + 2, 0, 1)) == Code.BUSY
        await bench.ask(Request.STATUS)
        bench.finish_run()
        assert await bench.ask(Request.RUN, protocol.RUN.pack(number, first, count)) == Code.OK
        assert bench.engine.runs == started
    assert engine_committed(dut) == 0b01


def engine_committed(dut: HierarchyObject) -> int:
    """What the engine is told of banks."""
    return int(dut.engine__committed.value)


@cocotb.test()
async def refuses_while_busy(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    bank1 = bench.image(Memory.MATRIX, 0, bench.geometry.matrix_words // 2, 3)
    await bench.load(0, b"")
    await bench.load(1, b"")
    begin = {bank: protocol.BEGIN.pack(bank, len(bank1), zlib.crc32(bank1)) for bank in (0, 1, WHOLE)}
    await bench.ask(Request.RUN, protocol.RUN.pack(7, 0, 1))
    for kind, payload in (
        (Request.ACTIVATIONS, protocol.ACTIVATIONS.pack(0, 0, 0) + b"abcd"),
        (Request.OUTPUTS, protocol.OUTPUTS.pack(0, 0, 0, 1)),
        (Request.READ, protocol.READ.pack(Memory.STEPS, 4, 0, 0, 1)),
        (Request.BEGIN, begin[WHOLE]),
    ):
        assert await bench.ask(kind, payload) == Code.BUSY
    bench.use_banks(0b01)
    assert await bench.ask(Request.BEGIN, begin[0]) == Code.BUSY
    assert await bench.ask(Request.BEGIN, begin[1]) == Code.OK
    assert engine_committed(dut) == 0b01
    assert await bench.ask(Request.DATA, protocol.DATA.pack(0) + bank1) == Code.OK
    assert await bench.ask(Request.COMMIT) == Code.OK
    bench.use_banks(0b10)
    assert await bench.ask(Request.BEGIN, begin[1]) == Code.BUSY
    assert await bench.ask(Request.BEGIN, begin[0]) == Code.OK
    bench.finish_run()
    assert await bench.ask(Request.BEGIN, protocol.BEGIN.pack(3, 0, 0)) == Code.OUT_OF_RANGE
    assert await bench.ask(Request.BEGIN, protocol.BEGIN.pack(4, 0, 0)) == Code.OUT_OF_RANGE
    assert await bench.ask(Request.BEGIN, begin[WHOLE]) == Code.OK
    assert engine_committed(dut) == 0


@cocotb.test()
async def resets(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    await bench.load(WHOLE, b"")
    await bench.ask(Request.RUN, protocol.RUN.pack(3, 0, 1))
    await bench.ask(Request.BEGIN, protocol.BEGIN.pack(1, 10, 0))
    bench.reference.transaction = False
    assert await bench.ask(Request.RESET) == Code.OK
    assert bench.engine.resets == 1
    assert dut.engine__busy.value == 0, "the reply to RESET comes when the engine is ready again"
    await bench.ask(Request.STATUS)
    assert await bench.ask(Request.RUN, protocol.RUN.pack(3, 0, 1)) == Code.NOT_COMMITTED
    await bench.load(WHOLE, b"")
    assert await bench.ask(Request.RUN, protocol.RUN.pack(3, 0, 1)) == Code.OK
    assert bench.engine.runs == [(0, 1)] * 2


@cocotb.test()
async def writes_and_reads_activations(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    pes, slots = bench.geometry.pes, bench.geometry.activations
    places = [
        (file, slot, pe) for file in (0, 1) for slot in (0, slots // 2, slots - 1) for pe in (0, pes - 1)
    ]
    largest = (bench.limit - protocol.ACTIVATIONS.size) // 2
    for file, slot, pe in places:
        for count in {0, 1, 2, pes + 1, 3 * pes, largest}:
            bench.engine.writes.clear()
            values = bench.rng.randbytes(2 * count)
            await bench.ask(Request.ACTIVATIONS, protocol.ACTIVATIONS.pack(file, slot, pe) + values)
            steps = [divmod(slot * pes + pe + i, pes) for i in range(count)]
            assert bench.engine.writes == [
                (Memory.ACTIVATIONS, k, file * slots + s, int.from_bytes(values[2 * i : 2 * i + 2], "little"))
                for i, (s, k) in enumerate(steps)
                if s < slots
            ]
            await bench.ask(Request.OUTPUTS, protocol.OUTPUTS.pack(file, slot, pe, count))
    for count in ((bench.limit - 1) // 2, (bench.limit - 1) // 2 + 1, 0x100, 0x8000, 0xFFFF):
        await bench.ask(Request.OUTPUTS, protocol.OUTPUTS.pack(0, 0, 0, count))
    bench.engine.writes.clear()
    for file, slot, pe in (
        (2, 0, 0),
        (255, 0, 0),
        (0, slots, 0),
        (1, 0xFFFF, 0),
        (0, 0x8000, 0),
        (0, 0, pes),
        (1, 0, 0xFFFF),
        (0, 0, 256 + pes),
    ):
        payload = protocol.ACTIVATIONS.pack(file, slot, pe) + b"ab"
        assert await bench.ask(Request.ACTIVATIONS, payload) == Code.OUT_OF_RANGE
        assert await bench.ask(Request.OUTPUTS, protocol.OUTPUTS.pack(file, slot, pe, 1)) == Code.OUT_OF_RANGE
    assert not bench.engine.writes


@cocotb.test()
async def reads_memories(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    geometry = bench.geometry
    for memory in Memory:
        size, words = word_bytes(geometry, memory), depth(geometry, memory)
        largest = (bench.limit - 1) // size
        for count in {1, min(3, words), min(words, largest)}:
            for address in {0, words - count, (words - count) // 2}:
                payload = protocol.READ.pack(memory, size, geometry.pes - 1, address, count)
                assert await bench.ask(Request.READ, payload) == Code.OK
        for wrong in (
            (memory, size, geometry.pes - 1, words, 1),
            (memory, size, 0, words - 1, 2),
            (memory, size, 0, 0, largest + 1),
            (memory, size, 0, 0xFFFF, 2),
            (memory, size, 0, 0x8000, 1),
            (memory, size + 1, 0, 0, 1),
            (memory, size - 1, 0, 0, 1),
            (memory, size + 16, 0, 0, 1),
            (memory, size + 128, 0, 0, 1),
            (memory, size, geometry.pes, 0, 1),
            (memory, size, 256, 0, 1),
            (memory, size, 0, 0, 0x8000),
        ):
            if wrong[3] <= 0xFFFF and wrong[1]:
                await bench.ask(Request.READ, protocol.READ.pack(*wrong))
    for unknown in (7, 8, 0x80, 0xFF):
        assert await bench.ask(Request.READ, protocol.READ.pack(unknown, 2, 0, 0, 1)) == Code.OUT_OF_RANGE


@cocotb.test()
async def does_anything_in_any_order(dut: HierarchyObject) -> None:
    """Random requests, sensible and not."""
    bench = await ready_bench(dut)
    random, geometry, reference = bench.rng, bench.geometry, bench.reference
    image = bench.image(Memory.CODEBOOK, 0, 0, 4)
    seen = set()
    requests, made = parameters()["requests"], 0
    # Until every pair of request and answer that may come has come, but not for ever.
    while made < requests or (len(seen) < 16 and made < 8 * requests):
        made += 1
        kind = random.choice([*Request, *[Request.DATA] * 4, *[Request.RUN] * 3, Request.COMMIT])
        if kind in (Request.RESET, Request.BEGIN) and random.random() < 0.7:
            continue
        taken = len(reference.image) if reference.transaction else 0
        payload = {
            Request.BEGIN: protocol.BEGIN.pack(random.randrange(4), len(image), zlib.crc32(image)),
            Request.DATA: protocol.DATA.pack(max(0, taken + random.choice([0, 0, 0, 1, -1])))
            + image[taken : taken + random.choice([0, 5, len(image)])],
            Request.ACTIVATIONS: protocol.ACTIVATIONS.pack(
                random.randrange(3),
                random.randrange(geometry.activations + 1),
                random.randrange(geometry.pes),
            )
            + random.randbytes(2 * random.randrange(9)),
            Request.RUN: protocol.RUN.pack(random.randrange(3), random.randrange(3), random.randrange(3)),
            Request.READ: protocol.READ.pack(Memory.POINTERS, word_bytes(geometry, Memory.POINTERS), 0, 1, 3),
            Request.OUTPUTS: protocol.OUTPUTS.pack(1, 1, geometry.pes - 1, random.randrange(5)),
        }.get(kind, b"")
        seen.add((kind, await bench.ask(kind, payload)))
        if reference.busy and random.random() < 0.3:
            bench.finish_run()
    assert len(seen) >= 16, seen
