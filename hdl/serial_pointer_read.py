"""Pointer read of one PE with a narrow memory, for chips whose block RAM is scarce."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import LENGTHS_BITS, Geometry
from golden.pointers import LONG_LENGTH
from golden.steps import POSITION_BITS, Token
from hdl.layouts import LENGTH_BITS, payload_layout, queue_layout, span_bits, token_layout
from hdl.pointer_read import NIBBLE
from hdl.split_memory import SplitMemory

NIBBLES = 4
"""Of a piece of lengths."""


class SerialPointerRead(wiring.Component):
    """Turn broadcast tokens into queue items, as `hdl.pointer_read` does, a third of a pointer word a cycle.

    A word is kept in three pieces: the lower lengths, the upper ones, and the base. The lengths before the
    column are added up as they come, and the base is added as the item leaves. The token stands at the input
    until its last piece is read.

    ::

        token --> piece 0, 1, 2 of its word --> memory --> lengths before the column --> (sum)
                                                   +--- base + sum --> start, stop

    Latency 1 cycle from the cycle in which a token is taken; throughput an activation every three cycles,
    or another token every cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    i : In(stream of token_layout)
    o : Out(stream of queue_layout)
    scan, finish : Out(1)
        A Begin that starts a scan, or a Finish, is taken in this cycle.
    bias_address : In
        What Finish takes along as its item's start.
    write_enable, write_address, write_data : In
        Load path of the pointer memory, one piece per cycle. A piece may change at any time, unless it is
        read in the same cycle.
    peek_data : Out
        While no token comes: the piece that the payload at `i` names, a cycle later.
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
            "write_address": In(range(geometry.pointer_words * geometry.pointer_pieces)),
            "write_data":    In(geometry.piece_bits),
            "peek_data":     Out(geometry.piece_bits),
        })

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        m.submodules.pointers = pointers = SplitMemory(
            geometry.piece_bits, geometry.pointer_words * geometry.pointer_pieces)

        # The address of a piece; a token is taken with its last one.
        front_valid, front = self.i.valid, self.i.payload
        fields = payload_layout(Token.ACTIVATION, geometry)
        active = data.View(fields, front.payload[:fields.size])
        is_column = front.kind == Token.ACTIVATION
        advance = Signal()
        piece = Signal(2)
        last = Signal()
        begins = front_valid & advance & (front.kind == Token.BEGIN)
        start_fields = payload_layout(Token.BEGIN, geometry)
        begin = data.View(start_fields, front.payload[:start_fields.size])
        m.d.comb += [
            last.eq(~is_column | piece[1]),
            self.i.ready.eq(advance & last),
            self.scan.eq(begins & begin.scans),
            self.finish.eq(front_valid & advance & (front.kind == Token.FINISH)),
            pointers.write_enable.eq(self.write_enable),
            pointers.write_address.eq(self.write_address),
            pointers.write_data.eq(self.write_data),
            pointers.read_enable.eq(advance),
            pointers.read_address.eq(active.address + piece),
            self.peek_data.eq(pointers.read_data),
        ]
        with m.If(front_valid & advance):
            m.d.sync += piece.eq(Mux(last, 0, piece + 1))
        # Its form holds for a step: the Begin of the next stands at least a Finish behind.
        short = Signal()
        with m.If(begins):
            m.d.sync += short.eq(begin.short_lengths)

        # What the memory shows: lengths while the token stands at the input, the base when it has gone.
        lengths_come = Signal(2)
        item_comes = Signal()
        column_comes = Signal()  # beside its kind: `ready` of the whole broadcast hangs on it
        kind = Signal.like(front.kind, reset_less=True)
        payload = Signal(len(self.o.payload.activations), reset_less=True)
        with m.If(advance):
            m.d.sync += [
                lengths_come.eq(Mux(front_valid & is_column, Cat(piece == 0, piece[0]), 0)),
                item_comes.eq(front_valid & last),
                column_comes.eq(is_column),
                kind.eq(front.kind),
                payload.eq(front.payload),
            ]
        # The lengths before the column, and its own, which stand in one of the two pieces.
        lengths, before = self._lengths(active, pointers.read_data, lengths_come[1], short)
        sums = Signal(range((LONG_LENGTH + 1) * (LENGTHS_BITS // LENGTH_BITS)))
        with m.If(lengths_come.any()):
            m.d.sync += sums.eq(sums + before)
        with m.Elif(advance):
            m.d.sync += sums.eq(0)
        more = Signal(LENGTH_BITS + geometry.scan_width)  # entries after the first; -1 if there are none
        first = Signal(LENGTH_BITS)
        with m.If(Mux(active.position[-1], lengths_come[1], lengths_come[0])):
            m.d.sync += [more.eq(sum(lengths) - 1), first.eq(lengths[0])]
            if geometry.scan_width > 1:
                m.d.sync += self.o.payload.second.eq(lengths[1] != 0)

        item = self.o.payload
        span = span_bits(geometry)
        position_bits = (geometry.word_entries - 1).bit_length()
        empty = more[-1]
        start = Signal(geometry.entry_address_bits)
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            self.o.valid.eq(item_comes & ~(column_comes & empty & (not geometry.empty_columns))),
            start.eq(Mux(column_comes, pointers.read_data, self.bias_address << position_bits) + sums),
            item.kind.eq(kind),
            item.activations.eq(payload),
            item.start.eq(start),
            item.stop.eq(start[:span] + more.as_signed()),
        ]
        if geometry.scan_width > 1:
            m.d.comb += item.turn.eq(start[:span] + first)
        if geometry.empty_columns:
            m.d.comb += item.empty.eq(empty)
        return m

    def _lengths(self, active, word, upper, short):
        """Lengths of the token's columns, and the sum of those before, as far as a piece has them."""
        width = self._geometry.scan_width
        activations = [active.activation, *([active.second] if width > 1 else [])]
        nonzero = [activation != 0 for activation in activations]
        position = Cat(Const(0, width - 1), active.position)
        first = position  # of the columns that count
        if width > 1:
            first = position | Mux(nonzero[0], 0, Mux(short, 1, 2))
        first = first[:POSITION_BITS]
        nibbles = [word.word_select(i, NIBBLE) for i in range(NIBBLES)]

        # A long length counts as two nibbles, so its position is even.
        counted = [Mux(Mux(upper, first[2] & (first[:2] > i), first[2] | (first[:2] > i)), nibble, 0)
                   for i, nibble in enumerate(nibbles)]
        pairs = [low + Mux(short, high, high << NIBBLE) for low, high in zip(
            counted[::2], counted[1::2], strict=True)]

        def length(lane):
            pair = position[1] | Mux(short, 0, lane)
            low, high = (Mux(pair, nibbles[2 + i], nibbles[i]) for i in range(2))
            ahead = position[0] if width == 1 else Const(lane, 1)
            value = Cat(Mux(short & ahead, high, low), Mux(short, 0, high))
            return value if width == 1 else Mux(nonzero[lane], value, 0)

        return [length(lane) for lane in range(width)], sum(pairs)
