"""Bench of weight decode: columns as golden encodes them in, operations out."""

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden.encoding import encode, entry_counts
from golden.fixed_point import wrap
from golden.geometry import Geometry
from golden.latencies import latencies
from golden.steps import Step
from hdl.arithmetic import Operation
from hdl.layouts import operation_layout, word_layout
from hdl.matrix_read import Word
from tests.hdl.side_by_side import Part, now, watch
from tests.hdl.streams import cycles, drive, pack, parameters, rng, start, unpack

STALLS = (0.0, 0.3, 0.7)
KINDS = ((1, (0,)), (2, (0, 1)), (9, (0, 1, 2)), (5, (1,)), (2, (3,)))
"""Numbers of weights of a column, and of escapes before each."""


class Done(NamedTuple):
    """An operation, without what its kind does not use."""

    kind: int
    row: int = 0
    weight: int = 0
    activation: int = 0
    immediate: int = 0


class Bench:
    """One unit, its codebook, and the operations that came out with their cycles."""

    def __init__(
        self, dut: HierarchyObject, name: str, variant: dict[str, Any], random: random.Random
    ) -> None:
        self.unit, self.random = Part(dut, name), random
        self.geometry = Geometry(**variant)
        self.codebook = [0] * self.geometry.codebook_entries
        self.latency = 4 if self.geometry.output_registers else 2
        self.found: list[Done] = []
        self.incomplete = False  # the immediate of the last one is still to come
        self.times: list[int] = []

    async def note(self) -> None:
        """Note all operations."""
        layout = operation_layout(self.geometry)
        early = ("weight", "activation") if self.geometry.output_registers else ()
        before = dict.fromkeys(early, 0)
        while True:
            await RisingEdge(self.unit.clk)
            operation = unpack(layout, int(self.unit.o.value))
            before, operation = {name: operation[name] for name in early}, operation | before
            if self.incomplete:
                self.found[-1] = self.found[-1]._replace(immediate=operation["immediate"])
                self.incomplete = False
            if self.unit.o_valid.value == 1:
                uses = {
                    Operation.MULTIPLY: ("row", "weight", "activation"),
                    Operation.DRAIN: ("row", "immediate"),
                    Operation.SET: ("row", "immediate"),
                    Operation.READ: ("row",),
                    Operation.END: (),
                }[Operation(operation["kind"])]
                self.found.append(Done(operation["kind"], **{name: operation[name] for name in uses}))
                self.times.append(now())
                late = not self.geometry.output_registers
                self.incomplete = late and "immediate" in uses

    async def write(self, addresses: range) -> None:
        """Write random codebook values, one a cycle."""
        unit = self.unit
        for address in addresses:
            self.codebook[address] = self.random.getrandbits(16)
            unit.write_enable.value = 1
            unit.write_address.value = address
            unit.write_data.value = self.codebook[address]
            await RisingEdge(unit.clk)
        unit.write_enable.value = 0
        unit.write_address.value = self.random.randrange(self.geometry.codebook_entries)
        unit.write_data.value = self.random.getrandbits(16)

    def settings(self, **fields: int) -> Step:
        """Give the unit a step's settings."""
        step = Step(**fields)
        words = step.encode()
        self.unit.layer.value, self.unit.finish.value = words[0], words[4]
        return step

    def word(self, **fields: Any) -> dict[str, Any]:
        """A word with noise in the fields that do not count."""
        layout = word_layout(self.geometry)
        noise = unpack(layout, self.random.getrandbits(layout.size))
        return noise | {"entries": list(noise["entries"].values())} | fields

    def column(
        self, entries: Sequence[int], activation: int, offset: int, last: bool = True
    ) -> list[dict[str, Any]]:
        """Words of a column whose first entry stands at `offset` in its word; alone, first or second."""
        if self.geometry.scan_width == 1:
            return self.words(entries, activation, offset, len(entries), last)
        second = self.random.getrandbits(1)
        activations = activation << 16 * second | self.random.getrandbits(16) << 16 * (1 - second)
        return self.words(entries, activations, offset, 0 if second else len(entries), last)

    def words(
        self, entries: Sequence[int], activations: int, offset: int, first_length: int, last: bool = True
    ) -> list[dict[str, Any]]:
        """Words of two neighbouring columns, of which the first has `first_length` of the entries."""
        width = self.geometry.word_entries
        end, turn = offset + len(entries), offset + first_length
        words = []
        for first in range(0, end, width):
            low, high = max(offset - first, 0), min(end - first, width) - 1
            word = self.word(
                kind=int(Word.COLUMN),
                first=int(first == 0),
                last=int(last and first + width >= end),
                low=low,
                high=high,
                activations=activations,
            )
            if self.geometry.scan_width > 1:
                behind = width if turn == end else min(max(turn - first, 0), width)
                word |= {"turns": int(turn < end and turn // width == first // width), "boundary": behind}
            for place in range(low, high + 1):
                word["entries"][place] = int(entries[first + place - offset])
            words.append(word)
        return words

    def waits(self, offset: int, takes: int, entries: int, first_escape: int, last_escape: int) -> int:
        """Cycles in which there is nothing to take between the first entry and the last weight."""
        geometry = self.geometry
        if geometry.padding_zeros:
            return 0
        if geometry.word_entries == 1:  # an escape and its weight arrive one after the other
            return entries - takes - int(not geometry.output_registers and last_escape > 0)
        behind = first_escape and offset == geometry.word_entries - 1
        return int(geometry.output_registers and behind)  # until the second word is there

    def pair(
        self, step: Step, gaps: tuple[list[int], list[int]], offset: int
    ) -> tuple[list[dict[str, Any]], list[Done], int]:
        """Words, operations and cycles of two neighbouring columns."""
        activations = [self.random.getrandbits(16) for _ in gaps]
        (first, one, takes), (second, two, more) = (
            self.encoded(step, each, activation) for each, activation in zip(gaps, activations, strict=True)
        )
        words = self.words([*first, *second], activations[0] | activations[1] << 16, offset, len(first))
        return words, one + two, takes + more

    def gaps(self, run_bits: int, weights: int, escapes: Sequence[int]) -> list[int]:
        """Gaps before `weights` weights that take the given numbers of escapes, within the accumulators."""
        largest = 1 if self.geometry.padding_zeros else (1 << run_bits) - 1
        room = self.geometry.accumulators
        found: list[int] = []
        for _ in range(weights):
            count = self.random.choice(escapes)
            high = 0 if count == 0 else self.random.randint((count - 1) * largest + 1, count * largest)
            gap = (high << run_bits) + self.random.randrange(1 << run_bits)
            if gap >= room:
                break
            found.append(gap)
            room -= gap + 1
        return found

    def encoded(self, step: Step, gaps: list[int], activation: int) -> tuple[list[int], list[Done], int]:
        """Entries, operations and cycles of a column."""
        run_bits = self.geometry.entry_bits - step.index_bits
        index = [self.random.randrange(1, 1 << step.index_bits) for _ in gaps]
        entries, _ = encode(gaps, index, step.index_bits, run_bits, self.geometry.padding_zeros)
        rows = np.cumsum(np.array(gaps, dtype=int) + 1) - 1
        operations = [
            Done(Operation.MULTIPLY, int(row), self.codebook[step.codebook_base + i], activation)
            for row, i in zip(rows, index, strict=True)
        ]
        counts = entry_counts(gaps, run_bits, self.geometry.padding_zeros)
        takes = counts if self.geometry.padding_zeros else np.maximum(counts - 1, 1)
        return [int(entry) for entry in entries], operations, int(takes.sum())

    async def send(self, words: Sequence[dict[str, Any]], stall: float) -> None:
        """Send words, a cycle behind the settings."""
        await RisingEdge(self.unit.clk)
        await drive(self.unit, "i", words, stall=stall, rng=self.random, layout=word_layout(self.geometry))

    async def run(self, words: Sequence[dict[str, Any]], expected: list[Done], stall: float) -> list[int]:
        """Send words, compare the operations, and return their cycles."""
        self.found.clear()
        self.times.clear()
        await self.send(words, stall)
        for _ in range(4 * len(words) * self.geometry.word_entries + 20):
            await RisingEdge(self.unit.clk)
            if len(self.found) >= len(expected):
                break
        await cycles(self.unit, 6)
        assert self.found == expected
        return list(self.times)

    def biases(self, rows: int, count: int) -> tuple[list[dict[str, Any]], list[Done]]:
        """Words and operations of the end of a step."""
        bits, width = self.geometry.accumulator_bits, self.geometry.word_bits
        words, expected = [], []
        for row in range(rows):
            value = self.random.getrandbits(count * width) if count else 0
            joined = int(wrap(value, min(count * width, bits))) if count else 0
            expected.append(Done(Operation.DRAIN, row, immediate=joined % (1 << bits)))
            for place in range(max(count, 1)):
                word = self.word(kind=int(Word.BIAS), last=int(place + 1 >= count))
                if count:
                    part = value >> place * width
                    word["entries"] = [
                        part >> i * self.geometry.entry_bits & (1 << self.geometry.entry_bits) - 1
                        for i in range(self.geometry.word_entries)
                    ]
                words.append(word)
        return [*words, self.word(kind=int(Word.END))], [*expected, Done(Operation.END)]


async def setup(dut: HierarchyObject) -> list[Bench]:
    """Benches with random codebooks."""
    await start(dut)
    random = rng()
    benches = [Bench(dut, name, variant, random) for name, variant in parameters()["variants"].items()]
    for bench in benches:
        await bench.write(range(bench.geometry.codebook_entries))
        cocotb.start_soon(bench.note())
    return benches


@cocotb.test()
async def decodes_steps(dut: HierarchyObject) -> None:
    """All splits, biases of all sizes, columns with and without escapes in one another's neighbourhood."""
    for bench in await setup(dut):
        geometry, random = bench.geometry, bench.random
        for index_bits in range(1, min(geometry.entry_bits - 1, 8) + 1):
            for stall in STALLS:
                values = 1 << index_bits
                base = values * random.randrange(geometry.codebook_entries // values)
                count = random.randint(0, geometry.bias_words)
                step = bench.settings(index_bits=index_bits, codebook_base=base, bias_words=count)
                words, expected = [], []
                for _ in range(12):
                    activation = random.getrandbits(16)
                    weights, escapes = random.choice(KINDS)
                    gaps = bench.gaps(geometry.entry_bits - index_bits, weights, escapes)
                    offset = random.randrange(geometry.word_entries)
                    if geometry.scan_width > 1 and random.random() < 0.5:
                        others = bench.gaps(geometry.entry_bits - index_bits, *random.choice(KINDS))
                        if gaps or others:
                            more, operations, _ = bench.pair(step, (gaps, others), offset)
                            words += more
                            expected += operations
                    elif gaps:
                        entries, operations, _ = bench.encoded(step, gaps, activation)
                        words += bench.column(entries, activation, offset)
                        expected += operations
                    if geometry.empty_columns and random.random() < 0.3:
                        words.append(bench.word(kind=int(Word.EMPTY)))
                ends, drains = bench.biases(random.choice((0, 1, 6)), count)
                await bench.run(words + ends, expected + drains, stall)


@cocotb.test()
async def takes_a_weight_per_cycle(dut: HierarchyObject) -> None:
    """An escape is free, unless another stands before it or padding zeros cost a cycle each."""
    for bench in await setup(dut):
        geometry = bench.geometry
        step = bench.settings(index_bits=6)
        for escapes in ((0,), (1,), (0, 1), (2,), (0, 1, 2, 3)):
            for offset in range(geometry.word_entries):
                gaps = bench.gaps(geometry.entry_bits - 6, 25, escapes)
                entries, expected, takes = bench.encoded(step, gaps, 7)
                words = bench.column(entries, 7, offset)
                entered: list[int] = []
                watching = cocotb.start_soon(watch(bench.unit, "i", entered))
                times = await bench.run(words, expected, 0.0)
                watching.cancel()
                run_bits = geometry.entry_bits - 6
                takes += bench.waits(offset, takes, len(entries), gaps[0] >> run_bits, gaps[-1] >> run_bits)
                assert times[-1] - entered[0] == bench.latency + takes - 1


def chain(bench: Bench, counts: Sequence[int]) -> list[int]:
    """Gaps of weights behind so many escapes each, for index bits that leave two bits of run."""
    largest = 1 if bench.geometry.padding_zeros else 3
    return [(largest * count << 2) + bench.random.randrange(4) for count in counts]


@cocotb.test()
async def turns_to_the_second_column(dut: HierarchyObject) -> None:
    """In every place of a word, with and without escapes on either side, a weight per cycle."""
    for bench in await setup(dut):
        geometry, width = bench.geometry, bench.geometry.word_entries
        if geometry.scan_width == 1:
            continue
        step = bench.settings(index_bits=geometry.entry_bits - 2)
        shapes = ((), (0,), (1,), (0, 0), (0, 1), (1, 0), (2,), (0, 0, 1, 0), (1, 1, 0, 2))
        for first, second in ((a, b) for a in shapes for b in shapes if a or b):
            for offset in range(width):
                words, expected, takes = bench.pair(step, (chain(bench, first), chain(bench, second)), offset)
                entered: list[int] = []
                watching = cocotb.start_soon(watch(bench.unit, "i", entered))
                times = await bench.run(words, expected, 0.0)
                watching.cancel()
                counts = (*first, *second)
                entries = sum(counts) + len(counts)
                takes += bench.waits(offset, takes, entries, counts[0], counts[-1])
                assert times[-1] - entered[0] == bench.latency + takes - 1


@cocotb.test()
async def turns_at_any_pace(dut: HierarchyObject) -> None:
    """Pairs behind one another, with pauses wherever the words end."""
    for bench in await setup(dut):
        if bench.geometry.scan_width == 1:
            continue
        random = bench.random
        step = bench.settings(index_bits=bench.geometry.entry_bits - 2)
        for stall in STALLS:
            words, expected = [], []
            for _ in range(40):
                gaps = tuple(
                    chain(bench, random.choices((0, 1, 2), (5, 2, 1), k=random.randint(1, 5)))
                    for _ in range(2)
                )
                more, operations, _ = bench.pair(step, gaps, random.randrange(bench.geometry.word_entries))
                words += more
                expected += operations
            await bench.run(words, expected, stall)


@cocotb.test()
async def waits_for_the_word_behind_an_escape(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        run_bits = bench.geometry.entry_bits - 4
        step = bench.settings(index_bits=4)
        entries, expected, _ = bench.encoded(
            step, [5 << run_bits if not bench.geometry.padding_zeros else 1 << run_bits], 9
        )
        assert len(entries) == 2
        words = bench.column(entries, 9, bench.geometry.word_entries - 1)
        assert len(words) == 2
        for pause in range(7):
            bench.found.clear()
            await bench.send(words[:1], 0.0)
            await cycles(dut, pause)
            assert not bench.found
            await bench.run(words[1:], expected, 0.0)


@cocotb.test()
async def drops_an_escape_that_ends_a_column(dut: HierarchyObject) -> None:
    """No image has it, but whatever stands in a memory, nothing may hang."""
    for bench in await setup(dut):
        step = bench.settings(index_bits=4)
        for offset in range(bench.geometry.word_entries):
            entries, expected, _ = bench.encoded(step, [0, 2], 3)
            bad = bench.column([*entries, 0x80], 3, offset)
            after, more, _ = bench.encoded(step, [1, 0], 4)
            await bench.run([*bad, *bench.column(after, 4, 0)], expected + more, 0.0)
            if bench.geometry.scan_width > 1:
                # The escape that ends a first column may spoil the second, but nothing behind it.
                bad = bench.words([*entries, 0x80, *entries], 3 | 5 << 16, offset, len(entries) + 1)
                await bench.send([*bad, *bench.column(after, 4, 0)], 0.0)
                await cycles(dut, 20)
                assert bench.found[-len(more) :] == more


@cocotb.test()
async def drains_rows_back_to_back(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        for count in range(bench.geometry.bias_words + 1):
            bench.settings(index_bits=4, bias_words=count)
            words, expected = bench.biases(10, count)
            times = await bench.run(words, expected, 0.0)
            apart = max(count, latencies(bench.geometry).drain)
            assert times == [*range(times[0], times[0] + 10 * apart, apart), times[0] + 9 * apart + 1]


@cocotb.test()
async def passes_direct_operations(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        bench.settings(index_bits=4)
        layout = operation_layout(bench.geometry)
        bench.found.clear()
        expected = []
        for kind in (Operation.SET, Operation.READ, Operation.SET):
            row = bench.random.randrange(bench.geometry.accumulators)
            immediate = bench.random.getrandbits(bench.geometry.accumulator_bits)
            operation = {"kind": int(kind), "row": row, "weight": 0, "activation": 0, "immediate": immediate}
            expected.append(Done(kind, row, immediate=immediate if kind == Operation.SET else 0))
            bench.unit.direct_valid.value = 1
            bench.unit.direct.value = pack(layout, operation)
            await RisingEdge(dut.clk)
        bench.unit.direct_valid.value = 0
        await cycles(dut, 4)
        assert bench.found == expected


@cocotb.test()
async def shows_and_takes_codebook_values(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        geometry = bench.geometry
        half = geometry.codebook_entries // 2
        step = bench.settings(index_bits=4)
        entries, expected, _ = bench.encoded(step, [0] * 40, 5)
        writing = cocotb.start_soon(bench.write(range(half, geometry.codebook_entries)))
        await bench.run(bench.column(entries, 5, 0), expected, 0.2)
        await writing
        for address in (0, 5, half, geometry.codebook_entries - 1):
            bench.unit.peek.value, bench.unit.peek_address.value = 1, address
            await cycles(dut, (2 if geometry.output_registers else 1) + 1)
            assert bench.unit.peek_data.value == bench.codebook[address]
        bench.unit.peek.value = 0


@cocotb.test()
async def forgets_on_reset(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        step = bench.settings(index_bits=4, bias_words=1)
        entries, expected, _ = bench.encoded(step, [0] * 12, 5)
        await bench.send([*bench.column(entries, 5, 0)[:1], *bench.biases(2, 1)[0][:1]], 0.0)
        dut.rst.value = 1
        await RisingEdge(dut.clk)
        dut.rst.value = 0
        await RisingEdge(dut.clk)
        words, drains = bench.biases(2, 1)
        await bench.run([*bench.column(entries, 5, 0), *words], expected + drains, 0.0)
