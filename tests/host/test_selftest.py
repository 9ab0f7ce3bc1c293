"""The self-test against a device in Python, sound and broken in one place at a time."""

import json

import numpy as np
import pytest

from golden.errors import DeviceError
from golden.forward import forward
from golden.geometry import Geometry
from golden.memories import Memory
from golden.plan import make_plan
from golden.protocol import Code
from host import march
from host.driver import Driver
from host.known_answers import cases, run_case
from host.selftest import selftest
from tests.host.device_model import DeviceModel, FaultyTransport

SMALL = Geometry(
    pes=3, matrix_words=128, pointer_words=32, accumulators=32, activations=32, codebook_entries=64, steps=8
)


@pytest.mark.parametrize(
    "geometry",
    [
        SMALL,
        Geometry(pes=1, accumulator_bits=24),
        Geometry(pes=2, entry_bits=9, word_entries=4, scan_width=2),
    ],
)
def test_every_known_answer_runs_and_agrees(geometry):
    driver = Driver(DeviceModel(geometry))
    for case in cases(geometry):
        assert run_case(driver, case) == "", case.name


def test_known_answers_exercise_what_they_name():
    drawn = {case.name: case.draw(SMALL) for case in cases(SMALL)}
    negative = drawn["negative activations"][1]
    assert negative.max() <= 0 > negative.min()
    assert not drawn["zero activations"][1].any()
    assert forward(*drawn["saturation"])[1] > 0 == forward(*drawn["relu"])[1]
    assert make_plan(drawn["escapes"][0], SMALL).layers[0].padding > 0
    assert drawn["no shift"][0].layers[0].shift == 0
    assert drawn["one row"][0].outputs == drawn["one column"][0].inputs == 1
    assert len(drawn["four layers"][0].layers) == 4
    assert np.abs(drawn["wide biases"][0].layers[0].bias).max() > 1 << 24


def test_a_sound_board_passes():
    steps = []
    report = selftest(Driver(DeviceModel(SMALL)), lambda *step: steps.append(step))
    assert report.passed, report.text()
    assert steps[-1][0] == steps[-1][1] and steps == sorted(steps)
    assert json.loads(json.dumps(report.as_dict()))["passed"] is True
    assert "pes 3" in report.text() and report.text().endswith("tests passed")


class StuckBit(DeviceModel):
    """One bit of one word of one memory cannot be cleared."""

    def __init__(self, memory, pe, address, bit):
        self.place = memory, pe, address, bit
        super().__init__(SMALL)

    def answer(self, wire):
        memory, pe, address, bit = self.place
        words = self.engine.memories[memory]
        words[pe, address] |= words.dtype.type(1 << bit)
        return super().answer(wire)


@pytest.mark.parametrize("memory", march.MARCHED)
@pytest.mark.parametrize("bit", [0, 7])
def test_a_stuck_bit_is_found_and_placed(memory, bit):
    pe = 0 if memory is Memory.STEPS else 2
    driver = Driver(StuckBit(memory, pe, 17, bit))
    detail = march.march(driver, memory, lambda: None)
    assert f"PE {pe}, address 17" in detail


class Alias(DeviceModel):
    """An address line is missing: two words of a memory are one."""

    def __init__(self, memory, line):
        self.alias = memory, line
        super().__init__(SMALL)

    def on_commit(self, payload):
        memory, line = self.alias
        words = self.engine.memories[memory]
        before = words.copy()
        answer = super().on_commit(payload)
        for pe, address in np.argwhere(words != before):
            words[pe, address ^ (1 << line)] = words[pe, address]
        return answer


@pytest.mark.parametrize("memory", march.MARCHED)
@pytest.mark.parametrize("line", [0, 4])
def test_a_missing_address_line_is_found(memory, line):
    assert "words wrong" in march.march(Driver(Alias(memory, line)), memory, lambda: None)


class Coupled(DeviceModel):
    """A word's lowest bit falls whenever that of another one, `victim - aggressor` away, rises."""

    aggressor, victim = 20, 21

    def on_commit(self, payload):
        words = self.engine.memories[Memory.CODEBOOK]
        before = int(words[0, self.aggressor]) & 1
        answer = super().on_commit(payload)
        if not before and words[0, self.aggressor] & 1:
            words[0, self.victim] &= 0xFFFE
        return answer


class CoupledBackwards(Coupled):
    aggressor, victim = 21, 20


@pytest.mark.parametrize("device", [Coupled, CoupledBackwards])
def test_a_coupled_word_is_found(device, monkeypatch):
    monkeypatch.setattr(march, "_blocks", lambda driver, memory, down: one_word_blocks(down))
    assert "words wrong" in march.march(Driver(device(SMALL)), Memory.CODEBOOK, lambda: None)


def one_word_blocks(down):
    blocks = [range(i, i + 1) for i in range(SMALL.codebook_entries)]
    return reversed(blocks) if down else blocks


class WrongMultiplier(DeviceModel):
    def on_outputs(self, payload):
        code, data = super().on_outputs(payload)
        return code, bytes([data[0] ^ 1]) + data[1:] if data else data


class Careless(DeviceModel):
    """Runs what was never committed."""

    def on_run(self, payload):
        code, data = super().on_run(payload)
        return (Code.OK if code == Code.NOT_COMMITTED else code), data


def test_failing_tests_are_named():
    report = selftest(Driver(WrongMultiplier(SMALL)))
    assert not report.passed and report.complete
    assert report.failures == [f"known answer: {case.name}" for case in cases(SMALL)]
    assert "known answer: relu" in report.verdict()
    report = selftest(Driver(Careless(SMALL)))
    assert report.failures == ["refusals"]


def test_a_case_that_does_not_fit_is_left_out():
    geometry = Geometry(pes=2, matrix_words=64, pointer_words=8, codebook_entries=32, activations=8, steps=4)
    report = selftest(Driver(DeviceModel(geometry)))
    outcomes = {finding.name: finding.outcome for finding in report.findings}
    assert report.passed
    assert outcomes["known answer: escapes"] == "left out"
    assert outcomes["known answer: relu"] == "passed"


def test_a_bad_line_fails_the_link_and_nothing_else():
    report = selftest(Driver(FaultyTransport(DeviceModel(SMALL), 1e-4), timeout=0.02))
    assert report.failures == ["link"]
    assert report.link["retries"] > 0


def test_a_lost_link_ends_the_test():
    class Dying(DeviceModel):
        def on_commit(self, payload):
            raise DeviceError("port model went away")

    report = selftest(Driver(Dying(SMALL)))
    assert not report.passed and not report.complete
    assert report.failures == ["refusals"]
    assert "went away" in report.text() and "no turn" in report.verdict()
