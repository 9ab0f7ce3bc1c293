"""Leading nonzero detection, LNZD (EIE, section IV, "Distributed Leading Non-Zero Detection")."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.detection import FAN_IN
from golden.geometry import Geometry
from hdl.layouts import detection_layout
from hdl.stream_buffer import StreamBuffer


class DetectionNode(wiring.Component):
    """Merge what up to four subtrees say about a row of activations, in the order of their PEs.

    A node waits until every subtree that is not done with the row has spoken; then it passes the
    first nonzero, or the news that there is none. The payload that ends the row at the last subtree
    with a nonzero ends it here, so a row with n nonzeros takes max(1, n) cycles.

    Latency 1 cycle; throughput one payload per cycle.

    Parameters
    ----------
    geometry : Geometry
    children : int
        Subtrees, 1 to 4.
    stride : int
        PEs of a full subtree: child c's PEs are numbered from c * stride.

    Members
    -------
    i : In(stream of detection_layout).array(children)
    o : Out(stream of detection_layout)

    Raises
    ------
    ValueError
        If `children` is not from 1 to 4.
    """

    def __init__(self, geometry: Geometry, *, children: int, stride: int):
        if not isinstance(children, int) or not 1 <= children <= FAN_IN:
            raise ValueError(f"Children must be an integer from 1 to {FAN_IN}, not {children!r}")
        self._children = children
        self._stride = stride
        self._layout = detection_layout(geometry)
        super().__init__({
            "i": In(stream.Signature(self._layout)).array(children),
            "o": Out(stream.Signature(self._layout)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = StreamBuffer(self._layout)
        wiring.connect(m, wiring.flipped(self.o), buffer.o)
        heads = [child.payload for child in self.i]
        done = Signal(self._children)  # subtrees that have said all about this row
        has = Signal(self._children)
        spoken = Signal()
        m.d.comb += [
            spoken.eq(1),
            buffer.i.valid.eq(spoken),
            buffer.i.payload.last.eq(1),
        ]
        m.d.comb += [has[c].eq(~done[c] & heads[c].item) for c in range(self._children)]
        for c in range(self._children):
            with m.If(~done[c] & ~self.i[c].valid):
                m.d.comb += spoken.eq(0)

        sent = Signal()
        row_ends = buffer.i.payload.last
        m.d.comb += sent.eq(spoken & buffer.i.ready)
        for c in range(self._children):
            chosen = has[c] & ~has[:c].any()
            others = has[c + 1:].any()
            with m.If(chosen):
                m.d.comb += [
                    buffer.i.payload.eq(heads[c]),
                    buffer.i.payload.pe.eq(heads[c].pe | (c * self._stride)),
                    buffer.i.payload.last.eq(heads[c].last & ~others),
                ]
            with m.If(sent):
                # The row's end takes along the subtrees that had nothing.
                m.d.comb += self.i[c].ready.eq(chosen | (row_ends & ~done[c]))
                m.d.sync += done[c].eq(~row_ends & (done[c] | (chosen & heads[c].last)))
        return m


class NonzeroDetection(wiring.Component):
    """Tree of detection nodes over all PEs, a register at every level.

    Latency 1 cycle a level; throughput one nonzero or one row without nonzeros per cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    i : In(stream of detection_layout).array(pes)
    o : Out(stream of detection_layout)
        `pe` numbers the PE among all.
    """

    def __init__(self, geometry: Geometry):
        self._geometry = geometry
        super().__init__({
            "i": In(stream.Signature(detection_layout(geometry))).array(geometry.pes),
            "o": Out(stream.Signature(detection_layout(geometry))),
        })

    def elaborate(self, platform):
        m = Module()
        streams = [wiring.flipped(leaf) for leaf in self.i]
        stride = 1
        level = 0
        while len(streams) > 1 or level == 0:
            parents = []
            for first in range(0, len(streams), FAN_IN):
                group = streams[first:first + FAN_IN]
                node = DetectionNode(self._geometry, children=len(group), stride=stride)
                m.submodules[f"level{level}_node{len(parents)}"] = node
                for child, source in zip(node.i, group, strict=True):
                    wiring.connect(m, source, child)
                parents.append(node.o)
            streams = parents
            stride *= FAN_IN
            level += 1
        wiring.connect(m, streams[0], wiring.flipped(self.o))
        return m
