"""Synthesis: Verilog to a netlist with Yosys, and the checks without which a netlist is not believed."""

import json
import re

from boards.capacity import contents
from boards.global_resets import buffer_resets
from boards.tools import last_error, run
from golden.errors import TamisError

SECONDS = 1800

_SYNTH = {"ice40": "synth_ice40", "ecp5": "synth_ecp5", "gowin": "synth_gowin"}
# Left to `synth_gowin`, the ports of modules that are still kept would get pads too.
_PADS = {"gowin": ["iopadmap -bits -inpad IBUF O:I -outpad OBUF I:O"]}
_PRIMITIVES = {
    "ice40": r"SB_(?!.*LATCH)\w+",
    "ecp5": r"LUT4|PFUMX|L6MUX21|CCU2C|TRELLIS_\w+|DP16KD|PDPW16KD|MULT18X18D|EHXPLLL|USRMCLK",
    "gowin": r"LUT[1-8]|MUX2_LUT[5-8]|ALU|DFFN?[SRPC]?E?|RAM16S\w+|SDP[BX]\w*|DPX?9?B?|SPX?9?|MULT\w+|"
             r"pROMX?9?|rPLL|[IOT]{1,2}BUF|VCC|GND|GSR",
}
_FF = {"ice40": r"SB_DFF\w*", "ecp5": r"TRELLIS_FF", "gowin": r"DFF\w*"}
_LUT = {"ice40": r"SB_LUT4", "ecp5": r"LUT4", "gowin": r"LUT\d"}
_DISTRUST = "the netlist cannot be trusted: {}; please report it"
# Each with what is wrong if it is found in the log.
_SYMPTOMS = (
    (re.compile(r"Latch inferred for signal `\\?([^']+)'"), "a latch was inferred for {}"),
    (re.compile(r"(?i)driver-driver conflict for (.+?)(?: between.*)?$", re.MULTILINE),
     "two drivers disagree on {}, which Yosys resolves to a constant"),
    (re.compile(r"multiple conflicting drivers for (\S+?):?$", re.MULTILINE), "{} has more than one driver"),
    (re.compile(r"found logic loop in module (\S+?):?$", re.MULTILINE),
     "there is a combinational loop in {}"),
    (re.compile(r"Module `\\?([^']+)' referenced .* is not part of the design"),
     "the module {} is a black box"),
)


# Tables of constants, which Yosys also calls memories, are logic and no loss.
_IN_FLIP_FLOPS = re.compile(r"using FF mapping for memory ((?!\S*\$auto\$proc_rom)\S+)")
FEW_BITS = 256
"""A memory up to this size may be flip-flops."""


def script(chip, top, *, modules=False):
    """Commands for Yosys, which reads design.v and writes design.json and cells.json.

    Parameters
    ----------
    chip : Chip
    top : str
        Name of the top module.
    modules : bool
        Keep every module to the end, to see what each takes.
    """
    # What is marked `keep_hierarchy` (`hdl.verilog.Shared`) stays a module until it is mapped: flattened
    # before, Yosys merges registers across PEs, which costs a quarter of the clock.
    synth = " ".join([_SYNTH[chip.family], *chip.synthesis, "-top", top])
    if modules:
        return f"read_verilog design.v\n{synth} -noflatten\ntee -q -o cells.json stat -json\n"
    return "\n".join([
        "read_verilog design.v",
        synth,
        "setattr -mod -unset keep_hierarchy *",
        "flatten",
        *_PADS.get(chip.family, ()),
        "opt_clean -purge",
        "check",
        "tee -q -o cells.json stat -json",
        "write_json design.json",
        ""])


def check_log(log, sizes):
    """Refuse what a log tells of.

    Parameters
    ----------
    log : str
    sizes : dict of str to int
        Bits of the memories of the design that may be met under this name.

    Raises
    ------
    TamisError
        For a latch, a conflict of drivers, a loop, a memory in flip-flops, a module without contents.
    """
    for pattern, sentence in _SYMPTOMS:
        if found := pattern.search(log):
            raise TamisError(_DISTRUST.format(sentence.format(found[1])))
    for name in _IN_FLIP_FLOPS.findall(log):
        if sizes.get(name, FEW_BITS + 1) > FEW_BITS:
            raise TamisError(_DISTRUST.format(f"the memory {name} fell into flip-flops"))


def check_cells(cells, chip):
    """Refuse cells that are no primitives of the chip; see `check_log`."""
    known = re.compile(_PRIMITIVES[chip.family] + r"|\$scopeinfo")
    for name in cells:
        if "LATCH" in name.upper():
            raise TamisError(_DISTRUST.format("a latch was inferred"))
        if not known.fullmatch(name):
            raise TamisError(_DISTRUST.format(f"the module {name} is a black box"))


def synthesise(verilog, top, chip, work, *, tick=lambda: None, seconds=SECONDS):
    """Make work/design.json.

    Parameters
    ----------
    verilog : str
    top : str
    chip : Chip
    work : Path
        An empty directory.
    tick : callable
        Called now and then.
    seconds : float
        Time limit.

    Returns
    -------
    dict of str to int
        Cells by type.

    Raises
    ------
    TamisError
        If Yosys fails, or the netlist fails a check.
    """
    modules = _yosys(verilog, top, work, script(chip, top), tick, seconds)
    cells = modules[top]
    check_cells(cells, chip)
    if chip.family == "ecp5":
        buffer_resets(work / "design.json", top)
    return cells


def by_module(verilog, top, chip, work, *, tick=lambda: None, seconds=SECONDS):
    """LUTs, flip-flops, block RAMs and multipliers of every module by itself, synthesised without flattening.

    Returns
    -------
    list of dict
        Keys module, count, lut, ff, bram, dsp; the largest first.
    """
    modules = _yosys(verilog, top, work, script(chip, top, modules=True), tick, seconds)
    counts = dict.fromkeys(modules, 0)

    def visit(name):
        counts[name] += 1
        for inner, number in modules[name].items():
            if inner in modules:
                for _ in range(number):
                    visit(inner)

    visit(top)
    rows = [{"module": name, "count": counts[name], **summary(cells, chip)}
            for name, cells in modules.items()]
    return sorted(rows, key=lambda row: (-row["lut"], row["module"]))


def summary(cells, chip):
    """LUTs, flip-flops, block RAMs and multipliers among cells."""
    def count(pattern):
        return sum(number for name, number in cells.items() if re.fullmatch(pattern, name))

    return {
        "lut": count(_LUT[chip.family]),
        "ff": count(_FF[chip.family]),
        "bram": count(r"SB_RAM40_4K\w*|DP16KD|PDPW16KD|SDP[BX]\w*|DP[BX]\w*|SP[BX]?9?|pROM\w*"),
        "dsp": count(r"SB_MAC16|MULT18X18\w*|MULT9X9|MULT36X36|MULTALU\w*"),
    }


def _yosys(verilog, top, work, commands, tick, seconds):
    (work / "design.v").write_text(verilog)
    (work / "build.ys").write_text(commands)
    done, log = run("yosys", ["build.ys"], work, seconds=seconds, tick=tick)
    check_log(log, {one.name: one.words * one.bits for one in contents(verilog, top).memories})
    if not done:
        raise TamisError(f"Yosys failed on this design: {last_error(log)}")
    found = json.loads((work / "cells.json").read_text())["modules"]
    return {name.removeprefix("\\"): module["num_cells_by_type"] for name, module in found.items()}
