"""Placement, routing and packing with nextpnr; timing is never waived."""

import json
import re

from boards.tools import last_error, run
from golden.errors import TamisError, UnsupportedError

SECONDS = 3600
PACK_SECONDS = 300
SUFFIX = {"ice40": "bin", "ecp5": "bit", "gowin": "fs"}
TOOLS = {"ice40": ("nextpnr-ice40", "icepack"), "ecp5": ("nextpnr-ecp5", "ecppack"),
         "gowin": ("nextpnr-gowin", "gowin_pack")}
_FILES = {
    "ice40": ("--pcf", "pins.pcf", "--asc", "placed.asc"),
    "ecp5": ("--lpf", "pins.lpf", "--textcfg", "placed.config"),
    "gowin": ("--vopt", "cst=pins.cst", "--write", "placed.json"),
}
_PACK = {
    "ice40": ("placed.asc", "bitstream"),
    "ecp5": ("--input", "placed.config", "--bit", "bitstream"),
    "gowin": ("-d", "GW1N-9C", "-o", "bitstream", "placed.json"),
}
_ROOM = re.compile(r"^Info:\s+(\w+): +(\d+)/ *(\d+) +\d+%$", re.MULTILINE)
_USED = {
    "lut": ("ICESTORM_LC", "TRELLIS_COMB", "LUT4", "ALU"),
    "bram": ("ICESTORM_RAM", "DP16KD", "BSRAM"),
    "spram": ("ICESTORM_SPRAM",),
    "dsp": ("ICESTORM_DSP", "MULT18X18D", "MULT18X18"),
}


def place(chip, constraints, work, *, clock_mhz, seed, tick=lambda: None, seconds=SECONDS):
    """Place and route work/design.json.

    Parameters
    ----------
    chip : Chip
    constraints : str
        Pins and the oscillator's frequency.
    work : Path
        Where design.json is; report.json is written there.
    clock_mhz : float
        The engine's clock.
    seed : int
    tick : callable
    seconds : float

    Returns
    -------
    dict
        nextpnr's report.

    Raises
    ------
    UnsupportedError
        If there is no room.
    TamisError
        If nextpnr fails otherwise.
    """
    files = _FILES[chip.family]
    (work / next(name for name in files if "pins." in name).removeprefix("cst=")).write_text(constraints)
    arguments = [*chip.place, *files, "--json", "design.json", "--report", "report.json", "--seed", str(seed),
                 "--freq", f"{clock_mhz:.6f}", "--timing-allow-fail"]
    done, log = run(TOOLS[chip.family][0], arguments, work, seconds=seconds, tick=tick)
    if "logic loop" in log.lower() or "combinational loop" in log.lower():
        raise TamisError("the netlist cannot be trusted: there is a combinational loop; please report it")
    if not done:
        full = [f"{int(needed):,} {name} of {int(there):,}" for name, needed, there in _ROOM.findall(log)
                if int(needed) > int(there)]
        if full:
            raise UnsupportedError(f"the design needs {' and '.join(full)} that the {chip.name} has; "
                                   "ask for fewer PEs")
        problem = last_error(log)
        raise TamisError(f"nextpnr failed on this design: {problem}")
    return json.loads((work / "report.json").read_text())


def pack(chip, options, work, *, tick=lambda: None):
    """Make the bitstream of what was placed; its bytes."""
    arguments = [*options, *_PACK[chip.family]]
    done, log = run(TOOLS[chip.family][1], arguments, work, seconds=PACK_SECONDS, tick=tick)
    if not done:
        raise TamisError(f"the bitstream could not be packed: {last_error(log)}")
    return (work / "bitstream").read_bytes()


def used(report):
    """LUTs, block RAMs and multipliers that nextpnr placed; carry chains count as the LUTs that they take."""
    utilisation = report["utilization"]
    return {what: sum(utilisation[name]["used"] for name in names if name in utilisation)
            for what, names in _USED.items()}


def reached(report, clock_mhz):
    """Clock in MHz that the engine's domain reached.

    Raises
    ------
    TamisError
        If nextpnr did not look at a clock with this constraint, so that its verdict means nothing.
    """
    clocks = report["fmax"].values()
    found = [clock["achieved"] for clock in clocks if abs(clock["constraint"] / clock_mhz - 1) < 1e-3]
    if not found:
        held = ", ".join(f"{clock['constraint']:g}" for clock in clocks) or "none"
        raise TamisError(f"nextpnr checked no clock of {clock_mhz:g} MHz, only {held}; please report it")
    return min(found)


def check_timing(board, asked, found):
    """Refuse a clock that was missed.

    Raises
    ------
    UnsupportedError
        With both figures.
    """
    if found < asked:
        raise UnsupportedError(
            f"{board.name} with {board.geometry.pes} PEs misses its clock: {asked:g} MHz asked, {found:.2f} "
            f"reached; ask for at most --clock {int(found)}, or try another --seed")
