"""Trees between the central control and the PEs: the broadcast, and the load and readback buses."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.cycles import FAN_OUT
from golden.geometry import Geometry
from hdl.layouts import token_layout
from hdl.stream_buffer import StreamBuffer
from hdl.verilog import Shared


def groups(items: list, size: int = FAN_OUT) -> list[list]:
    """Cut a list into groups of at most `size`."""
    return [items[i:i + size] for i in range(0, len(items), size)]


class BroadcastNode(wiring.Component):
    """Hand every token to all children, each as soon as it is ready.

    Latency 1 cycle; throughput one token per cycle, or that of the slowest child.

    Parameters
    ----------
    geometry : Geometry
    children : int

    Members
    -------
    i : In(stream of token_layout)
    o : Out(stream of token_layout).array(children)
    """

    def __init__(self, geometry: Geometry, *, children: int):
        self._children = children
        self._layout = token_layout(geometry)
        super().__init__({
            "i": In(stream.Signature(self._layout)),
            "o": Out(stream.Signature(self._layout)).array(children),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = StreamBuffer(self._layout)
        wiring.connect(m, wiring.flipped(self.i), buffer.i)
        served = Signal(self._children)
        ready = Signal(self._children)
        for c, child in enumerate(self.o):
            m.d.comb += [
                child.payload.eq(buffer.o.payload),
                child.valid.eq(buffer.o.valid & ~served[c]),
                ready[c].eq(served[c] | child.ready),
            ]
        m.d.comb += buffer.o.ready.eq(ready.all())
        with m.If(buffer.o.valid & ~ready.all()):
            m.d.sync += served.eq(ready)
        with m.Else():
            m.d.sync += served.eq(0)
        return m


class Broadcast(wiring.Component):
    """Tree of broadcast nodes from the central control to all PEs.

    Latency 1 cycle a level; throughput one token per cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    i : In(stream of token_layout)
    o : Out(stream of token_layout).array(pes)
    """

    def __init__(self, geometry: Geometry):
        self._geometry = geometry
        super().__init__({
            "i": In(stream.Signature(token_layout(geometry))),
            "o": Out(stream.Signature(token_layout(geometry))).array(geometry.pes),
        })

    def elaborate(self, platform):
        m = Module()
        streams = [wiring.flipped(leaf) for leaf in self.o]
        level = 0
        while len(streams) > 1 or level == 0:
            parents = []
            for group in groups(streams):
                node = BroadcastNode(self._geometry, children=len(group))
                m.submodules[f"level{level}_node{len(parents)}"] = node
                for child, sink in zip(node.o, group, strict=True):
                    wiring.connect(m, child, sink)
                parents.append(node.i)
            streams = parents
            level += 1
        wiring.connect(m, wiring.flipped(self.i), streams[0])
        return m


def levels(pes: int, fan: int) -> int:
    """Levels of a tree with `pes` leaves and `fan` children a node; at least one.

    >>> levels(1, 8), levels(8, 8), levels(9, 8), levels(64, 4)
    (1, 1, 2, 3)
    """
    count = 1
    while fan**count < pes:
        count += 1
    return count


class Copy(wiring.Component):
    """A register. Latency 1 cycle.

    Parameters
    ----------
    width : int

    Members
    -------
    i : In(width)
    o : Out(width)
    """

    def __init__(self, width: int):
        super().__init__({"i": In(width), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        o = Signal.like(self.o, reset_less=True)
        m.d.sync += o.eq(self.i)
        m.d.comb += self.o.eq(o)
        return m


class Spread(wiring.Component):
    """Registered tree that brings a value to every PE; nothing waits.

    The value comes from a register, which serves as the first level. Latency 1 cycle for each other one.
    Registers of a level are equal, so each is a module that synthesis keeps: merged into one, they would
    reach from a single place to PEs all over the chip. One of the last level serves half of `FAN_OUT` PEs,
    so that it can stand near them, where that takes no further level.

    Parameters
    ----------
    shape : ShapeLike
    pes : int

    Members
    -------
    i : In(shape)
    o : Out(shape).array(pes)
    """

    def __init__(self, shape, *, pes: int):
        self._pes = pes
        super().__init__({"i": In(shape), "o": Out(shape).array(pes)})

    def elaborate(self, platform):
        m = Module()
        depth = levels(self._pes, FAN_OUT)
        sources = [Value.cast(self.i)]
        width = len(sources[0])
        served = self._pes      # PEs behind each of the sources
        for level in range(2, depth + 1):
            behind = max(FAN_OUT ** (depth + 1 - level) // 2, -(-self._pes // FAN_OUT ** (level - 1)))
            copies = [Shared(Copy(width), f"tamis_copy{width}", kept=True)
                      for _ in range(-(-self._pes // behind))]
            for i, register in enumerate(copies):
                m.submodules[f"level{level}_{i}"] = register
                m.d.comb += register.i.eq(sources[i * behind // served])
            sources, served = [register.o for register in copies], behind
        m.d.comb += [Value.cast(leaf).eq(sources[i // served]) for i, leaf in enumerate(self.o)]
        return m


class Gather(wiring.Component):
    """Registered tree that combines a value of every PE by OR (or by AND); nothing waits.

    Latency 1 cycle a level.

    Parameters
    ----------
    width : int
    pes : int
    combine : "or" or "and"

    Members
    -------
    i : In(width).array(pes)
    o : Out(width)
    """

    def __init__(self, width: int, *, pes: int, combine: str = "or"):
        if combine not in ("or", "and"):
            raise ValueError(f"Combine must be 'or' or 'and', not {combine!r}")
        self._pes = pes
        self._combine = combine
        super().__init__({"i": In(width).array(pes), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        values = list(self.i)
        level = 0
        while len(values) > 1 or level == 0:
            parents = []
            for group in groups(values):
                register = Signal.like(self.o, name=f"level{level}_{len(parents)}")
                result = group[0]
                for value in group[1:]:
                    result = result | value if self._combine == "or" else result & value
                m.d.sync += register.eq(result)
                parents.append(register)
            values = parents
            level += 1
        m.d.comb += self.o.eq(values[0])
        return m
