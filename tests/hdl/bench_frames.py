"""Bench of the link behind the serial line: frames that are damaged, too long, or too many."""

import random

import cocotb
from cobs import cobs
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden import protocol
from golden.protocol import DAMAGED, HEADER, REPLY, Code, Frame, Request
from tests.hdl.link_bench import LinkBench, ready_bench
from tests.hdl.streams import cycles

SPOILT = Frame(DAMAGED, 0, bytes([Code.DAMAGED_FRAME]))


def damage(wire: bytes, kind: str, generator: random.Random) -> bytes:
    """Wire bytes of a frame, without its closing zero, damaged."""
    place = generator.randrange(len(wire))
    if kind == "flip":
        return wire[:place] + bytes([wire[place] ^ 1 << generator.randrange(8)]) + wire[place + 1 :]
    if kind == "drop":
        return wire[:place] + wire[place + 1 :]
    if kind == "duplicate":
        return wire[:place] + wire[place : place + 1] + wire[place:]
    return wire[: max(1, place)]


def expected_replies(bench: LinkBench, wire: bytes) -> list[Frame]:
    """Replies to bytes that hold requests of unknown types, by golden."""
    found = []
    for piece in wire.split(b"\0")[:-1]:
        if piece:
            try:
                frame = protocol.decode(piece)
                assert frame.type < REPLY and len(frame.payload) <= bench.limit
                code = bench.reference.reply(frame.type, frame.payload)[0]
                found.append(Frame(frame.type | REPLY, frame.sequence, bytes([code])))
                bench.reference.counters[0] += 1
            except (ValueError, AssertionError):
                found.append(SPOILT)
                bench.reference.counters[1] += 1
    return found


async def converse(bench: LinkBench, wires: list[bytes]) -> None:
    """Send pieces of wire, with at most one unanswered, and compare the replies and then the counters."""
    for wire in wires:
        expected = expected_replies(bench, wire)
        await bench.send(wire)
        for reply in expected:
            assert await bench.reply() == reply, wire.hex(" ")
    await bench.ask(Request.STATUS)


def unknown(bench: LinkBench, size: int | None = None) -> Frame:
    """A request of an unknown type, often without payload or with the largest."""
    if size is None:
        size = bench.rng.choice([0, 1, bench.limit, bench.limit - 1, bench.rng.randrange(bench.limit + 1)])
    kind = bench.rng.choice([0, 11, 0x20, 0x7F])
    return Frame(kind, bench.rng.randrange(256), bench.rng.randbytes(size))


@cocotb.test()
async def answers_intact_frames(dut: HierarchyObject) -> None:
    """Payloads of zeros only, without any, and of what means something on the way back."""
    bench = await ready_bench(dut)
    frames = [unknown(bench) for _ in range(8)]
    frames += [Frame(0x7E, 0x7E), Frame(0x7D, 0x7D), Frame(0x5E, 0)]
    frames += [Frame(12, 1, bytes(bench.limit)), Frame(12, 1, b"\x55" * bench.limit)]
    await bench.ask(Request.RESET)
    await converse(bench, [protocol.encode(frame) for frame in frames])


@cocotb.test()
async def marks_damaged_frames(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    await bench.ask(Request.RESET)
    wires = []
    for kind in ("flip", "drop", "duplicate", "truncate") * 6:
        whole = protocol.encode(unknown(bench, bench.rng.choice([0, 3, 20])))
        wires += [damage(whole[:-1], kind, bench.rng) + b"\0", protocol.encode(unknown(bench, 5))]
    await converse(bench, wires)


@cocotb.test()
async def refuses_wrong_lengths_and_types(dut: HierarchyObject) -> None:
    """Each of these has a good CRC."""
    bench = await ready_bench(dut)
    await bench.ask(Request.RESET)
    limit = bench.limit
    bodies = [b"\1", b"\1\2\3", HEADER.pack(1, 2, 0)[:2]]
    for size, said in ((3, 2), (3, 4), (0, 1), (5, 0xFF), (limit, limit - 1), (8, 4), (12, 4), (4, 8)):
        bodies.append(HEADER.pack(1, 2, said) + bench.rng.randbytes(size))
    bodies += [HEADER.pack(kind, 2, 1) + b"x" for kind in (0x80, 0x81, 0xFF)]
    bodies += [
        HEADER.pack(1, 2, min(size, 255)) + bench.rng.randbytes(size) for size in (limit + 1, limit + 8)
    ]
    wires = [b"\0\0\0"]
    for body in bodies:
        crc = protocol.zlib.crc32(body).to_bytes(4, "little")
        wires += [cobs.encode(body + crc) + b"\0\0", protocol.encode(Frame(11, 3, b"good"))]
    await converse(bench, wires)
    assert bench.reference.counters[1] == len(bodies)


@cocotb.test()
async def holds_a_window_of_frames(dut: HierarchyObject) -> None:
    """All are there before the first one is carried out: the engine is slow to take a word."""
    bench = await ready_bench(dut)
    await bench.ask(Request.RESET)
    bench.stall = 0.0
    dut.engine__busy.value = 0
    for _ in range(3):
        frames = [unknown(bench, bench.limit) for _ in range(bench.window)]
        wire = b"".join(map(protocol.encode, frames))
        expected = expected_replies(bench, wire)
        await bench.send(wire)
        for reply in expected:
            assert await bench.reply() == reply
    await bench.ask(Request.STATUS)


@cocotb.test()
async def survives_an_overrun(dut: HierarchyObject) -> None:
    """Of many frames at once some are lost, and what comes afterwards is not; noise does no harm either."""
    bench = await ready_bench(dut)
    await bench.ask(Request.RESET)
    bench.stall = 0.0
    sent = [unknown(bench, bench.limit) for _ in range(3 * bench.window + 8)]
    for wire in (b"".join(map(protocol.encode, sent)), bytes([1]) * 3000, b"\xff" * 3000):
        await bench.send(wire)
        await cycles(dut, 12_000)
        await bench.send(b"\0")
        await cycles(dut, 12_000)
        while not bench.frames.empty():
            reply = await bench.reply()
            assert reply == SPOILT or reply.sequence in {frame.sequence for frame in sent}
    code, payload = await bench.exchange(Request.STATUS)
    status = protocol.Status(*protocol.STATUS.unpack(payload))
    assert code == Code.OK
    assert status.overruns > 0
    assert status.frames > bench.window
    bench.reference.counters = list(status[-3:])
    await converse(bench, [protocol.encode(unknown(bench, 9))])


@cocotb.test()
async def a_lost_byte_costs_its_frame(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    await bench.ask(Request.RESET)
    frame = protocol.encode(Frame(11, 2, b"abcdef"))
    for place in range(0, len(frame) - 1, 3):
        await bench.send(frame[:place])
        dut.lost.value = 1
        await RisingEdge(dut.clk)
        dut.lost.value = 0
        bench.reference.counters[2] += 1
        (expected,) = expected_replies(bench, frame[:place] + frame[place + 1 :])
        assert expected == SPOILT
        await bench.send(frame[place + 1 :])
        assert await bench.reply() == expected
    await bench.ask(Request.STATUS)
