"""A small device with block RAM of several shapes, for tests of faults."""

from amaranth.hdl import Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

SHAPES = ((256, 16), (512, 8), (1024, 4), (2048, 2))
"""Words and bits of a word: each is one block RAM of an iCE40."""


FACTOR = 0x9E37
"""What is written anywhere is a multiple of its address."""


class Stores(wiring.Component):
    """Sends back what it hears; writes all its memories, reads them, and begins again."""

    def __init__(self, geometry, *, divisor, clock_hz, flash, coded_loads=None):
        lamps = dict.fromkeys(("idle", "loading", "computing", "fault"), Out(1))
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), **lamps})

    def elaborate(self, platform):
        m = Module()
        count = Signal(12)
        sums = Signal(len(SHAPES))
        m.d.sync += [count.eq(count + 1), self.tx.eq(self.rx)]
        m.d.comb += [self.idle.eq(1), self.loading.eq(0), self.computing.eq(0), self.fault.eq(sums.xor())]
        address = count[:-1]
        for number, (words, bits) in enumerate(SHAPES):
            m.submodules[f"store_{number}"] = store = memory.Memory(
                shape=bits, depth=words, init=[], attrs={"no_rw_check": 1}
            )
            write, read = store.write_port(), store.read_port()
            m.d.comb += [
                write.en.eq(~count[-1] & (address < words)),
                write.addr.eq(address),
                write.data.eq((address * FACTOR) >> 5),
                read.en.eq(count[-1] & (address < words)),
                read.addr.eq(address),
            ]
            m.d.sync += sums[number].eq(sums[number] ^ read.data.xor())
        return m
