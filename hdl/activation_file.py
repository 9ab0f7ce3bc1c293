"""Activation files of one PE and its leaf of nonzero detection (EIE, section IV, "Activation R/W")."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import ACTIVATION_BITS, Geometry
from hdl.block_memory import BlockMemory
from hdl.layouts import detection_layout, scan_layout


class ActivationFile(wiring.Component):
    """Two sets of activations: one is scanned for nonzeros while the other is written.

    A scan reads one word of `scan_width` slots a cycle and says of each whether an activation in it exceeds
    the threshold in magnitude; those that do not count as zero. Results are written to consecutive slots;
    a scan that waits for them reads a word only after all of it was written.

    Latency 4 cycles from `begin` to the first payload (3 without `geometry.output_registers`); throughput
    one word per cycle.

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
        While nothing is scanned: that slot of word `scan.first`, 2 to 4 cycles after it was named.
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
        # Write: a result, or the load path. `slot` is where the next result goes.
        slot = Signal(range(2 * slots + 1))
        address = Mux(self.result_valid, slot, self.write_address)
        value = Mux(self.result_valid, self.result, self.write_data)
        enable = self.result_valid | self.write_enable
        with m.If(self.finish):
            m.d.sync += slot.eq(self.destination)
        with m.Elif(self.result_valid):
            m.d.sync += slot.eq(slot + 1)
        written = Mux(enable, 1 << address[:lane_bits] if lanes > 1 else 1, 0)

        # Scan: address, memory, with `output_registers` its own register, word. Between scans the address
        # stands at the first word of the next.
        scanning = Signal()
        scan_word = Signal(range(2 * slots // lanes))
        fetched = Signal()
        held = Signal()
        layout = data.ArrayLayout(ACTIVATION_BITS, lanes)
        word = Signal(layout, reset_less=True)
        kept = Signal(lanes)
        advance = Signal()
        taken = Signal()
        issue = scanning & (~self.scan.wait | (scan_word < slot[lane_bits:]))
        with m.If(~scanning):
            m.d.sync += [scan_word.eq(self.scan.first), scanning.eq(self.begin)]
        with m.Elif(issue & advance):
            m.d.sync += [scan_word.eq(scan_word + 1), scanning.eq(scan_word != self.scan.last)]
        with m.If(advance):
            m.d.sync += fetched.eq(issue)
        # The test stands in front of the word's register: behind it lies the choice of the detection's nodes.
        def tested(valid, found):
            return Cat(valid, Cat(self._exceeds(found[lane]) for lane in range(lanes)), found)

        here = Cat(held, kept, word)
        if not geometry.output_registers:
            m.submodules.activations = activations = memory.Memory(
                shape=layout, depth=2 * slots // lanes, init=[], attrs={"no_rw_check": 1})
            write = activations.write_port(granularity=1 if lanes > 1 else None)
            read = activations.read_port()
            m.d.comb += [
                write.addr.eq(address[lane_bits:]),
                write.en.eq(written),
                *(write.data[i].eq(value) for i in range(lanes)),
                read.addr.eq(scan_word),
                read.en.eq(advance),
                advance.eq(taken),
            ]
            with m.If(taken):
                m.d.sync += here.eq(tested(fetched, read.data))
        else:
            # `ready` comes late in the cycle, so what stands before `word` hears of it a cycle later: what
            # was on its way then stands in `spare`. If that cycle fetched nothing, the address goes on
            # trying, so that words come in the same cycles as if all stages had stood still at once.
            waiting = Signal()
            registered = Signal()
            m.submodules.activations = activations = BlockMemory(
                words=2 * slots // lanes, bits=layout.size, output_register=True, lanes=lanes)
            arriving = tested(registered, data.View(layout, activations.read_data))
            spare = Signal(len(arriving), reset_less=True)
            m.d.comb += [
                activations.write_address.eq(address[lane_bits:]),
                activations.write_enable.eq(written),
                activations.write_data.eq(value.replicate(lanes)),
                activations.read_address.eq(scan_word),
                activations.read_enable.eq(advance),
                activations.hold.eq(waiting),
                advance.eq(~waiting | ~fetched),
            ]
            m.d.sync += waiting.eq(~taken)
            with m.If(~waiting):
                m.d.sync += [registered.eq(fetched), spare.eq(arriving)]
            with m.If(taken):
                m.d.sync += here.eq(Mux(waiting, spare, arriving))
        m.d.comb += [
            taken.eq(~held | self.o.ready),
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
