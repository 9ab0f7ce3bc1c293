"""Bench of the central control; `tests.hdl.around_control` plays the PEs, the buses and the user."""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden.engine import FINAL
from golden.geometry import Geometry
from golden.memories import ALL_PES, Memory
from golden.protocol import Fault
from golden.steps import WORDS_PER_STEP, Step, Token
from hdl.control import ANSWER_CYCLES, QUIET_CYCLES, RESET_CYCLES
from hdl.layouts import read_layout
from tests.hdl.around_control import Bench, Run
from tests.hdl.side_by_side import now, watch
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
        {"memory": memory, "pe": ALL_PES, "address": row, "data": 0} for row in range(geometry.accumulators)
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
        assert [load for _, load in bench.loads] == [*sweep(bench.geometry), item]
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
        times: list[int] = []
        watching = cocotb.start_soon(watch(bench.unit, "tokens", times))
        await bench.check(run)
        watching.cancel()
        assert times[0] == bench.taken + 2
        idle = sum(not row for rows in run.rows for row in rows)
        assert times[-1] - times[0] + 1 == len(times) + idle + len(run.steps) - 1


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
        while len(bench.tokens) < 3:
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
                assert bench.tokens == [*sent, (Token.DRAIN, 0), (Token.FINISH, FINAL)]
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
            item = {"memory": int(memory), "pe": 1, "address": 2, "data": 3}
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
            assert await bench.read(Memory.STEPS, 0, address, 0.5) == words[address]
            assert unit.ask_valid.value == 0
        for delay in (1, 9, 30):
            answer = random.getrandbits(bench.geometry.data_bits)
            memory = random.choice((Memory.MATRIX, Memory.COUNTERS, Memory.ACCUMULATORS))
            reading = cocotb.start_soon(bench.read(memory, 2, 77, 0.5))
            while unit.ask_valid.value == 0:
                await RisingEdge(dut.clk)
            for _ in range(delay):
                assert unit.ask_valid.value == 1, "a request is held"
                asked = unpack(read_layout(), int(unit.ask.value))
                assert asked == {"memory": memory, "pe": 2, "address": 77}
                await RisingEdge(dut.clk)
            unit.answer_valid.value, unit.answer.value = 1, answer
            assert await reading == answer
            await cycles(dut, 3)
            assert unit.ask_valid.value == 0
            waiting = cocotb.start_soon(bench.read(Memory.STEPS, 0, 1))
            await cycles(dut, 9)
            assert unit.read__ready.value == 0, "the answer before has not gone yet"
            unit.answer_valid.value = unit.answer.value = 0
            assert await waiting == words[1]


@cocotb.test()
async def answers_zero_for_what_is_not_there(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        reading = cocotb.start_soon(bench.read(Memory.MATRIX, 200, 0))
        while bench.unit.ask_valid.value == 0:
            await RisingEdge(dut.clk)
        begun = now()
        assert await reading == 0
        assert now() - begun == ANSWER_CYCLES
        run = bench.random_run(0, 1)
        await bench.load_steps(run)
        await bench.check(run)


@cocotb.test()
async def reads_behind_writes(dut: HierarchyObject) -> None:
    """A read waits until the last write has arrived, and a run until the read has been answered."""
    for bench in await setup(dut):
        unit = bench.unit
        await cycles(dut, 10)
        run = bench.random_run(0, 1)
        await bench.load_steps(run)
        bench.loads.clear()
        await bench.write(Memory.CODEBOOK, 0, [1, 2, 3])
        reading = cocotb.start_soon(bench.read(Memory.CODEBOOK, 0, 0))
        running = cocotb.start_soon(bench.check(run))
        while unit.ask_valid.value == 0:
            await RisingEdge(dut.clk)
        assert now() - bench.loads[-1][0] > QUIET_CYCLES
        await cycles(dut, 5)
        assert unit.busy.value == 0
        unit.answer_valid.value, unit.answer.value = 1, 5
        await RisingEdge(dut.clk)
        unit.answer_valid.value = 0
        assert await reading == 5
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
            await cycles(dut, 30)
            unit.any_high.value = unit.all_high.value = bench.phase = 0
            if unit.busy.value == 1:
                await bench.until_idle()
            reported = (unit.step, unit.fault, unit.banks, unit.cycles)
            assert [int(port.value) for port in reported] == [0, 0, 0, 0]
            await bench.check(run)
