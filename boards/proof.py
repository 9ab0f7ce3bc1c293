"""Proof without a board: what would go to the chip, simulated behind the same serial line as the real one.

Two things can be simulated: the netlist that synthesis leaves, of primitives of the chip, and for iCE40 the
logic that a finished bitstream holds, unpacked again.
"""

import re

from boards import build
from boards.bitstream import unpack
from boards.cells import models
from boards.contents import filled, of_image, parameters
from boards.netlist import read, verilog
from boards.simulated import SimulatedBoard, program
from boards.top import RESET_CYCLES
from golden.errors import TamisError, UnsupportedError
from golden.stored import split

FAMILIES = ("ice40", "ecp5")
POWER_ON_CYCLES = RESET_CYCLES + 64
# Yosys' models set first contents by delayed assignments, and state delays, of which Verilator warns.
_LINT = "/* verilator lint_off INITIALDLY */ /* verilator lint_off SPECIFYIGN */\n"
_WORLD = """(* top = 1 *)
module board(clk, rst, rx, tx, idle, loading, computing, fault);
  input clk;
  input rst;
  input rx;
  output tx;
  output idle;
  output loading;
  output computing;
  output fault;
  assign {{idle, loading, computing, fault}} = 4'b0000;
  {name} chip({pins});
endmodule
"""
_FLASH = {"flash_select": "output", "flash_clock": "output", "flash_command": "output", "flash_data": "input"}
_WITH_FLASH = (
    ("(clk,", "(flash_select, flash_clock, flash_command, flash_data, clk,"),
    ("  input clk;\n", "  output flash_select, flash_clock, flash_command;\n  input flash_data, clk;\n"
                      "  wire idle_flash;\n  assign flash_select = ~idle_flash;\n"),
)
"""What the text of the board around a design becomes if it has a flash, which a zero selects."""
_OUTPUTS = re.compile(r"tx|led_\d+|high_\d+")


def world(name, ports):
    """The simulated board around a design, which shows nothing but its serial line.

    Parameters
    ----------
    name : str
        Module of the design.
    ports : dict of str to str
        Direction of each of its pins.

    Raises
    ------
    TamisError
        If it has a pin that the simulated world does not know.
    """
    pins = ["clk", "rx", "tx"]
    flash = ports.items() >= _FLASH.items()
    known = {*pins, *(_FLASH if flash else ())}
    for port, direction in ports.items():
        if port not in known and not (direction == "output" and _OUTPUTS.fullmatch(port)):
            raise TamisError(f"the pin {port} of this design is not simulated; please report it")
    text = _WORLD
    connected = {pin: pin for pin in pins}
    if flash:
        for old, new in _WITH_FLASH:
            text = text.replace(old, new)
        connected |= {pin: pin for pin in _FLASH} | {"flash_select": "idle_flash"}
    return text.format(name=name, pins=", ".join(f".{pin}({wire})" for pin, wire in connected.items()))


def check_family(board):
    """Refuse a board whose primitives have no models.

    Raises
    ------
    UnsupportedError
        With the families that have.
    """
    if board.chip.family not in FAMILIES:
        raise UnsupportedError(f"the primitives of the {board.chip.name} on {board.name} have no simulation "
                               "models here; choose a board with iCE40 or ECP5")


def netlist(board, *, flash=False, tick=lambda: None):
    """The netlist that synthesis makes of a board's preset: the one that a build places."""
    text, _ = build.verilog(board, board.pins(), flash=flash)
    return read(build.netlist(board, text, tick=tick) / "design.json", build.TOP)


def netlist_text(found, family):
    """Verilog of a netlist, of its primitives and of the board around it."""
    ports = {name: direction for name, (direction, _) in found.ports.items()}
    text = [_LINT, models(family, found.kinds), verilog(found), world(found.name, ports)]
    return "\n".join(text)


def netlist_program(board, found):
    """A program that is the board with this netlist in its chip; see `boards.simulated.program`."""
    check_family(board)
    text = netlist_text(found, board.chip.family)
    flash = "flash_data" in found.ports
    return program(text, divisor=board.divisor, power_on_cycles=POWER_ON_CYCLES, flash=flash)


def fill(board, found, image):
    """Put a model into the block RAM of a netlist, as `boards.build.fill` does in a bitstream."""
    wanted = of_image(board.geometry, *split(image, filled(board.geometry)))
    for cell in found.cells:
        if cell.name in wanted:
            cell.parameters |= parameters(wanted.pop(cell.name))
    if wanted:
        raise TamisError(f"the netlist has no block RAM {min(wanted)} to be filled; please report it")


def bitstream_program(board, *, seed=1, progress=lambda done, total: None, note=lambda text: None):
    """A program that is the board with a built bitstream in its chip.

    Raises
    ------
    UnsupportedError
        If bitstreams of this chip cannot be unpacked.
    ToolMissingError
        If icebox_vlog is not installed.
    """
    text, ports, kinds = unpack(board, seed=seed, progress=progress, note=note)
    whole = "\n".join([_LINT, models(board.chip.family, kinds), text, world(build.TOP, ports)])
    return program(whole, divisor=board.divisor, power_on_cycles=POWER_ON_CYCLES)


def start(program, *, fault=0, flash=None):
    """Start a program, with these bytes in its flash; the board is a context manager with `port`."""
    return SimulatedBoard(program=program, flash=flash, arguments=[f"+fault={fault}"])


def lamps_only(ports):
    """Whether output ports are LEDs and nothing else."""
    return all(port.startswith("led_") for port in ports)
