"""Bench of the arithmetic unit: every operation beside golden's sums modulo 2**A."""

import random
from collections.abc import Sequence
from typing import NamedTuple

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden.fixed_point import INT16_MAX, INT16_MIN, wrap
from golden.geometry import Geometry
from golden.latencies import latencies
from hdl.arithmetic import FIRST_SHIFT, Operation
from hdl.layouts import operation_layout
from tests.hdl.side_by_side import Part
from tests.hdl.streams import cycles, pack, parameters, rng, start, unpack


class Item(NamedTuple):
    """One cycle's operation."""

    kind: Operation
    row: int
    weight: int = 0
    activation: int = 0
    immediate: int = 0


class Outcome(NamedTuple):
    """What the unit shows in one cycle."""

    drained: bool
    end: bool
    row: int
    sum: int


def outcomes(items: Sequence[Item | None], bits: int, sums: dict[int, int]) -> list[Outcome | None]:
    """What comes of each operation; `sums` is brought up to date."""
    found: list[Outcome | None] = []
    for item in items:
        outcome = None
        if item is not None:
            match item.kind:
                case Operation.MULTIPLY:
                    product = item.weight * item.activation
                    sums[item.row] = int(wrap(sums[item.row] + product, bits))
                case Operation.SET:
                    sums[item.row] = item.immediate
                case Operation.DRAIN:
                    total = int(wrap(sums[item.row] + item.immediate, bits))
                    outcome = Outcome(True, False, item.row, total)
                    sums[item.row] = 0
                case Operation.END:
                    outcome = Outcome(False, True, 0, 0)
        found.append(outcome)
    return found


async def feed(unit: Part, geometry: Geometry, items: Sequence[Item | None], sums: dict[int, int]) -> None:
    """One operation (or none) a cycle; all outputs are looked at in every cycle.

    Weight and activation go a cycle ahead. Without output registers they do not, nothing follows a DRAIN at
    once, and an immediate comes a cycle late.
    """
    if not geometry.output_registers:
        items = [part for item in items for part in ([item, None] if drains(item) else [item])]
    layout = operation_layout(geometry)
    bits = geometry.accumulator_bits
    latency = latencies(geometry).arithmetic
    late = not geometry.output_registers
    noise = random.Random(len(items))
    coarse = noise.getrandbits(1)
    unit.coarse.value = coarse
    mask = (1 << bits) - 1
    expected = [None] * latency + outcomes(items, bits, sums)
    immediate = 0
    if not late:
        items, expected = [None, *items], [None, *expected]
    for cycle, outcome in enumerate(expected):
        item = items[cycle] if cycle < len(items) else None
        factors = item if late else items[cycle + 1] if cycle + 1 < len(items) else None
        unit.i_valid.value = int(item is not None)
        fields = unpack(layout, noise.getrandbits(layout.size))
        before, immediate = immediate, fields["immediate"]
        if item is not None:
            fields |= {"kind": int(item.kind), "row": item.row}
            immediate = item.immediate & mask
        if factors is not None:
            fields |= {"weight": factors.weight & 0xFFFF, "activation": factors.activation & 0xFFFF}
        unit.i.value = pack(layout, fields | {"immediate": before if late else immediate})
        await RisingEdge(unit.clk)
        shown = Outcome(False, False, 0, 0) if outcome is None else outcome
        assert (unit.drained.value, unit.end.value) == (shown.drained, shown.end), f"cycle {cycle}"
        if shown.drained:
            shift = FIRST_SHIFT * (coarse and late)
            half = ((shown.sum << 1) >> shift) & 1
            found = (int(unit.row.value), int(unit.sum.value), int(unit.half.value))
            assert found == (shown.row, (shown.sum >> shift) & mask, half), (
                f"cycle {cycle}: {items[max(0, cycle - 8) : cycle + 1 - latency]}"
            )
    unit.i_valid.value = 0


