"""Bench of the link behind the serial line: every request, by the words of `golden.protocol`."""

import zlib

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden import protocol
from golden.activations import ACROSS, SHORT, encode, form
from golden.memories import Memory, depth, word_bytes
from golden.protocol import DAMAGED, WHOLE, Code, Fault, Frame, Identity, Request, Status
from tests.hdl.link_bench import ready_bench
from tests.hdl.link_reference import LEAST
from tests.hdl.streams import cycles, parameters


@cocotb.test()
async def identifies_itself(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    code, payload = await bench.exchange(Request.IDENTIFY)
    identity = Identity.decode(payload)
    assert code == Code.OK
    assert identity.geometry == bench.geometry
    assert identity.status._replace(cycles=0, stalls=0) == Status(
        0, 0, 0, 0, 0xFFFF, 0, *identity.status[6:9], 0, 0, 1, 0, 0
    )


@cocotb.test()
async def reports_status(dut: HierarchyObject) -> None:
    """Every field alone, so that none stands in for another."""
    bench = await ready_bench(dut)
    reference, engine = bench.reference, bench.engine
    await bench.load(WHOLE, b"")
    fields = {"cycles": 32, "stalls": 32, "step": 8}
    for name, bits in fields.items():
        for value in (1, 1 << bits - 1, bench.rng.getrandbits(bits)):
            engine.port(name).value = value
            setattr(reference, name, value)
            await bench.ask(Request.STATUS)
    engine.port("fault").value = reference.fault = Fault.NOT_COMMITTED
    await bench.ask(Request.STATUS)
    image = bench.words(Memory.CODEBOOK, 0, 0, 3)
    await bench.load(0, image)
    await bench.ask(Request.STATUS)
    await bench.load(1, b"")
    await bench.ask(Request.STATUS)
    await bench.ask(Request.BEGIN, protocol.BEGIN.pack(1, 5))
    await bench.ask(Request.DATA, protocol.DATA.pack(0) + image)
    await bench.ask(Request.STATUS)
    await bench.ask(Request.RUN, protocol.RUN.pack(0x1234, 1, 1))
    await bench.ask(Request.STATUS)
    await bench.ask(Request.IDENTIFY)


@cocotb.test()
async def counts_frames_and_losses(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    await bench.load(WHOLE, b"")
    for times in range(1, parameters()["losses"]):
        dut.lost.value = 1
        await cycles(dut, times % 3 + 1)
        dut.lost.value = 0
        bench.reference.counters[2] += 1
        if times % 60 < 2:
            await bench.ask(Request.STATUS)
        else:
            await bench.send(b"\1\0")
            bench.reference.counters[1] += 1
            assert await bench.reply() == Frame(DAMAGED, 0, bytes([Code.DAMAGED_FRAME]))
    await bench.ask(Request.STATUS)
    await bench.ask(Request.RESET)
    await bench.load(WHOLE, b"")
    assert await bench.ask(Request.STATUS) == Code.OK


@cocotb.test()
async def refuses_unknown_requests_and_wrong_lengths(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    for kind in (0, max(Request) + 1, 0x40, 0x7F):
        assert await bench.ask(kind, bench.rng.randbytes(bench.rng.randrange(20))) == Code.UNKNOWN_REQUEST
    for kind in sorted(Request, key=lambda kind: kind == Request.COMMIT):
        for size in (0, 1, 3, 4, 5, 7, 8, 9, 12):
            if kind not in LEAST or size < 9:
                await bench.ask(kind, bytes(size))
        if kind not in LEAST:
            assert await bench.ask(kind, bytes(bench.limit)) == Code.BAD_LENGTH
    assert not bench.engine.writes
    assert not bench.engine.runs
    place = protocol.ACTIVATIONS.pack(form(2, 2), 0, 0)
    for data in (b"", b"\3", b"\3\1", b"\3\1\1", b"\3\1\1\1", b"\2\1", b"\0\1", b"\0\0\x80\1"):
        assert await bench.ask(Request.ACTIVATIONS, place + data) == Code.BAD_LENGTH
        assert await bench.ask(Request.STATUS) == Code.OK
    written = {address * bench.geometry.pes + pe for _, pe, address, _ in bench.engine.writes}
    assert max(written) < 18, "wrong lengths spoil the places that they name, and no others"


@cocotb.test()
async def starts_runs(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    steps = bench.geometry.steps
    assert await bench.ask(Request.RUN, protocol.RUN.pack(1, 0, 0)) == Code.NOT_COMMITTED
    await bench.load(0, b"")
    for first, last in ((0, steps), (steps, steps), (1, 0), (steps - 1, 255), (255, 254), (0, 255)):
        if last < 256 and first < 256 and not first <= last < steps:
            assert await bench.ask(Request.RUN, protocol.RUN.pack(1, first, last)) == Code.OUT_OF_RANGE
    assert await bench.ask(Request.RUN, protocol.RUN.pack(0xFFFF, 0, 0)) == Code.OK
    assert not bench.engine.runs
    started = []
    for number, first, last in (
        (0, 0, steps - 1),
        (0x100, 0, 0),
        (1, steps - 1, steps - 1),
        (0x8001, 1, steps - 1),
    ):
        assert await bench.ask(Request.RUN, protocol.RUN.pack(number, first, last)) == Code.OK
        started.append((first, last - first + 1))
        assert await bench.ask(Request.RUN, protocol.RUN.pack(number, first, last)) == Code.OK
        assert await bench.ask(Request.RUN, protocol.RUN.pack(number + 2, 0, 0)) == Code.BUSY
        await bench.ask(Request.STATUS)
        bench.finish_run()
        assert await bench.ask(Request.RUN, protocol.RUN.pack(number, first, last)) == Code.OK
        assert bench.engine.runs == started
    assert engine_committed(dut) == 0b01


def engine_committed(dut: HierarchyObject) -> int:
    """What the engine is told of banks."""
    return int(dut.engine__committed.value)


@cocotb.test()
async def refuses_while_busy(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    bank1 = bench.words(Memory.MATRIX, 0, bench.geometry.matrix_words // 2, 3)
    await bench.load(0, b"")
    await bench.load(1, b"")
    begin = {bank: protocol.BEGIN.pack(bank, zlib.crc32(bank1)) for bank in (0, 1, WHOLE)}
    await bench.ask(Request.RUN, protocol.RUN.pack(7, 0, 0))
    place = protocol.PLACE.pack(Memory.ACTIVATIONS, 2, 0, 0, 2)
    activations = protocol.ACTIVATIONS.pack(form(2, 2), 0, 0) + b"\3abcd"
    for kind, payload in (
        (Request.ACTIVATIONS, activations),
        (Request.INFER, place + protocol.STEPS.pack(0, 0) + activations),
        (Request.OUTPUTS, place),
        (Request.READ, protocol.PLACE.pack(Memory.STEPS, 4, 0, 0, 1)),
        (Request.BEGIN, begin[WHOLE]),
    ):
        assert await bench.ask(kind, payload) == Code.BUSY
    bench.use_banks(0b01)
    assert await bench.ask(Request.BEGIN, begin[0]) == Code.BUSY
    assert await bench.ask(Request.BEGIN, begin[1]) == Code.OK
    assert engine_committed(dut) == 0b01
    assert await bench.ask(Request.BEGIN, begin[WHOLE]) == Code.BUSY
    assert await bench.ask(Request.DATA, protocol.DATA.pack(0) + bank1) == Code.OK
    assert await bench.ask(Request.COMMIT) == Code.OK
    bench.use_banks(0b10)
    assert await bench.ask(Request.BEGIN, begin[1]) == Code.BUSY
    assert await bench.ask(Request.BEGIN, begin[0]) == Code.OK
    bench.finish_run()
    for bank in (3, 4, 0x80, 0xFF):
        assert await bench.ask(Request.BEGIN, protocol.BEGIN.pack(bank, 0)) == Code.OUT_OF_RANGE
    assert await bench.ask(Request.BEGIN, begin[WHOLE]) == Code.OK
    assert engine_committed(dut) == 0


@cocotb.test()
async def resets(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    await bench.load(WHOLE, b"")
    await bench.ask(Request.RUN, protocol.RUN.pack(3, 0, 0))
    await bench.ask(Request.BEGIN, protocol.BEGIN.pack(1, 0))
    assert await bench.ask(Request.RESET) == Code.OK
    assert bench.engine.resets == 1
    assert dut.engine__busy.value == 0, "the reply to RESET comes when the engine is ready again"
    assert engine_committed(dut) == 0
    assert dut.loading.value == 0
    await bench.ask(Request.STATUS)
    assert await bench.ask(Request.DATA, protocol.DATA.pack(0)) == Code.NO_TRANSACTION
    assert await bench.ask(Request.RUN, protocol.RUN.pack(3, 0, 0)) == Code.NOT_COMMITTED
    await bench.load(WHOLE, b"")
    assert await bench.ask(Request.RUN, protocol.RUN.pack(3, 0, 0)) == Code.OK
    assert bench.engine.runs == [(0, 1)] * 2


@cocotb.test()
async def begins_anew_after_reset_of_the_gateware(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    await bench.load(WHOLE, b"")
    await bench.ask(Request.RUN, protocol.RUN.pack(3, 0, 0))
    await bench.ask(Request.BEGIN, protocol.BEGIN.pack(1, 9))
    before = bench.reference
    await bench.send(protocol.encode(Frame(Request.STATUS, 9))[:4])
    dut.rst.value = 1
    await RisingEdge(dut.clk)
    dut.rst.value = 0
    bench.finish_run()
    before.committed = before.transaction = 0
    before.run = 0xFFFF
    before.counters = [0, 0, 0]
    await bench.ask(Request.STATUS)
    assert (engine_committed(dut), dut.loading.value) == (0, 0)


@cocotb.test()
async def writes_and_reads_activations(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    pes, slots = bench.geometry.pes, bench.geometry.activations

    def place(pe: int, address: int, count: int, memory: int = Memory.ACTIVATIONS, size: int = 2) -> bytes:
        return protocol.PLACE.pack(memory, size, pe, address, count)

    def written(pe: int, address: int, values: list[int], size: int = 2) -> bytes:
        return protocol.ACTIVATIONS.pack(form(len(values), size), pe, address) + encode(values, size)

    places = [(address, pe) for address in (0, slots - 1, slots, 2 * slots - 1) for pe in (0, pes - 1)]
    numbers = {1: [0, 0, 1, -1, 127, -128], 2: [0, 0, 0, 0, 0, 1, -1, 128, -129, 32767, -32768]}
    for address, pe in places:
        for count in bench.rng.sample((1, 7, 8, 9, pes + 1, 40), 3):
            size = bench.rng.choice([1, 2])
            values = [bench.rng.choice(numbers[size]) for _ in range(count)]
            bench.engine.writes.clear()
            data = encode(values, size)
            if protocol.ACTIVATIONS.size + len(data) > bench.limit:
                continue
            code = await bench.ask(Request.ACTIVATIONS, written(pe, address, values, size))
            steps = [divmod(address * pes + pe + i, pes) for i in range(count)]
            assert bench.engine.writes == [
                (Memory.ACTIVATIONS, k, a, value & 0xFFFF)
                for value, (a, k) in zip(values, steps, strict=True)
                if a < 2 * slots
            ]
            assert code == (Code.OK if len(bench.engine.writes) == count else Code.BAD_LENGTH)
            await bench.ask(Request.OUTPUTS, place(pe, address, count))
    bench.engine.writes.clear()
    zeros = min(600, 2 * slots * pes)
    assert await bench.ask(Request.ACTIVATIONS, written(0, 0, [0] * zeros)) == Code.OK
    assert len(bench.engine.writes) == zeros
    assert not any(data for *_, data in bench.engine.writes)
    assert await bench.ask(Request.ACTIVATIONS, b"\x30\0\0\0\xff\x80") == Code.OK
    assert bench.engine.writes[-1] == (Memory.ACTIVATIONS, 0, 0, 0xFF80)
    most = (bench.limit - 1) // 2
    for count in (most, most + 1, 0x80, 0x100, 0x8000, 0xFFFF, 0):
        await bench.ask(Request.OUTPUTS, place(0, 0, count))
    bench.engine.writes.clear()
    for wrong in (
        place(0, 2 * slots, 1),
        place(0, 0xFFFF, 1),
        place(0, 0x8000, 1),
        place(pes, 0, 1),
        place(0xFFFF, 0, 1),
        place(256 + pes - 1, 0, 1),
        place(0, 0, 1, size=3),
        place(0, 0, 1, size=0),
        place(0, 0, 1, size=255),
        place(0, 0, 1, Memory.CODEBOOK),
        place(0, 0, 1, Memory.COUNTERS),
        place(0, 0, 1, 7),
        place(0, 0, 0),
    ):
        assert await bench.ask(Request.OUTPUTS, wrong) == Code.OUT_OF_RANGE
        steps = protocol.STEPS.pack(0, 0)
        assert await bench.ask(Request.INFER, wrong + steps + written(0, 0, [1])) == Code.OUT_OF_RANGE
    for pe, address in (
        (0, 2 * slots),
        (0, 0xFFFF),
        (0, 0x8000),
        *([(pes, 0), (255, 0)] if pes < 255 else []),
    ):
        assert await bench.ask(Request.ACTIVATIONS, written(pe, address, [1])) == Code.BAD_LENGTH
    for other in (0, 7, SHORT, 0x80, 0x80 | ACROSS):
        if other & ACROSS == 0:
            assert await bench.ask(Request.ACTIVATIONS, bytes([other, 0, 0, 0, 1, 2, 3])) == Code.OK
    assert not bench.engine.writes


@cocotb.test()
async def infers(dut: HierarchyObject) -> None:
    """Values, a run, and its outputs in one request, and every reason to refuse it."""
    bench = await ready_bench(dut)
    reference, engine, steps = bench.reference, bench.engine, bench.geometry.steps
    pes = bench.geometry.pes
    behind = protocol.PLACE.pack(Memory.ACTIVATIONS, 2, pes - 1, 5, 3)

    def request(first: int = 0, last: int = 0, place: bytes = behind, values: tuple[int, ...] = (7, 0, -9)):
        form_of = protocol.ACTIVATIONS.pack(form(len(values), 1), 0, 1)
        return place + protocol.STEPS.pack(first, last) + form_of + encode(values, 1)

    assert await bench.ask(Request.INFER, request()) == Code.NOT_COMMITTED
    await bench.load(WHOLE, b"")
    for first, last in ((0, steps), (1, 0), (255, 254)):
        if last < 256:
            assert await bench.ask(Request.INFER, request(first, last)) == Code.OUT_OF_RANGE
    for size in range(protocol.PLACE.size, len(request()) - 1):
        assert await bench.ask(Request.INFER, request()[:size]) == Code.BAD_LENGTH
    beyond = protocol.ACTIVATIONS.pack(form(1, 1), 0, 2 * bench.geometry.activations) + b"\0"
    assert await bench.ask(Request.INFER, request()[:10] + beyond) == Code.BAD_LENGTH
    most = (bench.limit - 1) // 2
    for count in (0, most + 1, 0x100, 0x8000):
        place = protocol.PLACE.pack(Memory.ACTIVATIONS, 2, 0, 0, count)
        assert await bench.ask(Request.INFER, request(place=place)) == Code.OUT_OF_RANGE
    assert not engine.runs
    await bench.ask(Request.STATUS)

    async def finish() -> None:
        while True:
            await RisingEdge(dut.clk)
            if engine.port("busy").value == 1:
                await cycles(dut, bench.rng.randrange(1, 1000))
                engine.port("cycles").value, engine.port("stalls").value = reference.cycles, reference.stalls
                engine.finish()

    await bench.ask(Request.RUN, protocol.RUN.pack(77, 0, 0))
    bench.finish_run()
    engine.runs.clear()
    finishing = cocotb.start_soon(finish())
    places = [
        (0, 2, 1),
        (pes - 1, 2, 2 * pes + 1),
        (0, 3, min(most, pes * (2 * bench.geometry.activations - 3))),
    ]
    for first, last in ((0, 0), (0, steps - 1), (1, steps - 1)):
        for pe, address, count in places:
            values = (1, 0, -128) if first else (0,)
            reference.cycles, reference.stalls = bench.rng.getrandbits(32), bench.rng.getrandbits(32)
            place = protocol.PLACE.pack(Memory.ACTIVATIONS, 2, pe, address, min(count, most))
            engine.writes.clear()
            sent = request(first, last, place, values[: 1 if pes == 1 else 3])
            assert await bench.ask(Request.INFER, sent) == Code.OK
            assert len(engine.writes) == len(values[: 1 if pes == 1 else 3])
            assert engine.runs.pop() == (first, last - first + 1)
            assert not engine.runs
    assert reference.run == 77
    await bench.ask(Request.STATUS)
    engine.port("fault").value = reference.fault = Fault.NOT_COMMITTED
    assert await bench.ask(Request.INFER, request()) == Code.NOT_COMMITTED
    finishing.cancel()


@cocotb.test()
async def reads_memories(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    geometry = bench.geometry
    for memory in Memory:
        size, words = word_bytes(geometry, memory), depth(geometry, memory)
        largest = (bench.limit - 1) // size
        for count in sorted({1, min(3, words), min(words, largest)}):
            for address in sorted({0, words - count, (words - count) // 2}):
                payload = protocol.PLACE.pack(memory, size, geometry.pes - 1, address, count)
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
            (memory, size, 0xFFFF, 0, 1),
            (memory, size, 0, 0, 0x8000),
            (memory, size, 0, 0, 0),
        ):
            if wrong[3] <= 0xFFFF and wrong[1]:
                await bench.ask(Request.READ, protocol.PLACE.pack(*wrong))
    for unknown in (7, 8, 0x80, 0xFF):
        assert await bench.ask(Request.READ, protocol.PLACE.pack(unknown, 2, 0, 0, 1)) == Code.OUT_OF_RANGE


@cocotb.test()
async def does_anything_in_any_order(dut: HierarchyObject) -> None:
    """Random requests, sensible and not."""
    bench = await ready_bench(dut)
    random, geometry, reference = bench.rng, bench.geometry, bench.reference
    await bench.load(WHOLE, b"")
    image = bench.words(Memory.CODEBOOK, 0, 0, 4)
    seen = set()

    def place(memory: Memory, pe: int, address: int, count: int) -> bytes:
        return protocol.PLACE.pack(memory, word_bytes(geometry, memory), pe, address, count)

    requests, made = parameters()["requests"], 0
    # Until enough pairs of request and answer have come, but not for ever.
    while made < requests or (len(seen) < 12 and made < 8 * requests):
        made += 1
        kind = random.choice([*Request, *[Request.DATA] * 4, *[Request.RUN] * 3, Request.COMMIT])
        if kind in (Request.RESET, Request.BEGIN) and random.random() < 0.7:
            continue
        taken = len(reference.image) if reference.transaction else 0
        values = random.randrange(1, 9)
        payload = {
            Request.BEGIN: protocol.BEGIN.pack(random.randrange(4), zlib.crc32(image)),
            Request.DATA: protocol.DATA.pack(max(0, taken + random.choice([0, 0, 0, 1, -1])))
            + image[taken : taken + random.choice([0, 8, len(image)])],
            Request.ACTIVATIONS: protocol.ACTIVATIONS.pack(
                form(values, 2),
                random.randrange(geometry.pes),
                random.randrange(2 * geometry.activations + 1),
            )
            + encode([random.randrange(3) for _ in range(values)], 2)
            + b"x" * (random.random() < 0.1),
            Request.RUN: protocol.RUN.pack(random.randrange(3), random.randrange(3), random.randrange(3)),
            Request.READ: place(Memory.POINTERS, 0, 1, 3),
            Request.OUTPUTS: place(Memory.ACTIVATIONS, geometry.pes - 1, 1, random.randrange(5)),
        }.get(kind, b"")
        seen.add((kind, await bench.ask(kind, payload)))
        if reference.busy and random.random() < 0.3:
            bench.finish_run()
    assert len(seen) >= 12, seen
