"""Central control without an engine around it."""

from golden.geometry import Geometry
from hdl.control import Control
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide

VARIANTS = {
    "one_pair": {"pes": 1, "accumulators": 8, "steps": 4, "activations": 64, "scan_width": 2},
    "three_pes": {"pes": 3, "accumulators": 8, "steps": 4, "activations": 64},
    "nine_pes": {"pes": 9, "accumulators": 5, "steps": 256, "activations": 64, "scan_width": 2},
    "direct": {
        "pes": 3, "accumulators": 8, "steps": 4, "activations": 64, "output_registers": False,
    },
}  # fmt: skip


def test_control() -> None:
    units = {name: Control(Geometry(**variant)) for name, variant in VARIANTS.items()}
    simulate(SideBySide(units), "tests.hdl.bench_control", parameters={"variants": VARIANTS})
