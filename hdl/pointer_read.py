"""Pointer read of one PE (EIE, section IV, "Pointer Read Unit")."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import LENGTHS_BITS, Geometry
from golden.steps import POSITION_BITS, Token
from hdl.block_memory import BlockMemory
from hdl.layouts import LENGTH_BITS, payload_layout, queue_layout, span_bits, token_layout
from hdl.stream_buffer import StreamBuffer

NIBBLE = 4


class PointerRead(wiring.Component):
    """Turn broadcast tokens into queue items: look up where each column begins and ends.

    A pointer word serves eight or four neighbouring columns: the start is its base plus the lengths
    before the column (`golden.pointers`). With `scan_width` 2 a token may bring two neighbours, which
    become one item. Columns without entries are dropped (`geometry.empty_columns` keeps them).

    ::

        token --> buffer -------+--> held ---> sums --> start, stop
              +-> memory word --+

    The memory reads what enters the buffer, so word and token come out together. Both are held in one
    more register. `hdl.serial_pointer_read` stands in its place without `geometry.output_registers`.

    Latency 3 cycles; throughput one token per cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    i : In(stream of token_layout)
    o : Out(stream of queue_layout)
    scan, finish : Out(1)
        A Begin that starts a scan, or a Finish, leaves the buffer at the end of this cycle.
    bias_address : In
        What Finish takes along as its item's start.
    write_enable, write_address, write_data : In
        Load path of the pointer memory, one word per cycle. A word may change at any time, unless a token
        asks for it in the same cycle.
    peek_data : Out
        While no token comes: the word that the payload at `i` names, 2 cycles later.
    """

    def __init__(self, geometry: Geometry):
        self._geometry = geometry
        super().__init__({
            "i":             In(stream.Signature(token_layout(geometry))),
            "o":             Out(stream.Signature(queue_layout(geometry))),
            "scan":          Out(1),
            "finish":        Out(1),
            "bias_address":  In(range(geometry.matrix_words)),
            "write_enable":  In(1),
            "write_address": In(range(geometry.pointer_words)),
            "write_data":    In(geometry.pointer_bits),
            "peek_data":     Out(geometry.pointer_bits),
        })

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        m.submodules.buffer = buffer = StreamBuffer(token_layout(geometry))
        wiring.connect(m, wiring.flipped(self.i), buffer.i)
        fields = payload_layout(Token.ACTIVATION, geometry)
        coming = data.View(fields, buffer.coming.payload[:fields.size])
        advance = Signal()
        m.submodules.pointers = pointers = BlockMemory(
            words=geometry.pointer_words, bits=geometry.pointer_bits, output_register=True)
        word = pointers.read_data
        m.d.comb += [
            *(getattr(pointers, name).eq(getattr(self, name))
              for name in ("write_enable", "write_address", "write_data")),
            pointers.read_enable.eq(buffer.open),
            pointers.read_address.eq(coming.address),
            pointers.hold.eq(~advance),
        ]

        # All stages move together; a dropped column leaves a gap.
        valid = Signal()
        kind = Signal.like(buffer.o.payload.kind, reset_less=True)
        front_valid, front = buffer.o.valid, buffer.o.payload
        begins = front_valid & advance & (front.kind == Token.BEGIN)
        fields = payload_layout(Token.BEGIN, geometry)
        begin = data.View(fields, front.payload[:fields.size])
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            buffer.o.ready.eq(advance),
            self.scan.eq(begins & begin.scans),
            self.finish.eq(front_valid & advance & (front.kind == Token.FINISH)),
        ]
        # Its form holds for a step: the Begin of the next stands at least a Finish behind.
        short = Signal()
        with m.If(begins):
            m.d.sync += short.eq(begin.short_lengths)
        held_valid = Signal()
        held = Signal.like(front, reset_less=True)
        with m.If(advance):
            m.d.sync += [held_valid.eq(front_valid), held.eq(front)]
        front_valid, front = held_valid, held
        m.d.comb += self.peek_data.eq(word)

        # Which nibbles stand before the column. A long length counts as two, so its position is even.
        fields = payload_layout(Token.ACTIVATION, geometry)
        active = data.View(fields, front.payload[:fields.size])
        activations = [active.activation, *([active.second] if geometry.scan_width > 1 else [])]
        nonzero = [activation != 0 for activation in activations]
        position = Cat(Const(0, geometry.scan_width - 1), active.position)
        first = position  # of the columns that count
        if geometry.scan_width > 1:
            first = position | Mux(nonzero[0], 0, Mux(short, 1, 2))
        nibbles = [word.word_select(i, NIBBLE) for i in range(LENGTHS_BITS // NIBBLE)]
        first = first[:POSITION_BITS]
        before = [
            Mux(first.matches(*range(i + 1, len(nibbles))), nibble, 0)
            for i, nibble in enumerate(nibbles[:-1])]

        def length(lane):
            pair = position[1:] | Mux(short, 0, lane)
            low, high = (Cat(nibbles[i::2]).word_select(pair, NIBBLE) for i in range(2))
            ahead = position[0] if geometry.scan_width == 1 else Const(lane, 1)
            return Cat(Mux(short & ahead, high, low), Mux(short, 0, high))

        lengths = [length(lane) for lane in range(geometry.scan_width)]
        if geometry.scan_width > 1:
            lengths = [Mux(some, value, 0) for some, value in zip(nonzero, lengths, strict=True)]
        is_column = front.kind == Token.ACTIVATION
        rest = sum(lengths) - 1
        missing = Signal(reset_less=True)  # it was a column without entries
        counts = Signal(data.ArrayLayout(LENGTH_BITS, geometry.scan_width), reset_less=True)
        more = Signal(span_bits(geometry), reset_less=True)  # entries after the first
        even = Signal(NIBBLE + 2, reset_less=True)  # sums of the nibbles in even and in odd places
        odd = Signal(NIBBLE + 2, reset_less=True)
        base = Signal(geometry.entry_address_bits, reset_less=True)
        payload = Signal(len(self.o.payload.activations), reset_less=True)
        position_bits = (geometry.word_entries - 1).bit_length()
        with m.If(advance):
            m.d.sync += [
                valid.eq(front_valid),
                missing.eq(is_column & rest[-1] & (not geometry.empty_columns)),
                kind.eq(front.kind),
                payload.eq(front.payload),
                counts.as_value().eq(Cat(lengths)),
                more.eq(rest),
                base.eq(Mux(is_column, word[LENGTHS_BITS:], self.bias_address << position_bits)),
                even.eq(sum(before[0::2])),
                odd.eq(sum(before[1::2])),
            ]
            with m.If(~is_column):
                m.d.sync += [even.eq(0), odd.eq(0)]

        # What the item is made of.
        start = Signal(geometry.entry_address_bits)
        span = span_bits(geometry)
        item = self.o.payload
        place = Signal(position_bits + 1)
        m.d.comb += [
            start.eq(base + even + Mux(short, odd, odd << NIBBLE)),
            self.o.valid.eq(valid & ~missing),
            item.kind.eq(kind),
            item.activations.eq(payload),
            item.start.eq(start),
            place.eq(start[:position_bits] + more[:position_bits]),
            item.stop.eq(start[:position_bits] + more),
            item.single.eq(~place[position_bits] & (more[position_bits:] == 0)),
        ]
        if geometry.scan_width > 1:
            m.d.comb += [item.second.eq(counts[1] != 0), item.turn.eq(start[:span] + counts[0])]
        if geometry.empty_columns:
            m.d.comb += item.empty.eq(counts.as_value() == 0)
        return m
