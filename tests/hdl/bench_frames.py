"""Bench of frames: receiver and transmitter against `golden.protocol`."""

import random

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden import protocol
from golden.protocol import DAMAGED, HEADER, Frame
from hdl.cobs import body_layout
from tests.hdl.streams import collect, cycles, drive, parameters, rng, start

EVENTS = ("intact", "damaged", "overrun")


async def count_events(dut: HierarchyObject, counts: dict[str, int]) -> None:
    """Count cycles in which each event is high."""
    while True:
        await RisingEdge(dut.clk)
        for name in EVENTS:
            counts[name] += int(getattr(dut, name).value)


def random_frame(generator: random.Random, limit: int) -> Frame:
    """A request of any type, often without payload or with the largest."""
    size = generator.choice([0, 1, limit, limit - 1, generator.randrange(limit + 1)])
    return Frame(generator.randrange(0x80), generator.randrange(256), generator.randbytes(size))


def stored(frame: Frame) -> bytes:
    """What the receiver keeps of an intact frame."""
    return HEADER.pack(frame.type, frame.sequence, len(frame.payload)) + frame.payload


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


def expected_bytes(wire: bytes) -> tuple[bytes, dict[str, int]]:
    """What the receiver makes of a line's bytes, by golden: bytes for its reader, and events."""
    found, counts = b"", dict.fromkeys(EVENTS, 0)
    for piece in wire.split(b"\0")[:-1]:
        if piece:
            try:
                frame = protocol.decode(piece)
                assert frame.type < protocol.REPLY and len(frame.payload) <= parameters()["limit"]
                found += stored(frame)
                counts["intact"] += 1
            except (ValueError, AssertionError):
                found += bytes([DAMAGED])
                counts["damaged"] += 1
    return found, counts


async def receive(dut: HierarchyObject, wire: bytes, generator: random.Random, stall: float) -> None:
    """Send bytes while a reader keeps up, and compare."""
    expected, events = expected_bytes(wire)
    counts = dict.fromkeys(EVENTS, 0)
    counting = cocotb.start_soon(count_events(dut, counts))
    cocotb.start_soon(drive(dut, "i", list(wire), stall=stall, rng=generator))
    assert bytes(await collect(dut, "o", len(expected), stall=stall / 2, rng=generator)) == expected
    await cycles(dut, 10)
    assert dut.o__valid.value == 0
    counting.cancel()
    assert counts == events


@cocotb.test()
async def receiver_keeps_intact_frames(dut: HierarchyObject) -> None:
    generator, given = rng(), parameters()
    await start(dut)
    for stall in (0.0, 0.3):
        frames = [random_frame(generator, given["limit"]) for _ in range(20)]
        await receive(dut, b"".join(map(protocol.encode, frames)), generator, stall)


@cocotb.test()
async def receiver_marks_damaged_frames(dut: HierarchyObject) -> None:
    generator, given = rng(), parameters()
    await start(dut)
    wire = b""
    for kind in ("flip", "drop", "duplicate", "truncate") * 8:
        whole = protocol.encode(random_frame(generator, given["limit"]))
        wire += damage(whole[:-1], kind, generator) + b"\0" + protocol.encode(random_frame(generator, 20))
    await receive(dut, wire, generator, 0.1)


