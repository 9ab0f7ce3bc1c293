"""The cache of built programs, shared by processes that come and go."""

import os
from pathlib import Path

import pytest

from hdl import cache
from hdl.cache import cache_directory, cached


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TAMIS_CACHE", str(tmp_path / "cache"))


def write(text):
    return lambda work, made: made.write_text(text)


def test_made_once_for_each_key():
    first = cached("thing", ["a"], write("one"))
    assert cached("thing", ["a"], write("another")) == first
    assert first.read_text() == "one"
    assert cached("thing", ["b"], write("other")).read_text() == "other"


def test_what_was_not_finished_is_not_kept():
    def fails(work, made):
        made.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cached("thing", ["a"], fails)
    assert cached("thing", ["a"], write("whole")).read_text() == "whole"


def test_forgets_what_nobody_used_for_a_month():
    old = cached("thing", ["old"], write("old"))
    work = cache_directory() / "work-killed"
    work.mkdir()
    for path in (old, work):
        os.utime(path, (0, 0))
    new = cached("thing", ["new"], write("new"))
    assert new.exists() and not old.exists() and not work.exists()


def test_another_process_removes_its_work_while_this_one_looks(monkeypatch):
    """The listing still names what has gone by the time it is looked at."""
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: [path / "work-gone", *listed(path)])
    assert cached("thing", ["a"], write("one")).read_text() == "one"


def test_waits_no_longer_than_it_must(monkeypatch):
    monkeypatch.setattr(cache, "_LOCK_SECONDS", 0)

    def asks_again(work, made):
        with pytest.raises(cache.TamisError, match="Another process holds"):
            cached("thing", ["a"], write("never"))
        made.write_text("one")

    assert cached("thing", ["a"], asks_again).read_text() == "one"
