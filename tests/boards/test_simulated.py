"""The simulated board as a client sees it: a port, and behind it the whole design."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from boards import simulated
from boards.presets import SIMULATED
from boards.simulated import SimulatedBoard
from golden import protocol
from golden.cycles import run_cycles
from golden.engine import Engine
from golden.errors import DeviceError
from golden.execute import Executor, execute
from golden.forward import forward
from golden.memories import Memory
from golden.plan import make_plan
from golden.protocol import WHOLE, Frame, Request
from host import march
from host.driver import Driver
from host.session import Session, open_session
from host.transport import SerialTransport
from tests.host.device_model import FaultyTransport
from tests.networks import random_model

MODEL = random_model(np.random.default_rng(0), [60, 70, 33, 10])
INPUTS = np.random.default_rng(1).integers(-3000, 3000, (3, 60)).astype(np.int16)
INPUTS[:, ::4] = 0
PLAN = make_plan(MODEL, SIMULATED)
OUTPUTS, SATURATIONS = forward(MODEL, INPUTS)


@pytest.fixture(scope="module")
def board():
    with SimulatedBoard() as running:
        yield running


@pytest.fixture
def line(board):
    transport = SerialTransport(board.port)
    yield transport
    transport.close()


def check(device, plan=PLAN):
    result = execute(plan, device, INPUTS)
    np.testing.assert_array_equal(result.outputs, OUTPUTS)
    assert result.saturations == SATURATIONS > 0
    return result


def test_it_says_what_it_is(line):
    identity = Driver(line).identity
    assert identity.geometry == SIMULATED
    assert identity.version == protocol.VERSION


@pytest.mark.parametrize("resident", [True, False])
def test_integers_and_cycles_equal_golden(line, resident):
    plan = make_plan(MODEL, SIMULATED, resident=resident)
    driver = Driver(line)
    result = check(driver, plan)
    golden = execute(plan, Engine(SIMULATED, run_cycles), INPUTS)
    np.testing.assert_array_equal(result.cycles, golden.cycles)
    np.testing.assert_array_equal(result.stalls, golden.stalls)
    assert driver.traffic.retries == driver.traffic.bad_replies == 0
    status = driver.status()
    assert (status.damaged, status.overruns, status.fault) == (0, 0, 0)


def test_active_columns_give_the_same_integers_and_the_cycles_foretold(line):
    plan = make_plan(random_model(np.random.default_rng(0), [60, 120, 50, 40, 10]), SIMULATED, resident=False)
    inputs = np.concatenate([INPUTS, np.where(np.arange(60) % 5, 0, INPUTS)]).astype(np.int16)
    found, golden, whole = (
        Executor(plan, device, active_columns=active).run(inputs)
        for device, active in (
            (Driver(line), True),
            (Engine(SIMULATED, run_cycles), True),
            (Engine(SIMULATED, run_cycles), False),
        )
    )
    np.testing.assert_array_equal(found.outputs, whole.outputs)
    np.testing.assert_array_equal(found.cycles, golden.cycles)
    assert found.saturations == whole.saturations
    assert len(plan.images) > 3 and (golden.cycles < whole.cycles).any()


@pytest.mark.parametrize("kind", ["flip", "drop", "duplicate", "truncate"])
def test_a_bad_line_changes_no_integer(line, kind):
    faulty = FaultyTransport(line, 1e-3, seed=4, kinds=(kind,))
    driver = Driver(faulty, timeout=0.5)
    check(driver)
    assert faulty.faults > 0 and driver.traffic.retries > 0


def test_memories_can_be_marched(line):
    assert march.march(Driver(line), Memory.CODEBOOK, lambda: None) == ""


def test_a_reset_in_mid_transfer_starts_the_load_again(board, line):
    pressed = []

    def press_once(done, total):
        if 0 < done < total and not pressed:
            board.press_reset()
            pressed.append(done)

    driver = Driver(line, timeout=0.5, progress=press_once)
    check(driver)
    assert pressed


def test_a_reset_in_mid_session_is_told_and_does_no_harm(board, line):
    driver = Driver(line)
    check(driver)
    board.press_reset()
    deadline = time.monotonic() + 10
    while driver.status().committed and time.monotonic() < deadline:  # the button is heard by and by
        time.sleep(0.01)
    with pytest.raises(DeviceError, match="load the model again"):
        driver.start(0, 1)
    check(driver)


def leave_in_mid_frame(driver, line):
    line.write(protocol.encode(Frame(Request.DATA, 9, bytes(200)))[:100])


def leave_in_mid_transfer(driver, line):
    payload = PLAN.images[0].payload
    driver._exchange.request(Request.BEGIN, protocol.BEGIN.pack(WHOLE, 0))
    line.write(protocol.encode(Frame(Request.DATA, 1, protocol.DATA.pack(0) + payload[:100])))


def leave_in_mid_run(driver, line):
    driver.load(WHOLE, PLAN.images[0].payload)
    line.write(protocol.encode(Frame(Request.RUN, 1, protocol.RUN.pack(1, 0, 2))))


def leave_without_reading(driver, line):
    line.write(protocol.encode(Frame(Request.IDENTIFY, 1)) * 100)


def leave_after_nonsense(driver, line):
    line.write(np.random.default_rng(5).bytes(3000))


@pytest.mark.parametrize(
    "leave",
    [
        leave_in_mid_frame,
        leave_in_mid_transfer,
        leave_in_mid_run,
        leave_without_reading,
        leave_after_nonsense,
    ],
)
def test_a_client_that_goes_away_leaves_it_usable(board, leave):
    first = SerialTransport(board.port)
    leave(Driver(first), first)
    first.close()
    second = SerialTransport(board.port)
    check(Driver(second))
    second.close()


def test_one_client_at_a_time(board, line):
    with pytest.raises(DeviceError, match="in use by another program"):
        SerialTransport(board.port)


def test_a_session_finds_the_model_that_another_left(board):
    board.press_reset()
    time.sleep(0.1)
    traffic = []
    for _ in range(2):
        with Driver(SerialTransport(board.port)) as driver:
            prediction = Session(driver, driver.traffic).predict(MODEL, INPUTS)
            np.testing.assert_array_equal(prediction.raw, OUTPUTS)
            traffic.append(prediction.link_bytes)
    assert traffic[1] < traffic[0] - len(PLAN.images[0].payload) // 2


def test_one_step_on_the_simulated_board(board):
    with open_session("sim") as session:
        np.testing.assert_array_equal(session.predict(MODEL, INPUTS).raw, OUTPUTS)
        inner = Path(session.device.name)
    deadline = time.monotonic() + 5
    while inner.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not inner.exists()


def processor_seconds(process):
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def test_an_idle_board_sleeps(board, line):
    check(Driver(line))
    time.sleep(0.5)
    before = processor_seconds(board._process)
    time.sleep(1.0)
    assert processor_seconds(board._process) - before < 0.05


@pytest.fixture(scope="module")
def program(board):
    return simulated.program(simulated.board_verilog(SIMULATED))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_when_told(program, number):
    process = subprocess.Popen([program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert Path(process.stdout.readline().decode().rstrip("\n")).is_char_device()
    process.send_signal(number)
    assert process.communicate(timeout=5) == (b"", b"")
    assert process.returncode == 0


def test_it_ends_with_its_owner(program):
    owner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time\n"
            "from pathlib import Path\n"
            "from boards.simulated import SimulatedBoard\n"
            "board = SimulatedBoard(program=Path(sys.argv[1]))\n"
            "print(board._process.pid, flush=True)\n"
            "time.sleep(60)\n",
            program,
        ],
        stdout=subprocess.PIPE,
    )
    board = Path("/proc", owner.stdout.readline().decode().strip())
    assert board.exists()
    owner.kill()
    owner.communicate()
    deadline = time.monotonic() + 5
    while board.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not board.exists()


def test_a_board_that_does_not_start_is_told():
    with pytest.raises(DeviceError, match="did not start"):
        SimulatedBoard(program=Path("/bin/false"))


def test_closing_twice_is_harmless(program):
    board = SimulatedBoard(program=program)
    assert board.running and not board.wait(0)
    board.close()
    board.close()
    assert not board.running and board.wait(0)
