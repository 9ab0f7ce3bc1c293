"""Entries: every gap comes back, and costs what the docstring says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden import encoding
from golden.errors import InputError

GAPS = st.one_of(st.integers(0, 40), st.integers(0, 300), st.integers(0, 100_000))


@st.composite
def sequences(draw: st.DrawFn, padding_zeros: bool = False) -> tuple[list[int], list[int], int, int]:
    index_bits = draw(st.integers(1, 8))
    run_bits = draw(st.integers(3 if padding_zeros else 1, 16 - index_bits))
    largest = 2000 if padding_zeros or run_bits < 3 else 100_000
    gaps = draw(st.lists(GAPS.filter(lambda gap: gap <= largest), max_size=30))
    indices = [draw(st.integers(1, (1 << index_bits) - 1)) for _ in gaps]
    return gaps, indices, index_bits, run_bits


def walk(entries: np.ndarray, index_bits: int, run_bits: int) -> tuple[list[int], list[int]]:
    """Decode entry by entry, reading bits where the module's docstring says they stand."""
    gaps, indices, gap = [], [], 0
    for entry in entries.tolist():
        index = entry & ((1 << index_bits) - 1)
        top = index_bits + run_bits - 1
        run = sum(((entry >> (top - bit)) & 1) << bit for bit in range(run_bits))
        if index:
            gaps.append(gap + run)
            indices.append(index)
            gap = 0
        else:
            gap += run << run_bits
    return gaps, indices


@given(sequences())
def test_weights_come_back(sequence: tuple[list[int], list[int], int, int]) -> None:
    gaps, indices, index_bits, run_bits = sequence
    entries, counts = encoding.encode(gaps, indices, index_bits, run_bits)
    assert entries.dtype == np.uint16
    assert int(counts.sum()) == entries.size
    assert walk(entries, index_bits, run_bits) == (gaps, indices)
    gap, index = encoding.decode(entries, index_bits, run_bits)
    assert (gap.tolist(), index.tolist()) == (gaps, indices)


@given(sequences(padding_zeros=True))
def test_paper_pads_with_one_entry_for_every_full_run(
    sequence: tuple[list[int], list[int], int, int],
) -> None:
    gaps, indices, index_bits, run_bits = sequence
    entries, counts = encoding.encode(gaps, indices, index_bits, run_bits, padding_zeros=True)
    assert counts.tolist() == [1 + gap // (1 << run_bits) for gap in gaps]
    escapes = entries[(entries & ((1 << index_bits) - 1)) == 0]
    assert set((escapes >> index_bits).tolist()) <= {1 << (run_bits - 1)}  # run 1, its bit at the top
    assert walk(entries, index_bits, run_bits) == (gaps, indices)


@given(sequences())
def test_fewest_entries_are_used(sequence: tuple[list[int], list[int], int, int]) -> None:
    gaps, indices, index_bits, run_bits = sequence
    _, counts = encoding.encode(gaps, indices, index_bits, run_bits)
    largest = (1 << run_bits) - 1
    for gap, count in zip(gaps, counts.tolist(), strict=True):
        assert gap <= ((count - 1) * largest << run_bits) + largest
        assert count == 1 or gap > ((count - 2) * largest << run_bits) + largest


def test_a_gap_that_needs_several_escapes_comes_back() -> None:
    gap = 3 * (15 << 4) + 5
    entries, counts = encoding.encode([gap], [9], 4, 4)
    assert counts.tolist() == [4]
    assert encoding.decode(entries, 4, 4)[0].tolist() == [gap]


def test_example_of_the_paper() -> None:
    gaps, indices = [2, 0, 18], [1, 2, 3]
    entries, _ = encoding.encode(gaps, indices, 4, 4, padding_zeros=True)
    runs = encoding.reverse_bits(entries >> 4, 4).tolist()
    assert (entries & 15).tolist() == [1, 2, 0, 3]
    assert runs == [2, 0, 1, 2]  # EIE writes the padding entry's run as 15, meaning the same sixteen rows


def test_nothing_is_stored_as_nothing() -> None:
    entries, counts = encoding.encode([], [], 4, 4)
    assert entries.size == counts.size == 0
    gap, index = encoding.decode([], 4, 4)
    assert gap.size == index.size == 0


@given(st.integers(0, 15), st.data())
def test_reversing_bits_twice_changes_nothing(bits: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(0, (1 << bits) - 1))
    reversed_ = int(encoding.reverse_bits(value, bits))
    assert int(encoding.reverse_bits(reversed_, bits)) == value
    assert f"{reversed_:0{max(bits, 1)}b}" == f"{value:0{max(bits, 1)}b}"[::-1]


def test_check_counts_the_weights_of_a_column() -> None:
    entries, _ = encoding.encode([2, 18], [1, 3], 4, 4)
    assert encoding.check(entries, 4, 4, rows=22) == 2
    with pytest.raises(InputError, match=r"reach row 21, but the last row is 20"):
        encoding.check(entries, 4, 4, rows=21)


def test_a_column_that_ends_in_an_escape_is_refused() -> None:
    with pytest.raises(InputError, match=r"^a column ends in an escape"):
        encoding.decode([0x41, 0x80], 4, 4)


@pytest.mark.parametrize(("index_bits", "run_bits"), [(0, 4), (9, 4), (4, 0), (4, 16)])
def test_impossible_splits_are_refused(index_bits: int, run_bits: int) -> None:
    with pytest.raises(ValueError, match=r"^index_bits must be from 1 to 8 and run_bits from 1 to 15"):
        encoding.encode([0], [1], index_bits, run_bits)


@pytest.mark.parametrize("index", [0, 16, -1])
def test_impossible_indices_are_refused(index: int) -> None:
    with pytest.raises(ValueError, match=r"^weight indices must be from 1 to 15$"):
        encoding.encode([0], [index], 4, 4)


def test_negative_gaps_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^gaps must not be negative"):
        encoding.encode([-1], [1], 4, 4)
