"""The cycle model: schedules that can be counted by hand, and what must hold for all.

That it equals the gateware to the cycle is shown in tests/hdl/test_engine.py.
"""

import itertools
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from golden.cycles import _Pipeline, run_cycles
from golden.engine import Engine, StepTrace
from golden.execute import RunReport, execute
from golden.geometry import Geometry
from golden.layers import Layer, Model
from golden.memories import Memory
from golden.placement import interleaved
from golden.plan import make_plan
from golden.steps import WORDS_PER_STEP, Step
from tests.networks import random_model

ONE = Geometry(pes=1)


def model_of(indices: np.ndarray, bias: int = 0, index_bits: int = 4) -> Model:
    """A layer of these weight indices."""
    codebook = np.arange(1 << index_bits)
    rows = np.full(indices.shape[0], bias)
    layer = Layer.from_indices(
        indices, codebook, rows, weight_fraction=4, input_fraction=0, output_fraction=0, relu=False
    )
    return Model(layers=(layer,))


def timed(geometry: Geometry, model: Model, inputs: np.ndarray) -> RunReport:
    """Cycles and stalls of one input."""
    result = execute(make_plan(model, geometry), Engine(geometry, run_cycles), inputs[np.newaxis])
    return RunReport(int(result.cycles[0]), int(result.stalls[0]))


def column(rows: int, weights: int) -> np.ndarray:
    """A matrix of one column whose first rows have weights."""
    return np.where(np.arange(rows) < weights, 3, 0)[:, np.newaxis]


def test_a_step_without_activations() -> None:
    """Counted along the path, from the acceptance of the run in cycle 0.

    1 the step is addressed, 2 Pointers and 3 Scan are read, 4 Begin is sent; 6 the PE takes it, 7 reads the
    word, 10 says that it is zero, and 11 the control hears it; 12 Finish is sent; 14 the PE takes it; 16 it
    is queued, 17 the bias is read, 20 it leaves weight decode, and 21 the End does; 28 the activation is
    written.
    """
    assert timed(ONE, model_of(column(1, 1), bias=5), np.array([0])) == (28, 0)


def test_a_finish_waits_for_the_drain_before() -> None:
    """A step without a scan follows one that drains for long: its Finish comes after all of that."""
    engine = Engine(ONE, run_cycles)
    engine.committed = {0}
    steps = [Step(index_bits=4, drain_rows=rows) for rows in (100, 1)]
    words = [word for step in steps for word in step.encode()]
    engine.memories[Memory.STEPS][0, : 2 * WORDS_PER_STEP] = words
    one, both = (engine.run(0, count).cycles for count in (1, 2))
    # 2 until the PE's phase shows, 1 in the tree, 3 to take the drain's settings; then 16 from Finish on.
    assert both - one == 2 + 1 + 3 + 16


def test_without_output_registers_a_step_is_shorter() -> None:
    """As above until 4; 5 Begin is taken, 9 the control hears; 10 Finish is sent, 11 taken, 12 queued.

    14 the bias is read; 16 it and 17 the End leave weight decode. Its activation is written in 20. A second
    row costs two cycles.
    """
    direct = replace(ONE, output_registers=False)
    assert timed(direct, model_of(column(1, 1), bias=5), np.array([0])) == (20, 0)
    assert timed(direct, model_of(column(2, 1)), np.array([0])) == (22, 0)


@pytest.mark.parametrize("weights", [4, 5, 11, 30])
def test_a_weight_is_a_cycle(weights: int) -> None:
    """Where the column is long enough that its end decides."""
    geometry = replace(ONE, word_entries=4)
    base, _ = timed(geometry, model_of(column(40, 40)), np.array([7]))
    fewer, _ = timed(geometry, model_of(column(40, 40 - weights)), np.array([7]))
    assert base - fewer == weights
    longer, _ = timed(geometry, model_of(np.vstack([column(40, 40), column(20, 20)])), np.array([7]))
    assert longer - base == 20 + 20, "twenty more weights and twenty more rows to drain"


