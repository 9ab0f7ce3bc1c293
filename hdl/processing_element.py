"""One processing element (EIE, figure 4(b)): from the broadcast to the next layer's nonzeros."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import Geometry
from golden.memories import Memory, word_bytes
from hdl.activation_file import ActivationFile
from hdl.activation_queue import ActivationQueue
from hdl.arithmetic import FIRST_SHIFT, Arithmetic, Operation
from hdl.layouts import (
    access_layout,
    detection_layout,
    drain_layout,
    operation_layout,
    queue_layout,
    scan_layout,
    token_layout,
)
from hdl.matrix_read import MatrixRead
from hdl.pointer_read import PointerRead
from hdl.requantise import Requantise
from hdl.serial_pointer_read import SerialPointerRead
from hdl.weight_decode import WeightDecode

READ_LATENCY = 6
"""Cycles from a read request at a PE to its answer at most."""


class ProcessingElement(wiring.Component):
    """Multiply the broadcast activations with this PE's rows.

    ::

        tokens -> pointer read -> activation queue -> matrix read -> weight decode -> arithmetic
                     |                                                                    |
                     +-> scan of the activation file -> detection     requantise <--------+
                                  ^                                        |
                                  +----------------------------------------+

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    pe : In
        This PE's number; constant.
    tokens : In(stream of token_layout)
    detection : Out(stream of detection_layout)
    scan : In(scan_layout)
    drain : In(drain_layout)
        Settings, which change as the layouts say.
    phase : Out(1)
        Toggles when the last activation of a step has been written.
    access : In(access_layout)
        Load path: one word per cycle; the matrix, pointer and codebook memories take it at any time. While
        the PE is idle a word can be read. For one of the pointer memory `tokens` names the pointer word
        as an Activation does, without being valid; for an activation `scan.first` names its word.
    answer : Out
        The word asked for, `READ_LATENCY` cycles after the request, in which bits beyond its bytes may
        be anything; zero while nothing is asked here.
    """

    def __init__(self, geometry: Geometry):
        self._geometry = geometry
        access = access_layout(geometry)
        super().__init__({
            "pe":        In(access["pe"].shape),
            "tokens":    In(stream.Signature(token_layout(geometry))),
            "detection": Out(stream.Signature(detection_layout(geometry))),
            "scan":      In(scan_layout(geometry)),
            "drain":     In(drain_layout(geometry)),
            "phase":     Out(1),
            "access":    In(access),
            "answer":    Out(access["data"].shape),
        })

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        m.submodules.pointer_read = pointer_read = (
            PointerRead if geometry.output_registers else SerialPointerRead)(geometry)
        m.submodules.activation_queue = queue = ActivationQueue(
            queue_layout(geometry), depth=geometry.queue_depth, bypass=geometry.output_registers)
        m.submodules.matrix_read = matrix_read = MatrixRead(geometry)
        m.submodules.weight_decode = weight_decode = WeightDecode(geometry)
        m.submodules.arithmetic = arithmetic = Arithmetic(geometry)
        m.submodules.requantise = requantise = Requantise(geometry)
        m.submodules.activation_file = activation_file = ActivationFile(geometry)

        # Compute path.
        wiring.connect(m, wiring.flipped(self.tokens), pointer_read.i)
        wiring.connect(m, pointer_read.o, queue.i)
        wiring.connect(m, queue.o, matrix_read.i)
        wiring.connect(m, matrix_read.o, weight_decode.i)
        wiring.connect(m, activation_file.o, wiring.flipped(self.detection))
        operation = weight_decode.o.kind
        m.d.comb += [
            pointer_read.bias_address.eq(self.drain.bias_address),
            *([matrix_read.bias_address.eq(self.drain.bias_address)] if geometry.output_registers else []),
            matrix_read.bias_end.eq(self.drain.bias_end),
            matrix_read.bias_words.eq(self.drain.bias_words),
            matrix_read.settled.eq(weight_decode.o_valid & (operation == Operation.END)),
            weight_decode.layer.index_bits.eq(matrix_read.begin.index_bits),
            weight_decode.layer.codebook_base.eq(matrix_read.begin.codebook_base),
            weight_decode.finish.bias_words.eq(self.drain.bias_words),
            arithmetic.i_valid.eq(weight_decode.o_valid),
            arithmetic.i.eq(weight_decode.o),
            arithmetic.coarse.eq(self.drain.shift[FIRST_SHIFT.bit_length() - 1]),
            requantise.shift.eq(self.drain.shift),
            requantise.relu.eq(self.drain.relu),
            requantise.i_valid.eq(arithmetic.drained),
            requantise.i_row.eq(arithmetic.row),
            requantise.i_sum.eq(arithmetic.sum),
            requantise.i_half.eq(arithmetic.half),
            requantise.i_end.eq(arithmetic.end),
            activation_file.scan.eq(self.scan),
            activation_file.begin.eq(pointer_read.scan),
            activation_file.destination.eq(self.drain.destination),
            activation_file.finish.eq(pointer_read.finish),
            activation_file.result_valid.eq(requantise.o_valid),
            activation_file.result.eq(requantise.o),
        ]

        m.d.sync += self.phase.eq(self.phase ^ requantise.o_end)
        saturations = Signal(16)
        m.d.sync += saturations.eq(saturations + requantise.saturated)

        # Load path.
        access = self.access
        mine = access.pe == self.pe
        writing = access.write & (mine | access.all)
        loaded = {
            Memory.MATRIX: matrix_read,
            Memory.POINTERS: pointer_read,
            Memory.CODEBOOK: weight_decode,
            Memory.ACTIVATIONS: activation_file,
        }
        for memory, unit in loaded.items():
            m.d.comb += [
                unit.write_enable.eq(writing & (access.memory == memory)),
                unit.write_address.eq(access.address),
                unit.write_data.eq(access.data),
            ]

        # Readback path.
        m.d.comb += [
            matrix_read.peek.eq(access.peek),
            weight_decode.peek.eq(access.read),
            weight_decode.peek_address.eq(access.address),
            activation_file.peek_lane.eq(access.address),
        ]
        shown = {memory: unit.peek_data for memory, unit in loaded.items()}
        shown |= {Memory.ACCUMULATORS: arithmetic.peek_data, Memory.COUNTERS: saturations}
        m.d.sync += self.answer.eq(Mux(access.read & mine, self._shown(shown), 0))

        # The accumulators are loaded and read through the arithmetic unit.
        direct = Signal(operation_layout(geometry))
        m.d.comb += [
            direct.kind.eq(Mux(access.write, Operation.SET, Operation.READ)),
            direct.row.eq(access.address),
            direct.immediate.eq(access.data),
            weight_decode.direct_valid.eq((writing | access.read) & (access.memory == Memory.ACCUMULATORS)),
            weight_decode.direct.eq(direct),
        ]
        return m

    def _shown(self, words):
        """The word asked for; beyond its bytes stands what makes the choice cheapest."""
        chosen = self.access.memory

        def choose(bit):
            there = [memory for memory in words if bit < 8 * word_bytes(self._geometry, memory)]
            rows = []
            for code in range(1 << len(chosen)):
                word = words[min(there, key=lambda memory: (memory ^ code).bit_count())]
                rows.append(word[bit] if bit < len(word) else Const(0, 1))
            for select in chosen:
                rows = [Mux(select, odd, even) for even, odd in zip(rows[::2], rows[1::2], strict=True)]
            return rows[0]

        return Cat(choose(bit) for bit in range(len(self.answer)))
