"""What stands between the link's ring and its processor while an image comes in code."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdl.huffman_decoder import decoder, signature


class CodedBytes(wiring.Component):
    """Gives a processor decoded bytes in the place of those in its ring.

    A byte is fetched from the ring while the processor waits for one anyway, since the ring is in its memory:
    at most in every other cycle, or in every third one if it comes by a register. Behind the end of a code
    there are zeros, so that nobody waits for ever.

    Latency from a byte to the first decoded one 2 cycles and those of the decoder.

    Parameters
    ----------
    form : str
        Of the decoder, one of `hdl.huffman_decoder.FORMS`.
    registered : bool
        `raw` has passed a register, and so have the words of a small decoder's table.

    Members
    -------
    write, address, data : In
        The table, as of the decoder.
    set_size : In(1)
        `size` is how many bytes the next code has, of which there are at most 255. Ignored while `active`.
    size : In(8)
    begin, end : In(1)
        A code begins with the next byte of the ring; decoded bytes are not wanted any more.
    active : Out(1)
        In between.
    looks : In(1)
        `raw` follows the ring.
    raw : In(8)
        The next byte of the ring.
    pop : Out(1)
        Go on to the next one.
    available : Out(1)
        There is a decoded byte.
    o : Out(8)
        It.
    take : In(1)
        Go on to the next one.
    short : Out(1)
        The code was too short; low while not `active`.
    """

    def __init__(self, form, *, registered=False):
        self._decoder = decoder(form, output_register=registered)
        self._registered = registered
        table = signature().members
        super().__init__({
            **{name: table[name] for name in ("write", "address", "data")},
            "set_size":  In(1),
            "size":      In(8),
            "begin":     In(1),
            "end":       In(1),
            "active":    Out(1),
            "looks":     In(1),
            "raw":       In(8),
            "pop":       Out(1),
            "available": Out(1),
            "o":         Out(8),
            "take":      In(1),
            "short":     Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.decoder = unit = self._decoder
        left = Signal(8)
        ended = Signal()            # somebody waits for what is behind the end
        settled = Signal()          # `raw` is the byte behind the one that was popped last
        popped = Signal()
        m.d.sync += popped.eq(self.pop)
        if self._registered:
            looked, popped_before = Signal(), Signal()
            m.d.sync += [looked.eq(self.looks), popped_before.eq(popped)]
            m.d.comb += settled.eq(looked & ~popped & ~popped_before)
        else:
            m.d.comb += settled.eq(~popped)
        m.d.comb += [
            unit.write.eq(self.write),
            unit.address.eq(self.address),
            unit.data.eq(self.data),
            unit.start.eq(self.begin),
            unit.i.valid.eq(self.active & self.looks & settled & (left != 0)),
            unit.i.payload.eq(self.raw),
            unit.o.ready.eq(self.take),
            self.pop.eq(unit.i.valid & unit.i.ready),
            self.available.eq(unit.o.valid | ended),
            self.o.eq(unit.o.payload & ~ended.replicate(8)),
            self.short.eq(self.active & ended),
        ]
        with m.If(self.pop):
            m.d.sync += left.eq(left - 1)
        with m.If(self.active & self.looks & unit.hungry & (left == 0)):
            m.d.sync += ended.eq(1)
        with m.If(self.set_size & ~self.active):
            m.d.sync += left.eq(self.size)
        with m.If(self.begin):
            m.d.sync += [self.active.eq(1), ended.eq(0)]
        with m.If(self.end):
            m.d.sync += self.active.eq(0)
        return m
