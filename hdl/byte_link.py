"""The link between bytes and the engine: a small processor and the units that it commands."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.protocol import OVERHEAD, PAYLOAD_LIMIT, VERSION, WINDOW, Capability, Fault, Identity, Status
from hdl import firmware
from hdl.assembler import Control, Input, Lamp, Port
from hdl.coded_bytes import CodedBytes
from hdl.engine_port import EnginePort, engine_signature
from hdl.processor import Processor
from hdl.receive_ring import ReceiveRing
from hdl.serial_crc import SerialCRC
from hdl.stuffing import Stuffing

WIRE_OVERHEAD = OVERHEAD + 2
"""Bytes of a request on the wire besides its payload: header, CRC, code byte, and the zero that ends it."""


class ByteLink(wiring.Component):
    """Serves the wire protocol (`golden.protocol`) on streams of bytes.

    Requests wait in a ring buffer that has room for `window` of the largest ones, and are carried out one
    after the other by a small processor. Latency of a short request some 300 cycles; throughput of a load at
    least one byte per 40 cycles with words of two bytes or more.

    Parameters
    ----------
    geometry : golden.geometry.Geometry
        Of the engine.
    clock_hz : int
        Frequency of the clock, as the host is told.
    payload_limit : int
        Bytes of the longest payload, at most 244.
    window : int
        Requests that may be unanswered.
    coded_loads : str or None
        Images may come in code, which a decoder of this form (`hdl.huffman_decoder.FORMS`) decodes.

    Members
    -------
    rx : In(stream)
        Bytes from the host; taken within 2 cycles.
    lost : In(1)
        A byte was lost on its way here.
    tx : Out(stream)
        Bytes to the host.
    loading : Out(1)
        A transaction is open.
    failed : Out(1)
        The last commit was refused, and nothing has begun since.
    flash_fault : In(Fault)
        What went wrong at power-up; told where there is no fault of the engine.
    engine : Out(engine_signature(geometry))

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    def __init__(self, geometry, *, clock_hz, payload_limit=PAYLOAD_LIMIT, window=WINDOW, coded_loads=None):
        for name, value, low, high in (
                ("Clock_hz", clock_hz, 1, (1 << 32) - 1),
                ("Payload limit", payload_limit, 128, 244),
                ("Window", window, 1, 15)):
            if not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{name} must be an integer from {low} to {high}, not {value!r}")
        nothing = Status(*(0 for _ in Status._fields))
        coded = coded_loads is not None
        capabilities = Capability.CODED_LOADS if coded else 0
        identity = Identity(
            VERSION, payload_limit, window, clock_hz, geometry, nothing, capabilities).encode()
        self._identity = identity[:-firmware.STATUS_BYTES]
        first = firmware.ring_first(coded)
        room = first + window * (payload_limit + WIRE_OVERHEAD)
        depth = 1 << room.bit_length()      # one word stays free
        program, variables = firmware.image(geometry, payload_limit=payload_limit, coded=coded)
        self._variables = firmware.addresses(coded)
        self._processor = Processor(
            program, variables, depth=depth, output_registers=geometry.output_registers, coded=coded)
        self._ring = ReceiveRing(first=first, depth=depth)
        self._coded_bytes = CodedBytes(coded_loads, registered=geometry.output_registers) if coded else None
        self._engine_port = EnginePort(geometry)
        self._late_choice = geometry.output_registers
        super().__init__({
            "rx":      In(stream.Signature(8)),
            "lost":    In(1),
            "tx":      Out(stream.Signature(8)),
            "loading": Out(1),
            "failed":  Out(1),
            "flash_fault": In(Fault),
            "engine":  Out(engine_signature(geometry)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.processor = cpu = self._processor
        m.submodules.ring = ring = self._ring
        m.submodules.crc = crc = SerialCRC()
        m.submodules.stuffing = stuffing = Stuffing()
        m.submodules.engine_port = port = self._engine_port
        engine = self.engine
        wiring.connect(m, stuffing.o, wiring.flipped(self.tx))
        for name in ("read", "data", "run") if self._coded_bytes else ("write", "read", "data", "run"):
            wiring.connect(m, getattr(port, f"engine_{name}"), wiring.flipped(getattr(engine, name)))

        # What an instruction does to the units, from flip-flops: one cycle later it is carried out.
        def strobe(condition):
            happens = Signal()
            m.d.sync += happens.eq(cpu.goes & condition)
            return happens

        def does(which):
            return strobe(cpu.with_port & (cpu.port == which))

        def does_any(*ports):
            return strobe(cpu.with_port & Cat(cpu.port == which for which in ports).any())

        def controls(control):
            return strobe(cpu.with_port & (cpu.port == Port.CONTROL) & (cpu.operand & control).any())

        def gets(source):
            return strobe(cpu.with_input & (cpu.operand == source))

        restart = controls(Control.RESTART)
        lost = self._remembered(
            m, self.lost | (ring.full & cpu.arrived), until=gets(Input.LOST) & cpu.value[0])
        broken = self._remembered(m, ring.broken, until=restart)
        settling = Signal()         # the ring does not know yet whether it is full
        m.d.sync += [
            settling.eq(cpu.arrived),
            cpu.ready.rx.eq(ring.available),        # of the byte that the processor reads in this cycle
            cpu.ready.crc.eq(crc.ready),
            cpu.ready.send.eq(stuffing.i.ready),
            cpu.ready.engine.eq(~port.pending),
        ]
        m.d.comb += [
            cpu.last.eq(ring.last),
            cpu.wrong.eq(crc.wrong | broken),
            cpu.busy.eq(engine.busy | port.unfinished),
            cpu.arrival.eq(self.rx.valid & ~settling),
            cpu.arrival_address.eq(ring.put_address),
            cpu.arrival_data.eq(self.rx.payload),
            self.rx.ready.eq(cpu.arrived),
            cpu.rx_address.eq(ring.get_address),
            cpu.rx_mask.eq(ring.code),

            ring.put.eq(cpu.arrived),
            ring.pop.eq(gets_rx := gets(Input.RX)),
            ring.raw.eq(cpu.raw),
            ring.rewind.eq(controls(Control.REWIND)),
            ring.free.eq(release := controls(Control.RELEASE)),
            ring.restart.eq(restart),

            crc.i.eq(cpu.value),
            crc.feed.eq(does_any(Port.CHECK, Port.CHECK_WORD, Port.CHECK_SEND, Port.CHECK_KEEP)),
            crc.exchange.eq(strobe(cpu.with_port & (
                (cpu.port == Port.EXCHANGE) | (cpu.with_input & (cpu.operand == Input.CRC))))),
            crc.restart.eq(restart),

            stuffing.i.payload.data.eq(cpu.value),
            stuffing.i.payload.raw.eq(cpu.number),
            stuffing.i.valid.eq(does_any(Port.SEND, Port.CHECK_SEND)),

            port.i.eq(cpu.value),
            port.restart.eq(restart),
            port.set_pe.eq(does(Port.PE)),
            port.set_all.eq(does(Port.ALL)),
            port.set_low.eq(does(Port.LOW)),
            port.set_high.eq(does(Port.HIGH)),
            port.set_memory.eq(does(Port.MEMORY)),
            port.push.eq(does_any(Port.WORD, Port.CHECK_WORD)),
            port.write.eq(controls(Control.WRITE)),
            port.read.eq(controls(Control.READ)),
            port.run.eq(controls(Control.RUN)),
            port.pop.eq(gets(Input.WORD)),
            engine.reset.eq(controls(Control.RESET)),
        ]
        with m.If(does(Port.COMMITTED)):
            m.d.sync += [
                engine.committed.eq(cpu.value),
                self.loading.eq((cpu.value & Lamp.LOADING).any()),
                self.failed.eq((cpu.value & Lamp.FAILED).any()),
            ]

        first = self._variables["cycles"]
        counters = Cat(engine.cycles, engine.stalls)
        order = [counters[8 * ((i - first) % 8):][:8] for i in range(8)]
        identity = Array(Const(byte, 8) for byte in self._identity)
        # An input is needed one cycle after the processor names it. Where the program's memory is slow for
        # the clock, all of them stand in registers by then, and the choice comes last.
        inputs = {
            Input.COUNTER: Array(order)[cpu.index[:3]],
            Input.IDENTITY: identity[cpu.index],
            Input.STEP: engine.step,
            Input.BANKS: engine.banks,
            Input.FAULT: engine.fault | self.flash_fault,
            **({Input.SHORT: self._coded_bytes.short} if self._coded_bytes else {}),
        }
        chosen, standing = Signal(8), Signal(8)
        if self._late_choice:
            lost = self._registered(m, lost)
            inputs = {which: self._registered(m, value) for which, value in inputs.items()}
            named = cpu.operand
            m.d.comb += cpu.given.eq(chosen)
        else:
            named = cpu.named
            m.d.sync += standing.eq(chosen)
            m.d.comb += cpu.given.eq(standing)
        with m.Switch(named[:4]):
            for which, value in inputs.items():
                with m.Case(which):
                    m.d.comb += chosen.eq(value)
            with m.Default():
                m.d.comb += chosen.eq(lost)
        with m.If(cpu.operand[:4] == Input.WORD):
            m.d.comb += cpu.given.eq(port.o)
        with m.If(cpu.operand[:4] == Input.CRC):
            m.d.comb += cpu.given.eq(crc.o)
        if self._coded_bytes:
            self._decode(m, gets_rx, begin=controls(Control.CODED), end=release)
        return m

    def _decode(self, m, gets_rx, *, begin, end):
        """Put the decoder between ring and processor, and its table beside the engine's memories."""
        m.submodules.coded_bytes = coded = self._coded_bytes
        cpu, ring, port = self._processor, self._ring, self._engine_port
        written, write = port.engine_write, self.engine.write
        to_table = Signal()
        m.d.comb += [
            to_table.eq(written.payload.memory == firmware.TABLE_MEMORY),
            write.payload.eq(written.payload),
            write.valid.eq(written.valid & ~to_table),
            written.ready.eq(write.ready | to_table),
            coded.write.eq(written.valid & to_table),
            coded.address.eq(written.payload.address),
            coded.data.eq(written.payload.data),
            coded.set_size.eq(port.set_low),
            coded.size.eq(cpu.value),
            coded.begin.eq(begin),
            coded.end.eq(end),
            coded.looks.eq(cpu.looks),
            coded.raw.eq(cpu.raw & ~ring.code.replicate(8)),
            coded.take.eq(gets_rx & coded.active),
            cpu.replaced.eq(coded.active),
            ring.pop.eq(coded.pop | (gets_rx & ~coded.active)),
        ]
        m.d.sync += cpu.ready.rx.eq(Mux(coded.active, coded.available, ring.available))
        with m.If(cpu.operand[6]):
            m.d.comb += cpu.given.eq(coded.o)

    def _registered(self, m, value):
        """The value a cycle later."""
        register = Signal(8)
        m.d.sync += register.eq(value)
        return register

    def _remembered(self, m, event, *, until):
        """High from an event on until another one."""
        seen = Signal()
        with m.If(until):
            m.d.sync += seen.eq(0)
        with m.If(event):
            m.d.sync += seen.eq(1)
        return seen
