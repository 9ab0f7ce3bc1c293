"""Bench of the registers between link and engine: words of every size, and an engine that takes its time."""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import FallingEdge, RisingEdge

from golden.geometry import Geometry
from hdl.layouts import read_layout, run_layout, write_layout
from tests.hdl.streams import collect, drive, parameters, rng, start, unpack


class Bench:
    """The design, as the link's processor drives it."""

    def __init__(self, dut: HierarchyObject) -> None:
        self.dut, self.rng = dut, rng()
        self.geometry = Geometry(**parameters()["geometry"])

    async def give(self, control: str, byte: int = 0) -> None:
        """A byte for a register, or something to do."""
        await FallingEdge(self.dut.clk)
        self.dut.i.value = byte
        getattr(self.dut, control).value = 1
        await FallingEdge(self.dut.clk)
        getattr(self.dut, control).value = 0
        self.dut.i.value = self.rng.randrange(256)

    async def done(self) -> None:
        """Wait until the engine has done what was asked."""
        while self.dut.pending.value == 1:
            await FallingEdge(self.dut.clk)

    async def place(self, memory: int, pe: int, address: int) -> None:
        """Set memory, PE and address."""
        await self.give("set_memory", memory)
        await self.give("set_pe", pe & 0xFF)
        await self.give("set_all", pe >> 8)
        await self.give("set_low", address & 0xFF)
        await self.give("set_high", address >> 8)


@cocotb.test()
async def writes_and_reads_words(dut: HierarchyObject) -> None:
    await start(dut)
    bench = Bench(dut)
    widest = -(-bench.geometry.data_bits // 8)
    for _ in range(60):
        size = bench.rng.randrange(1, widest + 1)
        place = {
            "memory": bench.rng.randrange(7),
            "pe": bench.rng.choice([0xFFFF, bench.rng.randrange(256)]),
            "address": bench.rng.randrange(1 << 16),
        }
        data = bench.rng.randbytes(size)
        await bench.place(**place)
        for byte in data:
            await bench.give("push", byte)
        assert dut.pending.value == 0
        stall = bench.rng.choice([0, 0.8])
        taking = cocotb.start_soon(collect(dut, "engine_write", 1, stall=stall, rng=bench.rng))
        await bench.give("write")
        assert dut.pending.value == 1
        await bench.done()
        (item,) = await taking
        written = unpack(write_layout(bench.geometry), item)
        found = written.pop("data") & (1 << 8 * size) - 1
        assert written == place
        assert found == int.from_bytes(data, "little") & (1 << bench.geometry.data_bits) - 1

        word = bench.rng.getrandbits(bench.geometry.data_bits)
        taking = cocotb.start_soon(collect(dut, "engine_read", 1, stall=stall, rng=bench.rng))
        await bench.give("read")
        (item,) = await taking
        assert unpack(read_layout(), item) == place
        await RisingEdge(dut.clk)
        assert dut.pending.value == 1
        await drive(dut, "engine_data", [word], stall=stall, rng=bench.rng)
        await FallingEdge(dut.clk)
        assert dut.pending.value == 0
        for byte in word.to_bytes(widest, "little")[:size]:
            assert dut.o.value == byte
            await bench.give("pop")


@cocotb.test()
async def begins_runs(dut: HierarchyObject) -> None:
    await start(dut)
    bench = Bench(dut)
    for first, count in ((0, 1), (3, 256), (255, 1), (7, 128)):
        await bench.place(0, count & 0xFF, first)
        taking = cocotb.start_soon(collect(dut, "engine_run", 1, stall=0.5, rng=bench.rng))
        await bench.give("run")
        await bench.done()
        (item,) = await taking
        assert unpack(run_layout(), item) == {"first": first, "count": count}
