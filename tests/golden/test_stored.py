"""A model split for a bitstream: filled memories, and requests that write the rest and state the whole."""

import zlib

import numpy as np
import pytest

from golden import stored
from golden.errors import UnsupportedError
from golden.flash import header
from golden.geometry import Geometry
from golden.image import apply
from golden.memories import Memory, depth
from golden.plan import make_plan
from golden.protocol import BEGIN, DATA, WHOLE, Request, decode
from tests.networks import random_model

GEOMETRY = Geometry(pes=4)
[IMAGE] = make_plan(random_model(np.random.default_rng(0), [60, 70, 33, 10]), GEOMETRY, resident=True).images


def memories():
    """Empty memories of an engine."""
    rows = {memory: 1 if memory is Memory.STEPS else GEOMETRY.pes for memory in Memory}
    return {memory: np.zeros((rows[memory], depth(GEOMETRY, memory)), dtype=np.uint64) for memory in Memory}


def test_what_is_not_filled_must_find_room():
    with pytest.raises(UnsupportedError, match=rf"take \d+ bytes .* has {stored.ROOM};"):
        stored.split(IMAGE, ())


@pytest.mark.parametrize("filled", [(Memory.MATRIX,), (Memory.MATRIX, Memory.POINTERS)])
def test_both_parts_together_are_the_image(filled):
    words, requests = stored.split(IMAGE, filled)
    assert set(words) == set(filled)
    fixed = header(GEOMETRY)
    assert requests.startswith(fixed)
    begin, *parts, commit = map(decode, requests[len(fixed) :].split(b"\0")[:-1])
    assert (begin.type, commit.type) == (Request.BEGIN, Request.COMMIT)
    assert BEGIN.unpack(begin.payload) == (WHOLE, IMAGE.crc)
    payload = b"".join(part.payload[DATA.size :] for part in parts)
    assert zlib.crc32(payload) == IMAGE.crc, "the device will state the whole image"

    found, expected = memories(), memories()
    for memory, filling in words.items():
        found[memory][:] = filling
    apply(payload, GEOMETRY, found)
    apply(IMAGE.payload, GEOMETRY, expected)
    for memory in Memory:
        if memory is not Memory.ACTIVATIONS:
            np.testing.assert_array_equal(found[memory], expected[memory], memory.name)
