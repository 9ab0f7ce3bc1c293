"""Bench of pointer read: tokens of whole steps in, golden's columns out."""

import random
from itertools import product
from typing import Any

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden.geometry import LENGTHS_BITS, PIECES, Geometry
from golden.pointers import group_columns, longest, split
from golden.pointers import unpack as unpack_pointers
from golden.steps import Token, locate, pack_token, token_fields
from hdl.layouts import payload_layout, queue_layout, span_bits, token_layout
from tests.hdl.side_by_side import Part, now, stalls, watch
from tests.hdl.streams import collect, cycles, drive, pack, parameters, rng, start, unpack

Tokens = list[dict[str, int]]


def last_entry(geometry: Geometry, start: int, entries: int) -> dict[str, int]:
    """Fields of an item that say where its last entry is."""
    span, width = (1 << span_bits(geometry)) - 1, geometry.word_entries
    if not geometry.output_registers:
        return {"stop": start + entries - 1 & span}
    stop = start % width + entries - 1
    return {"stop": stop & span, "single": int(0 <= stop < width and entries > 0)}


class Bench:
    """One unit, its pointer memory's contents, and what it should answer."""

    def __init__(
        self, dut: HierarchyObject, name: str, variant: dict[str, Any], random: random.Random
    ) -> None:
        self.unit, self.random = Part(dut, name), random
        self.geometry = Geometry(**variant)
        self.words = [0] * self.geometry.pointer_words
        self.position_bits = self.geometry.word_entries.bit_length() - 1
        registers = self.geometry.output_registers
        self.latency = 3 if registers else 1
        self.bias_address = 0

    async def write(self, addresses: list[int]) -> None:
        """Write words at random, one a cycle, a third of their lengths zero."""
        unit = self.unit
        for address in addresses:
            word = self.random.getrandbits(self.geometry.pointer_bits)
            for field in range(8):
                if self.random.random() < 0.3:
                    word &= ~(0xF << 4 * field)
            if self.random.random() < 0.2:
                word &= ~0xFFFFFFFF
            await self.put(address, word)
        unit.write_enable.value = 0
        unit.write_address.value = self.random.randrange(self.geometry.pointer_words)
        unit.write_data.value = self.random.getrandbits(len(unit.write_data))

    def pieces(self, word: int) -> list[int]:
        """What the memory holds of a word, in order."""
        return [int(piece) for piece in split([word], self.geometry.pointer_pieces)]

    async def put(self, address: int, word: int) -> None:
        """Write a word; more may follow in the next cycle."""
        unit = self.unit
        self.words[address] = word
        for number, piece in enumerate(self.pieces(word)):
            unit.write_enable.value, unit.write_data.value = 1, piece
            unit.write_address.value = address * self.geometry.pointer_pieces + number
            await RisingEdge(unit.clk)

    def token(self, kind: Token, **values: int) -> dict[str, int]:
        """A token, of whose payload the kind takes only what it needs."""
        layout = token_layout(self.geometry)["payload"]
        noise = self.random.getrandbits(layout.width)
        used = sum(width for _, width in token_fields(kind, self.geometry))
        return {
            "kind": int(kind),
            "payload": noise >> used << used | pack_token(kind, self.geometry, **values),
        }

    def step(
        self, short: int, columns: int | list[int], base: int | None = None, scans: int | None = None
    ) -> Tokens:
        """Tokens of a step with columns at these places, or so many at random ones."""
        geometry = self.geometry
        if base is None:
            base = self.random.randrange(geometry.pointer_words)
        reach = (geometry.pointer_words - base) * group_columns(short) // geometry.scan_width
        if isinstance(columns, int):
            columns = [self.random.randrange(min(reach, 1 << 16)) for _ in range(columns)]
        begin = self.token(
            Token.BEGIN,
            scans=self.random.getrandbits(1) if scans is None else scans,
            index_bits=self.random.getrandbits(4),
            codebook_base=self.random.randrange(geometry.codebook_entries),
            short_lengths=short,
        )
        activations = [self.activation(*locate(place, base, short, geometry.scan_width)) for place in columns]
        return [begin, *activations, self.token(Token.FINISH)]

    def activation(self, address: int, position: int) -> dict[str, int]:
        """Token of a place; of two activations one may be zero."""
        first, second = self.random.randrange(1, 1 << 16), self.random.randrange(1, 1 << 16)
        if self.geometry.scan_width > 1:
            first, second = self.random.choice(((first, second), (first, 0), (0, second)))
        address *= self.geometry.pointer_pieces
        return self.token(
            Token.ACTIVATION, activation=first, second=second, address=address, position=position
        )

    def offset(self, piece: int) -> int:
        """What to add to an activation's token, so that it names a later piece."""
        fields, token = payload_layout(Token.ACTIVATION, self.geometry), token_layout(self.geometry)
        return piece << fields["address"].offset + token["payload"].offset

    def column(self, payload: int, short: int) -> dict[str, int]:
        """Item of an activation's column, or of two; whose activation is zero counts no entries."""
        geometry, width = self.geometry, self.geometry.scan_width
        fields = unpack(payload_layout(Token.ACTIVATION, geometry), payload)
        place = fields["position"] * width * group_columns(short) // 8
        address = fields["address"] // geometry.pointer_pieces
        starts, lengths = unpack_pointers(np.array([self.words[address]]), short)
        assert max(lengths) <= longest(short)
        pair = [fields["activation"], fields.get("second", 0)][:width]
        active = [lane for lane, value in enumerate(pair) if value]
        counted = [int(lengths[place + lane]) if lane in active else 0 for lane in range(width)]
        start = int(starts[place + active[0]]) % (1 << geometry.entry_address_bits)
        span = (1 << span_bits(geometry)) - 1
        item = {
            "kind": int(Token.ACTIVATION),
            "activations": sum(value << 16 * lane for lane, value in enumerate(pair)),
            "start": start,
            **last_entry(geometry, start, sum(counted)),
        }
        if width > 1:
            item |= {"second": int(counted[1] > 0), "turn": start + counted[0] & span}
        if geometry.empty_columns:
            item["empty"] = int(not any(counted))
        return item if any(counted) or geometry.empty_columns else {}

    def expected(self, tokens: Tokens) -> Tokens:
        """What must stand in the items of the tokens."""
        items, short = [], 0
        begin = payload_layout(Token.BEGIN, self.geometry)
        for token in tokens:
            if token["kind"] == Token.ACTIVATION:
                items += [item] if (item := self.column(token["payload"], short)) else []
            elif token["kind"] == Token.BEGIN:
                fields = unpack(begin, token["payload"])
                short = fields["short_lengths"]
                kept = fields["index_bits"] | fields["codebook_base"] << 4
                items.append({"kind": int(Token.BEGIN), "activations": kept})
            else:
                items.append({"kind": int(Token.FINISH), "start": self.bias_address << self.position_bits})
        return items

    def seen(self, item: dict[str, int], expected: dict[str, int]) -> dict[str, int]:
        """The part of an item that somebody looks at."""
        if expected["kind"] == Token.BEGIN:
            bits = payload_layout(Token.BEGIN, self.geometry)["short_lengths"].offset
            item = item | {"activations": item["activations"] & (1 << bits) - 1}
        return {name: item[name] for name in expected}

    async def run(self, tokens: Tokens, stall_in: float = 0.0, stall_out: float = 0.0) -> None:
        """Send tokens and compare what comes."""
        expected = self.expected(tokens)
        driving = cocotb.start_soon(
            drive(self.unit, "i", tokens, stall=stall_in, rng=self.random, layout=token_layout(self.geometry))
        )
        layout = queue_layout(self.geometry)
        found = await collect(self.unit, "o", len(expected), stall=stall_out, rng=self.random, layout=layout)
        await driving
        assert [self.seen(item, wanted) for item, wanted in zip(found, expected, strict=True)] == expected

    async def watch(self, name: str, log: list[int]) -> None:
        """Note the cycles in which an output is high."""
        while True:
            await RisingEdge(self.unit.clk)
            if getattr(self.unit, name).value == 1:
                log.append(now())


