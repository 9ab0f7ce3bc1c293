"""The executor: order of actions, overlap, reuse and failures."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from golden.engine import Engine
from golden.errors import DeviceError, InputError
from golden.execute import Answer, Executor, execute
from golden.forward import forward
from golden.geometry import Geometry
from golden.memories import Memory
from golden.plan import Load, make_plan
from golden.protocol import WHOLE
from tests.networks import random_model

SMALL = Geometry(
    pes=4, matrix_words=64, pointer_words=16, accumulators=16, activations=16, codebook_entries=32, steps=4
)


class Recorder(Engine):
    """An engine that writes down what it is asked to do, and may fail once."""

    def __init__(self, geometry: Geometry) -> None:
        super().__init__(geometry)
        self.log: list[str] = []
        self.fail_at = ""

    def _note(self, what: str) -> None:
        self.log.append(what)
        if what == self.fail_at:
            self.fail_at = ""
            raise DeviceError(f"failed at {what}")

    def reset(self):
        self._note("reset")
        super().reset()

    def load(self, bank, image_payload):
        self._note(f"load {bank}")
        super().load(bank, image_payload)

    def start(self, first, count):
        self._note("start")
        super().start(first, count)

    def wait(self):
        self._note("wait")
        return super().wait()

    def write_activations(self, file, slot, pe, values):
        self._note("write")
        super().write_activations(file, slot, pe, values)

    def read_outputs(self, file, slot, pe, count):
        self._note("read")
        return super().read_outputs(file, slot, pe, count)


def model_and_inputs(*sizes, batch=3):
    rng = np.random.default_rng(3)
    return random_model(rng, list(sizes)), rng.integers(-3000, 3000, (batch, sizes[0]))


def test_a_batch_loads_resident_weights_once():
    model, inputs = model_and_inputs(30, 20, 10)
    device = Recorder(Geometry(pes=4))
    executor = Executor(make_plan(model, device.geometry), device)
    executor.run(inputs)
    executor.run(inputs)
    each = ["write", "start", "wait", "read"]
    assert device.log == ["reset", f"load {WHOLE}", *each * 6]


def test_the_next_image_loads_while_the_last_one_runs():
    model, inputs = model_and_inputs(60, 60, batch=1)
    device = Recorder(SMALL)
    execute(make_plan(model, SMALL), device, inputs)
    assert device.log[:9] == [
        "reset",
        "load 0",
        "write",
        "start",
        "load 1",
        "wait",
        "start",
        "load 0",
        "wait",
    ]
    assert device.log[-2:] == ["wait", "read"]


def test_an_image_that_its_bank_still_holds_is_not_loaded_again():
    model, inputs = model_and_inputs(60, 16, batch=4)
    device = Recorder(SMALL)
    plan = make_plan(model, SMALL, resident=False)
    assert len(plan.images) == 2
    execute(plan, device, inputs)
    assert [entry for entry in device.log if entry.startswith("load")] == ["load 0", "load 1"]


def test_an_image_for_the_running_bank_waits_for_the_end_of_the_run():
    model, inputs = model_and_inputs(30, 20, batch=1)
    device = Recorder(Geometry(pes=4))
    plan = make_plan(model, device.geometry)
    load, write, run, read = plan.actions
    twice = replace(
        plan,
        images=(plan.images[0], replace(plan.images[0])),
        actions=(load, write, run, Load(1, WHOLE), run, read),
    )
    assert_array_equal(execute(twice, device, inputs).outputs, forward(model, inputs)[0])
    assert device.log[3:7] == ["start", "wait", f"load {WHOLE}", "start"]


@pytest.mark.parametrize("failure", ["load 1", "start", "wait", "read"])
def test_after_a_failure_the_next_batch_starts_afresh(failure):
    model, inputs = model_and_inputs(60, 100, 20)
    device = Recorder(SMALL)
    executor = Executor(make_plan(model, SMALL), device)
    device.fail_at = failure
    with pytest.raises(DeviceError, match=failure):
        executor.run(inputs)
    device.log.clear()
    assert_array_equal(executor.run(inputs).outputs, forward(model, inputs)[0])
    assert device.log[:2] == ["reset", "load 0"]


def test_sums_that_another_session_left_do_no_harm():
    model, inputs = model_and_inputs(30, 20)
    device = Engine(Geometry(pes=4))
    device.memories[Memory.ACCUMULATORS][:] = 12345
    result = execute(make_plan(model, device.geometry), device, inputs)
    assert_array_equal(result.outputs, forward(model, inputs)[0])


def test_resuming_loads_and_resets_nothing():
    model, inputs = model_and_inputs(30, 20)
    device = Recorder(Geometry(pes=4))
    plan = make_plan(model, device.geometry)
    execute(plan, device, inputs)
    device.log.clear()
    result = Executor(plan, device, resume=True).run(inputs)
    assert_array_equal(result.outputs, forward(model, inputs)[0])
    assert set(device.log) == {"write", "start", "wait", "read"}


def test_saturations_beyond_the_counters_are_all_counted():
    model, inputs = model_and_inputs(20, 4096, batch=1)
    model = random_model(np.random.default_rng(0), [20, 4096], 1.0, shift=0)
    batch = np.repeat(inputs, 40, axis=0)
    device = Engine(Geometry(pes=1, accumulators=4096, activations=4096, matrix_words=65536))
    result = execute(make_plan(model, device.geometry), device, batch)
    expected = forward(model, inputs)[1] * 40
    assert expected > 1 << 16
    assert result.saturations == expected


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            np.zeros((2, 29), dtype=int),
            r"^inputs must be integers of shape \(batch, 30\), not int64 of shape",
        ),
        (np.zeros(30, dtype=int), r"^inputs must be integers of shape \(batch, 30\)"),
        (np.zeros((2, 30)), r"^inputs must be integers of shape \(batch, 30\), not float64"),
        (np.full((1, 30), 32768), r"^inputs must fit int16, not reach 32768 and 32768$"),
    ],
)
def test_bad_inputs_are_refused(inputs, message):
    model, _ = model_and_inputs(30, 20)
    device = Engine(Geometry(pes=4))
    with pytest.raises(InputError, match=message):
        execute(make_plan(model, device.geometry), device, inputs)


def test_an_empty_batch_gives_nothing():
    model, inputs = model_and_inputs(30, 20)
    device = Engine(Geometry(pes=4))
    assert execute(make_plan(model, device.geometry), device, inputs[:0]).outputs.shape == (0, 20)


def test_a_plan_for_another_geometry_is_refused_with_the_numbers():
    model, _ = model_and_inputs(30, 20)
    plan = make_plan(model, Geometry(pes=4))
    with pytest.raises(
        DeviceError, match=r"^the device has pes 8 instead of 4, steps 16 instead of 32; make"
    ):
        Executor(plan, Engine(Geometry(pes=8, steps=16)))


class Failing(Recorder):
    """An engine that does jobs at once, but spoils every second call with runs that nobody asked for."""

    size = 3
    calls = 0

    def pipeline(self):
        return self

    def run(self, jobs):
        self.calls += 1
        spoilt = self.calls % 2 == 1
        answers = [self.job(job) for job in (jobs[:2] * 2 if spoilt else jobs)]
        return None if spoilt else answers

    def job(self, job):
        for file, slot, values in job.writes:
            self.write_activations(file, slot, 0, values)
        self.start(job.first, job.steps)
        report = self.wait()
        return Answer(report, [self.read_outputs(file, slot, 0, count) for file, slot, count in job.reads])


def test_inputs_that_a_pipeline_gives_up_are_done_again_and_their_saturations_counted_once():
    model, inputs = model_and_inputs(30, 20, 10, batch=11)
    device = Failing(Geometry(pes=4))
    done = []
    result = Executor(make_plan(model, device.geometry), device).run(inputs, done.append)
    outputs, saturations = forward(model, inputs)
    assert_array_equal(result.outputs, outputs)
    assert result.saturations == saturations > 0
    assert device.calls == 4
    assert done == list(range(1, 12))


def test_a_pipeline_that_has_given_up_is_left_alone():
    model, inputs = model_and_inputs(30, 20, 10)
    device = Failing(Geometry(pes=4))
    device.size = 0
    result = Executor(make_plan(model, device.geometry), device).run(inputs)
    assert_array_equal(result.outputs, forward(model, inputs)[0])
    assert device.calls == 0