def test_activations_follow_each_other() -> None:
    """Dense columns of eight weights: eight cycles each, whatever the broadcast does meanwhile."""
    matrix = np.full((8, 40), 5)
    base, _ = timed(ONE, model_of(matrix[:, :20]), np.ones(20, dtype=int))
    more, stalls = timed(ONE, model_of(matrix), np.ones(40, dtype=int))
    assert more - base == 20 * 8
    assert stalls > 0, "the queue is full most of the time"


def test_zero_activations_and_empty_columns_cost_no_work() -> None:
    matrix = np.full((8, 40), 5)
    dense, _ = timed(ONE, model_of(matrix), np.ones(40, dtype=int))
    half = 1 - np.arange(40) % 2
    sparse, _ = timed(ONE, model_of(matrix), half)
    assert dense - sparse == 20 * 8
    assert timed(ONE, model_of(matrix * half), np.ones(40, dtype=int)).cycles == sparse


@pytest.mark.parametrize("padding_zeros", [False, True])
@pytest.mark.parametrize("empty_columns", [False, True])
def test_paper_timing_pays_for_padding_and_empty_columns(padding_zeros: bool, empty_columns: bool) -> None:
    """Sixty columns of three weights, two of them behind a gap of one escape, or two padding zeros."""
    theirs = replace(ONE, padding_zeros=padding_zeros, empty_columns=empty_columns)
    rng = np.random.default_rng(1)
    gaps = np.zeros((100, 60), dtype=int)
    gaps[[0, 40, 80]] = 5
    empty = gaps * (rng.random(60) < 0.5)
    spared = int((~empty.any(axis=0)).sum())
    base, full, less = (
        timed(geometry, model_of(matrix), np.ones(60, dtype=int)).cycles
        for geometry, matrix in ((ONE, gaps), (theirs, gaps), (theirs, empty))
    )
    each = 3 + 4 * padding_zeros
    assert full - base == 60 * 4 * padding_zeros
    assert abs((full - less) - (each - empty_columns) * spared) <= 3


