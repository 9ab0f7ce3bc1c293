"""UART at several speeds, and its parameters."""

import pytest

from hdl.uart import UARTReceiver, UARTTransmitter
from tests.hdl.runner import simulate


@pytest.mark.parametrize("divisor", [2, 3, 4, 5, 12, 104])
def test_receiver(divisor):
    simulate(
        UARTReceiver(divisor=divisor),
        "tests.hdl.bench_uart",
        testcase="receiver_.*",
        parameters={"divisor": divisor, "bit_cycles": [divisor * (1 + off) for off in (0, 0.02, -0.02)]},
    )


@pytest.mark.parametrize("mhz", [12, 15, 24, 25, 30, 36, 40, 48, 50, 60, 75, 100, 125])
def test_receiver_at_three_megabaud(mhz):
    """With the nearest whole number of cycles, which is up to 4 % off."""
    simulate(
        UARTReceiver(divisor=round(mhz / 3)),
        "tests.hdl.bench_uart",
        testcase="receiver_follows_the_line",
        parameters={"bit_cycles": [mhz / 3]},
    )


@pytest.mark.parametrize("divisor", [2, 4, 7])
def test_transmitter(divisor):
    simulate(
        UARTTransmitter(divisor=divisor),
        "tests.hdl.bench_uart",
        testcase="transmitter_.*",
        parameters={"divisor": divisor},
    )


@pytest.mark.parametrize("component", [UARTReceiver, UARTTransmitter])
@pytest.mark.parametrize("divisor", [1, 65537, 4.0])
def test_divisor_is_checked(component, divisor):
    with pytest.raises(ValueError, match=rf"^Divisor must be an integer from 2 to 65536, not {divisor}$"):
        component(divisor=divisor)
