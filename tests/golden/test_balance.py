"""Placement by load: every row once, and no PE with much more work than another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from golden import balance as balancing
from golden.balance import by_load
from golden.layers import Layer
from golden.placement import Placement, interleaved
from tests.networks import random_layer


def layer_of(pattern: np.ndarray) -> Layer:
    """A layer with weights where the pattern is true."""
    return Layer.from_indices(pattern.astype(np.int64), [0, 1], np.zeros(pattern.shape[0], dtype=np.int64))


def lognormal(rng: np.random.Generator, rows: int, columns: int) -> Layer:
    """A layer whose rows differ much in their number of weights."""
    share = np.minimum(rng.lognormal(-2.5, 1.0, rows), 1.0)
    return layer_of(rng.random((rows, columns)) < share[:, np.newaxis])


def uniform(rng: np.random.Generator, rows: int, columns: int) -> Layer:
    """A layer whose rows are alike."""
    return random_layer(rng, rows, columns, 0.15)


def loads(layer: Layer, placement: Placement, activity: np.ndarray | None = None) -> np.ndarray:
    """Work of each PE: its weights, each counted as often as its column is active."""
    weight = np.ones(layer.columns) if activity is None else activity
    return np.bincount(placement.pe[layer.row], weights=weight[layer.column], minlength=placement.pes)


def balance(layer: Layer, placement: Placement, activity: np.ndarray | None = None) -> float:
    """Mean over largest load; 1 is perfect."""
    found = loads(layer, placement, activity)
    return float(found.mean() / found.max())


@given(
    rows=st.integers(1, 70),
    columns=st.integers(1, 20),
    pes=st.integers(1, 12),
    density=st.sampled_from([0.0, 0.1, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_row_has_one_place_and_no_slot_is_wasted(rows, columns, pes, density, seed):
    layer = layer_of(np.random.default_rng(seed).random((rows, columns)) < density)
    placement = by_load(layer, pes)
    assert (placement.rows, placement.pes, placement.slots) == (rows, pes, -(-rows // pes))
    assert np.unique(placement.column_names()).size == rows
    for pe in range(pes):
        slots = placement.slot[placement.pe == pe]
        assert slots.tolist() == list(range(slots.size)), "rows of a PE keep their order"


@pytest.mark.parametrize("make", [uniform, lognormal])
@pytest.mark.parametrize("pes", [2, 4, 7, 16])
@pytest.mark.parametrize("seed", range(3))
def test_work_is_spread_better_than_interleaved(make, pes, seed):
    layer = make(np.random.default_rng(seed), 150, 80)
    found = balance(layer, by_load(layer, pes))
    assert found >= balance(layer, interleaved(layer.rows, pes))
    if pes <= 7:
        assert found > 0.97


def test_rows_that_share_columns_are_kept_apart():
    """Two halves of the rows use one half of the columns each: a PE gets as many of either."""
    pattern = np.zeros((16, 40), dtype=bool)
    pattern[:8, :20] = pattern[8:, 20:] = True
    placement = by_load(layer_of(pattern), 4)
    for pe in range(4):
        rows = np.flatnonzero(placement.pe == pe)
        assert np.count_nonzero(rows < 8) == np.count_nonzero(rows >= 8) == 2


def spread(layer: Layer, placement: Placement) -> float:
    """Sum over columns of the squared differences between the PEs' weights and their mean."""
    counts = np.zeros((placement.pes, layer.columns))
    np.add.at(counts, (placement.pe[layer.row], layer.column), 1)
    return float(((counts - counts.mean(axis=0)) ** 2).sum())


@pytest.mark.parametrize("make", [uniform, lognormal])
@pytest.mark.parametrize("seed", range(3))
def test_local_search_evens_the_columns_out(make, seed, monkeypatch):
    layer = make(np.random.default_rng(seed), 200, 120)
    searched = by_load(layer, 8)
    monkeypatch.setattr(balancing, "SWEEPS", 0)
    greedy = by_load(layer, 8)
    assert spread(layer, searched) < 0.97 * spread(layer, greedy)
    assert balance(layer, searched) > 0.99


@pytest.mark.parametrize("make", [uniform, lognormal])
def test_every_exchange_lowers_the_expected_spread(make, monkeypatch):
    """What docs promise: sum of a n**2 plus the square of sum of a n, over PEs, falls with every exchange."""
    layer = make(np.random.default_rng(4), 60, 40)
    activity = np.random.default_rng(5).random(40)
    monkeypatch.setattr(balancing, "EXCHANGES", 1)
    monkeypatch.setattr(balancing, "_even_loads", lambda places, rows: None)
    found = []
    for sweeps in range(4):
        monkeypatch.setattr(balancing, "SWEEPS", sweeps)
        placement = by_load(layer, 2, activity)
        counts = np.zeros((2, 40))
        np.add.at(counts, (placement.pe[layer.row], layer.column), 1)
        found.append(float((activity * counts**2).sum() + ((counts @ activity) ** 2).sum()))
    assert found[0] > found[1] and sorted(found, reverse=True) == found


def test_a_row_moves_to_an_unused_place():
    """Loads 6, 3, 3, 2, 2, 2, 2 on three PEs of three places: one PE may hold two rows or three."""
    counts = np.array([6, 3, 3, 2, 2, 2, 2])
    pattern = np.zeros((7, counts.sum()), dtype=bool)
    pattern[np.repeat(np.arange(7), counts), np.arange(counts.sum())] = True
    layer = layer_of(pattern)
    assert max(loads(layer, by_load(layer, 3))) == 7


def test_columns_count_as_often_as_they_are_active():
    rng = np.random.default_rng(5)
    layer = lognormal(rng, 120, 60)
    activity = rng.choice([0.02, 1.0], 60)
    weighted, plain = by_load(layer, 4, activity), by_load(layer, 4)
    assert balance(layer, weighted, activity) > balance(layer, plain, activity)
    assert balance(layer, weighted, activity) > 0.97
    assert_array_equal(by_load(layer, 4, np.full(60, 0.5)).pe, plain.pe)


def test_the_same_layer_gets_the_same_places():
    layer = lognormal(np.random.default_rng(6), 90, 50)
    first, second = by_load(layer, 6), by_load(layer, 6)
    assert_array_equal(first.pe, second.pe)
    assert_array_equal(first.slot, second.slot)


def test_one_exchange_evens_two_pes_out():
    """Loads 7, 6, 5, 4, 3, 3 on two PEs of three rows each: 14 on both is possible, and is found."""
    counts = np.array([7, 6, 5, 4, 3, 3])
    pattern = np.zeros((6, counts.sum()), dtype=bool)
    pattern[np.repeat(np.arange(6), counts), np.arange(counts.sum())] = True
    layer = layer_of(pattern)
    assert loads(layer, by_load(layer, 2)).tolist() == [14, 14]


@pytest.mark.parametrize("pes", [1, 5])
def test_a_layer_without_weights_is_placed(pes):
    placement = by_load(layer_of(np.zeros((9, 3), dtype=bool)), pes)
    assert placement.slots == -(-9 // pes)
