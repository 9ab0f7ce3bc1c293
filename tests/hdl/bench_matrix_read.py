"""Bench of the sparse-matrix read: items of whole steps in, words of a list out, settings beside them."""

import random
from typing import Any, NamedTuple

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden.geometry import Geometry
from golden.steps import Token
from hdl.layouts import payload_layout, queue_layout, span_bits, word_layout
from hdl.matrix_read import Word
from tests.hdl.side_by_side import Part, stalls, watch
from tests.hdl.streams import collect, cycles, drive, pack, parameters, rng, start, unpack


class Expected(NamedTuple):
    """A word as it must come, and the Begin that must hold meanwhile; None where nobody looks."""

    kind: int
    begin: int | None = None
    first: int | None = None
    last: int | None = None
    low: int | None = None
    high: int | None = None
    activations: int | None = None
    turns: int | None = None
    boundary: int | None = None
    entries: int | None = None


class Place(NamedTuple):
    """First entry of a column, or of two neighbours, and how many each has."""

    start: int
    lengths: tuple[int, ...]


class Step(NamedTuple):
    """Items of a step, the words that come of them, and what its drain has on the lines."""

    items: list[dict[str, int]]
    words: list[Expected]
    bias_address: int
    bias_end: int
    bias_words: int


class Bench:
    """One unit and its memory's contents."""

    def __init__(
        self, dut: HierarchyObject, name: str, variant: dict[str, Any], random: random.Random
    ) -> None:
        self.unit, self.random = Part(dut, name), random
        self.geometry = Geometry(**variant)
        self.words = [0] * self.geometry.matrix_words
        self.latency = 2 if self.geometry.output_registers else 1

    async def write(self, addresses: range) -> None:
        """Write random words, one a cycle."""
        unit = self.unit
        for address in addresses:
            self.words[address] = self.random.getrandbits(self.geometry.word_bits)
            unit.write_enable.value = 1
            unit.write_address.value = address
            unit.write_data.value = self.words[address]
            await RisingEdge(unit.clk)
        unit.write_enable.value = 0
        unit.write_address.value = self.random.randrange(self.geometry.matrix_words)
        unit.write_data.value = self.random.getrandbits(self.geometry.word_bits)

    def place(self, low: int = 0, high: int | None = None) -> Place:
        """A column, or two neighbours, at random within matrix words [low, high)."""
        width = self.geometry.word_entries
        first, end = low * width, (high or self.geometry.matrix_words) * width
        room, lengths = end - first, []
        for _ in range(self.geometry.scan_width):
            longest = self.random.choice((1, 2, 5, 17, 255))
            least = 0 if self.geometry.empty_columns or self.geometry.scan_width > 1 else 1
            lengths.append(self.random.randint(least, min(longest, room)))
            room -= lengths[-1]
        if not any(lengths) and not self.geometry.empty_columns:
            return self.place(low, high)
        return Place(self.random.randint(first, first + room - (not any(lengths))), tuple(lengths))

    def column(self, place: Place) -> tuple[dict[str, int], list[dict[str, int]]]:
        """A queued column, or two, and the words that come of it."""
        width = self.geometry.word_entries
        start, (first_length, *_), length = place.start, place.lengths, sum(place.lengths)
        activations = self.random.getrandbits(16 * self.geometry.scan_width)
        pair = self.geometry.scan_width > 1
        stop, second = start + length - 1, start + first_length
        span = (1 << span_bits(self.geometry)) - 1
        item = {
            "kind": int(Token.ACTIVATION),
            "activations": activations,
            "start": start,
            **(
                {"stop": stop - start // width * width & span, "single": int(stop // width == start // width)}
                if self.geometry.output_registers
                else {"stop": stop & span}
            ),
            **({"second": int(second <= stop), "turn": second & span} if pair else {}),
            **({"empty": int(length == 0)} if self.geometry.empty_columns else {}),
        }
        words = [
            {
                "kind": Word.COLUMN,
                "first": int(word == start // width),
                "last": int(word == stop // width),
                "low": start % width if word == start // width else 0,
                "high": stop % width if word == stop // width else width - 1,
                "activations": activations,
                "entries": self.words[word],
            }
            for word in range(start // width, stop // width + 1)
        ]
        if pair:
            for word, number in zip(words, range(start // width, stop // width + 1), strict=True):
                turns = second <= stop and number == second // width
                after = second <= stop and number > second // width
                word |= {"turns": int(turns), "boundary": second % width if turns else 0 if after else width}
        return item, words if length else [{"kind": Word.EMPTY}]

    def other(self, kind: Token, **fields: int) -> dict[str, int]:
        """An item that is no column: fields that do not matter are random."""
        layout = queue_layout(self.geometry)
        noise = {name: self.random.getrandbits(field.width) for name, field in layout}
        return {**noise, "kind": int(kind), **fields}

    def step(
        self, columns: int | list[Place], rows: int, bias_words: int, words: tuple[int, int] | None = None
    ) -> Step:
        """A step with these columns, or so many anywhere."""
        geometry = self.geometry
        if isinstance(columns, int):
            columns = [self.place(*words or ()) for _ in range(columns)]
        address = self.random.randrange(geometry.matrix_words - max(rows * bias_words, 1) + 1)
        begin = self.random.getrandbits(layout_offset(geometry))
        items = [self.other(Token.BEGIN, activations=begin)]
        expected = []
        for place in columns:
            item, found = self.column(place)
            items.append(item)
            expected += [Expected(begin=begin, **word) for word in found]
        items.append(self.other(Token.FINISH, start=address * geometry.word_entries))
        begins, end = address, address + rows * max(bias_words, 1)
        for _ in range(rows):
            for place in range(max(bias_words, 1)):
                entries = self.words[address] if bias_words else None
                expected.append(Expected(Word.BIAS, last=int(place + 1 >= bias_words), entries=entries))
                address += 1
        return Step(items, [*expected, Expected(Word.END)], begins, end, bias_words)

    def show(self, step: Step) -> None:
        """Put the settings of a drain on their lines."""
        if self.geometry.output_registers:
            self.unit.bias_address.value = step.bias_address
        self.unit.bias_end.value, self.unit.bias_words.value = step.bias_end, step.bias_words

    async def settle(self, steps: list[Step]) -> None:
        """Answer every End after a while; no Begin may be taken between a Finish and this.

        The drain's lines change when an End has come.
        """
        unit = self.unit
        left = list(steps)
        in_flight = False
        due = -1
        while left:
            self.show(left[0])
            await RisingEdge(unit.clk)
            settled = unit.settled.value == 1
            unit.settled.value = 0
            if unit.i__valid.value == 1 and unit.i__ready.value == 1:
                kind = unpack(queue_layout(self.geometry), int(unit.i__payload.value))["kind"]
                assert not (in_flight and kind == Token.BEGIN), "a Begin came too early"
                in_flight |= kind == Token.FINISH
            if settled:
                in_flight = False
            if unit.o__valid.value == 1 and unit.o__ready.value == 1:
                word = int(unit.o__payload.value)
                if word & 3 == Word.END:
                    due = self.random.randrange(12)
                    del left[0]
            if due >= 0:
                unit.settled.value = int(due == 0)
                due -= 1
        while due >= 0:
            await RisingEdge(unit.clk)
            unit.settled.value = int(due == 0)
            due -= 1
        await RisingEdge(unit.clk)
        unit.settled.value = 0

    async def run(self, steps: list[Step], stall_in: float = 0.0, stall_out: float = 0.0) -> None:
        """Send steps and compare every word."""
        items = [item for step in steps for item in step.items]
        unit, layout = self.unit, word_layout(self.geometry)
        settling = cocotb.start_soon(self.settle(steps))
        driving = cocotb.start_soon(
            drive(unit, "i", items, stall=stall_in, rng=self.random, layout=queue_layout(self.geometry))
        )
        for step in steps:
            for word in step.words:
                found = (await collect(unit, "o", 1, stall=stall_out, rng=self.random, layout=layout))[0]
                entries = sum(
                    entry << place * self.geometry.entry_bits for place, entry in found.pop("entries").items()
                )
                begin = int(unit.begin.value) & (1 << layout_offset(self.geometry)) - 1
                found = Expected(**found, entries=entries, begin=begin)
                seen = Expected(*(None if e is None else f for e, f in zip(word, found, strict=True)))
                assert seen == word
        await driving
        await settling


def layout_offset(geometry: Geometry) -> int:
    """Bits of a Begin that outlast the pointer read."""
    return payload_layout(Token.BEGIN, geometry)["short_lengths"].offset


async def setup(dut: HierarchyObject) -> list[Bench]:
    """Benches with random matrices."""
    await start(dut)
    random = rng()
    benches = [Bench(dut, name, variant, random) for name, variant in parameters()["variants"].items()]
    for bench in benches:
        await bench.write(range(bench.geometry.matrix_words))
    return benches


@cocotb.test()
async def reads_steps(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        for stall_in, stall_out in stalls():
            steps = [
                bench.step(bench.random.choice((0, 1, 6)), bench.random.choice((0, 1, 5)), bias_words)
                for bias_words in (*range(bench.geometry.bias_words + 1), 0)
            ]
            await bench.run(steps, stall_in, stall_out)


@cocotb.test()
async def says_where_the_second_column_begins(dut: HierarchyObject) -> None:
    """In every place of a word, at its beginning and behind its end; or that there is no second, or first."""
    for bench in await setup(dut):
        if bench.geometry.scan_width == 1:
            continue
        width = bench.geometry.word_entries
        some = (0, 1, width - 1, width, width + 1, 3 * width)
        places = [
            Place(8 * width + offset, lengths)
            for offset in range(width)
            for lengths in ((a, b) for a in sorted(set(some)) for b in sorted(set(some)) if a + b)
        ]
        bench.random.shuffle(places)
        for stall_in, stall_out in stalls():
            await bench.run([bench.step(places, 2, 1)], stall_in, stall_out)
        await bench.run(
            [bench.step([Place(0, (255, 255)), Place(width, (0, 255)), Place(1, (255, 1))], 0, 0)]
        )


@cocotb.test()
async def reads_a_word_per_cycle(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        step = bench.step(30, 3, 1)
        items, words = step.items, step.words
        bench.show(step)
        left: list[int] = []
        entered: list[int] = []
        watching = [
            cocotb.start_soon(watch(bench.unit, "i", entered)),
            cocotb.start_soon(watch(bench.unit, "o", left)),
        ]
        driving = cocotb.start_soon(drive(bench.unit, "i", items, layout=queue_layout(bench.geometry)))
        await collect(bench.unit, "o", len(words))
        await driving
        await cycles(dut, 1)
        for task in watching:
            task.cancel()
        first = entered[0] + 1
        assert left == list(range(first + bench.latency, first + bench.latency + len(words)))
        assert entered[-1] == left[-1] - bench.latency, "an item leaves with its last address"
        bench.unit.settled.value = 1
        await RisingEdge(dut.clk)
        bench.unit.settled.value = 0
        await bench.run([bench.step(3, 2, 1)])


@cocotb.test()
async def drains_more_rows_than_it_has_words(dut: HierarchyObject) -> None:
    """Rows without a bias read nothing that matters, and are counted all the same."""
    for bench in await setup(dut):
        rows = bench.geometry.accumulators
        await bench.run([bench.step(2, rows, 0), bench.step(1, 1, 0), bench.step(0, 0, 0)])


@cocotb.test()
async def is_written_while_it_reads(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        half = bench.geometry.matrix_words // 2
        for first in (0, half):
            step = bench.step(30, 0, 0, (half - first, 2 * half - first))
            writing = cocotb.start_soon(bench.write(range(first, first + half)))
            await bench.run([step], stall_out=0.2)
            await writing
        await bench.run([bench.step(10, 3, 1)])


@cocotb.test()
async def shows_its_memory(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        unit = bench.unit
        await bench.run([bench.step(2, 1, 1)])
        for address in (0, 1, bench.geometry.matrix_words - 1):
            unit.peek.value = address
            await cycles(dut, bench.latency + 1)
            assert unit.peek_data.value == bench.words[address]
        unit.peek.value = 0
        await bench.run([bench.step(5, 1, 1)])


@cocotb.test()
async def forgets_on_reset(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        step = bench.step(0, 4, 1)
        unit, layout = bench.unit, queue_layout(bench.geometry)
        bench.show(step)
        await drive(unit, "i", step.items[:1], layout=layout)
        unit.i__valid.value, unit.i__payload.value = 1, pack(layout, step.items[1])
        await cycles(dut, bench.latency + 1)
        assert unit.o__valid.value == 1
        unit.i__valid.value = 0
        dut.rst.value = 1
        await RisingEdge(dut.clk)
        dut.rst.value = 0
        await bench.run([bench.step(4, 2, 1)])
