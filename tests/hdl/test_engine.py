"""The whole engine against golden, over geometries and plans."""

import pytest

from golden.geometry import Geometry
from hdl.engine import Engine
from tests.hdl.runner import simulate

SMALL = {"activations": 32, "accumulators": 32, "pointer_words": 64, "codebook_entries": 128, "steps": 16}
GEOMETRIES = {
    "one-pe": {
        **SMALL, "pes": 1, "matrix_words": 512, "word_entries": 1, "queue_depth": 1, "activations": 64,
    },
    "four-pes": {"pes": 4},
    "seven-pes-nine-bits": {
        **SMALL, "pes": 7, "entry_bits": 9, "word_entries": 4, "scan_width": 2, "matrix_words": 300,
        "queue_depth": 3,
    },
    "pairs": {"pes": 4, "scan_width": 2},
    "pairs-one": {
        **SMALL, "pes": 1, "scan_width": 2, "word_entries": 1, "matrix_words": 1024, "activations": 64,
    },
    "pairs-nine": {
        **SMALL, "pes": 9, "scan_width": 2, "word_entries": 4, "matrix_words": 256, "queue_depth": 2,
    },
    "pairs-paper": {
        **SMALL, "pes": 3, "scan_width": 2, "matrix_words": 512, "padding_zeros": True, "empty_columns": True,
    },
    "paper": {**SMALL, "pes": 5, "matrix_words": 512, "padding_zeros": True, "empty_columns": True},
    "pairs-padding-zeros": {
        **SMALL, "pes": 2, "scan_width": 2, "word_entries": 4, "matrix_words": 256, "padding_zeros": True,
    },
    "empty-columns": {**SMALL, "pes": 2, "word_entries": 4, "matrix_words": 256, "empty_columns": True},
    "pairs-empty-columns": {**SMALL, "pes": 2, "scan_width": 2, "matrix_words": 512, "empty_columns": True},
    "wide": {
        **SMALL, "pes": 18, "word_entries": 4, "matrix_words": 128, "accumulator_bits": 40, "queue_depth": 16,
        "accumulators": 20, "activations": 22,
    },
    "four-direct": {**SMALL, "pes": 4, "matrix_words": 512, "output_registers": False},
    "one-direct": {
        **SMALL, "pes": 1, "word_entries": 1, "matrix_words": 1024, "queue_depth": 1, "activations": 64,
        "output_registers": False,
    },
    "pairs-direct": {
        **SMALL, "pes": 5, "scan_width": 2, "word_entries": 4, "matrix_words": 300, "entry_bits": 9,
        "queue_depth": 2, "accumulator_bits": 40, "output_registers": False,
    },
    "paper-direct": {
        **SMALL, "pes": 3, "matrix_words": 512, "padding_zeros": True, "empty_columns": True,
        "output_registers": False,
    },
    "narrow": {
        **SMALL, "pes": 3, "accumulator_bits": 24, "word_entries": 1, "entry_bits": 9, "matrix_words": 1024,
    },
}  # fmt: skip
COVERED = ("pairs-empty-columns", "pairs-padding-zeros")
"""What they combine, others of these geometries have as well: long tests."""
NETWORKS = [
    {"sizes": [20, 30, 10]},
    {"sizes": [40, 40, 30, 10], "density": 0.1, "shift": 5},
    {"sizes": [60, 50], "density": 0.04, "index_bits": 5, "bias": 0},
    {"sizes": [30, 20], "density": 1.0, "empty_columns": 0.5, "index_bits": 2, "largest": 200},
    {"sizes": [1, 9, 1], "density": 0.9, "shift": 0, "largest": 20, "bias": 10},
    {"sizes": [50, 70, 3], "density": 0.15, "index_bits": 6},
    {"sizes": [60, 40, 20], "density": 0.2, "threshold": 900, "zeros": 0.2},
]
EDGE_CASES = [
    {"sizes": [40, 1], "batch": 3},
    {"sizes": [1, 40]},
    {"sizes": [1, 1], "density": 1.0},
    {"sizes": [30, 30, 5], "density": 0.3, "empty_columns": 0.7},
    {"sizes": [30, 30, 5], "zeros": 1.0, "batch": 1},
    {"sizes": [30, 30, 5], "zeros": 0.0, "batch": 1, "threshold": 32767},
    {"sizes": [30, 30, 5], "zeros": 0.0, "batch": 1, "threshold": 1},
    {"sizes": [20, 20], "density": 0.0},
    {"sizes": [40, 30, 10], "shift": 2, "zeros": 0.0, "batch": 4},
    {"sizes": [460, 60, 4], "density": 0.08, "index_bits": 6, "largest": 500},
    {"sizes": [40, 1], "batch": 1},
    {"sizes": [100, 30, 20], "density": 0.1},
]


@pytest.mark.parametrize("name", ["one-pe", "seven-pes-nine-bits", "pairs-one", "one-direct", "pairs-direct"])
def test_runs_edge_cases(name: str) -> None:
    geometry = GEOMETRIES[name]
    simulate(
        Engine(Geometry(**geometry)),
        "tests.hdl.bench_engine",
        parameters={
            "geometry": geometry,
            "networks": EDGE_CASES,
            "kinds": ["resident", "streamed"],
            "saturates": True,
        },
        testcase="runs_plans",
    )


@pytest.mark.parametrize("name", ["four-pes", "pairs"])
def test_runs_columns_as_long_as_pointers_allow(name: str) -> None:
    geometry = GEOMETRIES[name]
    simulate(
        Engine(Geometry(**geometry)),
        "tests.hdl.bench_engine",
        parameters={
            "geometry": geometry,
            "networks": [{"sizes": [12, 1020], "density": 1.0, "zeros": 0.2, "batch": 1}],
            "kinds": ["resident"],
        },
        testcase="runs_plans",
    )


@pytest.mark.parametrize("testcase", ["recovers", "takes_requests_in_their_order"])
def test_recovers(testcase: str) -> None:
    geometry = GEOMETRIES["seven-pes-nine-bits"]
    simulate(
        Engine(Geometry(**geometry)),
        "tests.hdl.bench_engine",
        parameters={"geometry": geometry},
        testcase=testcase,
    )


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name in COVERED else []) for name in GEOMETRIES]
)
def test_runs_plans(name: str) -> None:
    geometry = GEOMETRIES[name]
    small = {"largest": 8, "bias": 10} if geometry.get("accumulator_bits") == 24 else {}
    networks = [{**network, **small} for network in NETWORKS]
    simulate(
        Engine(Geometry(**geometry)),
        "tests.hdl.bench_engine",
        parameters={"geometry": geometry, "networks": networks, "stall": 0.1},
        testcase="runs_plans",
    )
