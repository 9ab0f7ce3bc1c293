"""From finished rows of the dense engine to activations: bias, requantisation, saturation to int8."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from golden.dense import INT8_MAX, INT8_MIN, DenseGeometry
from golden.geometry import Geometry, bits_for
from hdl.dense_control import settings_layout
from hdl.requantise import Requantise


class DenseDrain(wiring.Component):
    """Add the bias, requantise, saturate, say where the activation goes.

    Rows come in order, and one more if a layer's are odd in number; that one goes nowhere. The settings of
    the next layer wait until the last activation of this one is out.

    Saturation to int16 in `hdl.requantise` and then to int8 is saturation to int8.

    Latency 8 cycles; throughput one row per cycle.

    Parameters
    ----------
    geometry : DenseGeometry

    Members
    -------
    write : In
        A bias: valid, address, data.
    settings : In(settings_layout)
        Of the layer that began last.
    fresh : In(1)
        They changed; at least one layer's rows come between two of these.
    i_valid, i : In
        A finished sum.
    o_valid, o_address, o : Out
        An activation, and its address in the two files.
    finished : Out(1)
        With the last activation of a layer, or where the one that goes nowhere would be.
    """

    def __init__(self, geometry: DenseGeometry):
        self._geometry = geometry
        super().__init__({
            "write":     In(data.StructLayout({"valid": 1, "address": 16, "data": 32})),
            "settings":  In(settings_layout(geometry)),
            "fresh":     In(1),
            "i_valid":   In(1),
            "i":         In(geometry.accumulator_bits),
            "o_valid":   Out(1),
            "o_address": Out(bits_for(2 * geometry.activations - 1)),
            "o":         Out(signed(8)),
            "finished":  Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        width = geometry.accumulator_bits
        m.submodules.biases = biases = memory.Memory(
            shape=width, depth=geometry.biases, init=[], attrs={"no_rw_check": 1})   # written while idle
        write, read = biases.write_port(), biases.read_port()
        m.d.comb += [
            write.en.eq(self.write.valid),
            write.addr.eq(self.write.address),
            write.data.eq(self.write.data),
        ]

        # Settings of the layer whose rows come; its first rows come long after it began.
        settings = Signal(settings_layout(geometry), reset_less=True)
        pending, occupied = Signal(), Signal()
        row, place = Signal(bits_for(geometry.activations)), Signal.like(read.addr)
        left = Signal(len(row))         # pairs of rows still to come, less one
        odd = Signal()
        with m.If(self.i_valid):
            m.d.sync += [row.eq(row + 1), place.eq(place + 1), odd.eq(~odd), left.eq(left - odd)]
        with m.If(self.finished):
            m.d.sync += occupied.eq(0)
        with m.If(self.fresh):
            m.d.sync += pending.eq(1)
        with m.If(pending & ~occupied):
            m.d.sync += [
                pending.eq(0),
                occupied.eq(1),
                settings.eq(self.settings),
                row.eq(0),
                odd.eq(0),
                place.eq(self.settings.bias),
                left.eq((self.settings.rows - 1) >> 1),
            ]
        m.d.comb += read.addr.eq(place)
        end = Signal()
        m.d.comb += end.eq(self.i_valid & odd & (left == 0))

        # Beside the bias out of its memory, a register, and the sum.
        stage = data.StructLayout({"valid": 1, "end": 1, "row": len(row), "value": width})
        stages = [Signal(stage, name=f"stage{i}") for i in range(3)]
        bias = Signal(width, reset_less=True)
        m.d.sync += [
            stages[0].valid.eq(self.i_valid & ~(end & settings.rows[0])),
            stages[0].end.eq(end),
            stages[0].row.eq(row),
            stages[0].value.eq(self.i),
            stages[1].eq(stages[0]),
            bias.eq(read.data),
            stages[2].eq(stages[1]),
            stages[2].value.eq(stages[1].value + bias),
        ]

        m.submodules.requantise = requantise = Requantise(
            Geometry(accumulators=geometry.activations, accumulator_bits=width))
        m.d.comb += [
            requantise.shift.eq(settings.shift),
            requantise.relu.eq(settings.relu),
            requantise.i_valid.eq(stages[2].valid),
            requantise.i_row.eq(stages[2].row),
            requantise.i_sum.eq(stages[2].value),
            requantise.i_half.eq(0),
            requantise.i_end.eq(stages[2].end),
        ]
        value = requantise.o
        fits = value[7:].all() | ~value[7:].any()
        m.d.sync += [
            self.o_valid.eq(requantise.o_valid),
            self.finished.eq(requantise.o_end),
            self.o.eq(Mux(fits, value, Mux(value[-1], INT8_MIN, INT8_MAX))),
            self.o_address.eq(requantise.o_row + Mux(settings.target, geometry.activations, 0)),
        ]
        return m
