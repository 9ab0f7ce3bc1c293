"""Byte stuffing of what a device sends: that of HDLC, as in PPP (RFC 1662, section 4.2)."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.protocol import ESCAPE, ESCAPED, FLAG


def stuffing_layout():
    """A byte; `raw` if it goes to the wire as it is."""
    return data.StructLayout({"data": 8, "raw": 1})


class Stuffing(wiring.Component):
    """Sends an escape byte, and then the byte itself changed, for each byte that means something on the wire.

    Latency 1 cycle; throughput one byte per 2 cycles, or per 3 if it is escaped.

    Members
    -------
    i : In(stream of `stuffing_layout`)
    o : Out(stream)
        Bytes for the wire.
    """

    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(stuffing_layout())),
            "o": Out(stream.Signature(8)),
        })

    def elaborate(self, platform):
        m = Module()
        byte = Signal(8)
        escape = Signal()
        given = self.i.payload

        m.d.comb += [
            self.i.ready.eq(~self.o.valid),
            self.o.payload.eq(Mux(escape, ESCAPE, byte)),
        ]
        with m.If(self.o.ready):
            m.d.sync += escape.eq(0)
            with m.If(escape):
                m.d.sync += byte.eq(byte ^ ESCAPED)
            with m.Else():
                m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                byte.eq(given.data),
                escape.eq(~given.raw & ((given.data == FLAG) | (given.data == ESCAPE))),
                self.o.valid.eq(1),
            ]
        return m
