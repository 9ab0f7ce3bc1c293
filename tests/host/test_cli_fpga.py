"""The subcommands about FPGA boards: their JSON, their tables, and what they print."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from boards import build as flow
from boards.registry import NAMES, every, find
from golden.cycles import run_cycles
from golden.engine import Engine
from golden.execute import execute
from golden.geometry import Geometry
from golden.model import encode
from golden.plan import make_plan
from host import cli
from host.cost import MeteredEngine, Preset, timed_inputs
from host.estimate import estimate
from tests.host.test_cli import check_schema
from tests.networks import random_model


def output(capsys, *arguments: object) -> str:
    """Standard output of a command that succeeds."""
    code = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


def manifest(name: str, pes: int = 4) -> dict[str, object]:
    """A manifest as a build writes it."""
    return {
        "board": name,
        "pes": pes,
        "clock_asked_mhz": 60.0,
        "clock_reached_mhz": 71.66,
        "clock_claimed": find(name).claims_clock,
        "lut": 7524,
        "ff": 4865,
        "bram": 17,
        "spram": 0,
        "dsp": 2,
        "seed": 1,
        "baud": 3_000_000,
        "tools": {"pyosys": "0.70"},
        "geometry": Geometry(pes=pes).as_dict(),
        "bitstream": f"{name}.bit",
        "sha256": {"bitstream": hashlib.sha256(b"bits").hexdigest(), "verilog": "", "pins": ""},
    }


def folder(path: Path, name: str) -> Path:
    """What a build leaves."""
    path.mkdir()
    (path / "manifest.json").write_text(json.dumps(manifest(name)))
    (path / f"{name}.bit").write_bytes(b"bits")
    return path


def test_boards(capsys):
    found = json.loads(output(capsys, "boards", "--json"))
    check_schema("boards", found)
    assert [row["board"] for row in found] == list(NAMES)
    text = output(capsys, "boards")
    assert all(name in text for name in NAMES) and "none claimed" in text


def test_table_of_manifests(capsys, tmp_path):
    folder(tmp_path / "a", "ulx3s_25f")
    folder(tmp_path / "b", "tang_nano_9k")
    lines = output(capsys, "boards", "--manifests", tmp_path).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith(
        "| ulx3s_25f | LFE5U-25F-6 CABGA381 | 4 | 7,524 of 24,288 | 4,865 | 17 of 56 | 2 of 28 |"
    )
    assert lines[2].endswith("| 60 | 71.7 |") and lines[3].endswith("| none claimed |")


@pytest.mark.parametrize("seed", [1, 3])
def test_without_a_seed_the_preset_has_one(capsys, monkeypatch, tmp_path, seed):
    made, asked = folder(tmp_path / "made", "ulx3s_25f"), []
    board = replace(find("ulx3s_25f"), seed=seed)

    def build(board, **named):
        asked.append(named["seed"])
        return made

    monkeypatch.setattr(flow, "build", build)
    monkeypatch.setattr("boards.registry.find", {board.name: board}.__getitem__)
    output(capsys, "build", "--board", board.name, "-o", tmp_path / "out")
    output(capsys, "build", "--board", board.name, "--seed", 7, "-o", tmp_path / "out")
    assert asked == [seed, 7]


@pytest.mark.parametrize("name", ["ulx3s_25f", "tang_nano_9k"])
def test_build_says_what_it_took(capsys, monkeypatch, tmp_path, name):
    asked = []

    def build(board, **named):
        asked.append((board, named["seed"]))
        return made

    made = folder(tmp_path / "made", name)
    monkeypatch.setattr(flow, "build", build)
    rows = [{"module": "top", "count": 1, "lut": 1, "ff": 2, "bram": 0, "dsp": 0}]
    monkeypatch.setattr(flow, "by_module", lambda board, **_: rows)
    command = ["build", "--board", name, "--pes", 2, "--clock", 40, "--seed", 9, "-o", tmp_path / "out"]
    text = output(capsys, *command, "--modules")
    ((board, seed),) = asked
    assert (board.geometry.pes, board.clock_mhz, seed) == (2, 40, 9)
    assert "7,524" in text and ("71.66 MHz reached" in text) == board.claims_clock
    assert json.loads((tmp_path / "out" / "modules.json").read_text()) == rows
    assert (tmp_path / "out" / f"{name}.bit").read_bytes() == b"bits"
    found = json.loads(output(capsys, *command, "--json"))
    check_schema("build", found)


def test_flash(capsys, monkeypatch, tmp_path):
    path = tmp_path / "program"
    path.write_text(f'#!/bin/sh\nfor last; do :; done\ncp "$last" {tmp_path}/written\n')
    path.chmod(0o755)
    monkeypatch.setenv("OPENFPGALOADER", str(path))
    text = output(capsys, "flash", "--board", "ulx3s_25f", folder(tmp_path / "made", "ulx3s_25f"))
    assert (tmp_path / "written").read_bytes() == b"bits"
    assert "3000000 baud" in text


MODEL = random_model(np.random.default_rng(0), [60, 70, 33, 10])


def test_estimate(capsys, tmp_path):
    path = tmp_path / "m.tamis"
    path.write_bytes(encode(MODEL))
    found = json.loads(output(capsys, "estimate", path, "--json"))
    check_schema("estimate", found)
    assert [row["board"] for row in found] == list(NAMES)
    for row, board in zip(found, every(), strict=True):
        plan = make_plan(MODEL, board.geometry)
        cycles = execute(plan, Engine(board.geometry, run_cycles), timed_inputs(MODEL)).cycles[0]
        assert (row["cycles"], row["resident"]) == (cycles, plan.resident)
        assert row["engine_seconds"] == pytest.approx(cycles / board.clock_hz)
        assert row["answer_seconds"] >= row["wire_bytes"] * 10 / board.baud
        assert (row["status"] == "built", row["clock_claimed"]) == (board.built, board.claims_clock)
    text = output(capsys, "estimate", path)
    assert all(name in text for name in NAMES) and "none is claimed" in text


def test_estimate_says_what_does_not_fit(capsys, tmp_path):
    wide = random_model(np.random.default_rng(0), [60, 70, 10], index_bits=8)
    path = tmp_path / "wide.tamis"
    path.write_bytes(encode(wide))
    found = json.loads(output(capsys, "estimate", path, "--json"))
    check_schema("estimate", found)
    assert not any(row["fits"] for row in found) and "8 bits" in found[0]["reason"]
    assert "does not fit" in output(capsys, "estimate", path)


def test_a_resident_model_costs_no_load():
    geometry = Geometry(pes=4)
    preset = Preset("b", geometry, 10_000_000, 1_000_000)
    resident = estimate(MODEL, preset)
    engine = MeteredEngine(geometry)
    execute(make_plan(MODEL, geometry), engine, timed_inputs(MODEL))
    assert engine.wire_bytes > resident["wire_bytes"] + resident["image_bytes"]
    assert resident["wire_bytes"] > 2 * 60 + 2 * 10
