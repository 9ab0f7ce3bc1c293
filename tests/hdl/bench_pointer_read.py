"""Bench of pointer read: tokens of whole steps in, golden's columns out."""

import random
from typing import Any

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden.geometry import Geometry
from golden.pointers import group_columns, longest, unpack
from golden.steps import Step, Token
from hdl.layouts import column_layout, queue_layout, token_layout
from tests.hdl.side_by_side import Part, stalls, watch
from tests.hdl.streams import collect, cycles, drive, pack, parameters, rng, start

LATENCY = 5
PEEK_LATENCY = 3


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
            self.words[address] = self.random.getrandbits(self.geometry.pointer_bits)
            for field in range(8):
                if self.random.random() < 0.3:
                    self.words[address] &= ~(0xF << 4 * field)
            if self.random.random() < 0.2:
                self.words[address] &= ~0xFFFFFFFF
            unit.write_enable.value = 1
            unit.write_address.value = address
            unit.write_data.value = self.words[address]
            await RisingEdge(unit.clk)
        unit.write_enable.value = 0
        unit.write_address.value = self.random.randrange(self.geometry.pointer_words)
        unit.write_data.value = self.random.getrandbits(self.geometry.pointer_bits)

    def step(self, short: int, columns: int) -> list[dict[str, int]]:
        """Tokens of a step with that many columns, at random places."""
        base = self.random.randrange(self.geometry.pointer_words)
        step = Step(index_bits=4, short_lengths=short, pointer_base=base, drain_rows=self.random.randrange(9))
        words = [{"kind": i + 1, "payload": word} for i, word in enumerate(step.encode()[:5])]
        reach = (self.geometry.pointer_words - base) * group_columns(short)
        names = [self.random.randrange(min(reach, 1 << 16)) for _ in range(columns)]
        activations = [{"kind": 0, "payload": self.random.getrandbits(16) | column << 16} for column in names]
        return [*words[:3], *activations, *words[3:]]

    def expected(self, tokens: list[dict[str, int]]) -> list[dict[str, int]]:
        """Queue items of the tokens."""
        layout = column_layout(self.geometry)
        items, short, base = [], 0, 0
        for token in tokens:
            kind, payload = token["kind"], token["payload"]
            settings = Step.decode([payload] * 5)
            if kind == Token.LAYER:
                short = settings.short_lengths
            if kind == Token.POINTERS:
                base = settings.pointer_base
            if kind == Token.ACTIVATION:
                column = payload >> 16
                group, place = divmod(column, group_columns(short))
                starts, lengths = unpack(np.array([self.words[base + group]]), short)
                first = int(starts[place]) % (1 << self.geometry.entry_address_bits)
                length = int(lengths[place])
                assert length <= longest(short)
                if length or self.geometry.paper:
                    column = {"activation": payload & 0xFFFF, "length": length, "start": first}
                    items.append({"kind": kind, "item": pack(layout, column)})
            elif kind not in (Token.SCAN, Token.POINTERS):
                items.append({"kind": kind, "item": payload})
        return items

    async def run(self, tokens: list[dict[str, int]], stall_in: float = 0.0, stall_out: float = 0.0) -> None:
        """Send tokens and compare what comes."""
        expected = self.expected(tokens)
        driving = cocotb.start_soon(
            drive(self.unit, "i", tokens, stall=stall_in, rng=self.random, layout=token_layout())
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
            step = Step(index_bits=4, short_lengths=1, pointer_base=half - first).encode()
            words = [{"kind": i + 1, "payload": word} for i, word in enumerate(step[:5])]
            names = [bench.random.randrange(8 * half) for _ in range(3 * half)]
            columns = [{"kind": 0, "payload": 7 | column << 16} for column in names]
            tokens = [*words[:3], *columns, *words[3:]]
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
        await drive(bench.unit, "i", bench.step(1, 0)[:1], layout=token_layout())
        await cycles(dut, LATENCY)
        assert bench.unit.o__valid.value == 1
        dut.rst.value = 1
        await RisingEdge(dut.clk)
        dut.rst.value = 0
        await bench.run(bench.step(1, 20))
