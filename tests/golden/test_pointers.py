"""Pointer words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from golden import pointers
from golden.errors import InputError


@given(
    short=st.integers(0, 1),
    pes=st.integers(1, 4),
    columns=st.integers(0, 30),
    seed=st.integers(0, 2**32 - 1),
)
def test_unpack_inverts_pack(short, pes, columns, seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, pointers.longest(short) + 1, (pes, columns))
    base = rng.integers(0, 1 << 18, pes)
    words = pointers.pack(lengths, base, short)
    assert words.shape == (pes, pointers.word_count(columns, short))
    starts, found = pointers.unpack(words, short)
    assert_array_equal(found[:, :columns], lengths)
    assert not found[:, columns:].any()
    expected = base[:, np.newaxis] + np.cumsum(lengths, axis=1) - lengths
    assert_array_equal(starts[:, :columns], expected)


def test_the_layout_of_long_and_short_words():
    lengths = [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert pointers.pack(lengths, 0x100, 1).tolist() == [0x100_87654321, (0x100 + 36) << 32 | 9]
    long = pointers.pack(lengths, 0x100, 0).tolist()
    assert long == [0x100_04030201, (0x100 + 10) << 32 | 0x08070605, (0x100 + 36) << 32 | 9]


@pytest.mark.parametrize(("short", "length"), [(1, 16), (0, 256)])
def test_a_column_too_long_for_its_form_is_refused(short, length):
    limit = pointers.longest(short)
    with pytest.raises(ValueError, match=rf"^column lengths must be from 0 to {limit}, not {length}$"):
        pointers.pack([1, length], 0, short)


def test_the_form_is_the_smallest_that_fits():
    assert pointers.form([]) == 1
    assert [pointers.form([0, n]) for n in (15, 16, 255, 256)] == [1, 0, 0, None]


def test_check_counts_entries():
    assert pointers.check(pointers.pack([3, 0, 5], 8, 1), 1, 16) == 8


def test_check_refuses_a_pointer_past_the_memory():
    with pytest.raises(InputError, match=r"^a pointer names entry 16, but the last one is 15; the pointers"):
        pointers.check(pointers.pack([3, 0, 5], 9, 1), 1, 16)


def test_check_ignores_the_start_of_empty_columns():
    assert pointers.check(pointers.pack([0, 0], 1000, 1), 1, 16) == 0


@pytest.mark.parametrize("pieces", [1, 3])
def test_pieces_are_put_together_again(pieces):
    words = np.random.default_rng(1).integers(0, 1 << 48, (2, 7), dtype=np.uint64)
    memory = pointers.split(words, pieces)
    assert memory.shape == (2, 7 * pieces)
    assert pieces == 1 or memory.max() < 1 << 16
    np.testing.assert_array_equal(pointers.join(memory, pieces), words)
