"""Requantisation over accumulator widths."""

from golden.geometry import Geometry
from hdl.requantise import Requantise
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide

VARIANTS = {f"bits{bits}": {"accumulator_bits": bits} for bits in (24, 32, 40)}


def test_requantise() -> None:
    units = {name: Requantise(Geometry(**variant)) for name, variant in VARIANTS.items()}
    simulate(SideBySide(units), "tests.hdl.bench_requantise", parameters={"variants": VARIANTS})
