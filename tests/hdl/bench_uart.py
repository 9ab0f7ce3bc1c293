"""Bench of the UART: a receiver and a transmitter, each against a serial line timed in Python."""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge, Timer

from tests.hdl.streams import collect, cycles, drive, parameters, rng, start

CLOCK_NS = 10


async def send(dut: HierarchyObject, data: list[int], bit_ns: float, stop: int = 1) -> None:
    """Bytes without a gap, edges where they fall, whatever the clock does."""
    bits = [bit for byte in data for bit in (0, *((byte >> i & 1) for i in range(8)), stop)]
    due = 0
    for position, bit in enumerate(bits, 1):
        dut.rx.value = bit
        wait = round(position * bit_ns * 1000) - due
        due += wait
        await Timer(wait, unit="ps")
    dut.rx.value = 1


async def count_errors(dut: HierarchyObject, found: list[int]) -> None:
    """Note the pulses of `error`."""
    while True:
        await RisingEdge(dut.clk)
        if dut.error.value == 1:
            found.append(1)


@cocotb.test()
async def receiver_follows_the_line(dut: HierarchyObject) -> None:
    """Whatever the phase of the line, as the lengths of a bit are no whole cycles."""
    given, generator = parameters(), rng()
    await start(dut, rx=1)
    errors: list[int] = []
    cocotb.start_soon(count_errors(dut, errors))
    for bit_cycles in given["bit_cycles"]:
        data = [0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80, *(generator.randrange(256) for _ in range(40))]
        await Timer(generator.randrange(1, 3 * CLOCK_NS * 1000), unit="ps")
        sending = cocotb.start_soon(send(dut, data, bit_cycles * CLOCK_NS))
        assert await collect(dut, "o", len(data), stall=0.1, rng=generator) == data, (
            f"{bit_cycles} cycles a bit"
        )
        await sending
    assert not errors


@cocotb.test()
async def receiver_ignores_a_spike(dut: HierarchyObject) -> None:
    divisor = parameters()["divisor"]
    await start(dut, rx=1)
    await cycles(dut, 5)
    dut.rx.value = 0
    await cycles(dut, max(1, divisor // 2 - 1))
    dut.rx.value = 1
    errors: list[int] = []
    cocotb.start_soon(count_errors(dut, errors))
    await cycles(dut, 3 * divisor)
    cocotb.start_soon(send(dut, [0x5A], divisor * CLOCK_NS))
    assert await collect(dut, "o", 1) == [0x5A]
    await cycles(dut, 20 * divisor)
    assert not errors
    assert dut.o__valid.value == 0


@cocotb.test()
async def receiver_reports_lost_bytes(dut: HierarchyObject) -> None:
    divisor = parameters()["divisor"]
    await start(dut, rx=1)
    errors: list[int] = []
    cocotb.start_soon(count_errors(dut, errors))
    await send(dut, [0x12], divisor * CLOCK_NS, stop=0)
    await cycles(dut, 5 * divisor)
    assert len(errors) == 1, "a byte without stop bit"
    assert dut.o__valid.value == 0
    dut.rx.value = 0
    await cycles(dut, 25 * divisor)
    dut.rx.value = 1
    await cycles(dut, 5 * divisor)
    assert len(errors) == 2, "a line that stays low is one error"
    await send(dut, [0x34, 0x56, 0x78], divisor * CLOCK_NS)
    await cycles(dut, 5)
    assert len(errors) == 4, "bytes that nobody took"
    assert await collect(dut, "o", 1) == [0x34]
    cocotb.start_soon(send(dut, [0x9A], divisor * CLOCK_NS))
    assert await collect(dut, "o", 1) == [0x9A]


async def line_levels(dut: HierarchyObject, count: int) -> list[int]:
    """Level of the line in each cycle, from the first start bit."""
    levels: list[int] = []
    while len(levels) < count:
        await RisingEdge(dut.clk)
        if levels or dut.tx.value == 0:
            levels.append(int(dut.tx.value))
    return levels


@cocotb.test()
async def transmitter_sends_without_gaps(dut: HierarchyObject) -> None:
    divisor, generator = parameters()["divisor"], rng()
    data = [0x00, 0xFF, 0x55, *(generator.randrange(256) for _ in range(10))]
    await start(dut)
    await cycles(dut, 3)
    assert dut.tx.value == 1
    cocotb.start_soon(drive(dut, "i", data))
    bits = [bit for byte in data for bit in (0, *((byte >> i & 1) for i in range(8)), 1)]
    levels = [bit for bit in bits for _ in range(divisor)] + [1] * 3 * divisor
    assert await line_levels(dut, len(levels)) == levels


@cocotb.test()
async def transmitter_sends_with_pauses(dut: HierarchyObject) -> None:
    divisor, generator = parameters()["divisor"], rng()
    data = [generator.randrange(256) for _ in range(8)]
    await start(dut)
    cocotb.start_soon(drive(dut, "i", data, stall=0.98, rng=generator))
    for byte in data:
        levels = await line_levels(dut, 9 * divisor + divisor // 2 + 1)
        bits = levels[divisor // 2 :: divisor]
        assert bits == [0, *((byte >> i & 1) for i in range(8)), 1]
