"""Optimal clusters, against all that there are."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.codebook import assign
from golden.errors import UsageError
from host import exact_clusters
from host.bench_sharing import markdown, measure
from host.exact_clusters import Clusterings, best_counts
from host.network import DenseLayer
from host.sharing import centroids_for, share

FEW = st.lists(st.integers(-40, 40).map(lambda value: value / 8), min_size=1, max_size=10)


def spread(values: np.ndarray) -> float:
    return float(np.sum((values - values.mean()) ** 2))


def brute_force(ordered: np.ndarray, count: int) -> float:
    """Least error of all ways to cut sorted values into `count` intervals or fewer."""
    return min(
        sum(spread(part) for part in np.split(ordered, cuts))
        for cut in range(min(count, ordered.size))
        for cuts in combinations(range(1, ordered.size), cut)
    )


def squared(values: np.ndarray, centroids: np.ndarray) -> float:
    return float(np.sum((values - centroids[assign(values, centroids)]) ** 2))


@given(FEW, st.integers(1, 6))
def test_clusters_are_the_best_of_all(values: list[float], count: int) -> None:
    ordered = np.sort(values)
    found = Clusterings(ordered, count)
    best = brute_force(ordered, count)
    assert found.error(count) == pytest.approx(best, abs=1e-9)
    starts = found.starts(count)
    assert starts[0] == 0
    assert len(starts) == min(count, len(set(values)))
    assert sum(spread(part) for part in np.split(ordered, starts[1:])) == pytest.approx(best, abs=1e-9)


@given(FEW, FEW, st.integers(2, 7))
def test_the_split_between_the_signs_is_the_best_of_all(
    low: list[float], high: list[float], count: int
) -> None:
    negative, positive = -5.25 - np.sort(low)[::-1] / 8, 5.25 + np.sort(high) / 4
    counts = best_counts([Clusterings(side, count) for side in (negative, positive)], count)
    assert sum(counts) == count
    best = min(brute_force(negative, part) + brute_force(positive, count - part) for part in range(1, count))
    found = brute_force(negative, counts[0]) + brute_force(positive, counts[1])
    assert found == pytest.approx(best, abs=1e-9)
    centroids = centroids_for(np.concatenate([positive, negative]), 3, "fc")
    both = min(brute_force(negative, part) + brute_force(positive, 7 - part) for part in range(1, 7))
    assert squared(np.concatenate([negative, positive]), centroids) <= both + 1e-9


@pytest.mark.parametrize("draw", ["normal", "lognormal"])
@pytest.mark.parametrize("weight_bits", [2, 4, 7])
def test_never_worse_than_lloyd_on_pruned_weights(draw: str, weight_bits: int) -> None:
    rng = np.random.default_rng(weight_bits)
    size = 3000
    values = (
        rng.normal(size=size) if draw == "normal" else rng.lognormal(0, 1.5, size) * rng.choice([-1, 1], size)
    )
    values = values[np.abs(values) > 1].astype(np.float32)
    exact = squared(values, centroids_for(values, weight_bits, "fc", "exact"))
    lloyd = squared(values, centroids_for(values, weight_bits, "fc", "lloyd"))
    assert exact <= lloyd * (1 + 1e-9)
    if weight_bits == 7:
        assert exact < 0.9 * lloyd


def test_long_rows_agree_with_a_row_by_row_search() -> None:
    """All of D for 300 values, the slow way."""
    rng = np.random.default_rng(5)
    ordered = np.sort(rng.exponential(size=300).round(2))
    size, most = ordered.size, 12
    cost = np.full((size + 1, size + 1), np.inf)
    for low in range(size):
        for high in range(low + 1, size + 1):
            cost[low, high] = spread(ordered[low:high])
    row = np.full(size + 1, np.inf)
    row[0] = 0.0
    found = Clusterings(ordered, most)
    for count in range(1, most + 1):
        row = np.min(row[:, None] + cost, axis=0)
        assert found.error(count) == pytest.approx(row[size], rel=1e-9)


def test_very_many_values_are_grouped_and_lose_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ordered = np.sort(np.random.default_rng(0).exponential(size=40_000)).astype(np.float32)
    best = Clusterings(ordered, 15).error(15)
    monkeypatch.setattr(exact_clusters, "WORK", 1)
    grouped = Clusterings(ordered, 15)
    assert exact_clusters.GROUPS / 2 < grouped.points <= exact_clusters.GROUPS
    assert best < grouped.error(15) < best * (1 + 1e-5)
    centroids = centroids_for(ordered, 4, "fc")
    assert squared(ordered.astype(float), centroids) < best * (1 + 1e-6)


@settings(max_examples=30)
@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=200), st.integers(1, 30))
def test_more_clusters_never_err_more_and_help_less_and_less(values: list[float], most: int) -> None:
    found = Clusterings(np.sort(values), most + 2)
    errors = np.array([found.error(count) for count in range(1, most + 3)])
    slack = 1e-9 * errors[0]
    assert np.all(np.diff(errors) <= slack)
    assert np.all(np.diff(errors, 2) >= -slack)


def test_a_way_of_sharing_that_there_is_none_of_is_refused() -> None:
    layer = DenseLayer(
        weights=np.ones((1, 1), np.float32), bias=np.zeros(1, np.float32), relu=True, name="fc"
    )
    with pytest.raises(UsageError, match=r"^--sharing must be exact or lloyd, not 'best'"):
        share(layer, np.ones((1, 1), dtype=bool), 4, "best")  # type: ignore[arg-type]


def test_the_table_of_gains_is_made_of_both_ways() -> None:
    weights = np.random.default_rng(1).standard_normal(400).astype(np.float32)
    gain = measure("random", weights[np.abs(weights) > 0.5], 5)
    assert 0 < gain.exact < gain.lloyd < 0.2
    line = markdown([gain]).splitlines()[-1]
    assert line.startswith(
        f"| random | {gain.weights} | 5 | {100 * gain.lloyd:.2f} % | {100 * gain.exact:.2f} % |"
    )
