"""A large memory that may have to do with a single port."""

from amaranth.hdl import Module
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out


class SinglePortMemory(wiring.Component):
    """Memory for what is read all the time and written seldom.

    Where the chip's large memories have one port (`hdl.verilog.emit` says so to whoever elaborates), a write
    takes it from the read, which is asked for again. Elsewhere each has a port of its own, and nothing waits.

    Latency 1 cycle; throughput one read or write per cycle, or one of each.

    Parameters
    ----------
    width, depth : int
        Bits of a word, words.

    Members
    -------
    write_enable, write_address, write_data : In
    read_enable : In(1)
        Read, if `free`; otherwise `read_data` stays.
    read_address : In
    free : Out(1)
        No write takes the port in this cycle.
    read_data : Out
        The word read last. Not defined if it was written in the cycle in which it was read.
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
            "free":          Out(1),
            "read_data":     Out(width),
        })

    def elaborate(self, platform):
        m = Module()
        single = getattr(platform, "single_port", False)
        attrs = {"no_rw_check": 1, **({"ram_style": "huge"} if single else {})}
        m.submodules.words = words = memory.Memory(
            shape=self._width, depth=self._depth, init=[], attrs=attrs)
        write = words.write_port()
        read = words.read_port()
        m.d.comb += [
            write.en.eq(self.write_enable),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            read.en.eq(self.read_enable),
            read.addr.eq(self.read_address),
            self.free.eq(1),
            self.read_data.eq(read.data),
        ]
        if single:
            # Yosys would reduce a choice to the write's address where that is used, and see two ports then.
            writes = self.write_enable.replicate(len(self.read_address))
            address = self.write_address & writes | self.read_address & ~writes
            m.d.comb += [
                self.free.eq(~self.write_enable),
                read.en.eq(self.read_enable & self.free),
                read.addr.eq(address),
                write.addr.eq(address),
            ]
        return m
