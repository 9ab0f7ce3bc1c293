"""Bench of the engine: plans run on the gateware and on the golden engine; integers and cycles are equal."""

from dataclasses import replace

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject
from cocotb.task import bridge, resume
from cocotb.triggers import RisingEdge
from numpy.testing import assert_array_equal

from golden.cycles import run_cycles
from golden.engine import Engine as GoldenEngine
from golden.execute import Executor, RunReport, execute
from golden.forward import forward
from golden.geometry import Geometry
from golden.image import sections
from golden.layers import Model
from golden.memories import Memory, word_bits, word_bytes
from golden.plan import Plan, ReadOutputs, Run, make_plan
from golden.protocol import WHOLE, Fault
from golden.steps import WORDS_PER_STEP, Step
from hdl.layouts import read_layout, run_layout, write_layout
from tests.hdl.streams import PATIENCE, collect, cycles, drive, parameters, start
from tests.networks import random_model


class EngineDevice:
    """The gateware's streams as a `golden.execute.Device`."""

    def __init__(self, dut: HierarchyObject, geometry: Geometry, stall: float = 0.0) -> None:
        self.dut, self.geometry, self.stall = dut, geometry, stall
        self.write_layout = write_layout(geometry)

    async def begin(self) -> None:
        """Reset, and wait until the accumulators are clear."""
        await start(self.dut)
        await self.until_idle()

    async def until_idle(self) -> None:
        """Wait for the end of a run or a reset."""
        for _ in range(PATIENCE):
            await RisingEdge(self.dut.clk)
            if self.dut.busy.value == 0:
                return
        raise AssertionError(f"the engine is still busy after {PATIENCE} cycles")

    async def write(self, memory: Memory, pe: int, address: int, words) -> None:
        """Write consecutive words."""
        mask = (1 << word_bits(self.geometry, memory)) - 1
        items = [
            {"memory": int(memory), "pe": pe, "address": address + i, "data": int(word) & mask}
            for i, word in enumerate(words)
        ]
        await drive(self.dut, "write", items, stall=self.stall, layout=self.write_layout)

    async def read(self, memory: Memory, pe: int, address: int, count: int) -> np.ndarray:
        """Read consecutive words."""
        items = [{"memory": int(memory), "pe": pe, "address": address + i} for i in range(count)]
        asking = cocotb.start_soon(drive(self.dut, "read", items, stall=self.stall, layout=read_layout()))
        words = await collect(self.dut, "data", count, stall=self.stall)
        await asking
        mask = (1 << 8 * word_bytes(self.geometry, memory)) - 1  # above a word's bytes stands anything
        return np.array([word & mask for word in words], dtype=np.uint64)

    async def apply(self, image: bytes, bank: int) -> None:
        """Write the sections of an image."""
        for section in sections(image, self.geometry, bank):
            await self.write(section.memory, section.pe, section.address, section.words)

    async def ask_for_run(self, first: int, count: int) -> None:
        """Begin a run as soon as the engine takes it."""
        await drive(self.dut, "run", [{"first": first, "count": count}], layout=run_layout())

    async def run(self, first: int, count: int) -> RunReport:
        """Start a run and wait for its end."""
        await self.ask_for_run(first, count)
        await self.until_idle()
        return RunReport(int(self.dut.cycles.value), int(self.dut.stalls.value))

    async def write_words_of_input(self, values: np.ndarray, plan: Plan) -> None:
        """Write a resident plan's input."""
        for slot, row in enumerate(plan.placements[0].arrange(values)):
            for pe, value in enumerate(row):
                await self.write(Memory.ACTIVATIONS, pe, slot, [value])

    @resume
    async def load(self, bank: int, image: bytes) -> None:
        mask = 3 if bank == WHOLE else 1 << bank
        self.dut.committed.value = int(self.dut.committed.value) & ~mask
        await self.apply(image, bank)
        self.dut.committed.value = int(self.dut.committed.value) | mask

    @resume
    async def write_activations(self, file: int, slot: int, pe: int, values) -> None:
        pes = self.geometry.pes
        base = file * self.geometry.activations
        for i, value in enumerate(values, slot * pes + pe):
            await self.write(Memory.ACTIVATIONS, i % pes, base + i // pes, [value])

    @resume
    async def start(self, first: int, count: int) -> None:
        await self.ask_for_run(first, count)
        await RisingEdge(self.dut.clk)

    @resume
    async def wait(self) -> RunReport:
        if self.dut.busy.value != 0:
            await self.until_idle()
        assert self.dut.fault.value == Fault.NONE
        return RunReport(int(self.dut.cycles.value), int(self.dut.stalls.value))

    @resume
    async def read_outputs(self, file: int, slot: int, pe: int, count: int):
        pes = self.geometry.pes
        base = file * self.geometry.activations
        words = [
            (await self.read(Memory.ACTIVATIONS, i % pes, base + i // pes, 1))[0]
            for i in range(slot * pes + pe, slot * pes + pe + count)
        ]
        return np.array(words, dtype=np.uint16).view(np.int16)

    @resume
    async def reset(self) -> None:
        self.dut.reset.value = 1
        await RisingEdge(self.dut.clk)
        self.dut.reset.value = 0
        self.dut.committed.value = 0
        await self.until_idle()

    @resume
    async def saturations(self):
        counters = [(await self.read(Memory.COUNTERS, pe, 0, 1))[0] for pe in range(self.geometry.pes)]
        return np.array(counters, dtype=np.int64)


def setup(dut: HierarchyObject) -> tuple[EngineDevice, Geometry, np.random.Generator, dict]:
    """Device, geometry, random numbers and the rest of the parameters."""
    given = parameters()
    geometry = Geometry(**given.pop("geometry"))
    rng = np.random.default_rng(given.pop("seed", 1))
    return EngineDevice(dut, geometry, given.pop("stall", 0.0)), geometry, rng, given


async def compare(
    device: EngineDevice, executor: Executor, model: Model, inputs: np.ndarray, label: str, threshold: int = 0
) -> None:
    """Run a batch; outputs, saturations, cycles and stalls are golden's."""
    geometry, plan = device.geometry, executor.plan
    result = await bridge(executor.run)(inputs)
    expected, saturations = forward(model, inputs, geometry.accumulator_bits, threshold)
    assert_array_equal(result.outputs, expected, err_msg=label)
    assert result.saturations == saturations
    modelled = execute(plan, GoldenEngine(geometry, run_cycles), inputs)
    assert_array_equal(modelled.outputs, expected)
    assert_array_equal(result.cycles, modelled.cycles, err_msg=label)
    assert_array_equal(result.stalls, modelled.stalls, err_msg=label)


def random_inputs(rng: np.random.Generator, batch: int, size: int, zeros: float) -> np.ndarray:
    """Positive and negative activations, a share of them zero."""
    inputs = rng.integers(-3000, 3000, (batch, size))
    inputs[rng.random(inputs.shape) < zeros] = 0
    return inputs


@cocotb.test()
async def runs_plans(dut: HierarchyObject) -> None:
    """One network after the other on the same device."""
    device, geometry, rng, given = setup(dut)
    await device.begin()
    kinds, saturations = set(), 0
    for shape in given["networks"]:
        batch, zeros, threshold = shape.pop("batch", 2), shape.pop("zeros", 0.5), shape.pop("threshold", 0)
        model = random_model(rng, **shape)
        inputs = random_inputs(rng, batch, model.inputs, zeros)
        plan = make_plan(model, geometry, threshold=threshold)
        kinds.add("resident" if plan.resident else "streamed")
        saturations += forward(model, inputs, geometry.accumulator_bits, threshold)[1]
        label = f"{shape}, zeros {zeros}, threshold {threshold}, resident {plan.resident}"
        await compare(device, Executor(plan, device), model, inputs, label, threshold)
    assert kinds == set(given.get("kinds", kinds))
    assert saturations > 0 or not given.get("saturates")


@cocotb.test()
async def recovers(dut: HierarchyObject) -> None:
    """From resets in mid-run and from banks that are not committed; every memory keeps its contents."""
    device, geometry, rng, _ = setup(dut)
    await device.begin()
    model = random_model(rng, [30, 24, 10])
    inputs = random_inputs(rng, 1, 30, 0.2)
    plan = make_plan(model, geometry)
    executor = Executor(plan, device)
    await compare(device, executor, model, inputs, "first")
    (run,) = (action for action in plan.actions if isinstance(action, Run))
    golden = GoldenEngine(geometry)
    execute(plan, golden, inputs)
    for wait in (0, 8, 25, 60, 100):
        await device.ask_for_run(run.first, run.count)
        await cycles(dut, wait)
        dut.reset.value = 1
        await RisingEdge(dut.clk)
        dut.reset.value = 0
        await device.until_idle()
        assert [int(port.value) for port in (dut.fault, dut.step, dut.banks, dut.cycles)] == [0, 0, 0, 0]
        await all_accumulators_are_zero(device)
        await compare(device, Executor(plan, device, resume=True), model, inputs, f"reset after {wait}")
    for memory in (Memory.MATRIX, Memory.POINTERS, Memory.CODEBOOK, Memory.STEPS):
        for section in sections(plan.images[0].payload, geometry, plan.images[0].bank):
            if section.memory is memory:
                pe = 0 if memory in (Memory.STEPS, Memory.CODEBOOK) else section.pe
                found = await device.read(memory, pe, section.address, min(len(section.words), 8))
                assert_array_equal(found, section.words[:8])
                break
    assert await device.read(Memory.CODEBOOK, geometry.pes, 0, 1) == [0], "a PE that is not there"
    # The first step leaves sums behind, as it drains nothing; the second one's bank is not committed.
    words = await device.read(Memory.STEPS, 0, run.first * WORDS_PER_STEP, 2 * WORDS_PER_STEP)
    first, second = (Step.decode([int(word) for word in words[i : i + 8]]) for i in (0, WORDS_PER_STEP))
    dut.committed.value = 1
    for change, place in ((replace(first, drain_rows=0), 0), (replace(second, bank=1), 1)):
        address = (run.first + place) * WORDS_PER_STEP
        await device.write(Memory.STEPS, 0, address, change.encode())
    await device.write_words_of_input(inputs[0], plan)
    for count, fault in ((1, Fault.NONE), (2, Fault.NOT_COMMITTED)):
        await device.run(run.first, count)
        assert dut.fault.value == fault
        assert dut.step.value == run.first + count - 1
        sums = [await device.read(Memory.ACCUMULATORS, pe, 0, 8) for pe in range(geometry.pes)]
        assert np.any(sums) == (fault == Fault.NONE)
    await compare(device, Executor(plan, device), model, inputs, "after a fault")


@cocotb.test()
async def takes_requests_in_their_order(dut: HierarchyObject) -> None:
    """Words of the next input, and then its run, are asked for while a run is in progress."""
    device, geometry, rng, _ = setup(dut)
    await device.begin()
    model = random_model(rng, [30, 24])
    plan = make_plan(model, geometry)
    (run,) = (action for action in plan.actions if isinstance(action, Run))
    (read,) = (action for action in plan.actions if isinstance(action, ReadOutputs))
    values = rng.integers(1, 3000, 30)
    await compare(device, Executor(plan, device), model, values[np.newaxis], "first")
    for count in (1, 2, 3, 5):
        before = plan.placements[0].arrange(values)
        values[rng.choice(30, count, replace=False)] += rng.integers(1, 3000, count)
        after = plan.placements[0].arrange(values)
        await device.ask_for_run(run.first, run.count)
        for slot, pe in np.argwhere(before != after):
            await device.write(Memory.ACTIVATIONS, int(pe), int(slot), [after[slot, pe]])
        await device.run(run.first, run.count)
        found = await bridge(device.read_outputs)(read.file, read.slot, 0, read.count)
        expected, _ = forward(model, values[np.newaxis], geometry.accumulator_bits)
        assert_array_equal(plan.placements[-1].restore(found.reshape(-1, geometry.pes)), expected[0])
    held = await device.read(Memory.ACTIVATIONS, 0, 0, 2)
    await device.ask_for_run(run.first, run.count)
    writing = cocotb.start_soon(device.write(Memory.ACTIVATIONS, 0, 0, held + 1))
    await cycles(dut, 10)
    writing.cancel()
    dut.write__valid.value = 0
    await bridge(device.reset)()
    assert_array_equal(await device.read(Memory.ACTIVATIONS, 0, 0, 2), held, "a reset forgets what waits")


async def all_accumulators_are_zero(device: EngineDevice) -> None:
    """Read them."""
    for pe in range(device.geometry.pes):
        assert not np.any(await device.read(Memory.ACCUMULATORS, pe, 0, device.geometry.accumulators))
