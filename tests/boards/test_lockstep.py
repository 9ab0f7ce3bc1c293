"""Clock cycles of whole inputs at the serial pins, with a host that takes no time and one that does."""

import numpy as np
import pytest

from boards.presets import SIMULATED
from golden.cycles import run_cycles
from golden.engine import Engine
from golden.execute import Executor
from golden.plan import make_plan
from host.driver import Driver
from tests.boards.lockstep import Lockstep
from tests.networks import random_model

MODEL = random_model(np.random.default_rng(0), [60, 70, 33, 10])
PLAN = make_plan(MODEL, SIMULATED)
INPUTS = np.random.default_rng(1).integers(-3000, 3000, (64, 60)).astype(np.int16)
INPUTS[:, ::4] = 0


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
