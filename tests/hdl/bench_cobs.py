"""Bench of byte stuffing: decoder and encoder against the `cobs` package."""

import random

import cocotb
from cobs import cobs
from cocotb.handle import HierarchyObject

from hdl.cobs import body_layout, decoded_layout
from tests.hdl.streams import collect, drive, parameters, rng, start

HARD = [
    b"\0",
    b"\0\0\0",
    b"a",
    b"a\0",
    b"\0a",
    bytes(range(1, 254)),
    bytes(range(1, 255)),
    bytes(range(1, 255)) + b"\0",
    bytes(range(1, 256)),
    bytes(range(1, 255)) * 2,
    bytes(range(1, 255)) + b"\0" + bytes(range(1, 255)),
]


def bodies(generator: random.Random, largest: int) -> list[bytes]:
    """Bodies that are easily got wrong, and random ones."""
    made = [body[:largest] for body in HARD]
    for zeros in (0.0, 0.01, 0.5):
        for _ in range(4):
            size = generator.randrange(1, largest + 1)
            made.append(
                bytes(0 if generator.random() < zeros else generator.randrange(256) for _ in range(size))
            )
    return made


@cocotb.test()
async def decodes(dut: HierarchyObject) -> None:
    generator, stall = rng(), parameters()["stall"]
    await start(dut)
    wire, expected = b"", []
    for body in [b"", *bodies(generator, 600)]:
        wire += cobs.encode(body) + b"\0" if body else b"\0"
        expected += [(0, byte) for byte in body] + [(1, 0)]
    for bad in (b"\x05abc", b"\xff" + bytes(range(1, 200)), b"\x03a"):
        wire += bad + b"\0" + cobs.encode(b"good") + b"\0"
        expected += [(0, byte) for byte in bad[1:]] + [(1, 1)] + [(0, byte) for byte in b"good"] + [(1, 0)]
    cocotb.start_soon(drive(dut, "i", list(wire), stall=stall, rng=generator))
    found = await collect(dut, "o", len(expected), stall=stall, rng=generator, layout=decoded_layout())
    assert [(o["last"], o["error"] if o["last"] else o["data"]) for o in found] == expected


@cocotb.test()
async def encodes(dut: HierarchyObject) -> None:
    generator, given = rng(), parameters()
    await start(dut)
    made = bodies(generator, given["largest"])
    items = [
        {"data": byte, "last": int(position == len(body))}
        for body in made
        for position, byte in enumerate(body, 1)
    ]
    wire = b"".join(cobs.encode(body) + b"\0" for body in made)
    cocotb.start_soon(drive(dut, "i", items, stall=given["stall"], rng=generator, layout=body_layout()))
    found = bytes(await collect(dut, "o", len(wire), stall=given["stall"], rng=generator))
    assert found.split(b"\0") == wire.split(b"\0")
