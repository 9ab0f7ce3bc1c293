"""Control of the dense engine: layers, row groups, columns."""

from amaranth.hdl import Cat, Module, Mux, Signal
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

    Cycles are those of `golden.dense.dense_cycles`. One flip-flop for each place that the run can be
    in, and counters that run down through zero, so that their sign ends a loop: nothing is compared.

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
            shape=32, depth=geometry.layers * WORDS_PER_LAYER, init=[],
            attrs={"no_rw_check": 1})   # written while idle
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
        layers_left, more = Signal(9), Signal()
        file_start = Signal.like(self.column)
        # Each starts at two less than its cycles; below zero it is over.
        left, left_again = Signal(count_bits), Signal(count_bits)
        pad, pad_again, padded = Signal(count_bits), Signal(count_bits), Signal()
        gap = Signal(7)
        stop_after = Signal(bits_for(geometry.pairs) + 1)

        # At most one of these is high: where the run is.
        accepted, begun, clearing, padding, gapping, finishing = (
            Signal(name=name) for name in (
                "accepted", "begun", "clearing", "padding", "gapping", "finishing"))
        fetch = Signal(FETCH_CYCLES)
        ended = Signal()
        m.d.comb += [
            self.run.ready.eq(~self.busy),
            self.last.eq(self.active & left[-1]),
            ended.eq(self.last & final),
        ]
        m.d.sync += [
            accepted.eq(self.run.valid & self.run.ready),
            begun.eq(accepted),
            fetch.eq(Cat((begun | (gapping & gap[-1])) & more, fetch)),
            self.fresh.eq(fetch[-1]),
            self.active.eq(fetch[-1] | (self.active & ~left[-1]) | (clearing & ~padded)
                           | (padding & pad[-1])),
            clearing.eq(self.last & ~final),
            padding.eq((clearing & padded) | (padding & ~pad[-1])),
            gapping.eq(ended | (gapping & ~gap[-1])),
            finishing.eq((gapping & gap[-1] & ~more) | (finishing & ~self.finished)),
        ]

        # A descriptor word comes a cycle behind its place.
        with m.If(self.run.valid & self.run.ready):
            m.d.sync += [
                place.eq(self.run.payload.first * WORDS_PER_LAYER),
                layers_left.eq(self.run.payload.count),
            ]
        with m.If(fetch[:-1].any()):
            m.d.sync += place.eq(place + 1)
        with m.If(fetch[1 + SHAPE_WORD]):
            m.d.sync += [
                self.settings.rows.eq(word[:16]),
                remaining.eq(word[:16]),
                columns.eq(word[16:]),
            ]
        with m.If(fetch[1 + BASE_WORD]):
            m.d.sync += [self.address.eq(word[:16]), self.settings.bias.eq(word[16:])]
        with m.If(fetch[1 + REST_WORD]):
            m.d.sync += [
                self.settings.shift.eq(word[:8]),
                self.settings.relu.eq(word[8]),
                self.settings.target.eq(~word[9]),
                file_start.eq(Mux(word[9], geometry.activations, 0)),
                layers_left.eq(layers_left - 1),
            ]

        m.d.sync += [
            more.eq(layers_left != 0),
            left_again.eq(columns - 2),
            pad_again.eq(lanes - 3 - columns),
            padded.eq(columns + 1 < lanes),
            final.eq(remaining <= lanes),
            left.eq(Mux(self.active, left - 1, left_again)),
            self.column.eq(Mux(self.active, self.column + 1, file_start)),
            pad.eq(Mux(padding, pad - 1, pad_again)),
            gap.eq(Mux(gapping, gap - 1, geometry.latency - FETCH_CYCLES - 2)),
            self.stop.eq(stop_after == 1),
        ]
        with m.If(self.active):
            m.d.sync += self.address.eq(self.address + 1)
        with m.If(self.last):
            m.d.sync += remaining.eq(remaining - lanes)
        with m.If(ended):
            m.d.sync += stop_after.eq((remaining[:bits_for(lanes)] + 1) >> 1)
        with m.Elif(stop_after != 0):
            m.d.sync += stop_after.eq(stop_after - 1)

        with m.If(self.busy):
            m.d.sync += self.cycles.eq(self.cycles + 1)
        with m.If(begun & ~more):
            m.d.sync += self.busy.eq(0)
        with m.If(finishing & self.finished):
            m.d.sync += [self.busy.eq(0), self.cycles.eq(self.cycles)]
        with m.If(self.run.valid & self.run.ready):
            m.d.sync += [self.busy.eq(1), self.cycles.eq(1)]
        return m
