"""Weight sharing: exact where it can be, near the optimum where it cannot."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.codebook import assign
from golden.errors import UsageError
from host.network import DenseLayer
from host.sharing import centroids_for, cluster, share

WEIGHTS = st.floats(-100, 100, width=32).filter(lambda weight: weight != 0)


def dense(weights: np.ndarray) -> DenseLayer:
    matrix = np.asarray(weights, np.float32)
    return DenseLayer(weights=matrix, bias=np.arange(len(matrix), dtype=np.float32), relu=True, name="fc")


def error(weights: np.ndarray, weight_bits: int) -> float:
    layer = share(dense(weights), weights != 0, weight_bits)
    return float(np.mean((layer.weights() - weights) ** 2))


def best_error(ordered: np.ndarray, count: int) -> float:
    """Squared error of the best clusters, by dynamic programming over all intervals."""
    size = len(ordered)
    cost = np.full((size + 1, size + 1), np.inf)
    for low in range(size):
        for high in range(low + 1, size + 1):
            cost[low, high] = np.sum((ordered[low:high] - ordered[low:high].mean()) ** 2)
    best = np.full(size + 1, np.inf)
    best[0] = 0.0
    for _ in range(count):
        best = np.minimum(best, np.array([np.min(best + cost[:, high]) for high in range(size + 1)]))
    return float(best[size])


@given(st.lists(st.sampled_from([-3.5, -1.0, 0.0, 0.25, 2.0, 9.0]), min_size=1, max_size=30))
def test_few_distinct_weights_are_kept_exactly(values: list[float]) -> None:
    matrix = np.array([values], np.float32)
    layer = share(dense(matrix), matrix != 0, 4)
    np.testing.assert_array_equal(layer.weights(), matrix)
    assert layer.index_bits == max(1, len(set(values) - {0.0}).bit_length())


@given(st.lists(WEIGHTS, min_size=1, max_size=60), st.integers(2, 5))
def test_shared_weights_keep_mask_order_and_sign(values: list[float], weight_bits: int) -> None:
    matrix = np.array([values, values[::-1]], np.float32)
    mask = np.arange(matrix.size).reshape(matrix.shape) % 3 != 0
    layer = share(dense(matrix), mask, weight_bits)
    np.testing.assert_array_equal(layer.weights() != 0, mask)
    assert layer.codebook.shape == (1 << layer.index_bits,)
    assert layer.index_bits <= weight_bits
    assert layer.codebook[0] == 0
    assert layer.index.size == 0 or layer.index.min() > 0
    places = layer.column.astype(int) * layer.rows + layer.row
    assert np.all(np.diff(places) > 0)
    low, high = matrix.min(), matrix.max()
    assert np.all((layer.codebook >= min(low, 0)) & (layer.codebook <= max(high, 0)))


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=40), st.integers(1, 15))
def test_every_centroid_is_the_mean_of_the_values_nearest_to_it(values: list[float], count: int) -> None:
    ordered = np.sort(values)
    centroids = cluster(ordered, count)
    assert len(centroids) == min(count, len(set(values)))
    nearest = assign(ordered, centroids)
    means = [ordered[nearest == number].mean() for number in range(len(centroids))]
    np.testing.assert_allclose(centroids, means, rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_clusters_are_close_to_the_best_that_exist(seed: int) -> None:
    ordered = np.sort(1 + np.random.default_rng(seed).exponential(size=60))
    centroids = cluster(ordered, 7)
    found = np.sum((ordered - centroids[assign(ordered, centroids)]) ** 2)
    assert found <= 1.5 * best_error(ordered, 7)


@pytest.mark.parametrize("weight_bits", [3, 4, 6])
def test_pruned_normal_weights_lose_little(weight_bits: int) -> None:
    weights = np.random.default_rng(0).standard_normal((200, 200)).astype(np.float32)
    weights[np.abs(weights) < 1.6] = 0
    # evenly spaced values over both tails would err by a twelfth of the squared step, somewhat more here
    step = 2 * (np.abs(weights).max() - 1.6) / ((1 << weight_bits) - 1)
    assert error(weights, weight_bits) < np.mean(weights != 0) * step**2 / 12


def test_an_outlier_does_not_cost_the_others_their_centroids() -> None:
    weights = np.random.default_rng(0).uniform(1, 2, (50, 50)).astype(np.float32)
    weights[0, 0] = 10_000
    assert error(weights, 4) < 2 * (1 / 14) ** 2 / 12


def test_sharing_is_the_same_every_time() -> None:
    weights = np.random.default_rng(0).standard_normal((60, 60)).astype(np.float32)
    first, second = (share(dense(weights), weights != 0, 4) for _ in range(2))
    np.testing.assert_array_equal(first.codebook, second.codebook)
    np.testing.assert_array_equal(first.index, second.index)


def test_a_layer_without_weights_has_a_codebook_of_zeros() -> None:
    layer = share(dense(np.zeros((2, 3))), np.zeros((2, 3), dtype=bool), 4)
    assert (layer.index_bits, layer.index.size) == (1, 0)
    np.testing.assert_array_equal(layer.codebook, [0, 0])


def test_centroids_go_where_the_weights_are() -> None:
    values = np.concatenate([np.linspace(-10, -1, 900), [0.5, 0.6]])
    centroids = centroids_for(values, 3, "fc")
    assert (np.sum(centroids < 0), np.sum(centroids > 0)) == (6, 1)


def test_one_value_for_both_signs_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^layer fc has weights of both signs"):
        share(dense(np.array([[1.0, -2.0]])), np.ones((1, 2), dtype=bool), 1)
    assert share(dense(np.array([[1.0, 2.0]])), np.ones((1, 2), dtype=bool), 1).codebook.tolist() == [0, 1.5]


@pytest.mark.parametrize("weight_bits", [0, 9])
def test_impossible_weight_bits_are_refused(weight_bits: int) -> None:
    with pytest.raises(UsageError, match=r"^--weight-bits must be from 1 to 8"):
        share(dense(np.ones((1, 1))), np.ones((1, 1), dtype=bool), weight_bits)
