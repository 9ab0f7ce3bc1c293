"""Plans: what is loaded, run, written and read, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from golden import image
from golden.balance import by_load
from golden.engine import Engine
from golden.errors import UnsupportedError
from golden.execute import execute
from golden.forward import forward
from golden.geometry import Geometry
from golden.layers import Layer, Model
from golden.memories import Memory, word_bytes
from golden.placement import interleaved
from golden.plan import Load, Plan, ReadOutputs, Run, WriteActivations, make_plan
from golden.protocol import WHOLE
from golden.steps import WORDS_PER_STEP, Step
from tests.networks import random_layer, random_model

SMALL = Geometry(
    pes=4, matrix_words=64, pointer_words=16, accumulators=16, activations=16, codebook_entries=32, steps=4
)


def model_of(*sizes: int, seed: int = 0, **layer: object) -> Model:
    return random_model(np.random.default_rng(seed), list(sizes), **{"largest": 500, **layer})


def steps_of(plan: Plan) -> list[Step]:
    """All step descriptors, image after image."""
    found = []
    for each in plan.images:
        for section in image.sections(each.payload, plan.geometry, each.bank):
            if section.memory is Memory.STEPS:
                words = section.words.reshape(-1, WORDS_PER_STEP)
                found += [Step.decode([int(word) for word in step]) for step in words]
    return found


def test_a_resident_plan_is_one_image_and_one_run():
    model = model_of(30, 20, 10)
    plan = make_plan(model, Geometry(pes=4), [interleaved(size, 4) for size in (30, 20, 10)])
    assert plan.resident
    assert plan.actions == (
        Load(0, WHOLE),
        WriteActivations(file=0, slot=0, vector=0, first=0, slots=8),
        Run(first=0, count=2, bank=WHOLE, drained=5 + 3),
        ReadOutputs(file=0, slot=0, vector=2, first=0, count=10),
    )


@pytest.mark.parametrize("width", [1, 2])
def test_a_long_vector_takes_both_files(width):
    model = model_of(100, 90, 7, density=0.05)
    geometry = Geometry(pes=4, activations=16, accumulators=32, scan_width=width)
    plan = make_plan(model, geometry)
    assert plan.resident
    assert plan.actions[1:3] == (
        WriteActivations(file=0, slot=0, vector=0, first=0, slots=16),
        WriteActivations(file=1, slot=0, vector=0, first=16, slots=9 + (width == 2)),
    )
    assert {(step.source, step.destination) for step in steps_of(plan)} == {(0, 0)}
    rng = np.random.default_rng(1)
    inputs = rng.integers(-3000, 3000, (3, 100)) * (rng.random((3, 100)) < 0.5)
    expected, _ = forward(model, inputs)
    assert_array_equal(execute(plan, Engine(geometry), inputs).outputs, expected)


def test_a_long_output_is_read_from_both_files():
    plan = make_plan(model_of(20, 90), Geometry(pes=4, activations=16, accumulators=32))
    reads = [action for action in plan.actions if isinstance(action, ReadOutputs)]
    assert [(read.file, read.slot, read.first) for read in reads] == [(0, 0, 0), (1, 0, 16)]
    assert sum(read.count for read in reads) >= 90


def test_a_read_ends_with_the_last_used_place():
    plan = make_plan(model_of(30, 20, 10), Geometry(pes=4))
    names = plan.placements[2].column_names()
    assert plan.actions[3] == ReadOutputs(file=0, slot=0, vector=2, first=0, count=names.max() + 1)
    assert (plan.actions[1].slots, plan.actions[2].drained) == (8, 5 + 3)


def test_rows_are_placed_by_load_unless_the_geometry_is_the_papers():
    model = model_of(30, 20, 10, density=0.1)
    plan, paper = (
        make_plan(model, Geometry(pes=4, padding_zeros=paper, empty_columns=paper)) for paper in (False, True)
    )
    for placement, layer in zip(plan.placements[1:], model.layers, strict=True):
        expected = by_load(layer, 4)
        assert_array_equal(placement.column_names(), expected.column_names())
        assert not np.array_equal(placement.column_names(), np.arange(layer.rows))
    for placement in (*paper.placements, plan.placements[0]):
        assert_array_equal(placement.column_names(), np.arange(placement.rows))


@pytest.mark.parametrize("resident", [True, False])
def test_every_step_has_the_threshold(resident):
    model = model_of(30, 20, 10)
    for threshold in (0, 1, 0xFFFF):
        steps = steps_of(make_plan(model, Geometry(pes=4), resident=resident, threshold=threshold))
        assert {step.threshold for step in steps} == {threshold}
        assert len(steps) == 2


def test_resident_layers_swap_files_and_wait_for_the_one_before():
    steps = steps_of(make_plan(model_of(30, 20, 10, 5), Geometry(pes=4)))
    assert [(s.source, s.destination, s.wait, s.restart) for s in steps] == [
        (0, 1, 0, 1),
        (1, 0, 1, 1),
        (0, 1, 1, 1),
    ]
    assert [s.relu for s in steps] == [1, 1, 0]


def test_row_tiles_of_a_layer_share_wait_and_restart_once():
    geometry = Geometry(pes=4, accumulators=5, scan_width=2)
    steps = steps_of(make_plan(model_of(30, 40, 18), geometry))
    assert [(s.wait, s.restart, s.destination_slot, s.drain_rows) for s in steps] == [
        (0, 1, 0, 4), (0, 0, 4, 4), (0, 0, 8, 2), (1, 1, 0, 4), (1, 0, 4, 2),
    ]  # fmt: skip
    assert {s.words for s in steps[:3]} == {4} and {s.words for s in steps[3:]} == {5}


def test_every_scanned_slot_of_a_later_layer_is_drained_by_the_one_before():
    steps = steps_of(make_plan(model_of(13, 21, 9, 3), Geometry(pes=2, scan_width=2, accumulators=6)))
    for step in steps:
        if step.wait:
            before = [s for s in steps if s.destination == step.source and s.wait <= step.wait]
            assert max(s.destination_slot + s.drain_rows for s in before) >= 2 * (
                step.first_word + step.words
            )


def test_identical_codebooks_are_stored_once_and_others_aligned():
    rng = np.random.default_rng(0)
    first = random_layer(rng, 8, 8, index_bits=3)
    other = random_layer(rng, 8, 8, index_bits=4)
    model = Model(layers=(first, first, other))
    steps = steps_of(make_plan(model, Geometry(pes=2)))
    assert [step.codebook_base for step in steps] == [0, 0, 16]


def test_lengths_are_short_where_they_can_be():
    steps = steps_of(make_plan(model_of(8, 100, 8, density=1.0), Geometry(pes=4)))
    assert [step.short_lengths for step in steps] == [0, 1]


def test_streamed_lengths_are_short_where_they_can_be():
    plan = make_plan(model_of(30, 40, density=1.0), SMALL, resident=False)
    assert {step.short_lengths for step in steps_of(plan)} == {1}


def test_biases_are_left_out_when_all_are_zero():
    layer = random_layer(np.random.default_rng(0), 8, 8, bias=0)
    assert [step.bias_words for step in steps_of(make_plan(Model(layers=(layer,)), Geometry(pes=2)))] == [0]


def test_a_report_counts_entries_padding_and_bytes():
    indices = np.zeros((40, 2), dtype=int)
    indices[[0, 39], 0] = 1
    plan = make_plan(Model(layers=(Layer.from_indices(indices, [0, 1], np.zeros(40)),)), Geometry(pes=1))
    (report,) = plan.layers
    assert (report.rows, report.columns, report.weights) == (40, 2, 2)
    assert (report.entries.tolist(), report.padding, report.balance) == ([2], 0, 1.0)
    # One matrix word, one pointer word, two codebook values and a step.
    assert report.bytes == 2 + word_bytes(plan.geometry, Memory.POINTERS) + 2 * 2 + 4 * WORDS_PER_STEP
    assert (report.row_tiles, report.steps) == (1, 1)


def test_escapes_are_padding():
    indices = np.zeros((40, 1), dtype=int)
    indices[39] = 3
    places = [interleaved(1, 2), interleaved(40, 2)]
    model = Model(layers=(Layer.from_indices(indices, [0] * 8, np.zeros(40)),))
    plan = make_plan(model, Geometry(pes=2), places)
    assert (plan.layers[0].entries.tolist(), plan.layers[0].padding, plan.layers[0].balance) == (
        [0, 1],
        0,
        0.5,
    )
    paper = make_plan(
        Model(layers=(Layer.from_indices(indices, [0] * 16, np.zeros(40)),)),
        Geometry(pes=2, padding_zeros=True, empty_columns=True),
    )
    assert (paper.layers[0].entries.tolist(), paper.layers[0].padding) == ([0, 2], 1)


@pytest.mark.parametrize("middle", [8, 20, 30, 60])
def test_a_streamed_plan_alternates_banks_and_loads_ahead(middle):
    plan = make_plan(model_of(60, middle, 60), SMALL, resident=False)
    assert not plan.resident
    assert [each.bank for each in plan.images] == [i % 2 for i in range(len(plan.images))]
    loads = [action for action in plan.actions if isinstance(action, Load)]
    assert loads == [Load(i, i % 2) for i in range(len(plan.images))]
    runs = [i for i, action in enumerate(plan.actions) if isinstance(action, Run)]
    assert all(isinstance(plan.actions[i + 1], Load) for i in runs[:-1])
    assert all(plan.actions[i].first == plan.actions[i].bank * 2 for i in runs)


@pytest.mark.parametrize("sizes", [(60, 60, 20), (300, 20), (20, 300), (1, 1)])
def test_every_streamed_image_keeps_to_its_bank(sizes):
    plan = make_plan(model_of(*sizes), SMALL, resident=False)
    assert all(image.check(each) > 0 for each in plan.images)


def test_a_vector_that_fits_stays_on_chip():
    plan = make_plan(model_of(60, 60, 20), SMALL)
    writes = [action for action in plan.actions if isinstance(action, WriteActivations)]
    reads = [action for action in plan.actions if isinstance(action, ReadOutputs)]
    assert writes == [WriteActivations(file=0, slot=0, vector=0, first=0, slots=15)]
    assert reads == [ReadOutputs(file=0, slot=0, vector=2, first=0, count=20)]


def test_a_vector_too_long_goes_through_the_host():
    plan = make_plan(model_of(30, 100, 20), SMALL)
    tiles = [a for a in plan.actions if isinstance(a, ReadOutputs) and a.vector == 1]
    assert [(a.first, a.count) for a in tiles] == [(0, 64), (16, 36)]
    columns = [a for a in plan.actions if isinstance(a, WriteActivations) and a.vector == 1]
    assert [(a.slot, a.first, a.slots) for a in columns] == [(0, 0, 16), (0, 16, 9)]


def test_a_vector_that_just_fits_stays_on_chip():
    geometry = replace(SMALL, accumulators=6)
    plan = make_plan(model_of(30, 64, 20), geometry)
    assert [action.vector for action in plan.actions if isinstance(action, ReadOutputs)] == [2]
    assert [action.vector for action in plan.actions if isinstance(action, WriteActivations)] == [0]
    assert [step.destination_slot for step in steps_of(plan) if step.drain_rows][:3] == [0, 6, 12]


def test_only_the_last_step_of_a_row_tile_drains():
    plan = make_plan(model_of(60, 64), SMALL)
    drains = [step.drain_rows > 0 for step in steps_of(plan)]
    assert drains == [False] * (len(drains) - 1) + [True]
    assert len(drains) > 3


def test_insisting_on_resident_says_why_it_cannot_be():
    with pytest.raises(
        UnsupportedError, match=r"^a vector takes 35 slots of each PE, and an activation file has 16"
    ):
        make_plan(model_of(140, 8), SMALL, resident=True)
    with pytest.raises(
        UnsupportedError, match=r"^a vector takes 25 slots of each PE, and an activation file has 16"
    ):
        make_plan(model_of(100, 12), replace(SMALL, accumulators=2), resident=True)
    with pytest.raises(
        UnsupportedError, match=r"^\d+ words or more of matrix are needed, and the memory holds 64"
    ):
        make_plan(model_of(60, 60), SMALL, resident=True)


def test_a_model_that_breaks_the_accumulator_bound_is_refused():
    model = model_of(60, 60, largest=30000)
    with pytest.raises(UnsupportedError, match=r"an accumulator of 24 bits needs it below 8388608"):
        make_plan(model, Geometry(accumulator_bits=24))


def test_a_codebook_larger_than_half_the_memory_cannot_be_streamed():
    model = model_of(100, 100, index_bits=6)
    message = r"64 words or more of codebook are needed, and half of the memory holds 16"
    with pytest.raises(UnsupportedError, match=r"^layer 0 cannot be streamed: " + message):
        make_plan(model, SMALL)


def test_a_word_of_columns_larger_than_half_the_memories_is_refused():
    geometry = Geometry(pes=64, matrix_words=8, pointer_words=64, activations=16, codebook_entries=32)
    with pytest.raises(
        UnsupportedError, match=r"^layer 0 cannot be streamed: with 1 rows on each PE at a time, "
    ):
        make_plan(model_of(64, 64, density=1.0), geometry)


def test_placements_must_suit_the_model():
    with pytest.raises(UnsupportedError, match=r"do not suit vectors of \[8, 8\] on 4 PEs"):
        make_plan(model_of(8, 8), Geometry(pes=4), [interleaved(8, 4), interleaved(7, 4)])
    with pytest.raises(UnsupportedError, match=r"do not suit"):
        make_plan(model_of(8, 8), Geometry(pes=4), [interleaved(8, 3), interleaved(8, 4)])


def test_images_say_their_size():
    plan = make_plan(model_of(60, 60, 20), SMALL)
    assert plan.image_bytes == sum(len(each.payload) for each in plan.images)
    assert sum(report.bytes for report in plan.layers) < plan.image_bytes
    assert Engine(plan.geometry).geometry == plan.geometry
