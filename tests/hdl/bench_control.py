"""Bench of the central control; `tests.hdl.around_control` plays the PEs, the buses and the user."""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden.geometry import Geometry
from golden.memories import ALL_PES, Memory
from golden.protocol import Fault
from golden.steps import WORDS_PER_STEP, Step, Token
from hdl.control import RESET_CYCLES, answer_cycles
from hdl.layouts import payload_layout, scan_layout, token_layout
from tests.hdl.around_control import Bench, Run
from tests.hdl.side_by_side import watch
from tests.hdl.streams import cycles, drive, pack, parameters, rng, start, unpack

ANYTIME = (Memory.MATRIX, Memory.POINTERS, Memory.CODEBOOK, Memory.STEPS)


async def setup(dut: HierarchyObject) -> list[Bench]:
    """Benches, out of reset and idle, all banks committed."""
    await start(dut)
    random = rng()
    benches = [Bench(dut, name, variant, random) for name, variant in parameters()["variants"].items()]
    for bench in benches:
        cocotb.start_soon(bench.watch_tokens())
        cocotb.start_soon(bench.watch_loads())
        bench.unit.committed.value = 3
    for bench in benches:
        if bench.unit.busy.value == 1:
            await bench.until_idle()
        bench.loads.clear()
    return benches


def sweep(geometry: Geometry) -> list[dict[str, int]]:
    """What clears the accumulators."""
    memory = int(Memory.ACCUMULATORS)
    return [
        {"memory": memory, "pe": 0, "all": 1, "address": row, "data": 0}
        for row in range(geometry.accumulators)
    ]


