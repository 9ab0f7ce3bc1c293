"""Arithmetic unit of one PE: multiply and accumulate (EIE, section IV, "Arithmetic Unit")."""

from enum import IntEnum

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import Geometry, bits_for
from hdl.layouts import operation_layout


class Operation(IntEnum):
    """Kinds of operation."""

    MULTIPLY = 0
    """Add weight * activation to the row's accumulator."""
    DRAIN = 1
    """Hand out accumulator + immediate, and clear the accumulator."""
    SET = 2
    """Write the immediate into the accumulator."""
    READ = 3
    """Hand out nothing, leave the accumulator, show it in `peek_data`."""
    END = 4
    """Touch nothing; comes out as `end`."""


class Arithmetic(wiring.Component):
    """Accumulate products modulo 2**A, one operation per cycle, hits on one accumulator included.

    ::

        cycle   0            1                2                    3
                multiply --> product -------> product + old -----> sum -> write
                read row --> memory -> old ----^   ^                |
                                       ^   ^       +--- 1 before ---+
                                       |   +--- 2 before ----------+
                                       +------- 3 before -----------(+1)

    An operation finds the sum of a predecessor on the same row that the memory does not hold yet:
    one, two or three cycles before it.

    Latency 3 cycles to `sum`; throughput one operation per cycle; it never waits.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    i_valid, i : In
        The operation.
    drained : Out(1)
    row, sum : Out
        While `drained` is high: a finished row, bias included.
    end : Out(1)
        High for a cycle when an END comes out, in order with the drained rows.
    peek_data : Out
        The accumulator, 2 cycles after a READ; the operation just before is not in it.
    """

    def __init__(self, geometry: Geometry):
        self._geometry = geometry
        super().__init__({
            "i_valid":   In(1),
            "i":         In(operation_layout(geometry)),
            "drained":   Out(1),
            "row":       Out(range(geometry.accumulators)),
            "sum":       Out(geometry.accumulator_bits),
            "end":       Out(1),
            "peek_data": Out(geometry.accumulator_bits),
        })

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        width = geometry.accumulator_bits
        m.submodules.accumulators = accumulators = memory.Memory(
            shape=width, depth=geometry.accumulators, init=[])
        write = accumulators.write_port()
        read = accumulators.read_port()

        stage = data.StructLayout({"valid": 1, "kind": 3, "row": bits_for(geometry.accumulators - 1)})
        one, two, three, four = (Signal(stage, name=f"stage{i}") for i in range(1, 5))
        total = self.sum
        written = Signal(width, reset_less=True)

        def changes(stage):
            return stage.valid & (stage.kind != Operation.READ) & (stage.kind != Operation.END)

        # Stage 1: product or immediate, and the accumulator out of its memory.
        product = Signal(signed(width), reset_less=True)
        immediate = Signal(width, reset_less=True)
        m.d.comb += read.addr.eq(self.i.row)
        m.d.sync += [
            one.valid.eq(self.i_valid),
            one.kind.eq(self.i.kind),
            one.row.eq(self.i.row),
            product.eq(self.i.weight.as_signed() * self.i.activation.as_signed()),
            immediate.eq(self.i.immediate),
        ]

        # Stage 2: the addend, and the accumulator as two or three operations before have left it.
        addend = Signal(width, reset_less=True)
        old = Signal(width, reset_less=True)
        two_before = changes(three) & (three.row == one.row)
        three_before = changes(four) & (four.row == one.row)
        next_written = Signal(width)
        m.d.sync += [
            two.eq(one),
            addend.eq(Mux(one.kind == Operation.MULTIPLY, product, immediate)),
            old.eq(Mux(two_before, next_written, Mux(three_before, written, read.data))),
        ]
        m.d.comb += self.peek_data.eq(old)

        # Stage 3: the sum; the operation just before may be on the same row.
        one_before = Signal()
        m.d.sync += one_before.eq(changes(two) & (two.row == one.row))
        base = Signal(width)
        m.d.comb += base.eq(Mux(one_before, next_written, old))
        with m.If(two.kind == Operation.SET):
            m.d.comb += base.eq(0)
        m.d.sync += [three.eq(two), total.eq(base + addend)]

        # Write: a drained accumulator is left at zero.
        m.d.comb += [
            next_written.eq(Mux(three.kind == Operation.DRAIN, 0, total)),
            write.en.eq(changes(three)),
            write.addr.eq(three.row),
            write.data.eq(next_written),
            self.drained.eq(three.valid & (three.kind == Operation.DRAIN)),
            self.row.eq(three.row),
            self.end.eq(three.valid & (three.kind == Operation.END)),
        ]
        m.d.sync += [four.eq(three), written.eq(next_written)]
        return m
