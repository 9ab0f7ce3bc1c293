"""Bench of the memories that are emitted for simulation."""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from tests.hdl.side_by_side import Part
from tests.hdl.streams import cycles, rng, start


@cocotb.test()
async def collides_where_marked(dut: HierarchyObject) -> None:
    await start(dut)
    random = rng()
    for name, marked in (("marked", True), ("plain", False)):
        unit = Part(dut, name)
        for address in range(4):
            unit.address.value = address
            old = 0
            for value in (random.getrandbits(8) for _ in range(5)):
                unit.write.value, unit.i.value = 1, value
                await RisingEdge(dut.clk)
                unit.write.value = 0
                await RisingEdge(dut.clk)
                if old:
                    assert unit.o.value == (old ^ 0xFF if marked else old), "as it was being written"
                await RisingEdge(dut.clk)
                assert unit.o.value == value, "once it was written"
                old = value
            await cycles(dut, 1)