@cocotb.test()
async def receiver_refuses_wrong_lengths_and_types(dut: HierarchyObject) -> None:
    """Each of these has a good CRC."""
    generator, limit = rng(), parameters()["limit"]
    await start(dut)
    bodies = [b"", b"\1", b"\1\2\3", HEADER.pack(1, 2, 0)[:3]]
    for size, said in (
        (3, 2),
        (3, 4),
        (0, 1),
        (5, 0x105),
        (5, 0xFFFF),
        (limit, limit - 1),
        (8, 4),
        (12, 4),
        (4, 8),
    ):
        bodies.append(HEADER.pack(1, 2, said) + generator.randbytes(size))
    bodies += [HEADER.pack(kind, 2, 1) + b"x" for kind in (0x80, 0x81, 0xFF)]
    bodies += [HEADER.pack(1, 2, size) + generator.randbytes(size) for size in (limit + 1, limit + 40)]
    wire = b"\0\0\0"
    for body in bodies:
        crc = protocol.zlib.crc32(body).to_bytes(4, "little")
        wire += protocol.cobs.encode(body + crc) + b"\0\0" + protocol.encode(Frame(1, 3, b"good"))
    assert expected_bytes(wire)[1] == {"intact": len(bodies), "damaged": len(bodies), "overrun": 0}
    await receive(dut, wire, generator, 0.1)


@cocotb.test()
async def receiver_holds_a_window_of_frames(dut: HierarchyObject) -> None:
    """Nobody reads until all are there."""
    generator, given = rng(), parameters()
    await start(dut)
    counts = dict.fromkeys(EVENTS, 0)
    cocotb.start_soon(count_events(dut, counts))
    for _ in range(3):
        frames = [Frame(2, i, generator.randbytes(given["limit"])) for i in range(given["window"])]
        await drive(dut, "i", list(b"".join(map(protocol.encode, frames))))
        await cycles(dut, 10)
        expected = b"".join(map(stored, frames))
        assert bytes(await collect(dut, "o", len(expected))) == expected
    assert counts == {"intact": 3 * given["window"], "damaged": 0, "overrun": 0}


@cocotb.test()
async def receiver_survives_an_overrun(dut: HierarchyObject) -> None:
    """What does not fit is lost as a whole frame; what was there stays, and what comes after is kept."""
    generator, given = rng(), parameters()
    await start(dut)
    counts = dict.fromkeys(EVENTS, 0)
    cocotb.start_soon(count_events(dut, counts))
    sent = [Frame(2, i, generator.randbytes(given["limit"])) for i in range(3 * given["window"] + 8)]
    await drive(dut, "i", list(b"".join(map(protocol.encode, sent))))
    await cycles(dut, 10)
    kept = counts["intact"]
    assert given["window"] <= kept < len(sent)
    assert counts["intact"] + counts["damaged"] == len(sent)
    assert counts["overrun"] > 0
    expected = b"".join(map(stored, sent[:kept])) + bytes([DAMAGED]) * counts["damaged"]
    assert bytes(await collect(dut, "o", len(expected))) == expected
    await receive(dut, protocol.encode(Frame(1, 2, b"after")), generator, 0.0)


@cocotb.test()
async def receiver_counts_lost_bytes_against_their_frame(dut: HierarchyObject) -> None:
    generator = rng()
    await start(dut)
    frame = protocol.encode(Frame(1, 2, b"abcdef"))
    for place in range(len(frame)):
        await drive(dut, "i", list(frame[:place]))
        dut.lost.value = 1
        await RisingEdge(dut.clk)
        dut.lost.value = 0
        cocotb.start_soon(drive(dut, "i", list(frame[place:])))
        assert await collect(dut, "o", 1) == [DAMAGED], f"byte {place}"
        await receive(dut, frame, generator, 0.2)


@cocotb.test()
async def transmitter_completes_frames(dut: HierarchyObject) -> None:
    generator, given = rng(), parameters()
    await start(dut)
    frames = [random_frame(generator, given["limit"]) for _ in range(12)]
    items = []
    for frame in frames:
        body = stored(frame)
        items += [{"data": byte, "last": int(i == len(body))} for i, byte in enumerate(body, 1)]
    wire = b"".join(map(protocol.encode, frames))
    cocotb.start_soon(drive(dut, "i", items, stall=given["stall"], rng=generator, layout=body_layout()))
    found = bytes(await collect(dut, "o", len(wire), stall=given["stall"], rng=generator))
    assert found.split(b"\0") == wire.split(b"\0")
