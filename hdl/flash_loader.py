"""Loads a model from SPI flash after reset: in a host's place, by the requests that lie in the flash."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden import flash as layout
from golden.protocol import FLAG, Fault

FLASH = wiring.Signature({"select": Out(1), "clock": Out(1), "command": Out(1), "data": In(1)})
"""Pins of a flash, as its reader sees them: chip select (active high), SCK, serial input and output."""


class FlashLoader(wiring.Component):
    """Stands between a serial line and the link until the requests in flash (`golden.flash`) are served.

    It gives them to the link as if they had come over the line, each after the reply to the one before, and
    keeps the replies to itself; what the line brings in the meantime is lost. After that, and if there is
    no image, line and link have each other. If one is refused, the link is reset and the fault remembered
    until a load begins over the line.

    The flash is in SPI mode 0 with half of the clock's frequency, and its clock rests while the link works.

    Latency 153 cycles to the first byte; throughput one byte per 17 cycles.

    Parameters
    ----------
    header : bytes
        What an image for this device begins with (`golden.flash.header`).

    Members
    -------
    line_rx : In(stream)
        Bytes from the serial line.
    line_tx : Out(stream)
        Bytes to it.
    rx : Out(stream)
        Bytes to the link.
    tx : In(stream)
        Bytes from the link.
    busy : In(1)
        The engine is not ready for a load yet; looked at before the flash is.
    committed : In(2)
        Banks that are, as the link states them.
    loading : In(1)
        The link has a transaction open.
    restart : Out(1)
        Resets the link.
    active : Out(1)
        The flash is not done with.
    fault : Out(Fault)
        `FLASH_FOREIGN`, `FLASH_DAMAGED`, or none.
    flash : Out(FLASH)
    """

    def __init__(self, header):
        self._header = header
        super().__init__({
            "line_rx":   In(stream.Signature(8)),
            "line_tx":   Out(stream.Signature(8)),
            "rx":        Out(stream.Signature(8)),
            "tx":        In(stream.Signature(8)),
            "busy":      In(1),
            "committed": In(2),
            "loading":   In(1),
            "restart":   Out(1),
            "active":    Out(1),
            "fault":     Out(Fault),
            "flash":     Out(FLASH),
        })

    def elaborate(self, platform):
        m = Module()
        known = bytes([layout.READ]) + layout.OFFSET.to_bytes(3, "big") + self._header
        expected = Array(Const(byte >> 7 - bit & 1, 1) for byte in known for bit in range(8))
        assert len(known) == 8
        bits = Signal(3)
        count = Signal(8)           # bytes of command and header, of a request, or of a reply up to its code
        byte = Signal(8)
        blank, alike = Signal(init=1), Signal(init=1)
        prelude = Signal(init=1)
        refused = Signal()
        last = Signal()
        ended = Signal()

        # The flash changes its output after a falling edge of its clock, so it is taken at the next one.
        shift = Signal()
        m.d.comb += [
            self.active.eq(1),
            self.flash.select.eq(1),
            self.line_rx.ready.eq(1),
            self.tx.ready.eq(1),
            self.line_tx.payload.eq(self.tx.payload),
            self.flash.command.eq(expected[Cat(bits, count[:3])] & prelude),
            ended.eq(count == layout.LONGEST),
            last.eq(ended | (byte == 0)),
            self.rx.payload.eq(Mux(self.active, byte & ~ended.replicate(8), self.line_rx.payload)),
        ]
        with m.If(shift):
            m.d.sync += [byte.eq(Cat(self.flash.data, byte[:7])), bits.eq(bits + 1), self.flash.clock.eq(0)]

        def fail(fault):
            m.d.comb += self.restart.eq(1)
            m.d.sync += self.fault.eq(fault)
            m.next = "Line"

        with m.FSM():
            with m.State("Wait"):
                m.d.comb += self.flash.select.eq(0)
                with m.If(~self.busy):
                    m.next = "Read"
            with m.State("Read"):
                m.d.sync += self.flash.clock.eq(~self.flash.clock)
                m.d.comb += shift.eq(self.flash.clock)
                with m.If(shift & (bits == 7)):
                    m.next = "Give"
                with m.If(shift & count[2]):
                    m.d.sync += [
                        blank.eq(blank & self.flash.data),
                        alike.eq(alike & (self.flash.data == expected[Cat(bits, count[:3])])),
                    ]
            with m.State("Give"):
                with m.If(prelude):
                    m.d.sync += count.eq(count + 1)
                    m.next = "Read"
                    with m.If(count[:3].all()):
                        m.d.sync += [count.eq(0), prelude.eq(0)]
                        with m.If(blank):
                            m.next = "Line"
                        with m.Elif(~alike):
                            fail(Fault.FLASH_FOREIGN)
                with m.Elif((count == 0) & last):
                    fail(Fault.FLASH_DAMAGED)
                with m.Else():
                    m.d.comb += self.rx.valid.eq(1)
                    with m.If(self.rx.ready):
                        m.d.sync += count.eq(count + 1)
                        m.next = "Read"
                        with m.If(last):
                            m.d.sync += count.eq(0)
                            m.next = "Reply"
            with m.State("Reply"):
                with m.If(self.tx.valid):
                    with m.If(~count[2]):
                        m.d.sync += [count.eq(count + 1), refused.eq(self.tx.payload != 0)]
                    with m.If(self.tx.payload == FLAG):
                        m.d.sync += count.eq(0)
                        with m.If(refused):
                            fail(Fault.FLASH_DAMAGED)
                        with m.Elif(self.committed.any()):
                            m.next = "Line"
                        with m.Else():
                            m.next = "Read"
            with m.State("Line"):
                m.d.comb += [
                    self.active.eq(0),
                    self.flash.select.eq(0),
                    self.rx.valid.eq(self.line_rx.valid),
                    self.line_rx.ready.eq(self.rx.ready),
                    self.line_tx.valid.eq(self.tx.valid),
                    self.tx.ready.eq(self.line_tx.ready),
                ]
                with m.If(self.loading):
                    m.d.sync += self.fault.eq(Fault.NONE)
        return m
