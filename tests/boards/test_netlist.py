"""Netlists: LUTs as expressions, and small devices at the level of gates behind the serial line."""

import json
import re

import numpy as np
import pytest

from boards import build, proof, single_faults
from boards.netlist import expression, read, verilog
from boards.registry import find
from golden.errors import TamisError, UnsupportedError
from host.transport import SerialTransport
from tests.boards.echo import Echo
from tests.boards.stores import SHAPES, Stores

MASKS = {"a": 0xAAAA, "b": 0xCCCC, "c": 0xF0F0, "d": 0xFF00}
"""Value of each input for all sixteen inputs of a LUT at once."""
TEXT = bytes(range(0, 256, 5))


def evaluate(words: list[str]) -> int:
    """Value of a LUT's expression for all inputs at once, by recursive descent; takes its words away."""
    word = words.pop(0)
    if word == "~":
        return evaluate(words) ^ 0xFFFF
    if word != "(":
        return {"1'b0": 0, "1'b1": 0xFFFF, **MASKS}[word]
    left, operation, right = evaluate(words), words.pop(0), evaluate(words)
    value = {"&": left & right, "|": left | right, "^": left ^ right}.get(operation)
    if operation == "?":
        assert words.pop(0) == ":"
        value = left & right | ~left & evaluate(words)
    assert words.pop(0) == ")" and value is not None
    return value


def test_expressions_are_their_tables():
    for table in range(0, 1 << 16, 7):
        words = re.findall(r"1'b\d|\w+|\S", expression(table, list(MASKS)))
        assert evaluate(words) == table and not words, hex(table)


def test_parameters_and_constants(tmp_path):
    cell = {
        "type": "LUT4",
        "parameters": {"INIT": "1000000000000000"},
        "port_directions": {"A": "input", "B": "input", "C": "input", "D": "input", "Z": "output"},
        "connections": {"A": [2], "B": ["1"], "C": ["x"], "D": [2], "Z": [3]},
    }
    flip_flop = {
        "type": "TRELLIS_FF",
        "parameters": {"CEMUX": "1 ", "GSR": "DISABLED", "WIDTH": "0101"},
        "port_directions": {"DI": "input", "Q": "output"},
        "connections": {"DI": [3], "Q": [4], "CE": []},
    }
    ports = {"i": {"direction": "input", "bits": [2]}, "o": {"direction": "output", "bits": [4, "0"]}}
    cells = {"lut": cell, "register": flip_flop, "scope": {"type": "$scopeinfo"}}
    (tmp_path / "design.json").write_text(json.dumps({"modules": {"top": {"ports": ports, "cells": cells}}}))
    netlist = read(tmp_path / "design.json", "top")
    assert netlist.kinds == {"LUT4", "TRELLIS_FF"} and netlist.wires() == [2, 3, 4]
    text = verilog(netlist)
    assert "module top(input wire i, output wire [1:0] o);" in text
    assert "assign n3 = (n2 & (1'b0 & (1'b1 & n2)));" in text
    assert "assign o = {1'b0, n4};" in text
    assert 'TRELLIS_FF #(.CEMUX("1"), .GSR("DISABLED"), .WIDTH(4\'b0101)) cell1 (.DI(n3), .Q(n4));' in text


def echo(line: SerialTransport) -> bytes:
    """What comes back."""
    line.write(TEXT)
    found = b""
    while len(found) < len(TEXT):
        part = line.read(100, 5.0)
        if not part:
            break
        found += part
    return found


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s_25f"])
def test_a_small_netlist_speaks_through_its_serial_pins(monkeypatch, name):
    monkeypatch.setattr(build, "Device", Echo)
    board = find(name)
    with proof.start(proof.netlist_program(board, proof.netlist(board))) as running:
        line = SerialTransport(running.port)
        assert echo(line) == TEXT
        line.close()


def test_faults_are_where_they_are_said_to_be(monkeypatch):
    monkeypatch.setattr(build, "Device", Stores)
    board = find("ice40_hx8k_b_evn")
    netlist = proof.netlist(board)
    rams = [number for number, cell in enumerate(netlist.cells) if cell.kind == "SB_RAM40_4K"]
    assert len(rams) == len(SHAPES)
    rng = np.random.default_rng(1)
    faults = []
    for number in rams:
        for bit in rng.integers(4096, size=3):
            for stuck in (0, 1):
                faults.append(single_faults.Fault(len(faults) + 1, "memory bit", number, int(bit), stuck))
    cut = next(
        fault
        for fault in single_faults.draw(netlist, 600, 1)
        if fault.kind == "cut wire" and single_faults.reaches(netlist, fault) == {"tx"}
    )
    faults.append(single_faults.Fault(len(faults) + 1, "cut wire", cut.cell, cut.bit, 0))
    program = proof.netlist_program(board, single_faults.inject(netlist, faults))
    excited = {}
    for fault in [None, *faults]:
        with proof.start(program, fault=fault.number if fault else 0) as running:
            line = SerialTransport(running.port)
            heard = echo(line)  # meanwhile every word is written and read
            line.close()
        excited[fault.number if fault else 0] = running.epilogue.strip() == "excited"
        assert (heard == TEXT) == (fault is None or fault.kind == "memory bit")
    assert not excited[0] and excited[len(faults)]
    # A bit that is stuck at what it holds anyway makes no difference, and at the other value it does.
    pairs = {(excited[number], excited[number + 1]) for number in range(1, len(faults), 2)}
    assert pairs == {(False, True), (True, False)}


def test_faults_are_drawn_alike_each_time(monkeypatch):
    monkeypatch.setattr(build, "Device", Stores)
    netlist = proof.netlist(find("ice40_hx8k_b_evn"))
    drawn = single_faults.draw(netlist, 30, 7)
    assert drawn == single_faults.draw(netlist, 30, 7) != single_faults.draw(netlist, 30, 8)
    assert {fault.kind for fault in drawn} == set(single_faults.KINDS)
    assert len({single_faults.describe(netlist, fault) for fault in drawn}) > 20


def test_pins_that_nobody_simulates_are_refused():
    with pytest.raises(TamisError, match="the pin flash_miso of this design is not simulated"):
        proof.world("tamis", {"clk": "input", "rx": "input", "tx": "output", "flash_miso": "input"})


def test_a_family_without_models_is_refused():
    with pytest.raises(UnsupportedError, match=r"^the primitives of the GW1NR-.* choose a board with iCE40"):
        proof.check_family(find("tang_nano_9k"))
