"""Signed product of 18 by 18 bits, and the primitive that makes it on ECP5."""

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdl.verilog import family

BITS = 18


class Multiplier(wiring.Component):
    """Signed 18 by 18 bits, a register before and a register behind.

    For ECP5 it is a MULT18X18D with its own registers, which Yosys would not use; elsewhere plain logic.

    Latency 2 cycles; throughput one product per cycle.

    Parameters
    ----------
    primitive : bool
        Whether it is a MULT18X18D even if the emission names no family.

    Members
    -------
    a, b : In
    o : Out
    """

    def __init__(self, *, primitive: bool = False):
        self._primitive = primitive
        super().__init__({
            "a": In(signed(BITS)),
            "b": In(signed(BITS)),
            "o": Out(signed(2 * BITS)),
        })

    def elaborate(self, platform):
        m = Module()
        if not self._primitive and family(platform) != "ecp5":
            a, b = Signal.like(self.a, reset_less=True), Signal.like(self.b, reset_less=True)
            product = Signal.like(self.o, reset_less=True)
            m.d.sync += [a.eq(self.a), b.eq(self.b), product.eq(a * b)]
            m.d.comb += self.o.eq(product)
            return m
        settings = {
            f"REG_{name}_{what}": value
            for name, clock in (("INPUTA", "CLK0"), ("INPUTB", "CLK0"), ("INPUTC", "NONE"),
                                ("PIPELINE", "NONE"), ("OUTPUT", "CLK0"))
            for what, value in (("CLK", clock), ("CE", "CE0"), ("RST", "RST0"))}
        # It has a port for each bit.
        bits = {
            **{f"i_A{i}": self.a[i] for i in range(BITS)},
            **{f"i_B{i}": self.b[i] for i in range(BITS)},
            **{f"i_C{i}": Const(0, 1) for i in range(BITS)},
            **{f"o_P{i}": self.o[i] for i in range(2 * BITS)},
        }
        m.submodules.multiplier = Instance(
            "MULT18X18D",
            **{f"p_{name}": value for name, value in settings.items()},
            p_CLK0_DIV="ENABLED", p_GSR="DISABLED", p_SOURCEB_MODE="B_SHIFT", p_MULT_BYPASS="DISABLED",
            p_RESETMODE="SYNC",
            i_SIGNEDA=Const(1, 1), i_SIGNEDB=Const(1, 1), i_SOURCEA=Const(0, 1), i_SOURCEB=Const(0, 1),
            i_CLK0=ClockSignal(), i_CE0=Const(1, 1), i_RST0=Const(0, 1),
            **bits)
        return m