async def setup(dut: HierarchyObject) -> list[Bench]:
    """Benches with random pointers."""
    await start(dut)
    random = rng()
    benches = [Bench(dut, name, variant, random) for name, variant in parameters()["variants"].items()]
    for bench in benches:
        await bench.write(list(range(bench.geometry.pointer_words)))
        bench.bias_address = random.randrange(bench.geometry.matrix_words)
        bench.unit.bias_address.value = bench.bias_address
    return benches


@cocotb.test()
async def looks_columns_up(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        for stall_in, stall_out in stalls():
            tokens = []
            for _ in range(10):
                tokens += bench.step(bench.random.randrange(2), bench.random.choice((0, 1, 2, 9, 30)))
            await bench.run(tokens, stall_in, stall_out)


@cocotb.test()
async def joins_neighbours(dut: HierarchyObject) -> None:
    """Both, the first and the second, with entries in both columns, either and none, everywhere in a word."""
    for bench in await setup(dut):
        if bench.geometry.scan_width == 1:
            continue
        for short, lengths in product((0, 1), product((0, 1, 9), repeat=2)):
            bits = LENGTHS_BITS // group_columns(short)
            joined = sum(lengths[i % 2] << i * bits for i in range(group_columns(short)))
            await cycles(dut, PIECES)  # the last token may still be looked up
            await bench.put(0, 400 << LENGTHS_BITS | joined)
            bench.unit.write_enable.value = 0
            tokens = bench.step(short, [])[:1]
            expected = []
            span = (1 << span_bits(bench.geometry)) - 1
            for place in range(group_columns(short) // 2):
                for first, second in ((5, 6), (5, 0), (0, 6)):
                    address, position = locate(place, 0, short, 2)
                    values = {"activation": first, "second": second, "position": position}
                    values["address"] = address * bench.geometry.pointer_pieces
                    tokens.append(bench.token(Token.ACTIVATION, **values))
                    mine, other = lengths[0] * (first != 0), lengths[1] * (second != 0)
                    start = 400 + place * sum(lengths) + lengths[0] * (first == 0)
                    if mine + other or bench.geometry.empty_columns:
                        empty = {"empty": int(not mine + other)} if bench.geometry.empty_columns else {}
                        expected.append({
                            "kind": int(Token.ACTIVATION),
                            "activations": first | second << 16,
                            "start": start,
                            **last_entry(bench.geometry, start, mine + other),
                            "second": int(other > 0),
                            "turn": start + mine & span,
                            **empty,
                        })  # fmt: skip
            assert bench.expected(tokens)[1:] == expected
            await bench.run(tokens)


@cocotb.test()
async def takes_a_cycle_a_token(dut: HierarchyObject) -> None:
    """Begin and Finish are told when they leave the buffer, the cycle before which they came."""
    for bench in await setup(dut):
        tokens = bench.step(1, 0, scans=1) * 20
        entered: list[int] = []
        left: list[int] = []
        begun: list[int] = []
        finished: list[int] = []
        watching = [
            cocotb.start_soon(watch(bench.unit, "i", entered)),
            cocotb.start_soon(watch(bench.unit, "o", left)),
            cocotb.start_soon(bench.watch("scan", begun)),
            cocotb.start_soon(bench.watch("finish", finished)),
        ]
        await bench.run(tokens)
        await cycles(dut, 1)
        for task in watching:
            task.cancel()
        assert entered == list(range(entered[0], entered[0] + len(tokens)))
        assert left == [cycle + bench.latency for cycle in entered]
        buffer = int(bench.geometry.output_registers)
        assert begun == [cycle + buffer for cycle in entered[::2]]
        assert finished == [cycle + buffer for cycle in entered[1::2]]


@cocotb.test()
async def takes_a_cycle_a_piece(dut: HierarchyObject) -> None:
    """An activation is taken with the last piece of its word."""
    for bench in await setup(dut):
        if bench.geometry.output_registers:
            continue
        columns = 15
        await bench.put(0, 0x11111111)
        bench.unit.write_enable.value = 0
        tokens = bench.step(1, 0)[:1] + [bench.activation(0, 1) for _ in range(columns)]
        entered: list[int] = []
        left: list[int] = []
        watching = [
            cocotb.start_soon(watch(bench.unit, "i", entered)),
            cocotb.start_soon(watch(bench.unit, "o", left)),
        ]
        await bench.run(tokens)
        await cycles(dut, 1)
        for task in watching:
            task.cancel()
        assert entered == [entered[0] + PIECES * i for i in range(columns + 1)]
        assert left == [cycle + 1 for cycle in entered]


@cocotb.test()
async def tells_of_a_token_once(dut: HierarchyObject) -> None:
    """However long it stands in the buffer."""
    for bench in await setup(dut):
        begun: list[int] = []
        finished: list[int] = []
        watching = [
            cocotb.start_soon(bench.watch("scan", begun)),
            cocotb.start_soon(bench.watch("finish", finished)),
        ]
        await bench.run([token for i in range(18) for token in bench.step(0, 3, scans=i % 2)], 0.2, 0.8)
        await cycles(dut, 2)
        for task in watching:
            task.cancel()
        assert (len(begun), len(finished)) == (9, 18)


@cocotb.test()
async def is_written_while_it_works(dut: HierarchyObject) -> None:
    """Words that the step does not use change under it, and serve the next."""
    for bench in await setup(dut):
        half = bench.geometry.pointer_words // 2
        for first in (0, half):
            places = [bench.random.randrange(8 * half // bench.geometry.scan_width) for _ in range(3 * half)]
            tokens = bench.step(1, places, half - first)
            writing = cocotb.start_soon(bench.write(list(range(first, first + half))))
            await bench.run(tokens)
            await writing
            await bench.run(bench.step(0, 50))


@cocotb.test()
async def shows_its_memory(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        unit, layout = bench.unit, token_layout(bench.geometry)
        await bench.run(bench.step(0, 3))
        for address in (0, 1, bench.geometry.pointer_words - 1):
            for number, piece in enumerate(bench.pieces(bench.words[address])):
                unit.i__payload.value = pack(layout, bench.activation(address, 0)) + bench.offset(number)
                await cycles(dut, 3)
                assert unit.peek_data.value == piece
                await cycles(dut, 3)
                assert unit.peek_data.value == piece
        assert unit.o__valid.value == 0
        await bench.run(bench.step(1, 20))


@cocotb.test()
async def forgets_on_reset(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        await drive(bench.unit, "i", bench.step(1, 0)[:1], layout=token_layout(bench.geometry))
        await cycles(dut, bench.latency)
        assert bench.unit.o__valid.value == 1
        dut.rst.value = 1
        await RisingEdge(dut.clk)
        dut.rst.value = 0
        await bench.run(bench.step(1, 20))
