"""CRC-32 of a stream of bytes, bit by bit."""

from amaranth.hdl import Cat, Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out


class SerialCRC(wiring.Component):
    """CRC-32 as in zlib, for links whose bytes come slowly: a third of the logic of one byte per cycle.

    Latency 9 cycles; throughput one byte per 9 cycles. `i.ready` is high when the CRC is that of all bytes
    taken so far.

    Members
    -------
    i : In(stream)
        Bytes.
    restart : In(1)
        Forget all bytes; to be given while `i.ready` is high.
    crc : Out(32)
        CRC of the bytes since the start.
    match : Out(1)
        The last four bytes were the CRC of those before them, little-endian.
    """

    def __init__(self):
        super().__init__({
            "i":       In(stream.Signature(8)),
            "restart": In(1),
            "crc":     Out(32),
            "match":   Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        crc = CRC32_ISO_HDLC(data_width=1).create()
        m.submodules.crc = ResetInserter(self.restart)(crc)     # smaller than its own `start`
        # Bits still to be taken in, with a one above them.
        bits = Signal(9, init=1)

        m.d.comb += [
            self.i.ready.eq(bits == 1),
            crc.valid.eq(~self.i.ready),
            crc.data.eq(bits[0]),
            self.crc.eq(crc.crc),
            self.match.eq(crc.match_detected),
        ]
        with m.If(~self.i.ready):
            m.d.sync += bits.eq(bits[1:])
        with m.Elif(self.i.valid):
            m.d.sync += bits.eq(Cat(self.i.payload, 1))
        return m
