"""One processing element, on its own, over geometries."""

from golden.geometry import Geometry
from hdl.processing_element import ProcessingElement
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide

SMALL = {
    "pes": 1,
    "matrix_words": 512,
    "pointer_words": 64,
    "accumulators": 32,
    "activations": 64,
    "codebook_entries": 128,
    "steps": 16,
}
VARIANTS = {
    "plain": SMALL,
    "pairs": {
        **SMALL,
        "entry_bits": 9,
        "word_entries": 4,
        "scan_width": 2,
        "queue_depth": 1,
        "matrix_words": 200,
    },
    "narrow_pairs": {**SMALL, "word_entries": 1, "scan_width": 2, "matrix_words": 1024},
    "direct": {**SMALL, "output_registers": False},
    "direct_pairs": {**SMALL, "scan_width": 2, "queue_depth": 1, "output_registers": False},
    "paper": {
        **SMALL,
        "padding_zeros": True,
        "empty_columns": True,
        "accumulator_bits": 40,
        "word_entries": 1,
        "matrix_words": 1024,
    },
}


def test_processing_element() -> None:
    units = {name: ProcessingElement(Geometry(**variant)) for name, variant in VARIANTS.items()}
    simulate(SideBySide(units), "tests.hdl.bench_processing_element", parameters={"variants": VARIANTS})
