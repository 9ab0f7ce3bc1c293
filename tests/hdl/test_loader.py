"""The loader with several shapes of memory."""

import pytest

from golden.geometry import Geometry
from hdl.loader import Loader
from tests.hdl.runner import simulate

GEOMETRIES = {
    "even": {"pes": 4, "matrix_words": 64, "pointer_words": 32, "accumulators": 16, "activations": 16,
             "codebook_entries": 16, "steps": 4},
    "odd": {"pes": 7, "matrix_words": 51, "pointer_words": 21, "accumulators": 13, "activations": 11,
            "codebook_entries": 9, "steps": 3, "entry_bits": 9, "word_entries": 4, "accumulator_bits": 40},
    "large": {"pes": 1, "matrix_words": 65536, "pointer_words": 65536, "word_entries": 1, "steps": 256},
}  # fmt: skip


@pytest.mark.parametrize("name", GEOMETRIES)
def test_loader(name):
    geometry = GEOMETRIES[name]
    simulate(
        Loader(Geometry(**geometry)),
        "tests.hdl.bench_loader",
        parameters={"geometry": geometry, "stall": 0.3},
    )
