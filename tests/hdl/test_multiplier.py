"""Multiplier: the ends of the range and random factors, portable and as the primitive by its model."""

from pathlib import Path

import pytest

from hdl.multiplier import Multiplier
from tests.hdl.runner import simulate

MODEL = Path(__file__).parent / "models" / "ecp5_multiplier.v"


@pytest.mark.parametrize("family", [None, "ecp5"])
def test_multiplier(family: str | None) -> None:
    simulate(
        Multiplier(),
        "tests.hdl.bench_multiplier",
        models=MODEL.read_text() if family else "",
        family=family,
    )
