"""Frames in both directions, and their parameters."""

import pytest

from hdl.frames import FrameReceiver, FrameTransmitter
from tests.hdl.runner import simulate


@pytest.mark.parametrize(("limit", "window"), [(256, 2), (128, 1), (300, 3)])
def test_receiver(limit, window):
    simulate(
        FrameReceiver(payload_limit=limit, window=window),
        "tests.hdl.bench_frames",
        testcase="receiver_.*",
        parameters={"limit": limit, "window": window},
    )


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("limit", [128, 256])
def test_transmitter(limit, stall):
    simulate(
        FrameTransmitter(payload_limit=limit),
        "tests.hdl.bench_frames",
        testcase="transmitter_.*",
        parameters={"limit": limit, "stall": stall},
    )


@pytest.mark.parametrize("limit", [127, 4097, "256"])
def test_payload_limit_is_checked(limit):
    message = rf"^Payload limit must be an integer from 128 to 4096, not {limit!r}$"
    with pytest.raises(ValueError, match=message):
        FrameReceiver(payload_limit=limit, window=2)
    with pytest.raises(ValueError, match=message):
        FrameTransmitter(payload_limit=limit)


@pytest.mark.parametrize("window", [0, 16, 1.5])
def test_window_is_checked(window):
    with pytest.raises(ValueError, match=rf"^Window must be an integer from 1 to 15, not {window}$"):
        FrameReceiver(payload_limit=256, window=window)
