"""Bench of the activation files: what is written, in whatever way, is what scans say."""

import random
from typing import Any, NamedTuple

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden.fixed_point import keep_above
from golden.geometry import Geometry
from golden.steps import Token
from hdl.layouts import detection_layout, token_fields
from tests.hdl.side_by_side import Part, now, watch
from tests.hdl.streams import collect, cycles, pack, parameters, rng, start

LATENCY = 3
PEEK_LATENCY = 2
STALLS = (0.0, 0.5)
VALUES = (1, 0x8000, 0x8001, 0xFFFF, 0x0100, 0x7FFF)
"""Activations, among them the lowest and the highest."""


class Said(NamedTuple):
    """A payload of the leaf."""

    item: int
    last: int
    pe: int
    activations: int


class Bench:
    """One unit and what its files hold."""

    def __init__(
        self, dut: HierarchyObject, name: str, variant: dict[str, Any], random: random.Random
    ) -> None:
        self.unit, self.random = Part(dut, name), random
        self.geometry = Geometry(**variant)
        self.slots, self.lanes = self.geometry.activations, self.geometry.scan_width
        self.files = [[0] * self.slots, [0] * self.slots]
        self.threshold = 0

    async def load(self, zeros: float) -> None:
        """Write both files through the load path, in any order."""
        unit = self.unit
        places = [(file, slot) for file in range(2) for slot in range(self.slots)]
        self.random.shuffle(places)
        for file, slot in places:
            value = 0 if self.random.random() < zeros else self.random.choice(VALUES)
            self.files[file][slot] = value
            unit.write_enable.value = 1
            unit.write_address.value = file * self.slots + slot
            unit.write_data.value = value
            await RisingEdge(unit.clk)
        unit.write_enable.value = 0
        unit.write_address.value = self.random.randrange(2 * self.slots)
        unit.write_data.value = self.random.getrandbits(16)
        await cycles(unit, 2)

    async def results(self, file: int, first: int, values: list[int], pause: float = 0.0) -> None:
        """Give the results of a drain, row after row."""
        unit = self.unit
        unit.destination.value, unit.destination_slot.value = file, first
        for row, value in enumerate(values):
            while self.random.random() < pause:
                await RisingEdge(unit.clk)
            unit.result_valid.value, unit.result_row.value, unit.result.value = 1, row, value
            self.files[file][first + row] = value
            await RisingEdge(unit.clk)
            unit.result_valid.value = 0
            unit.result_row.value = self.random.randrange(self.geometry.accumulators)
            unit.result.value = self.random.getrandbits(16)
        await RisingEdge(unit.clk)

    async def drain_twice(self, file: int, values: list[int]) -> None:
        """Give seven results, and much later the others."""
        await self.results(file, 0, values[:7], 0.5)
        await cycles(self.unit, 15)
        await self.results(file, 7, values[7:], 0.5)

    async def scan(self, **fields: int) -> None:
        """Begin a scan."""
        unit = self.unit
        default = {"first_word": 0, "words": 0, "source": 0, "wait": 0, "restart": 0, "reserved": 0}
        unit.scan_valid.value = 1
        unit.scan.value = pack(token_fields(Token.SCAN), default | fields)
        await RisingEdge(unit.clk)
        unit.scan_valid.value = 0
        unit.scan.value = self.random.getrandbits(32)

    async def prune(self, threshold: int) -> None:
        """Set the threshold."""
        unit, self.threshold = self.unit, threshold
        unit.threshold_valid.value, unit.threshold.value = 1, threshold
        await RisingEdge(unit.clk)
        unit.threshold_valid.value, unit.threshold.value = 0, self.random.getrandbits(16)

    def found(self, source: int, first: int, words: int) -> list[Said]:
        """What a scan says: item, last, PE, and the activations of the word's slots, first slot lowest."""
        said = []
        for word in range(first, first + words):
            raw = np.array(self.files[source][word * self.lanes : (word + 1) * self.lanes], dtype=np.uint16)
            kept = keep_above(raw.view(np.int16), self.threshold).tolist()
            joined = sum((value & 0xFFFF) << 16 * lane for lane, value in enumerate(kept))
            said.append(Said(int(joined != 0), 1, 0, joined))
        return said

    async def listen(self, count: int, stall: float) -> list[Said]:
        """What the unit says."""
        layout = detection_layout(self.geometry)
        payloads = await collect(self.unit, "o", count, stall=stall, rng=self.random, layout=layout)
        return [Said(**said) for said in payloads]

    async def check(self, source: int, first: int, words: int, stall: float = 0.0, **fields: int) -> None:
        """Scan and compare."""
        await self.scan(source=source, first_word=first, words=words, **fields)
        expected = self.found(source, first, words)
        assert await self.listen(len(expected), stall) == expected

    async def is_silent(self) -> None:
        """See that nothing is said."""
        for _ in range(12):
            await RisingEdge(self.unit.clk)
            assert self.unit.o__valid.value == 0


