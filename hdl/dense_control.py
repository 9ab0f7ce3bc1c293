"""Control of the dense engine: layers, row groups, columns."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.dense import (
    BASE_WORD,
    REST_WORD,
    SHAPE_WORD,
    WORDS_PER_LAYER,
    DenseGeometry,
    dense_address_bits,
)
from golden.geometry import bits_for
from hdl.layouts import run_layout
from hdl.requantise import SHIFT_BITS

FETCH_CYCLES = 5
"""Cycles in which a descriptor is read."""


def dense_write_layout() -> data.StructLayout:
    """One word for one memory: `memory` is a `golden.dense.DenseMemory`, `pe` a pair of lanes."""
    return data.StructLayout({"memory": 3, "pe": 16, "address": 16, "data": 32})


def settings_layout(geometry: DenseGeometry) -> data.StructLayout:
    """What the drain of a layer needs to know."""
    return data.StructLayout({
        "rows":     bits_for(geometry.activations),
        "bias":     bits_for(geometry.biases - 1),
        "shift":    SHIFT_BITS,
        "relu":     1,
        "target":   1,
    })


class DenseControl(wiring.Component):
    """Execute layer descriptors: an address and an activation per cycle, row group after row group.

    Cycles are those of `golden.dense.dense_cycles`. Counters run down through zero, so that their sign
    ends a loop and nothing is compared.

    Parameters
    ----------
    geometry : DenseGeometry

    Members
    -------
    write : In
        A descriptor word: valid, address, data; taken at once.
    run : In(stream of run_layout)
    finished : In(1)
        The last row of a layer was written.
    busy : Out(1)
    cycles : Out(32)
    address : Out
        Word of the weights of this cycle's column.
    column : Out
        Address of this cycle's activation.
    active, last : Out(1)
        There is a column in this cycle; it is the last of its row group.
    stop : Out(1)
        As many cycles behind `last` as pairs of lanes have rows, for the last group of a layer.
    settings : Out(settings_layout)
    fresh : Out(1)
        High for a cycle when `settings` are those of another layer.
    """

    def __init__(self, geometry: DenseGeometry):
        self._geometry = geometry
        super().__init__({
            "write":    In(data.StructLayout({"valid": 1, "address": 16, "data": 32})),
            "run":      In(stream.Signature(run_layout())),
            "finished": In(1),
            "busy":     Out(1),
            "cycles":   Out(32),
            "address":  Out(dense_address_bits(geometry)),
            "column":   Out(bits_for(2 * geometry.activations - 1)),
            "active":   Out(1),
            "last":     Out(1),
            "stop":     Out(1),
            "settings": Out(settings_layout(geometry)),
            "fresh":    Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        lanes = geometry.lanes
        m.submodules.layers = layers = memory.Memory(
            shape=32, depth=geometry.layers * WORDS_PER_LAYER, init=[])
        write, read = layers.write_port(), layers.read_port()
        place = Signal.like(read.addr)
        m.d.comb += [
            write.en.eq(self.write.valid),
            write.addr.eq(self.write.address),
            write.data.eq(self.write.data),
            read.addr.eq(place),
        ]
        word = read.data

        count_bits = bits_for(geometry.activations + lanes) + 1
        columns = Signal(count_bits - 1)
        remaining = Signal(count_bits - 1)      # rows of this group and those behind it
        final = Signal()                        # this group is the last
        file_start = Signal.like(self.column)
        layers_left = Signal(9)
        fetched = Signal(3)
        # Each is loaded with two less than its cycles; below zero it is over.
        left, left_again = Signal(count_bits), Signal(count_bits)
        pad, pad_again, padded = Signal(count_bits), Signal(count_bits), Signal()
        gap = Signal(7)
        stop_after = Signal(bits_for(geometry.pairs) + 1)

        m.d.sync += [
            left_again.eq(columns - 2),
            pad_again.eq(lanes - 3 - columns),
            padded.eq(columns + 1 < lanes),
            final.eq(remaining <= lanes),
            self.fresh.eq(0),
            self.stop.eq(stop_after == 1),
        ]
        with m.If(stop_after != 0):
            m.d.sync += stop_after.eq(stop_after - 1)
        with m.If(self.busy):
            m.d.sync += self.cycles.eq(self.cycles + 1)

        with m.FSM():
            with m.State("Idle"):
                m.d.comb += self.run.ready.eq(1)
                m.d.sync += [
                    place.eq(self.run.payload.first * WORDS_PER_LAYER),
                    layers_left.eq(self.run.payload.count),
                    fetched.eq(0),
                ]
                with m.If(self.run.valid & (self.run.payload.count != 0)):
                    m.d.sync += [self.busy.eq(1), self.cycles.eq(1)]
                    m.next = "Fetch"

            with m.State("Fetch"):
                # A word comes a cycle behind its place; the shape comes first, as counters follow from it.
                m.d.sync += [fetched.eq(fetched + 1), place.eq(place + 1)]
                with m.Switch(fetched):
                    with m.Case(1 + SHAPE_WORD):
                        m.d.sync += [
                            self.settings.rows.eq(word[:16]),
                            remaining.eq(word[:16]),
                            columns.eq(word[16:]),
                        ]
                    with m.Case(1 + BASE_WORD):
                        m.d.sync += [self.address.eq(word[:16]), self.settings.bias.eq(word[16:])]
                    with m.Case(1 + REST_WORD):
                        m.d.sync += [
                            self.settings.shift.eq(word[:8]),
                            self.settings.relu.eq(word[8]),
                            self.settings.target.eq(~word[9]),
                            file_start.eq(Mux(word[9], geometry.activations, 0)),
                            layers_left.eq(layers_left - 1),
                        ]
                with m.If(fetched == FETCH_CYCLES - 1):
                    m.d.sync += [
                        self.fresh.eq(1),
                        left.eq(left_again),
                        self.column.eq(file_start),
                        self.active.eq(1),
                        place.eq(place),
                    ]
                    m.next = "Columns"

            with m.State("Columns"):
                last = left[-1]
                m.d.comb += self.last.eq(last)
                m.d.sync += [
                    left.eq(left - 1),
                    self.address.eq(self.address + 1),
                    self.column.eq(self.column + 1),
                    pad.eq(pad_again),
                ]
                with m.If(last):
                    m.d.sync += [self.active.eq(0), remaining.eq(remaining - lanes)]
                    m.next = "Clear"
                    with m.If(final):
                        m.d.sync += [
                            gap.eq(geometry.latency - FETCH_CYCLES - 1),
                            stop_after.eq((remaining[:bits_for(lanes)] + 1) >> 1),
                        ]
                        m.next = "Gap"

            with m.State("Clear"):
                m.d.sync += [left.eq(left_again), self.column.eq(file_start), self.active.eq(~padded)]
                m.next = "Columns"
                with m.If(padded):
                    m.next = "Pad"

            with m.State("Pad"):
                # Rows of the group before are still being drained.
                m.d.sync += pad.eq(pad - 1)
                with m.If(pad[-1]):
                    m.d.sync += self.active.eq(1)
                    m.next = "Columns"

            with m.State("Gap"):
                m.d.sync += [gap.eq(gap - 1), fetched.eq(0)]
                with m.If(layers_left == 0):
                    m.next = "Finish"
                with m.Elif(gap == 0):
                    m.next = "Fetch"

            with m.State("Finish"):
                with m.If(self.finished):
                    m.d.sync += [self.busy.eq(0), self.cycles.eq(self.cycles)]
                    m.next = "Idle"
        return m
