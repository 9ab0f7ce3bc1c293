"""Bench of the link behind the serial line: loads in code, good and bad, against `golden.coded`."""

import zlib
from collections.abc import Iterable

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject

from golden import huffman, protocol
from golden.coded import COUNTS, SYMBOLS, Batch, batches, of_table
from golden.image import SECTION
from golden.memories import Memory, word_bytes
from golden.protocol import WHOLE, Capability, Code, Identity, Request
from tests.hdl.link_bench import LinkBench, ready_bench, section
from tests.hdl.link_reference import words_of
from tests.hdl.streams import parameters


def skewed(bench: LinkBench, memory: Memory, count: int) -> bytes:
    """A section whose bytes are worth coding."""
    size = word_bytes(bench.geometry, memory)
    mask = (1 << parameters()["word_bits"][memory.name]) - 1
    some = [bench.rng.randrange(256) for _ in range(12)]
    words = [
        int.from_bytes(bytes(bench.rng.choices(some, [2**-i for i in range(12)], k=size)), "little") & mask
        for _ in range(count)
    ]
    return section(bench.geometry, memory, bench.geometry.pes - 1, 0, words)


async def send(bench: LinkBench, these: Iterable[Batch]) -> list[Code]:
    """Codes that the requests get."""
    return [await bench.ask(batch.request, payload) for batch in these for payload in batch.payloads]


async def begin(bench: LinkBench, image: bytes) -> None:
    assert await bench.ask(Request.BEGIN, protocol.BEGIN.pack(WHOLE, zlib.crc32(image))) == Code.OK


def lengths_of(data: bytes) -> np.ndarray:
    return huffman.lengths(np.bincount(np.frombuffer(data, np.uint8), minlength=SYMBOLS))


def coded(offset: int, data: bytes, lengths: np.ndarray) -> bytes:
    """Payload of CODED."""
    code = huffman.encode(np.frombuffer(data, np.uint8), lengths)
    return protocol.CODED.pack(offset, len(data)) + code


