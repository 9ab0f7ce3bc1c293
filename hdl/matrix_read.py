"""Sparse-matrix read of one PE (EIE, section IV, "Sparse Matrix Read Unit"), and the order of a step."""

from enum import IntEnum

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import Geometry
from golden.steps import Token
from hdl.layouts import activation_bits, column_layout, queue_layout, token_fields, word_layout


class Word(IntEnum):
    """Kinds of word that leave the sparse-matrix read."""

    COLUMN = 0
    """Entries `low` to `high` belong to an active column; `first` and `last` mark its ends."""
    EMPTY = 1
    """A column without entries (`empty_columns` only): one idle cycle."""
    BIAS = 2
    """A row's bias, or part of it; `last` on the row's last word."""
    END = 3
    """The step is over once this has left the PE's pipeline."""


class MatrixRead(wiring.Component):
    """Read the words that hold a column's entries and, after the last column, those of the biases.

    A Layer or Drain token waits here until the End of the step before has left the pipeline
    (`settled`), so the settings below hold for everything downstream. A Finish token becomes
    `drain_rows` times max(1, `bias_words`) Bias words, then an End.

    Latency 3 cycles from item to word; throughput one word per cycle, with no gap between items.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    i : In(stream of queue_layout)
    o : Out(stream of word_layout)
    settled : In(1)
        High for a cycle when an End has left the PE's pipeline.
    layer, drain, finish : Out
        Fields of the step's tokens.
    write_enable, write_address, write_data : In
        Load path of the sparse-matrix memory, one word per cycle, at any time.
    peek, peek_address : In
    peek_data : Out
        While the PE is idle: holds the word 2 cycles after `peek`.
    """

    def __init__(self, geometry: Geometry):
        self._geometry = geometry
        super().__init__({
            "i":             In(stream.Signature(queue_layout(geometry))),
            "o":             Out(stream.Signature(word_layout(geometry))),
            "settled":       In(1),
            "layer":         Out(token_fields(Token.LAYER)),
            "drain":         Out(token_fields(Token.DRAIN)),
            "finish":        Out(token_fields(Token.FINISH)),
            "write_enable":  In(1),
            "write_address": In(range(geometry.matrix_words)),
            "write_data":    In(geometry.word_bits),
            "peek":          In(1),
            "peek_address":  In(range(geometry.matrix_words)),
            "peek_data":     Out(geometry.word_bits),
        })

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        last_entry = geometry.word_entries - 1
        position_bits = last_entry.bit_length()

        m.submodules.matrix = matrix = memory.Memory(
            shape=geometry.word_bits, depth=geometry.matrix_words, init=[])
        write = matrix.write_port()
        read = matrix.read_port()
        m.d.comb += [
            write.en.eq(self.write_enable),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
        ]

        # Issue: what is being read. It holds one item, and sends one word address a cycle.
        valid = Signal()
        kind = Signal(Word)
        first = Signal()
        low = Signal(range(max(last_entry + 1, 2)))
        high = Signal.like(low)
        activations = Signal(activation_bits(geometry), reset_less=True)
        address = Signal(range(geometry.matrix_words))
        remaining = Signal(range(512))
        rows_left = Signal.like(self.drain.drain_rows)

        last = remaining == 0
        fetched_free = Signal()
        sent = Signal()
        done = Signal()
        m.d.comb += [
            sent.eq(valid & fetched_free),
            done.eq(~valid | (fetched_free & last & (kind != Word.BIAS))),
        ]
        with m.If(sent):
            m.d.sync += [address.eq(address + 1), remaining.eq(remaining - 1), first.eq(0)]
            with m.If(last):
                with m.If(kind == Word.BIAS):
                    m.d.sync += [rows_left.eq(rows_left - 1), remaining.eq(self._words_after(self.finish))]
                    with m.If(rows_left == 1):
                        m.d.sync += [kind.eq(Word.END), remaining.eq(0)]
                with m.Else():
                    m.d.sync += valid.eq(0)

        # Take: the next item enters as the last address of the one before leaves.
        item_kind = self.i.payload.kind
        column = data.View(column_layout(geometry), self.i.payload.item[:column_layout(geometry).size])
        payload = self.i.payload.item[:32]
        position = column.start[:position_bits]
        final_entry = Signal(range(512 + last_entry))
        in_flight = Signal()
        settings = (item_kind == Token.LAYER) | (item_kind == Token.DRAIN)
        m.d.comb += [
            final_entry.eq(position + column.length - 1),
            self.i.ready.eq(done & ~(settings & in_flight)),
        ]
        with m.If(self.settled):
            m.d.sync += in_flight.eq(0)
        with m.If(self.i.valid & self.i.ready):
            with m.Switch(item_kind):
                with m.Case(Token.ACTIVATION):
                    m.d.sync += [
                        valid.eq(1),
                        kind.eq(Word.COLUMN),
                        first.eq(1),
                        low.eq(position),
                        high.eq(final_entry[:position_bits]),
                        activations.eq(column.activations),
                        address.eq(column.start[position_bits:]),
                        remaining.eq(final_entry[position_bits:]),
                    ]
                    if geometry.empty_columns:
                        with m.If(column.length == 0):
                            m.d.sync += [kind.eq(Word.EMPTY), remaining.eq(0)]
                with m.Case(Token.LAYER):
                    m.d.sync += self.layer.eq(payload)
                with m.Case(Token.DRAIN):
                    m.d.sync += self.drain.eq(payload)
                with m.Case(Token.FINISH):
                    finish = data.View(token_fields(Token.FINISH), payload)
                    m.d.sync += [
                        self.finish.eq(payload),
                        in_flight.eq(1),
                        valid.eq(1),
                        kind.eq(Mux(self.drain.drain_rows == 0, Word.END, Word.BIAS)),
                        rows_left.eq(self.drain.drain_rows),
                        address.eq(finish.bias_address),
                        remaining.eq(Mux(self.drain.drain_rows == 0, 0, self._words_after(finish))),
                    ]

        # With two activations: in which word the entries of the second begin, and where.
        if geometry.scan_width > 1:
            first_end = Signal(range(256 + last_entry + 1))
            words_before = Signal(range(256))
            boundary = Signal(range(max(last_entry + 1, 2)))
            second = Signal(init=0)
            passed = Signal()
            turns = second & ~passed & (words_before == 0)
            m.d.comb += first_end.eq(position + column.first_length)
            with m.If(sent):
                m.d.sync += [words_before.eq(words_before - 1), passed.eq(passed | turns)]
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += [
                    second.eq(column.length != column.first_length),
                    words_before.eq(first_end[position_bits:]),
                    boundary.eq(first_end[:position_bits]),
                    passed.eq(0),
                ]

        # Memory, then a register of our own behind it: both wait while weight decode does.
        tag = data.StructLayout({
            name: shape for name, shape in word_layout(geometry).members.items() if name != "entries"})
        fetched_valid = Signal()
        fetched = Signal(tag, reset_less=True)
        held_free = Signal()
        entries = Signal(geometry.word_bits, reset_less=True)
        m.d.comb += [
            held_free.eq(~self.o.valid | self.o.ready),
            fetched_free.eq(~fetched_valid | held_free),
            read.en.eq(fetched_free),
            read.addr.eq(Mux(self.peek, self.peek_address, address)),
            self.o.payload.entries.eq(entries),
            self.peek_data.eq(entries),
        ]
        with m.If(fetched_free):
            m.d.sync += [
                fetched_valid.eq(valid),
                fetched.kind.eq(kind),
                fetched.first.eq(first),
                fetched.last.eq(last),
                fetched.low.eq(Mux(first, low, 0)),
                fetched.high.eq(Mux(last, high, last_entry)),
                fetched.activations.eq(activations),
            ]
            if geometry.scan_width > 1:
                m.d.sync += [
                    fetched.turns.eq(turns),
                    fetched.boundary.eq(Mux(passed, 0, Mux(turns, boundary, last_entry + 1))),
                ]
        held = Signal(tag, reset_less=True)
        with m.If(held_free):
            m.d.sync += [self.o.valid.eq(fetched_valid), held.eq(fetched), entries.eq(read.data)]
        m.d.comb += [self.o.payload[name].eq(held[name]) for name in tag.members]
        return m

    def _words_after(self, finish):
        """Words of a row's bias after its first."""
        return Mux(finish.bias_words == 0, 0, finish.bias_words - 1)
