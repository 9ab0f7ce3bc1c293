"""Streamed layers of which only active columns are loaded: same integers, fewer bytes."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from golden.active import Columns
from golden.cycles import run_cycles
from golden.engine import Engine
from golden.errors import UnsupportedError
from golden.execute import Executor, execute
from golden.forward import forward
from golden.geometry import Geometry
from golden.layers import Layer, Model
from golden.plan import Load, make_plan, over_columns
from tests.networks import random_model

GEOMETRIES = [
    Geometry(pes=4, matrix_words=64, pointer_words=16, accumulators=16, activations=16, codebook_entries=32),
    Geometry(pes=3, matrix_words=128, pointer_words=32, accumulators=8, activations=8, codebook_entries=32),
    Geometry(
        pes=2, matrix_words=256, pointer_words=96, accumulators=32, activations=64, codebook_entries=32,
        scan_width=2, output_registers=False, queue_depth=1,
    ),
]  # fmt: skip
MODEL = random_model(np.random.default_rng(5), [60, 60, 40, 10])


class Counting(Engine):
    """An engine that adds up the bytes of the images it loads."""

    def __init__(self, geometry):
        super().__init__(geometry, run_cycles)
        self.loaded = []
        self.reads = 0

    def load(self, bank, image):
        self.loaded.append((bank, len(image)))
        super().load(bank, image)

    def read_outputs(self, file, slot, pe, count):
        self.reads += 1
        return super().read_outputs(file, slot, pe, count)

    @property
    def bytes(self):
        return sum(size for _, size in self.loaded)


def inputs_of(share, batch=3, seed=6):
    rng = np.random.default_rng(seed)
    values = rng.integers(-3000, 3000, (batch, MODEL.inputs))
    return np.where(rng.random(values.shape) < share, values, 0).astype(np.int16)


def both(plan, inputs):
    """Devices and results of the whole layers, and of active columns."""
    found = []
    for active in (False, True):
        device = Counting(plan.geometry)
        found.append((device, Executor(plan, device, active_columns=active).run(inputs)))
    return found


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("share", [0, 0.02, 0.2, 0.7, 1])
@pytest.mark.parametrize("threshold", [0, 700])
def test_integers_are_those_of_the_whole_layers(geometry, share, threshold):
    plan = make_plan(MODEL, geometry, resident=False, threshold=threshold)
    inputs = inputs_of(share)
    (whole, before), (active, after) = both(plan, inputs)
    assert_array_equal(after.outputs, before.outputs)
    assert after.saturations == before.saturations
    if threshold == 0:
        assert_array_equal(after.outputs, forward(MODEL, inputs)[0])
        assert after.saturations == forward(MODEL, inputs)[1]
    assert active.bytes < whole.bytes or share == 1
    if share <= 0.2:
        assert (after.cycles < before.cycles).all()


def test_bytes_fall_with_the_active_columns():
    plan = make_plan(MODEL, GEOMETRIES[0], resident=False)
    taken = [both(plan, inputs_of(share))[1][0].bytes for share in (0.1, 0.4, 0.7, 1)]
    assert taken == sorted(taken) and taken[0] < 0.75 * taken[-1]


def test_an_input_without_zeros_is_loaded_whole_and_ahead():
    model = random_model(np.random.default_rng(5), [60, 60])
    plan = make_plan(model, GEOMETRIES[0], resident=False)
    inputs = np.full((2, 60), 1000, dtype=np.int16)
    devices = [device for device, _ in both(plan, inputs)]
    assert devices[0].loaded == devices[1].loaded
    banks = [bank for bank, _ in devices[1].loaded]
    assert banks[:-1] != banks[1:]


def test_images_that_stay_loaded_are_left_alone():
    model = random_model(np.random.default_rng(5), [60, 16])
    plan = make_plan(model, GEOMETRIES[0], resident=False)
    assert len(plan.images) == 2
    inputs = np.zeros((4, 60), dtype=np.int16)
    (whole, _), (active, _) = both(plan, inputs)
    assert active.loaded == whole.loaded and len(active.loaded) == 2


def test_a_resident_plan_is_not_changed():
    plan = make_plan(MODEL, Geometry(pes=4))
    inputs = inputs_of(0.1)
    assert_array_equal(
        both(plan, inputs)[1][1].cycles, execute(plan, Engine(plan.geometry, run_cycles), inputs).cycles
    )


def test_outputs_are_read_back_only_where_the_next_layer_is_large():
    wide = random_model(np.random.default_rng(5), [60, 64, 64])
    narrow = random_model(np.random.default_rng(5), [60, 64, 1])
    geometry = GEOMETRIES[0]
    for model, reads in ((wide, 2), (narrow, 1)):
        plan = make_plan(model, geometry, resident=False)
        assert Columns(plan).wants(1) == (reads == 2)
        (whole, _), (active, _) = both(plan, inputs_of(0.5, batch=1))
        assert (whole.reads, active.reads) == (1, reads)


def test_columns_that_do_not_fit_side_by_side_leave_the_layer_whole():
    geometry = replace(GEOMETRIES[0], scan_width=2, matrix_words=8)
    indices = np.zeros((8, 32), dtype=int)
    indices[:, ::2] = 1
    model = Model(layers=(Layer.from_indices(indices, [0, 5], np.zeros(8)),))
    plan = make_plan(model, geometry, resident=False)
    inputs = np.zeros((1, 32), dtype=np.int16)
    inputs[:, ::2] = 7
    with pytest.raises(UnsupportedError):
        over_columns(plan, 0, np.arange(0, 32, 2), 0)
    assert Columns(plan).choose(0, inputs[0], 0) is None
    (whole, before), (active, after) = both(plan, inputs)
    assert whole.loaded == active.loaded and len(plan.images) > 3
    assert_array_equal(after.outputs, before.outputs)


def test_a_stage_has_the_plans_own_units():
    plan = make_plan(MODEL, GEOMETRIES[0], resident=False)
    units = [unit for _, own in plan.stages for unit in own]
    assert [unit.image for unit in units] == list(plan.images)
    assert [a.bank for a in plan.actions if isinstance(a, Load)] == [unit.run.bank for unit in units]
    assert make_plan(MODEL, Geometry(pes=4)).stages == ()
