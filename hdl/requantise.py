"""Requantisation of drained rows: the hardware of `golden.fixed_point.requantise`."""

from amaranth.hdl import Cat, Const, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.fixed_point import INT16_MAX, INT16_MIN
from golden.geometry import ACTIVATION_BITS, Geometry
from golden.steps import FIELDS, Token

SHIFT_BITS = dict(FIELDS[Token.DRAIN])["shift"]
FINE_BITS = 3


class Requantise(wiring.Component):
    """Add half, shift right, ReLU or none, saturate to int16.

    The sum is shifted with one zero below it, so the bit that falls out last decides the rounding.

    Latency 4 cycles; throughput one row per cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    shift, relu : In
        Settings of the step; constant while a row is inside.
    i_valid, i_row, i_sum, i_end : In
        A finished row, or the End behind the last.
    o_valid, o_row, o : Out
        Its activation.
    o_end : Out(1)
    saturated : Out(1)
        The activation that is on `o` was limited.
    """

    def __init__(self, geometry: Geometry):
        self._geometry = geometry
        super().__init__({
            "shift":     In(SHIFT_BITS),
            "relu":      In(1),
            "i_valid":   In(1),
            "i_row":     In(range(geometry.accumulators)),
            "i_sum":     In(geometry.accumulator_bits),
            "i_end":     In(1),
            "o_valid":   Out(1),
            "o_row":     Out(range(geometry.accumulators)),
            "o":         Out(signed(ACTIVATION_BITS)),
            "o_end":     Out(1),
            "saturated": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        width = self._geometry.accumulator_bits + 1
        coarse = Signal(signed(width), reset_less=True)
        fine = Signal(signed(width), reset_less=True)
        rounded = Signal(signed(width), reset_less=True)

        m.d.sync += [
            coarse.eq(Cat(Const(0, 1), self.i_sum).as_signed() >> (self.shift[FINE_BITS:] << FINE_BITS)),
            fine.eq(coarse >> self.shift[:FINE_BITS]),
            rounded.eq((fine >> 1) + fine[0]),
        ]

        negative = rounded < 0
        too_high = rounded > INT16_MAX
        too_low = (rounded < INT16_MIN) & ~self.relu
        with m.If(too_high):
            m.d.sync += self.o.eq(INT16_MAX)
        with m.Elif(negative & self.relu):
            m.d.sync += self.o.eq(0)
        with m.Elif(too_low):
            m.d.sync += self.o.eq(INT16_MIN)
        with m.Else():
            m.d.sync += self.o.eq(rounded)

        valid, end, row = self.i_valid, self.i_end, self.i_row
        for i in range(1, 4):
            next_valid, next_end = Signal(name=f"valid{i}"), Signal(name=f"end{i}")
            next_row = Signal.like(row, name=f"row{i}", reset_less=True)
            m.d.sync += [next_valid.eq(valid), next_end.eq(end), next_row.eq(row)]
            valid, end, row = next_valid, next_end, next_row
        m.d.sync += [
            self.o_valid.eq(valid),
            self.o_end.eq(end),
            self.o_row.eq(row),
            self.saturated.eq(valid & (too_high | too_low)),
        ]
        return m
