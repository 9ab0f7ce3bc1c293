"""Bench of a board's top level around a device that echoes: reset, serial line, active-low LEDs."""

import cocotb
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from tests.hdl.streams import cycles, parameters, rng

SYNCHRONISER = 2
OUTPUT_REGISTER = 1


@cocotb.test()
async def the_device_is_reset_and_then_heard(dut: HierarchyObject) -> None:
    given, random = parameters(), rng()
    stages = SYNCHRONISER + given["stages"] + OUTPUT_REGISTER
    dut.rx.value = 1
    Clock(dut.clk, 10, unit="ns").start()
    await cycles(dut, given["reset_cycles"] - 2)
    dut.rx.value = 0
    await cycles(dut, 1)
    assert dut.tx.value == 1, "the line is high while the device is held"
    dut.rx.value = 1
    await cycles(dut, stages + 20)
    assert dut.high_0.value == 1

    sent = [random.randrange(2) for _ in range(300)]
    heard = []
    for bit in sent + [1] * (stages + 1):
        dut.rx.value = bit
        await RisingEdge(dut.clk)
        heard.append(int(dut.tx.value))
    assert heard[stages : stages + 300] == sent or heard[stages + 1 : stages + 301] == sent


@cocotb.test()
async def an_inverted_lamp_is_dark_on_one(dut: HierarchyObject) -> None:
    given = parameters()
    dut.rx.value = 1
    Clock(dut.clk, 10, unit="ns").start()
    await cycles(dut, given["reset_cycles"] + 100)
    idle = [int(getattr(dut, f"led_{number}").value) for number in range(2)]
    assert idle == [1 ^ given["inverted"][0], 0 ^ given["inverted"][1]]
