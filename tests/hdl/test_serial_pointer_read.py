"""Pointer read in pieces over geometries."""

from golden.geometry import Geometry
from hdl.serial_pointer_read import SerialPointerRead
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide

VARIANTS = {
    name: {**variant, "output_registers": False}
    for name, variant in {
        "plain": {"pointer_words": 170, "word_entries": 2},
        "split": {"pointer_words": 240, "word_entries": 2},
        "wide_base": {"pointer_words": 60, "word_entries": 4, "matrix_words": 65536},
        "paper": {"pointer_words": 64, "padding_zeros": True, "empty_columns": True},
        "pairs": {"pointer_words": 100, "word_entries": 4, "matrix_words": 300, "scan_width": 2},
        "paper_pairs": {"pointer_words": 64, "scan_width": 2, "empty_columns": True, "padding_zeros": True},
        "padding_zeros": {"pointer_words": 64, "scan_width": 2, "padding_zeros": True},
    }.items()
}


def test_serial_pointer_read() -> None:
    units = {name: SerialPointerRead(Geometry(**variant)) for name, variant in VARIANTS.items()}
    simulate(SideBySide(units), "tests.hdl.bench_pointer_read", parameters={"variants": VARIANTS})
