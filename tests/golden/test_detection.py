"""Timing of the detection tree: cases small enough to count by hand, and what holds for all."""

import numpy as np
import pytest

from golden.detection import Leaf, Source, tree

STAGES = 2


def played(root: Source, payloads: int, pause: int = 0) -> list[tuple[int, bool, bool]]:
    """Take payloads as soon as they are on offer, or `pause` cycles later."""
    taken = []
    cycle = -1
    for _ in range(payloads):
        head = root.head()
        cycle = max(cycle + 1, head.cycle) + pause
        root.pop(cycle)
        taken.append((cycle, head.item, head.last))
    return taken


def leaves(rows: list[list[int]], begin: int = 10) -> list[Leaf]:
    """One leaf per list that says of each word whether it has a nonzero."""
    return [Leaf(begin, row, None, STAGES) for row in rows]


@pytest.mark.parametrize("nonzeros", [1, 2])
def test_a_leaf_says_a_word_per_cycle(nonzeros: int) -> None:
    """However many of its slots are nonzero."""
    (leaf,) = leaves([[nonzeros, 0, nonzeros, 1]])
    expected = [(12, True, True), (13, False, True), (14, True, True), (15, True, True)]
    assert played(leaf, 4) == expected


def test_a_register_more_is_a_cycle_more() -> None:
    leaf = Leaf(10, [1, 0, 1], [0, 0, 20], STAGES + 1)
    assert [cycle for cycle, _, _ in played(leaf, 3)] == [13, 14, 23]


def test_a_leaf_that_is_not_asked_waits() -> None:
    (leaf,) = leaves([[1, 1, 1, 1]])
    assert [cycle for cycle, _, _ in played(leaf, 4, pause=3)] == [15, 19, 23, 27]


def test_a_leaf_reads_no_slot_before_it_is_written() -> None:
    leaf = Leaf(10, [1, 1, 1], [0, 20, 19], STAGES)
    assert [cycle for cycle, _, _ in played(leaf, 3)] == [12, 22, 23]


def test_a_node_says_a_row_in_the_order_of_its_children() -> None:
    root = tree(leaves([[0, 1], [1, 0], [1, 0]]))
    expected = [(13, True, False), (14, True, True), (15, True, True)]
    assert played(root, 3) == expected


def test_a_row_without_nonzeros_is_one_payload() -> None:
    root = tree(leaves([[0, 0, 1]] * 5))
    assert [(item, last) for _, item, last in played(root, 7)] == [
        (False, True),
        (False, True),
        *[(True, False)] * 4,
        (True, True),
    ]


@pytest.mark.parametrize(("pes", "levels"), [(1, 1), (4, 1), (5, 2), (16, 2), (17, 3)])
def test_a_level_is_a_cycle(pes: int, levels: int) -> None:
    root = tree(leaves([[1]] * pes))
    first = 10 + STAGES + levels
    assert [cycle for cycle, _, _ in played(root, pes)] == list(range(first, first + pes))


@pytest.mark.parametrize("pes", [1, 3, 4, 9, 30])
@pytest.mark.parametrize("seed", range(3))
def test_a_row_takes_as_many_payloads_as_words_with_nonzeros(pes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    nonzeros = rng.integers(0, 3, (pes, 12)) * (rng.random((pes, 12)) < rng.random(12))
    counts = np.maximum(np.count_nonzero(nonzeros, axis=0), 1)
    taken = played(tree(leaves(nonzeros.tolist())), int(counts.sum()))
    ends = [place for place, (_, _, last) in enumerate(taken) if last]
    assert ends == (np.cumsum(counts) - 1).tolist()
    cycles = [cycle for cycle, _, _ in taken]
    assert cycles == list(range(cycles[0], cycles[0] + len(cycles))), "never a pause"
    later = played(tree(leaves(nonzeros.tolist(), begin=110)), int(counts.sum()))
    assert later == [(cycle + 100, item, last) for cycle, item, last in taken]
