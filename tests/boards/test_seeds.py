"""Builds with several seeds: the ledger saves what was built, and a clock that one misses is refused."""

import json

import pytest

from boards import build, place, seeds
from boards.registry import find
from golden.errors import InputError, UnsupportedError
from host.cli import make_parser
from tests.boards.echo import Echo


@pytest.fixture
def small(monkeypatch, tmp_path):
    """An iCEBreaker with a small device, and a cache of its own."""
    monkeypatch.setattr(build, "Device", Echo)
    monkeypatch.setenv("TAMIS_CACHE", str(tmp_path / "cache"))
    return find("icebreaker").with_changes(pes=1, clock_mhz=18)


def test_a_ledger_saves_what_was_built(small, monkeypatch, tmp_path):
    first = seeds.sweep(small, range(1, 3), tmp_path)
    assert [row["seed"] for row in first] == [1, 2]
    assert all(row["clock_reached_mhz"] > row["clock_asked_mhz"] == 18 for row in first)
    ledger = tmp_path / seeds.LEDGER
    assert [json.loads(line) for line in ledger.read_text().splitlines()] == first

    built = []
    real = build.build
    monkeypatch.setattr(build, "build", lambda *args, **kw: built.append(kw["seed"]) or real(*args, **kw))
    assert seeds.sweep(small, range(1, 4), tmp_path)[:2] == first
    assert built == [3], "the others stand in the ledger"
    seeds.sweep(small.with_changes(clock_mhz=24), range(1, 2), tmp_path)
    assert built == [3, 1], "another clock is another design"
    seeds.check(small, first)


def test_a_clock_that_a_seed_misses(small, monkeypatch, tmp_path):
    monkeypatch.setattr(place, "reached", lambda report, clock: 17.25)
    rows = seeds.sweep(small, range(1, 2), tmp_path)
    with pytest.raises(
        UnsupportedError, match=r"^1 of 1 seeds miss the 18 MHz .* reaches 17\.25; .* --clock 17$"
    ):
        seeds.check(small, rows)


def test_a_ledger_that_is_none(small, tmp_path):
    (tmp_path / seeds.LEDGER).write_text("not a ledger")
    with pytest.raises(InputError, match=r"cannot be read as a ledger of builds; remove it and try again$"):
        seeds.sweep(small, range(1, 2), tmp_path)


def test_seeds_of_the_command_line():
    arguments = make_parser().parse_args(["build", "--board", "icebreaker", "--seeds", "2-4"])
    assert list(arguments.seeds) == [2, 3, 4]
