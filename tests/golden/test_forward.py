"""The integer forward pass, against exact matrix products in Python integers."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.fixed_point import requantise, wrap
from golden.forward import forward, layer_forward
from golden.layers import Layer, Model
from tests.networks import random_layer, random_model


def exact_sums(layer: Layer, activations: np.ndarray) -> np.ndarray:
    """Sums of a layer in Python's unbounded integers."""
    return activations.astype(object) @ layer.weights().astype(object).T + layer.bias.astype(object)


@given(st.integers(0, 2**32), st.integers(1, 20), st.integers(1, 20), st.integers(24, 40), st.booleans())
def test_a_layer_equals_exact_arithmetic(seed: int, rows: int, columns: int, bits: int, relu: bool) -> None:
    rng = np.random.default_rng(seed)
    layer = random_layer(rng, rows, columns, rng.random(), relu=relu, largest=32767, bias=2**23, shift=15)
    activations = rng.integers(-32768, 32768, (3, columns))
    activations[rng.random(activations.shape) < 0.4] = 0
    outputs, accumulators, saturations = layer_forward(layer, activations, bits)
    expected = wrap(np.array(exact_sums(layer, activations), dtype=np.int64), bits)
    np.testing.assert_array_equal(accumulators, expected)
    wanted, clipped = requantise(expected, layer.shift, relu)
    np.testing.assert_array_equal(outputs, wanted)
    assert saturations == clipped


def test_layers_follow_one_another_and_saturations_add_up() -> None:
    rng = np.random.default_rng(2)
    model = random_model(rng, [30, 20, 10, 5], 0.5, largest=30000, shift=12)
    source = rng.integers(-30000, 30000, (4, 30))
    outputs, total = forward(model, source)
    expected_total = 0
    for layer in model.layers:
        source, _, clipped = layer_forward(layer, source)
        expected_total += clipped
    np.testing.assert_array_equal(outputs, source)
    assert total == expected_total > 0


@pytest.mark.parametrize("threshold", [1, 300, 20000, 32767, 32768])
def test_a_threshold_prunes_the_inputs_of_every_layer(threshold: int) -> None:
    rng = np.random.default_rng(threshold)
    model = random_model(rng, [30, 20, 10, 5], 0.5, largest=30000, shift=14, bias=1 << 20)
    source = rng.integers(-32768, 32768, (4, 30))
    source[0, :6] = [threshold, -threshold, threshold + 1, -threshold - 1, 0, -32768]
    source = np.clip(source, -32768, 32767)
    outputs, total = forward(model, source, threshold=threshold)
    expected_total = 0
    for layer in model.layers:
        pruned = np.where(np.abs(source) <= threshold, 0, source)
        source, _, clipped = layer_forward(layer, pruned)
        expected_total += clipped
    np.testing.assert_array_equal(outputs, source)
    assert total == expected_total


def test_a_threshold_leaves_the_outputs_alone() -> None:
    model = Model(layers=(Layer.from_indices(np.zeros((2, 3), dtype=np.int64), [0, 1], [4, -4]),))
    assert forward(model, [[1, 2, 3]], threshold=100)[0].tolist() == [[4, -4]]


def test_a_threshold_of_zero_prunes_nothing() -> None:
    rng = np.random.default_rng(3)
    model = random_model(rng, [30, 20], 0.5)
    source = rng.integers(-3, 4, (4, 30))
    np.testing.assert_array_equal(forward(model, source, threshold=0)[0], forward(model, source)[0])


def test_zero_activations_give_the_bias() -> None:
    layer = random_layer(np.random.default_rng(0), 6, 5, 0.5, shift=0, relu=False)
    outputs, accumulators, _ = layer_forward(layer, np.zeros((2, 5), dtype=np.int16))
    np.testing.assert_array_equal(accumulators, [layer.bias, layer.bias])
    np.testing.assert_array_equal(outputs, accumulators)


def test_sums_wrap_instead_of_saturating() -> None:
    layer = Layer.from_indices(np.ones((1, 300), dtype=np.int64), [0, 32767], [0])
    activations = np.full((1, 300), 32767)
    _, accumulators, _ = layer_forward(layer, activations, 32)
    assert accumulators.tolist() == [[(300 * 32767**2 + 2**31) % 2**32 - 2**31]]


def test_a_layer_without_weights_runs() -> None:
    layer = Layer.from_indices(np.zeros((2, 3), dtype=np.int64), [0, 1], [4, -4])
    assert layer_forward(layer, [[1, 2, 3]])[0].tolist() == [[4, -4]]


@pytest.mark.parametrize(
    "activations", [np.zeros(5, int), np.zeros((1, 4), int), np.zeros((1, 5)), np.full((1, 5), 32768)]
)
def test_other_activations_are_refused(activations: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"^activations must"):
        layer_forward(random_layer(np.random.default_rng(0), 6, 5), activations)


def test_alex_7_takes_less_than_half_a_second_a_vector() -> None:
    rng = np.random.default_rng(0)
    layer = random_layer(rng, 4096, 4096, 0.09)
    activations = rng.integers(-1000, 1000, (1, 4096))
    activations[rng.random(activations.shape) > 0.353] = 0
    start = time.process_time()
    layer_forward(layer, activations)
    assert time.process_time() - start < 0.5
