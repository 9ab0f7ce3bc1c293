"""Bench of pointer read: tokens of whole steps in, golden's columns out."""

import random
from itertools import product
from typing import Any

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden.geometry import LENGTHS_BITS, Geometry
from golden.pointers import group_columns, longest, unpack
from golden.steps import ORDER, Step, Token
from hdl.layouts import column_layout, queue_layout, token_layout
from tests.hdl.side_by_side import Part, stalls, watch
from tests.hdl.streams import collect, cycles, drive, pack, parameters, rng, start

LATENCY = 5
PEEK_LATENCY = 3


def settings(step: Step) -> list[dict[str, int]]:
    """Tokens of a step's words."""
    words = zip(ORDER, step.encode(), strict=False)
    return [{"kind": int(token), "payload": word} for token, word in words]


class Bench:
    """One unit, its pointer memory's contents, and what it should answer."""

    def __init__(
        self, dut: HierarchyObject, name: str, variant: dict[str, Any], random: random.Random
    ) -> None:
        self.unit, self.random = Part(dut, name), random
        self.geometry = Geometry(**variant)
        self.words = [0] * self.geometry.pointer_words

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
        unit.write_data.value = self.random.getrandbits(self.geometry.pointer_bits)

    async def put(self, address: int, word: int) -> None:
        """Write a word; more may follow in the next cycle."""
        unit = self.unit
        self.words[address] = word
        unit.write_enable.value, unit.write_address.value, unit.write_data.value = 1, address, word
        await RisingEdge(unit.clk)

    def step(self, short: int, columns: int) -> list[dict[str, int]]:
        """Tokens of a step with that many columns, at random places."""
        base = self.random.randrange(self.geometry.pointer_words)
        step = Step(index_bits=4, short_lengths=short, pointer_base=base, drain_rows=self.random.randrange(9))
        words = settings(step)
        reach = (self.geometry.pointer_words - base) * group_columns(short) // self.geometry.scan_width
        places = [self.random.randrange(min(reach, 1 << 16)) for _ in range(columns)]
        return [*words[:3], *map(self.activation, places), *words[3:]]

    def activation(self, place: int) -> dict[str, int]:
        """Token of a place; of two activations one may be zero."""
        first, second = self.random.randrange(1, 1 << 16), self.random.randrange(1, 1 << 16)
        if self.geometry.scan_width == 1:
            return {"kind": int(Token.ACTIVATION), "payload": first | place << 16}
        first, second = self.random.choice(((first, second), (first, 0), (0, second)))
        return {"kind": int(Token.ACTIVATION), "payload": first | place << 16 | second << 32}

    def column(self, payload: int, base: int, short: int) -> dict[str, int]:
        """What becomes of an activation's column, or of two; whose activation is zero counts no entries."""
        width = self.geometry.scan_width
        group, place = divmod((payload >> 16 & 0xFFFF) * width, group_columns(short))
        starts, lengths = unpack(np.array([self.words[base + group]]), short)
        assert max(lengths) <= longest(short)
        pair = [payload & 0xFFFF, payload >> 32][:width]
        active = [lane for lane, value in enumerate(pair) if value]
        counted = [int(lengths[place + lane]) if lane in active else 0 for lane in range(width)]
        return {
            "activations": sum(value << 16 * lane for lane, value in enumerate(pair)),
            "length": sum(counted),
            "start": int(starts[place + active[0]]) % (1 << self.geometry.entry_address_bits),
            **({"first_length": counted[0]} if width > 1 else {}),
        }

    def expected(self, tokens: list[dict[str, int]]) -> list[dict[str, int]]:
        """Queue items of the tokens."""
        layout = column_layout(self.geometry)
        items, short, base = [], 0, 0
        for token in tokens:
            kind, payload = token["kind"], token["payload"]
            fields = Step.decode([payload & 0xFFFFFFFF] * 5)
            if kind == Token.LAYER:
                short = fields.short_lengths
            if kind == Token.POINTERS:
                base = fields.pointer_base
            if kind == Token.ACTIVATION:
                column = self.column(payload, base, short)
                if column["length"] or self.geometry.empty_columns:
                    items.append({"kind": kind, "item": pack(layout, column)})
            elif kind not in (Token.SCAN, Token.POINTERS):
                items.append({"kind": kind, "item": payload})
        return items

    async def run(self, tokens: list[dict[str, int]], stall_in: float = 0.0, stall_out: float = 0.0) -> None:
        """Send tokens and compare what comes."""
        expected = self.expected(tokens)
        driving = cocotb.start_soon(
            drive(self.unit, "i", tokens, stall=stall_in, rng=self.random, layout=token_layout(self.geometry))
        )
        layout = queue_layout(self.geometry)
        found = await collect(self.unit, "o", len(expected), stall=stall_out, rng=self.random, layout=layout)
        await driving
        assert found == expected


