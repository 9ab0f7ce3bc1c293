"""Activation queue: depths next to each other, and its parameter."""

import re

import pytest

from hdl.activation_queue import ActivationQueue
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide

DEPTHS = (1, 2, 5, 8, 256)


def test_activation_queue() -> None:
    kinds = {f"depth{depth}_latency{latency}": (depth, latency) for depth in DEPTHS for latency in (1, 2)}
    queues = {
        name: ActivationQueue(20, depth=depth, bypass=latency == 1)
        for name, (depth, latency) in kinds.items()
    }
    simulate(SideBySide(queues), "tests.hdl.bench_activation_queue", parameters={"queues": kinds})


@pytest.mark.parametrize("depth", [0, -1, 2.0, "8"])
def test_depth_is_checked(depth: object) -> None:
    with pytest.raises(
        ValueError, match=rf"^Depth must be a positive integer, not {re.escape(repr(depth))}$"
    ):
        ActivationQueue(20, depth=depth)