def drains(item: Item | None) -> bool:
    """Whether this is a DRAIN."""
    return item is not None and item.kind is Operation.DRAIN


def setup(dut: HierarchyObject) -> list[tuple[Part, Geometry, dict[int, int]]]:
    """Units, their geometries, and what their accumulators hold (nothing known)."""
    variants = parameters()["variants"]
    return [(Part(dut, name), Geometry(**variant), {}) for name, variant in variants.items()]


async def clear(unit: Part, geometry: Geometry, sums: dict[int, int]) -> None:
    """Set every accumulator, at the beginning when it may hold anything."""
    sums.update(dict.fromkeys(range(geometry.accumulators), 0))
    await feed(unit, geometry, [Item(Operation.SET, row) for row in sums], sums)


def extreme(random: random.Random) -> int:
    """An int16, often at an end of the range."""
    return random.choice((INT16_MIN, INT16_MAX, -1, 0, 1, random.randint(INT16_MIN, INT16_MAX)))


@cocotb.test()
async def follows_every_operation(dut: HierarchyObject) -> None:
    random = rng()
    await start(dut)
    for unit, geometry, sums in setup(dut):
        await clear(unit, geometry, sums)
        half = 1 << (geometry.accumulator_bits - 1)
        for rows in (1, 2, 3, 5, geometry.accumulators):
            for idle in (0.0, 0.4):
                items: list[Item | None] = []
                for _ in range(250):
                    row = random.randrange(min(rows, geometry.accumulators))
                    kind = random.choices(list(Operation), (12, 4, 2, 1, 1))[0]
                    immediate = random.choice((-half, half - 1, random.randrange(-half, half)))
                    item = Item(kind, row, extreme(random), extreme(random), immediate)
                    items.append(None if random.random() < idle else item)
                items += [Item(Operation.DRAIN, row) for row in range(geometry.accumulators)]
                await feed(unit, geometry, items, sums)


@cocotb.test()
async def finds_a_sum_at_any_distance(dut: HierarchyObject) -> None:
    await start(dut)
    for unit, geometry, sums in setup(dut):
        await clear(unit, geometry, sums)
        other = geometry.accumulators - 1
        for first in (Operation.SET, Operation.MULTIPLY, Operation.DRAIN):
            for between in (None, Item(Operation.MULTIPLY, other, 3, 5), Item(Operation.READ, 0)):
                for distance in (1, 2, 3, 4, 5):
                    items = [
                        Item(Operation.SET, 0, 0, 0, -77),
                        *[None] * 6,
                        Item(first, 0, -11, 13, 1000),
                        *[between] * (distance - 1),
                        Item(Operation.MULTIPLY, 0, 17, 19),
                        Item(Operation.END, 0),
                        Item(Operation.DRAIN, 0),
                        *[None] * (distance - 1),
                        Item(Operation.DRAIN, 0, 0, 0, 9),
                    ]
                    await feed(unit, geometry, items, sums)


@cocotb.test()
async def shows_an_accumulator(dut: HierarchyObject) -> None:
    random = rng()
    await start(dut)
    for unit, geometry, sums in setup(dut):
        mask = (1 << geometry.accumulator_bits) - 1
        peek_latency = 2 if geometry.output_registers else 1
        for distance in (2, 3, 4, 5):
            for row in (0, 1, geometry.accumulators - 1):
                value = random.getrandbits(geometry.accumulator_bits - 1)
                items = [
                    Item(Operation.SET, 1 - row % 2),
                    Item(Operation.SET, row, 0, 0, value),
                    *[None] * (distance - 1),
                    Item(Operation.READ, row),
                ]
                feeding = cocotb.start_soon(feed(unit, geometry, items, sums | {1 - row % 2: 0}))
                await cycles(dut, len(items) + peek_latency + int(geometry.output_registers))
                assert unit.peek_data.value == value & mask
                await feeding
                await feed(unit, geometry, [Item(Operation.DRAIN, row)], {row: value})