async def setup(dut: HierarchyObject) -> list[Bench]:
    """Benches; the memories may hold anything."""
    await start(dut)
    random = rng()
    return [Bench(dut, name, variant, random) for name, variant in parameters()["variants"].items()]


@cocotb.test()
async def finds_nonzeros(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        for zeros in (0.0, 0.5, 0.9, 1.0):
            await bench.load(zeros)
            most = bench.slots // bench.lanes
            for stall in STALLS:
                for source in (0, 1):
                    await bench.check(source, 0, most, stall)
                    first = bench.random.randrange(most)
                    await bench.check(source, first, bench.random.randint(1, most - first), stall)
            await bench.scan(words=0)
            await bench.is_silent()


@cocotb.test()
async def prunes(dut: HierarchyObject) -> None:
    """Right at the threshold, on either side of zero, and up to thresholds that nothing exceeds."""
    for bench in await setup(dut):
        most = bench.slots // bench.lanes
        for threshold in (0, 1, 2, 0x0100, 0x7FFE, 0x7FFF, 0x8000, 0xFFFF):
            await bench.load(0.1)
            close = [
                value & 0xFFFF
                for around in (threshold, -threshold)
                for value in range(around - 1, around + 2)
            ]
            await bench.results(1, 0, [bench.random.choice(close) for _ in range(12)])
            await bench.prune(threshold)
            for source in (0, 1):
                await bench.check(source, 0, most, bench.random.choice(STALLS))
        await bench.prune(0)
        await bench.check(0, 0, most)


@cocotb.test()
async def keeps_its_threshold_until_it_is_told(dut: HierarchyObject) -> None:
    """It is zero after a reset, one word may be pruned and the next not, and results are not pruned."""
    for bench in await setup(dut):
        await bench.prune(300)
        dut.rst.value = 1
        await RisingEdge(dut.clk)
        dut.rst.value = 0
        bench.threshold = 0
        await bench.results(0, 0, [5, 300, 301, 65235, 65236, 0, 65535, 1, 299, 0x8000])
        words = 10 // bench.lanes
        for threshold in (None, 300, None, 0, 4):
            if threshold is not None:
                await bench.prune(threshold)
            await bench.check(0, 0, words)
            for slot in range(10):
                bench.unit.peek.value, bench.unit.peek_address.value = 1, slot
                await cycles(dut, PEEK_LATENCY + 1)
                assert bench.unit.peek_data.value == bench.files[0][slot]
            bench.unit.peek.value = 0
        assert bench.found(0, 0, 1)[0].activations & 0xFFFF == 5


@cocotb.test()
async def says_which_of_two_are_zero(dut: HierarchyObject) -> None:
    """Both nonzero, the first alone, the second alone, neither; pruned or really zero."""
    for bench in await setup(dut):
        if bench.lanes == 1:
            continue
        await bench.results(0, 0, [3, 9, 3, 0, 0, 9, 0, 0])
        for threshold, expected in ((0, (0x90003, 3, 0x90000, 0)), (5, (0x90000, 0, 0x90000, 0))):
            await bench.prune(threshold)
            await bench.scan(words=4)
            assert await bench.listen(4, 0.0) == [Said(int(both != 0), 1, 0, both) for both in expected]


@cocotb.test()
async def says_a_word_per_cycle(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        for zeros in (0.0, 1.0, 0.5):
            await bench.load(zeros)
            left: list[int] = []
            watching = cocotb.start_soon(watch(bench.unit, "o", left))
            scanning = cocotb.start_soon(bench.check(1, 0, bench.slots // bench.lanes))
            await RisingEdge(dut.clk)
            begun = now()
            await scanning
            await cycles(dut, 1)
            watching.cancel()
            assert left == list(range(begun + LATENCY, begun + LATENCY + len(left)))


@cocotb.test()
async def takes_results(dut: HierarchyObject) -> None:
    """While the other file is scanned, too."""
    for bench in await setup(dut):
        await bench.load(0.3)
        for file in (0, 1):
            values = [bench.random.getrandbits(16) for _ in range(9)]
            writing = cocotb.start_soon(bench.results(file, 5, values, 0.3))
            await bench.check(1 - file, 0, bench.slots // bench.lanes, 0.2)
            await writing
        for file in (0, 1):
            await bench.check(file, 0, bench.slots // bench.lanes)
            await bench.results(file, bench.slots - 1, [file + 7])
            await bench.check(file, 0, bench.slots // bench.lanes)


@cocotb.test()
async def waits_for_results(dut: HierarchyObject) -> None:
    """A scan that waits follows the drain row by row, over two drains, and never reads an old value."""
    for bench in await setup(dut):
        random = bench.random
        for stall in STALLS:
            for file in (0, 1):
                await bench.load(0.0)
                words = 14 // bench.lanes
                await bench.scan(source=1 - file, restart=1)
                await bench.scan(source=file, wait=1, restart=1, words=words)
                await bench.is_silent()
                values = [random.choice((0, random.getrandbits(16))) for _ in range(14)]
                bench.files[file][:14] = values
                expected = bench.found(file, 0, words)
                draining = cocotb.start_soon(bench.drain_twice(file, values))
                assert await bench.listen(len(expected), stall) == expected
                await draining


@cocotb.test()
async def remembers_what_was_drained(dut: HierarchyObject) -> None:
    """Until a restart of the layer that writes the file; the other file's is not touched."""
    for bench in await setup(dut):
        for file in (0, 1):
            await bench.load(0.5)
            await bench.scan(source=1 - file, restart=1)
            await bench.results(file, 0, [3] * 8)
            await bench.check(1 - file, 0, 2)
            await bench.check(file, 0, 8 // bench.lanes, wait=1, restart=1)
            await bench.check(file, 1, 8 // bench.lanes - 1, wait=1)
            await bench.scan(source=file, first_word=8 // bench.lanes, words=1, wait=1)
            await bench.is_silent()
            await bench.results(file, 8, [0, 9])
            first = 8 // bench.lanes
            assert await bench.listen(1, 0.0) == bench.found(file, first, 1)[:1]
            await bench.scan(source=1 - file, restart=1)
            await bench.load(0.5)  # that is no drain
            await bench.scan(source=file, words=1, wait=1)
            await bench.is_silent()
            await bench.results(file, 0, [5, 6])
            expected = bench.found(file, 0, 1)
            assert await bench.listen(len(expected), 0.0) == expected


@cocotb.test()
async def shows_its_memory(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        await bench.load(0.2)
        for address in (*range(4), bench.slots - 1, bench.slots, 2 * bench.slots - 1):
            bench.unit.peek.value, bench.unit.peek_address.value = 1, address
            await cycles(dut, PEEK_LATENCY + 1)
            assert bench.unit.peek_data.value == (bench.files[0] + bench.files[1])[address]
        bench.unit.peek.value = 0
        await bench.check(0, 0, bench.slots // bench.lanes)


@cocotb.test()
async def forgets_on_reset(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        await bench.load(0.0)
        await bench.results(1, 0, [1, 2, 3, 4])
        await bench.scan(source=0, words=8)
        await cycles(dut, LATENCY)
        assert bench.unit.o__valid.value == 1
        dut.rst.value = 1
        await RisingEdge(dut.clk)
        dut.rst.value = 0
        await bench.is_silent()
        await bench.check(0, 0, 6)
        await bench.scan(source=1, words=1, wait=1)
        await bench.is_silent()
