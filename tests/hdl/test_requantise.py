"""Requantisation over accumulator widths."""

from golden.geometry import Geometry
from hdl.requantise import Requantise
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide

VARIANTS = {
    f"bits{bits}{'' if registers else '_direct'}": {"accumulator_bits": bits, "output_registers": registers}
    for bits in (24, 32, 33, 40)
    for registers in (True, False)
}


def test_requantise() -> None:
    units = {name: Requantise(Geometry(**variant)) for name, variant in VARIANTS.items()}
    simulate(SideBySide(units), "tests.hdl.bench_requantise", parameters={"variants": VARIANTS})
