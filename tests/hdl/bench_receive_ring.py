"""Bench of the receive ring: a memory in Python, a writer and a reader that goes over each frame twice."""

import cocotb
from cobs import cobs
from cocotb.handle import HierarchyObject
from cocotb.triggers import FallingEdge

from tests.hdl.streams import parameters, rng, start


class Bench:
    """The design and its memory."""

    def __init__(self, dut: HierarchyObject) -> None:
        self.dut, self.rng = dut, rng()
        self.first, self.depth = parameters()["first"], parameters()["depth"]
        self.memory = [self.rng.randrange(256) for _ in range(self.depth)]

    async def pulse(self, name: str) -> None:
        getattr(self.dut, name).value = 1
        await FallingEdge(self.dut.clk)
        getattr(self.dut, name).value = 0

    async def put(self, byte: int) -> bool:
        """Store a byte; whether there was room."""
        for _ in range(self.rng.randrange(1, 3)):
            await FallingEdge(self.dut.clk)
        room = self.dut.full.value == 0
        address = int(self.dut.put_address.value)
        assert self.first <= address < self.depth
        if room:
            self.memory[address] = byte
        await self.pulse("put")
        return room

    async def pop(self) -> int:
        """Take a byte, or the end of the frame; what it reads as."""
        while self.dut.available.value == 0:
            await FallingEdge(self.dut.clk)
        raw = self.memory[int(self.dut.get_address.value)]
        self.dut.raw.value = raw
        code = int(self.dut.code.value)
        await self.pulse("pop")
        self.dut.raw.value = self.rng.randrange(256)
        return 0 if code else raw


@cocotb.test()
async def reads_each_frame_twice(dut: HierarchyObject) -> None:
    await start(dut)
    await FallingEdge(dut.clk)
    bench = Bench(dut)
    room = bench.depth - bench.first - 1
    bodies = [bytes([0] * 5), b"", b"\1" * (room // 2 - 2)]
    bodies += [
        bytes(bench.rng.choice([0, 1, 2, 255]) for _ in range(bench.rng.randrange(room // 2 - 2)))
        for _ in range(40)
    ]
    writer = cocotb.start_soon(write(bench, bodies))
    for body in bodies:
        for second in (False, True):
            read = []
            while True:
                byte = await bench.pop()
                if dut.last.value == 1:
                    break
                read.append(byte)
            assert bytes(read[1:]) == body
            assert await bench.pop() is not None
            assert dut.last.value == 1, "nothing is taken behind the end"
            if not second:
                await bench.pulse("rewind")
        await bench.pulse("free")
        await bench.pulse("restart")
    await writer


async def write(bench: Bench, bodies: list[bytes]) -> None:
    """Store frames, each byte again and again until there is room for it."""
    for body in bodies:
        for byte in cobs.encode(body) + b"\0":
            while not await bench.put(byte):
                pass


@cocotb.test()
async def holds_all_but_one_word(dut: HierarchyObject) -> None:
    await start(dut)
    await FallingEdge(dut.clk)
    bench = Bench(dut)
    for size in (3, bench.depth, 2 * bench.depth):
        kept = 0
        for _ in range(size):
            kept += await bench.put(7)
        assert kept == min(size, bench.depth - bench.first - 1)
        for _ in range(kept):
            assert dut.available.value == 1
            await bench.pop()
        assert dut.available.value == 0
        await bench.pulse("free")


@cocotb.test()
async def tells_a_frame_that_ends_within_a_block(dut: HierarchyObject) -> None:
    await start(dut)
    await FallingEdge(dut.clk)
    bench = Bench(dut)
    for wire, broken in ((b"\3ab\0", 0), (b"\4ab\0", 1), (b"\2a\1\0", 0), (b"\2a\3b\0", 1), (b"\3cd\0", 0)):
        seen = 0
        for byte in wire:
            await bench.put(byte)
        for _ in wire:
            dut.raw.value = bench.memory[int(dut.get_address.value)]
            dut.pop.value = 1
            await FallingEdge(dut.clk)
            dut.pop.value = 0
            await FallingEdge(dut.clk)
            seen |= int(dut.last.value)
        assert seen == 1
        await bench.pulse("rewind")
        found = 0
        for _ in wire:
            dut.raw.value = bench.memory[int(dut.get_address.value)]
            dut.pop.value = 1
            await cocotb.triggers.ReadOnly()
            found |= int(dut.broken.value)
            await FallingEdge(dut.clk)
            dut.pop.value = 0
        assert found == broken, wire.hex(" ")
        await bench.pulse("free")
        await bench.pulse("restart")
