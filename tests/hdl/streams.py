"""What a bench needs to drive a component inside the simulator: clock, reset, streams with stalls.

A stream is named by its path in the component's signature ("i", "write"). Items are integers, or mappings
from field names to values if a layout is given. Payloads are random while nothing is offered, so that a
design that looks at them too early is found out.
"""

import json
import os
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from amaranth.lib import data
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject, LogicObject
from cocotb.triggers import RisingEdge

PATIENCE = 20_000
"""Cycles without a transfer after which a bench gives up."""


def parameters() -> dict[str, Any]:
    """Parameters that the test passed to `simulate`."""
    return json.loads(os.environ["PARAMETERS"])


def rng() -> random.Random:
    """Random numbers of this simulation: the same for the same seed."""
    return random.Random(os.environ["COCOTB_RANDOM_SEED"])


async def start(dut: HierarchyObject, **inputs: int) -> None:
    """Start the clock, set the named inputs and all others to zero, and reset for two cycles."""
    for name in json.loads(os.environ["INPUTS"]):
        getattr(dut, name).value = inputs.get(name, 0)
    dut.rst.value = 1
    Clock(dut.clk, 10, unit="ns").start()
    for _ in range(2):
        await RisingEdge(dut.clk)
    dut.rst.value = 0


async def cycles(dut: HierarchyObject, count: int) -> None:
    """Wait for `count` rising edges of the clock."""
    for _ in range(count):
        await RisingEdge(dut.clk)


async def clocked(dut: HierarchyObject, signal: LogicObject) -> None:
    """Wait for a rising edge of the clock; for the first one after `signal` rises, if it is 0.

    A bench that has nothing to do while a stream offers nothing sleeps here, which costs the simulator less
    than to be woken in every cycle. Whether the signal is 1 at that edge is for the caller to see.
    """
    if signal.value == 0:
        await RisingEdge(signal)
    await RisingEdge(dut.clk)


def pack(layout: data.Layout | None, item: int | Mapping[str, Any]) -> int:
    """Return the flat vector of an item."""
    return item if layout is None else layout.const(item).as_bits()


def unpack(layout: data.Layout | None, bits: int) -> Any:
    """Return the item of a flat vector: fields by name (nested layouts too), enumerations as integers."""
    if layout is None:
        return bits
    fields = {}
    for name, field in layout:
        value = bits >> field.offset & (1 << field.width) - 1
        if isinstance(field.shape, data.Layout):
            value = unpack(field.shape, value)
        elif getattr(field.shape, "signed", False) and value >> field.width - 1:
            value -= 1 << field.width
        fields[name] = value
    return fields


async def drive(
    dut: HierarchyObject,
    name: str,
    items: Iterable[int | Mapping[str, Any]],
    *,
    stall: float = 0.0,
    rng: random.Random | None = None,
    layout: data.Layout | None = None,
) -> None:
    """Offer every item to an input stream, pausing before an item with probability `stall` in each cycle."""
    rng = rng or random.Random(name)
    valid, payload = getattr(dut, f"{name}__valid"), getattr(dut, f"{name}__payload")
    ready = getattr(dut, f"{name}__ready", None)
    for position, item in enumerate(items):
        while rng.random() < stall:
            await RisingEdge(dut.clk)
        valid.value = 1
        payload.value = pack(layout, item)
        for _ in range(PATIENCE):
            await RisingEdge(dut.clk)
            if ready is None or ready.value == 1:
                break
        else:
            raise AssertionError(f"{name}: item {position} was not taken within {PATIENCE} cycles")
        valid.value = 0
        payload.value = rng.getrandbits(len(payload))


async def collect(
    dut: HierarchyObject,
    name: str,
    count: int,
    *,
    stall: float = 0.0,
    rng: random.Random | None = None,
    layout: data.Layout | None = None,
) -> Sequence[Any]:
    """Take `count` items from an output stream, not ready with probability `stall` in each cycle.

    What is offered and not taken must stay as it is: a stream that takes an item back fails here.
    """
    rng = rng or random.Random(name)
    valid, payload = getattr(dut, f"{name}__valid"), getattr(dut, f"{name}__payload")
    ready = getattr(dut, f"{name}__ready", None)
    items: list[Any] = []
    offered = None
    patience = PATIENCE
    while len(items) < count:
        taking = ready is None or rng.random() >= stall
        if ready is not None:
            ready.value = int(taking)
        await RisingEdge(dut.clk)
        now = int(payload.value) if valid.value == 1 else None
        if offered is not None and now != offered:
            raise AssertionError(f"{name}: item {len(items)}, not yet taken, changed from {offered} to {now}")
        if now is not None and taking:
            items.append(unpack(layout, now))
            offered = None
            patience = PATIENCE
        else:
            offered = now
            patience -= 1
            if not patience:
                raise AssertionError(f"{name}: {len(items)} of {count} items, then {PATIENCE} idle cycles")
    if ready is not None:
        ready.value = 0
    return items
