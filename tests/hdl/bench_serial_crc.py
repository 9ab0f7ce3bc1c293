"""Bench of the serial CRC, against zlib."""

import zlib

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import FallingEdge

from tests.hdl.streams import rng, start


class Bench:
    """The design, given one byte after the other."""

    def __init__(self, dut: HierarchyObject) -> None:
        self.dut, self.rng = dut, rng()
        self.was_ready = True

    async def pulse(self, name: str, byte: int = 0) -> int:
        """Do something as soon as the design was ready; cycles waited for."""
        waited = await self.ready()
        self.dut.i.value = byte
        getattr(self.dut, name).value = 1
        await FallingEdge(self.dut.clk)
        getattr(self.dut, name).value = 0
        self.dut.i.value = self.rng.randrange(256)
        self.was_ready = name == "restart"
        return waited

    async def ready(self) -> int:
        """The cycle after that in which the design is ready; cycles waited for."""
        waited, ready = 0, self.was_ready
        while not ready:
            ready = self.dut.ready.value == 1
            await FallingEdge(self.dut.clk)
            waited += 1
        return waited

    async def exchange(self, crc: int) -> int:
        """Set the CRC to another; the one that was there."""
        found = []
        for byte in crc.to_bytes(4, "little"):
            await self.pulse("exchange", byte)
            await self.ready()
            self.was_ready = True
            found.append(int(self.dut.o.value))
        return int.from_bytes(found, "little")


@cocotb.test()
async def is_the_crc_of_zlib(dut: HierarchyObject) -> None:
    await start(dut)
    await FallingEdge(dut.clk)
    bench = Bench(dut)
    for size in (0, 1, 2, 9, 40):
        data = bench.rng.randbytes(size)
        await bench.pulse("restart")
        for position, byte in enumerate(data):
            assert await bench.pulse("feed", byte) == (4 if position else 0)
        assert dut.wrong.value == 0
        assert await bench.exchange(0) == zlib.crc32(data)


@cocotb.test()
async def strings_take_turns(dut: HierarchyObject) -> None:
    await start(dut)
    await FallingEdge(dut.clk)
    bench = Bench(dut)
    strings, crcs, current = [b"", b"", b""], [0, 0, 0], 0
    for _ in range(60):
        following = (current + bench.rng.randrange(1, 3)) % 3
        crcs[current] = await bench.exchange(crcs[following])
        assert crcs[current] == zlib.crc32(strings[current])
        current = following
        for byte in bench.rng.randbytes(bench.rng.randrange(4)):
            await bench.pulse("feed", byte)
            strings[current] += bytes([byte])


@cocotb.test()
async def finds_a_wrong_bit(dut: HierarchyObject) -> None:
    await start(dut)
    await FallingEdge(dut.clk)
    bench = Bench(dut)
    for bit in (None, *range(32), None):
        await bench.pulse("restart")
        data = bench.rng.randbytes(3)
        for byte in data:
            await bench.pulse("feed", byte)
        crc = zlib.crc32(data) ^ (0 if bit is None else 1 << bit)
        await bench.exchange(crc)
        assert dut.wrong.value == (bit is not None), f"bit {bit}"
