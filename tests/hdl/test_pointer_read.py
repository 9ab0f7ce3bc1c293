"""Pointer read over geometries."""

from golden.geometry import Geometry
from hdl.pointer_read import PointerRead
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide

VARIANTS = {
    "narrow": {"pointer_words": 40, "word_entries": 1, "matrix_words": 500},
    "wide": {"pointer_words": 256, "word_entries": 4, "matrix_words": 65536, "entry_bits": 9},
    "paper": {"pointer_words": 64, "padding_zeros": True, "empty_columns": True},
    "pairs": {"pointer_words": 40, "word_entries": 1, "matrix_words": 500, "scan_width": 2},
    "wide_pairs": {"pointer_words": 256, "word_entries": 4, "matrix_words": 65536, "scan_width": 2},
    "paper_pairs": {"pointer_words": 64, "scan_width": 2, "padding_zeros": True, "empty_columns": True},
    "empty_columns": {"pointer_words": 64, "scan_width": 2, "empty_columns": True},
    "padding_zeros": {"pointer_words": 64, "scan_width": 2, "padding_zeros": True},
}  # fmt: skip


def test_pointer_read() -> None:
    units = {name: PointerRead(Geometry(**variant)) for name, variant in VARIANTS.items()}
    simulate(SideBySide(units), "tests.hdl.bench_pointer_read", parameters={"variants": VARIANTS})
