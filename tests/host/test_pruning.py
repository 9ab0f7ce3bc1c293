"""Magnitude pruning: how many weights stay, and which."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.errors import UsageError
from host.pruning import keep_largest, prune

MAGNITUDES = st.lists(st.sampled_from([0.0, 0.5, 1.0, 1.0, 2.0, 7.5]), min_size=1, max_size=40)


@given(MAGNITUDES, st.integers(1, 50))
def test_the_largest_stay_and_of_equal_ones_the_first(values: list[float], count: int) -> None:
    order = sorted(range(len(values)), key=lambda place: (-values[place], place))[:count]
    expected = [place in order and values[place] != 0 for place in range(len(values))]
    assert keep_largest(np.array(values), count).tolist() == expected


def test_each_layer_keeps_its_share() -> None:
    rng = np.random.default_rng(0)
    matrices = [(scale * rng.standard_normal((20, 30))).astype(np.float32) for scale in (1, 100)]
    masks = prune(matrices, keep=0.1)
    assert [int(mask.sum()) for mask in masks] == [60, 60]
    for matrix, mask in zip(matrices, masks, strict=True):
        assert np.abs(matrix[mask]).min() >= np.abs(matrix[~mask]).max()


def test_a_global_share_compares_layers() -> None:
    rng = np.random.default_rng(0)
    small, large = (np.asarray(scale * rng.random((10, 10)), np.float32) for scale in (1, 100))
    masks = prune([small, large], keep_global=0.25)
    assert sum(int(mask.sum()) for mask in masks) == 50
    assert masks[0].shape == (10, 10)
    kept = np.concatenate([small[masks[0]], large[masks[1]]])
    dropped = np.concatenate([small[~masks[0]], large[~masks[1]]])
    assert kept.min() >= dropped.max()


@pytest.mark.parametrize("options", [{}, {"keep": 1.0}, {"keep_global": 1.0}, {"keep": 0.9}])
def test_zeros_stay_zero(options: dict[str, float]) -> None:
    matrix = np.array([[0, 1, 0, -2], [0, 0, 3, 0]], np.float32)
    np.testing.assert_array_equal(prune([matrix], **options)[0], matrix != 0)


def test_at_least_one_weight_stays() -> None:
    assert prune([np.array([[1.0, 2.0]], np.float32)], keep=0.001)[0].tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": 0.0}, r"^--keep must be above 0 and at most 1, not 0.0"),
        ({"keep": 1.01}, r"^--keep must be above 0 and at most 1, not 1.01"),
        ({"keep": float("nan")}, r"^--keep must be above 0 and at most 1, not nan"),
        ({"keep_global": -1.0}, r"^--keep-global must be above 0"),
        ({"keep": 0.5, "keep_global": 0.5}, r"^--keep and --keep-global exclude each other"),
    ],
)
def test_impossible_shares_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        prune([np.ones((2, 2), np.float32)], **options)
