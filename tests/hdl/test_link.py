"""The link as a whole, and a device with it."""

import pytest

from golden.geometry import Geometry
from hdl.device import Device
from hdl.link import Link
from tests.hdl.runner import simulate

GEOMETRY = {
    "pes": 3, "matrix_words": 64, "pointer_words": 64, "accumulators": 16, "activations": 64,
    "codebook_entries": 32, "steps": 4,
}  # fmt: skip


@pytest.mark.parametrize(("divisor", "limit", "window"), [(4, 176, 2), (7, 130, 3)])
def test_link(divisor, limit, window):
    settings = {"divisor": divisor, "clock_hz": 12_000_000, "window": window}
    simulate(
        Link(Geometry(**GEOMETRY), payload_limit=limit, **settings),
        "tests.hdl.bench_link",
        testcase="link_.*",
        parameters={"geometry": GEOMETRY, "limit": limit, **settings},
    )


def test_device():
    settings = {"divisor": 5, "clock_hz": 25_000_000}
    simulate(
        Device(Geometry(**GEOMETRY), **settings),
        "tests.hdl.bench_link",
        testcase="device_(shows|computes).*",
        parameters={"geometry": GEOMETRY, **settings},
        known_memories=True,
    )


@pytest.mark.parametrize(
    ("divisor", "busy", "changes"),
    [(4, 0.7, {}), (6, 0.85, {"word_entries": 1, "matrix_words": 2048})],
    ids=["words", "bytes"],
)
def test_most_of_the_line_is_payload(divisor, busy, changes):
    """From 4 cycles a bit on; inputs, and loads of words of one byte (in no preset), ask for more."""
    geometry = {**GEOMETRY, "matrix_words": 1024, "activations": 264, **changes}
    simulate(
        Device(Geometry(**geometry), divisor=divisor, clock_hz=12_000_000 * divisor),
        "tests.hdl.bench_link",
        testcase="device_(spends|takes).*",
        parameters={"geometry": geometry, "divisor": divisor, "bytes": 6000, "share": 0.9, "busy": busy},
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
