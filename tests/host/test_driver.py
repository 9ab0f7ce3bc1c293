"""The driver against a device in Python: bad lines, resets, interrupts, impostors."""

import zlib

import numpy as np
import pytest

from golden import protocol
from golden.errors import DeviceError
from golden.execute import Executor, execute
from golden.forward import forward
from golden.geometry import Geometry
from golden.image import words_to_bytes
from golden.memories import Memory
from golden.plan import Run, make_plan
from golden.protocol import WHOLE, Code, Frame, Identity, Request, Status
from host import exchange
from host.driver import Driver
from host.exchange import Refused
from tests.host.device_model import DeviceModel, FaultyTransport
from tests.networks import random_model

RESIDENT = Geometry(pes=3)
TILED = Geometry(pes=3, matrix_words=64, pointer_words=8)
MODEL = random_model(np.random.default_rng(0), [40, 50, 20, 11])
INPUTS = np.random.default_rng(1).integers(-3000, 3000, (4, 40)).astype(np.int16)


@pytest.mark.parametrize("geometry", [RESIDENT, TILED])
@pytest.mark.parametrize("kind", ["none", "flip", "drop", "duplicate", "truncate"])
def test_outputs_equal_golden_over_a_bad_line(geometry, kind):
    device = DeviceModel(geometry)
    line = FaultyTransport(device, 0.0 if kind == "none" else 1e-3, seed=3, kinds=(kind,))
    driver = Driver(line, timeout=0.02)
    result = execute(make_plan(MODEL, geometry), driver, INPUTS)
    outputs, saturations = forward(MODEL, INPUTS)
    np.testing.assert_array_equal(result.outputs, outputs)
    assert result.saturations == saturations > 0
    assert (driver.traffic.retries > 0) == (kind != "none") == (line.faults > 0)


@pytest.mark.parametrize("seed", range(20))
def test_no_run_is_repeated_or_lost_over_a_very_bad_line(seed):
    device = DeviceModel(TILED)
    plan = make_plan(MODEL, TILED)
    driver = Driver(FaultyTransport(device, 5e-4, seed), timeout=0.02)
    result = execute(plan, driver, INPUTS)
    np.testing.assert_array_equal(result.outputs, forward(MODEL, INPUTS)[0])
    assert device.runs == len(INPUTS) * sum(isinstance(action, Run) for action in plan.actions)


@pytest.mark.parametrize("window", [1, 2, 5])
def test_credits_of_a_load_are_kept_and_used(window):
    device = DeviceModel(RESIDENT, window=window)
    Driver(device).load(WHOLE, make_plan(MODEL, RESIDENT).images[0].payload)
    assert device.most_unanswered == window


@pytest.mark.parametrize("payload_limit", [128, 129, 176, 244])
def test_payloads_keep_to_the_limit(payload_limit):
    device = DeviceModel(RESIDENT, payload_limit=payload_limit)
    result = execute(make_plan(MODEL, RESIDENT), Driver(device), INPUTS)
    np.testing.assert_array_equal(result.outputs, forward(MODEL, INPUTS)[0])


def test_cycles_and_stalls_are_the_devices():
    result = execute(make_plan(MODEL, RESIDENT), Driver(DeviceModel(RESIDENT)), INPUTS)
    assert (result.cycles == 300).all() and (result.stalls == 3).all()


def test_link_bytes_are_those_on_the_wire():
    class Counting(DeviceModel):
        passed = 0

        def write(self, data):
            self.passed += len(data)
            super().write(data)

        def read(self, size, timeout):
            data = super().read(size, timeout)
            self.passed += len(data)
            return data

    device = Counting(RESIDENT)
    driver = Driver(device)
    execute(make_plan(MODEL, RESIDENT), driver, INPUTS)
    assert driver.traffic.link_bytes == device.passed > 0


