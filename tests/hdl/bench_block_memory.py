"""Bench of block memory: words, enables and holds at random beside a model of two registers."""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from tests.hdl.side_by_side import Part
from tests.hdl.streams import parameters, rng, start


@cocotb.test()
async def follows_reads_and_writes(dut: HierarchyObject) -> None:
    random = rng()
    await start(dut)
    for name, size in parameters()["sizes"].items():
        unit = Part(dut, name)
        words, bits, registered = size["words"], size["bits"], size["output_register"]
        lanes = size.get("lanes", 1)
        lane_bits = bits // lanes
        every = (1 << lanes) - 1
        unit.read_enable.value = 0
        contents: dict[int, int] = {}
        for address in range(words):
            contents[address] = random.getrandbits(bits)
            unit.write_enable.value = every
            unit.write_address.value, unit.write_data.value = address, contents[address]
            await RisingEdge(dut.clk)
        found = held = None
        for cycle in range(1500):
            write, look, hold = (random.random() < share for share in (0.3, 0.7, 0.4))
            target, wanted = random.randrange(words), random.randrange(words)
            if write and look and target == wanted:
                wanted = (target + 1) % words
            value = random.getrandbits(bits)
            written = random.randint(1, every) if write else 0
            unit.write_enable.value, unit.write_address.value = written, target
            unit.write_data.value = value
            unit.read_enable.value, unit.read_address.value = int(look), wanted
            if registered:
                unit.hold.value = int(hold)
            await RisingEdge(dut.clk)
            expected = held if registered else found
            if expected is not None:
                assert unit.read_data.value == expected, (name, cycle)
            held = held if hold else found
            found = contents[wanted] if look else found
            for lane in range(lanes):
                if written >> lane & 1:
                    mask = (1 << lane_bits) - 1 << lane * lane_bits
                    contents[target] = contents[target] & ~mask | value & mask
