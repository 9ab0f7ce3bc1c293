"""Large resets of ECP5 on global wires: which ones, and that nothing else of a netlist changes."""

import json
from dataclasses import replace

import pytest

from boards import place, synthesis
from boards.cells import models
from boards.chips import ecp5
from boards.global_resets import FEWEST, MOST, buffer_resets

CHIP = ecp5("25F", "CABGA381", 6)
FEW, MANY = FEWEST - 1, FEWEST + 44


def verilog(sizes):
    """Shift registers of these sizes, each with a reset of its own, which one output shows as well."""
    last = len(sizes) - 1
    lines = [f"module shifts(input clk, i, input [{last}:0] r, output [{last}:0] o, output any);"]
    lines += [f"reg [{last}:0] q; always @(posedge clk) q <= r; assign any = |q;"]
    for number, size in enumerate(sizes):
        lines += [
            f"reg [{size - 1}:0] s{number}; assign o[{number}] = s{number}[{size - 1}];",
            f"always @(posedge clk) if (q[{number}]) s{number} <= 0; "
            f"else s{number} <= {{s{number}[{size - 2}:0], i}};",
        ]
    return "\n".join([*lines, "endmodule"])


def cells_of(work):
    return json.loads((work / "design.json").read_text())["modules"]["shifts"]["cells"]


def resets_of(cells):
    """How many flip-flops each wire resets."""
    found = {}
    for cell in cells.values():
        wire = cell["connections"].get("LSR", ["0"])[0]
        if cell["type"] == "TRELLIS_FF" and isinstance(wire, int):
            found[wire] = found.get(wire, 0) + 1
    return found


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resets")
    synthesis.synthesise(verilog([FEW, MANY, FEWEST]), "shifts", CHIP, folder)
    return folder


def test_large_resets_come_from_buffers(work):
    cells = cells_of(work)
    buffers = {name: cell for name, cell in cells.items() if cell["type"] == "DCCA"}
    driven = {cell["connections"]["CLKO"][0]: cell["connections"]["CLKI"][0] for cell in buffers.values()}
    resets = resets_of(cells)
    assert sorted(resets.values()) == [FEW, FEWEST, MANY]
    assert sorted(resets[wire] for wire in driven) == [FEWEST, MANY]
    drivers = {cell["connections"]["Q"][0] for cell in cells.values() if cell["type"] == "TRELLIS_FF"}
    assert set(driven.values()) < drivers, "the registers in front of them are the sources"
    inputs = [cell["connections"].values() for cell in cells.values() if cell["type"] == "LUT4"]
    others = {wire for pins in inputs for pin in pins for wire in pin}
    assert not set(driven) & others, "logic hears of a reset as before"
    assert set(driven.values()) <= others


def without_buffers(cells):
    """The same flip-flops, reset by what is in front of the buffers."""
    sources = {
        tuple(cell["connections"]["CLKO"]): cell["connections"]["CLKI"]
        for cell in cells.values()
        if cell["type"] == "DCCA"
    }
    kept = {name: cell for name, cell in cells.items() if cell["type"] != "DCCA"}
    for cell in kept.values():
        if (reset := tuple(cell["connections"].get("LSR", ()))) in sources:
            cell["connections"]["LSR"] = sources[reset]
    return kept


def test_nothing_else_changes(work, tmp_path):
    """Done once more, with the buffers taken out again."""
    before = without_buffers(cells_of(work))
    design = json.loads((work / "design.json").read_text())
    design["modules"]["shifts"]["cells"] = before
    (tmp_path / "design.json").write_text(json.dumps(design))
    found = buffer_resets(tmp_path / "design.json", "shifts")
    assert found == {"global_reset0": MANY, "global_reset1": FEWEST}
    assert cells_of(tmp_path).keys() == cells_of(work).keys()
    assert without_buffers(cells_of(tmp_path)) == before


def test_the_largest_come_first(tmp_path):
    """There are more resets than global wires."""
    flip_flop = {"type": "TRELLIS_FF", "port_directions": {}}
    sizes = [FEWEST + number for number in range(MOST + 2)]
    cells = {
        f"{reset}.{number}": {**flip_flop, "connections": {"LSR": [reset + 2]}}
        for reset, size in enumerate(sizes)
        for number in range(size)
    }
    cells["without"] = {**flip_flop, "connections": {}}
    cells |= {f"never{number}": {**flip_flop, "connections": {"LSR": ["0"]}} for number in range(2 * FEWEST)}
    module = {"cells": cells, "netnames": {"resets": {"bits": [reset + 2 for reset in range(len(sizes))]}}}
    path = tmp_path / "design.json"
    path.write_text(json.dumps({"modules": {"shifts": module}}))
    assert sorted(buffer_resets(path, "shifts").values()) == sizes[2:]
    assert sorted(resets_of(cells_of(tmp_path)).values()) == sizes


def test_nextpnr_takes_them_to_global_wires(work):
    chip = replace(CHIP, place=(*CHIP.place, "--lpf-allow-unconstrained"))
    place.place(chip, "", work, clock_mhz=50, seed=1)
    log = (work / "nextpnr-ecp5.log").read_text()
    for name in ("global_reset0", "global_reset1"):
        assert f"routing clock net {name} using global" in log


def test_there_is_a_model_for_simulation():
    assert "module DCCA" in models("ecp5", {"DCCA"})
