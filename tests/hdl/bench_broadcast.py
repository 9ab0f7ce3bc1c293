"""Bench of the trees between control and PEs."""

from functools import reduce
from operator import and_, or_

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden.geometry import Geometry
from hdl.broadcast import FAN_OUT, levels
from hdl.layouts import token_layout
from tests.hdl.side_by_side import Part, watch
from tests.hdl.streams import collect, cycles, drive, parameters, rng, start


def geometry(pes: int) -> Geometry:
    """Geometry of the tree of that size: odd ones carry pairs."""
    return Geometry(pes=pes, scan_width=1 + pes % 2)


@cocotb.test()
async def reaches_every_pe_once(dut: HierarchyObject) -> None:
    random = rng()
    await start(dut)
    for pes in parameters()["sizes"]:
        tree = Part(dut, f"broadcast{pes}")
        layout = token_layout(geometry(pes))
        for stall_in, slow in ((0.0, (0.0,)), (0.5, (0.0,)), (0.0, (0.6,)), (0.1, (0.0, 0.8, 0.3))):
            tokens = [random.getrandbits(layout.size) for _ in range(50)]
            driving = cocotb.start_soon(drive(tree, "i", tokens, stall=stall_in, rng=random))
            tasks = [
                cocotb.start_soon(
                    collect(tree, f"o__{pe}", len(tokens), stall=slow[pe % len(slow)], rng=random)
                )
                for pe in range(pes)
            ]
            for task in tasks:
                assert await task == tokens
            await driving
        await cycles(dut, 8)
        assert all(getattr(tree, f"o__{pe}__valid").value == 0 for pe in range(pes))


@cocotb.test()
async def takes_a_cycle_a_level(dut: HierarchyObject) -> None:
    await start(dut)
    for pes in parameters()["sizes"]:
        tree = Part(dut, f"broadcast{pes}")
        logs: list[list[int]] = [[] for _ in range(pes + 1)]
        cocotb.start_soon(watch(tree, "i", logs[pes]))
        for pe in range(pes):
            cocotb.start_soon(watch(tree, f"o__{pe}", logs[pe]))
        cocotb.start_soon(drive(tree, "i", range(20)))
        tasks = [cocotb.start_soon(collect(tree, f"o__{pe}", 20)) for pe in range(pes)]
        for task in tasks:
            await task
        await cycles(dut, 1)
        *leaves, entered = logs
        assert entered == list(range(entered[0], entered[0] + 20))
        assert all(leaf == [cycle + levels(pes, FAN_OUT) for cycle in entered] for leaf in leaves)


@cocotb.test()
async def serves_the_others_while_one_waits(dut: HierarchyObject) -> None:
    await start(dut)
    for pes in parameters()["sizes"]:
        tree = Part(dut, f"broadcast{pes}")
        driving = cocotb.start_soon(drive(tree, "i", range(100, 110)))
        others = [cocotb.start_soon(collect(tree, f"o__{pe}", 1)) for pe in range(1, pes)]
        for task in others:
            assert await task == [100]
        assert (
            await collect(tree, "o__0", 10 if pes == 1 else 1)
            == list(range(100, 110))[: 10 if pes == 1 else 1]
        )
        if pes > 1:
            tasks = [cocotb.start_soon(collect(tree, f"o__{pe}", 9)) for pe in range(pes)]
            for task in tasks:
                assert await task == list(range(101, 110))
        await driving


@cocotb.test()
async def forgets_on_reset(dut: HierarchyObject) -> None:
    await start(dut)
    for pes in parameters()["sizes"]:
        tree = Part(dut, f"broadcast{pes}")
        await drive(tree, "i", [1, 2])
        getattr(tree, f"o__{pes - 1}__ready").value = 1
        await cycles(dut, 6)
        getattr(tree, f"o__{pes - 1}__ready").value = 0
        dut.rst.value = 1
        await RisingEdge(dut.clk)
        dut.rst.value = 0
        cocotb.start_soon(drive(tree, "i", [3]))
        tasks = [cocotb.start_soon(collect(tree, f"o__{pe}", 1)) for pe in range(pes)]
        for task in tasks:
            assert await task == [3]


@cocotb.test()
async def spreads_and_gathers(dut: HierarchyObject) -> None:
    """Every cycle's value, as many cycles later as there are levels; the first of a spread is its source."""
    random = rng()
    await start(dut)
    for pes in parameters()["sizes"]:
        spread, ors, ands = (Part(dut, f"{name}{pes}") for name in ("spread", "or", "and"))
        width = len(spread.i)
        history: list[tuple[int, int, int]] = []
        for _ in range(60):
            value = random.getrandbits(width)
            ones = [random.choice((0, 1 << random.randrange(width))) for _ in range(pes)]
            holes = [~one & (1 << width) - 1 for one in ones]
            spread.i.value = value
            for pe in range(pes):
                getattr(ors, f"i__{pe}").value = ones[pe]
                getattr(ands, f"i__{pe}").value = holes[pe]
            history.append((value, reduce(or_, ones), reduce(and_, holes)))
            await RisingEdge(dut.clk)
            if len(history) >= levels(pes, FAN_OUT):
                value, *_ = history[-levels(pes, FAN_OUT)]
                assert all(getattr(spread, f"o__{pe}").value == value for pe in range(pes))
            if len(history) > levels(pes, FAN_OUT):
                _, any_high, all_high = history[-1 - levels(pes, FAN_OUT)]
                assert ors.o.value == any_high
                assert ands.o.value == all_high
