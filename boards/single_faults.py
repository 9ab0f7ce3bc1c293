"""Single faults in a netlist: one simulator holds them all, and each run switches one on.

A fault is a LUT whose table has one wrong bit, a wire that is cut and reads as a constant, or a bit of a
memory that is stuck. The argument `+fault=N` of the simulator chooses fault `N`; without it the netlist is
sound. At its end the simulator says whether the fault was ever "excited", that is whether a wire had another
value at a clock edge than it would have had, or "idle".
"""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from boards.netlist import LUTS, wire
from golden.errors import UnsupportedError

KINDS = ("LUT bit", "cut wire", "memory bit")
_MEMORY, _MEMORY_BITS = "SB_RAM40_4K", 4096
"""The memory whose bits can be stuck here, and how many it has."""
_OTHER_MEMORIES = {"SB_SPRAM256KA", "DP16KD", "PDPW16KD"}
_SELECTOR = (
    "  reg [15:0] fault;",
    '  initial if (!$value$plusargs("fault=%d", fault)) fault = 0;',
    "  reg excited = 0;",
    '  final $display("%s", excited ? "excited" : "idle");',
)


@dataclass(frozen=True)
class Fault:
    """One fault.

    Parameters
    ----------
    number : int
        From 1.
    kind : {"LUT bit", "cut wire", "memory bit"}
    cell : int
        Which cell of the netlist; of a cut wire the one that drives it.
    bit : int
        Bit of the table or of the memory; of a cut wire its place among the cell's outputs.
    value : int
        What the wire or the memory's bit is stuck at.
    """

    number: int
    kind: str
    cell: int
    bit: int
    value: int


def draw(netlist, count, seed):
    """Choose faults at random, the kinds in turn.

    Parameters
    ----------
    netlist : boards.netlist.Netlist
    count, seed : int

    Returns
    -------
    list of Fault

    Raises
    ------
    UnsupportedError
        If the netlist has memories whose bits cannot be stuck here.
    """
    numbers = {kind: [] for kind in KINDS}
    for number, cell in enumerate(netlist.cells):
        if cell.kind in LUTS:
            numbers["LUT bit"].append(number)
        if cell.kind == _MEMORY:
            numbers["memory bit"].append(number)
        if _driven(netlist, cell):
            numbers["cut wire"].append(number)
    kinds = [kind for kind in KINDS if numbers[kind]]
    if found := sorted(netlist.kinds & _OTHER_MEMORIES):
        raise UnsupportedError(f"faults cannot be put into {found[0]}, which this netlist holds, only into "
                               f"{_MEMORY}; choose --board ice40_hx8k_b_evn")
    rng = np.random.default_rng(seed)
    faults = []
    for number in range(1, count + 1):
        kind = kinds[(number - 1) % len(kinds)]
        chosen = int(rng.choice(numbers[kind]))
        cell = netlist.cells[chosen]
        sizes = {"LUT bit": 16, "cut wire": len(_driven(netlist, cell)), "memory bit": _MEMORY_BITS}
        faults.append(Fault(number, kind, chosen, int(rng.integers(sizes[kind])), int(rng.integers(2))))
    return faults


