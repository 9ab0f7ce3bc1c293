"""Yardsticks: times of the dense engine, and where it wins."""

import pytest

from golden.dense import DenseGeometry, dense_cycles
from golden.errors import UnsupportedError
from host.bench_dense import BUILDS, dense_wins_at, time_dense

LENET = [(300, 784), (100, 300), (10, 100)]


def test_every_build_runs_the_lenet_shape() -> None:
    resident = set()
    for build in BUILDS:
        timing = time_dense(LENET, build.geometry, clock_mhz=50, baud=3_000_000)
        assert timing.cycles == dense_cycles(LENET, build.geometry) >= timing.bound_cycles
        assert timing.us == timing.cycles / 50
        if timing.resident:
            resident.add((build.chip, build.size))
    assert resident == {("ECP5-85F", "ours"), ("ECP5-85F", "memory")}


def test_resident_weights_do_not_cross_the_link() -> None:
    small = time_dense([(10, 64)], DenseGeometry(lanes=4), clock_mhz=10, baud=1_000_000)
    assert small.resident
    assert small.link_bytes == 74
    assert small.wire_us == pytest.approx(740 + small.us)


def test_streamed_weights_set_the_pace_where_they_are_slower() -> None:
    geometry = DenseGeometry(lanes=2, weight_words=2)
    slow = time_dense([(10, 64)], geometry, clock_mhz=10, baud=1_000_000)
    assert slow.wire_us == pytest.approx(740 + 6400)
    fast = time_dense([(10, 64)], geometry, clock_mhz=0.01, baud=1_000_000)
    assert fast.wire_us == pytest.approx(740 + fast.us)


def test_refuses_what_does_not_fit() -> None:
    message = r"^the network needs 2000 activations of 1024 that the dense engine has; give it a larger one$"
    with pytest.raises(UnsupportedError, match=message):
        time_dense([(10, 2000)], DenseGeometry(), clock_mhz=10, baud=1_000_000)


def test_where_dense_wins() -> None:
    points = [(0.1, 10.0), (0.2, 20.0), (0.4, 60.0)]
    assert dense_wins_at(points, 40.0) == pytest.approx(0.3)
    assert dense_wins_at(points, 60.0) == pytest.approx(0.4)
    assert dense_wins_at(points, 5.0) == 0.1
    assert dense_wins_at(points, 61.0) is None
