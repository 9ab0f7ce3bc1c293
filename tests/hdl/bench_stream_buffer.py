"""Bench of the stream buffer."""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import ReadOnly, RisingEdge

from tests.hdl.side_by_side import stalls, watch
from tests.hdl.streams import collect, cycles, drive, parameters, rng, start


@cocotb.test()
async def keeps_the_order(dut: HierarchyObject) -> None:
    random = rng()
    await start(dut)
    for stall_in, stall_out in stalls():
        items = [random.getrandbits(16) for _ in range(150)]
        cocotb.start_soon(drive(dut, "i", items, stall=stall_in, rng=random))
        assert await collect(dut, "o", len(items), stall=stall_out, rng=random) == items
    await cycles(dut, 5)
    assert dut.o__valid.value == 0


@cocotb.test()
async def takes_one_cycle(dut: HierarchyObject) -> None:
    await start(dut)
    entered: list[int] = []
    left: list[int] = []
    cocotb.start_soon(watch(dut, "i", entered))
    cocotb.start_soon(watch(dut, "o", left))
    cocotb.start_soon(drive(dut, "i", range(20)))
    await collect(dut, "o", 20)
    await cycles(dut, 1)
    assert entered == list(range(entered[0], entered[0] + 20)), "one payload per cycle"
    assert left == [cycle + 1 for cycle in entered]


@cocotb.test()
async def holds_its_entries(dut: HierarchyObject) -> None:
    """With two `ready` comes from a flip-flop, with one it is that of the output."""
    entries = parameters()["entries"]
    await start(dut)
    entered: list[int] = []
    cocotb.start_soon(watch(dut, "i", entered))
    cocotb.start_soon(drive(dut, "i", range(10, 20)))
    await cycles(dut, 8)
    assert len(entered) == entries
    for level in (1, 0):
        dut.o__ready.value = level
        await ReadOnly()
        assert dut.i__ready.value == (level if entries == 1 else 1 - level)
        await RisingEdge(dut.clk)
    assert await collect(dut, "o", 9) == list(range(11, 20))


@cocotb.test()
async def says_what_comes(dut: HierarchyObject) -> None:
    """Whenever it is open its payload becomes what it said, whether that is valid or not."""
    random = rng()
    await start(dut)
    cocotb.start_soon(drive(dut, "i", [random.getrandbits(16) for _ in range(200)], stall=0.3, rng=random))
    cocotb.start_soon(collect(dut, "o", 200, stall=0.3, rng=random))
    coming, opened, changes = None, 0, 0
    for _ in range(300):
        await RisingEdge(dut.clk)
        payload = int(dut.o__payload.value)
        if coming is not None:
            assert payload == coming
        opened = int(dut.open.value)
        assert opened == int(dut.o__ready.value or not dut.o__valid.value)
        coming = int(dut.coming.value) if opened else payload
        changes += opened
    assert 0 < changes < 300


@cocotb.test()
async def forgets_on_reset(dut: HierarchyObject) -> None:
    await start(dut)
    await drive(dut, "i", [1, 2][: parameters()["entries"]])
    await cycles(dut, 2)
    assert dut.o__valid.value == 1 and dut.i__ready.value == 0
    dut.rst.value = 1
    await RisingEdge(dut.clk)
    dut.rst.value = 0
    cocotb.start_soon(drive(dut, "i", [3]))
    assert await collect(dut, "o", 1) == [3]
