"""Bench of the detection tree: rows of activations, as leaves say them, in the order of the PEs."""

import random

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden.geometry import Geometry
from hdl.broadcast import levels
from hdl.layouts import activation_bits, detection_layout
from hdl.nonzero_detection import FAN_IN
from tests.hdl.side_by_side import Part, watch
from tests.hdl.streams import collect, cycles, drive, pack, parameters, rng, start

Said = dict[str, int]


def geometry(pes: int) -> Geometry:
    """Geometry of the tree of that size: odd ones carry pairs."""
    return Geometry(pes=pes, scan_width=1 + pes % 2)


def leaf_word(random: random.Random, bits: int, nonzero: bool) -> Said:
    """What a leaf says of a word."""
    return {"item": int(nonzero), "last": 1, "pe": 0, "activations": random.getrandbits(bits)}


def rows(random: random.Random, pes: int, count: int) -> tuple[list[list[Said]], list[tuple[int, ...]]]:
    """What each leaf says, and what the root says of it: item, last, PE, activations."""
    bits = activation_bits(geometry(pes))
    leaves: list[list[Said]] = [[] for _ in range(pes)]
    root: list[tuple[int, ...]] = []
    for _ in range(count):
        density = random.choice((0.0, 1 / pes, 0.4, 1.0))
        row = []
        for pe, leaf in enumerate(leaves):
            said = leaf_word(random, bits, random.random() < density)
            leaf.append(said)
            if said["item"]:
                row.append((pe, said["activations"]))
        root += [(1, int(i == len(row) - 1), *item) for i, item in enumerate(row)] or [(0, 1)]
    return leaves, root


async def listen(
    tree: Part, pes: int, count: int, stall: float, random: random.Random
) -> list[tuple[int, ...]]:
    """What the root says, without the fields that do not count."""
    layout = detection_layout(geometry(pes))
    said = await collect(tree, "o", count, stall=stall, rng=random, layout=layout)
    return [(p["item"], p["last"], *((p["pe"], p["activations"]) if p["item"] else ())) for p in said]


async def check(
    tree: Part, pes: int, count: int, random: random.Random, leaf: list[float], root: float
) -> int:
    """Run rows through a tree; returns how many payloads they gave."""
    leaves, expected = rows(random, pes, count)
    layout = detection_layout(geometry(pes))
    driving = [
        cocotb.start_soon(
            drive(tree, f"i__{pe}", said, stall=leaf[pe % len(leaf)], rng=random, layout=layout)
        )
        for pe, said in enumerate(leaves)
    ]
    assert await listen(tree, pes, len(expected), root, random) == expected
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
        said = pack(detection_layout(geometry(pes)), {"item": 1, "last": 1, "pe": 0, "activations": 5})
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
