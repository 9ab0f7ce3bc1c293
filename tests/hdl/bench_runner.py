"""Cocotb tests, good and bad, for the test of the runner."""

import cocotb
from amaranth.lib import data

from tests.hdl.streams import collect, cycles, drive, parameters, rng, start

ITEM = data.StructLayout({"a": 3, "b": 13})


async def _transfer(dut, wanted):
    await start(dut)
    random = rng()
    items = [{"a": random.randrange(8), "b": random.randrange(1 << 13)} for _ in range(parameters()["count"])]
    cocotb.start_soon(drive(dut, "i", items, stall=0.3, rng=random, layout=ITEM))
    return items, await collect(dut, "o", wanted, stall=0.3, rng=random, layout=ITEM)


@cocotb.test()
async def passes_items(dut):
    items, taken = await _transfer(dut, parameters()["count"])
    assert taken == items


@cocotb.test()
async def compares_wrongly(dut):
    items, taken = await _transfer(dut, parameters()["count"])
    assert taken == items[::-1]


@cocotb.test()
async def hangs(dut):
    await _transfer(dut, 30)


@cocotb.test()
async def runs_for_ever(dut):
    await start(dut)
    while True:
        await cycles(dut, 1000)
