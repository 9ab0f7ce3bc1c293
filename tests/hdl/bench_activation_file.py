"""Bench of the activation files: what is written, in whatever way, is what scans say."""

import random
from typing import Any, NamedTuple

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden.detection import Leaf
from golden.fixed_point import keep_above
from golden.geometry import Geometry
from golden.latencies import latencies
from hdl.layouts import detection_layout, scan_layout
from tests.hdl.side_by_side import Part, now, watch
from tests.hdl.streams import collect, cycles, pack, parameters, rng, start

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
        self.stages = latencies(self.geometry).scan
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

    async def finish(self, file: int, first: int) -> None:
        """Say where the results of the next drain go."""
        unit = self.unit
        unit.finish.value, unit.destination.value = 1, file * self.slots + first
        await RisingEdge(unit.clk)
        unit.finish.value, unit.destination.value = 0, self.random.randrange(2 * self.slots)

    async def give(self, file: int, first: int, values: list[int], pause: float = 0.0) -> None:
        """Give results, which go to slots from `first` on."""
        unit = self.unit
        for slot, value in enumerate(values, first):
            while self.random.random() < pause:
                await RisingEdge(unit.clk)
            unit.result_valid.value, unit.result.value = 1, value
            self.files[file][slot] = value
            await RisingEdge(unit.clk)
            unit.result_valid.value, unit.result.value = 0, self.random.getrandbits(16)

    async def results(self, file: int, first: int, values: list[int], pause: float = 0.0) -> None:
        """Give the results of a drain, row after row."""
        await self.finish(file, first)
        await self.give(file, first, values, pause)

    async def drain_twice(self, file: int, values: list[int]) -> None:
        """Give seven results, and much later the others."""
        await self.give(file, 0, values[:7], 0.5)
        await cycles(self.unit, 15)
        await self.give(file, 7, values[7:], 0.5)

    async def set_scan(self, source: int = 0, first_word: int = 0, words: int = 1, wait: int = 0) -> None:
        """Put the settings of a scan on their lines."""
        first = source * self.slots // self.lanes + first_word
        settings = {
            "first": first,
            "last": first + words - 1,
            "wait": wait,
            "headroom": 0xFFFF - self.threshold,
        }
        self.unit.scan.value = pack(scan_layout(self.geometry), settings)
        await RisingEdge(self.unit.clk)

    async def scan(self, **fields: int) -> None:
        """Begin a scan."""
        await self.set_scan(**fields)
        self.unit.begin.value = 1
        await RisingEdge(self.unit.clk)
        self.unit.begin.value = 0

    async def disturb(self) -> None:
        """Change the settings, as may be once a scan has ended."""
        layout = scan_layout(self.geometry)
        self.unit.scan.value = self.random.getrandbits(layout.size)
        await RisingEdge(self.unit.clk)

    async def show(self, address: int) -> int:
        """Look at an activation."""
        await self.set_scan(first_word=address // self.lanes, words=1)
        self.unit.peek_lane.value = address % self.lanes
        await cycles(self.unit, self.stages + 1)
        return int(self.unit.peek_data.value)

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
        # The activation that comes without an item is looked at by nobody.
        return [Said(**said | {"activations": said["activations"] * said["item"]}) for said in payloads]

    async def check(self, source: int, first: int, words: int, stall: float = 0.0, **fields: int) -> None:
        """Scan and compare."""
        await self.scan(source=source, first_word=first, words=words, **fields)
        expected = self.found(source, first, words)
        assert await self.listen(len(expected), stall) == expected
        await self.disturb()

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
            await bench.disturb()
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
            bench.threshold = threshold
            for source in (0, 1):
                await bench.check(source, 0, most, bench.random.choice(STALLS))
        bench.threshold = 0
        await bench.check(0, 0, most)


@cocotb.test()
async def prunes_nothing_that_it_writes(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        bench.threshold = 300
        await bench.results(0, 0, [5, 300, 301, 65235, 65236, 0, 65535, 1, 299, 0x8000])
        for threshold in (300, 0, 4):
            bench.threshold = threshold
            await bench.check(0, 0, 10 // bench.lanes)
            for slot in range(10):
                assert await bench.show(slot) == bench.files[0][slot]


@cocotb.test()
async def says_which_of_two_are_zero(dut: HierarchyObject) -> None:
    """Both nonzero, the first alone, the second alone, neither; pruned or really zero."""
    for bench in await setup(dut):
        if bench.lanes == 1:
            continue
        await bench.results(0, 0, [3, 9, 3, 0, 0, 9, 0, 0])
        for threshold, expected in ((0, (0x90003, 3, 0x90000, 0)), (5, (0x90000, 0, 0x90000, 0))):
            bench.threshold = threshold
            await bench.scan(words=4)
            assert await bench.listen(4, 0.0) == [Said(int(both != 0), 1, 0, both) for both in expected]


@cocotb.test()
async def says_a_word_per_cycle(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        for zeros in (0.0, 1.0, 0.5):
            await bench.load(zeros)
            left: list[int] = []
            watching = cocotb.start_soon(watch(bench.unit, "o", left))
            most = bench.slots // bench.lanes
            await bench.scan(source=1, words=most)
            begun = now()
            assert await bench.listen(most, 0.0) == bench.found(1, 0, most)
            await cycles(dut, 1)
            watching.cancel()
            first = begun + 1 + bench.stages
            assert left == list(range(first, first + len(left)))


async def record(unit: Part, offered: list[tuple[int, int]], written: list[int]) -> None:
    """Note the cycles in which something is on offer, each with whether it is taken, and those of results."""
    while True:
        await RisingEdge(unit.clk)
        if unit.o__valid.value == 1:
            offered.append((now(), int(unit.o__ready.value)))
        if unit.result_valid.value == 1:
            written.append(now())


@cocotb.test()
async def speaks_in_golden_cycles(dut: HierarchyObject) -> None:
    """A scan that waits or not, whenever results come and whenever its words are taken."""
    for bench in await setup(dut):
        random, most = bench.random, bench.slots // bench.lanes
        for _ in range(24):
            wait, file = random.randrange(2), random.randrange(2)
            source = file if wait else 1 - file
            values = [random.choice((0, 1)) for _ in range(bench.slots)]
            offered: list[tuple[int, int]] = []
            written: list[int] = []
            recording = cocotb.start_soon(record(bench.unit, offered, written))
            await bench.finish(file, 0)
            await bench.scan(source=source, words=most, wait=wait)
            begun = now()
            draining = cocotb.start_soon(bench.give(file, 0, values, random.choice((0.0, 0.3, 0.6))))
            said = await bench.listen(most, random.choice((0.0, 0.3, 0.6, 0.9)))
            await draining
            await cycles(dut, 1)
            recording.cancel()
            readable = [cycle + 1 for cycle in written[bench.lanes - 1 :: bench.lanes]] if wait else None
            leaf = Leaf(begun + 1, [word.item for word in said], readable, bench.stages)
            expected = -1
            for cycle, taken in offered:
                expected = leaf.head().cycle if expected < 0 else expected + 1
                assert cycle == expected
                if taken:
                    leaf.pop(cycle)
                    expected = -1


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
                await bench.finish(file, 0)
                await bench.scan(source=file, wait=1, words=words)
                await bench.is_silent()
                values = [random.choice((0, random.getrandbits(16))) for _ in range(14)]
                bench.files[file][:14] = values
                expected = bench.found(file, 0, words)
                draining = cocotb.start_soon(bench.drain_twice(file, values))
                assert await bench.listen(len(expected), stall) == expected
                await draining


@cocotb.test()
async def waits_for_the_drain_in_progress(dut: HierarchyObject) -> None:
    """Not for what stands before its first slot; and no more once it is told not to."""
    for bench in await setup(dut):
        first = 8 // bench.lanes
        for file in (0, 1):
            await bench.load(0.2)
            await bench.finish(file, 8)
            await bench.check(file, 0, first, wait=1)
            await bench.scan(source=file, first_word=first - 1, words=3, wait=1)
            assert await bench.listen(1, 0.0) == bench.found(file, first - 1, 1)
            await bench.is_silent()
            await bench.give(file, 8, [0, 9])
            written = 2 // bench.lanes
            assert await bench.listen(written, 0.0) == bench.found(file, first, written)
            if written < 2:
                await bench.is_silent()
                await bench.set_scan(file, first - 1, 3)
                assert await bench.listen(1, 0.0) == bench.found(file, first + 1, 1)
        await bench.finish(1, bench.slots - 2)
        last = bench.slots // bench.lanes - 1
        await bench.scan(source=1, first_word=last, words=1, wait=1)
        await bench.is_silent()
        await bench.give(1, bench.slots - 2, [4, 5])
        assert await bench.listen(1, 0.0) == bench.found(1, last, 1)


@cocotb.test()
async def shows_its_memory(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        await bench.load(0.2)
        for address in (*range(4), bench.slots - 1, bench.slots, 2 * bench.slots - 1):
            assert await bench.show(address) == (bench.files[0] + bench.files[1])[address]
        await bench.check(0, 0, bench.slots // bench.lanes)


@cocotb.test()
async def forgets_on_reset(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        await bench.load(0.0)
        await bench.results(1, 0, [1, 2, 3, 4])
        await bench.scan(source=0, words=8)
        await cycles(dut, bench.stages + 1)
        assert bench.unit.o__valid.value == 1
        dut.rst.value = 1
        await RisingEdge(dut.clk)
        dut.rst.value = 0
        await bench.is_silent()
        await bench.check(0, 0, 6)
