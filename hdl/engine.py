"""The engine: central control, broadcast, processing elements, nonzero detection."""

from amaranth.hdl import Cat, Module, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import Geometry
from golden.protocol import Fault
from hdl.broadcast import FAN_OUT, Broadcast, Gather, Spread, levels
from hdl.control import Control
from hdl.layouts import access_layout, drain_layout, read_layout, run_layout, scan_layout, write_layout
from hdl.nonzero_detection import NonzeroDetection
from hdl.processing_element import ProcessingElement
from hdl.stream_buffer import StreamBuffer
from hdl.verilog import Shared


class Engine(wiring.Component):
    """Sparse matrix-vector engine (EIE): nonzero weights times nonzero activations.

    It speaks streams; a link is an adapter around it. It becomes Verilog through `hdl.verilog.emit`, with
    the processing element as one module instanced `geometry.pes` times.

    One nonzero weight per PE and cycle, sustained; exact cycles come from `golden.cycles`.

    Parameters
    ----------
    geometry : Geometry

    Members
    -------
    write : In(stream of write_layout)
        One word for one memory (`golden.memories`). Words for the activation files and the accumulators
        are written only while idle, others at any time. With `Geometry.output_registers` two words wait in
        a register, which a reset clears; runs and reads come after them. Throughput one word per cycle.
    read : In(stream of read_layout)
    data : Out(stream of data_bits)
        The word asked for; bits beyond its bytes may be anything. Reads are taken only while idle, one at
        a time; a word that does not exist reads as zero.
    run : In(stream of run_layout)
        Begin a run; taken only while idle.
    committed : In(2)
        Which banks hold a checked image. A step of another bank is not executed.
    reset : In(1)
        Stop everything; memories keep their contents, accumulators are cleared.
    busy : Out(1)
        A run, or the clearing of accumulators after reset, is in progress.
    fault : Out(4)
        `golden.protocol.Fault` of the last run.
    step : Out(8)
        Step that is running, or that ended last.
    banks : Out(2)
        Banks that the run in progress has used.
    cycles : Out(32)
        Cycles of the last run, from the run's acceptance to the write of its last activation. While a
        run is in progress it begins below zero, as the news of its end takes a few cycles.
    stalls : Out(32)
        Cycles of the last run in which an activation was ready and the broadcast was not.
    """

    def __init__(self, geometry: Geometry):
        self._geometry = geometry
        super().__init__({
            "write":     In(stream.Signature(write_layout(geometry))),
            "read":      In(stream.Signature(read_layout())),
            "data":      Out(stream.Signature(geometry.data_bits)),
            "run":       In(stream.Signature(run_layout())),
            "committed": In(2),
            "reset":     In(1),
            "busy":      Out(1),
            "fault":     Out(Fault),
            "step":      Out(8),
            "banks":     Out(2),
            "cycles":    Out(32),
            "stalls":    Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        pes = geometry.pes
        control = Control(geometry)
        m.submodules.control = ResetInserter(self.reset)(control)
        write = wiring.flipped(self.write)
        if geometry.output_registers:   # the control and who commands it are far apart
            m.submodules.writes = writes = ResetInserter(self.reset)(StreamBuffer(write_layout(geometry)))
            wiring.connect(m, write, writes.i)
            write = writes.o
        wiring.connect(m, write, control.write)
        for port in ("read", "data", "run"):
            wiring.connect(m, wiring.flipped(getattr(self, port)), getattr(control, port))
        m.d.comb += control.committed.eq(self.committed)
        m.d.comb += [
            getattr(self, name).eq(getattr(control, name))
            for name in ("busy", "fault", "step", "banks", "cycles", "stalls")]

        # Lines to all PEs, and everything that comes back.
        lines = data.StructLayout({
            "access": access_layout(geometry),
            "scan":   scan_layout(geometry),
            "drain":  drain_layout(geometry),
        })
        m.submodules.spread = spread = Spread(lines, pes=pes)
        m.submodules.answers = answers = Gather(len(control.answer) + 1, pes=pes)
        m.submodules.phases = phases = Gather(1, pes=pes, combine="and")
        m.d.comb += [
            *(spread.i[name].eq(getattr(control, name)) for name in lines.members),
            Cat(control.answer, control.any_high).eq(answers.o),
            control.all_high.eq(phases.o),
        ]

        # One wire, as late as the lines: chips have global ones for it. It alone resets what follows, since
        # the control clears all after a reset of its own.
        clear = control.clear
        for level in range(2, levels(pes, FAN_OUT) + 1):
            later = Signal(name=f"clear{level}", init=1)
            m.d.sync += later.eq(clear)
            clear = later
        m.submodules.broadcast = broadcast = Shared(Broadcast(geometry), "tamis_broadcast", reset=clear)
        m.submodules.detection = detection = Shared(
            NonzeroDetection(geometry), "tamis_nonzero_detection", reset=clear)
        wiring.connect(m, control.tokens, broadcast.i)
        wiring.connect(m, detection.o, control.detection)

        design = ProcessingElement(geometry)
        for k in range(pes):
            lines_here = spread.o[k]
            pe = Shared(design, "tamis_processing_element", reset=clear, kept=True)
            m.submodules[f"pe{k}"] = pe
            wiring.connect(m, broadcast.o[k], pe.tokens)
            wiring.connect(m, pe.detection, detection.i[k])
            m.d.comb += [
                pe.pe.eq(k),
                *(getattr(pe, name).eq(lines_here[name]) for name in lines.members),
                answers.i[k].eq(Cat(pe.answer, pe.phase)),
                phases.i[k].eq(pe.phase),
            ]
        return m
