"""A netlist as synthesis leaves it: Yosys' JSON in, Verilog for a simulator out.

Every cell stays an instance of its primitive, but for LUTs: one becomes a short expression of its inputs.
With a model that looks a bit up in a table, a simulator took four times as long to build and was slower.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

LUTS = {"SB_LUT4": ("LUT_INIT", ("I0", "I1", "I2", "I3"), "O"), "LUT4": ("INIT", ("A", "B", "C", "D"), "Z")}
"""Name of a LUT's table, of its inputs from the least significant, and of its output."""
_IGNORED = "$scopeinfo"


@dataclass
class Cell:
    """A primitive in its place.

    Parameters
    ----------
    name : str
        What Yosys calls it.
    kind : str
    parameters : dict
        Text, or digits of a binary number.
    pins : dict of str to list
        Of each port its bits from the least significant: the number of a wire, or "0", "1", "x".
    outputs : frozenset of str
        Names of the ports that drive their wires.
    """

    name: str
    kind: str
    parameters: dict
    pins: dict
    outputs: frozenset


@dataclass
class Netlist:
    """A flat design.

    Parameters
    ----------
    name : str
    ports : dict of str to (str, list)
        Direction ("input", "output") and bits.
    cells : list of Cell
    extra : list of str
        Verilog that was added to it, such as faults.
    """

    name: str
    ports: dict
    cells: list
    extra: list = field(default_factory=list)

    @property
    def kinds(self):
        """The primitives in use."""
        return {cell.kind for cell in self.cells}

    def wires(self):
        """Numbers of all wires, sorted."""
        pins = [bits for cell in self.cells for bits in cell.pins.values()]
        ports = [bits for _, bits in self.ports.values()]
        return sorted({bit for bits in pins + ports for bit in bits if isinstance(bit, int)})


def read(path, top):
    """Read what `write_json` of Yosys wrote.

    Parameters
    ----------
    path : Path
    top : str
        Name of the module; it is flat.
    """
    module = json.loads(Path(path).read_text())["modules"][top]
    cells = []
    for name, cell in module["cells"].items():
        if cell["type"] != _IGNORED:
            directions = cell["port_directions"]
            cells.append(Cell(
                name, cell["type"], cell["parameters"],
                {pin: bits for pin, bits in cell["connections"].items() if bits},
                frozenset(pin for pin, direction in directions.items() if direction == "output")))
    ports = {name: (port["direction"], port["bits"]) for name, port in module["ports"].items()}
    return Netlist(top, ports, cells)


def wire(bit):
    """A bit's name in the Verilog; what is of no concern is zero."""
    return f"n{bit}" if isinstance(bit, int) else "1'b1" if bit == "1" else "1'b0"


def vector(bits):
    """Bits, the least significant first, as one value."""
    return wire(bits[0]) if len(bits) == 1 else f"{{{', '.join(wire(bit) for bit in reversed(bits))}}}"


def verilog(netlist):
    """The netlist as one Verilog module."""
    ports = [f"{direction} wire {_range(bits)}{name}" for name, (direction, bits) in netlist.ports.items()]
    lines = [f"module {netlist.name}({', '.join(ports)});"]
    lines += [f"  wire n{number};" for number in netlist.wires()]
    for name, (direction, bits) in netlist.ports.items():
        pair = (vector(bits), name) if direction == "input" else (name, vector(bits))
        lines.append(f"  assign {pair[0]} = {pair[1]};")
    lines += [_lut(cell) if cell.kind in LUTS else _instance(cell, number)
              for number, cell in enumerate(netlist.cells)]
    return "\n".join([*lines, *netlist.extra, "endmodule", ""])


def _range(bits):
    return f"[{len(bits) - 1}:0] " if len(bits) > 1 else ""


def _lut(cell):
    parameter, inputs, output = LUTS[cell.kind]
    content = int(cell.parameters[parameter], 2)
    names = [wire(cell.pins[name][0]) if name in cell.pins else "1'b0" for name in inputs]
    return f"  assign {wire(cell.pins[output][0])} = {expression(content, names)};"


def _instance(cell, number):
    parameters = ", ".join(f".{name}({_constant(value)})" for name, value in cell.parameters.items())
    pins = ", ".join(f".{name}({vector(bits)})" for name, bits in cell.pins.items())
    return f"  {cell.kind} {f'#({parameters}) ' if parameters else ''}cell{number} ({pins});"


def _constant(value):
    """A parameter: digits are a binary number, unless a space follows, which marks them as text."""
    if isinstance(value, int):
        return str(value)
    if re.fullmatch(r"[01xz]+", value):
        return f"{len(value)}'b{value}"
    return json.dumps(value[:-1] if re.fullmatch(r"[01xz]+ +", value) else value)


def expression(table, names):
    """Verilog for a truth table.

    Parameters
    ----------
    table : int
        Bit `i` is the value where the inputs, the first being the least significant, are `i`.
    names : sequence of str

    Examples
    --------
    >>> expression(0x8888, ["a", "b", "c", "d"])
    '(b & a)'
    >>> expression(0x6996, ["a", "b", "c", "d"])
    '(d ^ (c ^ (b ^ a)))'
    """
    ones = (1 << (1 << len(names))) - 1
    if table in (0, ones):
        return "1'b1" if table else "1'b0"
    *lower, top = names
    half = 1 << len(lower)
    everything = (1 << half) - 1
    low, high = table & everything, table >> half
    if low == high:
        return expression(low, lower)
    if low == everything ^ high:
        return f"~{top}" if high == 0 else top if low == 0 else f"({top} ^ {expression(low, lower)})"
    if low == 0:
        return f"({top} & {expression(high, lower)})"
    if high == 0:
        return f"(~{top} & {expression(low, lower)})"
    if low == everything:
        return f"(~{top} | {expression(high, lower)})"
    if high == everything:
        return f"({top} | {expression(low, lower)})"
    return f"({top} ? {expression(high, lower)} : {expression(low, lower)})"