async def setup(dut: HierarchyObject) -> list[Bench]:
    """Benches with random pointers."""
    await start(dut)
    random = rng()
    benches = [Bench(dut, name, variant, random) for name, variant in parameters()["variants"].items()]
    for bench in benches:
        await bench.write(list(range(bench.geometry.pointer_words)))
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
            await bench.put(0, 400 << LENGTHS_BITS | joined)
            bench.unit.write_enable.value = 0
            tokens = settings(Step(index_bits=4, short_lengths=short))[:2]
            expected = [{"kind": int(Token.LAYER), "item": tokens[0]["payload"]}]
            for place in range(group_columns(short) // 2):
                for first, second in ((5, 6), (5, 0), (0, 6)):
                    tokens.append({"kind": 0, "payload": first | place << 16 | second << 32})
                    mine, other = lengths[0] * (first != 0), lengths[1] * (second != 0)
                    column = {
                        "activations": first | second << 16,
                        "length": mine + other,
                        "first_length": mine,
                        "start": 400 + place * sum(lengths) + lengths[0] * (first == 0),
                    }
                    if mine + other or bench.geometry.empty_columns:
                        item = pack(column_layout(bench.geometry), column)
                        expected.append({"kind": int(Token.ACTIVATION), "item": item})
            assert bench.expected(tokens) == expected
            await bench.run(tokens)


@cocotb.test()
async def takes_five_cycles(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        tokens = bench.step(1, 0)[:3] + bench.step(1, 0)[3:] * 20
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
        assert entered == list(range(entered[0], entered[0] + len(tokens)))
        assert left == [cycle + LATENCY for cycle in (entered[0], *entered[3:])]


@cocotb.test()
async def is_written_while_it_works(dut: HierarchyObject) -> None:
    """Words that the step does not use change under it, and serve the next."""
    for bench in await setup(dut):
        half = bench.geometry.pointer_words // 2
        for first in (0, half):
            step = Step(index_bits=4, short_lengths=1, pointer_base=half - first)
            places = [bench.random.randrange(8 * half // bench.geometry.scan_width) for _ in range(3 * half)]
            tokens = [*settings(step)[:3], *map(bench.activation, places), *settings(step)[3:]]
            writing = cocotb.start_soon(bench.write(list(range(first, first + half))))
            await bench.run(tokens)
            await writing
            await bench.run(bench.step(0, 50))


@cocotb.test()
async def shows_its_memory(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        unit = bench.unit
        await bench.run(bench.step(0, 3))
        for address in (0, 1, bench.geometry.pointer_words - 1):
            unit.peek.value, unit.peek_address.value = 1, address
            await cycles(dut, PEEK_LATENCY + 1)
            assert unit.peek_data.value == bench.words[address]
            await cycles(dut, 3)
            assert unit.peek_data.value == bench.words[address]
            unit.peek.value = 0
        await bench.run(bench.step(1, 20))


@cocotb.test()
async def forgets_on_reset(dut: HierarchyObject) -> None:
    for bench in await setup(dut):
        await drive(bench.unit, "i", bench.step(1, 0)[:1], layout=token_layout(bench.geometry))
        await cycles(dut, LATENCY)
        assert bench.unit.o__valid.value == 1
        dut.rst.value = 1
        await RisingEdge(dut.clk)
        dut.rst.value = 0
        await bench.run(bench.step(1, 20))
