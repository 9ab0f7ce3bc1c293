"""Where arriving bytes are kept until their frame has been carried out, and how they are read from there."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2


class ReceiveRing(wiring.Component):
    """Addresses of a ring buffer at the upper end of a memory, and the byte stuffing of what is read from it.

    Bytes are stored as they come from the wire. The reader goes over a frame twice: once to check it, then,
    after `rewind`, to carry it out; the bytes that it has not released are safe from being overwritten.

    Stuffing is COBS (Cheshire and Baker, 1999) of frames shorter than 255 bytes: a code byte reads as zero,
    and so does the zero that ends a frame. The code byte that begins a frame stands for nothing.

    Latency 0 cycles, 1 cycle from `put` to `available`; throughput one byte per 2 cycles in, and
    one per cycle out.

    Parameters
    ----------
    first, depth : int
        The ring has the addresses from `first` to `depth - 1`; `depth` is a power of two. One word stays
        free.

    Members
    -------
    put : In(1)
        A byte is written to `put_address`, unless the ring is `full`; at most in every other cycle.
    put_address : Out(range(depth))
    full : Out(1)
    get_address : Out(range(depth))
        Of the byte that is read next.
    available : Out(1)
        That byte has arrived, or the frame has ended.
    pop : In(1)
        Take it; `raw` must be that byte.
    raw : In(8)
    code : Out(1)
        The byte is a code byte, and so reads as zero.
    last : Out(1)
        The byte taken last was the end of a frame. No other one is taken until `restart` or `rewind`.
    broken : Out(1)
        The byte being taken ends a frame within a block.
    rewind : In(1)
        Read again from the byte after those that were released, which begins a frame.
    free : In(1)
        Bytes that were read are not needed any more.
    restart : In(1)
        Go on after the end of a frame.
    """

    def __init__(self, *, first, depth):
        self._first = first
        address = exact_log2(depth)
        super().__init__({
            "put":         In(1),
            "put_address": Out(address, init=first),
            "full":        Out(1),
            "get_address": Out(address, init=first),
            "available":   Out(1),
            "pop":         In(1),
            "raw":         In(8),
            "code":        Out(1),
            "last":        Out(1),
            "broken":      Out(1),
            "rewind":      In(1),
            "free":        In(1),
            "restart":     In(1),
        })

    def elaborate(self, platform):
        m = Module()
        kept = Signal.like(self.get_address)        # the oldest byte that is not released
        put_next = Signal.like(self.put_address)
        get_next = Signal.like(self.get_address)
        take = Signal()
        left = Signal(8)                            # bytes to come before the next code byte

        def following(address):
            """The next address; from the last one to the first."""
            wide = address + 1
            first = Cat(wide[-1] if self._first >> i & 1 else 0 for i in range(len(address)))
            return wide[:-1] | first

        m.d.comb += [
            put_next.eq(following(self.put_address)),
            get_next.eq(following(self.get_address)),
            self.available.eq(self.last | (self.get_address != self.put_address)),
            take.eq(self.pop & ~self.last),
            self.code.eq(left == 0),
            self.broken.eq(take & (self.raw == 0) & ~self.code),
        ]
        m.d.sync += self.full.eq(put_next == kept)
        with m.If(self.put & ~self.full):
            m.d.sync += self.put_address.eq(put_next)
        with m.If(take):
            m.d.sync += [
                self.get_address.eq(get_next),
                self.last.eq(self.raw == 0),
                left.eq(Mux(self.code, self.raw, left) - 1),
            ]
        with m.If(self.free):
            m.d.sync += kept.eq(self.get_address)
        with m.If(self.rewind):
            m.d.sync += self.get_address.eq(kept)
        with m.If(self.rewind | (take & (self.raw == 0))):
            m.d.sync += left.eq(0)
        with m.If(self.rewind | self.restart):
            m.d.sync += self.last.eq(0)
        return m