def inject(netlist, faults):
    """The netlist with all faults in it, each behind its switch.

    Returns
    -------
    Netlist
        A copy.
    """
    changed = deepcopy(netlist)
    first = fresh = changed.wires()[-1] + 1
    lines, differences = [], []
    for fault in faults:
        cell = changed.cells[fault.cell]
        if fault.kind == "LUT bit":
            _, inputs, output = LUTS[cell.kind]
            pin = (output, 0)
            wrong = " & ".join(f"{'' if fault.bit >> i & 1 else '~'}{wire(cell.pins[name][0])}"
                               for i, name in enumerate(inputs) if name in cell.pins)
        elif fault.kind == "cut wire":
            pin = _driven(netlist, cell)[fault.bit]
            wrong = f"n{fresh} != 1'b{fault.value}"
        else:
            pin, when, address, clock = _memory_bit(cell, fault.bit)
            seen = f"fault{fault.number}_read"
            lines += [f"  reg {seen} = 0;", f"  always @(posedge {clock}) if ({when}) {seen} <= {address};"]
            wrong = f"{seen} & n{fresh} != 1'b{fault.value}"
        bits = cell.pins[pin[0]] = list(cell.pins[pin[0]])
        different = f"fault{fault.number}"
        differences.append(different)
        lines += [f"  wire {different} = fault == {fault.number} & ({wrong});",
                  f"  assign {wire(bits[pin[1]])} = n{fresh} ^ {different};"]
        bits[pin[1]] = fresh
        fresh += 1
    unseen = set(netlist.wires()) | set(range(first, fresh))
    declared = [f"  wire n{number};" for number in sorted(unseen - set(changed.wires()))]
    clock = wire(netlist.ports["clk"][1][0])
    observer = [f"  always @(posedge {clock}) if ({' | '.join(differences)}) excited <= 1;"]
    changed.extra = [*declared, *_SELECTOR, *lines, *observer]
    return changed


def describe(netlist, fault):
    """Where a fault is, in words."""
    cell = netlist.cells[fault.cell]
    if fault.kind == "LUT bit":
        return f"{cell.name} ({cell.kind}), table bit {fault.bit} inverted"
    if fault.kind == "cut wire":
        name, index = _driven(netlist, cell)[fault.bit]
        return f"{cell.name} ({cell.kind}), {name}[{index}] stuck at {fault.value}"
    return f"{cell.name} ({cell.kind}), bit {fault.bit} stuck at {fault.value}"


def reaches(netlist, fault):
    """Output ports to which a fault could make its way, through any number of registers and memories."""
    readers = {}
    for cell in netlist.cells:
        for name, bits in cell.pins.items():
            if name not in cell.outputs:
                for bit in bits:
                    readers.setdefault(bit, []).append(cell)
    cell = netlist.cells[fault.cell]
    if fault.kind == "cut wire":
        name, index = _driven(netlist, cell)[fault.bit]
        waiting = [cell.pins[name][index]]
    else:
        waiting = [bit for name in cell.outputs & cell.pins.keys() for bit in cell.pins[name]]
    reached = set()
    while waiting:
        bit = waiting.pop()
        if bit not in reached:
            reached.add(bit)
            for reader in readers.get(bit, ()):
                waiting += [one for name in reader.outputs & reader.pins.keys() for one in reader.pins[name]]
    return {name for name, (direction, bits) in netlist.ports.items()
            if direction == "output" and reached & {bit for bit in bits if isinstance(bit, int)}}


def _driven(netlist, cell):
    """Outputs of a cell that may be cut, as name and index; a clock is none, as its fault needs no proof."""
    if "PLL" in cell.kind:
        return []
    return [(name, index) for name in sorted(cell.outputs & cell.pins.keys())
            for index, bit in enumerate(cell.pins[name]) if isinstance(bit, int)]


def _memory_bit(cell, bit):
    """Output that shows a bit of a memory, when a read begins, whether it is of this bit, and the clock."""
    pins = cell.pins
    row, column = divmod(bit, 16)
    mode = int(str(cell.parameters.get("READ_MODE", "0")), 2)
    width = 1 << mode
    place, select = divmod(column, width)
    address = select << 8 | row
    when = f"{wire(pins['RE'][0])} & {wire(pins['RCLKE'][0])}"
    shown = width * place + max(0, width // 2 - 1)
    return ("RDATA", shown), when, _equal(pins["RADDR"][:8 + mode], address), wire(pins["RCLK"][0])


def _equal(bits, value):
    return " & ".join(f"{'' if value >> i & 1 else '~'}{wire(bit)}" for i, bit in enumerate(bits))