def test_the_other_banks_image_does_not_count_as_held():
    driver = Driver(DeviceModel(RESIDENT))
    driver.load(0, b"")
    crc = zlib.crc32(b"")
    assert driver.holds(0, crc) and not driver.holds(1, crc) and not driver.holds(WHOLE, crc)


def test_progress_reaches_the_end():
    seen = []
    plan = make_plan(MODEL, RESIDENT)
    execute(plan, Driver(DeviceModel(RESIDENT), progress=lambda *step: seen.append(step)), INPUTS)
    assert seen[-1] == (plan.image_bytes, plan.image_bytes)
    assert sorted(seen) == seen


def test_a_plan_for_another_geometry_is_refused_with_the_numbers():
    driver = Driver(DeviceModel(Geometry(pes=5)))
    with pytest.raises(DeviceError, match=r"pes 5 instead of 3"):
        Executor(make_plan(MODEL, RESIDENT), driver)


def test_memories_are_read_word_by_word():
    device = DeviceModel(RESIDENT)
    words = np.arange(RESIDENT.pointer_words, dtype=np.uint64) * 0x10000000001 % (1 << 44)
    device.engine.memories[Memory.POINTERS][2] = words
    read = Driver(device).read(Memory.POINTERS, 2, 3, 200)
    np.testing.assert_array_equal(read, words[3:203])


def test_a_load_starts_again_after_a_reset_in_mid_transfer():
    class Resetting(DeviceModel):
        left = 3

        def on_data(self, payload):
            self.left -= 1
            if self.left == 0:
                self.press_reset()
            return super().on_data(payload)

    device = Resetting(RESIDENT)
    result = execute(make_plan(MODEL, RESIDENT), Driver(device), INPUTS)
    np.testing.assert_array_equal(result.outputs, forward(MODEL, INPUTS)[0])
    assert device.requests.count(Request.BEGIN) == 2


@pytest.mark.parametrize(("geometry", "message"), [(RESIDENT, "load the model"), (TILED, "reset in mid-run")])
def test_a_reset_in_mid_run_is_told(geometry, message):
    class Resetting(DeviceModel):
        def on_run(self, payload):
            answer = super().on_run(payload)
            self.press_reset()
            return answer

        def on_infer(self, payload):
            self.press_reset()
            return super().on_infer(payload)

    with pytest.raises(DeviceError, match=message):
        execute(make_plan(MODEL, geometry), Driver(Resetting(geometry)), INPUTS)


def test_a_lost_reply_to_commit_does_not_repeat_the_load():
    class Losing(DeviceModel):
        lost = False

        def on_commit(self, payload):
            answer = super().on_commit(payload)
            if not self.lost:
                self.lost = True
                self.swallow = True
            return answer

        def write(self, data):
            self.swallow = False
            super().write(data)
            if self.swallow:
                self.read(4096, 0)

    device = Losing(RESIDENT)
    result = execute(make_plan(MODEL, RESIDENT), Driver(device, timeout=0.02), INPUTS)
    np.testing.assert_array_equal(result.outputs, forward(MODEL, INPUTS)[0])
    assert device.requests.count(Request.BEGIN) == 1
    assert device.requests.count(Request.COMMIT) == 2


def test_a_damaged_image_is_refused():
    with pytest.raises(Refused, match="BAD_IMAGE"):
        Driver(DeviceModel(RESIDENT)).load(WHOLE, words_to_bytes([1, 2, 3], 8))


def test_a_run_without_an_image_is_refused():
    with pytest.raises(Refused, match=r"NOT_COMMITTED.*load the model"):
        Driver(DeviceModel(RESIDENT)).start(0, 1)


def test_an_unfinished_run_of_an_earlier_client_is_waited_for():
    device = DeviceModel(RESIDENT, busy_polls=6)
    plan = make_plan(MODEL, RESIDENT)
    first = Driver(device)
    first.load(WHOLE, plan.images[0].payload)
    first.start(0, 1)
    result = execute(plan, Driver(device), INPUTS)
    np.testing.assert_array_equal(result.outputs, forward(MODEL, INPUTS)[0])


