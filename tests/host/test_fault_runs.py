"""Campaigns of single faults: outcomes, and a ledger that a campaign goes on from."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from boards.simulated import SimulatedBoard
from golden.errors import InputError, TamisError
from host import fault_runs
from host.fault_runs import Campaign, read_ledger, run_all, summary
from tests.networks import random_model

MODEL = random_model(np.random.default_rng(0), [20, 12, 5])
ACTIVATIONS = np.random.default_rng(1).integers(-3000, 3000, (1, 20)).astype(np.int16)
FAULTS = [
    {"number": number, "kind": kind, "place": f"place {number}", "lamps_only": number == 2}
    for number, kind in enumerate(("LUT bit", "cut wire", "memory bit", "cut wire"), 1)
]
FOUND = {1: "mismatch", 2: "without effect", 3: "never exercised", 4: "error"}


class Recorder:
    """Stands for a campaign, and remembers what ran."""

    def __init__(self, sound="never exercised"):
        self.sound = sound
        self.ran = []

    def run(self, number):
        if number == 0:
            return {"outcome": self.sound, "detail": "", "seconds": 0.1}
        self.ran.append(number)
        return {"outcome": FOUND[number], "detail": "", "seconds": 0.1}


def test_a_campaign_goes_on_where_it_ended(tmp_path):
    ledger, recorder = tmp_path / "faults.jsonl", Recorder()
    run_all(recorder, FAULTS[:2], ledger, key="a")
    with open(ledger, "a") as file:
        file.write('{"key": "a", "numb')
    lines = run_all(recorder, FAULTS, ledger, key="a", jobs=2)
    assert sorted(recorder.ran) == [1, 2, 3, 4]
    assert [line["outcome"] for line in lines] == ["mismatch", "LED only", "never exercised", "error"]
    assert sorted(read_ledger(ledger, "a")) == [1, 2, 3, 4]
    run_all(recorder, FAULTS[:1], ledger, key="another netlist")
    assert recorder.ran.count(1) == 2


def test_the_summary_counts_kinds_and_outcomes(tmp_path):
    counts = summary(run_all(Recorder(), FAULTS, tmp_path / "ledger", key="a"))
    assert list(counts) == ["LUT bit", "cut wire", "memory bit", "all"]
    assert counts["cut wire"] == dict.fromkeys(fault_runs.OUTCOMES, 0) | {"LED only": 1, "error": 1}
    assert sum(counts["all"].values()) == 4
    assert summary([]) == {}


def test_a_busy_machine_is_no_fault(tmp_path):
    with pytest.raises(TamisError, match="too busy"):
        run_all(Recorder(sound="error"), FAULTS, tmp_path / "ledger", key="a")
    assert sorted(read_ledger(tmp_path / "ledger", "a")) == [1, 2, 3]


def test_a_ledger_that_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match=r"^cannot write .*; choose another --ledger$"):
        run_all(Recorder(), FAULTS, tmp_path / "missing" / "ledger", key="a")


@contextmanager
def nowhere():
    yield SimpleNamespace(port="/dev/nowhere", close=lambda: None, epilogue="excited")


def test_outcomes_of_boards():
    campaign = Campaign(lambda number: nowhere() if number == 1 else SimulatedBoard(), MODEL, ACTIVATIONS)
    assert campaign.run(2)["outcome"] == "never exercised"
    broken = campaign.run(1)
    assert broken["outcome"] == "error" and "/dev/nowhere does not exist" in broken["detail"]


def test_other_integers_are_a_mismatch():
    campaign = Campaign(lambda number: SimulatedBoard(), MODEL, ACTIVATIONS)
    (golden,) = campaign._golden.values()
    golden.outputs[0, 0] ^= 1
    assert campaign.run(1) | {"seconds": 0} == {
        "outcome": "mismatch",
        "detail": "1 of 5 outputs",
        "seconds": 0,
    }
    with pytest.raises(TamisError, match="the sound netlist fails"):
        Campaign(lambda number: nowhere(), MODEL, ACTIVATIONS)
