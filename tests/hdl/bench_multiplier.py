"""Bench of the multiplier: a product in every cycle, two cycles behind its factors."""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from tests.hdl.streams import rng, start

EDGES = (-(1 << 17), -(1 << 15), -1, 0, 1, (1 << 15) - 1, (1 << 17) - 1)


@cocotb.test()
async def multiplies(dut: HierarchyObject) -> None:
    random = rng()
    await start(dut)
    factors = [(a, b) for a in EDGES for b in EDGES]
    factors += [(random.choice(EDGES), random.randrange(-(1 << 17), 1 << 17)) for _ in range(300)]
    factors += [
        (random.randrange(-(1 << 15), 1 << 15), random.randrange(-(1 << 15), 1 << 15)) for _ in range(300)
    ]
    for cycle, (a, b) in enumerate(factors):
        dut.a.value, dut.b.value = a & 0x3FFFF, b & 0x3FFFF
        await RisingEdge(dut.clk)
        if cycle >= 2:
            x, y = factors[cycle - 2]
            assert dut.o.value.to_signed() == x * y, (x, y)
