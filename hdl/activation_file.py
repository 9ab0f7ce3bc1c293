"""Activation files of one PE and its leaf of nonzero detection (EIE, section IV, "Activation R/W")."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import ACTIVATION_BITS, Geometry
from hdl.layouts import detection_layout, scan_layout


class ActivationFile(wiring.Component):
    """Two sets of activations: one is scanned for nonzeros while the other is written.

    A scan reads one word of `scan_width` slots a cycle and says of each whether an activation in it exceeds
    the threshold in magnitude; those that do not count as zero. Results are written to consecutive slots;
    a scan that waits for them reads a word only after all of it was written.

    Latency 3 cycles from `begin` to the first payload; throughput one word per cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    scan : In(scan_layout)
        Settings; constant from the cycle before `begin` until the last payload was taken.
    begin : In(1)
        Begin a scan; the one before has ended.
    o : Out(stream of detection_layout)
    destination : In
        Slot of both files together that the next result goes to, when `finish` is high.
    finish : In(1)
        Results of the drain before have all come.
    result_valid, result : In
        The next row's new activation.
    write_enable, write_address, write_data : In
        Load path, one activation per cycle, while no result comes. Address = file * activations + slot.
    peek_lane : In
        While nothing is scanned: slot of a word.
    peek_data : Out
        While nothing is scanned: that slot of word `scan.first`, 2 or 3 cycles after it was named.
    """

    def __init__(self, geometry: Geometry):
        self._geometry = geometry
        address = range(2 * geometry.activations)
        super().__init__({
            "scan":          In(scan_layout(geometry)),
            "begin":         In(1),
            "o":             Out(stream.Signature(detection_layout(geometry))),
            "destination":   In(address),
            "finish":        In(1),
            "result_valid":  In(1),
            "result":        In(ACTIVATION_BITS),
            "write_enable":  In(1),
            "write_address": In(address),
            "write_data":    In(ACTIVATION_BITS),
            "peek_lane":     In(1),
            "peek_data":     Out(ACTIVATION_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        lanes = geometry.scan_width
        lane_bits = lanes.bit_length() - 1
        slots = geometry.activations
        m.submodules.activations = activations = memory.Memory(
            shape=data.ArrayLayout(ACTIVATION_BITS, lanes), depth=2 * slots // lanes, init=[],
            attrs={"no_rw_check": 1})
        write = activations.write_port(granularity=1 if lanes > 1 else None)
        read = activations.read_port()

        # Write: a result, or the load path. `slot` is where the next result goes.
        slot = Signal(range(2 * slots + 1))
        address = Mux(self.result_valid, slot, self.write_address)
        value = Mux(self.result_valid, self.result, self.write_data)
        enable = self.result_valid | self.write_enable
        with m.If(self.finish):
            m.d.sync += slot.eq(self.destination)
        with m.Elif(self.result_valid):
            m.d.sync += slot.eq(slot + 1)
        m.d.comb += [
            write.addr.eq(address[lane_bits:]),
            write.en.eq(Mux(enable, 1 << address[:lane_bits] if lanes > 1 else 1, 0)),
        ]
        m.d.comb += [write.data[i].eq(value) for i in range(lanes)]

        # Scan: address, memory, word; all wait while the payload behind them does. Between scans the address
        # stands at the first word of the next.
        scanning = Signal()
        scan_word = Signal(range(2 * slots // lanes))
        fetched = Signal()
        held = Signal()
        word = Signal(data.ArrayLayout(ACTIVATION_BITS, lanes), reset_less=True)
        advance = Signal()
        issue = scanning & (~self.scan.wait | (scan_word < slot[lane_bits:]))
        with m.If(~scanning):
            m.d.sync += [scan_word.eq(self.scan.first), scanning.eq(self.begin)]
        with m.Elif(issue & advance):
            m.d.sync += [scan_word.eq(scan_word + 1), scanning.eq(scan_word != self.scan.last)]
        m.d.comb += [
            read.addr.eq(scan_word),
            read.en.eq(advance),
            advance.eq(~held | self.o.ready),
        ]
        with m.If(advance):
            m.d.sync += [fetched.eq(issue), held.eq(fetched), word.eq(read.data)]

        # The test stands in front of the word's register: behind it lies the choice of the detection's nodes.
        kept = Signal(lanes)
        with m.If(advance):
            m.d.sync += [kept[lane].eq(self._exceeds(read.data[lane])) for lane in range(lanes)]
        m.d.comb += [
            self.o.valid.eq(held),
            self.o.payload.item.eq(kept.any()),
            self.o.payload.last.eq(1),
            self.peek_data.eq(Mux(self.peek_lane, word[lanes - 1], word[0])),
        ]
        # A word on its own need not be zeroed: nobody looks at it unless it is an item.
        m.d.comb += self.o.payload.activations.eq(
            word if lanes == 1 else Cat(Mux(kept[lane], word[lane], 0) for lane in range(lanes)))
        return m

    def _exceeds(self, activation):
        """Whether a magnitude is more than the threshold.

        That of a negative number is one more than its complement, and `headroom` is 65535 less the
        threshold, so a carry says it.
        """
        sign = activation[-1]
        magnitude = activation ^ sign.replicate(ACTIVATION_BITS)
        # The sign as a bit below makes it the carry into the sum.
        return (Cat(sign, magnitude) + Cat(Const(1, 1), self.scan.headroom))[ACTIVATION_BITS + 1]
