"""Inputs without a pause between them: order, credits, what is learned, and lines that lose requests."""

from dataclasses import replace

import numpy as np
import pytest

from golden import protocol
from golden.engine import Engine
from golden.execute import Executor, RunReport
from golden.forward import forward
from golden.geometry import Geometry
from golden.plan import make_plan
from golden.protocol import Request
from host import driver as driver_module
from host import exchange
from host.driver import Driver
from tests.host.device_model import DeviceModel, FaultyTransport
from tests.networks import random_model

GEOMETRY = Geometry(pes=3)
ODD = random_model(np.random.default_rng(0), [40, 50, 20, 11])
EVEN = random_model(np.random.default_rng(1), [90, 50, 11])
JOINED = random_model(np.random.default_rng(2), [90, 20, 11])


@pytest.fixture(autouse=True)
def settle_at_once(monkeypatch):
    monkeypatch.setattr(exchange, "SETTLE", 0.001)
    monkeypatch.setattr(exchange, "LONGEST_SETTLE", 0.002)
    monkeypatch.setattr(driver_module, "LONGEST_POLL", 0.0005)


class Slow(DeviceModel):
    """A device whose run number n takes 100 + n cycles, and so many further requests long."""

    def __init__(self, geometry=GEOMETRY, busy_polls=0, **options):
        super().__init__(geometry, busy_polls=busy_polls, **options)
        self.engine = Engine(geometry, lambda _geometry, traces: RunReport(100 + self.runs, len(traces)))


def batch(model, count):
    rng = np.random.default_rng(count)
    return rng.integers(-3000, 3000, (count, model.inputs)).astype(np.int16)


def check(executor, model, count=12):
    inputs = batch(model, count)
    result = executor.run(inputs)
    outputs, saturations = forward(model, inputs)
    np.testing.assert_array_equal(result.outputs, outputs)
    assert result.saturations == saturations > 0
    assert (np.diff(result.cycles) > 0).all()
    return result


def prepared(model, device, geometry=GEOMETRY, **options):
    driver = Driver(device, **options)
    executor = Executor(make_plan(model, geometry), driver)
    assert executor.plan.resident
    return driver, executor


def of_inputs(device):
    """The requests of which each input needs some, in order."""
    kinds = (Request.ACTIVATIONS, Request.INFER, Request.RUN, Request.OUTPUTS)
    return [request for request in device.requests if request in kinds]


@pytest.mark.parametrize(
    ("model", "geometry"), [(ODD, GEOMETRY), (EVEN, GEOMETRY), (JOINED, replace(GEOMETRY, activations=16))]
)
def test_an_input_that_fits_is_one_request(model, geometry):
    device = Slow(geometry, payload_limit=244)
    _, executor = prepared(model, device, geometry)
    result = check(executor, model)
    assert result.cycles.tolist() == list(range(100, 112))
    assert of_inputs(device) == [Request.INFER] * 12


def test_what_is_too_long_goes_before_and_outputs_behind():
    model = random_model(np.random.default_rng(3), [130, 20, 100])
    device = Slow(payload_limit=128)
    _, executor = prepared(model, device)
    check(executor, model, 3)
    writes = of_inputs(device).index(Request.INFER)
    assert writes == 2
    assert of_inputs(device) == 3 * [*[Request.ACTIVATIONS] * writes, Request.INFER, Request.OUTPUTS]


@pytest.mark.parametrize("window", [1, 2, 5])
@pytest.mark.parametrize("payload_limit", [128, 176, 244])
def test_credits_count_bytes(window, payload_limit):
    device = Slow(window=window, payload_limit=payload_limit)
    driver, executor = prepared(ODD, device)
    check(executor, ODD, 40)
    credit = protocol.credit(window, payload_limit)
    assert credit - device.longest <= device.most_bytes_unanswered <= credit
    assert driver.traffic.retries == 0


class Deaf(Slow):
    """A device whose outputs do not arrive in time."""

    def on_infer(self, payload):
        super().on_infer(payload)
        return None

    def answer(self, wire):
        try:
            return super().answer(wire)
        except TypeError:
            return b""


def test_inputs_whose_runs_are_very_long_are_done_one_by_one():
    device = Deaf()
    _, executor = prepared(ODD, device, timeout=0.01)
    inputs = batch(ODD, 20)
    np.testing.assert_array_equal(executor.run(inputs).outputs, forward(ODD, inputs)[0])
    device.requests.clear()
    executor.run(inputs)
    assert Request.INFER not in device.requests
    assert device.requests.count(Request.RUN) == 20


class Damaging:
    """Damages one request or one reply."""

    name = "damaging"

    def __init__(self, inner):
        self.inner = inner
        self.left = {"request": -1, "reply": -1}
        self.kind = ""

    def write(self, data):
        self.inner.write(self.pass_on(data, b"\0", "request"))

    def read(self, size, timeout):
        return self.pass_on(self.inner.read(size, timeout), bytes([protocol.FLAG]), "reply")

    def pass_on(self, data, end, what):
        passed = b""
        for frame in data.split(end)[:-1]:
            hit = self.left[what] == 0 and frame
            self.left[what] -= bool(frame)
            if hit and self.kind == "lost":
                continue
            if hit:
                frame = frame[:-1] + bytes([frame[-1] ^ 0x40])
            passed += frame + end
        return passed

    def close(self):
        pass


@pytest.mark.parametrize("what", ["request", "reply"])
@pytest.mark.parametrize("kind", ["lost", "damaged"])
@pytest.mark.parametrize("model", [ODD, EVEN])
def test_any_frame_may_be_hit(what, kind, model):
    line = Damaging(Slow())
    line.kind = kind
    driver, executor = prepared(model, line, timeout=0.01)
    check(executor, model)
    for number in range(9):
        retries = driver.traffic.retries
        line.left[what] = number
        check(executor, model, 6)
        assert line.left[what] < 0 and driver.traffic.retries > retries


@pytest.mark.parametrize("busy_polls", [0, 2])
@pytest.mark.parametrize("seed", range(10))
def test_a_very_bad_line_changes_no_integer(seed, busy_polls):
    line = FaultyTransport(Slow(busy_polls=busy_polls), 3e-3, seed)
    driver, executor = prepared(ODD, line, timeout=0.01)
    check(executor, ODD, 20)
    assert line.faults > 0 and driver.traffic.retries > 0


def test_a_reset_between_inputs_is_told_and_the_next_batch_is_right():
    device = Slow()
    _, executor = prepared(ODD, device)
    check(executor, ODD)
    device.press_reset()
    with pytest.raises(exchange.Refused, match="load the model again"):
        executor.run(batch(ODD, 12))
    check(executor, ODD)


def test_the_board_is_usable_after_an_interrupt():
    device = Slow()
    _, executor = prepared(ODD, device)
    check(executor, ODD)
    read = device.read

    def interrupt(size, timeout):
        device.read = read
        raise KeyboardInterrupt

    device.read = interrupt
    with pytest.raises(KeyboardInterrupt):
        executor.run(batch(ODD, 12))
    check(executor, ODD)
