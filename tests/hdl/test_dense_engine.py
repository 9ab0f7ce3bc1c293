"""The dense engine against golden, over lanes and kinds of products."""

from typing import Any

import pytest

from golden.dense import DenseGeometry
from hdl.dense_engine import DenseEngine
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
NETWORKS = [[64, 50, 10], [20, 33, 7, 2], [5, 40, 9]]


@pytest.mark.parametrize("name", VARIANTS)
def test_follows_golden(name: str) -> None:
    geometry = VARIANTS[name]
    simulate(
        DenseEngine(DenseGeometry(**geometry)),
        "tests.hdl.bench_dense_engine",
        parameters={"geometry": geometry, "seed": 1, "networks": NETWORKS, "random": 12},
    )
