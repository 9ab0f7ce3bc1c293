"""Bench of the lamps: what is seen on 1 to 4 LEDs in each state, over many blinks."""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from tests.hdl.streams import cycles, parameters, start

BLINK_CYCLES = 64
"""A whole turn of the shortest pace."""


async def watch(dut: HierarchyObject, **state: int) -> list[float]:
    """Share of the time that each LED is lit in a state that lasts."""
    for name in ("idle", "loading", "computing", "fault"):
        getattr(dut, name).value = state.get(name, 0)
    await cycles(dut, 2 * BLINK_CYCLES)
    count = len(dut.o)
    lit = [0] * count
    for _ in range(4 * BLINK_CYCLES):
        await RisingEdge(dut.clk)
        for number in range(count):
            lit[number] += int(dut.o.value) >> number & 1
    return [total / (4 * BLINK_CYCLES) for total in lit]


SEEN = {
    4: {"idle": [1, 0, 0, 0], "loading": [0, 1, 0, 0], "computing": [0, 0, 1, 0], "fault": [1, 0, 0, 1]},
    3: {"idle": [1, 0, 0], "loading": [0, 1, 0], "computing": [1, 1, 0], "fault": [0, 0, 1]},
    2: {"idle": [1, 0], "loading": [0.5, 0], "computing": [0.5, 0], "fault": [0, 1]},
    1: {"idle": [1], "loading": [0.5], "computing": [0.25], "fault": [0.25]},
}


@cocotb.test()
async def each_state_looks_as_documented(dut: HierarchyObject) -> None:
    await start(dut)
    for name, expected in SEEN[parameters()["count"]].items():
        assert await watch(dut, **{name: 1}) == expected, name


@cocotb.test()
async def a_short_run_is_seen(dut: HierarchyObject) -> None:
    await start(dut)
    await watch(dut, idle=1)
    quiet = int(dut.o.value)
    await RisingEdge(dut.clk)
    dut.computing.value = 1
    await RisingEdge(dut.clk)
    dut.computing.value = 0
    await cycles(dut, 3)
    if parameters()["count"] >= 3:
        assert int(dut.o.value) != quiet
    await cycles(dut, BLINK_CYCLES)
    assert await watch(dut, idle=1) == SEEN[parameters()["count"]]["idle"]
