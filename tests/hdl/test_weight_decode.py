"""Weight decode over geometries."""

import pytest

from golden.geometry import Geometry
from hdl.weight_decode import WeightDecode
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide

VARIANTS = {
    "one_entry": {"word_entries": 1, "accumulator_bits": 40},
    "two_entries": {"word_entries": 2, "entry_bits": 9, "accumulators": 4096},
    "four_entries": {"word_entries": 4, "codebook_entries": 300, "accumulators": 1000},
    "paper": {"word_entries": 2, "accumulator_bits": 24, "padding_zeros": True, "empty_columns": True},
    "pairs": {"word_entries": 1, "scan_width": 2},
    "pairs_of_two": {"word_entries": 2, "entry_bits": 9, "scan_width": 2, "accumulators": 1000},
    "pairs_of_four": {"word_entries": 4, "scan_width": 2, "accumulators": 1000},
    "padding_zeros": {"word_entries": 4, "scan_width": 2, "padding_zeros": True},
    "empty_columns": {"word_entries": 2, "scan_width": 2, "empty_columns": True},
}


@pytest.mark.parametrize("output_registers", [True, False], ids=["registers", "direct"])
def test_weight_decode(output_registers: bool) -> None:
    variants = {name: {**sizes, "output_registers": output_registers} for name, sizes in VARIANTS.items()}
    units = {name: WeightDecode(Geometry(**variant)) for name, variant in variants.items()}
    simulate(SideBySide(units), "tests.hdl.bench_weight_decode", parameters={"variants": variants})
