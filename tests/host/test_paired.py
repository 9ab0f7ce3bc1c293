"""Statistics of paired disagreements, against scipy and by hand."""

import numpy as np
import pytest
from scipy import stats

from host.paired import compare, interval, sign_test, wilson


@pytest.mark.parametrize(("right", "count"), [(0, 5), (5, 5), (351, 354), (1, 2), (40, 90)])
def test_wilson_is_scipys(right, count):
    expected = stats.binomtest(right, count).proportion_ci(method="wilson")
    assert wilson(right, count) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 9), (7, 3), (3, 7), (6, 6), (40, 61)])
def test_sign_test_is_scipys(first, second):
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert sign_test(first, second) == pytest.approx(expected, abs=1e-12)


def test_discordant_images_are_counted():
    ours = np.array([[1, 1, 0, 1], [1, 0, 0, 1]], dtype=bool)
    other = np.array([[1, 0, 1, 0], [1, 1, 1, 1]], dtype=bool)
    found = compare(ours, other, np.arange(4))
    assert (found.only_ours, found.only_other) == ((2, 0), (1, 2))
    assert found.p == (sign_test(2, 1), sign_test(0, 2))
    assert found.difference == pytest.approx(-1 / 8)


def test_verdict_needs_an_interval_without_zero():
    rng = np.random.default_rng(3)
    other = rng.random((3, 400)) < 0.9
    groups = np.arange(400)
    better = other | (rng.random((3, 400)) < 0.6)
    assert compare(better, other, groups).verdict == "ours above"
    assert compare(other, better, groups).verdict == "ours below"
    assert compare(other, other, groups).verdict == "no difference shown"
    noise = rng.random((3, 400)) < 0.9
    assert compare(noise, other, groups).verdict == "no difference shown"


def test_interval_has_the_width_of_the_mean_of_independent_images():
    values = (np.random.default_rng(4).random((1, 900)) < 0.8).astype(float)
    low, high = interval(values, np.arange(900))
    half = 1.96 * np.sqrt(values.mean() * (1 - values.mean()) / 900)
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)
    assert low < values.mean() < high


def test_copies_of_an_image_add_nothing():
    values = (np.random.default_rng(4).random((1, 200)) < 0.8).astype(float)
    once = interval(values, np.arange(200))
    eight = interval(np.tile(values, 8), np.tile(np.arange(200), 8))
    assert eight == pytest.approx(once)


def test_seeds_that_differ_widen_the_interval():
    same = np.full((4, 50), 0.5)
    apart = same + np.array([[-0.2], [-0.1], [0.1], [0.2]])
    assert interval(same, np.arange(50)) == (0.5, 0.5)
    low, high = interval(apart, np.arange(50))
    assert low < 0.42 and high > 0.58


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"^right must be from 0 to count.*not 3 of 2$"):
        wilson(3, 2)
    with pytest.raises(ValueError, match=r"^ours, other and groups must have shapes.*\(2, 3\)"):
        compare(np.ones((2, 3)), np.ones((2, 4)), np.arange(3))