def test_an_engine_that_never_ends_is_given_up():
    device = DeviceModel(RESIDENT, busy_polls=10**9)
    driver = Driver(device, run_timeout=0.05)
    driver.load(WHOLE, make_plan(MODEL, RESIDENT).images[0].payload)
    driver.start(0, 3)
    with pytest.raises(DeviceError, match=r"after 0\.05 s; reset the board"):
        driver.wait()


def test_the_device_is_usable_after_an_interrupt():
    class Interrupted(DeviceModel):
        armed = True

        def read(self, size, timeout):
            if self.armed and self.requests[-1:] == [Request.DATA]:
                self.armed = False
                raise KeyboardInterrupt
            return super().read(size, timeout)

    device = Interrupted(RESIDENT)
    driver = Driver(device)
    plan = make_plan(MODEL, RESIDENT)
    with pytest.raises(KeyboardInterrupt):
        execute(plan, driver, INPUTS)
    for client in (driver, Driver(device)):
        result = execute(plan, client, INPUTS)
        np.testing.assert_array_equal(result.outputs, forward(MODEL, INPUTS)[0])


def test_half_a_frame_of_an_earlier_client_does_no_harm():
    device = DeviceModel(RESIDENT)
    whole = protocol.encode(Frame(Request.STATUS, 1))
    device.write(whole + whole + whole[:5])
    assert Driver(device).geometry == RESIDENT


class Canned:
    """A port that says one thing, whatever it is told."""

    name = "canned"

    def __init__(self, says, endless=False):
        self.says, self.endless, self.pending = says, endless, b""
        self.written = 0

    def write(self, data):
        self.written += 1
        self.pending += self.says

    def read(self, size, timeout):
        data, self.pending = self.pending[:size], self.pending[size:]
        return self.says if self.endless else data

    def close(self):
        pass


class Echo(Canned):
    def write(self, data):
        self.pending += data


IDENTITY = Identity(protocol.VERSION, 256, 2, 1, RESIDENT, Status(*[0] * 14)).encode()


def altered(offset, value):
    return IDENTITY[:offset] + value + IDENTITY[offset + len(value) :]


class Impostor(DeviceModel):
    def __init__(self, identity):
        super().__init__(RESIDENT)
        self.identity = identity

    def on_identify(self, payload):
        return Code.OK, self.identity


@pytest.mark.parametrize(
    ("transport", "message"),
    [
        (Canned(b""), "stays silent"),
        (Canned(b"login: "), r"not the Tamis protocol \(it sent 6c 6f 67"),
        (Canned(b"\0\xff", endless=True), "not the Tamis protocol"),
        (Echo(b""), "not the Tamis protocol"),
        (Impostor(b"hello"), "does not identify itself"),
        (Impostor(altered(5, b"\x07")), "protocol version 7"),
        (Impostor(altered(protocol.IDENTITY.size, b"\0\0")), "pes must be"),
        (Impostor(IDENTITY[:-1]), "malformed"),
    ],
)
def test_other_devices_are_told_apart_in_one_sentence(transport, message, monkeypatch):
    monkeypatch.setattr(exchange, "LONGEST_SETTLE", 0.02)
    with pytest.raises(DeviceError, match=message) as caught:
        Driver(transport, timeout=0.01)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


def test_a_port_that_never_pauses_is_given_up_soon():
    port = Canned(b"login: \0", endless=True)
    with pytest.raises(DeviceError, match="not the Tamis protocol"):
        Driver(port, timeout=0.01)
    assert port.written == exchange.FOREIGN_ATTEMPTS * 2  # as often a flag that ends a frame, and a request


def test_a_line_that_breaks_later_is_told():
    device = DeviceModel(RESIDENT)
    driver = Driver(device, timeout=0.01)
    device.write = lambda data: None
    with pytest.raises(DeviceError, match="the link to model is broken: 12 attempts at STATUS"):
        driver.status()
