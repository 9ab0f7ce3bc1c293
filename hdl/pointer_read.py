"""Pointer read of one PE (EIE, section IV, "Pointer Read Unit")."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import LENGTHS_BITS, Geometry
from golden.pointers import LONG_LENGTH, SHORT_LENGTH
from golden.steps import Token
from hdl.layouts import (
    LENGTH_BITS,
    activation_fields,
    column_layout,
    queue_layout,
    token_fields,
    token_layout,
)


class PointerRead(wiring.Component):
    """Turn broadcast tokens into queue items: look up where each column begins and how long it is.

    A pointer word serves eight or four neighbouring columns: the start is its base plus the lengths
    before the column (`golden.pointers`). With `scan_width` 2 a token may bring two neighbours, which
    become one item. Columns without entries are dropped (`geometry.empty_columns` keeps them). Scan and
    Pointers tokens end here; Layer, Drain and Finish pass in order.

    Latency 5 cycles; throughput one token per cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    i : In(stream of token_layout)
    o : Out(stream of queue_layout)
    write_enable, write_address, write_data : In
        Load path of the pointer memory, one word per cycle, at any time.
    peek, peek_address : In
    peek_data : Out
        While no token is inside: holds the word 3 cycles after `peek`.
    """

    def __init__(self, geometry: Geometry):
        self._geometry = geometry
        super().__init__({
            "i":             In(stream.Signature(token_layout(geometry))),
            "o":             Out(stream.Signature(queue_layout(geometry))),
            "write_enable":  In(1),
            "write_address": In(range(geometry.pointer_words)),
            "write_data":    In(geometry.pointer_bits),
            "peek":          In(1),
            "peek_address":  In(range(geometry.pointer_words)),
            "peek_data":     Out(geometry.pointer_bits),
        })

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        m.submodules.pointers = pointers = memory.Memory(
            shape=geometry.pointer_bits, depth=geometry.pointer_words, init=[])
        write = pointers.write_port()
        read = pointers.read_port()
        m.d.comb += [
            write.en.eq(self.write_enable),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
        ]

        # Stages: 1 address, 2 memory, 3 word, 4 offset, 5 start. All move together.
        stage = data.StructLayout({"valid": 1, "kind": 3, "payload": token_layout(geometry)["payload"].width})
        stages = [None] + [Signal(stage, name=f"stage{i}") for i in range(1, 6)]
        advance = Signal()
        empty = Signal()
        m.d.comb += [
            self.o.valid.eq(stages[5].valid & ~empty),
            advance.eq(self.o.ready | ~self.o.valid),
            self.i.ready.eq(advance),
        ]

        # Settings of the step, as the tokens pass.
        layer = data.View(token_fields(Token.LAYER), self.i.payload.payload[:32])
        settings = data.View(token_fields(Token.POINTERS), self.i.payload.payload[:32])
        pointer_base = Signal(16)
        short = Signal()
        kind = self.i.payload.kind
        with m.If(self.i.valid & self.i.ready):
            with m.If(kind == Token.POINTERS):
                m.d.sync += pointer_base.eq(settings.pointer_base)
            with m.If(kind == Token.LAYER):
                m.d.sync += short.eq(layer.short_lengths)

        # Stage 1: the pointer word's address.
        address = Signal(range(geometry.pointer_words))
        lane_bits = geometry.scan_width - 1
        place = data.View(activation_fields(geometry), self.i.payload.payload).place
        group = Mux(short, place >> (3 - lane_bits), place >> (2 - lane_bits))
        with m.If(advance):
            m.d.sync += [
                stages[1].valid.eq(self.i.valid & (kind != Token.SCAN) & (kind != Token.POINTERS)),
                stages[1].kind.eq(kind),
                stages[1].payload.eq(self.i.payload.payload),
                address.eq(pointer_base + group),
            ]
            m.d.sync += [stages[i + 1].eq(stages[i]) for i in range(1, 5)]
        with m.If(self.peek):
            m.d.sync += address.eq(self.peek_address)

        # Stages 2 and 3: the word.
        word = Signal(geometry.pointer_bits, reset_less=True)
        m.d.comb += [
            read.addr.eq(address),
            read.en.eq(advance),
            self.peek_data.eq(word),
        ]
        with m.If(advance):
            m.d.sync += word.eq(read.data)

        # Stage 4: lengths before the column, and its own. A short step has no Layer token of another
        # step within the pipeline: the next Layer comes only after this step's Drain and Finish.
        lengths = word[:LENGTHS_BITS]
        base = word[LENGTHS_BITS:]
        active = data.View(activation_fields(geometry), stages[3].payload)
        names = ("activation", "second")[:geometry.scan_width]

        def before(width):
            count = LENGTHS_BITS // width
            position = Cat(Const(0, lane_bits), active.place)[:(count - 1).bit_length()]
            fields = [lengths.word_select(i, width) for i in range(count)]
            masked = [Mux(position > i, fields[i], Const(0, width)) for i in range(count - 1)]
            while len(masked) > 1:
                masked = [sum(masked[i:i + 2]) for i in range(0, len(masked), 2)]
            return masked[0], [lengths.word_select(position | lane, width) for lane in range(len(names))]

        short_offset, short_lengths = before(SHORT_LENGTH.bit_length())
        long_offset, long_lengths = before(LONG_LENGTH.bit_length())
        offset = Signal(LENGTH_BITS + 2, reset_less=True)
        length = Signal(data.ArrayLayout(LENGTH_BITS, len(names)), reset_less=True)
        zero = Signal(len(names), reset_less=True)
        base_held = Signal(geometry.entry_address_bits, reset_less=True)
        with m.If(advance):
            m.d.sync += [
                offset.eq(Mux(short, short_offset, long_offset)),
                *(length[i].eq(Mux(short, short_lengths[i], long_lengths[i])) for i in range(len(names))),
                *(zero[i].eq(active[name] == 0) for i, name in enumerate(names)),
                base_held.eq(base),
            ]

        # Stage 5: the start; a token other than an activation passes as it is.
        item = Signal(data.StructLayout({"column": column_layout(geometry)}), reset_less=True)
        active = data.View(activation_fields(geometry), stages[4].payload)
        with m.If(advance):
            m.d.sync += item.column.activations.eq(Cat(active[name] for name in names))
            if geometry.scan_width == 1:
                m.d.sync += [item.column.start.eq(base_held + offset), item.column.length.eq(length[0])]
            else:
                # Two neighbours follow each other in the memory; one whose activation is zero is left out.
                first = Mux(zero[0], 0, length[0])
                m.d.sync += [
                    item.column.start.eq(base_held + offset + Mux(zero[0], length[0], 0)),
                    item.column.first_length.eq(first),
                    item.column.length.eq(first + Mux(zero[1], 0, length[1])),
                ]
        is_column = stages[5].kind == Token.ACTIVATION
        m.d.comb += [
            empty.eq(is_column & (item.column.length == 0) & (not geometry.empty_columns)),
            self.o.payload.kind.eq(stages[5].kind),
            self.o.payload.item.eq(Mux(is_column, item.as_value(), stages[5].payload[:32])),
        ]
        return m
