"""What a weight's curvature is, and that pruning by it harms less than pruning by size."""

import numpy as np
import pytest

from host.importance import SAMPLES, curvature, importance
from host.network import DenseLayer
from host.pruning import prune
from tests.host.test_train_masks import layers_of

STEP = 1e-3


def log_likelihoods(layers: list[DenseLayer], inputs: np.ndarray) -> np.ndarray:
    """Of every label, in float64, shape (samples, labels)."""
    values = inputs.astype(np.float64)
    for layer in layers:
        values = values @ layer.weights.astype(np.float64).T + layer.bias
        if layer.relu:
            values = np.maximum(values, 0)
    return values - np.log(np.exp(values).sum(axis=1, keepdims=True))


def moved(layers: list[DenseLayer], number: int, place: tuple[int, int], step: float) -> list[DenseLayer]:
    weights = layers[number].weights.astype(np.float64)
    weights[place] += step
    one = layers[number]
    return [
        *layers[:number],
        DenseLayer(weights=weights, bias=one.bias, relu=one.relu, name=one.name),
        *layers[number + 1 :],
    ]


@pytest.mark.parametrize("last_relu", [False, True])
def test_it_is_the_mean_squared_gradient_over_the_labels_that_the_network_expects(last_relu: bool) -> None:
    layers = layers_of((5, 6, 3), 4)
    if last_relu:
        end = layers[-1]
        layers[-1] = DenseLayer(weights=end.weights, bias=end.bias, relu=True, name=end.name)
    inputs = np.random.default_rng(5).standard_normal((7, 5)).astype(np.float32)
    found = curvature(layers, inputs)
    likely = np.exp(log_likelihoods(layers, inputs))
    for number, layer in enumerate(layers):
        assert found[number].shape == layer.weights.shape
        for place in np.ndindex(*layer.weights.shape):
            up, down = (log_likelihoods(moved(layers, number, place, step), inputs) for step in (STEP, -STEP))
            gradient = (up - down) / (2 * STEP)
            wanted = float((likely * gradient**2).sum(axis=1).mean())
            assert found[number][place] == pytest.approx(wanted, rel=1e-2, abs=1e-4)


def test_pruning_by_it_changes_the_outputs_less_than_pruning_by_size() -> None:
    layers = layers_of((20, 30, 6), 6)
    rng = np.random.default_rng(7)
    inputs = (rng.standard_normal((500, 20)) * np.geomspace(0.05, 1.0, 20)).astype(np.float32)
    before = np.exp(log_likelihoods(layers, inputs))

    def harm(masks: list[np.ndarray]) -> float:
        left = [
            DenseLayer(weights=np.where(mask, one.weights, 0), bias=one.bias, relu=one.relu, name=one.name)
            for mask, one in zip(masks, layers, strict=True)
        ]
        return float(-(before * log_likelihoods(left, inputs)).sum(axis=1).mean())

    by_size = prune([layer.weights for layer in layers], keep_global=0.5)
    by_importance = prune(importance(layers, inputs), keep_global=0.5)
    total = [sum(int(mask.sum()) for mask in masks) for masks in (by_size, by_importance)]
    assert total[0] == total[1] == 390
    assert harm(by_importance) < harm(by_size)


def test_zeros_are_never_kept() -> None:
    layers = layers_of((10, 20, 5), 8, density=0.2)
    inputs = np.random.default_rng(9).standard_normal((50, 10)).astype(np.float32)
    for mask, layer in zip(prune(importance(layers, inputs), keep_global=0.9), layers, strict=True):
        assert not mask[layer.weights == 0].any()


def test_many_samples_are_thinned_out_evenly() -> None:
    layers = layers_of((3, 4, 2), 10)
    inputs = np.random.default_rng(11).standard_normal((3 * SAMPLES, 3)).astype(np.float32)
    for whole, third in zip(curvature(layers, inputs), curvature(layers, inputs[::3]), strict=True):
        np.testing.assert_array_equal(whole, third)
