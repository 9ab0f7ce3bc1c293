"""Whether a design fits a chip, said before synthesis: block RAM exactly, logic by measured figures."""

import re
from collections import Counter
from dataclasses import dataclass

from boards.chips import Chip
from golden.errors import UnsupportedError
from hdl.block_memory import fits_luts

LUTS_PER_REGISTER = {"ice40": 2.2, "ecp5": 1.5, "gowin": 2.2}
"""LUTs of a whole device for each bit of its registers, as nextpnr counted them."""
MARGIN = 1.15
"""A design is refused before synthesis only if its estimated LUTs exceed the chip's by this factor."""
PE = "tamis_processing_element"
"""Begins the names of a processing element's modules."""
DSPS = 1
"""Multipliers of a PE, where the chip has any."""
LARGE_WORDS, LARGE_BITS = 16384, 16
"""Of a single-port memory of an iCE40 UP5K."""
INSTANCED = {"DP16KD": (512, 36)}
"""Block RAMs that a design instances: words and bits of a memory that fills one."""

_MODULE = re.compile(r"^module (\\?\S+) ?\(.*?^endmodule$", re.MULTILINE | re.DOTALL)
_INSTANCE = re.compile(r"^  (\\?[^\s(]+)\s+(?:#\(.*?\)\s+)?\\?[^\s(]+ \($", re.MULTILINE | re.DOTALL)
_ASSIGNED = re.compile(r"^ +\\?([^\s\[]+) ?(?:\[[\d:]+\] )?<= ", re.MULTILINE)
_REGISTER = re.compile(r"^  reg (?:\[(\d+):0\] )?\\?([^\s;]+) ?(?:;| = )", re.MULTILINE)
_LARGE = re.compile(r'\(\* ram_style = "huge" \*\)\n  reg \[\d+:0\] \\?(\S+) ')
_MEMORY = re.compile(r"^  reg \[(\d+):0\] \\?(\S+) +\[(\d+):0\];$", re.MULTILINE)


@dataclass(frozen=True)
class Memory:
    """A memory of the design: its name, words, bits of a word, how often, and if it is for a large block."""

    name: str
    words: int
    bits: int
    count: int
    large: bool = False


@dataclass(frozen=True)
class Contents:
    """What a design is made of, counted in its Verilog.

    Parameters
    ----------
    memories : tuple of Memory
    pe_registers : int
        Bits of the registers of one PE.
    other_registers : int
        Bits of the registers outside of PEs.
    """

    memories: tuple[Memory, ...]
    pe_registers: int
    other_registers: int


def contents(verilog, top):
    """Memories and registers of a text that `hdl.verilog.emit` wrote.

    Parameters
    ----------
    verilog : str
    top : str
        Name of its top module.
    """
    bodies = {match[1].removeprefix("\\"): match[0] for match in _MODULE.finditer(verilog)}
    counts = Counter()

    def visit(name):
        counts[name] += 1
        for match in _INSTANCE.finditer(bodies.get(name, "")):  # a primitive has no body
            visit(match[1].removeprefix("\\"))

    visit(top)
    found = tuple(
        Memory(f"{module}.{name}", int(last) + 1, int(high) + 1, counts[module], name in _LARGE.findall(body))
        for module, body in bodies.items() for high, name, last in _MEMORY.findall(body))
    found += tuple(Memory(f"{module}.{match[1]}", *INSTANCED[match[1]], counts[module])
                   for module, body in bodies.items() for match in _INSTANCE.finditer(body)
                   if match[1] in INSTANCED)
    registers = Counter()
    for module, body in bodies.items():
        widths = {name: int(high or 0) + 1 for high, name in _REGISTER.findall(body)}
        bits = sum(widths.get(name, 0) for name in set(_ASSIGNED.findall(body)))
        registers[module.startswith(PE)] += bits * (1 if module.startswith(PE) else counts[module])
    return Contents(found, registers[True], registers[False])


def blocks(memory, chip):
    """Block RAMs of one memory; 0 if it goes into LUTs or large memories.

    >>> from boards.chips import UP5K, ecp5
    >>> [blocks(Memory("matrix", 2048, 16, 1), chip) for chip in (UP5K, ecp5("25F", "CABGA381", 6))]
    [8, 2]
    """
    if memory.large:
        return 0
    needed = min(-(-memory.words // words) * -(-memory.bits // bits) for words, bits in chip.block_shapes)
    return 0 if chip.lutram and fits_luts(memory.words, memory.bits, needed) else needed


def large_blocks(memory):
    """Single-port memories of one memory."""
    return -(-memory.words // LARGE_WORDS) * -(-memory.bits // LARGE_BITS) if memory.large else 0


@dataclass(frozen=True)
class Estimate:
    """What a design takes of a chip: LUTs roughly, block RAMs and large memories exactly, multipliers."""

    lut: int
    bram: int
    dsp: int
    spram: int = 0

    def problems(self, chip):
        """What there is too little of, in words."""
        return [f"{needed:,} {what} of {there:,}" for what, needed, there in (
            ("LUTs (estimated)", self.lut, chip.luts), ("block RAMs", self.bram, chip.brams),
            ("large memories", self.spram, chip.sprams),
            ("multipliers", self.dsp, chip.dsps)) if needed > there * (MARGIN if "LUT" in what else 1)]


def estimate(found, chip: Chip, pes):
    """Estimate a design with these contents and `pes` PEs, which need not be the number that was counted."""
    counts = [(one, pes if one.name.startswith(PE) else one.count) for one in found.memories]
    bram = sum(blocks(one, chip) * count for one, count in counts)
    spram = sum(large_blocks(one) * count for one, count in counts)
    registers = found.other_registers + pes * found.pe_registers
    lut = round(LUTS_PER_REGISTER[chip.family] * registers)
    return Estimate(lut, bram, DSPS * pes if chip.dsps else 0, spram)


def check_fit(board, found):
    """Refuse a geometry that does not fit.

    Raises
    ------
    UnsupportedError
        With what it takes, what the chip has, and the nearest that does fit.
    """
    chip, pes = board.chip, board.geometry.pes
    problems = estimate(found, chip, pes).problems(chip)
    if not problems:
        return
    fitting = (of for of in range(pes - 1, 0, -1) if not estimate(found, chip, of).problems(chip))
    nearest = next(fitting, 0)
    advice = f"--pes {nearest} fits" if nearest else "not even one such PE fits, so choose a larger board"
    raise UnsupportedError(
        f"{pes} PE{'s' * (pes > 1)} would take {' and '.join(problems)} that the {chip.name} of {board.name} "
        f"has; {advice}")
