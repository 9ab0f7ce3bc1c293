"""Bench of requantisation: every shift, with and without ReLU, beside golden."""

import random

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden.fixed_point import INT16_MAX, INT16_MIN, MAX_SHIFT, requantise
from golden.geometry import Geometry
from golden.latencies import latencies
from hdl.arithmetic import FIRST_SHIFT
from tests.hdl.side_by_side import Part
from tests.hdl.streams import parameters, rng, start


def interesting_sums(random: random.Random, bits: int, shift: int) -> list[int]:
    """Sums about the ends of int16, about ties, at the ends of the accumulator, and any."""
    half = 1 << (bits - 1)
    tie = (1 << shift) >> 1
    near = [(limit << shift) + tie * side + off for limit in (INT16_MIN, INT16_MAX) for side in (-1, 1)
            for off in (-1, 0, 1)]  # fmt: skip
    small = [(random.randrange(-5, 5) << shift) + tie + off for off in (-1, 0, 1)]
    anything = [random.randrange(-half, half) >> random.randrange(bits) for _ in range(6)]
    found = [-half, half - 1, 0, -1, 1, *near, *small, *anything]
    return [value for value in found if -half <= value < half]


async def feed(unit: Part, geometry: Geometry, shift: int, relu: int, random: random.Random) -> int:
    """Drain rows through the unit, some cycles without one; returns how many saturated."""
    bits, latency = geometry.accumulator_bits, latencies(geometry).requantise
    mask = (1 << bits) - 1
    unit.shift.value, unit.relu.value = shift, relu
    before = 0 if geometry.output_registers else shift & FIRST_SHIFT
    rows: list[tuple[int, int] | None] = []
    for value in interesting_sums(random, bits, shift):
        rows += [None] * (random.random() < 0.2) + [(random.randrange(256), value)]
    end = len(rows)
    saturated = 0
    for cycle in range(end + latency + 2):
        row = rows[cycle] if cycle < end else None
        unit.i_valid.value = int(row is not None)
        unit.i_end.value = int(cycle == end)
        unit.i_row.value, unit.i_sum.value, unit.i_half.value = (
            (row[0], (row[1] >> before) & mask, ((row[1] << 1) >> before) & 1)
            if row
            else (random.getrandbits(8), random.getrandbits(bits), random.getrandbits(1))
        )
        await RisingEdge(unit.clk)
        done = cycle - latency
        row = rows[done] if 0 <= done < end else None
        assert unit.o_valid.value == (row is not None)
        assert unit.o_end.value == (done == end)
        if row is None:
            assert unit.saturated.value == 0
        else:
            expected, clipped = requantise(row[1], shift, bool(relu))
            found = (int(unit.o_row.value), unit.o.value.to_signed(), int(unit.saturated.value))
            assert found == (row[0], int(expected), clipped), f"{row[1]} >> {shift}, ReLU {relu}"
            saturated += clipped
    return saturated


@cocotb.test()
async def follows_golden(dut: HierarchyObject) -> None:
    random = rng()
    await start(dut)
    for name, variant in parameters()["variants"].items():
        geometry = Geometry(**variant)
        for relu in (0, 1):
            saturated = 0
            for shift in range(MAX_SHIFT + 1):
                saturated += await feed(Part(dut, name), geometry, shift, relu, random)
            assert saturated > 20
