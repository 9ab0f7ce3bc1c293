"""Sizes of a layer in the file: what is said is what is written, and it is close to the entropy."""

import numpy as np
import pytest

from golden import bits, model_coding, model_weights
from golden.layers import Layer
from golden.model import stored_values
from host.calibration import Ranges, to_model
from host.layer_sizes import entropy, layer_sizes
from host.network import DenseLayer, SharedNetwork
from host.pruning import prune
from host.sharing import share
from tests.networks import random_layer


def trained_layer(rng: np.random.Generator, rows: int, columns: int, keep: float, weight_bits: int) -> Layer:
    """A layer like a trained one: bell-shaped, rows and columns of unlike strength, pruned and shared."""
    strength = np.outer(np.exp(0.2 * rng.standard_normal(rows)), np.exp(0.4 * rng.standard_normal(columns)))
    weights = (strength * rng.standard_normal((rows, columns))).astype(np.float32)
    dense = DenseLayer(weights=weights, bias=np.zeros(rows, np.float32), relu=True, name="fc")
    shared = share(dense, prune([weights], keep)[0], weight_bits)
    model, _ = to_model(SharedNetwork(layers=(shared,)), Ranges((8.0, 1000.0), ""))
    return model.layers[0]


@pytest.mark.parametrize("keep", [0.02, 0.05, 0.09, 0.25, 0.5, 0.7, 0.8, 0.9, 1.0])
@pytest.mark.parametrize("index_bits", [2, 3, 4, 6])
@pytest.mark.parametrize("kind", ["random", "trained"])
def test_large_layers_come_within_three_percent_of_the_entropy(
    kind: str, index_bits: int, keep: float
) -> None:
    rng = np.random.default_rng(7)
    rows, columns = (700, 900) if keep < 0.1 else (300, 400)
    if kind == "random":
        layer = random_layer(rng, rows, columns, keep, index_bits=index_bits)
    else:
        layer = trained_layer(rng, rows, columns, keep, index_bits)
    assert layer.nnz > 10_000
    sizes = layer_sizes(layer)
    assert 8 * sizes.coded_bytes <= 1.03 * layer.nnz * (sizes.index_entropy + sizes.run_entropy)
    assert sizes.coded_bytes < sizes.packed_bytes


@pytest.mark.parametrize("keep", [0.0, 0.01, 0.3, 0.9])
@pytest.mark.parametrize("size", [3, 30, 200])
def test_what_is_said_is_what_is_written(size: int, keep: float) -> None:
    layer = random_layer(np.random.default_rng(size), size, size, keep)
    coding = model_coding.plan(layer, stored_values(layer))
    writer = bits.Writer()
    model_weights.write(writer, layer, coding)
    said = layer_sizes(layer)
    items = coding.order.places if coding.form == "dense" else layer.nnz
    spare = 8 + (2 + items // 4096 if items > 4096 else 0)  # form and number; what fills up blocks
    assert said.form == coding.form
    assert said.coded_bytes <= len(writer.finish()) <= said.coded_bytes + spare


def test_figures_of_a_small_layer() -> None:
    layer = Layer.from_indices([[1, 0, 2, 1, 0, 0, 0, 0, 3, 0]], [0, 5, 6, -7], [0])
    sizes = layer_sizes(layer)
    assert (sizes.form, sizes.packed_bytes, sizes.coded_bytes) == ("packed", 3, 3)
    assert sizes.index_entropy == 1.5
    assert (sizes.index_bits_packed, sizes.run_bits_packed) == (3.0, 1.5)
    assert sizes.run_entropy == 1.5


def test_entropy_of_nothing_is_zero() -> None:
    assert entropy(np.zeros(3, dtype=np.int64)) == 0.0
