"""Clock cycles of whole inputs at the serial pins, with a host that takes no time and one that does."""

import numpy as np
import pytest

from boards.presets import SIMULATED
from golden.cycles import run_cycles
from golden.engine import Engine
from golden.execute import Executor
from golden.payloads import of_inference
from golden.plan import make_plan
from host.cost import meter
from host.driver import Driver
from host.link_time import alone, in_a_row
from tests.boards.lockstep import Lockstep
from tests.networks import random_model

MODEL = random_model(np.random.default_rng(0), [60, 70, 33, 10])
PLAN = make_plan(MODEL, SIMULATED)
INPUTS = np.random.default_rng(1).integers(-3000, 3000, (64, 60)).astype(np.int16)
INPUTS[:, ::4] = 0


@pytest.mark.parametrize("divisor", [2, 4])
@pytest.mark.parametrize("least", [100, 300])
def test_the_time_of_inputs_is_what_is_reckoned(divisor, least):
    """Within 8 %, whether values take one byte or two."""
    inputs = np.where(INPUTS, np.abs(INPUTS) % 100 + least - 100, 0).astype(np.int16)
    metered = meter(MODEL, SIMULATED, inputs[:1])
    (requests,) = metered.served
    with Lockstep(SIMULATED, divisor=divisor) as line:
        driver = Driver(line)
        executor = Executor(PLAN, driver)
        executor.run(inputs)
        (job,) = (executor._job(executor._vectors(values)) for values in inputs[:1])
        messages = of_inference(SIMULATED, job.writes, job.span, job.reads, driver.identity.payload_limit)
        taken = []
        for count in (1, 41):
            start = line.cycles
            assert len(driver.flow(count * messages)) == count * len(messages)
            taken.append(line.cycles - start)
        assert driver.status().overruns == 0
    assert taken[0] == pytest.approx(alone(requests, 10 * divisor), rel=0.08)
    assert (taken[1] - taken[0]) / 40 == pytest.approx(in_a_row(requests, 10 * divisor), rel=0.08)


@pytest.mark.parametrize("latency", [0, 12_000])
def test_a_batch_keeps_the_device_busy(latency):
    with Lockstep(SIMULATED, latency=latency) as line:
        driver = Driver(line)
        one_by_one = Executor(PLAN, driver)
        one_by_one._pipeline = None
        together = Executor(PLAN, driver)
        together.run(INPUTS)
        taken = []
        for executor in (one_by_one, together):
            start = line.cycles
            result = executor.run(INPUTS[:16])
            taken.append(line.cycles - start)
        golden = Executor(PLAN, Engine(SIMULATED, run_cycles)).run(INPUTS[:16])
        np.testing.assert_array_equal(result.outputs, golden.outputs)
        np.testing.assert_array_equal(result.cycles, golden.cycles)
        assert driver.traffic.retries == 0
        assert taken[1] < taken[0] * (0.8 if latency == 0 else 0.4)
        assert driver.status().overruns == 0
