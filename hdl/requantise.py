"""Requantisation of drained rows: the hardware of `golden.fixed_point.requantise`."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import ACTIVATION_BITS, Geometry
from golden.steps import FIELDS, Part

SHIFT_BITS = dict(FIELDS[Part.DRAIN])["shift"]
STAGES = ((32, 16), (8, 4), (2, 1))
"""Shifts before each register but the last."""
DIRECT_STAGES = ((32, 8, 4),)
"""Likewise without output registers; what is left comes before the last register."""


class Requantise(wiring.Component):
    """Add half, shift right, ReLU or none, saturate to int16.

    The sum is shifted with one zero below it, so the bit that falls out last decides the rounding. The
    largest shift comes first: behind it fewer bits can still reach the result, and of those that cannot
    it matters only whether one of them differs from the sign. Without `geometry.output_registers` the
    arithmetic unit has shifted by 16 already (`hdl.arithmetic`).

    Latency 4 cycles (2 without `geometry.output_registers`); throughput one row per cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    shift, relu : In
        Settings of the step; constant while a row is inside.
    i_valid, i_row, i_sum, i_half, i_end : In
        A finished row and the bit below it, or the End behind the last.
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
            "i_half":    In(1),
            "i_end":     In(1),
            "o_valid":   Out(1),
            "o_row":     Out(range(geometry.accumulators)),
            "o":         Out(signed(ACTIVATION_BITS)),
            "o_end":     Out(1),
            "saturated": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        value = Cat(self.i_half, self.i_sum)
        sign = value[-1]
        beyond = Const(0, 1)
        valid, end, row = self.i_valid, self.i_end, self.i_row
        # A shift of 32 or more leaves nothing of a sum that is no wider.
        vanishes = self.shift[5] if geometry.accumulator_bits <= 32 else Const(0, 1)
        stages = STAGES if geometry.output_registers else DIRECT_STAGES
        for number, steps in enumerate(stages):
            for step in steps:
                if step < len(self.i_sum):
                    value, lost = self._shift(value, sign, step)
                    beyond |= lost
            packed = Signal(data.StructLayout({
                "value": len(value), "sign": 1, "beyond": 1, "row": len(row)}),
                name=f"stage{number}", reset_less=True)
            next_valid, next_end = Signal(name=f"valid{number}"), Signal(name=f"end{number}")
            m.d.sync += [
                packed.value.eq(value), packed.sign.eq(sign), packed.beyond.eq(beyond), packed.row.eq(row),
                next_valid.eq(valid), next_end.eq(end),
            ]
            value, sign, beyond, row = packed.value, packed.sign, packed.beyond, packed.row
            valid, end = next_valid, next_end

        for step in (2, 1) if not geometry.output_registers else ():
            value, lost = self._shift(value, sign, step)
            beyond |= lost

        # Of the bits left, the lowest rounds the others; `carry` is what reaches their highest one.
        whole = value[1:]
        carry = Signal()
        outside = Signal()
        negative = sign & self.relu
        m.d.comb += [
            carry.eq(value[:ACTIVATION_BITS].all()),
            outside.eq((beyond | Mux(carry, ~sign, sign != whole[-1])) & ~vanishes),
        ]
        rounded = Signal(ACTIVATION_BITS)
        m.d.comb += rounded.eq(whole + value[0])
        with m.If(sign & (self.relu | outside) | vanishes):
            m.d.sync += self.o[:-1].eq(0)
        with m.Else():
            m.d.sync += self.o[:-1].eq(rounded[:-1] | outside.replicate(ACTIVATION_BITS - 1))
        m.d.sync += [
            self.o[-1].eq(Mux(outside, sign, rounded[-1]) & ~negative & ~vanishes),
            self.o_valid.eq(valid),
            self.o_end.eq(end),
            self.o_row.eq(row),
            self.saturated.eq(valid & outside & ~negative),
        ]
        return m

    def _shift(self, value, sign, step):
        """Shift by `step` or not; returns the bits that smaller steps may need, and if others counted."""
        chosen = self.shift.bit_select(step.bit_length() - 1, 1)
        reached = ACTIVATION_BITS + 2 * step  # nothing above counts but by differing from the sign
        value, above = value[:reached], value[reached:]
        kept = min(len(value), ACTIVATION_BITS + step)
        shifted = Cat(value[step:], sign.replicate(step))[:kept]
        rest = value[kept:]
        lost = (above != sign.replicate(len(above))) | (~chosen & (rest != sign.replicate(len(rest))))
        return Mux(chosen, shifted, value[:kept]), lost
