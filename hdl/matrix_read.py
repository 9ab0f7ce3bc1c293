"""Sparse-matrix read of one PE (EIE, section IV, "Sparse Matrix Read Unit"), and the order of a step."""

from enum import IntEnum

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import Geometry
from golden.steps import Token
from hdl.block_memory import BlockMemory
from hdl.layouts import bias_count_bits, payload_layout, queue_layout, word_layout
from hdl.single_port_memory import SinglePortMemory


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

    An item stays in the queue until its last word's address is sent. A Begin waits there until the End of
    the step before has left weight decode (`settled`), so its fields hold for all entries downstream. A
    Finish becomes a Bias word for each word from its start to `bias_end`, then an End.

    Latency 2 cycles from item to word, 1 without `geometry.output_registers`; throughput one word per
    cycle, with no gap between items.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    i : In(stream of queue_layout)
    o : Out(stream of word_layout)
    settled : In(1)
        High for a cycle when an End has left weight decode.
    begin : Out(struct)
        Fields of the step's Begin.
    bias_address, bias_end, bias_words : In
        As in `hdl.layouts.drain_layout`, the first one only with `geometry.output_registers`.
    write_enable, write_address, write_data : In
        Load path of the sparse-matrix memory, one word per cycle. A word may change at any time, unless it
        is read in the same cycle; with a memory of one port the reads wait.
    peek : In
        While the PE is idle: address of a word to show; otherwise zero.
    peek_data : Out
        That word, 1 or 2 cycles later.
    """

    def __init__(self, geometry: Geometry):
        self._geometry = geometry
        super().__init__({
            "i":             In(stream.Signature(queue_layout(geometry))),
            "o":             Out(stream.Signature(word_layout(geometry))),
            "settled":       In(1),
            "begin":         Out(payload_layout(Token.BEGIN, geometry)),
            **({"bias_address": In(range(geometry.matrix_words))} if geometry.output_registers else {}),
            "bias_end":      In(bias_count_bits(geometry)),
            "bias_words":    In(range(geometry.bias_words + 1)),
            "write_enable":  In(1),
            "write_address": In(range(geometry.matrix_words)),
            "write_data":    In(geometry.word_bits),
            "peek":          In(range(geometry.matrix_words)),
            "peek_data":     Out(geometry.word_bits),
        })

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        last_entry = geometry.word_entries - 1
        position_bits = last_entry.bit_length()

        if geometry.output_registers:
            matrix, free = BlockMemory(
                words=geometry.matrix_words, bits=geometry.word_bits, output_register=True), 1
        else:
            matrix = SinglePortMemory(geometry.word_bits, geometry.matrix_words)
            free = matrix.free
        m.submodules.matrix = matrix
        m.d.comb += [
            getattr(matrix, name).eq(getattr(self, name))
            for name in ("write_enable", "write_address", "write_data")]

        # Which word: the item's first, or the one after the last address sent. That is zero between
        # items, so that the address to peek at can join in without a choice.
        item = self.i.payload
        is_begin = item.kind == Token.BEGIN
        is_finish = item.kind == Token.FINISH
        going = Signal()
        following = Signal(bias_count_bits(geometry))
        address = Signal.like(following)
        first = Signal()
        m.d.comb += [
            first.eq(self.i.valid & ~going),
            address.eq(Mux(first, item.start[position_bits:], following) | self.peek),
        ]

        # Whether it is the last of its column, or of its row.
        stop_word, stop_place = item.stop[position_bits:], item.stop[:position_bits]
        empty = item.empty if geometry.empty_columns else 0
        sent = Signal()
        if geometry.output_registers:
            # It is known a cycle ahead: the queue's next item and all that it meets wait for it.
            column_ends = drained = Signal()
            left = Signal.like(stop_word, reset_less=True)  # words behind the following one
            behind = Mux(first, stop_word, left)
            following_ends = Signal(reset_less=True)
            nothing = Signal(reset_less=True)
            last_bias = Signal.like(self.bias_end, reset_less=True)
            m.d.sync += [nothing.eq(self.bias_address == self.bias_end), last_bias.eq(self.bias_end - 1)]
            with m.If(sent):
                m.d.sync += [
                    left.eq(behind - 1),
                    following_ends.eq(Mux(is_finish, address == last_bias, behind == 1)),
                ]
            m.d.comb += drained.eq(Mux(going, following_ends, Mux(is_finish, nothing, item.single | empty)))
        else:
            column_ends = (address[:len(stop_word)] == stop_word) | empty
            drained = address == self.bias_end
        row_word = Signal(range(geometry.bias_words))
        row_ends = (row_word + 1 == self.bias_words) | (self.bias_words == 0)
        ends = Mux(is_finish, drained, column_ends)

        fetched_free = Signal()
        in_flight = Signal()
        m.d.comb += [
            sent.eq(self.i.valid & ~is_begin & fetched_free & free),
            self.i.ready.eq(Mux(is_begin, ~in_flight, fetched_free & free & ends)),
        ]
        with m.If(sent):
            m.d.sync += [going.eq(~ends), following.eq(address + 1)]
            with m.If(ends):
                m.d.sync += following.eq(0)
            with m.If(is_finish & ~drained):
                m.d.sync += row_word.eq(Mux(row_ends, 0, row_word + 1))
        with m.If(self.i.valid & is_begin):
            # It may be noted only as it leaves: entries of the step before still need their own.
            with m.If(~in_flight):
                m.d.sync += self.begin.eq(item.activations)
        with m.If(sent & is_finish & drained):
            m.d.sync += in_flight.eq(1)
        with m.Elif(self.settled):
            m.d.sync += in_flight.eq(0)

        # The word's place in the column, beside the memory: both wait while weight decode does.
        tag = data.StructLayout({
            name: shape for name, shape in word_layout(geometry).members.items() if name != "entries"})
        fetched = Signal(tag, reset_less=True)
        fetched_valid = Signal()
        m.d.comb += [matrix.read_enable.eq(fetched_free), matrix.read_address.eq(address)]
        with m.If(fetched_free):
            m.d.sync += [
                fetched_valid.eq(sent),
                fetched.kind.eq(Mux(is_finish, Mux(drained, Word.END, Word.BIAS),
                                    Mux(empty, Word.EMPTY, Word.COLUMN))),
                fetched.first.eq(first),
                fetched.last.eq(Mux(is_finish, row_ends, column_ends)),
                fetched.low.eq(Mux(first, item.start[:position_bits], 0)),
                fetched.high.eq(Mux(column_ends, stop_place, last_entry)),
                fetched.activations.eq(item.activations),
            ]

        # With two activations: in which word the entries of the second begin, and where.
        if geometry.scan_width > 1:
            passed = Signal()
            turn_word, boundary = item.turn[position_bits:], item.turn[:position_bits]
            turns = item.second & ~passed & (address[:len(turn_word)] == turn_word)
            with m.If(sent):
                m.d.sync += passed.eq((passed | turns) & ~ends)
            with m.If(fetched_free):
                m.d.sync += [
                    fetched.turns.eq(turns),
                    fetched.boundary.eq(Mux(passed, 0, Mux(turns, boundary, last_entry + 1))),
                ]

        if geometry.output_registers:
            held = Signal(tag, reset_less=True)
            held_free = ~self.o.valid | self.o.ready
            m.d.comb += [fetched_free.eq(~fetched_valid | held_free), matrix.hold.eq(~held_free)]
            with m.If(held_free):
                m.d.sync += [self.o.valid.eq(fetched_valid), held.eq(fetched)]
        else:
            held = fetched
            m.d.comb += [self.o.valid.eq(fetched_valid), fetched_free.eq(~fetched_valid | self.o.ready)]
        m.d.comb += [self.o.payload[name].eq(held[name]) for name in tag.members]
        m.d.comb += [self.o.payload.entries.eq(matrix.read_data), self.peek_data.eq(matrix.read_data)]
        return m
