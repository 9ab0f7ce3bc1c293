"""Bench of the products of dense lanes: every weight with every activation, beside random partners."""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden.dense import PRODUCT_CYCLES
from tests.hdl.side_by_side import Part
from tests.hdl.streams import parameters, rng, start

EDGES = (-128, -127, -1, 0, 1, 127)


def triples(random) -> list[tuple[int, int, int]]:
    """Two weights and an activation: all pairs in each place, and the edges of all three."""
    every = range(-128, 128)
    found = [(a, b, c) for a in EDGES for b in EDGES for c in EDGES]
    for weight in every:
        for activation in every:
            partner = random.choice((random.randrange(-128, 128), *EDGES))
            first = random.random() < 0.5
            found.append((weight, partner, activation) if first else (partner, weight, activation))
    random.shuffle(found)
    return found


@cocotb.test()
async def multiplies(dut: HierarchyObject) -> None:
    random = rng()
    await start(dut)
    parts = {kind: Part(dut, kind) for kind in parameters()["kinds"]}
    items = triples(random)
    longest = max(PRODUCT_CYCLES.values())
    for cycle in range(len(items) + longest):
        first, second, activation = items[min(cycle, len(items) - 1)]
        for unit in parts.values():
            unit.weight__0.value, unit.weight__1.value = first & 0xFF, second & 0xFF
            unit.activation.value = activation & 0xFF
        await RisingEdge(dut.clk)
        for kind, unit in parts.items():
            done = cycle - PRODUCT_CYCLES[kind]
            if 0 <= done < len(items):
                first, second, activation = items[done]
                found = (unit.o__0.value.to_signed(), unit.o__1.value.to_signed())
                assert found == (first * activation, second * activation), (kind, items[done])
