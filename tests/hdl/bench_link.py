"""Bench of the whole link, from the serial pins to a modelled engine; and of a device's lamps."""

import zlib

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge
from cocotb.utils import get_sim_time

from golden import protocol
from golden.activations import encode, form
from golden.geometry import Geometry
from golden.image import SECTION, bytes_to_words, pieces, words_to_bytes
from golden.memories import ALL_PES, Memory, depth, word_bits, word_bytes
from golden.payloads import of_activations
from golden.protocol import DAMAGED, REPLY, WHOLE, Code, Frame, Identity, Request, Status
from tests.hdl.bench_frames import damage
from tests.hdl.engine_model import EngineModel
from tests.hdl.link_reference import LinkReference, words_of
from tests.hdl.serial_line import CLOCK_NS, SerialLine
from tests.hdl.streams import cycles, parameters, rng, start


class Bench:
    """The design with its line, its engine, and what it should reply."""

    def __init__(self, dut: HierarchyObject) -> None:
        self.given = given = parameters()
        self.dut, self.rng = dut, rng()
        self.geometry = Geometry(**given["geometry"])
        self.limit, self.window = given["limit"], given["window"]
        self.sequence = 0
        self.expected: list[Frame] = []

    async def begin(self) -> None:
        """Reset, and start line and engine."""
        await start(self.dut, rx=1)
        self.line = SerialLine(self.dut, self.given["divisor"])
        self.engine = EngineModel(self.dut, self.geometry, self.rng, 0.2)
        self.reference = LinkReference(
            self.geometry, self.given["clock_hz"], self.limit, self.window, self.engine
        )
        await cycles(self.dut, 20)

    def request(self, kind: int, payload: bytes = b"") -> bytes:
        """Wire bytes of a request; its reply is expected from now on."""
        self.sequence = self.sequence + 1 & 0xFF
        self.reference.counters[0] += 1
        code, answer = self.reference.reply(kind, payload)
        self.expected.append(Frame(kind | REPLY, self.sequence, bytes([code]) + answer))
        return protocol.encode(Frame(kind, self.sequence, payload))

    def nonsense(self, wire: bytes) -> bytes:
        """Wire bytes of a frame that is no good."""
        self.reference.counters[1] += 1
        self.expected.append(Frame(DAMAGED, 0, bytes([Code.DAMAGED_FRAME])))
        return wire + b"\0"

    async def compare(self) -> None:
        """Take all replies that are due."""
        for expected in self.expected:
            found = await self.line.reply()
            assert found == expected
        self.expected.clear()
        assert self.line.frames.empty()

    async def run(self, requests: list[bytes]) -> None:
        """Send requests with never more than the window unanswered, and compare the replies."""
        waiting = 0
        for wire in requests:
            if waiting == self.window:
                assert await self.line.reply() == self.expected.pop(0)
                waiting -= 1
            await self.line.send(wire)
            waiting += 1
        await self.compare()


