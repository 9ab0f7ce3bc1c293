"""Consistent Overhead Byte Stuffing, COBS (Cheshire and Baker, 1999): zeros stand only between frames."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out


def decoded_layout():
    """A decoded byte, or with `last` the end of a frame, whose coding was wrong if `error`."""
    return data.StructLayout({"data": 8, "last": 1, "error": 1})


def body_layout():
    """A byte of a frame's body; `last` with the last one."""
    return data.StructLayout({"data": 8, "last": 1})


class COBSDecoder(wiring.Component):
    """Undoes byte stuffing as the bytes come.

    Latency 0 cycles; throughput one byte per cycle. Nothing is held back, so a frame is known to be
    badly coded (it ended within a block) only when it ends.

    Members
    -------
    i : In(stream)
        Bytes from the wire.
    o : Out(stream of `decoded_layout`)
        Bytes of the frame, then its end. Zeros in a row end as many empty frames.
    """

    def __init__(self):
        super().__init__({
            "i": In(stream.Signature(8)),
            "o": Out(stream.Signature(decoded_layout())),
        })

    def elaborate(self, platform):
        m = Module()
        left = Signal(8)        # bytes to come before the next code byte
        zero = Signal()         # the block before the next code byte stands for a zero, too
        code = Signal()
        m.d.comb += [
            code.eq(left == 0),
            self.o.payload.last.eq(self.i.payload == 0),
            self.o.payload.error.eq(~code),
            self.o.payload.data.eq(Mux(code, 0, self.i.payload)),
            self.o.valid.eq(self.i.valid & (self.o.payload.last | zero | ~code)),
            self.i.ready.eq(self.o.ready | ~self.o.valid),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += left.eq(Mux(code, self.i.payload, left) - 1)
            with m.If(code):
                m.d.sync += zero.eq(self.i.payload != 0xFF)
            with m.If(self.o.payload.last):
                m.d.sync += [left.eq(0), zero.eq(0)]
        return m


class COBSEncoder(wiring.Component):
    """Stuffs a frame in a buffer and sends it, with the zero that ends it.

    A code byte stands before the bytes it counts, so the frame is first stored whole. A zero of the body
    leaves its place to the next code byte, which is written once its block is complete: one write for
    each byte. Latency: the frame's length; throughput one byte per cycle, storing and then sending (one
    cycle more for every 254 bytes without a zero, and two between storing and sending).

    Parameters
    ----------
    largest : int
        Bytes of the longest body.

    Members
    -------
    i : In(stream of `body_layout`)
        Bytes of the body.
    o : Out(stream)
        Bytes for the wire.

    Raises
    ------
    ValueError
        If `largest` is not positive.
    """

    def __init__(self, *, largest):
        if not isinstance(largest, int) or largest < 1:
            raise ValueError(f"Largest must be a positive integer, not {largest!r}")
        self._depth = 1 << (largest + largest // 254 + 2).bit_length()
        super().__init__({
            "i": In(stream.Signature(body_layout())),
            "o": Out(stream.Signature(8)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = memory.Memory(
            shape=8, depth=self._depth, init=[], attrs={"no_rw_check": 1})      # never read where written
        write = buffer.write_port()
        read = buffer.read_port()

        place = Signal(range(self._depth))         # of the code byte of the open block
        end = Signal.like(place, init=1)           # of the next byte
        run = Signal(8, init=1)                    # what the code byte will be: end - place
        full = Signal()
        head = Signal.like(place)

        m.d.comb += [
            full.eq(run == 0xFF),
            write.addr.eq(place),
            write.data.eq(run),
            read.addr.eq(head),
            self.o.payload.eq(read.data),
        ]

        def next_block():
            m.d.comb += write.en.eq(1)
            m.d.sync += [place.eq(end), end.eq(end + 1), run.eq(1)]

        with m.FSM():
            with m.State("Store"):
                m.d.comb += self.i.ready.eq(~full)
                with m.If(self.i.valid & (full | (self.i.payload.data == 0))):
                    next_block()
                with m.Elif(self.i.valid):
                    m.d.comb += [write.addr.eq(end), write.data.eq(self.i.payload.data), write.en.eq(1)]
                    m.d.sync += [end.eq(end + 1), run.eq(run + 1)]
                with m.If(self.i.valid & self.i.ready & self.i.payload.last):
                    m.next = "Close"
            with m.State("Close"):
                next_block()
                m.next = "Delimit"
            with m.State("Delimit"):
                next_block()
                m.d.comb += write.data.eq(0)
                m.d.sync += head.eq(head + 1)
                m.next = "Send"
            with m.State("Send"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    read.en.eq(self.o.ready),
                ]
                with m.If(self.o.ready & (head == place)):
                    m.next = "Store"
                with m.Elif(self.o.ready):
                    m.d.sync += head.eq(head + 1)
        return m
