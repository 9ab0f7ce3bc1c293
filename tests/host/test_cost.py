"""The cost function against the parts that it is made of, and against the file and the driver."""

from dataclasses import replace

import numpy as np
import pytest

from boards.registry import find
from golden.cycles import run_cycles
from golden.engine import Engine
from golden.errors import InputError, UnsupportedError, UsageError
from golden.execute import execute
from golden.forward import layer_forward
from golden.geometry import Geometry
from golden.model import Model, encode
from golden.plan import make_plan
from host.cost import Preset, answer_seconds, cost, meter, stand_in
from host.values import to_integers

INPUTS = np.random.default_rng(0).integers(1, 3000, (3, 40)).astype(np.int16)


@pytest.fixture(scope="module")
def model() -> Model:
    rng = np.random.default_rng(1)
    masks = [rng.random((60, 40)) < 0.2, rng.random((9, 60)) < 0.3]
    return stand_in(masks, INPUTS, activations=[0.4])


def test_every_figure_is_that_of_its_source(model: Model) -> None:
    board = find("icebreaker")
    found = cost(model, board, INPUTS)
    plan = make_plan(model, board.geometry)
    metered = meter(model, board.geometry, INPUTS)
    ran = execute(plan, Engine(board.geometry, run_cycles), INPUTS)
    assert found.file_bytes == len(encode(model))
    assert (found.image_bytes, found.resident) == (plan.image_bytes, plan.resident)
    assert found.cycles == pytest.approx(ran.cycles.mean())
    assert found.wire_bytes == metered.wire_bytes
    assert found.engine_seconds == pytest.approx(found.cycles / 24e6)
    preset = Preset(board.name, board.geometry, board.clock_hz, board.baud)
    assert found.answer_seconds == answer_seconds(metered, preset)
    assert cost(model, preset, INPUTS) == found


def test_a_bare_geometry_has_no_seconds(model: Model) -> None:
    board = find("icebreaker")
    bare, timed = cost(model, board.geometry, INPUTS), cost(model, board, INPUTS)
    assert bare == replace(timed, engine_seconds=None, answer_seconds=None)
    assert bare.as_dict()["cycles"] == timed.cycles


def test_real_inputs_are_turned_into_the_models_integers(model: Model) -> None:
    layers = tuple(
        replace(layer, input_fraction=8, output_fraction=8, weight_fraction=0) for layer in model.layers
    )
    scaled = replace(model, layers=layers)
    real = INPUTS.astype(np.float32) / 256
    np.testing.assert_array_equal(to_integers(scaled, real)[0], INPUTS)
    assert cost(scaled, Geometry(), real) == cost(scaled, Geometry(), INPUTS)


def test_sparser_inputs_and_thresholds_cost_less(model: Model) -> None:
    half = INPUTS * (np.arange(40) % 2).astype(np.int16)
    whole = cost(model, Geometry(), INPUTS).cycles
    assert cost(model, Geometry(), half).cycles < whole
    assert cost(model, Geometry(), INPUTS, threshold=1500).cycles < whole


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_stand_in_has_the_masks_the_bits_and_the_densities_asked_for(share: float) -> None:
    rng = np.random.default_rng(2)
    masks = [rng.random((200, 40)) < 0.3, rng.random((100, 200)) < 0.1, rng.random((5, 100)) < 0.5]
    found = stand_in(masks, INPUTS, weight_bits=[4, 3, 1], activations=[share, 0.5])
    assert [layer.index_bits for layer in found.layers] == [4, 3, 1]
    source = INPUTS
    for layer, mask, wanted in zip(found.layers, masks, (share, 0.5, None), strict=True):
        np.testing.assert_array_equal(layer.weights() != 0, mask)
        source, _, _ = layer_forward(layer, source)
        if wanted is not None:
            assert np.mean(source != 0) == pytest.approx(wanted, abs=0.02)
    assert cost(found, Geometry(), INPUTS).cycles > 0


def test_what_cannot_be_reckoned_is_refused(model: Model) -> None:
    for inputs in (INPUTS[0], INPUTS[:0], INPUTS[:, :-1]):
        with pytest.raises(InputError, match=r"^inputs must have the shape \(count, 40\)"):
            cost(model, Geometry(), inputs)
    with pytest.raises(UsageError, match="the threshold must be from 0"):
        cost(model, Geometry(), INPUTS, threshold=-1)
    with pytest.raises(UsageError, match=r"^2 layers need"):
        stand_in([np.ones((4, 40)), np.ones((4, 4))], INPUTS, weight_bits=[4])
    wide = stand_in([np.ones((4, 40))], INPUTS, weight_bits=8)
    with pytest.raises(UnsupportedError, match="8 bits"):
        cost(wide, Geometry(entry_bits=8), INPUTS)