@cocotb.test()
async def link_loads_at_full_rate(dut: HierarchyObject) -> None:
    """The line never rests: a frame arrives while the one before is carried out and answered."""
    bench = Bench(dut)
    await bench.begin()
    words = [bench.rng.getrandbits(16) for _ in range(bench.geometry.codebook_entries)]
    part = SECTION.pack(Memory.CODEBOOK, 2, ALL_PES, 0, len(words)) + words_to_bytes(words, 2)
    image = part * (6 * bench.limit // len(part) + 1)
    wire = [bench.request(Request.BEGIN, protocol.BEGIN.pack(WHOLE, zlib.crc32(image)))]
    offset = 0
    for piece in pieces(image, bench.limit - protocol.DATA.size):
        wire.append(bench.request(Request.DATA, protocol.DATA.pack(offset) + piece))
        offset += len(piece)
    wire += [bench.request(Request.COMMIT), bench.request(Request.STATUS)]
    await bench.line.send(b"".join(wire))
    await bench.compare()
    assert bench.reference.committed == 0b11
    assert bench.engine.writes == words_of(image, bench.geometry, WHOLE)


@cocotb.test()
async def link_answers_in_order(dut: HierarchyObject) -> None:
    """Requests of all kinds and sizes between frames that are damaged in all ways."""
    bench = Bench(dut)
    await bench.begin()
    random, geometry = bench.rng, bench.geometry
    wire = []
    await bench.run(
        [bench.request(Request.BEGIN, protocol.BEGIN.pack(WHOLE, 0)), bench.request(Request.COMMIT)]
    )
    size = word_bytes(geometry, Memory.POINTERS)
    places = 8 * ((bench.limit - protocol.ACTIVATIONS.size) // 17)
    outputs = (bench.limit - 1) // 2
    for _ in range(20):
        kind = random.choice([Request.ACTIVATIONS, Request.READ, Request.OUTPUTS, Request.COMMIT, 77])
        payload = {
            Request.ACTIVATIONS: protocol.ACTIVATIONS.pack(form(places, 2), 0, geometry.activations)
            + encode([random.choice([0, 1000]) for _ in range(places)], 2),
            Request.READ: protocol.PLACE.pack(Memory.POINTERS, size, 0, 0, (bench.limit - 1) // size),
            Request.OUTPUTS: protocol.PLACE.pack(Memory.ACTIVATIONS, 2, 0, 0, outputs),
        }.get(kind, b"")
        wire.append(bench.request(kind, payload))
        if random.random() < 0.5:
            spoilt = damage(wire[-1][:-1], random.choice(["flip", "drop", "truncate"]), random)
            if spoilt != wire[-1][:-1] and b"\0" not in spoilt:
                wire.append(bench.nonsense(spoilt))
    assert sum(frame.type == DAMAGED for frame in bench.expected) >= 4
    await bench.run(wire)
    await bench.run([bench.request(Request.IDENTIFY)])


@cocotb.test()
async def link_survives_noise(dut: HierarchyObject) -> None:
    """Zeros alone are nothing; a byte without stop bit is counted, and a frame left off costs one frame."""
    bench = Bench(dut)
    await bench.begin()
    await bench.line.send(bytes(9))
    await bench.run([bench.request(Request.STATUS)])
    dut.rx.value = 0
    await cycles(dut, 30 * bench.given["divisor"])
    dut.rx.value = 1
    await cycles(dut, 3 * bench.given["divisor"])
    bench.reference.counters[2] += 1
    await bench.run([bench.request(Request.STATUS)])
    await bench.line.send(protocol.encode(Frame(Request.STATUS, 1, b""))[:5])
    await cycles(dut, 2000)
    await bench.line.send(bench.nonsense(b""))
    await bench.compare()
    await bench.run([bench.request(Request.STATUS)])


@cocotb.test()
async def device_shows_what_it_does(dut: HierarchyObject) -> None:
    """The real engine behind the real link."""
    given = parameters()
    await start(dut, rx=1)
    line = SerialLine(dut, given["divisor"])
    geometry = Geometry(**given["geometry"])

    def lamps() -> dict[str, int]:
        return {name: int(getattr(dut, name).value) for name in ("idle", "loading", "computing", "fault")}

    async def ask(kind: Request, payload: bytes = b"") -> tuple[Code, bytes]:
        await line.send(protocol.encode(Frame(kind, 9, payload)))
        reply = await line.reply()
        assert (reply.type, reply.sequence) == (kind | REPLY, 9)
        return Code(reply.payload[0]), reply.payload[1:]

    code, payload = await ask(Request.IDENTIFY)
    identity = Identity.decode(payload)
    assert code == Code.OK
    assert (identity.geometry, identity.clock_hz) == (geometry, given["clock_hz"])
    assert lamps() == {"idle": 1, "loading": 0, "computing": 0, "fault": 0}
    assert await ask(Request.BEGIN, protocol.BEGIN.pack(0, 1)) == (Code.OK, b"")
    assert lamps() == {"idle": 0, "loading": 1, "computing": 0, "fault": 0}
    assert await ask(Request.COMMIT) == (Code.BAD_IMAGE, b"")
    assert lamps() == {"idle": 1, "loading": 0, "computing": 0, "fault": 1}
    assert await ask(Request.RESET) == (Code.OK, b"")
    assert lamps() == {"idle": 1, "loading": 0, "computing": 0, "fault": 0}
    place = protocol.PLACE.pack(Memory.ACTIVATIONS, 2, 1, geometry.activations + 1, 4)
    written = protocol.ACTIVATIONS.pack(form(4, 2), 1, geometry.activations + 1) + b"\x0babcdef"
    assert await ask(Request.ACTIVATIONS, written) == (Code.OK, b"")
    assert await ask(Request.OUTPUTS, place) == (Code.OK, b"abcd\0\0ef")
    await ask(Request.BEGIN, protocol.BEGIN.pack(1, 0))
    assert await ask(Request.COMMIT) == (Code.OK, b"")
    assert await ask(Request.RUN, protocol.RUN.pack(0, 0, 0)) == (Code.OK, b"")
    _, payload = await ask(Request.STATUS)
    status = Status(*protocol.STATUS.unpack(payload))
    assert status.run == 0
    assert status.fault == protocol.Fault.NOT_COMMITTED, "step memory is zero: step 0 wants bank 0"
    assert lamps() == {"idle": 1, "loading": 0, "computing": 0, "fault": 1}


@cocotb.test()
async def device_computes_while_reset(dut: HierarchyObject) -> None:
    """Clearing the accumulators after reset counts as computing."""
    await start(dut, rx=1)
    await RisingEdge(dut.clk)
    assert dut.computing.value == 1
    assert dut.idle.value == 0


@cocotb.test()
async def device_spends_the_line_on_payload(dut: HierarchyObject) -> None:
    """A load through the pins, from BEGIN's first bit to the last bit of COMMIT's reply, in clock cycles."""
    given = parameters()
    await start(dut, rx=1)
    line = SerialLine(dut, given["divisor"])
    geometry, random = Geometry(**given["geometry"]), rng()
    limit, window = protocol.PAYLOAD_LIMIT, protocol.WINDOW
    await cycles(dut, 200)
    image = b""
    for memory in (Memory.MATRIX, Memory.POINTERS, Memory.CODEBOOK):
        size, words = word_bytes(geometry, memory), depth(geometry, memory)
        for pe in range(geometry.pes):
            values = [random.getrandbits(word_bits(geometry, memory)) for _ in range(words)]
            image += SECTION.pack(memory, size, pe, 0, words) + words_to_bytes(values, size)
    requests = [Frame(Request.BEGIN, 0, protocol.BEGIN.pack(WHOLE, zlib.crc32(image)))]
    offset = 0
    for piece in pieces(image, limit - protocol.DATA.size):
        payload = protocol.DATA.pack(offset) + piece
        requests.append(Frame(Request.DATA, len(requests) & 0xFF, payload))
        offset += len(piece)
    requests.append(Frame(Request.COMMIT, 0))

    spent = await transfer(line, requests, window)
    share = len(image) * 10 * given["divisor"] / spent
    dut._log.info("%d bytes in %d cycles: %.1f %% of the line is payload", len(image), spent, 100 * share)
    assert len(image) > given["bytes"]
    assert share >= given["share"]


@cocotb.test()
async def device_decodes_as_fast_as_code_comes(dut: HierarchyObject) -> None:
    """One load as it is and in code, from BEGIN's first bit to the last bit of COMMIT's reply, in cycles."""
    given = parameters()
    await start(dut, rx=1)
    line = SerialLine(dut, given["divisor"])
    await cycles(dut, 200)
    spent = {}
    for way in ("uncoded", "coded"):
        requests = [
            Frame(kind, number & 0xFF, bytes.fromhex(payload))
            for number, (kind, payload) in enumerate(given[way])
        ]
        size = sum(len(protocol.encode(request)) for request in requests)
        spent[way] = await transfer(line, requests, protocol.WINDOW)
        dut._log.info(
            "%s: %d bytes in %d cycles, the line is busy for %.1f %%",
            way, size, spent[way], 1000 * size * given["divisor"] / spent[way],
        )  # fmt: skip
    assert spent["coded"] <= given["ratio"] * spent["uncoded"]


@cocotb.test()
async def device_takes_inputs_as_fast_as_they_come(dut: HierarchyObject) -> None:
    """784 pixels of 8 bits, 19 % of them not zero, four times over, until the last reply has come."""
    given = parameters()
    await start(dut, rx=1)
    line = SerialLine(dut, given["divisor"])
    geometry, random = Geometry(**given["geometry"]), rng()
    limit, window = protocol.PAYLOAD_LIMIT, protocol.WINDOW
    await cycles(dut, 200)
    pixels = [0] * 784
    for place in random.sample(range(784), 149):
        pixels[place] = random.randrange(1, 128)
    requests = []
    for payload in of_activations(geometry, 0, 0, 0, np.array(pixels, dtype=np.int16), limit):
        requests.append(Frame(Request.ACTIVATIONS, len(requests), payload))
    size = sum(len(protocol.encode(request)) for request in requests)
    assert size == 98 + 149 + 2 * (protocol.ACTIVATIONS.size + protocol.OVERHEAD + 2), (
        "maps, values, two frames"
    )
    spent = await transfer(line, 4 * requests, window)
    share = 4 * size * 10 * given["divisor"] / spent
    dut._log.info("4 x %d bytes in %d cycles: the line is busy for %.1f %%", size, spent, 100 * share)
    assert share >= given["busy"]

    found: list[int] = []
    room = (limit - 1) // 2
    for first in range(0, len(pixels), room):
        address, pe = divmod(first, geometry.pes)
        count = min(room, len(pixels) - first)
        place = protocol.PLACE.pack(Memory.ACTIVATIONS, 2, pe, address, count)
        await line.send(protocol.encode(Frame(Request.OUTPUTS, 0, place)))
        found += [int(word) for word in bytes_to_words((await line.reply()).payload[1:], 2)]
    assert found == pixels


async def transfer(line: SerialLine, requests: list[Frame], window: int) -> float:
    """Send requests as a driver does, COMMIT alone, and say how many cycles pass until the last reply."""
    begun, unanswered = get_sim_time("ns"), []
    for request in requests:
        while len(unanswered) == window or (unanswered and request.type == Request.COMMIT):
            await take(line, unanswered.pop(0))
        await line.send(protocol.encode(request))
        unanswered.append(request)
    for request in unanswered:
        await take(line, request)
    return (get_sim_time("ns") - begun) / CLOCK_NS


async def take(line: SerialLine, request: Frame) -> None:
    """Take the reply to a request, which must be good."""
    reply = await line.reply()
    assert (reply.type, reply.sequence) == (request.type | REPLY, request.sequence)
    assert reply.payload[0] == Code.OK
