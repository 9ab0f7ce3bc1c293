"""Bench of the loader: images, good and bad, against `golden.image`."""

import random
import zlib
from dataclasses import dataclass, field

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import FallingEdge, RisingEdge

from golden.geometry import Geometry
from golden.image import BANKED, SECTION, bank_range, words_to_bytes
from golden.memories import ALL_PES, Memory, depth, word_bits, word_bytes
from golden.protocol import WHOLE
from hdl.layouts import write_layout
from tests.hdl.link_reference import words_of
from tests.hdl.streams import cycles, drive, parameters, rng, start, unpack


@dataclass
class Bench:
    """The design, and what it wrote so far."""

    dut: HierarchyObject
    geometry: Geometry
    rng: random.Random
    stall: float
    words: list[tuple[Memory, int, int, int]] = field(default_factory=list)

    async def begin(self) -> None:
        """Reset the design and start to take its words."""
        await start(self.dut)
        cocotb.start_soon(self.take_words())

    async def take_words(self) -> None:
        """Take words, masked to their width."""
        layout = write_layout(self.geometry)
        while True:
            taking = self.rng.random() >= self.stall
            self.dut.words__ready.value = int(taking)
            await RisingEdge(self.dut.clk)
            if taking and self.dut.words__valid.value == 1:
                item = unpack(layout, int(self.dut.words__payload.value))
                memory = Memory(item["memory"])
                data = item["data"] & (1 << word_bits(self.geometry, memory)) - 1
                self.words.append((memory, item["pe"], item["address"], data))

    async def pulse(self, name: str) -> None:
        """One cycle of a control."""
        getattr(self.dut, name).value = 1
        await RisingEdge(self.dut.clk)
        getattr(self.dut, name).value = 0

    async def open(self, bank: int, length: int, crc: int) -> None:
        """Begin a transaction."""
        self.dut.bank.value, self.dut.length.value, self.dut.crc.value = bank, length, crc
        await self.pulse("open")
        self.dut.bank.value = self.rng.randrange(4)
        self.dut.length.value, self.dut.crc.value = self.rng.getrandbits(32), self.rng.getrandbits(32)

    async def feed(self, image: bytes) -> None:
        """Stream bytes and wait until their words are written."""
        await drive(self.dut, "image", list(image), stall=self.stall, rng=self.rng)
        await FallingEdge(self.dut.clk)
        for _ in range(100):
            if self.dut.pending.value == 0:
                break
            await FallingEdge(self.dut.clk)
        await FallingEdge(self.dut.clk)

    async def load(self, bank: int, image: bytes, length: int | None = None, crc: int | None = None) -> bool:
        """A whole transaction; whether it was committed."""
        await self.open(
            bank, len(image) if length is None else length, zlib.crc32(image) if crc is None else crc
        )
        await FallingEdge(self.dut.clk)
        assert self.dut.transaction.value == 1
        assert self.dut.failed.value == 0
        await self.feed(image)
        assert self.dut.received.value == len(image)
        acceptable = bool(self.dut.acceptable.value)
        await RisingEdge(self.dut.clk)
        await self.pulse("commit")
        await FallingEdge(self.dut.clk)
        assert self.dut.transaction.value == 0
        assert bool(self.dut.failed.value) != acceptable
        await RisingEdge(self.dut.clk)
        return acceptable

    def section(self, bank: int, memory: Memory | None = None, count: int | None = None) -> bytes:
        """A random good section."""
        memory = memory or self.rng.choice(BANKED if bank != WHOLE else list(Memory)[:6])
        owned = bank_range(self.geometry, memory, bank)
        first = self.rng.choice([owned.start, self.rng.randrange(owned.start, owned.stop)])
        last = self.rng.choice([owned.stop, first + 1, self.rng.randrange(first + 1, owned.stop + 1)])
        last = min(last, first + 40) if count is None else first + count
        pe = self.rng.choice([ALL_PES, self.geometry.pes - 1, self.rng.randrange(self.geometry.pes)])
        if memory is Memory.STEPS:
            pe = self.rng.randrange(1 << 16)
        words = [self.rng.getrandbits(word_bits(self.geometry, memory)) for _ in range(first, last)]
        return section(self.geometry, memory, pe, first, words)

    def image(self, bank: int, sections: int = 6) -> bytes:
        """A random good image."""
        return b"".join(self.section(bank) for _ in range(sections))


