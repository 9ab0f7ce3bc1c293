"""Each bad input gets one sentence and its exit code, no traceback, and leaves no half-written file."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bad_input import CASES, Case, make_files, ports, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("bad_input")
    make_files(made)
    with ports(made):
        yield made


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input(case: Case, folder: Path):
    before = contents(folder)
    result = run(case, folder)
    assert (result.returncode, case.says in result.stderr) == (case.code, True), result.stderr
    assert re.fullmatch(r"tamis: [^\n]+\n", result.stderr)
    assert not re.search(r"[.!?] +[A-Z]", result.stderr), "one sentence"
    assert contents(folder) == before
