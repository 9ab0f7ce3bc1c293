"""The link behind the serial line, with an engine that the bench plays."""

import pytest

from golden.geometry import Geometry
from golden.protocol import PAYLOAD_LIMIT, WINDOW
from hdl import firmware
from hdl.byte_link import WIRE_OVERHEAD, ByteLink
from hdl.processor import PROGRAM_WORDS
from tests.hdl.runner import simulate

SETTINGS = {"clock_hz": 12_345_678}
GEOMETRIES = {
    "even": {"pes": 4, "activations": 64},
    "odd": {"pes": 7, "matrix_words": 401, "pointer_words": 121, "accumulators": 101, "activations": 45,
            "codebook_entries": 100, "steps": 11, "entry_bits": 9, "word_entries": 4, "accumulator_bits": 40},
    "one": {"pes": 1, "activations": 128, "pointer_words": 65536, "steps": 256},
    "many": {"pes": 256, "matrix_words": 64, "word_entries": 1, "activations": 8},
    "slow": {"pes": 4, "activations": 64, "output_registers": False},
}  # fmt: skip


def run(bench, name, limit, window, stall, losses=4, coded_loads=None, **parameters):
    geometry = GEOMETRIES[name]
    settings = {"payload_limit": limit, "window": window, "coded_loads": coded_loads, **SETTINGS}
    given = {"geometry": geometry, "stall": stall, "requests": 120, "losses": losses}
    simulate(
        ByteLink(Geometry(**geometry), **settings),
        f"tests.hdl.bench_{bench}",
        parameters={**given, **settings, **parameters},
        timeout=400,
    )


@pytest.mark.parametrize(
    ("name", "limit", "window", "stall", "losses"),
    [("even", 176, 2, 0.0, 4), ("odd", 130, 3, 0.3, 4), ("one", 128, 1, 0.1, 260), ("many", 244, 2, 0.1, 4)],
)
def test_requests(name, limit, window, stall, losses):
    run("requests", name, limit, window, stall, losses)


@pytest.mark.parametrize(("name", "limit", "window", "stall"), [("even", 176, 2, 0.0), ("odd", 130, 3, 0.3)])
@pytest.mark.parametrize("bench", ["images", "frames"])
def test_images_and_frames(bench, name, limit, window, stall):
    run(bench, name, limit, window, stall)


@pytest.mark.parametrize(
    ("name", "value", "thing"),
    [
        ("clock_hz", 0, "Clock_hz"),
        ("clock_hz", 1 << 32, "Clock_hz"),
        ("clock_hz", 12e6, "Clock_hz"),
        ("payload_limit", 127, "Payload limit"),
        ("payload_limit", 245, "Payload limit"),
        ("payload_limit", "176", "Payload limit"),
        ("window", 0, "Window"),
        ("window", 16, "Window"),
    ],
)
def test_parameters_are_checked(name, value, thing):
    with pytest.raises(ValueError, match=rf"^{thing} must be an integer from \d+ to \d+, not {value!r}$"):
        ByteLink(Geometry(), **{"clock_hz": 1000, name: value})


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_everything_fits(geometry):
    """The default link takes 512 bytes of memory, one block RAM of an iCE40, and a program of two."""
    program, variables = firmware.image(Geometry(**geometry), payload_limit=PAYLOAD_LIMIT)
    assert len(program) <= PROGRAM_WORDS
    assert len(variables) + WINDOW * (PAYLOAD_LIMIT + WIRE_OVERHEAD) + 1 <= 512
