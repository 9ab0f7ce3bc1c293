"""A memory of block RAM whose depth is far from a power of two."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

BLOCK_WORDS = 256
"""Words of a block RAM of an iCE40 at its widest."""


def parts(depth: int) -> list[int]:
    """Depths of the parts of a memory: two where that saves block RAM.

    >>> parts(510), parts(768), parts(1020)
    ([510], [512, 256], [1020])
    """
    lower = 1 << (depth - 1).bit_length() >> 1
    return [lower, depth - lower] if lower > BLOCK_WORDS and 2 * depth <= 3 * lower else [depth]


class SplitMemory(wiring.Component):
    """Memory with a write port and a read port, in two parts if its depth suits block RAM better so.

    Yosys would make 768 words of three blocks, and choose between three words; with a part of 512 and one
    of 256 there are as many blocks, and two words to choose between.

    Latency 1 cycle; throughput one read and one write per cycle.

    Parameters
    ----------
    width, depth : int
        Bits of a word, words.

    Members
    -------
    write_enable, write_address, write_data : In
    read_enable, read_address : In
        When to read which word; otherwise `read_data` stays. A word that is written in the same cycle is
        undefined.
    read_data : Out
    """

    def __init__(self, width, depth):
        self._width = width
        self._depth = depth
        super().__init__({
            "write_enable":  In(1),
            "write_address": In(range(depth)),
            "write_data":    In(width),
            "read_enable":   In(1),
            "read_address":  In(range(depth)),
            "read_data":     Out(width),
        })

    def elaborate(self, platform):
        m = Module()
        depths = parts(self._depth)
        split = len(depths) > 1
        found = []
        for number, depth in enumerate(depths):
            m.submodules[f"part{number}"] = words = memory.Memory(
                shape=self._width, depth=depth, init=[], attrs={"no_rw_check": 1})
            write, read = words.write_port(), words.read_port()
            m.d.comb += [
                write.en.eq(self.write_enable & (self.write_address[-1] == number if split else 1)),
                write.addr.eq(self.write_address),
                write.data.eq(self.write_data),
                read.en.eq(self.read_enable),
                read.addr.eq(self.read_address),
            ]
            found.append(read.data)
        if not split:
            m.d.comb += self.read_data.eq(found[0])
            return m
        upper = Signal()
        with m.If(self.read_enable):
            m.d.sync += upper.eq(self.read_address[-1])
        m.d.comb += self.read_data.eq(Mux(upper, found[1], found[0]))
        return m
