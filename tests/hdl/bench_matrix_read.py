"""Bench of the sparse-matrix read: items of whole steps in, words of a list out, settings beside them."""

import random
from typing import Any, NamedTuple

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden.geometry import Geometry
from golden.steps import ORDER, Step, Token
from hdl.layouts import column_layout, queue_layout, word_layout
from hdl.matrix_read import Word
from tests.hdl.side_by_side import Part, stalls, watch
from tests.hdl.streams import collect, cycles, drive, pack, parameters, rng, start

LATENCY = 3
PEEK_LATENCY = 2


class Expected(NamedTuple):
    """A word as it must come, and the settings that must hold meanwhile; None where nobody looks."""

    kind: int
    settings: tuple[int, int, int]
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


class Bench:
    """One unit and its memory's contents."""

    def __init__(
        self, dut: HierarchyObject, name: str, variant: dict[str, Any], random: random.Random
    ) -> None:
        self.unit, self.random = Part(dut, name), random
        self.geometry = Geometry(**variant)
        self.words = [0] * self.geometry.matrix_words
        self.settings = (0, 0, 0)

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
        column = {"activations": activations, "length": length, "start": start}
        pair = self.geometry.scan_width > 1
        if pair:
            column["first_length"] = first_length
        stop, second = start + length - 1, start + first_length
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
        item = {"kind": Token.ACTIVATION, "item": pack(column_layout(self.geometry), column)}
        return item, words if length else [{"kind": Word.EMPTY}]

    def step(
        self, columns: int | list[Place], rows: int, bias_words: int, words: tuple[int, int] | None = None
    ) -> tuple[list[dict[str, int]], list[Expected]]:
        """Items of a step with these columns, or so many anywhere, and what comes of them."""
        if isinstance(columns, int):
            columns = [self.place(*words or ()) for _ in range(columns)]
        end = self.geometry.matrix_words - rows * bias_words
        settings = Step(
            index_bits=self.random.randint(1, 8),
            drain_rows=rows,
            shift=self.random.randrange(40),
            bias_address=self.random.randint(0, end),
            bias_words=bias_words,
            destination=self.random.getrandbits(1),
        )
        payloads = dict(zip(ORDER, settings.encode(), strict=False))
        held = (payloads[Token.LAYER], self.settings[1], self.settings[2])
        items = [{"kind": int(Token.LAYER), "item": payloads[Token.LAYER]}]
        expected = []
        for place in columns:
            item, found = self.column(place)
            items.append(item)
            expected += [Expected(settings=held, **word) for word in found]
        items += [{"kind": int(token), "item": payloads[token]} for token in (Token.DRAIN, Token.FINISH)]
        self.settings = tuple(payloads[token] for token in (Token.LAYER, Token.DRAIN, Token.FINISH))
        address = settings.bias_address
        for _ in range(rows):
            for place in range(max(bias_words, 1)):
                entries = self.words[address] if bias_words else None
                last = int(place + 1 >= bias_words)
                expected.append(Expected(Word.BIAS, self.settings, last=last, entries=entries))
                address += 1
        return items, [*expected, Expected(Word.END, self.settings)]

    async def settle(self, steps: int) -> None:
        """Answer every End after a while; no settings may be taken between a Finish and this."""
        unit = self.unit
        left = steps
        in_flight = False
        due = -1
        layout = queue_layout(self.geometry)
        kinds = (1 << layout["kind"].width) - 1
        while left:
            await RisingEdge(unit.clk)
            settled = unit.settled.value == 1
            unit.settled.value = 0
            if unit.i__valid.value == 1 and unit.i__ready.value == 1:
                kind = int(unit.i__payload.value) & kinds
                assert not (in_flight and kind in (Token.LAYER, Token.DRAIN)), "settings came too early"
                in_flight |= kind == Token.FINISH
            if settled:
                in_flight = False
                left -= 1
            if unit.o__valid.value == 1 and unit.o__ready.value == 1:
                word = int(unit.o__payload.value)
                if word & 3 == Word.END:
                    due = self.random.randrange(12)
            if due >= 0:
                unit.settled.value = int(due == 0)
                due -= 1

    async def run(
        self,
        steps: list[tuple[list[dict[str, int]], list[Expected]]],
        stall_in: float = 0.0,
        stall_out: float = 0.0,
    ) -> None:
        """Send steps and compare every word."""
        items = [item for step, _ in steps for item in step]
        unit, layout = self.unit, word_layout(self.geometry)
        settling = cocotb.start_soon(self.settle(sum(item["kind"] == Token.FINISH for item in items)))
        driving = cocotb.start_soon(
            drive(unit, "i", items, stall=stall_in, rng=self.random, layout=queue_layout(self.geometry))
        )
        for _, words in steps:
            for word in words:
                found = (await collect(unit, "o", 1, stall=stall_out, rng=self.random, layout=layout))[0]
                entries = sum(
                    entry << place * self.geometry.entry_bits for place, entry in found.pop("entries").items()
                )
                settings = tuple(int(port.value) for port in (unit.layer, unit.drain, unit.finish))
                found = Expected(**found, entries=entries, settings=settings)
                seen = Expected(*(None if e is None else f for e, f in zip(word, found, strict=True)))
                # Downstream a column's words look at the layer only, as the biases' settings come later.
                if word.kind in (Word.COLUMN, Word.EMPTY):
                    seen, word = (w._replace(settings=w.settings[:1]) for w in (seen, word))
                assert seen == word
        await driving
        await settling


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
        items, words = bench.step(30, 3, 1)
        entered: list[int] = []
        left: list[int] = []
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
        ends = len(words) - 4  # the biases and the End
        assert left[:ends] == list(range(entered[1] + LATENCY, entered[1] + LATENCY + ends))
        assert entered[1] == entered[0] + 1
        assert left[ends:] == list(range(entered[-1] + LATENCY, entered[-1] + LATENCY + 4))
        assert entered[-1] == left[ends - 1] - LATENCY + 2, "Drain and Finish take a cycle each"
        bench.unit.settled.value = 1
        await RisingEdge(dut.clk)
        bench.unit.settled.value = 0
        await bench.run([bench.step(3, 2, 1)])


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
            unit.peek.value, unit.peek_address.value = 1, address
            await cycles(dut, PEEK_LATENCY + 1)
            assert unit.peek_data.value == bench.words[address]
        unit.peek.value = 0
        await bench.run([bench.step(5, 1, 1)])


@cocotb.test()
async def forgets_on_reset(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        items, _ = bench.step(0, 4, 1)
        await drive(bench.unit, "i", items, layout=queue_layout(bench.geometry))
        await cycles(dut, LATENCY)
        assert bench.unit.o__valid.value == 1
        dut.rst.value = 1
        await RisingEdge(dut.clk)
        dut.rst.value = 0
        bench.settings = (0, 0, 0)
        await bench.run([bench.step(4, 2, 1)])
