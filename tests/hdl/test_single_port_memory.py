"""The large memory with one port and its twin with two, next to each other."""

import pytest

from hdl.single_port_memory import SinglePortMemory
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide

SHAPES = {"wide": (16, 300), "narrow": (9, 64)}


@pytest.mark.parametrize("single_port", [False, True])
def test_single_port_memory(single_port: bool) -> None:
    units = {name: SinglePortMemory(*shape) for name, shape in SHAPES.items()}
    simulate(
        SideBySide(units),
        "tests.hdl.bench_single_port_memory",
        parameters={"shapes": SHAPES, "single_port": single_port},
        single_port=single_port,
    )
