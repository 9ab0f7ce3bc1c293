"""Bench of the activation queue: cycle by cycle beside a list."""

import random
from collections import deque

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from tests.hdl.side_by_side import Part, watch
from tests.hdl.streams import collect, cycles, drive, parameters, rng, start


async def follow(queue: Part, depth: int, latency: int, random: random.Random, count: int) -> None:
    """Offer and take at random, more of one than of the other for a while, and compare every cycle."""
    model: deque[int] = deque()
    levels = set()
    visible = 0  # of those inside, the ones that may leave
    offering = taking = 0
    item = 0
    for cycle in range(count):
        if cycle % (3 * depth + 20) == 0:
            fill = random.choice((0.1, 0.5, 0.9, 1.0))
            drain = random.choice((0.1, 0.5, 0.9, 1.0))
        if not offering:
            offering = int(random.random() < fill)
            item = random.getrandbits(20)
        taking = int(random.random() < drain)
        queue.i__valid.value = offering
        queue.i__payload.value = item if offering else random.getrandbits(20)
        queue.o__ready.value = taking
        await RisingEdge(queue.clk)
        assert queue.i__ready.value == (len(model) < depth), f"depth {depth}, {len(model)} inside"
        assert queue.o__valid.value == bool(visible)
        levels.add(len(model))
        if visible:
            assert queue.o__payload.value == model[0]
        accepted = offering and len(model) < depth
        if visible and taking:
            model.popleft()
        if latency == 2:
            visible = len(model)
        if accepted:
            model.append(item)
            offering = 0
        if latency == 1:
            visible = len(model)
    assert {0, 1, depth - 1, depth} <= levels
    queue.i__valid.value = queue.o__ready.value = 0


@cocotb.test()
async def follows_a_list(dut: HierarchyObject) -> None:
    random = rng()
    await start(dut)
    tasks = []
    for name, (depth, latency) in parameters()["queues"].items():
        part = Part(dut, name)
        tasks.append(cocotb.start_soon(follow(part, depth, latency, random, max(1200, 25 * depth))))
    for task in tasks:
        await task


@cocotb.test()
async def passes_an_item_per_cycle(dut: HierarchyObject) -> None:
    await start(dut)
    for name, (depth, latency) in parameters()["queues"].items():
        queue = Part(dut, name)
        count = 3 * depth + 7
        entered: list[int] = []
        left: list[int] = []
        cocotb.start_soon(watch(queue, "i", entered))
        cocotb.start_soon(watch(queue, "o", left))
        cocotb.start_soon(drive(queue, "i", range(count)))
        assert await collect(queue, "o", count) == list(range(count))
        await cycles(dut, 1)
        period = max(depth, latency + 1)  # a place is free again in the cycle after its item left
        assert entered == [entered[0] + i // depth * period + i % depth for i in range(count)]
        assert left == [cycle + latency for cycle in entered]


@cocotb.test()
async def forgets_on_reset(dut: HierarchyObject) -> None:
    await start(dut)
    queues = [(depth, Part(dut, name)) for name, (depth, _) in parameters()["queues"].items()]
    for depth, queue in queues:
        await drive(queue, "i", range(depth))
    await cycles(dut, 1)
    assert all(queue.i__ready.value == 0 for _, queue in queues)
    dut.rst.value = 1
    await RisingEdge(dut.clk)
    dut.rst.value = 0
    await RisingEdge(dut.clk)
    for depth, queue in queues:
        assert queue.o__valid.value == 0
        await drive(queue, "i", range(depth))
        assert await collect(queue, "o", depth) == list(range(depth))
