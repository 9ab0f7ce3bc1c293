"""Bench of the large memory: written and read at random, beside a list."""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from tests.hdl.side_by_side import Part
from tests.hdl.streams import parameters, rng, start


@cocotb.test()
async def follows_a_list(dut: HierarchyObject) -> None:
    """A read that a write takes the port from leaves the word that was read before."""
    random = rng()
    await start(dut)
    for name, (width, depth) in parameters()["shapes"].items():
        unit = Part(dut, name)
        words: list[int | None] = [None] * depth
        shown: int | None = None
        waited = 0
        for cycle in range(4 * depth):
            address = cycle if cycle < depth else random.randrange(depth)
            write, read = cycle < depth or random.random() < 0.3, random.random() < 0.7
            asked = random.choice([place for place in (address - 1, address + 1, 0) if 0 <= place < depth])
            asked = asked if asked != address else (address + 1) % depth
            word = random.getrandbits(width)
            unit.write_enable.value, unit.write_address.value, unit.write_data.value = write, address, word
            unit.read_enable.value, unit.read_address.value = read, asked
            await RisingEdge(unit.clk)
            assert unit.free.value == (not (write and parameters()["single_port"]))
            assert shown is None or unit.read_data.value == shown
            waited += read and unit.free.value == 0
            if read and unit.free.value == 1:
                shown = words[asked]
            if write:
                words[address] = word
        assert (waited > 0) == parameters()["single_port"]
        unit.write_enable.value = unit.read_enable.value = 0
