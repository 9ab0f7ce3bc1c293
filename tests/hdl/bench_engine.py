"""Bench of the engine: plans run on the gateware and on the golden engine; integers and cycles are equal."""

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject
from cocotb.task import bridge, resume
from cocotb.triggers import RisingEdge
from numpy.testing import assert_array_equal

from golden.cycles import run_cycles
from golden.engine import Engine as GoldenEngine
from golden.execute import RunReport, execute
from golden.forward import forward
from golden.geometry import Geometry
from golden.image import sections
from golden.memories import Memory, word_bits
from golden.plan import make_plan
from golden.protocol import WHOLE, Fault
from hdl.layouts import read_layout, run_layout, write_layout
from tests.hdl.streams import PATIENCE, collect, drive, parameters, start
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
        return np.array(words, dtype=np.uint64)

    async def apply(self, image: bytes, bank: int) -> None:
        """Write the sections of an image."""
        for section in sections(image, self.geometry, bank):
            await self.write(section.memory, section.pe, section.address, section.words)

    async def run(self, first: int, count: int) -> RunReport:
        """Start a run and wait for its end."""
        await drive(self.dut, "run", [{"first": first, "count": count}], layout=run_layout())
        await self.until_idle()
        return RunReport(int(self.dut.cycles.value), int(self.dut.stalls.value))

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
        await drive(self.dut, "run", [{"first": first, "count": count}], layout=run_layout())
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


@cocotb.test()
async def runs_plans(dut: HierarchyObject) -> None:
    device, geometry, rng, given = setup(dut)
    await device.begin()
    for shape in given["networks"]:
        model = random_model(rng, **shape)
        inputs = rng.integers(-3000, 3000, (given.get("batch", 2), model.inputs))
        inputs[rng.random(inputs.shape) < given.get("zeros", 0.5)] = 0
        plan = make_plan(model, geometry)
        result = await bridge(execute)(plan, device, inputs)
        expected, saturations = forward(model, inputs, geometry.accumulator_bits)
        assert_array_equal(result.outputs, expected, err_msg=f"{shape}, resident {plan.resident}")
        assert result.saturations == saturations
        modelled = execute(plan, GoldenEngine(geometry, run_cycles), inputs)
        assert_array_equal(modelled.outputs, expected)
        assert_array_equal(result.cycles, modelled.cycles, err_msg=f"{shape}, resident {plan.resident}")
        assert_array_equal(result.stalls, modelled.stalls)
