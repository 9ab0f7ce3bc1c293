"""A bitstream turned back into logic: every LUT, register, memory and wire as it is configured in the chip.

icepack's own inverse and icebox_vlog of Project IceStorm do it, and know nothing of the netlist that the
bitstream was made of. Yosys and nextpnr are thereby checked together. Multipliers and single-port RAM of UP5K
are unknown to icebox_vlog.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

from boards import build
from boards.chips import HX8K
from boards.constraints import board_pins
from boards.tools import last_error, run
from golden.errors import TamisError, ToolMissingError, UnsupportedError
from hdl.cache import cached

SECONDS = 600
_TOOL = "icebox_vlog"
_HEADER = re.compile(r"^module (\w+) \(([^;]*)\);$", re.MULTILINE)
_PORT = re.compile(r"(input|output) (\w+)")
_CELL = re.compile(r"^(SB_\w+) ", re.MULTILINE)


def unpack(board, *, seed=1, progress=lambda done, total: None, note=lambda text: None):
    """The logic in a board's bitstream.

    Returns
    -------
    tuple of str, dict, set
        Verilog of one module; direction of each port; primitives that it uses.

    Raises
    ------
    UnsupportedError
        If the chip's bitstreams cannot be unpacked.
    ToolMissingError
        If icebox_vlog is not installed.
    TamisError
        If a tool fails.
    """
    if board.chip != HX8K:
        raise UnsupportedError(f"a bitstream of the {board.chip.name} on {board.name} cannot be turned back "
                               "into logic, only one of an iCE40 HX8K can; leave --bitstream out")
    tool = find_tool()
    result = build.build(board, seed=seed, progress=progress, note=note)
    file = result / json.loads((result / build.MANIFEST).read_text())["bitstream"]
    pins = "".join(f"set_io {pin.port} {pin.place}\n" for pin in board_pins(board, board.pins()))

    def make(work, made):
        note("turning the bitstream back into logic")
        shutil.copy(file, work / "bitstream")
        done, log = run("iceunpack", ["bitstream", "logic.asc"], work, seconds=SECONDS)
        if not done:
            raise TamisError(f"the bitstream could not be unpacked: {last_error(log)}")
        (work / "pins.pcf").write_text(pins)
        made.write_text(_vlog(tool, work))

    recipe = [Path(__file__).read_text(), Path(tool).read_text(errors="replace")]
    text = cached("logic", [*recipe, file.read_bytes().hex(), pins], make).read_text()
    ports = {name: direction for direction, name in _PORT.findall(_HEADER.search(text)[2])}
    return with_plain_ports(text), ports, set(_CELL.findall(text))


def find_tool():
    """Path of icebox_vlog.

    Raises
    ------
    ToolMissingError
        If it is not on PATH.
    """
    found = shutil.which(_TOOL)
    if found is None:
        raise ToolMissingError(
            f"{_TOOL} was not found, and bitstreams are turned back into logic with it: install it with "
            "`sudo apt install fpga-icestorm`")
    return found


def _vlog(tool, work):
    """Run icebox_vlog."""
    command = [tool, "-s", "-n", build.TOP, "-p", "pins.pcf", "logic.asc"]
    try:
        done = subprocess.run(command, cwd=work, stdin=subprocess.DEVNULL, capture_output=True,
                              encoding="utf-8", timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise TamisError(f"{_TOOL} did not finish within {SECONDS} s; try again on an idle machine") from None
    if done.returncode:
        raise TamisError(f"{_TOOL} failed: {last_error(done.stderr)}")
    return done.stdout


def with_plain_ports(text):
    """Its text, in which a port is declared a second time as a wire or register, as standard Verilog."""
    header = _HEADER.search(text)
    ports = _PORT.findall(header[2])
    plain = [f"module {header[1]} ({', '.join(name for _, name in ports)});"]
    plain += [f"{direction} {name};" for direction, name in ports]
    return text.replace(header[0], "\n".join(plain), 1)
