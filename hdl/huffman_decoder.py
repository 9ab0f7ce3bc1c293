"""Decoders of canonical Huffman codes (`golden.huffman`) whose symbols are bytes: a small and a fast one."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.coded import COUNTS, SYMBOLS
from golden.huffman import MAX_LENGTH
from hdl.block_memory import BlockMemory

FORMS = ("small", "fast")
ROOM = 32
"""Bits of the fast decoder's window and of what stands behind it."""


def decoder(form, *, output_register=False):
    """A decoder of a form of `FORMS`; the small one with the output register of its block RAM or without.

    Raises
    ------
    ValueError
        If there is no such form.
    """
    if form not in FORMS:
        raise ValueError(f"Form of a decoder must be one of {FORMS}, not {form!r}")
    return SmallDecoder(output_register=output_register) if form == "small" else FastDecoder()


def signature():
    """What both decoders have.

    Members
    -------
    write : In(1)
        Write a byte of the table, while nothing is decoded. The counts come in the order of their lengths.
    address : In(range(512))
        Symbol `i` of the table (`golden.huffman.Tables.symbols`) stands at `i`, the number of words of `n`
        bits at `COUNTS + n`. Words of 1 to 15 bits must make a complete code. With another table, symbols
        mean nothing, and each takes 1 to 15 bits all the same.
    data : In(8)
    start : In(1)
        Forget bits and symbols; the next byte begins with a word.
    i : In(stream)
        Bytes of code, the first bit lowest.
    o : Out(stream)
        Symbols.
    hungry : Out(1)
        No symbol is there or on its way, and bits are missing for the next one.
    """
    return wiring.Signature({
        "write":   In(1),
        "address": In(range(2 * SYMBOLS)),
        "data":    In(8),
        "start":   In(1),
        "i":       In(stream.Signature(8)),
        "o":       Out(stream.Signature(8)),
        "hungry":  Out(1),
    })


