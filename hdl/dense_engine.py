"""The dense int8 engine: what the sparse one is compared with, on the same chip with the same care."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.dense import DenseGeometry, DenseMemory
from hdl.broadcast import Gather, Spread
from hdl.dense_control import DenseControl, dense_write_layout
from hdl.dense_drain import DenseDrain
from hdl.dense_lanes import DenseLanes, dense_load_layout, operand_layout
from hdl.layouts import read_layout, run_layout
from hdl.verilog import Shared

ANSWER_CYCLES = 2
"""Cycles from a read's address to the word."""


class DenseEngine(wiring.Component):
    """Dense matrix-vector engine: every weight, every activation, a product per lane and cycle.

    ::

        write -> registered tree -> weight memories
                                        |
        activations -> pair 0 -> pair 1 -> ...     2 cycles from pair to pair, a row finished per cycle
             ^             |         |
             |           registered tree
             |                  |
             +---- drain: bias, requantise, saturate

    It speaks the streams of `hdl.engine.Engine`; the load path is the same, but a word of a pair holds two
    weights, and only activations can be read back. It becomes Verilog through `hdl.verilog.emit`.

    Throughput: a column of `lanes` rows per cycle; exact cycles are `golden.dense.dense_cycles`.

    Parameters
    ----------
    geometry : DenseGeometry
    primitives : str or None
        See `hdl.int8_products.Int8Products`.

    Members
    -------
    write : In(stream of dense_write_layout)
        One word for one memory. Taken while idle only; words of weights at any time unless their memories
        have a single port. Throughput one word per cycle.
    read : In(stream of read_layout)
    data : Out(stream of 8)
        The activation asked for. Reads are taken while idle only, one at a time.
    run : In(stream of run_layout)
        Execute `count` layers from layer `first`; taken while idle only.
    busy : Out(1)
    cycles : Out(32)
        Cycles of the last run, from its acceptance to the write of its last activation.
    """

    def __init__(self, geometry: DenseGeometry, *, primitives: str | None = None):
        self._geometry = geometry
        self._primitives = primitives
        super().__init__({
            "write":  In(stream.Signature(dense_write_layout())),
            "read":   In(stream.Signature(read_layout())),
            "data":   Out(stream.Signature(8)),
            "run":    In(stream.Signature(run_layout())),
            "busy":   Out(1),
            "cycles": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        pairs = geometry.pairs
        m.submodules.control = control = DenseControl(geometry)
        m.submodules.drain = drain = DenseDrain(geometry)
        m.submodules.spread = spread = Spread(dense_load_layout(geometry), pes=pairs)
        m.submodules.gather = gather = Gather(geometry.accumulator_bits + 1, pes=pairs)
        asking = Signal()
        wiring.connect(m, wiring.flipped(self.run), control.run)
        m.d.comb += [
            control.run.valid.eq(self.run.valid & ~asking),
            self.run.ready.eq(control.run.ready & ~asking),
            control.finished.eq(drain.finished),
            drain.settings.eq(control.settings),
            drain.fresh.eq(control.fresh),
            Cat(drain.i, drain.i_valid).eq(gather.o),
            self.busy.eq(control.busy),
            self.cycles.eq(control.cycles),
        ]
        accepted = self._load(m, control, drain, spread)
        activation = self._activations(m, control, drain, accepted, asking)

        operand, stop = Signal(operand_layout()), Signal()
        active, last = Signal(), Signal()
        m.d.sync += [
            active.eq(control.active),
            last.eq(control.last),
            operand.activation.eq(Mux(active, activation, 0)),
            operand.clear.eq(last),
            operand.drain.eq(last),
            stop.eq(control.stop),
        ]
        design = DenseLanes(geometry, primitives=self._primitives)
        address = control.address
        for k in range(pairs):
            m.submodules[f"pair{k}"] = pair = Shared(design, "tamis_dense_lanes", kept=True)
            m.d.comb += [
                pair.pair.eq(k),
                pair.load.eq(spread.o[k]),
                pair.address.eq(address),
                pair.operand.eq(operand),
                pair.stop.eq(stop),
                gather.i[k].eq(Cat(pair.row, pair.drained)),
            ]
            address, operand, stop = pair.next_address, pair.next_operand, pair.next_stop
        return m

    def _load(self, m, control, drain, spread):
        """Route words to their memories; returns whether one is taken."""
        word = self.write.payload
        for_weights = word.memory == DenseMemory.WEIGHTS
        any_time = for_weights if not self._geometry.single_port else 0
        accepted = Signal()
        first = Signal(dense_load_layout(self._geometry))   # the first level of the tree
        m.d.comb += [
            self.write.ready.eq(~control.busy | any_time),
            accepted.eq(self.write.valid & self.write.ready),
            spread.i.eq(first),
        ]
        m.d.sync += [
            first.valid.eq(accepted & for_weights),
            first.pair.eq(word.pe),
            first.address.eq(word.address),
            first.data.eq(word.data),
        ]
        for unit, kind in ((control, DenseMemory.LAYERS), (drain, DenseMemory.BIASES)):
            m.d.comb += [
                unit.write.valid.eq(accepted & (word.memory == kind)),
                unit.write.address.eq(word.address),
                unit.write.data.eq(word.data),
            ]
        return accepted

    def _activations(self, m, control, drain, accepted, asking):
        """Activation files; returns the activation whose address came a cycle before."""
        m.submodules.files = files = memory.Memory(
            shape=8, depth=2 * self._geometry.activations, init=[],
            attrs={"no_rw_check": 1})   # an activation is needed a cycle after its write at the earliest
        write, read = files.write_port(), files.read_port()
        word = self.write.payload
        loading = accepted & (word.memory == DenseMemory.ACTIVATIONS)
        m.d.comb += [
            write.en.eq(drain.o_valid | loading),
            write.addr.eq(Mux(drain.o_valid, drain.o_address, word.address)),
            write.data.eq(Mux(drain.o_valid, drain.o, word.data)),
            read.addr.eq(Mux(asking, self.read.payload.address, control.column)),
        ]
        # A read is held at its stream until the answer has gone.
        waited = Signal(range(ANSWER_CYCLES + 1))
        m.d.comb += [
            self.data.valid.eq(waited == ANSWER_CYCLES),
            self.data.payload.eq(read.data),
            self.read.ready.eq(self.data.valid & self.data.ready),
        ]
        with m.If(~asking):
            m.d.sync += asking.eq(self.read.valid & ~control.busy & ~self.run.valid)
        with m.Elif(self.read.ready):
            m.d.sync += [asking.eq(0), waited.eq(0)]
        with m.Elif(~self.data.valid):
            m.d.sync += waited.eq(waited + 1)
        return read.data
