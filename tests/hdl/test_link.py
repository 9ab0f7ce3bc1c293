"""The link as a whole, and a device with it."""

import zlib

import numpy as np
import pytest

from golden import protocol
from golden.coded import batches, uncoded
from golden.geometry import Geometry
from golden.image import SECTION
from golden.memories import Memory
from golden.protocol import WHOLE, Request
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
    ("divisor", "share", "busy", "changes"),
    [(2, 0.6, 0.8, {}), (4, 0.9, 0.85, {}), (6, 0.9, 0.9, {"word_entries": 1, "matrix_words": 2048})],
    ids=["fast", "words", "bytes"],
)
def test_most_of_the_line_is_payload(divisor, share, busy, changes):
    """From 4 cycles a bit on; loads of words of one byte (in no preset) ask for more."""
    geometry = {**GEOMETRY, "matrix_words": 1024, "activations": 264, **changes}
    simulate(
        Device(Geometry(**geometry), divisor=divisor, clock_hz=12_000_000 * divisor),
        "tests.hdl.bench_link",
        testcase="device_(spends|takes).*",
        parameters={"geometry": geometry, "divisor": divisor, "bytes": 6000, "share": share, "busy": busy},
    )


def loads(image, bank=WHOLE):
    """The requests of an image's load, uncoded and in code, as parameters."""
    begin = (Request.BEGIN, protocol.BEGIN.pack(bank, zlib.crc32(image)).hex())
    return {
        way: [
            begin,
            *((batch.request, payload.hex()) for batch in found for payload in batch.payloads),
            (Request.COMMIT, ""),
        ]
        for way, found in (
            ("uncoded", [uncoded(image, protocol.PAYLOAD_LIMIT)]),
            ("coded", batches(image, protocol.PAYLOAD_LIMIT)),
        )
    }


@pytest.mark.parametrize(("form", "registers"), [("small", False), ("fast", True)])
def test_a_load_in_code_keeps_up_with_the_line(form, registers):
    """At the lowest divisor, entries of 6 bits or so: the line brings words a quarter faster than uncoded."""
    rng = np.random.default_rng(0)
    entries = rng.choice(128, 2048, p=np.arange(1, 129) ** 2 / sum(np.arange(1, 129) ** 2))
    image = SECTION.pack(Memory.MATRIX, 2, 0, 0, 1024) + entries.astype(np.uint8).tobytes()
    geometry = {**GEOMETRY, "matrix_words": 1024, "output_registers": registers}
    simulate(
        Device(Geometry(**geometry), divisor=4, clock_hz=48_000_000, coded_loads=form),
        "tests.hdl.bench_link",
        testcase="device_decodes.*",
        parameters={"divisor": 4, "ratio": 1.0, **loads(image)},
    )


@pytest.mark.parametrize("component", [Link, Device])
@pytest.mark.parametrize(
    ("name", "value", "thing"),
    [
        ("divisor", 1, "Divisor"),
        ("clock_hz", 0, "Clock_hz"),
        ("payload_limit", 100, "Payload limit"),
        ("window", 0, "Window"),
    ],
)
def test_parameters_are_checked(component, name, value, thing):
    settings = {"divisor": 4, "clock_hz": 1000, name: value}
    with pytest.raises(ValueError, match=rf"^{thing} must be an integer from \d+ to \d+, not {value}$"):
        component(Geometry(), **settings)
