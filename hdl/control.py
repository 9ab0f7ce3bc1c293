"""Central control unit, CCU (EIE, section IV, "Central Control Unit")."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import Geometry, bits_for
from golden.memories import ALL_PES, Memory
from golden.protocol import Fault
from golden.steps import WORDS_PER_STEP, Part, Token
from hdl.block_memory import BlockMemory
from hdl.broadcast import FAN_OUT, levels
from hdl.layouts import (
    access_layout,
    detection_layout,
    drain_layout,
    part_fields,
    payload_layout,
    read_layout,
    run_layout,
    scan_layout,
    token_layout,
    write_layout,
)
from hdl.processing_element import READ_LATENCY

RESET_CYCLES = 8
"""Cycles that the PEs are held in reset."""
END_CYCLES = 2
"""Cycles from the last activation's write to the phase, beyond the registers of the gathering tree."""
ORDER = (Part.POINTERS, Part.SCAN, Part.LAYER, Part.DRAIN, Part.FINISH)
"""In which the words of a descriptor are read."""
SUMMING, READY = len(Part), len(Part) + 1
"""What follows the words of a descriptor: `bias_end` is summed up; all settings of the drain stand."""


def answer_cycles(geometry: Geometry) -> int:
    """Cycles that a request stands on the bus before its answer: to the PEs, there, and back."""
    return READ_LATENCY + 2 * levels(geometry.pes, FAN_OUT)


