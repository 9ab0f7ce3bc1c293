"""Placements of rows on PEs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from golden.errors import InputError
from golden.placement import Placement, interleaved


def scattered(rows: int, pes: int, slots: int, rng: np.random.Generator) -> Placement:
    """Rows in random places."""
    place = rng.choice(pes * slots, rows, replace=False)
    return Placement(pes, place % pes, place // pes)


@given(
    pes=st.integers(1, 9),
    slots=st.integers(1, 9),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_restore_inverts_arrange_and_unused_places_are_zero(pes, slots, share, seed):
    rng = np.random.default_rng(seed)
    rows = max(1, int(share * pes * slots))
    placement = scattered(rows, pes, slots, rng)
    values = rng.integers(1, 100, (3, rows))
    arranged = placement.arrange(values)
    assert arranged.shape == (3, placement.slots, pes)
    assert_array_equal(placement.restore(arranged), values)
    assert np.count_nonzero(arranged) == 3 * rows
    assert_array_equal(arranged.reshape(3, -1)[:, placement.column_names()], values)


@given(
    pes=st.integers(1, 9),
    words=st.integers(1, 5),
    scan_width=st.sampled_from([1, 2]),
    seed=st.integers(0, 2**32 - 1),
)
def test_columns_count_word_by_word_and_pe_by_pe(pes, words, scan_width, seed):
    rng = np.random.default_rng(seed)
    slots = words * scan_width
    placement = scattered(int(rng.integers(1, pes * slots + 1)), pes, slots, rng)
    columns = iter(range(pes * slots))
    names = {
        (pe, word * scan_width + lane): next(columns)
        for word in range(words)
        for pe in range(pes)
        for lane in range(scan_width)
    }
    expected = [names[place] for place in zip(placement.pe.tolist(), placement.slot.tolist(), strict=True)]
    assert placement.columns(scan_width).tolist() == expected


def test_with_one_slot_a_word_columns_are_places():
    placement = scattered(20, 3, 9, np.random.default_rng(0))
    assert_array_equal(placement.columns(1), placement.column_names())
    assert placement.columns(2).dtype == np.int64


def test_interleaved_is_the_papers():
    placement = interleaved(7, 3)
    assert placement.pe.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert placement.slot.tolist() == [0, 0, 0, 1, 1, 1, 2]
    assert (placement.rows, placement.slots) == (7, 3)
    assert placement.pe.dtype == placement.slot.dtype == np.int32


@pytest.mark.parametrize(
    ("pe", "slot", "message"),
    [
        ([0, 3], [0, 0], r"^a placement names PE 3, but PEs go from 0 to 2$"),
        ([0, -1], [0, 0], r"^a placement names PE -1, but PEs go from 0 to 2$"),
        ([0, 1], [0, -2], r"^a placement names slot -2; slots start at 0$"),
        ([1, 1], [4, 4], r"^a placement puts two rows in one place"),
        ([1, 1], [4], r"^a placement needs one PE and one slot a row, not shapes \(2,\) and \(1,\)$"),
    ],
)
def test_an_impossible_placement_is_refused(pe, slot, message):
    with pytest.raises(InputError, match=message):
        Placement(3, np.array(pe), np.array(slot))
