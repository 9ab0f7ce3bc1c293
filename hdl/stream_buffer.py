"""The register between two units, or between two levels of a tree."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class StreamBuffer(wiring.Component):
    """Two-entry stream register: every output, `i.ready` included, comes straight from a flip-flop.

    With one entry it takes a payload only as the one before leaves, so `i.ready` depends on `o.ready`.

    Latency 1 cycle; throughput one payload per cycle.

    Parameters
    ----------
    shape : ShapeLike
        Payload of both streams.
    entries : int
        1 or 2.

    Members
    -------
    i : In(stream)
    o : Out(stream)
    open : Out(1)
        `o` changes at the end of this cycle; while nothing comes its payload still follows that of `i`.
    coming : Out(shape)
        What its payload then becomes.

    Raises
    ------
    ValueError
        If `entries` is neither 1 nor 2.
    """

    def __init__(self, shape, *, entries=2):
        if entries not in (1, 2):
            raise ValueError(f"Entries must be 1 or 2, not {entries!r}")
        self._entries = entries
        super().__init__({
            "i":      In(stream.Signature(shape)),
            "o":      Out(stream.Signature(shape)),
            "open":   Out(1),
            "coming": Out(shape),
        })

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.open.eq(self.o.ready | ~self.o.valid)
        with m.If(self.open):
            m.d.sync += self.o.payload.eq(self.coming)
        if self._entries == 1:
            m.d.comb += [self.i.ready.eq(self.open), self.coming.eq(self.i.payload)]
            with m.If(self.open):
                m.d.sync += self.o.valid.eq(self.i.valid)
            return m

        spare = Signal.like(self.i.payload, reset_less=True)
        spare_valid = Signal()
        m.d.comb += [
            self.i.ready.eq(~spare_valid),
            self.coming.eq(Mux(spare_valid, spare, self.i.payload)),
        ]
        with m.If(self.open):
            m.d.sync += self.o.valid.eq(self.i.valid | spare_valid)
        # The spare takes what stands there, in case it is needed: `open` comes late.
        with m.If(self.i.valid & ~spare_valid):
            m.d.sync += spare.eq(self.i.payload)
        m.d.sync += spare_valid.eq(~self.open & (self.i.valid | spare_valid))
        return m