class Control(wiring.Component):
    """Run steps: broadcast Begin, the activations that detection finds, and Finish; load and read memories.

    Two modes, as in the paper: in the I/O mode (idle) every memory can be written and read; while a run is
    in progress only the matrix, pointer, codebook and step memories can be written. After reset the
    accumulators are cleared before anything else.

    Settings of a scan stand before its Begin is sent. Those of a drain are read while the scan lasts, once
    every PE has ended the step before, and stand before the Finish is sent.

    From Finish to the next Begin takes three cycles, an activation or a row without nonzeros one.

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
        While idle the payload names the pointer word that is read.
    detection : In(stream of detection_layout)
    scan : Out(scan_layout)
        While idle `first` names the activation word that is read.
    drain : Out(drain_layout)
    all_high, any_high : In(1)
        Whether all, or any, PEs' `phase` is high.
    access : Out(access_layout)
        Load and readback bus.
    answer : In
    """

    def __init__(self, geometry: Geometry):
        self._geometry = geometry
        access = access_layout(geometry)
        super().__init__({
            "write":     In(stream.Signature(write_layout(geometry))),
            "read":      In(stream.Signature(read_layout())),
            "data":      Out(stream.Signature(geometry.data_bits)),
            "run":       In(stream.Signature(run_layout())),
            "committed": In(2),
            "busy":      Out(1, init=1),
            "fault":     Out(Fault),
            "step":      Out(8),
            "banks":     Out(2),
            "cycles":    Out(32),
            "stalls":    Out(32),
            "clear":     Out(1, init=1),
            "tokens":    Out(stream.Signature(token_layout(geometry))),
            "detection": In(stream.Signature(detection_layout(geometry))),
            "scan":      Out(scan_layout(geometry)),
            "drain":     Out(drain_layout(geometry)),
            "all_high":  In(1),
            "any_high":  In(1),
            "access":    Out(access),
            "answer":    In(access["data"].shape),
        })

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        m.submodules.steps = steps = BlockMemory(
            words=geometry.steps * WORDS_PER_STEP, bits=32, output_register=geometry.output_registers)
        idle = Signal()
        sweep = Signal()
        counter = Signal(range(max(RESET_CYCLES, geometry.accumulators, answer_cycles(geometry) + 1)))
        asking = self._access(m, idle, sweep, counter, steps)

        index = Signal(range(READY + 1))
        next_index = Signal.like(index)
        next_step = Signal.like(self.step)
        steps_left = Signal(range(geometry.steps + 1))
        rows_left = Signal(range(2 * geometry.activations // geometry.scan_width + 1))
        phase = Signal()
        faulted = Signal()
        ended = Signal()
        running = Signal()

        word = steps.read_data
        layer = data.View(part_fields(Part.LAYER), word)
        pointers = data.View(part_fields(Part.POINTERS), word)
        m.d.comb += [
            ended.eq(Mux(phase, self.all_high, ~self.any_high)),
            next_index.eq(index),
            next_step.eq(self.step),
            steps.read_enable.eq(1),
            running.eq(1),
        ]
        m.d.sync += [index.eq(next_index), self.step.eq(next_step), self.cycles.eq(self.cycles + running)]

        def turn(part):
            m.d.comb += next_index.eq(part)
            if geometry.output_registers:
                m.d.comb += going.eq(1)

        # With an output register the memory is a word ahead, and the register goes on with `index`. Whether
        # it does is known late, so both words that may be wanted are named before.
        started = Signal()
        going = Signal()
        wanted = Cat(next_index, next_step)
        if geometry.output_registers:
            wanted = Signal.like(wanted)
            staying, leaving = Signal.like(wanted), Signal.like(wanted)
            beyond = self.step + 1
            words = [Cat(Const(part, len(index)), step) for part, step in (
                *((part, self.step) for part in ORDER), *[(Part.POINTERS, beyond)] * 3, (Part.SCAN, beyond))]
            with m.Switch(index):
                for place, now in enumerate((*ORDER, SUMMING, READY)):
                    with m.Case(now):
                        m.d.comb += [staying.eq(words[place + 1]), leaving.eq(words[place + 2])]
            settled = Signal(init=1)  # the word of `index` was there before
            m.d.sync += settled.eq(~idle)
            with m.If(idle):
                m.d.comb += wanted.eq(Cat(Const(Part.POINTERS, len(index)), next_step))
            with m.Elif(~settled):
                m.d.comb += wanted.eq(words[1])
            with m.Else():
                m.d.comb += wanted.eq(Mux(going, leaving, staying))
            m.d.comb += steps.hold.eq(settled & ~going & ~idle)
        m.d.comb += steps.read_address.eq(Mux(idle & ~started, self.access.address, wanted))

        # The column's length, in nibbles of the pointer memory from its beginning, or in pairs of them.
        fields = payload_layout(Token.ACTIVATION, geometry)
        short = Signal()
        row_place = Signal(bits_for(geometry.pointer_words - 1) + fields["position"].width)
        place = Signal.like(row_place)
        found = self.detection.payload
        activation = data.View(fields, self.tokens.payload.payload[:fields.size])
        begin = payload_layout(Token.BEGIN, geometry)
        pointer = place[fields["position"].width:]
        m.d.comb += place.eq(row_place + Mux(short, found.pe, found.pe << 1))

        ahead = Signal()  # the Begin has gone: time for the settings of the drain
        with m.If(ahead):
            self._read_drain(m, word, index, turn, ended)
        with m.If(ended):
            m.d.sync += self.scan.wait.eq(0)

        m.d.comb += [
            Cat(activation[name] for name in ("activation", "second")[:geometry.scan_width]).eq(
                found.activations),
            activation.position.eq(place),
            activation.address.eq(pointer if geometry.output_registers else pointer + (pointer << 1)),
        ]

        with m.FSM():
            with m.State("Reset"):
                m.d.comb += running.eq(0)
                m.d.sync += counter.eq(counter + 1)
                with m.If(counter == RESET_CYCLES - 1):
                    m.d.sync += [self.clear.eq(0), counter.eq(0)]
                    m.next = "Clear"

            with m.State("Clear"):
                m.d.comb += [sweep.eq(1), running.eq(0)]
                m.d.sync += counter.eq(counter + 1)
                with m.If(counter == geometry.accumulators - 1):
                    m.d.sync += [counter.eq(0), self.busy.eq(0)]
                    m.next = "Idle"

            with m.State("Idle"):
                m.d.comb += [
                    idle.eq(1),
                    running.eq(0),
                    self.run.ready.eq(~asking & ~self.read.valid & ~self.write.valid),
                    activation.address.eq(self.access.address),
                ]
                m.d.sync += [
                    self.banks.eq(0),
                    self.scan.first.eq(self.access.address[geometry.scan_width - 1:]),
                ]
                with m.If(self.run.valid & self.run.ready & (self.run.payload.count != 0)):
                    m.d.comb += [started.eq(1), next_step.eq(self.run.payload.first)]
                    m.d.sync += [
                        steps_left.eq(self.run.payload.count),
                        self.fault.eq(Fault.NONE),
                        self.cycles.eq(-(END_CYCLES + levels(geometry.pes, FAN_OUT))),
                        self.stalls.eq(0),
                        self.busy.eq(1),
                        faulted.eq(0),
                    ]
                    m.next = "Address"

            with m.State("Address"):
                m.d.comb += next_index.eq(Part.POINTERS)
                m.next = "Pointers"

            with m.State("Pointers"):
                turn(Part.SCAN)
                m.d.sync += [
                    self.scan.headroom.eq(~pointers.threshold),
                    row_place.eq(pointers.pointer_base << fields["position"].width),
                ]
                m.next = "Scan-Range"

            with m.State("Scan-Range"):
                turn(Part.LAYER)
                self._read_scan(m, data.View(part_fields(Part.SCAN), word))
                m.d.sync += rows_left.eq(data.View(part_fields(Part.SCAN), word).words)
                m.next = "Begin"

            with m.State("Begin"):
                refused = ~self.committed.bit_select(layer.bank, 1)
                target = data.View(begin, self.tokens.payload.payload[:begin.size])
                m.d.comb += [
                    self.tokens.valid.eq(~refused),
                    self.tokens.payload.kind.eq(Token.BEGIN),
                    *(target[name].eq(layer[name]) for name in begin.members if name != "scans"),
                    target.scans.eq(rows_left != 0),
                ]
                m.d.sync += short.eq(layer.short_lengths)
                with m.If(refused):
                    # The steps before it end as they would have.
                    m.d.sync += [faulted.eq(1), self.fault.eq(Fault.NOT_COMMITTED)]
                    m.next = "Wait"
                with m.Elif(self.tokens.ready):
                    turn(Part.DRAIN)
                    m.d.sync += self.banks.eq(self.banks | (1 << layer.bank))
                    m.next = "Finish"
                    with m.If(target.scans):
                        m.next = "Scan"

            with m.State("Scan"):
                m.d.comb += [
                    ahead.eq(1),
                    self.tokens.valid.eq(self.detection.valid & found.item),
                    self.tokens.payload.kind.eq(Token.ACTIVATION),
                    self.detection.ready.eq(self.tokens.ready | ~found.item),
                ]
                with m.If(self.tokens.valid & ~self.tokens.ready):
                    m.d.sync += self.stalls.eq(self.stalls + 1)
                with m.If(self.detection.valid & self.detection.ready & found.last):
                    m.d.sync += [
                        row_place.eq(row_place + Mux(short, geometry.pes, 2 * geometry.pes)),
                        rows_left.eq(rows_left - 1),
                    ]
                    with m.If(rows_left == 1):
                        m.next = "Finish"

            with m.State("Finish"):
                m.d.comb += [
                    ahead.eq(1),
                    self.tokens.valid.eq(index == READY),
                    self.tokens.payload.kind.eq(Token.FINISH),
                ]
                with m.If(self.tokens.valid & self.tokens.ready):
                    turn(Part.POINTERS)
                    m.d.sync += [phase.eq(~phase), steps_left.eq(steps_left - 1)]
                    with m.If(steps_left == 1):
                        m.next = "Wait"
                    with m.Else():
                        m.d.comb += next_step.eq(self.step + 1)
                        m.next = "Pointers"

            with m.State("Wait"):
                with m.If(ended):
                    m.d.sync += self.busy.eq(faulted)
                    m.next = "Idle"
                    with m.If(faulted):
                        # Steps before the fault may have left sums.
                        m.next = "Clear"
        return m

    def _read_scan(self, m, step):
        """Take the settings of a scan. It waits only for a drain that writes its file and has not ended."""
        geometry = self._geometry
        words = geometry.activations // geometry.scan_width
        first = Signal.like(self.scan.first)
        m.d.comb += first.eq(step.first_word + Mux(step.source, words, 0))
        target = self.drain.destination >= geometry.activations
        m.d.sync += [
            self.scan.first.eq(first),
            self.scan.last.eq(first + step.words - 1),
            self.scan.wait.eq(step.wait & (step.source == target)),
        ]

    def _read_drain(self, m, word, index, turn, ended):
        """Take the settings of a drain, as soon as the one before has ended, and sum up where it ends."""
        geometry = self._geometry
        drain = data.View(part_fields(Part.DRAIN), word)
        finish = data.View(part_fields(Part.FINISH), word)
        rows = Signal(range(geometry.accumulators + 1))
        added = Signal.like(self.drain.bias_words)
        with m.Switch(index):
            with m.Case(Part.DRAIN):
                m.d.sync += added.eq(0)
                with m.If(ended):
                    turn(Part.FINISH)
                    m.d.sync += [
                        rows.eq(drain.drain_rows),
                        self.drain.destination.eq(drain.destination_slot),
                        self.drain.shift.eq(drain.shift),
                        self.drain.relu.eq(drain.relu),
                    ]
            with m.Case(Part.FINISH):
                turn(SUMMING)
                m.d.sync += [
                    self.drain.destination.eq(
                        self.drain.destination + Mux(finish.destination, geometry.activations, 0)),
                    self.drain.bias_address.eq(finish.bias_address),
                    self.drain.bias_end.eq(finish.bias_address),
                    self.drain.bias_words.eq(finish.bias_words),
                ]
            with m.Case(SUMMING):
                # A row without a bias counts as a word.
                m.d.sync += [self.drain.bias_end.eq(self.drain.bias_end + rows), added.eq(added + 1)]
                with m.If((added + 1 == self.drain.bias_words) | (self.drain.bias_words == 0)):
                    turn(READY)

    def _access(self, m, idle, sweep, counter, steps):
        """Route writes to the step memory or the bus, and answer reads one at a time.

        Returns whether a read is in progress. Its request stands on the bus, behind all writes; when it has
        been there for long enough, its word is on the way back.
        """
        geometry = self._geometry
        access = self.access
        target = self.write.payload
        request = self.read.payload
        needs_idle = (target.memory == Memory.ACTIVATIONS) | (target.memory == Memory.ACCUMULATORS)
        accepted = self.write.valid & self.write.ready
        everyone = target.pe == ALL_PES
        there = (request.pe < geometry.pes) & ~request.memory.matches(Memory.STEPS, len(Memory))
        asking = Signal()
        asked = self.read.valid & self.read.ready
        own = access.memory == Memory.STEPS
        m.d.comb += [
            self.write.ready.eq(~self.clear & ~sweep & ~asking & (idle | ~needs_idle)),
            steps.write_enable.eq(accepted & (target.memory == Memory.STEPS)),
            steps.write_address.eq(target.address),
            steps.write_data.eq(target.data),
            self.read.ready.eq(idle & ~asking & ~self.write.valid),
            self.data.valid.eq(asking & (counter == answer_cycles(geometry))),
            self.data.payload.eq(Cat(Mux(own, steps.read_data, self.answer[:32]), self.answer[32:])),
        ]
        with m.If(~asking):
            m.d.sync += [
                asking.eq(asked),
                access.write.eq(accepted & (target.memory != Memory.STEPS)
                                & (everyone | (target.pe < geometry.pes))),
                access.read.eq(asked & there),
                access.all.eq(everyone),
                access.data.eq(target.data),
                access.peek.eq(Mux(asked, request.address, 0)),
                *(access[name].eq(Mux(self.write.valid, target[name], request[name]))
                  for name in ("memory", "pe", "address")),
            ]
        with m.Elif(~self.data.valid):
            m.d.sync += counter.eq(counter + 1)
        with m.Elif(self.data.ready):
            m.d.sync += [asking.eq(0), access.read.eq(0), access.peek.eq(0), counter.eq(0)]
        with m.If(sweep):
            m.d.sync += [
                access.write.eq(1),
                access.memory.eq(Memory.ACCUMULATORS),
                access.all.eq(1),
                access.address.eq(counter),
                access.data.eq(0),
            ]
        return asking
