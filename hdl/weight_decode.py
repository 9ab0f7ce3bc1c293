"""Weight decode of one PE: codebook and address accumulation (EIE, section IV, "Arithmetic Unit")."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import ACTIVATION_BITS, WEIGHT_BITS, Geometry, bits_for
from golden.steps import Part
from hdl.arithmetic import Operation
from hdl.layouts import operation_layout, part_fields, word_layout
from hdl.matrix_read import Word


class WeightDecode(wiring.Component):
    """Unpack entries, follow the rows, look weights up, and pass biases on.

    The two words in front form a window from which one weight is taken a cycle; if an escape stands
    before it, both leave together, across a word boundary too. So an escape costs no cycle, unless
    two follow each other (or `geometry.padding_zeros` is set: then each costs one).

    Latency 4 cycles from word to operation; throughput one weight per cycle.

    Without `geometry.output_registers` the word behind the window's first stays at the input. If both leave
    together, no word is in front in the next cycle. Latency 2 cycles; a drained row every other cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    i : In(stream of word_layout)
    layer, finish : In
        Settings of the step; constant from the cycle before its first word comes until its last has left.
    o_valid, o : Out
        Operation for the arithmetic unit, which never waits; its weight and activation come a cycle before
        the rest. Without output registers they come with it, and the immediate follows a cycle later.
    direct_valid, direct : In
        An operation from the load path, passed on while no word is inside.
    write_enable, write_address, write_data : In
        Load path of the codebook, one word per cycle, at any time.
    peek, peek_address : In
    peek_data : Out
        While the PE is idle: holds the codebook word a cycle after `peek`.
    """

    def __init__(self, geometry: Geometry):
        self._geometry = geometry
        super().__init__({
            "i":             In(stream.Signature(word_layout(geometry))),
            "layer":         In(part_fields(Part.LAYER)),
            "finish":        In(part_fields(Part.FINISH)),
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
        registers = geometry.output_registers
        m.submodules.codebook = codebook = memory.Memory(
            shape=WEIGHT_BITS, depth=geometry.codebook_entries, init=[], attrs={"no_rw_check": 1})
        write = codebook.write_port()
        read = codebook.read_port()
        m.d.comb += [
            write.en.eq(self.write_enable),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
        ]

        # The split of an entry: a mask, and the run's bits one-hot.
        index_mask = Signal(entry_bits, reset_less=True)
        run_is = Signal(entry_bits, reset_less=True)
        m.d.sync += [
            index_mask.eq((1 << self.layer.index_bits) - 1),
            run_is.eq(Cat(self.layer.index_bits == entry_bits - bits for bits in range(entry_bits))),
        ]

        def is_escape(entry):
            return (entry & index_mask) == 0

        # Window: `front` is taken apart, `back` follows it. Escapes are found as a word comes in.
        front = Signal(word_layout(geometry), reset_less=True)
        front_valid = Signal()
        coming_escapes = Cat(is_escape(entry) for entry in self.i.payload.entries)
        front_escapes = Signal(geometry.word_entries, reset_less=True)
        if registers:
            back = Signal(word_layout(geometry), reset_less=True)
            back_valid = Signal()
            back_escapes = Signal.like(front_escapes, reset_less=True)
        else:
            back, back_valid, back_escapes = self.i.payload, self.i.valid, coming_escapes
        position = Signal(range(geometry.word_entries), reset_less=True)

        at_end = position == front.high
        entry = Signal(entry_bits)
        follower = Signal(entry_bits)
        window = Cat(front.entries, back.entries[0])
        m.d.comb += [
            entry.eq(window.word_select(position, entry_bits)),
            follower.eq(window[entry_bits:].word_select(position, entry_bits)),
        ]

        # What is taken this cycle.
        pair = Signal()
        taken = Signal(range(3))  # entries
        finished = Signal(range(3))  # words
        weight = Signal()
        stages_empty = Signal()
        drained = Signal()  # a cycle before, and the next row may not be drained at once
        escape = front_escapes.bit_select(position, 1)
        follower_escape = Cat(front_escapes[1:], back_escapes[0]).bit_select(position, 1)
        column = front_valid & (front.kind == Word.COLUMN)
        bias = front_valid & (front.kind == Word.BIAS) & stages_empty & ~(drained & front.last)
        end = front_valid & (front.kind == Word.END) & stages_empty
        with m.If(front_valid):
            with m.Switch(front.kind):
                with m.Case(Word.COLUMN):
                    m.d.comb += [taken.eq(1), weight.eq(~escape)]
                    if not geometry.padding_zeros:
                        with m.If(escape & ~(at_end & front.last)):
                            m.d.comb += [
                                pair.eq(~follower_escape & (~at_end | back_valid)),
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
                with m.Case(Word.BIAS):
                    m.d.comb += finished.eq(bias)
                with m.Case(Word.END):
                    m.d.comb += finished.eq(end)

        m.d.sync += position.eq(position + taken)
        if registers:
            # The queue waits for `ready`, so these say the same as `finished` by a shorter way: whether the
            # front word stays if there is one behind it, whether it stays because there is none, and whether
            # the one behind leaves too.
            if geometry.padding_zeros:
                closes, stuck, both = at_end, Const(0, 1), Const(0, 1)
            else:
                inner = ~Cat(front_escapes[1:], 1).bit_select(position, 1)
                closes = at_end | ((position + 1 == front.high) & escape & inner)
                torn = column & escape & at_end & ~front.last
                stuck = torn & ~back_valid
                both = torn & back_valid & ~back_escapes[0] & (back.high == 0)
            stays = Signal()
            m.d.comb += [
                stays.eq(front_valid & ~Mux(column, closes, bias | end | (front.kind == Word.EMPTY))),
                self.i.ready.eq(~stays | ~back_valid),
            ]
            with m.If(~stays & ~both & back_valid):
                m.d.sync += [
                    front.eq(back),
                    front_escapes.eq(back_escapes),
                    front_valid.eq(1),
                    position.eq(Mux(pair & at_end, 1, back.low)),
                ]
            with m.Elif(~stays & ~stuck):
                m.d.sync += [
                    front.eq(self.i.payload),
                    front_escapes.eq(coming_escapes),
                    front_valid.eq(self.i.valid),
                    position.eq(self.i.payload.low),
                ]
            with m.If(both):
                m.d.sync += back_valid.eq(0)
            with m.Elif(Mux(back_valid, ~stays, stays | stuck)):
                m.d.sync += [
                    back.eq(self.i.payload), back_escapes.eq(coming_escapes), back_valid.eq(self.i.valid)]
        else:
            m.d.comb += self.i.ready.eq(~front_valid | (finished != 0))
            with m.If(self.i.ready):
                m.d.sync += [
                    front.eq(back),
                    front_escapes.eq(back_escapes),
                    front_valid.eq(back_valid & (finished != 2)),
                    position.eq(Mux(pair & at_end, 1, back.low)),
                ]

        # Which activation the weight meets; a second column begins where the first one ends.
        activation = Signal(ACTIVATION_BITS)
        turned = Signal()
        m.d.comb += activation.eq(front.activations)
        if geometry.scan_width > 1:
            m.d.comb += turned.eq(front.turns & (position == front.boundary) & (taken != 0))
            with m.If(position >= front.boundary):
                m.d.comb += activation.eq(front.activations[ACTIVATION_BITS:])

        # Stage 1: how far the row moves, and where the weight stands in the codebook. An escape's run
        # counts from the bit above the run of the entry behind it; its own index bits are zero.
        one = Signal(data.StructLayout({
            "valid": 1, "weight": 1, "last": 1, "advance": row_bits}))
        # Without a reset the register may be the multiplier's own.
        one_activation = Signal(ACTIVATION_BITS, reset_less=True)
        single = Signal(entry_bits)
        low = Signal(entry_bits)
        high = Signal(entry_bits)
        raised = Cat(
            Cat(run_is[bits] & high[bit - bits] for bits in range(1, entry_bits)
                if 0 <= bit - bits < bits).any()
            for bit in range(row_bits))
        m.d.comb += [
            single.eq(Mux(pair, follower, entry)),
            low.eq((single & ~index_mask & weight.replicate(entry_bits))[::-1]),
            high.eq((entry & escape.replicate(entry_bits))[::-1]),
        ]
        index = Signal(range(geometry.codebook_entries))
        m.d.comb += index.eq(self.layer.codebook_base | (single & index_mask))
        m.d.sync += [
            one.valid.eq(taken != 0),
            one.weight.eq(weight),
            one.last.eq(Mux(finished == 2, back.last, finished[0] & front.last)),
            one_activation.eq(activation),
        ]
        with m.If(taken != 0):
            m.d.sync += one.advance.eq(low[:row_bits] | raised)
        with m.Else():
            m.d.sync += one.advance.eq(0)

        # The row: it stands at zero when a column begins, and behind the last column, for the biases.
        drain = bias & front.last
        row = Signal(row_bits)
        row_before = Signal(row_bits)
        behind = Signal()  # the row is the one behind `row_before`
        m.d.comb += row.eq(row_before + one.advance + behind)
        with m.If(turned | (one.valid & one.last) | end):
            m.d.sync += [row_before.eq(0), behind.eq(0)]
        with m.Elif(one.valid | drain):
            m.d.sync += [row_before.eq(row), behind.eq(one.weight | drain)]

        # The immediate, for which a bias is put together: a word goes to its place, and its sign above.
        immediate = Signal(geometry.accumulator_bits)
        bias_word = Signal(range(geometry.bias_words))
        words = front.entries.as_value()
        with m.If(bias):
            m.d.sync += bias_word.eq(Mux(front.last, 0, bias_word + 1))
        for i in range(geometry.bias_words):
            part = immediate[i * geometry.word_bits:][:geometry.word_bits]
            sign = Signal(name=f"sign{i}")
            m.d.comb += sign.eq(bias & (bias_word < i))
            with m.If((sign & ~words[-1]) | (self.finish.bias_words == 0) & bias):
                m.d.sync += part.eq(0)
            with m.Elif(self.direct_valid | (bias & (bias_word <= i))):
                chosen = Mux(self.direct_valid, self.direct.immediate[i * geometry.word_bits:], words)
                m.d.sync += part.eq(chosen | sign.replicate(len(part)))
        m.d.comb += self.o.immediate.eq(immediate)

        kind = Signal(Operation)
        with m.If(drain):
            m.d.comb += kind.eq(Operation.DRAIN)
        with m.Elif(end):
            m.d.comb += kind.eq(Operation.END)
        with m.Elif(self.direct_valid):
            m.d.comb += kind.eq(self.direct.kind)
        build = self._registered if registers else self._direct
        build(m, read, one, one_activation, row, index, drain, end, kind, stages_empty)
        if not registers:
            m.d.sync += drained.eq(drain)
        return m

    def _registered(self, m, read, one, activation, row, index, drain, end, kind, stages_empty):
        # Stage 2: the row; the codebook is read beside it. Stage 3: the operation.
        address = Signal.like(index, reset_less=True)
        two = Signal(data.StructLayout({
            "valid": 1, "row": len(row), "activation": ACTIVATION_BITS}))
        m.d.comb += [
            read.addr.eq(Mux(self.peek, self.peek_address, address)),
            stages_empty.eq(~one.valid & ~two.valid),
            self.o.weight.eq(read.data),
            self.o.activation.eq(two.activation),
            self.peek_data.eq(read.data),
        ]
        m.d.sync += [
            address.eq(index),
            two.valid.eq(one.valid & one.weight),
            two.row.eq(row),
            two.activation.eq(activation),
            self.o_valid.eq(two.valid | drain | end | self.direct_valid),
            self.o.row.eq(Mux(self.direct_valid, self.direct.row, Mux(drain, row, two.row))),
            self.o.kind.eq(kind),
        ]

    def _direct(self, m, read, one, activation, row, index, drain, end, kind, stages_empty):
        m.d.comb += [
            read.addr.eq(Mux(self.peek, self.peek_address, index)),
            stages_empty.eq(~one.valid),
            self.peek_data.eq(read.data),
            self.o_valid.eq((one.valid & one.weight) | drain | end | self.direct_valid),
            self.o.row.eq(Mux(self.direct_valid, self.direct.row, row)),
            self.o.weight.eq(read.data),
            self.o.activation.eq(activation),
            self.o.kind.eq(kind),
        ]
