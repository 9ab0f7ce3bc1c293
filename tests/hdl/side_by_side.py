"""Several variants of a unit in one simulation, as a build costs far more than the cycles of a small unit."""

from collections.abc import Iterator, Mapping
from typing import Any

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge
from cocotb.utils import get_sim_time

PERIOD_NS = 10


class SideBySide(wiring.Component):
    """Independent components under one top; the ports of each begin with its name and two underscores.

    Parameters
    ----------
    components : mapping of str to wiring.Component
    """

    def __init__(self, components: Mapping[str, wiring.Component]) -> None:
        self._components = components
        super().__init__({name: Out(component.signature) for name, component in components.items()})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for name, component in self._components.items():
            m.submodules[f"{name}_under_test"] = component
            outside = component.signature.flatten(getattr(self, name))
            inside = component.signature.flatten(component)  # flipped() does not know arrays
            for (_, member, outer), (_, _, inner) in zip(outside, inside, strict=True):
                target, source = (inner, outer) if member.flow == In else (outer, inner)
                m.d.comb += Value.cast(target).eq(source)
        return m


class Part:
    """One of the components, as a bench sees it: ports by their own names."""

    def __init__(self, dut: HierarchyObject, name: str) -> None:
        self._dut, self._name = dut, name

    def __getattr__(self, port: str) -> Any:
        return getattr(self._dut, port if port in ("clk", "rst") else f"{self._name}__{port}")


def now() -> int:
    """Number of the clock cycle that ends at this edge."""
    return int(get_sim_time("ns")) // PERIOD_NS


async def watch(dut: Any, name: str, log: list[int]) -> None:
    """Note the cycle of every transfer of a stream."""
    valid, ready = getattr(dut, f"{name}__valid"), getattr(dut, f"{name}__ready")
    while True:
        await RisingEdge(dut.clk)
        if valid.value == 1 and ready.value == 1:
            log.append(now())


def stalls() -> Iterator[tuple[float, float]]:
    """Probabilities of a pause at the input and at the output of a unit."""
    yield from ((0.0, 0.0), (0.0, 0.6), (0.6, 0.0), (0.4, 0.4))
