"""Weight decode of one PE: codebook and address accumulation (EIE, section IV, "Arithmetic Unit")."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import ACTIVATION_BITS, WEIGHT_BITS, Geometry, bits_for
from golden.steps import Token
from hdl.arithmetic import Operation
from hdl.layouts import operation_layout, token_fields, word_layout
from hdl.matrix_read import Word


class WeightDecode(wiring.Component):
    """Unpack entries, follow the rows, look weights up, and pass biases on.

    The two words in front form a window from which one weight is taken a cycle; if an escape stands
    before it, both leave together, across a word boundary too. So an escape costs no cycle, unless
    two follow each other (or `geometry.padding_zeros` is set: then each costs one).

    Latency 4 cycles from word to operation; throughput one weight per cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    i : In(stream of word_layout)
    layer, finish : In
        Settings of the step; constant while a word of the step is inside.
    o_valid, o : Out
        Operation for the arithmetic unit, which never waits.
    direct_valid, direct : In
        An operation from the load path, passed on while no word is inside.
    write_enable, write_address, write_data : In
        Load path of the codebook, one word per cycle, at any time.
    peek, peek_address : In
    peek_data : Out
        While the PE is idle: holds the codebook word 2 cycles after `peek`.
    """

    def __init__(self, geometry: Geometry):
        self._geometry = geometry
        super().__init__({
            "i":             In(stream.Signature(word_layout(geometry))),
            "layer":         In(token_fields(Token.LAYER)),
            "finish":        In(token_fields(Token.FINISH)),
            "o_valid":       Out(1),
            "o":             Out(operation_layout(geometry)),
            "direct_valid":  In(1),
            "direct":        In(operation_layout(geometry)),
            "write_enable":  In(1),
            "write_address": In(range(geometry.codebook_entries)),
            "write_data":    In(WEIGHT_BITS),
            "peek":          In(1),
            "peek_address":  In(range(geometry.codebook_entries)),
            "peek_data":     Out(WEIGHT_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        entry_bits = geometry.entry_bits
        row_bits = bits_for(geometry.accumulators - 1)
        m.submodules.codebook = codebook = memory.Memory(
            shape=WEIGHT_BITS, depth=geometry.codebook_entries, init=[])
        write = codebook.write_port()
        read = codebook.read_port()
        m.d.comb += [
            write.en.eq(self.write_enable),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
        ]

        # The split of an entry, as a mask. The run is bit-reversed from the top (`golden.encoding`).
        index_mask = Signal(entry_bits)
        run_bits = Signal(range(entry_bits + 1))
        m.d.sync += [
            index_mask.eq((1 << self.layer.index_bits) - 1),
            run_bits.eq(entry_bits - self.layer.index_bits),
        ]

        def is_escape(entry):
            return (entry & index_mask) == 0

        def run(entry):
            return (entry & ~index_mask)[:entry_bits][::-1]

        # Window: `front` is taken apart, `back` follows it.
        front = Signal(word_layout(geometry), reset_less=True)
        back = Signal(word_layout(geometry), reset_less=True)
        front_valid = Signal()
        back_valid = Signal()
        position = Signal(range(geometry.word_entries + 1))
        fresh = Signal()  # no entry of the column has been taken yet

        at_end = position == front.high
        entry = Signal(entry_bits)
        follower = Signal(entry_bits)
        padded = front.entries.as_value()
        m.d.comb += [
            entry.eq(padded.word_select(position, entry_bits)),
            follower.eq(Mux(at_end, back.entries[0], padded.word_select(position + 1, entry_bits))),
        ]

        # What is taken this cycle.
        pair = Signal()
        taken = Signal(range(3))  # entries
        finished = Signal(range(3))  # words
        weight = Signal()
        stages_empty = Signal()
        escape = is_escape(entry)
        with m.If(front_valid):
            with m.Switch(front.kind):
                with m.Case(Word.COLUMN):
                    m.d.comb += [taken.eq(1), weight.eq(~escape)]
                    if not geometry.padding_zeros:
                        with m.If(escape & ~(at_end & front.last)):
                            m.d.comb += [
                                pair.eq(~is_escape(follower) & (~at_end | back_valid)),
                                weight.eq(pair),
                            ]
                            with m.If(pair):
                                m.d.comb += taken.eq(2)
                            with m.Elif(at_end & ~back_valid):
                                m.d.comb += taken.eq(0)
                    with m.If(at_end & (taken != 0)):
                        m.d.comb += finished.eq(Mux(pair & (back.high == 0), 2, 1))
                    with m.Elif(pair & (position + 1 == front.high)):
                        m.d.comb += finished.eq(1)
                with m.Case(Word.EMPTY):
                    m.d.comb += finished.eq(1)
                with m.Default():
                    m.d.comb += finished.eq(stages_empty)

        front_open = ~front_valid | (finished == 1)
        m.d.comb += self.i.ready.eq(front_open | (finished == 2) | ~back_valid)
        with m.If(taken != 0):
            m.d.sync += [position.eq(position + taken), fresh.eq(0)]
        with m.If(front_open & back_valid):
            m.d.sync += [
                front.eq(back),
                front_valid.eq(1),
                position.eq(Mux(pair & at_end, 1, back.low)),
                fresh.eq(back.first),
            ]
        with m.Elif(front_open | (finished == 2)):
            m.d.sync += [
                front.eq(self.i.payload),
                front_valid.eq(self.i.valid),
                position.eq(self.i.payload.low),
                fresh.eq(self.i.payload.first),
            ]
        with m.If(finished == 2):
            m.d.sync += back_valid.eq(0)
        with m.Elif(~front_open & ~back_valid | front_open & back_valid):
            m.d.sync += [back.eq(self.i.payload), back_valid.eq(self.i.valid)]

        # Which activation the weight meets; a second column begins where the first one ends.
        activation = Signal(ACTIVATION_BITS)
        turned = Signal()
        m.d.comb += activation.eq(front.activations)
        if geometry.scan_width > 1:
            m.d.comb += turned.eq(front.turns & (position == front.boundary))
            with m.If(position >= front.boundary):
                m.d.comb += activation.eq(front.activations[ACTIVATION_BITS:])

        # Stage 1: how far the row moves, and where the weight stands in the codebook.
        one = Signal(data.StructLayout({
            "valid": 1, "weight": 1, "fresh": 1, "advance": row_bits, "index": entry_bits,
            "activation": ACTIVATION_BITS}))
        m.d.sync += [
            one.valid.eq(taken != 0),
            one.weight.eq(weight),
            one.fresh.eq(fresh | turned),
            one.advance.eq(Mux(escape, run(entry) << run_bits, run(entry)) | Mux(pair, run(follower), 0)),
            one.index.eq(Mux(pair, follower, entry) & index_mask),
            one.activation.eq(activation),
        ]

        # Stage 2: the row; the codebook is read beside it.
        two = Signal(data.StructLayout({"valid": 1, "row": row_bits, "activation": ACTIVATION_BITS}))
        next_row = Signal(row_bits, reset_less=True)
        row = Signal(row_bits)
        m.d.comb += [
            row.eq(Mux(one.fresh, 0, next_row) + one.advance),
            read.addr.eq(Mux(self.peek, self.peek_address, self.layer.codebook_base | one.index)),
            stages_empty.eq(~one.valid & ~two.valid),
        ]
        with m.If(one.valid):
            m.d.sync += next_row.eq(row + one.weight)
        m.d.sync += [
            two.valid.eq(one.valid & one.weight),
            two.row.eq(row),
            two.activation.eq(one.activation),
        ]

        # Stage 3: the operation.
        m.d.sync += [
            self.o_valid.eq(two.valid),
            self.o.kind.eq(Operation.MULTIPLY),
            self.o.row.eq(two.row),
            self.o.weight.eq(read.data),
            self.o.activation.eq(two.activation),
        ]
        m.d.comb += self.peek_data.eq(self.o.weight)

        bias_row = Signal(row_bits)
        bias_word = Signal(range(geometry.bias_words))
        leaves = front_valid & (finished != 0)
        with m.If(leaves & (front.kind == Word.BIAS)):
            m.d.sync += [
                self.o_valid.eq(front.last),
                self.o.kind.eq(Operation.DRAIN),
                self.o.row.eq(bias_row),
                bias_row.eq(bias_row + front.last),
                bias_word.eq(Mux(front.last, 0, bias_word + 1)),
            ]
            with m.Switch(bias_word):
                for i in range(geometry.bias_words):
                    with m.Case(i):
                        low = i * geometry.word_bits
                        m.d.sync += self.o.immediate[low:].eq(front.entries.as_value().as_signed())
            with m.If(self.finish.bias_words == 0):
                m.d.sync += self.o.immediate.eq(0)
        with m.Elif(leaves & (front.kind == Word.END)):
            m.d.sync += [self.o_valid.eq(1), self.o.kind.eq(Operation.END), bias_row.eq(0)]
        with m.Elif(self.direct_valid):
            m.d.sync += [self.o_valid.eq(1), self.o.eq(self.direct)]
        return m
