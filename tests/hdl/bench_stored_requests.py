"""Bench of memory in a flash's place: bytes as the loader takes them, as fast as it does and slower."""

import cocotb
from cocotb.handle import HierarchyObject

from tests.hdl.streams import cycles, parameters, rng, start

BETWEEN_BYTES = 1
"""Cycles that the loader's clock rests at least."""


@cocotb.test()
async def gives_its_bytes_in_order(dut: HierarchyObject) -> None:
    content, random, slow = bytes.fromhex(parameters()["content"]), rng(), parameters()["slow"]

    async def byte() -> int:
        value = 0
        for _ in range(8):
            dut.flash__clock.value = 0
            await cycles(dut, 1 + (random.randrange(4) if slow else 0))
            dut.flash__clock.value = 1
            await cycles(dut, 1)
            value = value << 1 | int(dut.flash__data.value)
        dut.flash__clock.value = 0
        await cycles(dut, BETWEEN_BYTES + (random.randrange(30) if slow else 0))
        return value

    await start(dut)
    for count in (5, len(content)):
        dut.flash__select.value = 1
        for _ in range(4):
            dut.flash__command.value = random.randrange(2)
            await byte()
        assert bytes([await byte() for _ in range(count)]) == content[:count]
        dut.flash__select.value = 0
        await cycles(dut, 3)
