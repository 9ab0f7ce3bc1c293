"""Bench of the link's processor: what a program gives to its ports, with waits at every instruction."""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import FallingEdge

from hdl.assembler import Input
from hdl.processor import WAITS
from tests.hdl.processor_model import ProcessorModel
from tests.hdl.streams import parameters, rng, start

RX_ADDRESS = 0x3F


@cocotb.test()
async def does_what_the_model_does(dut: HierarchyObject) -> None:
    given, generator = parameters(), rng()
    conditions = given["conditions"]
    mask = generator.randrange(2)

    def inputs(operand: int) -> int:
        if operand & Input.RX:
            return 0 if mask else model.variables[RX_ADDRESS]
        return (operand * 37 + 11) & 0xFF

    model = ProcessorModel(given["program"], given["variables"], inputs, conditions)
    await start(dut, last=conditions[4], wrong=conditions[5], busy=conditions[6], rx_mask=mask)
    dut.rx_address.value = RX_ADDRESS
    dut.arrival_address.value = 0xFF
    found: list[tuple[int, int]] = []
    expected = list(model.run(given["instructions"]))
    arrived = 0
    for _ in range(40 * given["instructions"]):
        await FallingEdge(dut.clk)
        dut.ready.value = 15 if generator.random() >= given["stall"] else generator.randrange(1 << WAITS.size)
        operand = int(dut.operand.value)
        dut.given.value = inputs(operand) if not operand & Input.RX else 0
        dut.arrival.value = generator.randrange(2)
        dut.arrival_data.value = 0x5A
        await cocotb.triggers.ReadOnly()
        arrived += int(dut.arrived.value)
        if dut.goes.value == 1 and dut.with_port.value == 1:
            port = int(dut.port.value)
            await FallingEdge(dut.clk)
            dut.arrival.value = 0
            found.append((port, int(dut.value.value)))
        if len(found) == len(expected):
            break
    assert found == expected
    assert arrived > 0
