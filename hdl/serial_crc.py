"""CRC-32 of a string of bytes, two bits at a time, by one register that several strings can take turns in."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

POLYNOMIAL = 0xEDB88320


class SerialCRC(wiring.Component):
    """CRC-32 as in zlib, for links whose bytes come slowly.

    `feed` takes a byte into the CRC. `exchange` puts a byte in the place of the CRC's lowest one, which
    appears at `o`: four exchanges read the CRC, set it to another, and (by `wrong`) compare the two. So a
    CRC can be set aside and taken up again; that of no bytes is 0.

    Latency 4 cycles; throughput one byte per 5 cycles.

    Members
    -------
    i : In(8)
    feed, exchange, restart : In(1)
        What to do with the byte; at most one of them, the first two only in the cycle after `ready`.
        `restart` forgets all bytes, and that anything was `wrong`.
    ready : Out(1)
        The last byte will have been dealt with in the next cycle.
    o : Out(8)
        What was there before the last `exchange`.
    wrong : Out(1)
        An `exchange` since the last `restart` found another byte than the one it brought.
    """

    def __init__(self):
        super().__init__({
            "i":        In(8),
            "feed":     In(1),
            "exchange": In(1),
            "restart":  In(1),
            "ready":    Out(1),
            "o":        Out(8),
            "wrong":    Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        crc = Signal(32, init=0xFFFFFFFF)       # the complement of the CRC, as zlib computes it
        feeding = Signal()
        count = Signal(3)                       # the top bit says that bits are left
        busy = count[2]
        given = Signal(2)                       # what comes in at the top

        def shifted(value, bit):
            """The register after one bit; what leaves it takes part if it is fed."""
            turn = (value[0] ^ bit) & feeding
            return Cat(value[1:], Mux(feeding, turn, ~bit)) ^ (turn.replicate(31) & Const(
                POLYNOMIAL & 0x7FFFFFFF, 31))

        m.d.comb += [
            self.ready.eq(~busy | count.all()),
            given.eq(self.o),
        ]
        with m.If(busy):
            m.d.sync += [
                count.eq(count + 1),
                crc.eq(shifted(shifted(crc, given[0]), given[1])),
                self.o.eq(Cat(self.o[2:], ~crc[:2])),
            ]
            with m.If(~feeding & ((crc[:2] ^ given) != 0b11)):
                m.d.sync += self.wrong.eq(1)
        with m.If(self.feed | self.exchange):
            m.d.sync += [self.o.eq(self.i), feeding.eq(self.feed), count.eq(4)]
        with m.If(self.restart):
            m.d.sync += [crc.eq(crc.init), self.wrong.eq(0)]
        return m
