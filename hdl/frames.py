"""Frames of the wire protocol (`golden.protocol`): checked and stored on arrival, completed on departure."""

from amaranth.hdl import Module, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.protocol import DAMAGED, HEADER, OVERHEAD, REPLY
from hdl.cobs import COBSDecoder, COBSEncoder, body_layout
from hdl.serial_crc import SerialCRC

CRC_BYTES = OVERHEAD - HEADER.size


def check_payload_limit(payload_limit):
    """Refuse a limit that the identity does not fit in, or that makes buffers of absurd size."""
    if not isinstance(payload_limit, int) or not 128 <= payload_limit <= 4096:
        raise ValueError(f"Payload limit must be an integer from 128 to 4096, not {payload_limit!r}")


class FrameReceiver(wiring.Component):
    """Lets only intact frames through.

    A frame is written to a ring buffer as it comes and becomes visible to the reader when its coding,
    length and CRC have been found right; otherwise it is taken back, and one byte `DAMAGED` stands in
    its place. (The type of a request is below 0x80, any other makes a frame a damaged one.) A frame of
    no bytes is ignored. `window` frames of the largest size fit in the ring beside each other.

    Latency: header and payload follow the frame's closing zero by 3 cycles; throughput one byte per 9
    cycles in (and 2 cycles after each frame), one per cycle out. It never waits for its reader: bytes
    that find the ring full are lost, and with them their frame.

    Parameters
    ----------
    payload_limit : int
        Bytes of the longest payload.
    window : int
        Frames that fit in the ring, 1 to 15.

    Members
    -------
    i : In(stream)
        Bytes from the wire.
    lost : In(1)
        A byte was lost on its way here: the frame that it belonged to is damaged.
    o : Out(stream)
        Header and payload of intact frames, without their CRC, and marks of damaged ones.
    intact : Out(1)
        High for one cycle for each intact frame.
    damaged : Out(1)
        High for one cycle for each damaged frame.
    overrun : Out(1)
        High for one cycle for each byte that found the ring full.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    def __init__(self, *, payload_limit, window):
        check_payload_limit(payload_limit)
        if not isinstance(window, int) or not 1 <= window <= 15:
            raise ValueError(f"Window must be an integer from 1 to 15, not {window!r}")
        self._payload_limit = payload_limit
        # One word stays free, to tell a full ring from an empty one.
        self._depth = 1 << (window * (payload_limit + HEADER.size) + CRC_BYTES).bit_length()
        super().__init__({
            "i":       In(stream.Signature(8)),
            "lost":    In(1),
            "o":       Out(stream.Signature(8)),
            "intact":  Out(1),
            "damaged": Out(1),
            "overrun": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.decoder = decoder = COBSDecoder()
        m.submodules.crc = crc = SerialCRC()
        # A word that is read while it is written is not used: no collision logic, then.
        m.submodules.ring = ring = memory.Memory(
            shape=8, depth=self._depth, init=[], attrs={"no_rw_check": 1})
        write = ring.write_port()
        read = ring.read_port()
        wiring.connect(m, wiring.flipped(self.i), decoder.i)

        start = Signal(range(self._depth))      # of the frame that is arriving; all before it is intact
        end = Signal.like(start)                # of the next byte that arrives
        after = Signal.like(start)
        full = Signal()
        bad = Signal()
        # Payload bytes so far, negative in the header. A wrap would take more bytes than the ring has.
        size = Signal(range(self._depth), init=self._depth - HEADER.size)
        length = Signal(16)
        complete = Signal()
        tail = Signal(range(CRC_BYTES + 1))
        head = Signal.like(start)
        next_head = Signal.like(start)

        m.d.comb += [
            after.eq(end + 1),
            full.eq(after == head),
            complete.eq((size == length) & (length <= self._payload_limit)),
            write.addr.eq(end),
            write.data.eq(decoder.o.payload.data),
            crc.i.payload.eq(decoder.o.payload.data),
        ]

        def receive_byte():
            m.d.comb += crc.i.valid.eq(1)
            with m.If(complete):
                m.d.sync += tail.eq(tail + 1)
                with m.If(tail == CRC_BYTES):
                    m.d.sync += bad.eq(1)
            with m.Else():
                m.d.comb += [write.en.eq(~full), self.overrun.eq(full)]
                with m.If(full):
                    m.d.sync += bad.eq(1)
                with m.Else():
                    m.d.sync += [end.eq(after), size.eq(size + 1)]
            with m.Switch(size):
                with m.Case(size.init):
                    with m.If(decoder.o.payload.data >= REPLY):
                        m.d.sync += bad.eq(1)
                with m.Case(size.init + 2):
                    m.d.sync += length[:8].eq(decoder.o.payload.data)
                with m.Case(size.init + 3):
                    m.d.sync += length[8:].eq(decoder.o.payload.data)

        with m.FSM():
            with m.State("Receive"):
                m.d.comb += decoder.o.ready.eq(crc.i.ready)
                with m.If(decoder.o.valid & crc.i.ready & ~decoder.o.payload.last):
                    receive_byte()
                with m.Elif(decoder.o.valid & crc.i.ready):
                    with m.If(crc.match & complete & (tail == CRC_BYTES)
                              & ~decoder.o.payload.error & ~bad):
                        m.d.comb += self.intact.eq(1)
                        m.next = "Restart"
                    with m.Elif(bad | decoder.o.payload.error | (size != size.init)):
                        m.d.comb += self.damaged.eq(1)
                        m.d.sync += end.eq(start)
                        m.next = "Mark"
            with m.State("Mark"):
                m.d.comb += [write.data.eq(DAMAGED), write.en.eq(~full)]
                with m.If(~full):
                    m.d.sync += end.eq(after)
                m.next = "Restart"
            with m.State("Restart"):
                m.d.comb += crc.restart.eq(1)
                m.d.sync += [start.eq(end), size.eq(size.init), tail.eq(0), bad.eq(0)]
                m.next = "Receive"
        with m.If(self.lost):
            m.d.sync += bad.eq(1)

        # The read port always looks at the head of the next cycle, so its register is the output register.
        m.d.comb += [
            next_head.eq(head + (self.o.valid & self.o.ready)),
            read.addr.eq(next_head),
            self.o.payload.eq(read.data),
        ]
        m.d.sync += [head.eq(next_head), self.o.valid.eq(next_head != start)]
        return m


class FrameTransmitter(wiring.Component):
    """Sends header and payload with their CRC, stuffed, and the zero that ends a frame.

    Latency: the whole frame is stored before it is sent; throughput one byte per 9 cycles in, one per
    cycle out.

    Parameters
    ----------
    payload_limit : int
        Bytes of the longest payload.

    Members
    -------
    i : In(stream of `hdl.cobs.body_layout`)
        Header and payload; the header gives the payload's length.
    o : Out(stream)
        Bytes for the wire.

    Raises
    ------
    ValueError
        If `payload_limit` is out of range.
    """

    def __init__(self, *, payload_limit):
        check_payload_limit(payload_limit)
        self._payload_limit = payload_limit
        super().__init__({
            "i": In(stream.Signature(body_layout())),
            "o": Out(stream.Signature(8)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = SerialCRC()
        m.submodules.encoder = encoder = COBSEncoder(largest=self._payload_limit + OVERHEAD)
        wiring.connect(m, encoder.o, wiring.flipped(self.o))
        place = Signal(range(CRC_BYTES))

        m.d.comb += crc.i.payload.eq(self.i.payload.data)
        with m.FSM():
            with m.State("Body"):
                m.d.comb += [
                    encoder.i.valid.eq(self.i.valid & crc.i.ready),
                    encoder.i.payload.data.eq(self.i.payload.data),
                    crc.i.valid.eq(self.i.valid & encoder.i.ready),
                    self.i.ready.eq(encoder.i.ready & crc.i.ready),
                ]
                with m.If(self.i.valid & self.i.ready & self.i.payload.last):
                    m.next = "CRC"
            with m.State("CRC"):
                m.d.comb += [
                    encoder.i.valid.eq(crc.i.ready),
                    encoder.i.payload.data.eq(crc.crc.word_select(place, 8)),
                    encoder.i.payload.last.eq(place == CRC_BYTES - 1),
                ]
                with m.If(encoder.i.valid & encoder.i.ready):
                    m.d.sync += place.eq(place + 1)
                    with m.If(encoder.i.payload.last):
                        m.d.comb += crc.restart.eq(1)
                        m.next = "Body"
        return m
