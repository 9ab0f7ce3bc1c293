"""Sessions on the golden engine and on a device in Python."""

from dataclasses import replace

import numpy as np
import pytest

from golden.engine import Engine
from golden.errors import DeviceError, InputError, UnsupportedError, UsageError
from golden.execute import Executor
from golden.forward import forward
from golden.geometry import Geometry
from golden.plan import make_plan
from golden.protocol import Request
from host import session as sessions
from host.driver import Driver
from host.info import LayerTiming
from host.session import Session, connect, load_model, open_session, predict
from tests.host.device_model import DeviceModel
from tests.networks import random_model

GEOMETRY = Geometry(pes=3)
MODEL = random_model(np.random.default_rng(0), [40, 50, 20, 11])
OTHER = random_model(np.random.default_rng(1), [40, 11])
INPUTS = np.random.default_rng(2).normal(0, 900, (20, 40)).astype(np.float32)
INTEGERS = np.rint(INPUTS).astype(np.int16)


def session_with(device):
    driver = Driver(device)
    return Session(driver, driver.traffic)


def test_raw_outputs_are_goldens():
    expected, saturations = forward(MODEL, INTEGERS)
    for session in (Session(Engine(GEOMETRY)), session_with(DeviceModel(GEOMETRY))):
        prediction = session.predict(MODEL, INPUTS, raw=True)
        assert prediction.outputs.dtype == np.int16
        np.testing.assert_array_equal(prediction.outputs, expected)
        assert prediction.saturations == saturations > 0
        assert prediction.cycles.shape == prediction.stalls.shape == (20,)


def test_a_link_is_counted_and_no_link_is_not():
    assert Session(Engine(GEOMETRY)).predict(MODEL, INPUTS).link_bytes == 0
    session = session_with(DeviceModel(GEOMETRY))
    first, second = (session.predict(MODEL, INPUTS) for _ in range(2))
    assert first.link_bytes > second.link_bytes > 0
    assert first.retries == second.retries == 0


def test_a_model_is_loaded_once_and_again_after_another():
    device = DeviceModel(GEOMETRY)
    session = session_with(device)
    expected = [forward(model, INTEGERS)[0] for model in (MODEL, MODEL, OTHER, MODEL)]
    for model, outputs, loads in zip((MODEL, MODEL, OTHER, MODEL), expected, (1, 1, 2, 3), strict=True):
        np.testing.assert_array_equal(session.predict(model, INPUTS).raw, outputs)
        assert device.requests.count(Request.BEGIN) == loads


def test_a_later_session_finds_the_model_on_the_board():
    device = DeviceModel(GEOMETRY)
    for loads, model in ((1, MODEL), (1, MODEL), (2, OTHER)):
        prediction = session_with(device).predict(model, INPUTS)
        np.testing.assert_array_equal(prediction.raw, forward(model, INTEGERS)[0])
        assert device.requests.count(Request.BEGIN) == loads


def test_a_streamed_model_is_never_taken_as_found():
    device = DeviceModel(Geometry(pes=3, matrix_words=64, pointer_words=8))
    for _ in range(2):
        prediction = session_with(device).predict(MODEL, INPUTS[:2])
        np.testing.assert_array_equal(prediction.raw, forward(MODEL, INTEGERS[:2])[0])
        assert device.requests.count(Request.RESET) > 0
        device.requests.clear()


def test_final_operations_are_the_hosts():
    raw = forward(MODEL, INTEGERS)[0]
    outputs = predict(MODEL, INPUTS).outputs
    assert outputs.dtype == np.float32
    np.testing.assert_array_equal(outputs, raw)
    outputs = predict(replace(MODEL, final="softmax"), INPUTS).outputs
    assert outputs.dtype == np.float32
    np.testing.assert_allclose(outputs.sum(axis=1), 1, rtol=1e-5)
    for keepdims in (False, True):
        outputs = predict(replace(MODEL, final="argmax", keepdims=keepdims), INPUTS).outputs
        assert outputs.dtype == np.int64
        np.testing.assert_array_equal(outputs, raw.argmax(axis=1, keepdims=keepdims))


def test_progress_counts_inputs():
    seen = []
    Session(Engine(GEOMETRY)).predict(MODEL, INPUTS, progress=lambda *step: seen.append(step))
    assert seen == [(done, 20) for done in range(1, 21)]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((3, 39)), r"shape \(3, 39\), but this model needs \(batch, 40\)"),
        (np.zeros((0, 40)), "at least one input"),
        (np.zeros(40), "shape"),
        (np.full((1, 40), np.nan), "NaN or infinite"),
        (np.full((1, 40), np.inf), "NaN or infinite"),
        (np.zeros((1, 40), dtype=complex), "real numbers"),
        (np.full((1, 40), None), "real numbers"),
        (np.full((1, 40), "1"), "real numbers"),
    ],
)
def test_bad_inputs_are_refused(inputs, message):
    with pytest.raises(InputError, match=message):
        predict(MODEL, inputs)


@pytest.mark.parametrize(
    ("target", "options"),
    [("serial", {}), ("serial", {"port": "x", "pes": 4}), ("golden", {"port": "x"}), ("else", {})],
)
def test_targets_that_make_no_sense_are_refused(target, options):
    with pytest.raises(UsageError):
        open_session(target, **options)


def test_a_model_that_cannot_run_here_is_refused():
    narrow = Geometry(pes=3, accumulator_bits=24)
    with pytest.raises(UnsupportedError, match="24 bits"):
        Session(Engine(narrow)).predict(MODEL, INPUTS)


def test_missing_things_are_told(tmp_path):
    with pytest.raises(DeviceError, match="does not exist"):
        connect(str(tmp_path / "port"))
    with pytest.raises(InputError, match="cannot read"):
        load_model(tmp_path / "model.tamis")


def test_the_line_rate_reaches_the_port(monkeypatch):
    opened = []

    def port(name, baud_rate):
        opened.append((name, baud_rate))
        raise DeviceError("no such port here")

    monkeypatch.setattr(sessions, "SerialTransport", port)
    with pytest.raises(DeviceError):
        open_session("serial", port="p", baud_rate=3_000_000)
    assert opened == [("p", 3_000_000)]


def test_a_streamed_models_inactive_columns_do_not_cross_the_link():
    tiled = Geometry(pes=3, matrix_words=64, pointer_words=8)
    dense, sparse = INTEGERS[:3], INTEGERS[:3] * (np.arange(40) % 4 == 0)
    taken = []
    for inputs in (dense, sparse):
        found = session_with(DeviceModel(tiled)).predict(MODEL, inputs)
        timing = LayerTiming(make_plan(MODEL, tiled))
        timing.executor = Executor(make_plan(MODEL, tiled), Engine(tiled, timing), active_columns=True)
        golden = timing.executor.run(inputs)
        np.testing.assert_array_equal(found.raw, golden.outputs)
        np.testing.assert_array_equal(found.raw, forward(MODEL, inputs)[0])
        assert timing.cycles.sum() == golden.cycles.sum() and timing.cycles.all()
        taken.append(found.link_bytes)
    assert taken[1] < 0.9 * taken[0]
