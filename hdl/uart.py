"""Serial line adapter: bytes in 8N1 framing (one start bit, eight data bits, no parity, one stop bit)."""

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

FINE = 4
"""Cycles per bit below which the line is looked at twice a cycle."""


def _check_divisor(divisor):
    if not isinstance(divisor, int) or not 2 <= divisor <= 65536:
        raise ValueError(f"Divisor must be an integer from 2 to 65536, not {divisor!r}")


class UARTReceiver(wiring.Component):
    """Turns a serial line into a stream of bytes.

    Each bit is sampled once, in its middle. The search for the next start bit begins in the middle of
    the stop bit, so bytes may follow each other without a gap from a sender whose clock is up to 2 % off, or
    4 % from 8 cycles a bit on. So the nearest whole number of cycles a bit will do, at 3 Mbaud for every
    clock from 24 MHz on; a fractional divider would be needed below, but for multiples of the rate.
    With 2 or 3 cycles a bit the line is looked at on both edges of the clock, and the edge that saw a
    start bit first counts for the whole byte.
    A byte whose stop bit is missing, or that is complete while the byte before it was not yet taken, is
    lost and reported by `error`. Latency: the byte is valid 3 cycles after the middle of its stop bit;
    throughput one byte per 10 bit times.

    Parameters
    ----------
    divisor : int
        Clock cycles per bit, at least 2.

    Members
    -------
    rx : In(1)
        The line, asynchronous to the clock; high when idle.
    o : Out(stream)
        Bytes.
    error : Out(1)
        High for one cycle when a byte is lost.

    Raises
    ------
    ValueError
        If `divisor` is out of range.
    """

    def __init__(self, *, divisor):
        _check_divisor(divisor)
        self._divisor = divisor
        super().__init__({
            "rx":    In(1, init=1),
            "o":     Out(stream.Signature(8)),
            "error": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        fine = self._divisor < FINE
        late = Signal(init=1)
        m.submodules.synchroniser = FFSynchronizer(self.rx, late, init=1)
        early, on_late = Signal(init=1), Signal(init=1)
        if fine:
            m.domains.fall = ClockDomain(clk_edge="neg", reset_less=True, local=True)
            m.d.comb += ClockSignal("fall").eq(ClockSignal())
            fallen = Signal(init=1)
            m.d.fall += fallen.eq(self.rx)
            m.submodules.early = FFSynchronizer(fallen, early, init=1)
        line = Mux(on_late, late, early)

        timer = Signal(range(self._divisor))
        # A one above the bits still to come marks the place of the stop bit when it arrives at the bottom.
        bits = Signal(9)
        sample = Signal()
        m.d.comb += sample.eq(timer == 0)
        m.d.sync += [
            timer.eq(Mux(sample, self._divisor - 1, timer - 1)),
            self.error.eq(0),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)

        with m.FSM():
            with m.State("Idle"):
                m.d.sync += [
                    timer.eq(self._divisor // 2 - 1),
                    bits.eq(1 << 8),
                ]
                if fine:
                    m.d.sync += on_late.eq(early)
                with m.If(~(early & late)):
                    m.next = "Start"
            with m.State("Start"):
                with m.If(sample):
                    m.next = "Bits"
                with m.If(sample & line):
                    m.next = "Idle"
            with m.State("Bits"):
                with m.If(sample & ~bits[0]):
                    m.d.sync += bits.eq(Cat(bits[1:], line))
                with m.Elif(sample & line):
                    with m.If(self.o.valid & ~self.o.ready):
                        m.d.sync += self.error.eq(1)
                    with m.Else():
                        m.d.sync += [self.o.payload.eq(bits[1:]), self.o.valid.eq(1)]
                    m.next = "Idle"
                    if fine:        # the next start bit of a sender that is a little fast
                        with m.If(~on_late & ~late):
                            m.d.sync += [
                                on_late.eq(1),
                                timer.eq(self._divisor // 2 - 1),
                                bits.eq(1 << 8),
                            ]
                            m.next = "Start"
                with m.Elif(sample):
                    m.d.sync += self.error.eq(1)
                    m.next = "Break"
            with m.State("Break"):
                with m.If(line):
                    m.next = "Idle"
        return m


class UARTTransmitter(wiring.Component):
    """Turns a stream of bytes into a serial line, without a gap between waiting bytes.

    Latency: the start bit begins 1 cycle after the byte is taken; throughput one byte per 10 bit times.

    Parameters
    ----------
    divisor : int
        Clock cycles per bit, at least 2.

    Members
    -------
    i : In(stream)
        Bytes.
    tx : Out(1)
        The line, high when idle.

    Raises
    ------
    ValueError
        If `divisor` is out of range.
    """

    def __init__(self, *, divisor):
        _check_divisor(divisor)
        self._divisor = divisor
        super().__init__({
            "i":  In(stream.Signature(8)),
            "tx": Out(1, init=1),
        })

    def elaborate(self, platform):
        m = Module()
        timer = Signal(range(self._divisor))
        # The bits still to send, the stop bit last; nothing else marks the end.
        bits = Signal(9)

        m.d.comb += self.i.ready.eq((timer == 0) & (bits == 0))
        with m.If(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(bits != 0):
            m.d.sync += [
                timer.eq(self._divisor - 1),
                bits.eq(bits[1:]),
                self.tx.eq(bits[0]),
            ]
        with m.Elif(self.i.valid):
            m.d.sync += [
                timer.eq(self._divisor - 1),
                bits.eq(Cat(self.i.payload, 1)),
                self.tx.eq(0),
            ]
        return m
