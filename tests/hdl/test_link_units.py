"""The small units of the link, each alone."""

import random

import pytest

from golden.flash import header
from golden.geometry import Geometry
from hdl.engine_port import EnginePort
from hdl.flash_loader import FlashLoader
from hdl.receive_ring import ReceiveRing
from hdl.serial_crc import SerialCRC
from hdl.stored_requests import StoredRequests
from hdl.stuffing import Stuffing
from tests.hdl.runner import simulate


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_stuffing(stall):
    simulate(Stuffing(), "tests.hdl.bench_stuffing", parameters={"stall": stall})


def test_serial_crc():
    simulate(SerialCRC(), "tests.hdl.bench_serial_crc")


@pytest.mark.parametrize(("first", "depth"), [(9, 64), (139, 512), (32, 64)])
def test_receive_ring(first, depth):
    settings = {"first": first, "depth": depth}
    simulate(ReceiveRing(**settings), "tests.hdl.bench_receive_ring", parameters=settings)


@pytest.mark.parametrize("geometry", [{}, {"entry_bits": 9, "word_entries": 4, "accumulator_bits": 40}])
def test_engine_port(geometry):
    simulate(
        EnginePort(Geometry(**geometry)), "tests.hdl.bench_engine_port", parameters={"geometry": geometry}
    )


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_flash_loader(stall):
    expected = header(Geometry())
    simulate(
        FlashLoader(expected),
        "tests.hdl.bench_flash_loader",
        parameters={"header": expected.hex(), "stall": stall},
    )


@pytest.mark.parametrize("slow", [False, True])
def test_stored_requests(slow):
    content = bytes(random.Random(5).randrange(256) for _ in range(300))
    simulate(
        StoredRequests(content),
        "tests.hdl.bench_stored_requests",
        parameters={"content": content.hex(), "slow": slow},
        known_memories=True,
    )
