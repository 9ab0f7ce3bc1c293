"""Number formats, against exact arithmetic in Python integers and fractions."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.fixed_point import (
    INT16_MAX,
    INT16_MIN,
    MAX_SHIFT,
    dequantise,
    keep_above,
    quantise,
    requantise,
    saturate,
    wrap,
)

WIDTHS = st.integers(24, 40)


@given(st.integers(-(2**60), 2**60), WIDTHS)
def test_wrapping_keeps_the_residue_and_the_range(value: int, bits: int) -> None:
    wrapped = int(wrap(value, bits))
    assert (wrapped - value) % (1 << bits) == 0
    assert -(1 << (bits - 1)) <= wrapped < 1 << (bits - 1)


@given(st.lists(st.integers(-(2**45), 2**45), min_size=1, max_size=20), WIDTHS, st.randoms())
def test_order_does_not_change_a_wrapped_sum(terms: list[int], bits: int, random: object) -> None:
    expected = int(wrap(sum(terms), bits))
    shuffled = sorted(terms, key=lambda _: random.random())  # type: ignore[attr-defined]
    total = 0
    for term in shuffled:
        total = int(wrap(total + term, bits))
    assert total == expected


@given(st.integers(-(2**39), 2**39 - 1), st.integers(0, MAX_SHIFT), st.booleans())
def test_requantising_rounds_half_up_then_rectifies_then_saturates(
    value: int, shift: int, relu: bool
) -> None:
    rounded = floor(Fraction(value, 1 << shift) + Fraction(1, 2)) if shift else value
    rectified = max(rounded, 0) if relu else rounded
    expected = min(max(rectified, INT16_MIN), INT16_MAX)
    result, saturations = requantise([value], shift, relu)
    assert result.tolist() == [expected]
    assert saturations == (expected != rectified)


def test_a_rectified_value_is_not_counted_as_saturated() -> None:
    assert requantise([-(2**30)], 2, True)[1] == 0
    assert requantise([-(2**30)], 2, False)[1] == 1


@pytest.mark.parametrize(
    ("value", "expected"), [(32767, 32767), (32768, 32767), (-32768, -32768), (-32769, -32768)]
)
def test_saturation_starts_right_outside_int16(value: int, expected: int) -> None:
    assert int(saturate(value)) == expected


@given(st.lists(st.integers(INT16_MIN, INT16_MAX)), st.integers(0, 2**16 - 1))
def test_a_threshold_keeps_what_exceeds_it(values: list[int], threshold: int) -> None:
    expected = [value if value > threshold or value < -threshold else 0 for value in values]
    assert keep_above(values, threshold).tolist() == expected


@pytest.mark.parametrize(
    ("threshold", "kept"),
    [
        (0, [-32768, -32767, -1, 0, 1, 32767]),
        (1, [-32768, -32767, 0, 0, 0, 32767]),
        (32766, [-32768, -32767, 0, 0, 0, 32767]),
        (32767, [-32768, 0, 0, 0, 0, 0]),
        (32768, [0, 0, 0, 0, 0, 0]),
    ],
)
def test_the_lowest_activation_has_a_magnitude_too(threshold: int, kept: list[int]) -> None:
    values = np.array([-32768, -32767, -1, 0, 1, 32767], dtype=np.int16)
    assert keep_above(values, threshold).tolist() == kept


@given(st.integers(INT16_MIN, INT16_MAX), st.integers(-20, 40))
def test_integers_survive_the_way_to_reals_and_back(value: int, fraction_bits: int) -> None:
    assert int(quantise(dequantise(value, fraction_bits), fraction_bits)) == value


@given(st.floats(-1e6, 1e6), st.integers(-5, 20))
def test_quantising_errs_by_half_a_step_or_saturates(real: float, fraction_bits: int) -> None:
    integer = int(quantise(real, fraction_bits))
    exact = Fraction(real) * Fraction(2) ** fraction_bits
    if INT16_MIN <= exact <= INT16_MAX:
        assert abs(integer - exact) <= Fraction(1, 2)
    else:
        assert integer == (INT16_MAX if exact > 0 else INT16_MIN)


def test_ties_go_to_the_even_integer() -> None:
    np.testing.assert_array_equal(quantise([0.5, 1.5, 2.5, -0.5], 0), [0, 2, 2, 0])
