"""Simulation models of the primitives: those that come with Yosys, and ours where Yosys' are empty."""

import importlib.util
import re
from pathlib import Path

from golden.errors import TamisError, ToolMissingError

_YOSYS = {"ice40": "ice40/cells_sim.v", "ecp5": "lattice/cells_sim_ecp5.v"}
_OURS = {"ice40": "cells_ice40.v", "ecp5": "cells_ecp5.v"}
_MODULE = re.compile(r"^(?:\(\*([^\n]*)\*\)[ \t]*\n)?module[ \t]+(\\?[\w$]+).*?\bendmodule\b",
                     re.MULTILINE | re.DOTALL)
_INSTANCE = re.compile(r"^\s*(\w+) (?:#\(|\w+ ?\()", re.MULTILINE)
_INCLUDE = re.compile(r'^`include "([^"]+)"$', re.MULTILINE)


def models(family, kinds):
    """Verilog of primitives and of what they are made of.

    Parameters
    ----------
    family : {"ice40", "ecp5"}
    kinds : iterable of str
        Names of primitives.

    Raises
    ------
    TamisError
        If there is no model of one.
    """
    ours = Path(__file__).with_name(_OURS[family])
    yosys = _with_includes(_share() / _YOSYS[family])
    known = {found[2]: found for text in (yosys, ours.read_text()) for found in _MODULE.finditer(text)}
    preamble = yosys[:_MODULE.search(yosys).start()]
    wanted, chosen = list(kinds), {}
    while wanted:
        name = wanted.pop()
        if name in chosen:
            continue
        if name not in known or "blackbox" in (known[name][1] or ""):
            raise TamisError(f"the netlist cannot be simulated: there is no model of the primitive {name}; "
                             "please report it")
        chosen[name] = known[name][0]
        wanted += set(_INSTANCE.findall(chosen[name])) & known.keys()
    return preamble + "".join(f"{chosen[name]}\n\n" for name in sorted(chosen))


def _share():
    """Where Yosys keeps its cell library."""
    found = importlib.util.find_spec("pyosys")
    if found is None:
        raise ToolMissingError(
            "the Python package pyosys is not installed, and the models of primitives come with it; "
            "install it with `pip install 'tamis[fpga]'`")
    return Path(found.submodule_search_locations[0]) / "share"


def _with_includes(path):
    return _INCLUDE.sub(lambda found: _with_includes(path.with_name(found[1])), path.read_text())
