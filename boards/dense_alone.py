"""The dense engine of the yardsticks, placed and routed alone on a chip.

An engine has more ports than a chip has pins, so a shift register stands before its inputs and another
behind its outputs; both are counted.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from boards import place, synthesis
from boards.chips import HX8K, UP5K, ecp5
from hdl.dense_engine import DenseEngine
from hdl.verilog import emit

TOP = "alone"
# Yosys' `-dsp` rewrites an SB_MAC16 that is there already, takes its clock away and says nothing.
CHIPS = {
    "UP5K": replace(UP5K, synthesis=("-device", "u", "-spram"),
                    place=(*UP5K.place, "--pcf-allow-unconstrained")),
    "HX8K": replace(HX8K, place=(*HX8K.place, "--pcf-allow-unconstrained")),
} | {
    name: replace(chip, place=(*chip.place, "--lpf-allow-unconstrained"))
    for name, chip in (("ECP5-25F", ecp5("25F", "CABGA381", 6)), ("ECP5-25F-8", ecp5("25F", "CSFBGA285", 8)),
                       ("ECP5-85F", ecp5("85F", "CABGA381", 6)))
}
ASKED_MHZ = {"UP5K": 50.0, "HX8K": 120.0, "ECP5-25F": 150.0, "ECP5-25F-8": 150.0, "ECP5-85F": 150.0}
"""More than is reached: what nextpnr reaches depends on what it is asked."""
SHIFTED = 128
"""Cycles after which the outputs are taken again."""


class Alone(wiring.Component):
    """A component between two shift registers.

    Parameters
    ----------
    inner : wiring.Component

    Members
    -------
    i : In(1)
        Comes to every input in turn.
    o : Out(1)
        Depends on every output.
    """

    def __init__(self, inner: wiring.Component):
        self._inner = inner
        super().__init__({"i": In(1), "o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = inner = self._inner
        ports = [(member.flow, Value.cast(value)) for _, member, value in inner.signature.flatten(inner)
                 if not isinstance(value, Const)]
        inputs = Cat(value for flow, value in ports if flow == In)
        outputs = Cat(value for flow, value in ports if flow == Out)
        shifted, taken = Signal(len(inputs)), Signal(len(outputs))
        left = Signal(len(outputs))
        count = Signal(range(SHIFTED))
        m.d.sync += [shifted.eq(Cat(self.i, shifted)), taken.eq(outputs), count.eq(count + 1),
                     left.eq(left >> 1)]
        with m.If(count == 0):
            m.d.sync += left.eq(taken)
        m.d.comb += [inputs.eq(shifted), self.o.eq(left[0])]
        return m


def build_alone(name, geometry, primitives, *, seed=1):
    """Place and route a dense engine.

    Parameters
    ----------
    name : str
        Of the chip; see `CHIPS`.
    geometry : golden.dense.DenseGeometry
    primitives : str or None
        See `hdl.int8_products.Int8Products`.
    seed : int
        Of placement.

    Returns
    -------
    dict
        Keys lanes, lut, ff (of the netlist, without carry cells), bram, spram, dsp (as placed),
        clock_asked_mhz, clock_reached_mhz, seed.

    Raises
    ------
    UnsupportedError
        If it does not fit.
    ToolMissingError
        If a tool is not installed.
    TamisError
        If a check of the netlist fails.
    """
    chip, asked = CHIPS[name], ASKED_MHZ[name]
    text = emit(Alone(DenseEngine(geometry, primitives=primitives)), TOP, unknown_memories=True)
    with tempfile.TemporaryDirectory(prefix="tamis-") as folder:
        work = Path(folder)
        cells = synthesis.summary(synthesis.synthesise(text, TOP, chip, work), chip)
        report = place.place(chip, "", work, clock_mhz=asked, seed=seed)
    used = place.used(report)
    return {
        "lanes": geometry.lanes, "lut": cells["lut"], "ff": cells["ff"],
        **{what: used[what] for what in ("bram", "spram", "dsp")},
        "clock_asked_mhz": asked, "clock_reached_mhz": round(place.reached(report, asked), 1), "seed": seed,
    }
