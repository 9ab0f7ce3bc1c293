"""The link as a whole, and a device with it."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import Geometry
from hdl.commands import engine_signature
from hdl.device import Device
from hdl.link import Link
from hdl.loader import Loader
from tests.hdl.runner import simulate

GEOMETRY = {
    "pes": 3, "matrix_words": 64, "pointer_words": 64, "accumulators": 16, "activations": 64,
    "codebook_entries": 32, "steps": 4,
}  # fmt: skip


class LoadingLink(wiring.Component):
    """A link with the loader that it feeds."""

    def __init__(self, geometry, **parameters):
        self._loader = Loader(geometry)
        self._link = Link(geometry, **parameters)
        super().__init__({
            "rx": In(1, init=1),
            "tx": Out(1, init=1),
            "engine": Out(engine_signature(geometry)),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        m.submodules.loader = loader = self._loader
        m.submodules.link = link = self._link
        wiring.connect(m, link.loader, loader)
        wiring.connect(m, wiring.flipped(self.engine), link.engine)
        m.d.comb += [link.rx.eq(self.rx), self.tx.eq(link.tx)]
        return m


@pytest.mark.parametrize(("divisor", "limit", "window"), [(4, 256, 2), (7, 130, 3)])
def test_link(divisor, limit, window):
    settings = {"divisor": divisor, "clock_hz": 12_000_000, "window": window}
    simulate(
        LoadingLink(Geometry(**GEOMETRY), payload_limit=limit, **settings),
        "tests.hdl.bench_link",
        testcase="link_.*",
        parameters={"geometry": GEOMETRY, "limit": limit, **settings},
    )


def test_device():
    settings = {"divisor": 5, "clock_hz": 25_000_000}
    simulate(
        Device(Geometry(**GEOMETRY), **settings),
        "tests.hdl.bench_link",
        testcase="device_.*",
        parameters={"geometry": GEOMETRY, **settings},
        known_memories=True,
    )


@pytest.mark.parametrize("component", [Link, Device])
@pytest.mark.parametrize(
    ("name", "value", "thing"),
    [
        ("divisor", 3, "Divisor"),
        ("clock_hz", 0, "Clock_hz"),
        ("payload_limit", 100, "Payload limit"),
        ("window", 0, "Window"),
    ],
)
def test_parameters_are_checked(component, name, value, thing):
    settings = {"divisor": 4, "clock_hz": 1000, name: value}
    with pytest.raises(ValueError, match=rf"^{thing} must be an integer from \d+ to \d+, not {value}$"):
        component(Geometry(), **settings)
