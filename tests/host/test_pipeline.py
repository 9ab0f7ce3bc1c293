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
    kinds = (Request.ACTIVATIONS, Request.RUN, Request.OUTPUTS)
    return [request for request in device.requests if request in kinds]


def test_the_next_input_is_written_before_the_last_outputs_are_read():
    device = Slow()
    _, executor = prepared(ODD, device)
    result = check(executor, ODD)
    assert result.cycles.tolist() == list(range(100, 112))
    write, run, read = Request.ACTIVATIONS, Request.RUN, Request.OUTPUTS
    block = [write, run, *[write, read, run] * 5, read]
    assert of_inputs(device)[-len(block) :] == block


@pytest.mark.parametrize(
    ("model", "geometry"), [(EVEN, GEOMETRY), (JOINED, replace(GEOMETRY, activations=16))]
)
def test_outputs_in_the_inputs_place_are_read_first(model, geometry):
    device = Slow(geometry)
    _, executor = prepared(model, device, geometry)
    check(executor, model)
    found = of_inputs(device)
    behind = found[found.index(Request.RUN) + 1 :]
    assert behind.index(Request.OUTPUTS) < behind.index(Request.ACTIVATIONS)
    assert device.runs == 12


@pytest.mark.parametrize("window", [1, 2, 5])
@pytest.mark.parametrize("payload_limit", [128, 176, 244])
def test_credits_count_bytes(window, payload_limit):
    device = Slow(window=window, payload_limit=payload_limit)
    driver, executor = prepared(ODD, device)
    check(executor, ODD, 40)
    credit = protocol.credit(window, payload_limit)
    assert credit - 100 < device.most_bytes_unanswered <= credit
    assert device.most_unanswered > window
    assert driver.traffic.retries == 0


@pytest.mark.parametrize("busy_polls", [1, 2, 3, 9])
@pytest.mark.parametrize("model", [ODD, EVEN])
def test_the_time_of_a_run_is_learned(busy_polls, model):
    device = Slow(busy_polls=busy_polls)
    driver, executor = prepared(model, device)
    check(executor, model, 60)
    device.requests.clear()
    check(executor, model, 40)
    assert device.requests.count(Request.RUN) == 40  # none is repeated any more
    looks = device.requests.count(Request.STATUS) / 40
    assert busy_polls <= looks <= busy_polls + 2
    assert driver.traffic.retries == 0


def test_inputs_whose_runs_are_very_long_are_done_one_by_one():
    device = Slow(busy_polls=90)
    _, executor = prepared(ODD, device)
    check(executor, ODD, 20)
    device.runs = 0
    check(executor, ODD, 4)
    assert device.runs == 4


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
    for number in range(25):
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
