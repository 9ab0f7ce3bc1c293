"""Central control unit, CCU (EIE, section IV, "Central Control Unit")."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import Geometry
from golden.memories import ALL_PES, Memory
from golden.protocol import Fault
from golden.steps import FIELDS, ORDER, WORDS_PER_STEP, Token
from hdl.broadcast import FAN_OUT, levels
from hdl.layouts import (
    activation_fields,
    detection_layout,
    read_layout,
    run_layout,
    token_fields,
    token_layout,
    write_layout,
)

RESET_CYCLES = 8
"""Cycles that the PEs are held in reset."""
QUIET_CYCLES = 4
"""Cycles between the last write and a read, so that the write has arrived."""
ANSWER_CYCLES = 64
"""A read that no memory answers within this many cycles gives zero."""
END_CYCLES = 2
"""Cycles from the last activation's write to the phase, beyond the registers of the gathering tree."""


class Control(wiring.Component):
    """Run steps: broadcast their words, then the activations that detection finds; load and read memories.

    Two modes, as in the paper: in the I/O mode (idle) every memory can be written and read; while a run is
    in progress only the matrix, pointer, codebook and step memories can be written. After reset the
    accumulators are cleared before anything else.

    A step's words take one cycle each, and one more to begin; an activation or a row without nonzeros
    takes one cycle.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    write, read, data, run, committed, busy, fault, step, banks, cycles, stalls
        As in `hdl.engine.Engine`.
    clear : Out(1)
        Reset of everything else in the engine.
    tokens : Out(stream of token_layout)
    detection : In(stream of detection_layout)
    all_high, any_high : In(1)
        Whether all, or any, PEs' `phase` is high.
    load_valid, load : Out
        Load bus.
    ask_valid, ask : Out
        Readback bus: a request, held until it is answered.
    answer_valid, answer : In
    """

    def __init__(self, geometry: Geometry):
        self._geometry = geometry
        super().__init__({
            "write":        In(stream.Signature(write_layout(geometry))),
            "read":         In(stream.Signature(read_layout())),
            "data":         Out(stream.Signature(geometry.data_bits)),
            "run":          In(stream.Signature(run_layout())),
            "committed":    In(2),
            "busy":         Out(1, init=1),
            "fault":        Out(Fault),
            "step":         Out(8),
            "banks":        Out(2),
            "cycles":       Out(32),
            "stalls":       Out(32),
            "clear":        Out(1, init=1),
            "tokens":       Out(stream.Signature(token_layout(geometry))),
            "detection":    In(stream.Signature(detection_layout(geometry))),
            "all_high":     In(1),
            "any_high":     In(1),
            "load_valid":   Out(1),
            "load":         Out(write_layout(geometry)),
            "ask_valid":    Out(1),
            "ask":          Out(read_layout()),
            "answer_valid": In(1),
            "answer":       In(geometry.data_bits),
        })

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        m.submodules.steps = steps = memory.Memory(
            shape=32, depth=geometry.steps * WORDS_PER_STEP, init=[])
        steps_write = steps.write_port()
        steps_read = steps.read_port()

        idle = Signal()
        sweep = Signal()
        sweep_row = Signal(range(geometry.accumulators))
        self._load(m, idle, sweep, sweep_row, steps_write)
        asking = self._readback(m, idle, steps_read)

        index = Signal(range(WORDS_PER_STEP))
        next_index = Signal.like(index)
        steps_left = Signal.like(self.run.payload.count)
        rows_left = Signal(dict(FIELDS[Token.SCAN])["words"])
        row_place = Signal(16)
        phase = Signal()
        faulted = Signal()
        counter = Signal(range(RESET_CYCLES))

        word = Signal(32)  # of the descriptor
        layer = data.View(token_fields(Token.LAYER), word)
        scan = data.View(token_fields(Token.SCAN), word)
        finish = Signal(token_fields(Token.FINISH))
        final = (steps_left == 1) | faulted
        m.d.comb += [
            word.eq(Mux(faulted, 0, steps_read.data)),
            finish.eq(word),
            finish.final.eq(final),
            next_index.eq(index),
        ]
        with m.If(~idle | ~asking):
            m.d.comb += steps_read.addr.eq(self.step * WORDS_PER_STEP + next_index)

        def begin_run():
            m.d.sync += [
                self.step.eq(self.run.payload.first),
                steps_left.eq(self.run.payload.count),
                self.fault.eq(Fault.NONE),
                self.cycles.eq(0),
                self.stalls.eq(0),
                self.busy.eq(1),
                phase.eq(~phase),
                faulted.eq(0),
            ]

        m.d.sync += self.cycles.eq(self.cycles + 1)
        with m.FSM():
            with m.State("Reset"):
                m.d.sync += [counter.eq(counter + 1), self.cycles.eq(0)]
                with m.If(counter == RESET_CYCLES - 1):
                    m.d.sync += self.clear.eq(0)
                    m.next = "Clear"

            with m.State("Clear"):
                m.d.comb += sweep.eq(1)
                m.d.sync += [sweep_row.eq(sweep_row + 1), self.cycles.eq(self.cycles)]
                with m.If(sweep_row == geometry.accumulators - 1):
                    m.d.sync += [sweep_row.eq(0), self.busy.eq(0)]
                    m.next = "Idle"

            with m.State("Idle"):
                m.d.comb += [idle.eq(1), self.run.ready.eq(~asking & ~self.read.valid)]
                m.d.sync += [self.cycles.eq(self.cycles), self.banks.eq(0)]
                with m.If(self.run.valid & self.run.ready & (self.run.payload.count != 0)):
                    begin_run()
                    m.next = "Address"

            with m.State("Address"):
                m.d.sync += index.eq(0)
                m.d.comb += next_index.eq(0)
                m.next = "Words"

            with m.State("Words"):
                refused = (index == 0) & ~self.committed.bit_select(layer.bank, 1)
                m.d.comb += [
                    self.tokens.valid.eq(~refused),
                    self.tokens.payload.payload.eq(
                        Mux(index == ORDER.index(Token.FINISH), finish.as_value(), word)),
                ]
                with m.Switch(index):
                    for i, token in enumerate(ORDER):
                        with m.Case(i):
                            m.d.comb += self.tokens.payload.kind.eq(token)
                with m.If(refused):
                    # Close the run so that the PEs come to rest: drain nothing, finish.
                    m.d.sync += [
                        faulted.eq(1),
                        self.fault.eq(Fault.NOT_COMMITTED),
                        index.eq(ORDER.index(Token.DRAIN)),
                    ]
                with m.Elif(self.tokens.ready):
                    m.d.comb += next_index.eq(index + 1)
                    m.d.sync += index.eq(next_index)
                    with m.If(index == ORDER.index(Token.LAYER)):
                        m.d.sync += self.banks.eq(self.banks | (1 << layer.bank))
                    with m.If(index == ORDER.index(Token.SCAN)):
                        m.d.sync += [rows_left.eq(scan.words), row_place.eq(0)]
                        with m.If(scan.words != 0):
                            m.next = "Scan"
                    with m.If(index == ORDER.index(Token.FINISH)):
                        m.d.sync += [self.step.eq(self.step + ~final), steps_left.eq(steps_left - 1)]
                        m.next = "Address"
                        with m.If(final):
                            m.next = "Wait"

            with m.State("Scan"):
                found = self.detection.payload
                activation = data.View(activation_fields(geometry), self.tokens.payload.payload)
                m.d.comb += [
                    self.tokens.valid.eq(self.detection.valid & found.item),
                    self.tokens.payload.kind.eq(Token.ACTIVATION),
                    Cat(activation[name] for name in ("activation", "second")[:geometry.scan_width]).eq(
                        found.activations),
                    activation.place.eq(row_place + found.pe),
                    self.detection.ready.eq(self.tokens.ready | ~found.item),
                ]
                with m.If(self.tokens.valid & ~self.tokens.ready):
                    m.d.sync += self.stalls.eq(self.stalls + 1)
                with m.If(self.detection.valid & self.detection.ready & found.last):
                    m.d.sync += [
                        row_place.eq(row_place + geometry.pes),
                        rows_left.eq(rows_left - 1),
                    ]
                    with m.If(rows_left == 1):
                        m.next = "Words"

            with m.State("Wait"):
                with m.If(Mux(phase, self.all_high, ~self.any_high)):
                    m.d.sync += [
                        self.cycles.eq(self.cycles - (END_CYCLES + levels(geometry.pes, FAN_OUT))),
                        self.busy.eq(faulted),
                    ]
                    m.next = "Idle"
                    with m.If(faulted):
                        # Steps before the fault may have left sums.
                        m.next = "Clear"
        return m

    def _load(self, m, idle, sweep, sweep_row, steps_write):
        """Route writes to the step memory or the load bus; clear accumulators when asked."""
        target = self.write.payload.memory
        needs_idle = (target == Memory.ACTIVATIONS) | (target == Memory.ACCUMULATORS)
        m.d.comb += self.write.ready.eq(~self.clear & ~sweep & (idle | ~needs_idle))
        accepted = self.write.valid & self.write.ready
        m.d.comb += [
            steps_write.en.eq(accepted & (target == Memory.STEPS)),
            steps_write.addr.eq(self.write.payload.address),
            steps_write.data.eq(self.write.payload.data),
        ]
        m.d.sync += [
            self.load_valid.eq(sweep | (accepted & (target != Memory.STEPS))),
            self.load.eq(self.write.payload),
        ]
        with m.If(sweep):
            m.d.sync += [
                self.load.memory.eq(Memory.ACCUMULATORS),
                self.load.pe.eq(ALL_PES),
                self.load.address.eq(sweep_row),
                self.load.data.eq(0),
            ]

    def _readback(self, m, idle, steps_read):
        """Answer reads one at a time; returns whether one is in progress."""
        asking = Signal()
        own = Signal()
        quiet = Signal(range(QUIET_CYCLES + 1))
        waited = Signal(range(ANSWER_CYCLES))
        with m.If(self.load_valid):
            m.d.sync += quiet.eq(0)
        with m.Elif(quiet != QUIET_CYCLES):
            m.d.sync += quiet.eq(quiet + 1)

        m.d.comb += self.read.ready.eq(idle & ~asking & ~self.answer_valid & (quiet == QUIET_CYCLES))
        with m.If(self.read.valid & self.read.ready):
            m.d.sync += [
                asking.eq(1),
                waited.eq(0),
                self.ask.eq(self.read.payload),
                own.eq(self.read.payload.memory == Memory.STEPS),
                self.ask_valid.eq(self.read.payload.memory != Memory.STEPS),
            ]
        with m.If(idle & asking):
            m.d.comb += steps_read.addr.eq(self.ask.address)
        with m.If(asking & ~self.data.valid):
            m.d.sync += waited.eq(waited + 1)
            late = waited == ANSWER_CYCLES - 1
            with m.If(self.answer_valid | late | (own & (waited == 1))):
                m.d.sync += [
                    self.data.valid.eq(1),
                    self.data.payload.eq(Mux(own, steps_read.data, self.answer)),
                    self.ask_valid.eq(0),
                ]
        with m.If(self.data.valid & self.data.ready):
            m.d.sync += [self.data.valid.eq(0), asking.eq(0)]
        return asking
