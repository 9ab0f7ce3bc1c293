"""One processing element (EIE, figure 4(b)): from the broadcast to the next layer's nonzeros."""

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import Geometry
from golden.memories import ALL_PES, Memory
from golden.steps import Token
from hdl.activation_file import ActivationFile
from hdl.activation_queue import ActivationQueue
from hdl.arithmetic import Arithmetic, Operation
from hdl.layouts import (
    PE_BITS,
    detection_layout,
    operation_layout,
    queue_layout,
    read_layout,
    token_fields,
    token_layout,
    write_layout,
)
from hdl.matrix_read import MatrixRead
from hdl.pointer_read import PointerRead
from hdl.requantise import Requantise
from hdl.stream_buffer import StreamBuffer
from hdl.weight_decode import WeightDecode

READ_LATENCY = 6
"""Cycles from a read request at a PE to its answer."""


class ProcessingElement(wiring.Component):
    """Multiply the broadcast activations with this PE's rows.

    ::

        tokens -> buffer -> pointer read -> activation queue -> matrix read -> weight decode -> arithmetic
                     |                                                                             |
                     +-> scan of the activation file -> detection          requantise <------------+
                                  ^                                             |
                                  +---------------------------------------------+

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    pe : In(8)
        This PE's number; constant.
    clear : In(1)
        Reset of all but the memories.
    tokens : In(stream of token_layout)
    detection : Out(stream of detection_layout)
    phase : Out(1)
        Toggles when the last activation of a step marked `final` has been written.
    write_valid, write : In
        Load path: one word per cycle; the matrix, pointer and codebook memories take it at any time.
    read_valid, read : In
        While the PE is idle: a request, held until it is answered.
    answer_valid, answer : Out
        The word, from `READ_LATENCY` cycles after the request; zero at all other times.
    """

    def __init__(self, geometry: Geometry):
        self._geometry = geometry
        super().__init__({
            "pe":           In(PE_BITS),
            "clear":        In(1),
            "tokens":       In(stream.Signature(token_layout(geometry))),
            "detection":    Out(stream.Signature(detection_layout(geometry))),
            "phase":        Out(1),
            "write_valid":  In(1),
            "write":        In(write_layout(geometry)),
            "read_valid":   In(1),
            "read":         In(read_layout()),
            "answer_valid": Out(1),
            "answer":       Out(geometry.data_bits),
        })

    def elaborate(self, platform):
        m = Module()
        self._build(m)
        return ResetInserter(self.clear)(m)

    def _build(self, m):
        geometry = self._geometry
        m.submodules.buffer = buffer = StreamBuffer(token_layout(geometry))
        m.submodules.pointer_read = pointer_read = PointerRead(geometry)
        m.submodules.activation_queue = queue = ActivationQueue(
            queue_layout(geometry), depth=geometry.queue_depth, bypass=geometry.output_registers)
        m.submodules.matrix_read = matrix_read = MatrixRead(geometry)
        m.submodules.weight_decode = weight_decode = WeightDecode(geometry)
        m.submodules.arithmetic = arithmetic = Arithmetic(geometry)
        m.submodules.requantise = requantise = Requantise(geometry)
        m.submodules.activation_file = activation_file = ActivationFile(geometry)

        # Compute path.
        wiring.connect(m, wiring.flipped(self.tokens), buffer.i)
        wiring.connect(m, buffer.o, pointer_read.i)
        wiring.connect(m, pointer_read.o, queue.i)
        wiring.connect(m, queue.o, matrix_read.i)
        wiring.connect(m, matrix_read.o, weight_decode.i)
        wiring.connect(m, activation_file.o, wiring.flipped(self.detection))
        token = buffer.o.payload
        m.d.comb += [
            weight_decode.layer.eq(matrix_read.layer),
            weight_decode.finish.eq(matrix_read.finish),
            arithmetic.i_valid.eq(weight_decode.o_valid),
            arithmetic.i.eq(weight_decode.o),
            requantise.shift.eq(matrix_read.drain.shift),
            requantise.relu.eq(matrix_read.drain.relu),
            requantise.i_valid.eq(arithmetic.drained),
            requantise.i_row.eq(arithmetic.row),
            requantise.i_sum.eq(arithmetic.sum),
            requantise.i_end.eq(arithmetic.end),
            activation_file.destination.eq(matrix_read.finish.destination),
            activation_file.destination_slot.eq(matrix_read.drain.destination_slot),
            activation_file.result_valid.eq(requantise.o_valid),
            activation_file.result_row.eq(requantise.o_row),
            activation_file.result.eq(requantise.o),
            activation_file.threshold_valid.eq(
                buffer.o.valid & buffer.o.ready & (token.kind == Token.POINTERS)),
            activation_file.threshold.eq(
                data.View(token_fields(Token.POINTERS), token.payload[:32]).threshold),
            activation_file.scan_valid.eq(buffer.o.valid & buffer.o.ready & (token.kind == Token.SCAN)),
            activation_file.scan.eq(data.View(token_fields(Token.SCAN), token.payload[:32])),
        ]

        # The step's end: two cycles after the last result the file holds it, and the pipeline is empty.
        ended = Signal(2)
        m.d.sync += ended.eq((ended << 1) | requantise.o_end)
        m.d.comb += matrix_read.settled.eq(ended[1])
        with m.If(ended[1] & matrix_read.finish.final):
            m.d.sync += self.phase.eq(~self.phase)
        saturations = Signal(16)
        m.d.sync += saturations.eq(saturations + requantise.saturated)

        # Load path.
        write = Signal.like(self.write, reset_less=True)
        write_hit = Signal()
        m.d.sync += [
            write.eq(self.write),
            write_hit.eq(self.write_valid & ((self.write.pe == self.pe) | (self.write.pe == ALL_PES))),
        ]
        loaded = {
            Memory.MATRIX: matrix_read,
            Memory.POINTERS: pointer_read,
            Memory.CODEBOOK: weight_decode,
            Memory.ACTIVATIONS: activation_file,
        }
        for memory, unit in loaded.items():
            m.d.comb += [
                unit.write_enable.eq(write_hit & (write.memory == memory)),
                unit.write_address.eq(write.address),
                unit.write_data.eq(write.data),
            ]

        # Readback path.
        read = Signal.like(self.read, reset_less=True)
        read_hit = Signal()
        m.d.sync += [
            read.eq(self.read),
            read_hit.eq(self.read_valid & (self.read.pe == self.pe)),
        ]
        for memory, unit in loaded.items():
            m.d.comb += [
                unit.peek.eq(read_hit & (read.memory == memory)),
                unit.peek_address.eq(read.address),
            ]
        waiting = Signal(READ_LATENCY - 2)
        m.d.sync += waiting.eq((waiting << 1) | read_hit)
        answer = Signal.like(self.answer)
        with m.Switch(read.memory):
            for memory, unit in {**loaded, Memory.ACCUMULATORS: arithmetic}.items():
                with m.Case(memory):
                    m.d.comb += answer.eq(unit.peek_data)
            with m.Case(Memory.COUNTERS):
                m.d.comb += answer.eq(saturations)
        m.d.sync += [
            self.answer_valid.eq(waiting[-1]),
            self.answer.eq(Mux(waiting[-1], answer, 0)),
        ]

        # The accumulators are loaded and read through the arithmetic unit.
        setting = write_hit & (write.memory == Memory.ACCUMULATORS)
        reading = read_hit & (read.memory == Memory.ACCUMULATORS)
        direct = Signal(operation_layout(geometry))
        m.d.comb += [
            direct.kind.eq(Mux(setting, Operation.SET, Operation.READ)),
            direct.row.eq(Mux(setting, write.address, read.address)),
            direct.immediate.eq(write.data),
            weight_decode.direct_valid.eq(setting | reading),
            weight_decode.direct.eq(direct),
        ]
