"""The dense engine against golden, over lanes and kinds of products."""

from pathlib import Path
from typing import Any

import pytest

from golden.dense import DenseGeometry
from hdl.dense_engine import DenseEngine
from hdl.dense_lanes import DenseLanes
from tests.hdl.runner import simulate

SMALL = {"weight_words": 1024, "activations": 64, "biases": 192, "layers": 6}
VARIANTS: dict[str, dict[str, Any]] = {
    "two": {**SMALL, "lanes": 2, "weight_words": 4096},
    "four": {**SMALL, "lanes": 4, "products": "lut", "weight_words": 2048, "single_port": True},
    "six": {**SMALL, "lanes": 6, "products": "packed", "accumulator_bits": 24},
    "ten": {**SMALL, "lanes": 10, "single_port": True, "activations": 70},
    "sixteen": {**SMALL, "lanes": 16, "products": "packed"},
    "thirty": {**SMALL, "lanes": 30, "products": "lut", "accumulator_bits": 27},
}
MODELS = Path(__file__).parent / "models"
NETWORKS = [[64, 50, 10], [20, 33, 7, 2], [5, 40, 9]]


@pytest.mark.parametrize("name", VARIANTS)
def test_follows_golden(name: str) -> None:
    geometry = VARIANTS[name]
    simulate(
        DenseEngine(DenseGeometry(**geometry)),
        "tests.hdl.bench_dense_engine",
        parameters={"geometry": geometry, "seed": 1, "networks": NETWORKS, "random": 12},
    )


def test_follows_golden_in_primitives() -> None:
    """The UP5K's multipliers and single-port memories."""
    geometry = VARIANTS["ten"]
    simulate(
        DenseEngine(DenseGeometry(**geometry), primitives="ice40"),
        "tests.hdl.bench_dense_engine",
        parameters={"geometry": geometry, "seed": 2, "networks": NETWORKS, "random": 4},
        models="".join((MODELS / f"ice40_{what}.v").read_text() for what in ("multiplier", "memory")),
    )


def test_too_many_words_for_single_port_memory() -> None:
    geometry = DenseGeometry(weight_words=16385, single_port=True)
    with pytest.raises(
        ValueError, match=r"^Weight words must be at most 16384 in single-port RAM, not 16385$"
    ):
        DenseLanes(geometry, primitives="ice40")
