"""Codebooks: what is refused, nearest values, and integers that never lose a weight."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden import codebook
from golden.errors import InputError
from golden.fixed_point import INT16_MAX

REALS = st.floats(-1e4, 1e4, allow_subnormal=False)


@pytest.mark.parametrize(
    ("values", "index_bits", "message"),
    [
        (np.zeros(1, np.int16), 0, r"^a codebook has 0 index bits"),
        (np.zeros(512, np.int16), 9, r"^a codebook has 9 index bits"),
        (np.zeros(15, np.int16), 4, r"^a codebook of 4 index bits must be 16 int16 values"),
        (np.zeros(16, np.int32), 4, r"^a codebook of 4 index bits must be 16 int16 values"),
        (np.ones(16, np.int16), 4, r"^the first codebook value must be 0, not 1"),
    ],
)
def test_bad_codebooks_are_refused(values: np.ndarray, index_bits: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        codebook.check(values, index_bits)


@given(st.lists(REALS, min_size=1, max_size=30), st.sets(REALS, min_size=1, max_size=15))
def test_every_weight_gets_a_nearest_centroid(weights: list[float], centroids: set[float]) -> None:
    ordered = np.array(sorted(centroids))
    chosen = np.abs(ordered[codebook.assign(weights, ordered)] - weights)
    nearest = np.abs(ordered[None, :] - np.array(weights)[:, None]).min(axis=1)
    np.testing.assert_allclose(chosen, nearest, rtol=1e-9, atol=1e-9)


@given(st.lists(REALS, min_size=1, max_size=10).filter(any))
def test_the_largest_fraction_fits_and_one_more_does_not(values: list[float]) -> None:
    fraction = codebook.largest_fraction(values)
    assert fraction is not None
    largest = max(abs(value) for value in values)
    assert np.rint(np.ldexp(largest, fraction)) <= INT16_MAX
    assert np.rint(np.ldexp(largest, fraction + 1)) > INT16_MAX


@given(st.lists(REALS, min_size=1, max_size=15), st.integers(-10, 10))
def test_no_value_vanishes_and_no_zero_appears(values: list[float], fraction: int) -> None:
    real = np.array([0.0, *values])
    integers, raised = codebook.quantise_codebook(real, fraction)
    np.testing.assert_array_equal(integers == 0, real == 0)
    np.testing.assert_array_equal(np.sign(integers), np.sign(real))
    assert raised == np.count_nonzero((np.rint(np.ldexp(real, fraction)) == 0) & (real != 0))


def test_zeros_alone_have_no_largest_fraction() -> None:
    assert codebook.largest_fraction([0.0, 0.0]) is None
