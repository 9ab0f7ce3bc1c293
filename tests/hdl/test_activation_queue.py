"""Activation queue: depths next to each other, and its parameter."""

import re

import pytest

from golden.latencies import SHORT_QUEUE
from hdl.activation_queue import ActivationQueue
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide

DEPTHS = (1, 2, 3, 5, 8, 256)


def test_activation_queue() -> None:
    kinds: dict[str, tuple[int, int]] = {}
    queues = {}
    for depth in DEPTHS:
        for bypass in (False, True):
            name = f"depth{depth}{'_bypass' if bypass else ''}"
            kinds[name] = (depth, 1 if bypass or depth <= SHORT_QUEUE else 2)
            queues[name] = ActivationQueue(20, depth=depth, bypass=bypass)
    simulate(SideBySide(queues), "tests.hdl.bench_activation_queue", parameters={"queues": kinds})


@pytest.mark.parametrize("depth", [0, -1, 2.0, "8"])
def test_depth_is_checked(depth: object) -> None:
    with pytest.raises(
        ValueError, match=rf"^Depth must be a positive integer, not {re.escape(repr(depth))}$"
    ):
        ActivationQueue(20, depth=depth)
