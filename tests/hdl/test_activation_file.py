"""Activation files whose words have one or two slots."""

from golden.geometry import Geometry
from hdl.activation_file import ActivationFile
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide

VARIANTS = {
    "one_slot": {"scan_width": 1, "activations": 32, "accumulators": 32},
    "odd": {"scan_width": 1, "activations": 21, "accumulators": 100},
    "pairs": {"scan_width": 2, "activations": 22, "accumulators": 16},
    "direct": {"scan_width": 1, "activations": 32, "output_registers": False},
    "direct_pairs": {"scan_width": 2, "activations": 30, "output_registers": False},
}


def test_activation_file() -> None:
    units = {name: ActivationFile(Geometry(**variant)) for name, variant in VARIANTS.items()}
    simulate(SideBySide(units), "tests.hdl.bench_activation_file", parameters={"variants": VARIANTS})
