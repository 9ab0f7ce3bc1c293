"""The engine against the forward pass, and each of its refusals."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from golden import pointers
from golden.engine import Engine
from golden.errors import DeviceError, InputError, UnsupportedError
from golden.execute import RunReport, execute
from golden.fixed_point import requantise, wrap
from golden.forward import forward
from golden.geometry import Geometry, bits_for
from golden.image import ImageBuilder
from golden.layers import Model
from golden.memories import ALL_PES, Memory
from golden.plan import make_plan
from golden.protocol import WHOLE
from golden.steps import Step, Token
from tests.golden.test_placement import scattered
from tests.networks import random_layer, random_model

TINY = {
    "matrix_words": 64,
    "pointer_words": 32,
    "accumulators": 12,
    "activations": 12,
    "codebook_entries": 32,
}
GEOMETRIES = {
    "one PE": Geometry(pes=1),
    "seven PEs": Geometry(pes=7, scan_width=2),
    "nine bits": Geometry(pes=4, entry_bits=9, word_entries=4),
    "one entry a word": Geometry(pes=3, word_entries=1, accumulator_bits=40),
    "paper": Geometry(pes=4, padding_zeros=True, empty_columns=True),
    "row tiles": Geometry(pes=4, accumulators=3),
    "row tiles of words": Geometry(pes=2, accumulators=7, scan_width=2),
    "tiny": Geometry(pes=4, **TINY),
    "tiny, one PE": Geometry(pes=1, **TINY),
    "tiny, two slots": Geometry(pes=3, scan_width=2, **TINY),
    "tiny, one entry a word": Geometry(pes=2, **{**TINY, "word_entries": 1}),
    "tiny, nine bits": Geometry(pes=5, entry_bits=9, word_entries=4, **{**TINY, "matrix_words": 20}),
    "two accumulators": Geometry(pes=2, **{**TINY, "accumulators": 2}),
}
NETWORKS = {
    "one layer": ([40, 30], {}),
    "three layers": ([50, 70, 20, 10], {}),
    "one row": ([60, 1], {}),
    "one column": ([1, 60], {}),
    "one of each": ([1, 1], {}),
    "long middle": ([20, 150, 5], {}),
    "empty columns": ([40, 40, 10], {"empty_columns": 0.6}),
    "no weights": ([20, 20], {"density": 0.0}),
    "dense": ([20, 50], {"density": 1.0}),
    "saturating": ([40, 30, 10], {"shift": 2}),
    "no shift": ([30, 20], {"shift": 0, "largest": 3}),
    "wide biases": ([30, 20, 10], {"bias": 1 << 29}),
    "no biases": ([30, 20], {"bias": 0}),
    "two-bit indices": ([40, 30], {"index_bits": 2}),
    "sparse": ([200, 150], {"density": 0.02}),
}


def random_inputs(rng: np.random.Generator, batch: int, size: int) -> np.ndarray:
    """Negative and positive activations, half of them zero."""
    values = rng.integers(-32768, 32768, (batch, size))
    values[rng.random(values.shape) < 0.5] = 0
    return values


def compare(
    model: Model, geometry: Geometry, inputs: np.ndarray, threshold: int = 0, **options: object
) -> Engine:
    """Run on the engine and demand the integers and the saturations of the forward pass."""
    engine = Engine(geometry)
    result = execute(make_plan(model, geometry, threshold=threshold, **options), engine, inputs)
    expected, saturations = forward(model, inputs, geometry.accumulator_bits, threshold)
    assert_array_equal(result.outputs, expected)
    assert result.saturations == saturations
    assert not engine.memories[Memory.ACCUMULATORS].any()
    return engine


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_the_engine_gives_the_integers_of_the_forward_pass(geometry, network):
    rng = np.random.default_rng(7)
    sizes, options = NETWORKS[network]
    model = random_model(rng, sizes, **options)
    compare(model, GEOMETRIES[geometry], random_inputs(rng, 3, model.inputs))


@pytest.mark.parametrize("geometry", ["one PE", "seven PEs", "nine bits", "paper"])
def test_a_streamed_plan_gives_the_integers_of_a_resident_one(geometry):
    rng = np.random.default_rng(8)
    model = random_model(rng, [50, 70, 20, 10])
    compare(model, GEOMETRIES[geometry], random_inputs(rng, 2, 50), resident=False)


@pytest.mark.parametrize("geometry", ["seven PEs", "tiny", "tiny, two slots"])
def test_activations_that_are_all_zero_give_the_biases(geometry):
    model = random_model(np.random.default_rng(9), [40, 30, 20])
    compare(model, GEOMETRIES[geometry], np.zeros((2, 40), dtype=int))


@pytest.mark.parametrize("geometry", ["one PE", "tiny"])
def test_extreme_activations(geometry):
    model = random_model(np.random.default_rng(10), [40, 30])
    compare(model, GEOMETRIES[geometry], np.array([[32767] * 40, [-32768] * 40]))


@pytest.mark.parametrize("threshold", [1, 200, 20000, 32767, 32768, 65535])
@pytest.mark.parametrize("geometry", ["one PE", "seven PEs", "tiny, two slots", "paper"])
def test_a_threshold_prunes_every_layer(geometry, threshold):
    rng = np.random.default_rng(11)
    model = random_model(rng, [40, 60, 20], shift=10, largest=200)
    inputs = random_inputs(rng, 3, 40)
    inputs[:, :5] = np.clip([threshold, -threshold, threshold + 1, -threshold - 1, -32768], -32768, 32767)
    compare(model, GEOMETRIES[geometry], inputs, threshold)


def test_what_a_threshold_prunes_is_not_broadcast():
    geometry = Geometry(pes=1, scan_width=2, activations=8)
    engine = hand_made(geometry, Step(index_bits=4, short_lengths=1, words=4, threshold=7), [0] * 8, [])
    engine.write_activations(0, 0, 0, [7, -7, 8, 7, -5, -8, 9, 10])
    engine.run(0, 1)
    found = [payload & 0xFFFFFFFF for token, payload in engine.tokens() if token is Token.ACTIVATION]
    assert found == [8, 0xFFF8 << 16, 9 | 10 << 16]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_any_model_on_any_geometry_under_any_placement(data, seed):
    rng = np.random.default_rng(seed)
    scan_width = data.draw(st.sampled_from([1, 2]))
    geometry = Geometry(
        pes=data.draw(st.integers(1, 8)),
        entry_bits=data.draw(st.sampled_from([8, 9])),
        word_entries=data.draw(st.sampled_from([1, 2, 4])),
        matrix_words=data.draw(st.integers(40, 400)),
        pointer_words=data.draw(st.integers(16, 64)),
        accumulators=data.draw(st.integers(2, 40)),
        activations=scan_width * data.draw(st.integers(2, 20)),
        accumulator_bits=data.draw(st.integers(32, 40)),
        codebook_entries=64,
        steps=data.draw(st.integers(2, 12)),
        scan_width=scan_width,
        padding_zeros=data.draw(st.booleans()),
        empty_columns=data.draw(st.booleans()),
    )
    sizes = data.draw(st.lists(st.integers(1, 80), min_size=2, max_size=4))
    density = data.draw(st.sampled_from([0.05, 0.3, 1.0]))
    index_bits = data.draw(st.integers(1, 5))
    model = random_model(rng, sizes, density, index_bits=index_bits, largest=500)
    placements = [
        scattered(size, geometry.pes, -(-size // geometry.pes) + int(rng.integers(0, 3)), rng)
        for size in sizes
    ]
    try:
        make_plan(model, geometry, placements)
    except UnsupportedError as error:
        assert "columns of one activation word" in str(error)
        return
    threshold = data.draw(st.sampled_from([0, 0, 3, 1000, 30000]))
    compare(model, geometry, random_inputs(rng, 2, sizes[0]), threshold, placements=placements)


def hand_made(geometry: Geometry, step: Step, lengths: list[int], words: list[int]) -> Engine:
    """An engine that holds one step; the codebook of every PE is its own index times 100."""
    builder = ImageBuilder(geometry)
    pointer = pointers.pack(lengths, 0, step.short_lengths)
    builder.write(Memory.POINTERS, ALL_PES, 0, pointer)
    builder.write(Memory.MATRIX, ALL_PES, 0, words)
    builder.write(Memory.CODEBOOK, ALL_PES, 0, 100 * np.arange(16))
    builder.write(Memory.STEPS, 0, 0, step.encode())
    engine = Engine(geometry)
    engine.load(WHOLE, builder.payload())
    return engine


ONE = Geometry(pes=1, word_entries=1, accumulator_bits=24, accumulators=8)
ONE_STEP = Step(index_bits=4, short_lengths=1, words=1)


def test_sums_wrap_at_the_accumulator_width():
    engine = hand_made(ONE, ONE_STEP, [1], [0x0F])
    engine.write_activations(0, 0, 0, [-32768])
    for runs in (1, 2):
        engine.run(0, 1)
        expected = wrap(runs * 1500 * -32768, 24)
        assert wrap(engine.memories[Memory.ACCUMULATORS][0, 0], 24) == expected


def test_sums_stay_until_a_drain_which_clears_them():
    draining = Step(index_bits=4, short_lengths=1, words=0, drain_rows=2, shift=3, destination_slot=5)
    engine = hand_made(ONE, ONE_STEP, [2], [0x03, 0x02])
    engine.write_activations(0, 0, 0, [7])
    engine.run(0, 1)
    assert engine.memories[Memory.ACCUMULATORS][0, :3].tolist() == [2100, 1400, 0]
    builder = ImageBuilder(ONE)
    builder.write(Memory.STEPS, 0, 8, draining.encode())
    engine.load(WHOLE, builder.payload())
    engine.run(1, 1)
    assert_array_equal(engine.read_outputs(1, 5, 0, 2), requantise([2100, 1400], 3, False)[0])
    assert not engine.memories[Memory.ACCUMULATORS].any()


@pytest.mark.parametrize(
    ("words", "bias_words", "expected"),
    [([0x80], 1, -128), ([0x80, 0x00], 2, 128), ([0x00, 0x80], 2, -32768), ([1, 0, 0x80], 3, 1 - 2**23)],
)
def test_biases_are_little_endian_and_sign_extended(words, bias_words, expected):
    step = Step(index_bits=4, words=0, drain_rows=1, bias_address=3, bias_words=bias_words, shift=0)
    engine = hand_made(ONE, step, [], [0, 0, 0, *words])
    engine.run(0, 1)
    assert engine.read_outputs(1, 0, 0, 1).tolist() == [max(expected, -32768)]


def test_saturations_are_counted_modulo_two_to_the_sixteen():
    step = Step(index_bits=4, words=0, drain_rows=1, bias_words=3)
    engine = hand_made(ONE, step, [], [0, 0, 0x40])
    engine.memories[Memory.COUNTERS][0, 0] = 0xFFFF
    engine.run(0, 1)
    assert engine.saturations().tolist() == [0]
    engine.run(0, 1)
    assert engine.saturations().tolist() == [1]


def test_tokens_come_in_the_order_of_the_broadcast():
    geometry = Geometry(pes=2, scan_width=2, activations=8)
    step = Step(index_bits=4, codebook_base=16, short_lengths=1, first_word=1, words=2, pointer_base=3)
    engine = hand_made(geometry, step, [0] * 8, [])
    # Slots 2 to 5 of both PEs: words (2, 3) and (4, 5).
    engine.write_activations(0, 2, 0, [1, 2, 3, 4, 5, 0, 7, -8])
    engine.run(0, 1)
    payloads = [(0, 1, 3), (1, 2, 4), (2, 5, 7), (3, 0, -8 & 0xFFFF)]
    base_bits, address_bits = (bits_for(n - 1) for n in (geometry.codebook_entries, geometry.pointer_words))
    assert engine.tokens() == [
        (Token.BEGIN, 4 | 16 << 4 | 3 << 4 + base_bits),
        *[
            (Token.ACTIVATION, first | second << 16 | 3 << 32 | place << 32 + address_bits)
            for place, first, second in payloads
        ],
        (Token.FINISH, 0),
    ]


def test_only_the_last_step_of_a_run_is_final():
    plan = make_plan(random_model(np.random.default_rng(0), [20, 20, 20]), Geometry(pes=2))
    engine = Engine(plan.geometry)
    execute(plan, engine, np.ones((1, 20), dtype=int))
    assert [trace.final for trace in engine.traces] == [False, True]


def test_traces_say_what_each_column_holds():
    engine = hand_made(ONE, ONE_STEP, [3], [0x80, 0x43, 0x05])  # a gap of 16 + 2 would leave the memory
    with pytest.raises(InputError, match=r"^a column's entries reach accumulator 19, but the last is 7"):
        engine.write_activations(0, 0, 0, [1])
        engine.run(0, 1)
    engine = hand_made(ONE, ONE_STEP, [2], [0x43, 0x05])
    engine.run(0, 1)
    matrix = engine.traces[0].matrix
    assert (matrix.lengths[0, 0], matrix.weights[0, 0], matrix.starts[0, 0]) == (2, 2, 0)
    assert matrix.accumulator.tolist() == [2, 3]
    assert matrix.value.tolist() == [300.0, 500.0]


def test_a_column_that_ends_in_an_escape_is_refused():
    engine = hand_made(ONE, ONE_STEP, [2], [0x43, 0x80])
    with pytest.raises(InputError, match=r"^a column ends in an escape"):
        engine.run(0, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"words": 2000}, r"^step 0 scans slots 0 to 1999, but both files have 512$"),
        ({"pointer_base": 256}, r"^a step's pointers reach word 256 of 256$"),
        ({"codebook_base": 256}, r"^a codebook of 16 values at 256 does not end within 256$"),
        ({"drain_rows": 9}, r"^a step drains 9 accumulators to slots from 256 on, but there are 8 acc"),
        ({"drain_rows": 8, "destination_slot": 250}, r"^a step drains 8 accumulators to slots from 506 on"),
        (
            {"drain_rows": 1, "bias_words": 1, "bias_address": 2048},
            r"^a step's biases reach word 2048 of 2048$",
        ),
        ({"drain_rows": 1, "bias_words": 4}, r"^a step's biases have 4 words each, but 3 hold them$"),
    ],
)
def test_a_step_that_leaves_the_memories_is_refused(changes, message):
    step = Step(**{"index_bits": 4, "short_lengths": 1, "words": 1, **changes})
    engine = hand_made(ONE, step, [0], [])
    with pytest.raises(InputError, match=message):
        engine.run(0, 1)


def test_a_step_that_nothing_feeds_would_wait_for_ever():
    engine = hand_made(ONE, Step(index_bits=4, words=1, wait=1), [0], [])
    with pytest.raises(DeviceError, match=r"^step 0 waits for activations that no step before it writes"):
        engine.run(0, 1)


def test_compute_is_refused_until_its_bank_is_committed():
    engine = hand_made(ONE, ONE_STEP, [0], [])
    with pytest.raises(InputError):
        engine.load(0, b"\0")
    assert engine.committed == {1}
    with pytest.raises(DeviceError, match=r"^step 0 needs bank 0, which is not committed; load it$"):
        engine.run(0, 1)
    engine.load(0, b"")
    engine.run(0, 1)


def test_a_reset_forgets_commits_and_sums():
    engine = hand_made(ONE, ONE_STEP, [1], [0x01])
    engine.write_activations(0, 0, 0, [5])
    engine.start(0, 1)
    engine.reset()
    assert not engine.committed
    assert not engine.memories[Memory.ACCUMULATORS].any()
    assert engine.read_outputs(0, 0, 0, 1).tolist() == [5]


def test_a_busy_engine_takes_only_the_other_bank():
    engine = hand_made(ONE, ONE_STEP, [0], [])
    engine.start(0, 1)
    engine.load(1, b"")
    for refused in (
        lambda: engine.load(0, b""),
        lambda: engine.load(WHOLE, b""),
        lambda: engine.start(0, 1),
        lambda: engine.write_activations(0, 0, 0, [1]),
        lambda: engine.read_outputs(0, 0, 0, 1),
    ):
        with pytest.raises(DeviceError, match=r"wait for the run to end$"):
            refused()
    engine.wait()
    with pytest.raises(DeviceError, match=r"^no run was started$"):
        engine.wait()


@pytest.mark.parametrize(("first", "count"), [(0, 0), (-1, 1), (32, 1), (30, 3)])
def test_steps_that_do_not_exist_are_not_run(first, count):
    with pytest.raises(DeviceError, match=r"but the engine has 32$"):
        hand_made(ONE, ONE_STEP, [0], []).run(first, count)


@pytest.mark.parametrize("place", [(2, 0, 0, 1), (0, -1, 0, 1), (0, 0, 1, 1), (0, 256, 0, 1), (0, 255, 0, 2)])
def test_places_outside_the_files_are_refused(place):
    with pytest.raises(DeviceError, match=r"lie outside two files of 256 slots on 1 PEs$"):
        Engine(ONE).read_outputs(*place)


def test_new_weights_are_seen_after_a_load():
    engine = hand_made(ONE, ONE_STEP, [1], [0x01])
    engine.write_activations(0, 0, 0, [1])
    for index in (1, 2, 1):
        builder = ImageBuilder(ONE)
        builder.write(Memory.MATRIX, 0, 0, [index])
        builder.write(Memory.ACCUMULATORS, 0, 0, [0])
        engine.load(WHOLE, builder.payload())
        engine.run(0, 1)
        assert engine.memories[Memory.ACCUMULATORS][0, 0] == 100 * index


def test_a_timing_sees_the_traces_of_every_run():
    plan = make_plan(random_model(np.random.default_rng(0), [20, 20, 20]), Geometry(pes=2))
    engine = Engine(plan.geometry, timing=lambda geometry, traces: RunReport(len(traces), geometry.pes))
    result = execute(plan, engine, np.ones((3, 20), dtype=int))
    assert result.cycles.tolist() == [2, 2, 2]
    assert result.stalls.tolist() == [2, 2, 2]


def test_a_full_width_bias_survives_every_word_size():
    for entry_bits, word_entries in [(8, 1), (8, 2), (8, 4), (9, 1), (9, 2), (9, 4)]:
        geometry = Geometry(pes=3, entry_bits=entry_bits, word_entries=word_entries, accumulator_bits=40)
        layer = random_layer(np.random.default_rng(1), 30, 10, bias=1 << 38, shift=30, relu=False)
        compare(Model(layers=(layer,)), geometry, np.ones((1, 10), dtype=int))
