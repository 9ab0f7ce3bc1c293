"""The engine's side of the link: streams answered from a dictionary, runs that end when the bench says so."""

import random

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden.geometry import Geometry
from golden.memories import ALL_PES, Memory, depth, word_bits
from hdl.layouts import read_layout, run_layout, write_layout
from tests.hdl.streams import clocked, cycles, unpack

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
        self.busy = False
        for name in ("write__ready", "read__ready", "data__valid", "run__ready", "busy"):
            self.port(name).value = 0
        for process in (self._writes, self._reads, self._runs, self._resets):
            cocotb.start_soon(process())

    def port(self, name: str):
        """Handle of a port."""
        return getattr(self.dut, f"engine__{name}")

    def word(self, memory: Memory, pe: int, address: int) -> int:
        """What a memory holds."""
        key = (memory, 0 if memory == Memory.STEPS else pe, address)
        return self.memory.setdefault(key, self.rng.getrandbits(word_bits(self.geometry, memory)))

    def finish(self) -> None:
        """End the run."""
        self._become(busy=False)

    def _exists(self, memory: int, pe: int, address: int) -> bool:
        return address < depth(self.geometry, Memory(memory)) and (
            memory == Memory.STEPS or pe < self.geometry.pes or pe == ALL_PES
        )

    def _become(self, *, busy: bool) -> None:
        self.busy = busy
        self.port("busy").value = int(busy)
        if not busy:
            self.port("banks").value = 0
        self._offer_run()

    def _offer_run(self) -> None:
        self.port("run__ready").value = int(not self.busy and self.rng.random() >= self.stall)

    async def _writes(self) -> None:
        valid, ready, payload = (self.port(f"write__{part}") for part in ("valid", "ready", "payload"))
        layout = write_layout(self.geometry)
        while True:
            ready.value = int(self.rng.random() >= self.stall)
            await clocked(self.dut, valid)
            if ready.value == 1 and valid.value == 1:
                item = unpack(layout, int(payload.value))
                memory = Memory(item["memory"])
                assert self._exists(memory, item["pe"], item["address"]), f"write of {item}"
                data = item["data"] & (1 << word_bits(self.geometry, memory)) - 1
                pe = 0 if memory == Memory.STEPS else item["pe"]
                self.writes.append((memory, pe, item["address"], data))
                pes = range(self.geometry.pes) if item["pe"] == ALL_PES else [item["pe"]]
                for pe in [0] if memory == Memory.STEPS else pes:
                    self.memory[memory, pe, item["address"]] = data

    async def _reads(self) -> None:
        valid, ready, payload = (self.port(f"read__{part}") for part in ("valid", "ready", "payload"))
        layout = read_layout()
        while True:
            ready.value = 1
            await clocked(self.dut, valid)
            if valid.value == 1:
                assert self.port("busy").value == 0
                ready.value = 0
                item = unpack(layout, int(payload.value))
                assert self._exists(**item), f"read of {item}"
                await cycles(self.dut, self.rng.randrange(6))
                self.port("data__payload").value = self.word(
                    Memory(item["memory"]), item["pe"], item["address"]
                )
                self.port("data__valid").value = 1
                while True:
                    await RisingEdge(self.dut.clk)
                    if self.port("data__ready").value == 1:
                        break
                self.port("data__valid").value = 0

    async def _runs(self) -> None:
        valid, ready, payload = (self.port(f"run__{part}") for part in ("valid", "ready", "payload"))
        while True:
            self._offer_run()
            await clocked(self.dut, valid)
            if ready.value == 1 and valid.value == 1:
                item = unpack(run_layout(), int(payload.value))
                self.runs.append((item["first"], item["count"]))
                self._become(busy=True)

    async def _resets(self) -> None:
        reset = self.port("reset")
        left = 0
        while True:
            await (RisingEdge(self.dut.clk) if left else clocked(self.dut, reset))
            if reset.value == 1:
                self.resets += 1
                self._become(busy=True)
                self.port("banks").value = 0
                left = RESET_CYCLES
            elif left:
                left -= 1
                if not left:
                    self.finish()
