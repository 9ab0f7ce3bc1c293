"""Bench of byte stuffing, against `golden.protocol`."""

import cocotb
from cocotb.handle import HierarchyObject

from golden.protocol import ESCAPE, ESCAPED, FLAG
from hdl.stuffing import stuffing_layout
from tests.hdl.streams import collect, drive, parameters, rng, start


@cocotb.test()
async def stuffs_what_is_not_raw(dut: HierarchyObject) -> None:
    generator, stall = rng(), parameters()["stall"]
    await start(dut)
    special = [FLAG, ESCAPE, FLAG ^ ESCAPED, ESCAPE ^ ESCAPED, 0x7C, 0x7F, 0x3E, 0xFE, 0]
    items = [{"data": byte, "raw": raw} for byte in special * 2 for raw in (0, 1)]
    items += [{"data": generator.randrange(256), "raw": generator.randrange(2)} for _ in range(200)]
    expected = []
    for item in items:
        if item["data"] in (FLAG, ESCAPE) and not item["raw"]:
            expected += [ESCAPE, item["data"] ^ ESCAPED]
        else:
            expected.append(item["data"])
    cocotb.start_soon(drive(dut, "i", items, stall=stall, rng=generator, layout=stuffing_layout()))
    assert await collect(dut, "o", len(expected), stall=stall, rng=generator) == expected
