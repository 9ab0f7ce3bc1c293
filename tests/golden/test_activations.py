"""Activations on the wire: exact bytes, there and back, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.activations import decode, encode, parts

SHORT = st.lists(st.sampled_from([0, 0, 0, 1, -1, 127, -128]), min_size=1, max_size=40)
LONG = st.lists(st.sampled_from([0, 0, 0, 1, -1, 128, -129, 32767, -32768]), min_size=1, max_size=40)


@given(SHORT)
def test_short_values_come_back(values):
    assert decode(encode(values, 1), len(values), 1).tolist() == values


@given(LONG)
def test_long_values_come_back(values):
    assert decode(encode(values, 2), len(values), 2).tolist() == values


@given(LONG | SHORT, st.integers(3, 30))
def test_parts_make_up_the_whole_and_keep_to_the_room(values, room):
    whole = []
    for part in parts(values, room):
        assert part.start == len(whole)
        assert len(part.data) <= room
        whole += decode(part.data, part.places, part.size).tolist()
    assert whole == values


def test_the_first_group_is_the_short_one():
    assert encode([0, 3] + [0] * 8 + [-2] * 8, 1).hex(" ") == "02 03 00 ff" + " fe" * 8
    assert encode([256] + [0] * 8, 2).hex(" ") == "01 00 01 00"


def test_one_long_value_costs_only_its_part():
    found = [(part.places, part.size) for part in parts([1] * 100 + [1000], 80)]
    assert found == [(71, 1), (30, 2)]


def test_an_input_of_lenet():
    """784 pixels of 8 bits, 19 % of them not zero: 98 bytes of maps and 149 of values instead of 1,568."""
    pixels = np.zeros(784, dtype=np.int16)
    pixels[np.random.default_rng(1).permutation(784)[:149]] = 100
    assert [len(part.data) for part in parts(pixels, 800)] == [98 + 149]


def test_bits_behind_the_last_place_mean_nothing():
    assert decode(bytes([0xFE, 1, 5]), 9, 1).tolist() == [0, 5] + [0] * 7
    assert decode(bytes([0xFF, 5]), 1, 1).tolist() == [5]


@pytest.mark.parametrize(
    ("data", "count", "size", "message"),
    [
        ("", 1, 1, "too few"),
        ("01", 1, 1, "too few"),
        ("01 02", 1, 2, "too few"),
        ("01 02", 9, 1, "too few"),
        ("00 00", 8, 1, "too many"),
        ("02 01", 1, 1, "too many"),
    ],
)
def test_what_does_not_fit_is_refused(data, count, size, message):
    with pytest.raises(ValueError, match=message):
        decode(bytes.fromhex(data), count, size)