@cocotb.test()
async def clears_before_anything_else(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        unit = bench.unit
        await bench.load_steps(bench.random_run(0, 1))
        dut.rst.value = 1
        await RisingEdge(dut.clk)
        dut.rst.value = 0
        item = {"memory": int(Memory.CODEBOOK), "pe": 0, "address": 3, "data": 4}
        writing = cocotb.start_soon(drive(unit, "write", [item], layout=bench.write_layout))
        bench.loads.clear()
        held = 0
        for _ in range(RESET_CYCLES + bench.geometry.accumulators):
            await RisingEdge(dut.clk)
            held += int(unit.clear.value)
            assert unit.busy.value == 1
            assert unit.run__ready.value == unit.read__ready.value == unit.write__ready.value == 0
        await writing
        await cycles(dut, 2)
        assert held == RESET_CYCLES
        assert unit.busy.value == 0
        assert [load for _, load in bench.loads] == [*sweep(bench.geometry), item | {"all": 0}]
        times = [time for time, _ in bench.loads]
        assert times == list(range(times[0], times[0] + len(times)))


@cocotb.test()
async def runs_steps(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        most = bench.geometry.steps
        for stall in (0.0, 0.0, 0.5):
            for first, count in ((0, 1), (1, 3), (most - 2, 2), (0, most if most < 9 else 5)):
                run = bench.random_run(first, count)
                await bench.load_steps(run)
                await bench.check(run, stall)


@cocotb.test()
async def takes_a_cycle_a_token(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        run = bench.random_run(0, 4)
        await bench.load_steps(run)
        bench.delays = (0, 0)
        times: list[int] = []
        watching = cocotb.start_soon(watch(bench.unit, "tokens", times))
        await bench.check(run)
        watching.cancel()
        bench.delays = (20, 9)
        cycle, expected = bench.taken + 1, []
        for step, rows in zip(run.steps, run.rows, strict=True):
            begin = cycle = cycle + 3
            expected.append(begin)
            for row in rows:
                expected += range(cycle + 1, cycle + 1 + len(row))
                cycle += max(1, len(row))
            cycle = max(cycle + 1, begin + 3 + max(1, step.bias_words))
            expected.append(cycle)
        assert times == expected


@cocotb.test()
async def binds_a_scan_to_the_drain_in_progress(dut: HierarchyObject) -> None:
    """If that writes the file which is scanned, and until it has ended."""
    for bench in await setup(dut):
        unit, layout = bench.unit, scan_layout(bench.geometry)
        for wait in (0, 1):
            for source in (0, 1):
                for destination in (0, 1):
                    steps = [
                        Step(index_bits=4, drain_rows=1, destination=destination),
                        Step(index_bits=4, words=1, source=source, wait=wait, destination=1 - destination),
                    ]
                    run = Run(0, steps, [[], [[]]])
                    await bench.load_steps(run)
                    bench.delays = (40, 9)
                    await bench.begin(run, 2)
                    while len(bench.tokens) < 3:
                        await RisingEdge(dut.clk)
                    bound = wait and source == destination
                    assert unpack(layout, int(unit.scan.value))["wait"] == (bound and bench.draining)
                    while bench.draining:
                        await RisingEdge(dut.clk)
                        assert unpack(layout, int(unit.scan.value))["wait"] == bound
                    await cycles(dut, 2)
                    assert unpack(layout, int(unit.scan.value))["wait"] == 0
                    await bench.detect(run, 0.0)
                    await bench.until_idle()
        bench.delays = (20, 9)


@cocotb.test()
async def passes_rows_without_nonzeros_while_the_broadcast_waits(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        run = Run(1, [Step(index_bits=4, words=9)], [[[]] * 9])
        await bench.load_steps(run)
        heard: list[int] = []
        watching = cocotb.start_soon(watch(bench.unit, "detection", heard))
        bench.stall = 0.0
        detecting = cocotb.start_soon(bench.detect(run, 0.0))
        await bench.begin(run, 1)
        while len(bench.tokens) < 1:
            await RisingEdge(dut.clk)
        bench.stall = 1.0
        await cycles(dut, 15)
        assert len(heard) == 9
        bench.stall = 0.0
        await detecting
        await bench.until_idle()
        watching.cancel()
        assert bench.tokens == bench.expected(run)
        assert bench.unit.stalls.value == 0


@cocotb.test()
async def refuses_a_bank_that_is_not_committed(dut: HierarchyObject) -> None:
    """At the first step and at a later one; sums of the steps before are cleared, and the next run runs."""
    for bench in await setup(dut):
        unit = bench.unit
        for bad in (0, 2):
            for committed in (1, 2):
                run = bench.random_run(1, 3, bank=committed - 1)
                step = run.steps[bad]
                fields = {name: getattr(step, name) for name in step.__dataclass_fields__}
                run.steps[bad] = Step(**fields | {"bank": 2 - committed})
                unit.committed.value = committed
                await bench.load_steps(run)
                bench.loads.clear()
                before = Run(1, run.steps[:bad], run.rows[:bad])
                detecting = cocotb.start_soon(bench.detect(before, 0.0))
                await bench.begin(run, 3)
                await bench.until_idle()
                await detecting
                sent = bench.expected(run)[: len(bench.expected(before))]
                assert bench.tokens == sent
                assert unit.fault.value == Fault.NOT_COMMITTED
                assert unit.step.value == 1 + bad
                await cycles(dut, 2)
                assert [load for _, load in bench.loads] == sweep(bench.geometry)
                unit.committed.value = 3
                await bench.check(run)


@cocotb.test()
async def writes_at_any_time_what_it_may(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        unit, random = bench.unit, bench.random
        run = bench.random_run(0, 2)
        await bench.load_steps(run)
        bench.loads.clear()
        bench.stall = 1.0  # nothing moves
        detecting = cocotb.start_soon(bench.detect(run, 0.0))
        await bench.begin(run, 2)
        for memory in ANYTIME:
            words = [random.getrandbits(32) for _ in range(3)]
            address = (bench.geometry.steps - 1) * WORDS_PER_STEP if memory == Memory.STEPS else 5
            bench.loads.clear()
            await bench.write(memory, address, words)
            await cycles(dut, 2)
            found = [(load["memory"], load["address"], load["data"]) for _, load in bench.loads]
            forwarded = [] if memory == Memory.STEPS else words
            assert found == [(memory, address + i, word) for i, word in enumerate(forwarded)]
        bench.loads.clear()
        for memory in (Memory.ACTIVATIONS, Memory.ACCUMULATORS):
            unit.write__valid.value = 1
            item = {"memory": int(memory), "pe": 0, "address": 2, "data": 3}
            unit.write__payload.value = pack(bench.write_layout, item)
            await RisingEdge(dut.clk)
            for _ in range(5):
                await RisingEdge(dut.clk)
                assert unit.write__ready.value == unit.read__ready.value == unit.run__ready.value == 0
        unit.write__valid.value = 0
        assert not bench.loads
        for memory in (Memory.ACTIVATIONS, Memory.ACCUMULATORS):
            writing = cocotb.start_soon(bench.write(memory, 9, [8]))
            bench.stall = 0.0
            await writing
        await cycles(dut, 2)
        await detecting
        assert unit.busy.value == 0
        assert [load["memory"] for _, load in bench.loads] == [Memory.ACTIVATIONS, Memory.ACCUMULATORS]
        assert bench.tokens == bench.expected(run)


@cocotb.test()
async def reads(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        unit, random = bench.unit, bench.random
        words = [random.getrandbits(32) for _ in range(bench.geometry.steps * WORDS_PER_STEP)]
        await bench.write(Memory.STEPS, 0, words)
        for address in (0, 1, len(words) - 1, random.randrange(len(words))):
            reading = cocotb.start_soon(bench.read(Memory.STEPS, 0, address, 0.5))
            while not reading.done():
                assert bench.access()["read"] == 0
                await RisingEdge(dut.clk)
            assert reading.result() == words[address]
        for memory in (Memory.MATRIX, Memory.COUNTERS, Memory.POINTERS, Memory.ACTIVATIONS):
            await cycles(dut, 2)
            answer = random.getrandbits(len(unit.answer))
            pe, address = (
                random.randrange(bench.geometry.pes),
                random.randrange(2 * bench.geometry.activations),
            )
            reading = cocotb.start_soon(bench.read(memory, pe, address, 0.5))
            while bench.access()["read"] == 0:
                await RisingEdge(dut.clk)
            for _ in range(answer_cycles(bench.geometry) - 2):
                bus = bench.access()
                assert (bus["memory"], bus["pe"], bus["address"], bus["peek"]) == (
                    memory,
                    pe,
                    address,
                    address,
                )
                token = unpack(token_layout(bench.geometry), int(unit.tokens__payload.value))["payload"]
                assert unpack(payload_layout(Token.ACTIVATION, bench.geometry), token)["address"] == address
                assert unit.tokens__valid.value == unit.data__valid.value == 0
                await RisingEdge(dut.clk)
            scan = unpack(scan_layout(bench.geometry), int(unit.scan.value))
            assert scan["first"] == address // bench.geometry.scan_width
            unit.answer.value = answer
            assert await reading == answer
            unit.answer.value = 0


@cocotb.test()
async def answers_zero_for_what_is_not_there(dut: HierarchyObject) -> None:
    """As nobody is asked, nobody answers."""
    for bench in await setup(dut):
        pes = bench.geometry.pes
        for memory, pe in ((Memory.MATRIX, pes), (Memory.CODEBOOK, 256), (Memory.MATRIX, ALL_PES), (7, 0)):
            reading = cocotb.start_soon(bench.read(memory, pe, 0))
            while not reading.done():
                assert bench.access()["read"] == 0
                await RisingEdge(dut.clk)
            assert reading.result() == 0
        bench.loads.clear()
        item = {"memory": int(Memory.MATRIX), "pe": pes, "address": 2, "data": 3}
        await drive(bench.unit, "write", [item], layout=bench.write_layout)
        await cycles(dut, 2)
        assert not bench.loads
        run = bench.random_run(0, 1)
        await bench.load_steps(run)
        await bench.check(run)


@cocotb.test()
async def reads_behind_writes(dut: HierarchyObject) -> None:
    """A read comes behind writes that were offered before, and a run when the read has been answered."""
    for bench in await setup(dut):
        run = bench.random_run(0, 1)
        await bench.load_steps(run)
        bench.loads.clear()
        writing = cocotb.start_soon(bench.write(Memory.CODEBOOK, 0, [1, 2, 3]))
        reading = cocotb.start_soon(bench.read(Memory.CODEBOOK, 0, 0))
        running = cocotb.start_soon(bench.check(run))
        while bench.access()["read"] == 0:
            await RisingEdge(dut.clk)
        assert len(bench.loads) == 3
        while not reading.done():
            assert bench.unit.write__ready.value == bench.unit.busy.value == 0
            await RisingEdge(dut.clk)
        await writing
        assert reading.result() == 0
        await running


@cocotb.test()
async def takes_a_run_of_no_steps(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        await bench.begin(Run(0, [], []), 0)
        await cycles(dut, 5)
        assert bench.unit.busy.value == 0
        assert not bench.tokens
        run = bench.random_run(1, 2)
        await bench.load_steps(run)
        await bench.check(run)


@cocotb.test()
async def is_reset_in_mid_run(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        unit = bench.unit
        for wait in (3, 6, 30):
            run = bench.random_run(0, 2)
            await bench.load_steps(run)
            bench.stall = 0.3
            detecting = cocotb.start_soon(bench.detect(run, 0.3))
            await bench.begin(run, 2)
            await cycles(dut, wait)
            bench.stall = 1.0
            dut.rst.value = 1
            await RisingEdge(dut.clk)
            dut.rst.value = 0
            detecting.cancel()
            unit.detection__valid.value = 0
            await cycles(dut, 40)
            unit.any_high.value = unit.all_high.value = bench.phase = 0
            if unit.busy.value == 1:
                await bench.until_idle()
            reported = (unit.step, unit.fault, unit.banks, unit.cycles)
            assert [int(port.value) for port in reported] == [0, 0, 0, 0]
            await bench.check(run)