class SmallDecoder(wiring.Component):
    """A bit per cycle, with one block RAM of 512 bytes for the whole table.

    What a word has above the first one of its length is doubled and takes the next bit when the words of that
    length are taken off; when it is below their number, it says which of them it is. A count is read a cycle
    before it is needed, and the cycle in which a symbol is read instead goes by while the next word has one
    or two bits: their counts are kept in flip-flops.

    Latency 3 cycles from a word's last bit, which is taken a cycle after the bit before, or after its byte;
    throughput one bit per cycle. With the output register the decoder has its turn in every other cycle, so
    that nothing stands behind the memory itself: latency 5 cycles, throughput one bit per two cycles.

    Parameters
    ----------
    output_register : bool
        Of the block RAM, for chips on which it is late without.

    Members
    -------
    See `signature`.
    """

    def __init__(self, *, output_register=False):
        self._output_register = output_register
        super().__init__(signature())

    def elaborate(self, platform):
        m = Module()
        m.submodules.table = table = BlockMemory(
            words=2 * SYMBOLS, bits=8, output_register=self._output_register)
        turn = Signal()
        bits = Signal(8)
        available = Signal(range(9))            # bits that have not been taken
        rest = Signal(8)                        # of the word so far
        base = Signal(8)                        # words that are shorter
        length = Signal(4, init=1)              # of the word with the next bit
        ones, twos = Signal(2), Signal(3)       # words of one and of two bits
        place = Signal(8)                       # of the symbol that was found
        found, shown = Signal(), Signal()
        goes, takes, ends = Signal(), Signal(), Signal()
        count, value, difference, next_length = Signal(8), Signal(8), Signal(9), Signal(4)

        m.d.comb += [
            table.write_enable.eq(self.write),
            table.write_address.eq(self.address),
            table.write_data.eq(self.data),
            goes.eq(turn & (~shown | ~self.o.valid | self.o.ready)),
            takes.eq(goes & (available != 0)),
            self.i.ready.eq((available == 0) | (takes & (available == 1))),
            count.eq(Mux(length == 1, ones, Mux(length == 2, twos, table.read_data))),
            value.eq(Cat(bits[0], rest)),
            difference.eq(value - count),
            ends.eq(difference[8] | (length == MAX_LENGTH)),
            next_length.eq(length + takes),
            table.read_enable.eq(goes),
            table.read_address.eq(Mux(found, place, COUNTS + next_length)),
            self.hungry.eq((available == 0) & ~found & ~shown & ~self.o.valid),
        ]
        if self._output_register:
            m.d.sync += turn.eq(~turn)
        else:
            m.d.comb += turn.eq(1)
        with m.If(self.write & (self.address == COUNTS + 1)):
            m.d.sync += ones.eq(self.data)
        with m.If(self.write & (self.address == COUNTS + 2)):
            m.d.sync += twos.eq(self.data)

        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(goes):
            m.d.sync += [found.eq(takes & ends), shown.eq(found)]
            with m.If(shown):
                m.d.sync += [self.o.payload.eq(table.read_data), self.o.valid.eq(1)]
        with m.If(takes):
            m.d.sync += [bits.eq(bits[1:]), available.eq(available - 1)]
            with m.If(ends):
                m.d.sync += [rest.eq(0), base.eq(0), length.eq(1), place.eq(base + value)]
            with m.Else():
                m.d.sync += [rest.eq(difference), base.eq(base + count), length.eq(next_length)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [bits.eq(self.i.payload), available.eq(8)]
        with m.If(self.start):
            m.d.sync += [
                available.eq(0), rest.eq(0), base.eq(0), length.eq(1),
                found.eq(0), shown.eq(0), self.o.valid.eq(0)]
        return m


class FastDecoder(wiring.Component):
    """A symbol per cycle: the next 15 bits are compared with the ends of all lengths at once.

    Every count that is written gives the end of its length, the number of words of up to so many bits as that
    many bits count them, and what leads from a word of that length to its symbol's place. The loop holds a
    comparison, the choice of the length and a shift; symbols are looked up behind it.

    Latency 5 cycles from the last byte of a word; throughput one symbol per cycle while the 8 bits that come
    in a cycle are enough for it.

    Members
    -------
    See `signature`.
    """

    def __init__(self):
        super().__init__(signature())

    def elaborate(self, platform):
        m = Module()
        m.submodules.table = table = BlockMemory(words=SYMBOLS, bits=8, output_register=False)
        lengths = range(1, MAX_LENGTH + 1)
        ends = [Signal(n + 1, name=f"end{n}") for n in lengths]
        offsets = [Signal(8, name=f"offset{n}") for n in lengths]
        first, base = Signal(MAX_LENGTH + 1), Signal(8)     # first word of the next length, words before it
        this_first, this_base, end = Signal.like(first), Signal.like(base), Signal.like(first)

        begins = self.address == COUNTS + 1
        m.d.comb += [
            table.write_enable.eq(self.write & (self.address < COUNTS)),
            table.write_address.eq(self.address),
            table.write_data.eq(self.data),
            this_first.eq(Mux(begins, 0, first)),
            this_base.eq(Mux(begins, 0, base)),
            end.eq(this_first + self.data),
        ]
        with m.If(self.write & (self.address >= COUNTS)):
            m.d.sync += [first.eq(end << 1), base.eq(this_base + self.data)]
        for n in lengths:
            with m.If(self.write & (self.address == COUNTS + n)):
                m.d.sync += [ends[n - 1].eq(end), offsets[n - 1].eq(this_base - this_first)]

        # The loop.
        bits = Signal(ROOM)
        available = Signal(range(ROOM + 1))
        goes, takes, arrives = Signal(), Signal(), Signal()
        words = [Cat(reversed(bits[:n])) for n in lengths]
        above = Signal(MAX_LENGTH - 1)      # the word is longer than 1, 2, ..., 14 bits
        length = Signal(range(MAX_LENGTH + 1))
        m.d.comb += [
            *(above[n - 1].eq(words[n - 1] >= ends[n - 1]) for n in lengths[:-1]),
            self.i.ready.eq(available <= ROOM - 8),
            arrives.eq(self.i.valid & self.i.ready),
            takes.eq(goes & (available >= length)),
            length.eq(MAX_LENGTH),
        ]
        for n in reversed(lengths[:-1]):
            with m.If(~above[n - 1]):
                m.d.comb += length.eq(n)
        filled = bits | (self.i.payload & arrives.replicate(8)) << available
        m.d.sync += [
            bits.eq(Mux(takes, filled >> length, filled)),
            available.eq(available + (arrives << 3) - Mux(takes, length, 0)),
        ]

        # Behind it: which symbol, and the symbol.
        taken, found, shown = Signal(), Signal(), Signal()
        window = Signal(MAX_LENGTH)
        chosen = Signal.like(length)
        m.d.comb += [
            goes.eq(~self.o.valid | self.o.ready),
            table.read_enable.eq(goes),
            self.hungry.eq(~takes & ~taken & ~found & ~shown & ~self.o.valid),
        ]
        place = Signal(8)
        with m.If(goes):
            m.d.sync += [
                taken.eq(takes), window.eq(bits), chosen.eq(length),
                found.eq(taken), place.eq(Array([0] + [
                    Cat(reversed(window[:n]))[:8] + offsets[n - 1] for n in lengths])[chosen]),
                shown.eq(found),
                self.o.valid.eq(shown), self.o.payload.eq(table.read_data),
            ]
        m.d.comb += table.read_address.eq(place)
        with m.If(self.start):
            m.d.sync += [
                bits.eq(0), available.eq(0), taken.eq(0), found.eq(0), shown.eq(0), self.o.valid.eq(0)]
        return m
