"""Bench of the detection tree: rows of activations, as leaves say them, in the order of the PEs."""

import random

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from hdl.broadcast import levels
from hdl.layouts import detection_layout
from hdl.nonzero_detection import FAN_IN
from tests.hdl.side_by_side import Part, watch
from tests.hdl.streams import collect, cycles, drive, pack, parameters, rng, start

Said = dict[str, int]


def leaf_row(random: random.Random, nonzeros: int) -> list[Said]:
    """What a leaf says of a row (of two lanes)."""
    if not nonzeros:
        noise = {"lane": random.getrandbits(1), "activation": random.getrandbits(16)}
        return [{"item": 0, "last": 1, "pe": 0, **noise}]
    lanes = random.sample(range(2), nonzeros)
    return [
        {
            "item": 1,
            "last": int(i == nonzeros - 1),
            "lane": lane,
            "pe": 0,
            "activation": random.getrandbits(16),
        }
        for i, lane in enumerate(sorted(lanes))
    ]


def rows(random: random.Random, pes: int, count: int) -> tuple[list[list[Said]], list[tuple[int, ...]]]:
    """What each leaf says, and what the root says of it: item, last, PE, lane, activation."""
    leaves: list[list[Said]] = [[] for _ in range(pes)]
    root: list[tuple[int, ...]] = []
    for _ in range(count):
        density = random.choice((0.0, 1 / pes, 0.4, 1.0))
        row = []
        for pe, leaf in enumerate(leaves):
            said = leaf_row(random, random.choice((1, 2)) if random.random() < density else 0)
            leaf += said
            row += [(pe, payload["lane"], payload["activation"]) for payload in said if payload["item"]]
        root += [(1, int(i == len(row) - 1), *item) for i, item in enumerate(row)] or [(0, 1)]
    return leaves, root


async def listen(tree: Part, count: int, stall: float, random: random.Random) -> list[tuple[int, ...]]:
    """What the root says, without the fields that do not count."""
    said = await collect(tree, "o", count, stall=stall, rng=random, layout=detection_layout())
    return [
        (p["item"], p["last"], *((p["pe"], p["lane"], p["activation"]) if p["item"] else ())) for p in said
    ]


async def check(
    tree: Part, pes: int, count: int, random: random.Random, leaf: list[float], root: float
) -> int:
    """Run rows through a tree; returns how many payloads they gave."""
    leaves, expected = rows(random, pes, count)
    driving = [
        cocotb.start_soon(
            drive(tree, f"i__{pe}", said, stall=leaf[pe % len(leaf)], rng=random, layout=detection_layout())
        )
        for pe, said in enumerate(leaves)
    ]
    assert await listen(tree, len(expected), root, random) == expected
    for task in driving:
        await task
    return len(expected)


@cocotb.test()
async def keeps_the_order_of_the_pes(dut: HierarchyObject) -> None:
    random = rng()
    await start(dut)
    for pes in parameters()["sizes"]:
        tree = Part(dut, f"pes{pes}")
        for leaf, root in (([0.0], 0.0), ([0.5], 0.0), ([0.0], 0.5), ([0.0, 0.8, 0.2], 0.2)):
            await check(tree, pes, 25, random, leaf, root)
        await cycles(dut, 10)
        assert tree.o__valid.value == 0


@cocotb.test()
async def takes_a_cycle_each(dut: HierarchyObject) -> None:
    random = rng()
    await start(dut)
    for pes in parameters()["sizes"]:
        tree = Part(dut, f"pes{pes}")
        entered: list[int] = []
        left: list[int] = []
        watching = [
            cocotb.start_soon(watch(tree, "i__0", entered)),
            cocotb.start_soon(watch(tree, "o", left)),
        ]
        count = await check(tree, pes, 30, random, [0.0], 0.0)
        await cycles(dut, 1)
        for task in watching:
            task.cancel()
        begun = entered[0] + levels(pes, FAN_IN)
        assert left == list(range(begun, begun + count))


@cocotb.test()
async def forgets_on_reset(dut: HierarchyObject) -> None:
    """In the middle of a row, with payloads on every level."""
    random = rng()
    await start(dut)
    for pes in parameters()["sizes"]:
        tree = Part(dut, f"pes{pes}")
        said = pack(detection_layout(), {"item": 1, "last": 1, "lane": 0, "pe": 0, "activation": 5})
        for pe in range(pes):
            getattr(tree, f"i__{pe}__payload").value = said
            getattr(tree, f"i__{pe}__valid").value = 1
        tree.o__ready.value = 1
        await cycles(dut, levels(pes, FAN_IN) + 2)
        for pe in range(pes):
            getattr(tree, f"i__{pe}__valid").value = 0
        tree.o__ready.value = 0
        dut.rst.value = 1
        await RisingEdge(dut.clk)
        dut.rst.value = 0
        await check(tree, pes, 8, random, [0.2], 0.0)
