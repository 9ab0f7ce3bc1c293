"""The engine's side of the link: streams answered from a dictionary, runs that end when the bench says so."""

import random

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden.geometry import Geometry
from golden.memories import ALL_PES, Memory, depth, word_bits
from hdl.layouts import read_layout, run_layout, write_layout
from tests.hdl.streams import unpack

RESET_CYCLES = 20


class EngineModel:
    """Plays the engine of a design whose ports begin with `engine__`.

    Attributes
    ----------
    memory : dict
        Words by (memory, PE, address); those never written are made up, and stay so.
    writes : list of (memory, PE, address, data)
        In order of arrival; every PE at once is PE `ALL_PES`, and the steps' is 0.
    runs : list of (first, count)
    """

    def __init__(self, dut: HierarchyObject, geometry: Geometry, rng: random.Random, stall: float) -> None:
        self.dut, self.geometry, self.rng, self.stall = dut, geometry, rng, stall
        self.memory: dict[tuple[Memory, int, int], int] = {}
        self.writes: list[tuple[Memory, int, int, int]] = []
        self.runs: list[tuple[int, int]] = []
        self.resets = 0
        self._clearing = 0
        for name in ("write__ready", "read__ready", "data__valid", "run__ready", "busy"):
            self.port(name).value = 0
        cocotb.start_soon(self._writes())
        cocotb.start_soon(self._reads())
        cocotb.start_soon(self._runs())

    def port(self, name: str):
        """Handle of a port."""
        return getattr(self.dut, f"engine__{name}")

    def word(self, memory: Memory, pe: int, address: int) -> int:
        """What a memory holds."""
        key = (memory, 0 if memory == Memory.STEPS else pe, address)
        return self.memory.setdefault(key, self.rng.getrandbits(word_bits(self.geometry, memory)))

    def finish(self) -> None:
        """End the run."""
        self.port("busy").value = 0
        self.port("banks").value = 0

    def _exists(self, memory: int, pe: int, address: int) -> bool:
        return address < depth(self.geometry, Memory(memory)) and (
            memory == Memory.STEPS or pe < self.geometry.pes or pe == ALL_PES
        )

    async def _writes(self) -> None:
        while True:
            taking = self.rng.random() >= self.stall
            self.port("write__ready").value = int(taking)
            await RisingEdge(self.dut.clk)
            if taking and self.port("write__valid").value == 1:
                layout = write_layout(self.geometry)
                item = unpack(layout, int(self.port("write__payload").value))
                memory = Memory(item["memory"])
                assert self._exists(memory, item["pe"], item["address"]), f"write of {item}"
                data = item["data"] & (1 << word_bits(self.geometry, memory)) - 1
                pe = 0 if memory == Memory.STEPS else item["pe"]
                self.writes.append((memory, pe, item["address"], data))
                pes = range(self.geometry.pes) if item["pe"] == ALL_PES else [item["pe"]]
                for pe in [0] if memory == Memory.STEPS else pes:
                    self.memory[memory, pe, item["address"]] = data

    async def _reads(self) -> None:
        while True:
            self.port("read__ready").value = 1
            await RisingEdge(self.dut.clk)
            if self.port("read__valid").value == 1:
                assert self.port("busy").value == 0
                self.port("read__ready").value = 0
                item = unpack(read_layout(), int(self.port("read__payload").value))
                assert self._exists(**item), f"read of {item}"
                for _ in range(self.rng.randrange(6)):
                    await RisingEdge(self.dut.clk)
                word = self.word(Memory(item["memory"]), item["pe"], item["address"])
                self.port("data__valid").value = 1
                self.port("data__payload").value = word
                while True:
                    await RisingEdge(self.dut.clk)
                    if self.port("data__ready").value == 1:
                        break
                self.port("data__valid").value = 0

    async def _runs(self) -> None:
        while True:
            taking = self.port("busy").value == 0 and self.rng.random() >= self.stall
            self.port("run__ready").value = int(taking)
            await RisingEdge(self.dut.clk)
            if taking and self.port("run__valid").value == 1:
                item = unpack(run_layout(), int(self.port("run__payload").value))
                self.runs.append((item["first"], item["count"]))
                self.port("busy").value = 1
            if self.port("reset").value == 1:
                self.resets += 1
                self.port("busy").value = 1
                self.port("banks").value = 0
                self._clearing = RESET_CYCLES
            elif self._clearing:
                self._clearing -= 1
                if not self._clearing:
                    self.finish()
