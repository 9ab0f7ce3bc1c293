"""UART at several speeds, and its parameters."""

import pytest

from hdl.uart import UARTReceiver, UARTTransmitter
from tests.hdl.runner import simulate


@pytest.mark.parametrize("divisor", [4, 5, 12, 104])
def test_receiver(divisor):
    deviations = [0.0] if divisor < 8 else [0.0, 0.02, -0.02]
    simulate(
        UARTReceiver(divisor=divisor),
        "tests.hdl.bench_uart",
        testcase="receiver_.*",
        parameters={"divisor": divisor, "deviations": deviations},
    )


@pytest.mark.parametrize("divisor", [4, 7])
def test_transmitter(divisor):
    simulate(
        UARTTransmitter(divisor=divisor),
        "tests.hdl.bench_uart",
        testcase="transmitter_.*",
        parameters={"divisor": divisor},
    )


@pytest.mark.parametrize("component", [UARTReceiver, UARTTransmitter])
@pytest.mark.parametrize("divisor", [3, 65537, 4.0])
def test_divisor_is_checked(component, divisor):
    with pytest.raises(ValueError, match=rf"^Divisor must be an integer from 4 to 65536, not {divisor}$"):
        component(divisor=divisor)