def section(geometry: Geometry, memory: Memory, pe: int, address: int, words: list[int]) -> bytes:
    """Bytes of a section."""
    size = word_bytes(geometry, memory)
    return SECTION.pack(memory, size, pe, address, len(words)) + words_to_bytes(words, size)


def setup(dut: HierarchyObject) -> Bench:
    """Bench of the test's parameters."""
    given = parameters()
    return Bench(dut, Geometry(**given["geometry"]), rng(), given["stall"])


@cocotb.test()
async def loads_images(dut: HierarchyObject) -> None:
    bench = setup(dut)
    await bench.begin()
    assert dut.committed.value == 0
    expected = []
    for bank in (WHOLE, 0, 1, WHOLE, 1, 1, 0, 0, WHOLE):
        image = bench.image(bank)
        assert await bench.load(bank, image)
        expected += words_of(image, bench.geometry, bank)
        for half in (0, 1) if bank == WHOLE else (bank,):
            assert getattr(dut, f"crc_bank{half}").value == zlib.crc32(image)
    assert bench.words == expected
    assert len(expected) > 100


@cocotb.test()
async def keeps_account_of_banks(dut: HierarchyObject) -> None:
    """Committed banks after each load; `open` alone already forgets."""
    bench = setup(dut)
    await bench.begin()
    for bank, begun, done in (
        (0, 0b00, 0b01),
        (1, 0b01, 0b11),
        (0, 0b10, 0b11),
        (WHOLE, 0b00, 0b11),
        (1, 0b00, 0b10),
        (0, 0b10, 0b11),
        (WHOLE, 0b00, 0b11),
        (0, 0b00, 0b01),
        (0, 0b00, 0b01),
    ):
        image = bench.image(bank, 1)
        await bench.open(bank, len(image), zlib.crc32(image))
        await FallingEdge(dut.clk)
        assert dut.committed.value == begun, f"open {bank}"
        await RisingEdge(dut.clk)
        assert await bench.load(bank, image)
        assert dut.committed.value == done, f"commit {bank}"
    assert not await bench.load(1, image, crc=0)
    assert dut.committed.value == 0b01
    await bench.pulse("reset")
    await FallingEdge(dut.clk)
    assert dut.committed.value == 0
    assert dut.failed.value == 0


@cocotb.test()
async def refuses_wrong_length_or_crc(dut: HierarchyObject) -> None:
    bench = setup(dut)
    await bench.begin()
    image = bench.image(WHOLE, 2)
    crc = zlib.crc32(image)
    assert await bench.load(WHOLE, image)
    for bit in range(32):
        assert not await bench.load(WHOLE, image, crc=crc ^ 1 << bit), f"CRC bit {bit}"
        assert not await bench.load(WHOLE, image, length=len(image) ^ 1 << bit), f"length bit {bit}"
    assert not await bench.load(WHOLE, image[:-1], len(image), crc)
    assert not await bench.load(WHOLE, image + b"\0", len(image), crc)
    assert await bench.load(WHOLE, image)
    assert await bench.load(WHOLE, b"")


