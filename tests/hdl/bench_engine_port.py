"""Bench of the registers between link and engine: words of every size, and an engine that takes its time."""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import FallingEdge, RisingEdge

from golden.activations import decode_form, encode, form
from golden.geometry import Geometry
from golden.memories import Memory
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
        await self.give("set_all", pe >> 8 & 0xFF)
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
        place["address"] = (place["address"] + 1) % (1 << 16)
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


@cocotb.test()
async def goes_across_pes(dut: HierarchyObject) -> None:
    """Maps of one to eight places, words of one and two bytes, and zeros in between."""
    await start(dut)
    bench = Bench(dut)
    pes = bench.geometry.pes
    for _ in range(20):
        size, first = bench.rng.randrange(1, 3), bench.rng.randrange(1, 9)
        values = [
            bench.rng.choice([0, 0, 1, -1, 100, -128]) for _ in range(first + 8 * bench.rng.randrange(4))
        ]
        pe, address = bench.rng.randrange(pes), bench.rng.randrange(100)
        await bench.place(Memory.ACTIVATIONS, pe, address)
        await bench.give("set_all", form(len(values), size))
        taking = cocotb.start_soon(
            collect(dut, "engine_write", len(values), stall=bench.rng.choice([0, 0.8]), rng=bench.rng)
        )
        for byte in encode(values, size):
            await bench.give("push", byte)
            await bench.done()
        assert dut.unfinished.value == 0
        written = [unpack(write_layout(bench.geometry), item) for item in await taking]
        assert [item["data"] & 0xFFFF for item in written] == [value & 0xFFFF for value in values]
        places = [divmod(address * pes + pe + i, pes) for i in range(len(values))]
        assert [(item["address"], item["pe"]) for item in written] == places

    await bench.place(Memory.ACTIVATIONS, pes - 1, 7)
    await bench.give("set_all", 16)
    for place in ((7, pes - 1), divmod(8 * pes, pes)):
        taking = cocotb.start_soon(collect(dut, "engine_read", 1, stall=0, rng=bench.rng))
        await bench.give("read")
        (item,) = await taking
        found = unpack(read_layout(), item)
        assert (found["address"], found["pe"]) == place
        await drive(dut, "engine_data", [0], stall=0, rng=bench.rng)
        await bench.done()


@cocotb.test()
async def remembers_what_is_unfinished(dut: HierarchyObject) -> None:
    """Every end within a group, places behind the last one, and PEs that do not exist."""
    await start(dut)
    bench = Bench(dut)
    pes, rows = bench.geometry.pes, 2 * bench.geometry.activations
    for _ in range(30):
        size = bench.rng.randrange(1, 3)
        values = [bench.rng.choice([0, 3, -3]) for _ in range(bench.rng.randrange(1, 17))]
        pe, address = bench.rng.choice(
            [(0, 5), (0, rows - 1), (pes - 1, rows - 2), (pes - 1, rows), (255, 0), (pes, 7), (0, 0xFFF0)]
        )
        data = encode(values, size)
        data = data[: bench.rng.choice([len(data), bench.rng.randrange(1, len(data) + 1)])]
        try:
            count = len(decode_form(data, form(len(values), size)))
            cut = False
        except ValueError:
            count, cut = 0, True
        dropped = pe >= pes or address * pes + pe + count > rows * pes
        await bench.place(Memory.ACTIVATIONS, pe, address)
        await bench.give("set_all", form(len(values), size))
        writes = []
        taking = cocotb.start_soon(writes_to(bench, writes))
        for byte in data:
            await bench.give("push", byte)
            await bench.done()
        taking.cancel()
        if not cut:
            assert dut.unfinished.value == dropped
        else:
            assert dut.unfinished.value == 1
        assert all(found["pe"] < pes and found["address"] < rows for found in writes)
        await bench.give("restart")
        assert dut.unfinished.value == 0


async def writes_to(bench: Bench, writes: list[dict[str, int]]) -> None:
    """Take all that is written."""
    bench.dut.engine_write__ready.value = 1
    while True:
        await RisingEdge(bench.dut.clk)
        if bench.dut.engine_write__valid.value == 1:
            writes.append(unpack(write_layout(bench.geometry), int(bench.dut.engine_write__payload.value)))


@cocotb.test()
async def other_memories_do_not_go_across(dut: HierarchyObject) -> None:
    """The steps belong to no PE, so an image may name any."""
    await start(dut)
    bench = Bench(dut)
    await bench.place(Memory.STEPS, 0x1203, 5)
    for address in (5, 6, 7):
        taking = cocotb.start_soon(collect(dut, "engine_write", 1, stall=0, rng=bench.rng))
        for byte in range(4):
            await bench.give("push", byte)
        await bench.give("write")
        (item,) = await taking
        found = unpack(write_layout(bench.geometry), item)
        assert (found["address"], found["data"] & 0xFFFFFFFF) == (address, 0x03020100)
        await bench.done()