@cocotb.test()
async def says_that_it_decodes(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    _, payload = await bench.exchange(Request.IDENTIFY)
    assert Identity.decode(payload).capabilities == Capability.CODED_LOADS


@cocotb.test()
async def loads_images_in_code(dut: HierarchyObject) -> None:
    """Runs with tables of their own, runs that are not coded, and requests that come twice."""
    bench = await ready_bench(dut)
    geometry = bench.geometry
    for memories in ([Memory.MATRIX], [Memory.MATRIX, Memory.POINTERS, Memory.STEPS], [Memory.POINTERS]):
        image = b"".join(
            skewed(bench, memory, min(parameters()["words"], parameters()["depths"][memory.name]))
            for memory in memories
        )
        found = batches(image, bench.limit)
        assert {batch.request for batch in found} >= {Request.TABLE, Request.CODED}
        bench.engine.writes.clear()
        await begin(bench, image)
        codes = await send(bench, [batch for batch in found for _ in range(1 + bench.rng.randrange(2))])
        assert set(codes) == {Code.OK}
        assert await bench.ask(Request.COMMIT) == Code.OK
        assert bench.engine.writes == words_of(image, geometry, WHOLE)


@cocotb.test()
async def decodes_and_copies_in_turn(dut: HierarchyObject) -> None:
    """DATA, CODED and CODED without code go on with one image, whatever stands between."""
    bench = await ready_bench(dut)
    image = skewed(bench, Memory.CODEBOOK, 20)
    lengths = lengths_of(image)
    await send(bench, [Batch(Request.TABLE, of_table(lengths, bench.limit), [])])
    for repeated in (False, True):
        await begin(bench, image)
        bench.engine.writes.clear()
        place = 0
        for size in (8, 2, 4, 6, 2, 8, 2, 2, 0, 14):
            data = image[place : place + size]
            kind, payload = bench.rng.choice(
                [
                    (Request.DATA, protocol.DATA.pack(place) + data),
                    (Request.CODED, protocol.CODED.pack(place, 0) + data),
                    (Request.CODED, coded(place, data, lengths)),
                    (Request.CODED, coded(place, data, lengths)),
                ]
            )
            assert await bench.ask(kind, payload) == Code.OK
            if repeated:
                assert await bench.ask(kind, payload) == Code.OK
                await bench.ask(Request.READ, protocol.PLACE.pack(Memory.STEPS, 4, 0, 2, 3))
                await bench.ask(Request.STATUS)
            place += size
        assert await bench.ask(Request.CODED, coded(place + 1, image[:4], lengths)) == Code.OFFSET_GAP
        assert place == len(image)
        assert await bench.ask(Request.COMMIT) == Code.OK
        assert bench.engine.writes == words_of(image, bench.geometry, WHOLE)


@cocotb.test()
async def refuses_bad_sections_in_code(dut: HierarchyObject) -> None:
    """What is decoded is judged as any image."""
    bench = await ready_bench(dut)
    for trouble in (
        SECTION.pack(6, 2, 0, 0, 2) + bytes(4),
        SECTION.pack(2, 3, 0, 0, 2) + bytes(6),
        b"\0" * 9,
    ):
        image = skewed(bench, Memory.CODEBOOK, 5) + trouble
        lengths = lengths_of(image)
        await send(bench, [Batch(Request.TABLE, of_table(lengths, bench.limit), [])])
        await begin(bench, image)
        assert await bench.ask(Request.CODED, coded(0, image, lengths)) == Code.OK
        assert await bench.ask(Request.COMMIT) == Code.BAD_IMAGE


@cocotb.test()
async def refuses_bad_tables(dut: HierarchyObject) -> None:
    """Whatever is wrong with one, there is none until a good one has come."""
    bench = await ready_bench(dut)
    image = skewed(bench, Memory.CODEBOOK, 6)
    lengths = lengths_of(image)
    good = [Batch(Request.TABLE, of_table(lengths, bench.limit), [])]

    def counts(*numbers: int, at: int = COUNTS + 1, size: int = 15) -> bytes:
        return protocol.TABLE.pack(at) + bytes(numbers).ljust(size, b"\0")

    for payload, code in (
        (counts(2), Code.OK),
        (counts(*[1] * 14, 2), Code.OK),
        (counts(0, 0, 0, 0, 0, 0, 1, 253, 2), Code.OK),
        (counts(0, 0, 0, 0, 0, 0, 0, 255, 2), Code.BAD_TABLE),
        (counts(0, 0, 0, 0, 0, 0, 0, 255, 1), Code.BAD_TABLE),
        (counts(0, 0, 0, 0, 0, 0, 0, 255, 3), Code.BAD_TABLE),
        (counts(0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 4), Code.BAD_TABLE),
        (counts(0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 2, 4), Code.BAD_TABLE),
        (counts(0, 0, 0, 0, 0, 0, 0, 100, 212, 200), Code.BAD_TABLE),
        (counts(1, 1, 1, 1, 1, 1, 0, 0, 0, 7, 17), Code.BAD_TABLE),
        (counts(3), Code.BAD_TABLE),
        (counts(1), Code.BAD_TABLE),
        (counts(), Code.BAD_TABLE),
        (counts(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255), Code.BAD_TABLE),
        (counts(*[255] * 15), Code.BAD_TABLE),
        (counts(2, size=14), Code.BAD_LENGTH),
        (counts(2, size=16), Code.BAD_LENGTH),
        (counts(2, at=COUNTS), Code.OUT_OF_RANGE),
        (counts(2, at=COUNTS + 2), Code.OUT_OF_RANGE),
        (counts(2, at=3 * COUNTS + 1), Code.OUT_OF_RANGE),
        (counts(at=SYMBOLS - 15), Code.OK),
        (counts(at=SYMBOLS - 14), Code.OUT_OF_RANGE),
        (counts(at=SYMBOLS - 1, size=0), Code.OK),
    ):
        assert set(await send(bench, good)) == {Code.OK}
        assert await bench.ask(Request.TABLE, payload) == code, payload.hex(" ")
        await begin(bench, image)
        ready = bench.reference.table.ready
        found = await bench.ask(Request.CODED, coded(0, image[:8], lengths))
        assert ready or found == Code.BAD_CODE
        if not ready:
            assert dut.loading.value == 0
            assert dut.failed.value == 1
            assert await bench.ask(Request.COMMIT) == Code.NO_TRANSACTION
    assert set(await send(bench, good)) == {Code.OK}
    await begin(bench, image)
    assert await bench.ask(Request.CODED, coded(0, image, lengths)) == Code.OK
    assert await bench.ask(Request.COMMIT) == Code.OK


@cocotb.test()
async def refuses_codes_that_are_too_short(dut: HierarchyObject) -> None:
    """By a byte or by all of them; bytes behind the end do no harm."""
    bench = await ready_bench(dut)
    await bench.load(WHOLE, b"")
    image = skewed(bench, Memory.CODEBOOK, 16)
    lengths = lengths_of(image)
    await send(bench, [Batch(Request.TABLE, of_table(lengths, bench.limit), [])])
    whole = coded(0, image, lengths)
    code = whole[protocol.CODED.size :]
    for payload in (
        whole[:-1],
        whole[: protocol.CODED.size],
        protocol.CODED.pack(0, 255) + code,
        protocol.CODED.pack(0, 255),
    ):
        await begin(bench, image)
        assert await bench.ask(Request.CODED, payload) == Code.BAD_CODE
        assert await bench.ask(Request.CODED, whole) == Code.NO_TRANSACTION
        assert await bench.ask(Request.COMMIT) == Code.NO_TRANSACTION
        await bench.ask(Request.STATUS)
        assert await bench.load(WHOLE, image) == Code.OK
        await begin(bench, image)
        assert await bench.ask(Request.CODED, whole + b"\xff\0" * (len(payload) % 3)) == Code.OK
        assert await bench.ask(Request.COMMIT) == Code.OK


@cocotb.test()
async def survives_mutations(dut: HierarchyObject) -> None:
    """Tables and codes with wrong bytes: each is answered as golden says, and good loads go through."""
    bench = await ready_bench(dut)
    random = bench.rng
    image = skewed(bench, Memory.CODEBOOK, 8)
    lengths = lengths_of(image)
    table = of_table(lengths, bench.limit)
    seen = dict.fromkeys(Code, 0)
    for number in range(parameters()["mutations"]):
        payloads = [(Request.TABLE, bytearray(payload)) for payload in table]
        payloads.append((Request.CODED, bytearray(coded(0, image, lengths))))
        for _ in range(random.randrange(1, 3)):
            kind, payload = random.choice(payloads)
            place = random.randrange(len(payload))
            change = random.randrange(4)
            if change == 0:
                del payload[place:]
            elif change == 1:
                payload.insert(place, random.randrange(256))
            else:
                payload[place] = random.choice([0, 1, payload[place] ^ 1 << random.randrange(8)])
        await begin(bench, image)
        for kind, payload in payloads:
            seen[await bench.ask(kind, bytes(payload))] += 1
        seen[await bench.ask(Request.COMMIT)] += 1
        if number % 5 == 4:
            await send(bench, [Batch(Request.TABLE, table, [])])
            await begin(bench, image)
            assert await bench.ask(Request.CODED, coded(0, image, lengths)) == Code.OK
            assert await bench.ask(Request.COMMIT) == Code.OK
    dut._log.info("%s", {code.name: number for code, number in seen.items() if number})
    assert sum(seen[code] for code in (Code.BAD_TABLE, Code.BAD_CODE, Code.BAD_IMAGE)) > 0
