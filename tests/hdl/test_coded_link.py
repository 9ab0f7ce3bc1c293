"""Links that decode: loads in code, and everything else as on any link."""

import pytest

from golden.geometry import Geometry
from golden.memories import Memory, depth, word_bits
from golden.protocol import PAYLOAD_LIMIT, WINDOW
from hdl import firmware
from hdl.byte_link import WIRE_OVERHEAD
from hdl.processor import LONG_PROGRAM_WORDS
from tests.hdl.test_byte_link import GEOMETRIES, run

CODED = [
    ("even", "small", 176, 2, 0.0),
    ("slow", "small", 130, 1, 0.3),
    ("odd", "fast", 130, 3, 0.3),
    ("slow", "fast", 176, 2, 0.1),
]
"""Geometry, form, limit, window and stalls of links that decode."""


def run_coded(name, form, limit, window, stall, **parameters):
    geometry = Geometry(**GEOMETRIES[name])
    depths = {memory.name: depth(geometry, memory) for memory in Memory}
    bits = {memory.name: word_bits(geometry, memory) for memory in Memory}
    run("coded", name, limit, window, stall, coded_loads=form, depths=depths, word_bits=bits, **parameters)


@pytest.mark.parametrize(("name", "form", "limit", "window", "stall"), CODED)
def test_coded_loads(name, form, limit, window, stall):
    run_coded(name, form, limit, window, stall, words=60, mutations=10)


@pytest.mark.parametrize("bench", ["requests", "images", "frames"])
def test_links_that_decode_are_links(bench):
    run(bench, "slow", 176, 2, 0.1, coded_loads="small")


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
def test_everything_fits_with_a_decoder(geometry):
    """One block RAM of an iCE40 more for the program, and no more memory."""
    program, variables = firmware.image(Geometry(**geometry), payload_limit=PAYLOAD_LIMIT, coded=True)
    assert len(program) <= LONG_PROGRAM_WORDS
    assert len(variables) + WINDOW * (PAYLOAD_LIMIT + WIRE_OVERHEAD) + 1 <= 512
