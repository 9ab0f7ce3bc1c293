"""Activation files of one PE and its leaf of nonzero detection (EIE, section IV, "Activation R/W")."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import ACTIVATION_BITS, Geometry, bits_for
from golden.steps import Token
from hdl.layouts import detection_layout, token_fields


class ActivationFile(wiring.Component):
    """Two sets of activations: one is scanned for nonzeros while the other is written.

    A scan reads one word of `scan_width` slots a cycle and says of each whether an activation in it exceeds
    the threshold in magnitude; those that do not count as zero. A scan that `wait` binds to the drains
    reads a slot only after it was written.

    Latency 3 cycles from `scan_valid` to the first payload; throughput one word per cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    scan_valid, scan : In
        Begin a scan; the one before has ended.
    threshold_valid, threshold : In
        Threshold of the scans that follow.
    o : Out(stream of detection_layout)
    destination, destination_slot : In
        File and first slot that results go to.
    result_valid, result_row, result : In
        A row's new activation.
    write_enable, write_address, write_data : In
        Load path, one activation per cycle, while no result comes. Address = file * activations + slot.
    peek, peek_address : In
    peek_data : Out
        While nothing is scanned: holds the activation 2 cycles after `peek`.
    """

    def __init__(self, geometry: Geometry):
        self._geometry = geometry
        address = range(2 * geometry.activations)
        super().__init__({
            "scan_valid":       In(1),
            "scan":             In(token_fields(Token.SCAN)),
            "threshold_valid":  In(1),
            "threshold":        In(ACTIVATION_BITS),
            "o":                Out(stream.Signature(detection_layout(geometry))),
            "destination":      In(1),
            "destination_slot": In(bits_for(geometry.activations)),
            "result_valid":     In(1),
            "result_row":       In(range(geometry.accumulators)),
            "result":           In(ACTIVATION_BITS),
            "write_enable":     In(1),
            "write_address":    In(address),
            "write_data":       In(ACTIVATION_BITS),
            "peek":             In(1),
            "peek_address":     In(address),
            "peek_data":        Out(ACTIVATION_BITS),
        })

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        lanes = geometry.scan_width
        lane_bits = lanes.bit_length() - 1
        slots = geometry.activations
        m.submodules.activations = activations = memory.Memory(
            shape=data.ArrayLayout(ACTIVATION_BITS, lanes), depth=2 * slots // lanes, init=[])
        write = activations.write_port(granularity=1 if lanes > 1 else None)
        read = activations.read_port()

        # Write: a result one cycle after it comes, or the load path.
        slot = Signal(range(slots))
        m.d.comb += slot.eq(self.destination_slot + self.result_row)
        pending = Signal()
        pending_slot = Signal(range(slots))
        address = Signal(range(2 * slots))
        value = Signal(ACTIVATION_BITS, reset_less=True)
        enable = Signal()
        m.d.sync += [
            pending.eq(self.result_valid),
            pending_slot.eq(slot),
            enable.eq(self.result_valid | self.write_enable),
            address.eq(Mux(self.result_valid, Mux(self.destination, slots, 0) + slot, self.write_address)),
            value.eq(Mux(self.result_valid, self.result, self.write_data)),
        ]
        m.d.comb += [
            write.addr.eq(address[lane_bits:]),
            write.en.eq(Mux(enable, 1 << address[:lane_bits] if lanes > 1 else 1, 0)),
        ]
        m.d.comb += [write.data[i].eq(value) for i in range(lanes)]

        # How far each file has been written since its layer began.
        written = [Signal(range(slots + 1), name=f"written{i}") for i in range(2)]
        for file in range(2):
            with m.If(pending & (self.destination == file)):
                m.d.sync += written[file].eq(pending_slot + 1)
            with m.Elif(self.scan_valid & self.scan.restart & (self.scan.source != file)):
                m.d.sync += written[file].eq(0)

        # Scan: addresses, memory, word; all wait while the payload behind them does.
        remaining = Signal.like(self.scan.words)
        scan_word = Signal(range(2 * slots // lanes))
        scan_slot = Signal(range(slots + lanes + 1))  # first slot after the word
        source = Signal()
        wait = Signal()
        fetched = Signal()
        held = Signal()
        word = Signal(data.ArrayLayout(ACTIVATION_BITS, lanes), reset_less=True)
        advance = Signal()
        readable = ~wait | (Mux(source, written[1], written[0]) >= scan_slot)
        issue = (remaining != 0) & readable
        with m.If(self.scan_valid):
            m.d.sync += [
                remaining.eq(self.scan.words),
                scan_word.eq(Mux(self.scan.source, slots // lanes, 0) + self.scan.first_word),
                scan_slot.eq((self.scan.first_word + 1) * lanes),
                source.eq(self.scan.source),
                wait.eq(self.scan.wait),
            ]
        with m.Elif(issue & advance):
            m.d.sync += [
                remaining.eq(remaining - 1),
                scan_word.eq(scan_word + 1),
                scan_slot.eq(scan_slot + lanes),
            ]
        m.d.comb += [
            read.addr.eq(Mux(self.peek, self.peek_address[lane_bits:], scan_word)),
            read.en.eq(advance),
        ]

        threshold = Signal(ACTIVATION_BITS)
        with m.If(self.threshold_valid):
            m.d.sync += threshold.eq(self.threshold)
        above = Signal(data.ArrayLayout(ACTIVATION_BITS, lanes))
        for lane in range(lanes):
            activation = word[lane].as_signed()
            with m.If((activation > threshold) | (activation < -threshold)):
                m.d.comb += above[lane].eq(word[lane])
        m.d.comb += [
            self.o.valid.eq(held),
            self.o.payload.item.eq(above.as_value() != 0),
            self.o.payload.last.eq(1),
            self.o.payload.activations.eq(above),
            advance.eq(~held | self.o.ready),
        ]
        with m.If(advance):
            m.d.sync += [fetched.eq(issue), held.eq(fetched), word.eq(read.data)]
        peek_lane = Signal(max(lane_bits, 1))
        with m.If(self.peek):
            m.d.sync += peek_lane.eq(self.peek_address[:lane_bits] if lane_bits else 0)
        m.d.comb += self.peek_data.eq(Mux(peek_lane, word[lanes - 1], word[0]))
        return m
