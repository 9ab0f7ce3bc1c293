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
    cycle, or every other cycle if the queue is a single register.

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
        if depth == 1 and not self._bypass:
            # The register is loaded while it is empty, so that its enable does not hang on `o.ready`.
            m.d.comb += self.i.ready.eq(~self.o.valid)
            with m.If(~self.o.valid):
                m.d.sync += [self.o.payload.eq(self.i.payload), self.o.valid.eq(self.i.valid)]
            with m.Elif(self.o.ready):
                m.d.sync += self.o.valid.eq(0)
            return m
        if depth == SHORT_QUEUE and not self._bypass:
            m.submodules.items = items = StreamBuffer(self._shape, entries=SHORT_QUEUE)
            wiring.connect(m, wiring.flipped(self.i), items.i)
            wiring.connect(m, wiring.flipped(self.o), items.o)
            return m
        attrs = {} if self._bypass else {"no_rw_check": 1, "ram_style": "block"}
        m.submodules.items = items = memory.Memory(
            shape=self._shape, depth=max(depth, 2), init=[], attrs=attrs)
        write = items.write_port()

        tail = Signal(range(max(depth, 2)))
        level = Signal(range(depth + 1))
        push = self.i.valid & self.i.ready
        pop = self.o.valid & self.o.ready

        def after(pointer):
            return Mux(pointer == depth - 1, 0, pointer + 1)

        m.d.comb += [
            self.i.ready.eq(level != depth),
            write.addr.eq(tail),
            write.data.eq(self.i.payload),
            write.en.eq(push),
        ]
        with m.If(push):
            m.d.sync += tail.eq(after(tail))
        m.d.sync += level.eq(level + push - pop)
        build = self._with_bypass if self._bypass else self._without_bypass
        build(m, items, level, push, pop, after)
        return m

    def _with_bypass(self, m, items, level, push, pop, after):
        # Behind the item in the output register stands the next one, or the one that is just coming. So all
        # that waits for `pop`, which is known late, is whether the register takes it.
        read = items.read_port(domain="comb")
        second = Signal(range(max(self._depth, 2)), init=min(1, self._depth - 1))
        m.d.comb += read.addr.eq(second)
        m.d.sync += self.o.valid.eq(push | (level > 1) | ((level == 1) & ~pop))
        with m.If(pop):
            m.d.sync += second.eq(after(second))
        with m.If(pop | (level == 0)):
            m.d.sync += self.o.payload.eq(Mux(level > 1, read.data, self.i.payload))

    def _without_bypass(self, m, items, level, push, pop, after):
        # The read port always looks at the head of the next cycle, so its register is the output register.
        read = items.read_port()
        head = Signal(range(max(self._depth, 2)))
        next_head = Signal.like(head)
        m.d.comb += [
            self.o.payload.eq(read.data),
            next_head.eq(Mux(pop, after(head), head)),
            read.addr.eq(next_head),
        ]
        m.d.sync += [head.eq(next_head), self.o.valid.eq(level != pop)]