@pytest.mark.parametrize("seed", range(3))
def test_a_deeper_queue_is_never_slower(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = random_model(rng, [60, 70, 20], 0.2)
    inputs = rng.integers(-9, 9, 60)
    reports = [timed(Geometry(pes=5, queue_depth=depth), model, inputs) for depth in (1, 2, 4, 8, 64)]
    assert all(slow.cycles >= fast.cycles for slow, fast in itertools.pairwise(reports))
    assert reports[0].cycles > reports[-1].cycles
    assert reports[0].stalls > reports[-1].stalls


@pytest.mark.parametrize("seed", range(3))
def test_only_the_pattern_counts(seed: int) -> None:
    """Not the values of weights, biases and activations, nor the width that sums have."""
    rng = np.random.default_rng(seed)
    pattern = rng.random((50, 40)) < 0.2
    active = rng.random(40) < 0.6
    geometry = Geometry(pes=3)
    found = set()
    for _ in range(3):
        matrix = rng.integers(1, 16, pattern.shape) * pattern
        inputs = rng.integers(1, 100, 40) * active
        found.add(timed(geometry, model_of(matrix, int(rng.integers(1, 99))), inputs))
        found.add(timed(replace(geometry, accumulator_bits=31), model_of(matrix, 3), inputs))
    assert len(found) == 1


def test_two_neighbours_are_one_column() -> None:
    """Ten pairs of columns of two and three weights, and all the same weights one by one."""
    matrix = np.zeros((8, 20), dtype=int)
    matrix[:2, ::2] = matrix[3:6, 1::2] = 5
    pairs = replace(ONE, scan_width=2, word_entries=4)
    for inputs, takes in ((np.ones(20, dtype=int), 5), (np.arange(20) % 2, 3), (1 - np.arange(20) % 2, 2)):
        longer = np.concatenate([inputs, inputs])
        base, _ = timed(pairs, model_of(matrix), inputs)
        more, _ = timed(pairs, model_of(np.hstack([matrix, matrix])), longer)
        assert more - base == 10 * takes


@pytest.mark.parametrize(("scan_width", "cycles"), [(1, 2), (2, 1)])
def test_neighbours_share_a_broadcast(scan_width: int, cycles: int) -> None:
    """Without weights only the broadcast counts: a token for each activation, or for each two."""
    geometry = replace(ONE, scan_width=scan_width)
    base, more = (timed(geometry, model_of(np.zeros((1, n), int)), np.ones(n, int)).cycles for n in (20, 60))
    assert more - base == 20 * cycles


def test_an_escape_before_the_boundary_costs_what_it_costs_alone() -> None:
    """Columns that need an escape each are as fast in pairs as one by one, in whatever word they end."""
    for word_entries, weights in itertools.product((2, 4), (1, 2, 3)):
        matrix = np.zeros((60, 40), dtype=int)
        matrix[40 : 40 + weights] = 5
        found = set()
        for scan_width in (1, 2):
            geometry = replace(ONE, scan_width=scan_width, word_entries=word_entries, queue_depth=64)
            base, _ = timed(geometry, model_of(matrix[:, :20]), np.ones(20, dtype=int))
            more, _ = timed(geometry, model_of(matrix), np.ones(40, dtype=int))
            found.add(more - base)
        assert len(found) == 1, found


def patchy(rng: np.random.Generator, rows: int, columns: int, pes: int) -> np.ndarray:
    """Weight indices whose density changes from PE to PE, column to column and along each column."""
    density = rng.choice([0.0, 0.02, 0.1, 0.6, 1.0], (-(-rows // (40 * pes)), pes, columns))
    row = np.arange(rows)
    return 3 * (rng.random((rows, columns)) < density[row // (40 * pes), row % pes])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_the_short_cut_within_a_column_changes_nothing(data: st.DataObject, seed: int) -> None:
    """Columns of many words, dense, with long runs of escapes, or both, on any geometry."""
    rng = np.random.default_rng(seed)
    geometry = Geometry(
        pes=data.draw(st.integers(1, 4)),
        word_entries=data.draw(st.sampled_from([1, 2, 4])),
        scan_width=data.draw(st.sampled_from([1, 2])),
        queue_depth=data.draw(st.sampled_from([1, 2, 8])),
        matrix_words=32768,
        accumulators=1024,
        padding_zeros=data.draw(st.booleans()),
        empty_columns=data.draw(st.booleans()),
        output_registers=data.draw(st.booleans()),
    )
    rows, columns = geometry.pes * data.draw(st.integers(20, 200)), data.draw(st.integers(1, 10))
    index_bits = data.draw(st.sampled_from([4, 6]))
    model = model_of(patchy(rng, rows, columns, geometry.pes), index_bits=index_bits)
    inputs = rng.integers(0, 4, columns)

    def both(geometry: Geometry, traces: tuple[StepTrace, ...]) -> RunReport:
        quick = run_cycles(geometry, traces)
        with patch.object(_Pipeline, "_full", return_value=False):
            assert run_cycles(geometry, traces) == quick
        return quick

    places = [interleaved(columns, geometry.pes), interleaved(rows, geometry.pes)]
    execute(make_plan(model, geometry, places), Engine(geometry, both), inputs[np.newaxis])


def test_the_short_cut_is_taken() -> None:
    """A column of a hundred words costs a few words' arithmetic."""
    geometry = replace(ONE, word_entries=2)
    with patch.object(_Pipeline, "word", autospec=True, side_effect=_Pipeline.word) as word:
        timed(geometry, model_of(column(200, 200)), np.array([1]))
    assert word.call_count < 20 + 200 + 1, "the words up to the short cut, two hundred biases and the End"


def test_more_elements_are_faster() -> None:
    rng = np.random.default_rng(5)
    model = random_model(rng, [100, 200], 0.3)
    inputs = rng.integers(1, 9, 100)
    cycles = [timed(Geometry(pes=pes), model, inputs).cycles for pes in (1, 2, 4, 16)]
    assert all(slow > 1.5 * fast for slow, fast in itertools.pairwise(cycles))
