"""Arithmetic unit over accumulator widths."""

from golden.geometry import Geometry
from hdl.arithmetic import Arithmetic
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide

VARIANTS = {
    f"bits{bits}_rows{rows}{'' if registers else '_direct'}": {
        "accumulator_bits": bits, "accumulators": rows, "output_registers": registers,
    }
    for bits, rows in ((24, 2), (32, 256), (40, 33))
    for registers in (True, False)
}  # fmt: skip


def test_arithmetic() -> None:
    units = {name: Arithmetic(Geometry(**variant)) for name, variant in VARIANTS.items()}
    simulate(SideBySide(units), "tests.hdl.bench_arithmetic", parameters={"variants": VARIANTS})
