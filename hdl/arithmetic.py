"""Arithmetic unit of one PE: multiply and accumulate (EIE, section IV, "Arithmetic Unit")."""

from enum import IntEnum

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import ACTIVATION_BITS, WEIGHT_BITS, Geometry, bits_for
from hdl.block_memory import shape_of
from hdl.layouts import operation_layout
from hdl.multiplier import Multiplier
from hdl.verilog import family

FIRST_SHIFT = 16
"""The shift that requantisation leaves to the arithmetic unit without output registers."""


class Operation(IntEnum):
    """Kinds of operation; the odd ones leave the accumulators alone."""

    MULTIPLY = 0
    """Add weight * activation to the row's accumulator."""
    READ = 1
    """Hand out nothing, leave the accumulator, show it in `peek_data`."""
    DRAIN = 2
    """Hand out accumulator + immediate, and clear the accumulator."""
    END = 3
    """Touch nothing; comes out as `end`."""
    SET = 4
    """Write the immediate into the accumulator."""


class Arithmetic(wiring.Component):
    """Accumulate products modulo 2**A, one operation per cycle, hits on one accumulator included.

    ::

        cycle   0            1                2                    3
     operands > multiply --> product -------> product + old -----> sum -> write
                read row --> memory -> old ----^   ^                |
                                       ^   ^       +--- 1 before ---+
                                       |   +--- 2 before ----------+
                                       +------- 3 before -----------(+1)

    An operation finds the sum of a predecessor on the same row that the memory does not hold yet:
    one, two or three cycles before it. So it never looks at what the memory returns for a row that is
    being written, and the memory needs no logic that defines it. A memory small enough for LUTs is read a
    cycle later and at once, behind the write of the operation three before it: nothing needs to be kept then.

    Latency 3 cycles to `sum`; throughput one operation per cycle; it never waits.

    Without `geometry.output_registers`::

        cycle   0            1                              2
                multiply --> product + (1 before or memory) --> sum
                read row --> memory            +-----> write

    Latency 2 cycles to `sum`; throughput one operation per cycle, but a DRAIN takes two: in the cycle
    behind it, in which nothing but an END may come, its row is cleared. As nobody adds to a sum that is
    drained, its register takes it shifted: there an iCE40 has a LUT that would otherwise stand empty.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    i_valid, i : In
        The operation; its weight and activation stand a cycle before the rest. Without output registers they
        come with it, and its immediate a cycle later.
    coarse : In(1)
        Without output registers: sums come out shifted right by `FIRST_SHIFT`. Constant while rows drain.
    drained : Out(1)
    row, sum, half : Out
        While `drained` is high: a finished row, bias included, and the bit that fell out last.
    end : Out(1)
        High for a cycle when an END comes out, in order with the drained rows.
    peek_data : Out
        The accumulator, 2 cycles after a READ (1 without output registers); the operation just before
        is not in it.
    """

    def __init__(self, geometry: Geometry):
        self._geometry = geometry
        super().__init__({
            "i_valid":   In(1),
            "i":         In(operation_layout(geometry)),
            "coarse":    In(1),
            "drained":   Out(1),
            "row":       Out(range(geometry.accumulators)),
            "sum":       Out(geometry.accumulator_bits),
            "half":      Out(1),
            "end":       Out(1),
            "peek_data": Out(geometry.accumulator_bits),
        })

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        m.submodules.accumulators = accumulators = memory.Memory(
            shape=geometry.accumulator_bits, depth=geometry.accumulators, init=[],
            attrs={"no_rw_check": 1})
        # On a chip without memory in LUTs that would be flip-flops.
        at_once = (geometry.output_registers and family(platform) in (None, "ecp5")
                   and shape_of(geometry.accumulators, geometry.accumulator_bits) is None)
        write = accumulators.write_port()
        read = accumulators.read_port(domain="comb" if at_once else "sync")
        product = Signal(signed(WEIGHT_BITS + ACTIVATION_BITS), reset_less=True)
        weight, activation = self.i.weight.as_signed(), self.i.activation.as_signed()
        if geometry.output_registers:
            m.submodules.multiplier = multiplier = Multiplier()
            m.d.comb += [multiplier.a.eq(weight), multiplier.b.eq(activation), product.eq(multiplier.o)]
            self._registered(m, read, write, product, at_once)
        else:
            m.d.sync += product.eq(weight * activation)
            self._direct(m, read, write, product)
        return m

    def _registered(self, m, read, write, product, at_once):
        width = self._geometry.accumulator_bits
        stage = data.StructLayout({
            "changes": 1, "drain": 1, "end": 1, "row": bits_for(self._geometry.accumulators - 1)})
        one, two, three = (Signal(stage, name=f"stage{i}") for i in range(1, 4))
        total = self.sum

        # Stage 1: product or immediate, and the accumulator out of its memory.
        immediate = Signal(width, reset_less=True)
        multiply = Signal()
        set_one = Signal()
        m.d.sync += [
            one.changes.eq(self.i_valid & ~self.i.kind[0]),
            one.drain.eq(self.i_valid & (self.i.kind == Operation.DRAIN)),
            one.end.eq(self.i_valid & (self.i.kind == Operation.END)),
            one.row.eq(self.i.row),
            multiply.eq(self.i.kind == Operation.MULTIPLY),
            set_one.eq(self.i.kind == Operation.SET),
            immediate.eq(self.i.immediate),
        ]

        # Stage 2: the addend, and the accumulator as two or three operations before have left it.
        addend = Signal(width, reset_less=True)
        old = Signal(width, reset_less=True)
        two_before = three.changes & (three.row == one.row)
        next_written = Signal(width)
        m.d.comb += read.addr.eq(one.row if at_once else self.i.row)
        stored = read.data if at_once else self._three_before(m, read, one.row, three, next_written)
        m.d.sync += [
            two.eq(one),
            addend.eq(Mux(multiply, product, immediate)),
            old.eq(Mux(two_before, next_written, stored)),
        ]
        m.d.comb += self.peek_data.eq(old)

        # Stage 3: the sum; the operation just before may be on the same row. What is added to is chosen a
        # cycle ahead, so that one gate per bit stands before the adder.
        one_before = two.changes & (two.row == one.row)
        takes_total = Signal()
        takes_old = Signal()
        base = (total & takes_total.replicate(width)) | (old & takes_old.replicate(width))
        m.d.sync += [
            takes_total.eq(one_before & ~two.drain & ~set_one),
            takes_old.eq(~one_before & ~set_one),
            three.eq(two),
            total.eq(base + addend),
        ]

        # Write: a drained accumulator is left at zero.
        m.d.comb += [
            next_written.eq(Mux(three.drain, 0, total)),
            write.en.eq(three.changes),
            write.addr.eq(three.row),
            write.data.eq(next_written),
            self.drained.eq(three.drain),
            self.row.eq(three.row),
            self.end.eq(three.end),
        ]

    def _three_before(self, m, read, row, written, value):
        """What the memory was asked for a cycle ago, unless the operation three before `row` was on it."""
        before = Signal.like(written)
        kept = Signal.like(value, reset_less=True)
        m.d.sync += [before.eq(written), kept.eq(value)]
        three_before = before.changes & (before.row == row)
        return Mux(three_before, kept, read.data)

    def _direct(self, m, read, write, product):
        width = self._geometry.accumulator_bits
        m.d.comb += read.addr.eq(self.i.row)
        row = Signal(bits_for(self._geometry.accumulators - 1), reset_less=True)
        changes = Signal()
        drain = Signal()
        end = Signal()
        multiply = Signal()
        immediate = Signal()
        zero = Signal()
        one_before = Signal()

        # Behind a DRAIN its row is written once more, with nothing.
        m.d.sync += [
            changes.eq((self.i_valid & ~self.i.kind[0]) | drain),
            drain.eq(self.i_valid & (self.i.kind == Operation.DRAIN)),
            end.eq(self.i_valid & (self.i.kind == Operation.END)),
            multiply.eq((self.i.kind == Operation.MULTIPLY) & ~drain),
            immediate.eq((self.i.kind != Operation.MULTIPLY) & ~drain),
            zero.eq((self.i.kind == Operation.SET) | drain),
            one_before.eq(changes & (self.i.row == row)),
        ]
        with m.If(~drain):
            m.d.sync += row.eq(self.i.row)

        base = Signal(width)
        addend = Signal(width)
        total = Signal(width)
        m.d.comb += [
            base.eq(Mux(one_before, self.sum, read.data) & ~zero.replicate(width)),
            addend.eq((product & multiply.replicate(width))
                      | (self.i.immediate & immediate.replicate(width))),
            total.eq(base + addend),
            write.en.eq(changes),
            write.addr.eq(row),
            write.data.eq(total),
            self.peek_data.eq(read.data),
        ]
        shifted = drain & self.coarse
        m.d.sync += [
            self.sum.eq(Mux(shifted, total.as_signed() >> FIRST_SHIFT, total)),
            self.half.eq(shifted & total[FIRST_SHIFT - 1]),
            self.drained.eq(drain),
            self.row.eq(row),
            self.end.eq(end),
        ]
