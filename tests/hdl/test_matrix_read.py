"""Sparse-matrix read over geometries."""

from golden.geometry import Geometry
from hdl.matrix_read import MatrixRead
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide

VARIANTS = {
    "one_entry": {"word_entries": 1, "entry_bits": 9, "matrix_words": 700, "accumulator_bits": 24},
    "two_entries": {"word_entries": 2, "matrix_words": 2048},
    "four_entries": {"word_entries": 4, "entry_bits": 9, "matrix_words": 300, "accumulator_bits": 40},
    "few_words": {"word_entries": 2, "matrix_words": 128, "accumulators": 256},
    "direct": {"word_entries": 2, "matrix_words": 2048, "output_registers": False},
    "direct_one": {"word_entries": 1, "matrix_words": 700, "output_registers": False},
    "direct_pairs": {
        "word_entries": 4, "matrix_words": 300, "scan_width": 2, "accumulator_bits": 40,
        "output_registers": False,
    },
    "direct_paper": {
        "word_entries": 4, "matrix_words": 256, "padding_zeros": True, "empty_columns": True,
        "output_registers": False,
    },
    "paper": {"word_entries": 4, "matrix_words": 256, "padding_zeros": True, "empty_columns": True},
    "pairs": {"word_entries": 1, "entry_bits": 9, "matrix_words": 1100, "scan_width": 2},
    "pairs_of_two": {"word_entries": 2, "matrix_words": 600, "scan_width": 2},
    "pairs_of_four": {"word_entries": 4, "matrix_words": 300, "scan_width": 2, "accumulator_bits": 40},
    "paper_pairs": {
        "word_entries": 4, "matrix_words": 256, "scan_width": 2, "padding_zeros": True, "empty_columns": True,
    },
    "empty_columns": {"word_entries": 4, "matrix_words": 256, "scan_width": 2, "empty_columns": True},
}  # fmt: skip


def test_matrix_read() -> None:
    units = {name: MatrixRead(Geometry(**variant)) for name, variant in VARIANTS.items()}
    simulate(SideBySide(units), "tests.hdl.bench_matrix_read", parameters={"variants": VARIANTS})


def test_reads_wait_for_writes_where_memories_have_one_port() -> None:
    variants = {name: variant for name, variant in VARIANTS.items() if "direct" in name}
    units = {name: MatrixRead(Geometry(**variant)) for name, variant in variants.items()}
    simulate(
        SideBySide(units),
        "tests.hdl.bench_matrix_read",
        parameters={"variants": variants},
        testcase="is_written_while_it_reads",
        single_port=True,
    )