@cocotb.test()
async def refuses_bad_sections(dut: HierarchyObject) -> None:
    """Nothing is written from the bad word on, not even from the good section behind it."""
    bench = setup(dut)
    await bench.begin()
    geometry = bench.geometry
    size = {memory: word_bytes(geometry, memory) for memory in Memory}
    bad = [
        (bank, SECTION.pack(code, 2, 0, 0, 2) + bytes(4)) for code in (6, 7, 8, 255) for bank in (1, WHOLE)
    ]
    bad += [
        (WHOLE, SECTION.pack(memory, size[memory] + more, 0, 0, 2) + bytes(2 * (size[memory] + more)))
        for memory in list(Memory)[:6]
        for more in (-1, 1, 8, 128)
        if size[memory] + more > 0
    ]
    bad += [(WHOLE, SECTION.pack(memory, 0, 0, 0, 2) + bytes(9)) for memory in list(Memory)[:6]]
    bad += [(0, section(geometry, memory, 0, 0, [1])) for memory in (Memory.ACTIVATIONS, Memory.ACCUMULATORS)]
    for pe in (geometry.pes, geometry.pes + 256, 0xFFFE, 0x8000, 0xFF00):
        bad += [(WHOLE, section(geometry, Memory.CODEBOOK, pe, 0, [1, 2]))]
    bad += [(WHOLE, SECTION.pack(Memory.MATRIX, size[Memory.MATRIX], 0, 0, 0))]
    outside = [(WHOLE, memory, depth(geometry, memory)) for memory in list(Memory)[:6]]
    outside += [(WHOLE, memory, 0xFFFF) for memory in (Memory.CODEBOOK, Memory.ACTIVATIONS, Memory.STEPS)]
    for memory in BANKED:
        lower, upper = bank_range(geometry, memory, 0), bank_range(geometry, memory, 1)
        outside += [(0, memory, lower.stop), (1, memory, lower.stop - 1), (1, memory, upper.stop)]
    for bank, memory, address in outside:
        if address <= 0xFFFF:
            bad += [(bank, section(geometry, memory, 0, address, [3]))]
        if address - 2 in bank_range(geometry, memory, bank):
            bad += [(bank, section(geometry, memory, 0, address - 2, [1, 2, 3]))]
    for bank, trouble in bad:
        good = bench.section(bank, Memory.CODEBOOK, 1)
        image = good + trouble + good
        expected = words_of(image, geometry, bank)
        assert len(expected) < 2 + len(trouble) // 2
        bench.words.clear()
        assert not await bench.load(bank, image), f"bank {bank}, {trouble.hex(' ')}"
        assert bench.words == expected, f"bank {bank}, {trouble.hex(' ')}"
    assert await bench.load(WHOLE, bench.image(WHOLE))


@cocotb.test()
async def refuses_cut_off_images(dut: HierarchyObject) -> None:
    """Length and CRC are those of the piece, but it ends within a section."""
    bench = setup(dut)
    await bench.begin()
    first = bench.section(WHOLE, Memory.POINTERS, 2)
    image = first + bench.section(WHOLE, Memory.ACCUMULATORS, 2)
    for size in range(1, len(image)):
        assert await bench.load(WHOLE, image[:size]) == (size == len(first)), f"{size} of {len(image)}"


@cocotb.test()
async def ignores_bytes_outside_transactions(dut: HierarchyObject) -> None:
    bench = setup(dut)
    await bench.begin()
    await bench.feed(bench.image(WHOLE))
    assert not bench.words
    image = bench.image(0)
    assert await bench.load(0, image)
    bench.words.clear()
    await bench.feed(image)
    assert not bench.words
    assert dut.received.value == len(image)
    await bench.open(1, 10, 10)
    await bench.feed(bench.image(1, 1)[:13])
    await RisingEdge(dut.clk)
    await bench.pulse("reset")
    bench.words.clear()
    await bench.feed(bench.image(1))
    assert not bench.words
    assert dut.transaction.value == 0
    image = bench.image(1)
    assert await bench.load(1, image)
    assert bench.words == words_of(image, bench.geometry, 1)


@cocotb.test()
async def restarts_a_transaction(dut: HierarchyObject) -> None:
    """Wherever the first attempt stopped, even in a bad section."""
    bench = setup(dut)
    await bench.begin()
    image = bench.image(WHOLE, 3)
    for size in (1, 7, 8, 9, 10, 11, 12, 13, 14, len(image) - 1):
        await bench.open(WHOLE, len(image), zlib.crc32(image))
        await bench.feed(image[:size])
        await RisingEdge(dut.clk)
        bench.words.clear()
        assert await bench.load(WHOLE, image)
        assert bench.words == words_of(image, bench.geometry, WHOLE)


@cocotb.test()
async def takes_a_byte_each_cycle(dut: HierarchyObject) -> None:
    bench = setup(dut)
    bench.stall = 0.0
    await bench.begin()
    image = bench.image(WHOLE, 5)
    await bench.open(WHOLE, len(image), zlib.crc32(image))
    feeding = cocotb.start_soon(bench.feed(image))
    await cycles(dut, len(image) + 1)
    await FallingEdge(dut.clk)
    assert dut.received.value == len(image)
    await feeding
