"""Proofs of whole boards through `tamis prove`: minutes each, so all are for the long run."""

import json
import shutil
from pathlib import Path

import pytest

from host import cli
from host.fault_runs import CAUGHT
from tests.host.test_cli import check_schema

pytestmark = pytest.mark.long
HX8K = "ice40_hx8k_b_evn"


def prove(capsys, *arguments):
    """Exit code, JSON and error of a proof."""
    code = cli.main(["prove", "--json", *map(str, arguments)])
    out, err = capsys.readouterr()
    found = json.loads(out) if out else None
    if found:
        check_schema("prove", found)
    return code, found, err


@pytest.mark.parametrize(("board", "images"), [(HX8K, 3), ("ulx3s_25f", 20)])
def test_the_netlist_runs_the_digits(capsys, board, images):
    code, found, err = prove(capsys, "--board", board, "--images", images)
    assert code == 0, err
    assert (found["images"], found["mismatches"], found["retries"]) == (images, 0, 0)
    assert found["cycles_foretold"] == images


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_bitstream_runs_the_digits(capsys, seed):
    code, found, err = prove(capsys, "--board", HX8K, "--bitstream", "--seed", seed)
    if shutil.which("icebox_vlog") is None:
        assert code == 6 and "fpga-icestorm" in err
    else:
        assert code == 0, err
        assert (found["mismatches"], found["retries"], found["cycles_foretold"]) == (0, 0, 3)


def test_random_single_faults_are_noticed(capsys):
    ledger = Path("build") / f"{HX8K}.faults.jsonl"
    code, found, err = prove(
        capsys, "--board", HX8K, "--faults", 200, "--images", 1, "--jobs", 2, "--ledger", ledger
    )
    assert code == 0, err
    counts = found["counts"]["all"]
    assert sum(counts.values()) == 200
    assert sum(counts[outcome] for outcome in CAUGHT) > counts["without effect"]
