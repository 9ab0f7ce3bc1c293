"""The dense engine by itself on a chip: what its clock depends on, and the command that measures it."""

import json

import pytest

from boards import dense_alone, synthesis
from boards.dense_alone import ASKED_MHZ, CHIPS, TOP
from golden.dense import DenseGeometry
from golden.errors import UnsupportedError
from hdl.dense_engine import DenseEngine
from hdl.verilog import emit
from host import cli
from host.bench_dense import BUILDS
from tests.host.test_bench import check_schema

LOGIC = ("SB_LUT4", "SB_CARRY")
FIGURES = ("lut", "ff", "bram", "spram", "dsp", "clock_asked_mhz", "clock_reached_mhz")


@pytest.fixture(scope="module")
def netlist(tmp_path_factory):
    """Module of a dense engine of two pairs of lanes on a UP5K, its streams as ports."""
    work = tmp_path_factory.mktemp("alone")
    geometry = DenseGeometry(lanes=4, weight_words=16384, activations=512, biases=256, single_port=True)
    text = emit(DenseEngine(geometry, primitives="ice40"), TOP, unknown_memories=True)
    synthesis.synthesise(text, TOP, CHIPS["UP5K"], work)
    return json.loads((work / "design.json").read_text())["modules"][TOP]


def bits(cell, direction):
    """Wires of a cell's inputs or outputs."""
    ports = (port for port, found in cell["port_directions"].items() if found == direction)
    return [bit for port in ports for bit in cell["connections"][port]]


def test_no_word_comes_to_a_weight_memory_in_the_cycle_in_which_it_is_taken(netlist):
    cells = netlist["cells"].values()
    driver = {bit: cell for cell in cells for bit in bits(cell, "output")}
    taken = {
        bit for name, port in netlist["ports"].items() if name.startswith("write__") for bit in port["bits"]
    }
    memories = [cell for cell in cells if cell["type"] == "SB_SPRAM256KA"]
    ahead, behind = [bit for cell in memories for bit in bits(cell, "input")], set()
    while ahead:
        bit = ahead.pop()
        if bit not in behind:
            behind.add(bit)
            if driver.get(bit, {}).get("type") in LOGIC:
                ahead += bits(driver[bit], "input")
    assert len(memories) == 2 and len(behind) > 50
    assert not behind & taken


def test_every_size_is_of_a_chip_that_is_known():
    assert {build.chip for build in BUILDS} == set(CHIPS) == set(ASKED_MHZ)
    for chip in CHIPS:
        assert cli.make_parser().parse_args(["bench", "dense", "--chip", chip]).chip == chip


def test_the_command_builds_what_is_asked_for(monkeypatch, capsys):
    def build(chip, geometry, primitives, *, seed):
        assert primitives == ("ice40" if chip == "UP5K" else None)
        if chip == "HX8K":
            raise UnsupportedError("no room")
        return {"lanes": geometry.lanes, "seed": seed} | dict.fromkeys(FIGURES, 1)

    monkeypatch.setattr(dense_alone, "build_alone", build)
    assert cli.main(["bench", "dense", "--chip", "UP5K", "--seed", "3", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["size"], row["lanes"]) for row in rows] == [("ours", 6), ("memory", 8), ("all", 16)]
    assert all(row["seed"] == 3 for row in rows)
    check_schema("dense", rows)
    assert cli.main(["bench", "dense", "--chip", "UP5K", "--size", "all"]) == 0
    assert "UP5K" in capsys.readouterr().out
    assert cli.main(["bench", "dense", "--chip", "HX8K"]) == 4
    assert "tamis: no room" in capsys.readouterr().err
