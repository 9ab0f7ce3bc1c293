"""The link's side of the engine: registers that make up a word byte by byte, and what is done with it."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.activations import ACROSS, SHORT
from golden.memories import Memory, depth
from golden.protocol import Fault
from hdl.layouts import read_layout, run_layout, write_layout


def engine_signature(geometry):
    """The engine as whoever commands it sees it; see `hdl.engine.Engine`."""
    return wiring.Signature({
        "write":     Out(stream.Signature(write_layout(geometry))),
        "read":      Out(stream.Signature(read_layout())),
        "data":      In(stream.Signature(geometry.data_bits)),
        "run":       Out(stream.Signature(run_layout())),
        "committed": Out(2),
        "reset":     Out(1),
        "busy":      In(1),
        "fault":     In(Fault),
        "step":      In(8),
        "banks":     In(2),
        "cycles":    In(32),
        "stalls":    In(32),
    })


class EnginePort(wiring.Component):
    """Place and data of a word, written byte by byte, the word's lowest byte first.

    Bytes are shifted in from the top; a write first shifts them on until the first one is the lowest, and so
    extends the sign of the last one. After a word was written or read, the place is the next address, or,
    `across` PEs, that of the next activation.

    Across PEs the first byte of each eight places is a *map*, whose bit i says that place i is not zero (see
    `golden.activations`), and all else that is pushed belongs to a value, which is written when its last byte
    has come. Zeros are written without being asked for, and what has no place is dropped.

    Latency of a write up to one cycle for each byte of the widest word; throughput one byte per cycle, or one
    zero.

    Parameters
    ----------
    geometry : golden.geometry.Geometry
        Of the engine.

    Members
    -------
    i : In(8)
        Byte for a register.
    set_pe, set_all, set_low, set_high, set_memory : In(1)
        Take it as PE number, address, or memory. Bit 7 for `set_all` says that all PEs are meant; if not,
        bit 4 that words of the activation memory go across PEs, bit 5 that values have one byte, and bits 0
        to 2 how many places the first map is for, less one.
    push : In(1)
        Take it as the next byte of the word to write, or, across PEs and with no `more` places, as a map.
    write, read, run : In(1)
        Write the word; read it; begin a run of the steps from `address` on, as many as the PE number says
        (0: 256). To be given while nothing is `pending`.
    unfinished : Out(1)
        The last map has places left, the next of which waits for its value if nothing is `pending`; or
        something was dropped since `restart`.
    restart : In(1)
        Forget what is unfinished. To be given while nothing is `pending`.
    pop : In(1)
        Go on to the next byte of the word that was read.
    o : Out(8)
        Byte of the word that was read, the lowest first.
    pending : Out(1)
        The engine has not yet done what was asked.
    engine : Out(stream signatures of `engine_signature`)
        Only the streams `write`, `read`, `data` and `run` are used here.
    """

    def __init__(self, geometry):
        self._last_pe = geometry.pes - 1
        self._last_address = depth(geometry, Memory.ACTIVATIONS) - 1
        self._bytes = -(-geometry.data_bits // 8)
        streams = engine_signature(geometry).members
        controls = (
            "set_pe", "set_all", "set_low", "set_high", "set_memory", "push", "write", "read", "run", "pop")
        super().__init__({
            "i":       In(8),
            **dict.fromkeys(controls, In(1)),
            "o":       Out(8),
            "unfinished": Out(1),
            "restart": In(1),
            "pending": Out(1),
            **{f"engine_{name}": streams[name] for name in ("write", "read", "data", "run")},
        })

    def elaborate(self, platform):
        m = Module()
        word = Signal(8 * self._bytes)
        place = Signal(range(self._bytes))      # bytes shifted in, modulo the word's size
        memory = Signal(3)
        pe = Signal(8)
        all_pes = Signal()
        address = Signal(16)
        allows_across, across, on_last_pe = Signal(), Signal(), Signal()
        nonzero = Signal(8)                     # the map, that of the next place first
        left = Signal(3)                        # places of the map behind the next one
        writing, reading, waiting, running = (Signal(name=name) for name in (
            "writing", "reading", "waiting", "running"))
        short, more, homeless, dropped = Signal(), Signal(), Signal(), Signal()
        shift, maps, completes, fills, due, written, follows, asked = (Signal(name=name) for name in (
            "shift", "maps", "completes", "fills", "due", "written", "follows", "asked"))

        for register, control in (
                (memory, self.set_memory), (pe, self.set_pe),
                (address[:8], self.set_low), (address[8:], self.set_high)):
            with m.If(control):
                m.d.sync += register.eq(self.i)
        with m.If(self.set_all):
            m.d.sync += [
                all_pes.eq(self.i[7]),
                allows_across.eq((self.i & ACROSS).any() & ~self.i[7]),
                short.eq((self.i & SHORT).any()),
                left.eq(self.i),
            ]
        to = (self.engine_write.payload, self.engine_read.payload)
        m.d.comb += [
            *(payload.memory.eq(memory) for payload in to),
            *(payload.pe.eq(Cat(pe, all_pes.replicate(8))) for payload in to),
            *(payload.address.eq(address) for payload in to),
            self.engine_write.payload.data.eq(word),
            self.engine_run.payload.first.eq(address),
            self.engine_run.payload.count.eq(Cat(pe, pe == 0)),
            due.eq(writing & (place == 0)),
            self.engine_write.valid.eq(due & ~homeless),
            self.engine_read.valid.eq(reading),
            self.engine_run.valid.eq(running),
            self.engine_data.ready.eq(waiting),
            across.eq(allows_across & (memory == Memory.ACTIVATIONS)),
            on_last_pe.eq(pe == self._last_pe),
            maps.eq(self.push & across & ~more),
            fills.eq(more & ~nonzero[0]),
            completes.eq(self.push & across & more & (short | place[0])),
            written.eq(due & (self.engine_write.ready | homeless)),
            follows.eq(written & more & (left != 0) & ~nonzero[1]),
            asked.eq(self.engine_read.valid & self.engine_read.ready),
            self.pending.eq(writing | reading | waiting | running | fills),
            self.unfinished.eq(more | dropped),
            self.o.eq(word[:8]),
            shift.eq((self.push & ~maps) | (writing & (place != 0))),
        ]
        with m.If(shift):
            m.d.sync += place.eq(place + 1)
            with m.If(place == self._bytes - 1):
                m.d.sync += place.eq(0)
        with m.If(shift | self.pop):
            m.d.sync += word.eq(Cat(word[8:], Mux(self.push, self.i, word[-1].replicate(8))))
        with m.If(waiting & self.engine_data.valid):
            m.d.sync += [word.eq(self.engine_data.payload), waiting.eq(0)]
        with m.If(maps | written):
            m.d.sync += word.eq(0)              # what is filled in

        with m.If(written | asked):
            m.d.sync += address.eq(address + (~across | on_last_pe))
            with m.If(across):
                m.d.sync += pe.eq(Mux(on_last_pe, 0, pe + 1))
        with m.If(maps):
            m.d.sync += [nonzero.eq(self.i), more.eq(1)]
        # A place that is set is known two cycles before something is due there, the next one is seen ahead.
        m.d.sync += homeless.eq(across & (
            (pe > self._last_pe) | (address > self._last_address)
            | (written & on_last_pe & (address == self._last_address))))
        with m.If(written & homeless):
            m.d.sync += dropped.eq(1)
        with m.If(written & more):
            m.d.sync += [nonzero.eq(nonzero[1:]), left.eq(left - 1), more.eq(left != 0)]

        with m.If(written):
            m.d.sync += writing.eq(0)
        with m.If(asked):
            m.d.sync += [reading.eq(0), waiting.eq(1)]
        with m.If(self.engine_run.valid & self.engine_run.ready):
            m.d.sync += running.eq(0)
        begins = self.write | completes | (fills & ~writing) | follows
        for state, happens in ((writing, begins), (reading, self.read), (running, self.run)):
            with m.If(happens):
                m.d.sync += state.eq(1)
        with m.If(self.restart):
            m.d.sync += [place.eq(0), more.eq(0), dropped.eq(0)]
        return m
