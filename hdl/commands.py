"""The requests of the wire protocol (`golden.protocol`), carried out one after the other."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden import memories, protocol
from golden.memories import Memory
from golden.protocol import HEADER, Code, Fault, Request
from hdl.cobs import body_layout
from hdl.layouts import read_layout, run_layout, write_layout
from hdl.loader import loader_signature
from hdl.status import COUNTERS, STATUS_BYTES, StatusTable

NO_RUN = 0xFFFF
ARGUMENTS = data.UnionLayout({
    "begin": data.StructLayout({"bank": 8, "reserved": 24, "length": 32, "crc": 32}),
    "data":  data.StructLayout({"offset": 32}),
    "place": data.StructLayout({"memory": 8, "word_bytes": 8, "address": 16, "pe": 16, "count": 16}),
    "run":   data.StructLayout({"number": 16, "first": 16, "count": 16}),
})
"""Leading bytes of a request's payload. READ has PE and address the other way round on the wire; for
ACTIVATIONS and OUTPUTS `memory` is the file and `address` the slot."""
ARGUMENT_BYTES = {
    Request.BEGIN: protocol.BEGIN.size,
    Request.DATA: protocol.DATA.size,
    Request.ACTIVATIONS: protocol.ACTIVATIONS.size,
    Request.RUN: protocol.RUN.size,
    Request.READ: protocol.READ.size,
    Request.OUTPUTS: protocol.OUTPUTS.size,
}
ACTIVATION_BYTES = 2
IDENTITY_BYTES = protocol.IDENTITY.size + protocol.GEOMETRY.size + protocol.STATUS.size


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


class Commands(wiring.Component):
    """Reads a request, refuses it or carries it out on loader and engine, and replies.

    A refused request changes nothing, except that ACTIVATIONS stores the values that come before the first
    place out of range. Bytes of the request that its refusal leaves over are dropped. RESET is answered
    when the engine is ready again.

    Latency: a short request is answered within 10 cycles if the reply is taken at once (STATUS takes 40
    more, IDENTIFY 108 more); throughput one byte of an image per cycle, one activation per 2 cycles, and
    for readback one byte per cycle plus the engine's latency for each word.

    Parameters
    ----------
    geometry : golden.geometry.Geometry
    clock_hz : int
        Frequency of the clock, as the host is told.
    payload_limit : int
        Bytes of the longest payload of a reply.
    window : int
        Requests that may be unanswered, as the host is told.

    Members
    -------
    request : In(stream)
        From `hdl.frames.FrameReceiver`.
    reply : Out(stream of `hdl.cobs.body_layout`)
        To `hdl.frames.FrameTransmitter`.
    events : In(struct of `hdl.status.COUNTERS`)
        What the link counts.
    loader : Out(loader_signature(geometry))
    engine : Out(engine_signature(geometry))

    Raises
    ------
    ValueError
        If `clock_hz` is out of range.
    """

    def __init__(self, geometry, *, clock_hz, payload_limit, window):
        self._geometry = geometry
        self._payload_limit = payload_limit
        self._table = StatusTable(geometry, clock_hz=clock_hz, payload_limit=payload_limit, window=window)
        super().__init__({
            "request": In(stream.Signature(8)),
            "reply":   Out(stream.Signature(body_layout())),
            "events":  In(data.StructLayout(dict.fromkeys(COUNTERS, 1))),
            "loader":  Out(loader_signature(geometry)),
            "engine":  Out(engine_signature(geometry)),
        })

    def elaborate(self, platform):
        m = Module()
        geometry, limit = self._geometry, self._payload_limit
        request, reply, loader, engine = self.request, self.reply, self.loader, self.engine
        m.submodules.table = table = self._table

        kind = Signal(7)
        sequence = Signal(8)
        code = Signal(Code)
        arguments = Signal(ARGUMENTS)
        index = Signal(4)                               # byte of header, arguments or word
        left = Signal(range(limit + 1))                 # payload bytes to come, of request or reply
        item = Signal(max(9, len(left), len(table.index)))
        rest = Signal(8)                                # upper byte of what is being sent
        run = Signal(16, init=NO_RUN)

        place = arguments.place
        reads_memory = kind == Request.READ
        reads = reads_memory | (kind == Request.OUTPUTS)

        m.d.comb += [
            table.events.eq(self.events),
            table.status.busy.eq(engine.busy),
            table.status.fault.eq(engine.fault),
            table.status.committed.eq(loader.committed),
            table.status.transaction.eq(loader.transaction),
            table.status.run.eq(run),
            table.status.step.eq(engine.step),
            table.status.received.eq(loader.received),
            table.status.crc_bank0.eq(loader.crc_bank0),
            table.status.crc_bank1.eq(loader.crc_bank1),
            table.status.cycles.eq(engine.cycles),
            table.status.stalls.eq(engine.stalls),
            table.index.eq(item),
            engine.committed.eq(loader.committed),
            engine.run.payload.first.eq(arguments.run.first),
            engine.run.payload.count.eq(arguments.run.count),
            loader.bank.eq(arguments.begin.bank),
            loader.length.eq(arguments.begin.length),
            loader.crc.eq(arguments.begin.crc),
            loader.image.payload.eq(request.payload),
        ]

        # Where the next word is: activations go from PE to PE and then to the next slot.
        pe = Signal(range(geometry.pes))
        address = Signal(range(max(memories.depth(geometry, memory) for memory in Memory) + 1))
        exists = Signal()
        with m.If(reads_memory):
            with m.Switch(place.memory):
                for memory in Memory:
                    with m.Case(memory):
                        m.d.comb += exists.eq(
                            (address < memories.depth(geometry, memory))
                            & (place.word_bytes == memories.word_bytes(geometry, memory))
                            & ((place.pe < geometry.pes) | (memory == Memory.STEPS)))
        with m.Else():
            m.d.comb += exists.eq((place.memory[1:] == 0) & (address < geometry.activations)
                                  & (place.pe < geometry.pes))
        with m.If(place.address[len(address):].any()):
            m.d.comb += exists.eq(0)

        file = place.memory[0] & ~reads_memory
        m.d.comb += [
            engine.read.payload.memory.eq(Mux(reads_memory, place.memory, Memory.ACTIVATIONS)),
            engine.read.payload.pe.eq(pe),
            engine.read.payload.address.eq(address + Mux(file, geometry.activations, 0)),
        ]

        def go_to_start():
            m.d.sync += [pe.eq(place.pe), address.eq(place.address)]

        def step():
            with m.If(reads_memory):
                m.d.sync += address.eq(address + 1)
            with m.Elif(pe == geometry.pes - 1):
                m.d.sync += [pe.eq(0), address.eq(address + 1)]
            with m.Else():
                m.d.sync += pe.eq(pe + 1)

        # Words for the engine: from the loader, except while activations arrive.
        storing = Signal()
        value = Cat(place.count[:8], request.payload)
        with m.If(storing):
            m.d.comb += [
                engine.write.payload.memory.eq(Memory.ACTIVATIONS),
                engine.write.payload.pe.eq(pe),
                engine.write.payload.address.eq(engine.read.payload.address),
                engine.write.payload.data.eq(Cat(value, loader.words.payload.data[16:])),
                engine.write.valid.eq(request.valid & index[0] & exists),
            ]
        with m.Else():
            m.d.comb += [
                engine.write.payload.eq(loader.words.payload),
                engine.write.valid.eq(loader.words.valid),
                loader.words.ready.eq(engine.write.ready),
            ]

        def take_byte():
            m.d.sync += [index.eq(index + 1), left.eq(left - 1)]

        def conclude(outcome):
            m.d.sync += code.eq(outcome)
            m.next = "Drop"

        word_bytes = Signal(4)
        m.d.comb += word_bytes.eq(Mux(reads_memory, place.word_bytes, ACTIVATION_BYTES))
        measured = Signal(len(left) + 1)
        m.d.comb += measured.eq(left + word_bytes)

        behind = Signal(33)
        m.d.comb += behind.eq(loader.received - arguments.data.offset)
        bank_in_use = engine.banks.bit_select(arguments.begin.bank[0], 1)
        first, count = arguments.run.first, arguments.run.count
        steps_bits = geometry.steps.bit_length()
        last_step = Signal(steps_bits + 1)
        m.d.comb += last_step.eq(first[:steps_bits] + count[:steps_bits])
        runs_beyond = (last_step > geometry.steps) | first[steps_bits:].any() | count[steps_bits:].any()

        needed = Signal(4)
        with m.Switch(kind):
            for known, size in ARGUMENT_BYTES.items():
                with m.Case(known):
                    m.d.comb += needed.eq(size)

        head = Array([kind | protocol.REPLY, sequence, left[:8], left[8:], code])

        # READ has address and PE (bytes 2 and 3, 4 and 5) in the other order.
        lane = index ^ Mux(reads_memory & (index[1] ^ index[2]), 0b110, 0)
        keep = Signal()
        with m.If(keep & request.valid):
            m.d.sync += arguments.as_value().word_select(lane, 8).eq(request.payload)
        takes_more = (kind == Request.DATA) | (kind == Request.ACTIVATIONS)

        with m.FSM():
            with m.State("Header"):
                m.d.comb += request.ready.eq(1)
                with m.If(request.valid):
                    m.d.sync += index.eq(index + 1)
                    with m.Switch(index):
                        with m.Case(0):
                            m.d.sync += [kind.eq(request.payload), sequence.eq(0), left.eq(0)]
                            with m.If(request.payload == protocol.DAMAGED):
                                conclude(Code.DAMAGED_FRAME)
                        with m.Case(1):
                            m.d.sync += sequence.eq(request.payload)
                        with m.Case(2):
                            m.d.sync += left[:8].eq(request.payload)
                        with m.Default():
                            m.d.sync += [left[8:].eq(request.payload), index.eq(0)]
                            m.next = "Check"
            with m.State("Check"):
                m.next = "Arguments"
                with m.If(needed == 0):
                    m.next = "Execute"
                with m.If(Mux(takes_more, left < needed, left != needed)
                          | ((kind == Request.ACTIVATIONS) & left[0])):
                    conclude(Code.BAD_LENGTH)
                with m.If((kind == 0) | (kind > max(Request))):
                    conclude(Code.UNKNOWN_REQUEST)
            with m.State("Arguments"):
                m.d.comb += [request.ready.eq(1), keep.eq(1)]
                with m.If(request.valid):
                    take_byte()
                    with m.If(index == needed - 1):
                        m.next = "Execute"
            with m.State("Execute"):
                m.d.sync += [index.eq(ARGUMENT_BYTES[Request.ACTIVATIONS]), item.eq(0)]
                go_to_start()
                conclude(Code.OK)
                with m.Switch(kind):
                    with m.Case(Request.BEGIN):
                        with m.If(arguments.begin.bank > protocol.WHOLE):
                            conclude(Code.OUT_OF_RANGE)
                        with m.Elif(engine.busy & (arguments.begin.bank[1] | bank_in_use)):
                            conclude(Code.BUSY)
                        with m.Else():
                            m.d.comb += loader.open.eq(1)
                    with m.Case(Request.DATA):
                        with m.If(~loader.transaction):
                            conclude(Code.NO_TRANSACTION)
                        with m.Elif(behind[32]):
                            conclude(Code.OFFSET_GAP)
                        with m.Elif(behind[:32] < 1 << len(item)):
                            m.d.sync += item.eq(~behind)
                            m.next = "Image"
                    with m.Case(Request.COMMIT):
                        m.d.comb += loader.commit.eq(1)
                        with m.If(~loader.transaction):
                            conclude(Code.NO_TRANSACTION)
                        with m.Elif(~loader.acceptable):
                            conclude(Code.BAD_IMAGE)
                    with m.Case(Request.ACTIVATIONS):
                        with m.If(engine.busy):
                            conclude(Code.BUSY)
                        with m.Else():
                            m.next = "Activations"
                    with m.Case(Request.RUN):
                        with m.If(arguments.run.number == NO_RUN):
                            conclude(Code.OUT_OF_RANGE)
                        with m.Elif(arguments.run.number == run):
                            conclude(Code.OK)
                        with m.Elif(engine.busy):
                            conclude(Code.BUSY)
                        with m.Elif(loader.committed == 0):
                            conclude(Code.NOT_COMMITTED)
                        with m.Elif(runs_beyond | (count == 0)):
                            conclude(Code.OUT_OF_RANGE)
                        with m.Else():
                            m.next = "Run"
                    with m.Case(Request.READ, Request.OUTPUTS):
                        with m.If(engine.busy):
                            conclude(Code.BUSY)
                        with m.Else():
                            m.d.sync += left.eq(1)
                            m.next = "Measure"
                    with m.Case(Request.RESET):
                        m.d.comb += [engine.reset.eq(1), loader.reset.eq(1), table.reset.eq(1)]
                        m.d.sync += run.eq(NO_RUN)
                        m.next = "Reset"
            with m.State("Image"):
                duplicate = ~item.all()         # counts up from the complement of what was sent before
                with m.If(left != 0):
                    m.d.comb += [
                        loader.image.valid.eq(request.valid & ~duplicate),
                        request.ready.eq(duplicate | loader.image.ready),
                    ]
                    with m.If(request.valid & request.ready):
                        take_byte()
                        with m.If(duplicate):
                            m.d.sync += item.eq(item + 1)
                with m.Elif(~loader.pending):
                    m.next = "Drop"
            with m.State("Activations"):
                m.d.comb += [
                    storing.eq(1),
                    keep.eq(1),
                    request.ready.eq((left != 0) & (~index[0] | engine.write.ready | ~exists)),
                ]
                with m.If(request.valid & request.ready):
                    m.d.sync += [index[0].eq(~index[0]), left.eq(left - 1)]
                    with m.If(index[0]):
                        step()
                        with m.If(~exists):
                            m.d.sync += code.eq(Code.OUT_OF_RANGE)
                with m.If(left == 0):
                    m.next = "Drop"
            with m.State("Run"):
                m.d.comb += engine.run.valid.eq(1)
                m.d.sync += run.eq(arguments.run.number)
                with m.If(engine.run.ready):
                    m.next = "Drop"
            with m.State("Reset"):
                with m.If(~engine.busy):
                    m.next = "Drop"
            with m.State("Measure"):
                m.d.sync += [item.eq(item + 1), left.eq(measured), index.eq(0)]
                step()
                with m.If(item == place.count):
                    m.d.sync += left.eq(left)
                    go_to_start()
                    m.next = "Answer"
                with m.Elif(~exists | (measured > limit)):
                    m.d.sync += left.eq(0)
                    conclude(Code.OUT_OF_RANGE)
            with m.State("Drop"):
                m.d.comb += request.ready.eq(left != 0)
                m.d.sync += index.eq(0)
                with m.If(left == 0):
                    m.d.sync += left.eq(1)
                    with m.If((kind == Request.DATA) & ((code == Code.OK) | (code == Code.OFFSET_GAP))):
                        m.d.sync += [left.eq(1 + protocol.RECEIVED.size), item.eq(table.first_received)]
                    with m.If((kind == Request.IDENTIFY) & (code == Code.OK)):
                        m.d.sync += [left.eq(1 + IDENTITY_BYTES), item.eq(table.first_identity)]
                    with m.If((kind == Request.STATUS) & (code == Code.OK)):
                        m.d.sync += [left.eq(1 + STATUS_BYTES), item.eq(table.first_status)]
                    m.next = "Answer"
                with m.Elif(request.valid):
                    m.d.sync += left.eq(left - 1)
            with m.State("Answer"):
                m.d.comb += [
                    reply.valid.eq(1),
                    reply.payload.data.eq(head[index]),
                    reply.payload.last.eq((index == HEADER.size) & (left == 1)),
                ]
                with m.If(reply.ready):
                    m.d.sync += index.eq(index + 1)
                    with m.If(index == HEADER.size):
                        m.d.sync += [left.eq(left - 1), index.eq(0)]
                        m.next = "Table"
                        with m.If(reads):
                            m.next = "Ask"
                    with m.If(reply.payload.last):
                        m.next = "Header"
            with m.State("Table"):
                m.d.comb += [
                    reply.valid.eq(1),
                    reply.payload.data.eq(Mux(index[0], rest, table.word)),
                    reply.payload.last.eq(left == 1),
                ]
                with m.If(~index[0]):
                    m.d.sync += rest.eq(table.word[8:])
                with m.If(reply.ready):
                    m.d.sync += [index[0].eq(~index[0]), item.eq(item + index[0]), left.eq(left - 1)]
                    with m.If(reply.payload.last):
                        m.d.sync += index.eq(0)
                        m.next = "Header"
            with m.State("Ask"):
                m.d.comb += engine.read.valid.eq(1)
                with m.If(engine.read.ready):
                    m.next = "Word"
            with m.State("Word"):
                m.d.comb += [
                    reply.valid.eq(engine.data.valid),
                    reply.payload.data.eq(engine.data.payload.word_select(index[:3], 8)),
                    reply.payload.last.eq(left == 1),
                ]
                with m.If(reply.valid & reply.ready):
                    take_byte()
                    with m.If(index == word_bytes - 1):
                        m.d.comb += engine.data.ready.eq(1)
                        m.d.sync += index.eq(0)
                        step()
                        m.next = "Ask"
                    with m.If(reply.payload.last):
                        m.next = "Header"
        return m
