"""Activation queue of one PE (EIE, section IV, "Activation Queue and Load Balancing")."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.latencies import SHORT_QUEUE
from hdl.stream_buffer import StreamBuffer


class ActivationQueue(wiring.Component):
    """First-in first-out store that lets a PE lag behind the broadcast.

    It takes an item whenever fewer than `depth` are inside, whatever happens at its output.
    Latency 1 cycle (2 without `bypass` if there are more than `SHORT_QUEUE` items); throughput one item per
    cycle.

    Parameters
    ----------
    shape : ShapeLike
        Payload of both streams.
    depth : int
        Items it holds.
    bypass : bool
        An item that finds the queue empty may leave in the next cycle. Without, the memory is never asked
        for an item that is just being written, and needs no logic around it; a queue of `SHORT_QUEUE` items
        or fewer is made of registers then.

    Members
    -------
    i : In(stream)
    o : Out(stream)

    Raises
    ------
    ValueError
        If `depth` is not a positive integer.
    """

    def __init__(self, shape, *, depth, bypass=True):
        if not isinstance(depth, int) or depth < 1:
            raise ValueError(f"Depth must be a positive integer, not {depth!r}")
        self._shape = shape
        self._depth = depth
        self._bypass = bypass
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
        })

    def elaborate(self, platform):
        m = Module()
        depth = self._depth
        if depth <= SHORT_QUEUE and not self._bypass:
            m.submodules.items = items = StreamBuffer(self._shape, entries=2)
            wiring.connect(m, wiring.flipped(self.i), items.i)
            wiring.connect(m, wiring.flipped(self.o), items.o)
            if depth == 1:
                m.d.comb += [items.i.valid.eq(self.i.valid & ~self.o.valid), self.i.ready.eq(~self.o.valid)]
            return m
        attrs = {} if self._bypass else {"no_rw_check": 1, "ram_style": "block"}
        m.submodules.items = items = memory.Memory(
            shape=self._shape, depth=max(depth, 2), init=[], attrs=attrs)
        write = items.write_port()
        read = items.read_port(transparent_for=(write,) if self._bypass else ())

        tail = Signal(range(max(depth, 2)))
        head = Signal(range(max(depth, 2)))
        next_head = Signal.like(head)
        level = Signal(range(depth + 1))
        push = self.i.valid & self.i.ready
        pop = self.o.valid & self.o.ready

        def after(pointer):
            return Mux(pointer == depth - 1, 0, pointer + 1)

        # The read port always looks at the head of the next cycle, so its register is the output register.
        m.d.comb += [
            self.i.ready.eq(level != depth),
            self.o.payload.eq(read.data),
            write.addr.eq(tail),
            write.data.eq(self.i.payload),
            write.en.eq(push),
            next_head.eq(Mux(pop, after(head), head)),
            read.addr.eq(next_head),
        ]
        m.d.sync += head.eq(next_head)
        with m.If(push):
            m.d.sync += tail.eq(after(tail))
        m.d.sync += level.eq(level + push - pop)
        if self._bypass:
            m.d.comb += self.o.valid.eq(level != 0)
        else:
            m.d.sync += self.o.valid.eq(level != pop)
        return m
