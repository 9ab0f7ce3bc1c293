"""Bench of the link behind the serial line: loads of images, good and bad, against `golden.image`."""

import zlib

import cocotb
from cocotb.handle import HierarchyObject

from golden import protocol
from golden.activations import form
from golden.image import BANKED, SECTION, bank_range
from golden.memories import Memory, depth, word_bytes
from golden.protocol import WHOLE, Code, Request
from tests.hdl.link_bench import ready_bench, section
from tests.hdl.link_reference import words_of


@cocotb.test()
async def loads_images(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    expected = []
    for bank in (WHOLE, 0, 1, WHOLE, 1):
        image = bench.image(bank, 4)
        assert await bench.load(bank, image) == Code.OK
        expected += words_of(image, bench.geometry, bank)
        assert await bench.ask(Request.COMMIT) == Code.NO_TRANSACTION
        await bench.ask(Request.STATUS)
    assert bench.engine.writes == expected
    assert len(expected) > 30


@cocotb.test()
async def loads_long_sections(dut: HierarchyObject) -> None:
    """More than 256 words, so that addresses and counts carry."""
    bench = await ready_bench(dut)
    memory = Memory.MATRIX if bench.geometry.matrix_words > 400 else Memory.ACTIVATIONS
    words = depth(bench.geometry, memory)
    for address, count in (
        (0, min(words, 300)),
        (max(0, words - 260), min(words, 260)),
        (1, min(words, 257) - 1),
    ):
        image = bench.words(memory, 0, address, count)
        bench.engine.writes.clear()
        assert await bench.load(WHOLE, image) == Code.OK
        assert bench.engine.writes == words_of(image, bench.geometry, WHOLE)


@cocotb.test()
async def keeps_account_of_banks(dut: HierarchyObject) -> None:
    """Committed banks after each load; BEGIN alone already forgets."""
    bench = await ready_bench(dut)
    for bank, begun, done in (
        (0, 0b00, 0b01),
        (1, 0b01, 0b11),
        (0, 0b10, 0b11),
        (WHOLE, 0b00, 0b11),
        (1, 0b00, 0b10),
        (0, 0b10, 0b11),
        (WHOLE, 0b00, 0b11),
        (0, 0b00, 0b01),
        (0, 0b00, 0b01),
    ):
        image = bench.image(bank, 1)
        await bench.ask(Request.BEGIN, protocol.BEGIN.pack(bank, zlib.crc32(image)))
        assert dut.engine__committed.value == begun, f"open {bank}"
        assert await bench.load(bank, image) == Code.OK
        assert dut.engine__committed.value == done, f"commit {bank}"
    assert await bench.load(1, image, crc=0) == Code.BAD_IMAGE
    assert dut.engine__committed.value == 0b01


@cocotb.test()
async def refuses_a_wrong_crc(dut: HierarchyObject) -> None:
    bench = await ready_bench(dut)
    image = bench.section(WHOLE, Memory.CODEBOOK, 1)
    crc = zlib.crc32(image)
    for bit in (0, 7, 8, 16, 24, 31):
        assert await bench.load(WHOLE, image, crc=crc ^ 1 << bit) == Code.BAD_IMAGE, f"CRC bit {bit}"
    assert await bench.load(WHOLE, image) == Code.OK
    assert await bench.load(WHOLE, b"") == Code.OK


@cocotb.test()
async def refuses_bad_sections(dut: HierarchyObject) -> None:
    """Nothing is written from the bad section on, not even from the good one behind it."""
    bench = await ready_bench(dut)
    geometry = bench.geometry
    size = {memory: word_bytes(geometry, memory) for memory in Memory}
    bad = [(bank, SECTION.pack(code, 2, 0, 0, 2) + bytes(4)) for code in (6, 7, 255) for bank in (1, WHOLE)]
    bad += [
        (WHOLE, SECTION.pack(memory, size[memory] + more, 0, 0, 2) + bytes(2 * (size[memory] + more)))
        for memory in list(Memory)[:6]
        for more in (-1, 1, 128)
        if size[memory] + more > 0
    ]
    bad += [(WHOLE, SECTION.pack(Memory.CODEBOOK, 0, 0, 0, 2) + bytes(9))]
    bad += [
        (bank, section(geometry, memory, 0, 0, [1]))
        for bank in (0, 1)
        for memory in (Memory.ACTIVATIONS, Memory.ACCUMULATORS)
    ]
    for pe in (geometry.pes, geometry.pes + 256, 0xFFFE, 0xFF, 0xFF00):
        if pe >= geometry.pes:
            bad += [(WHOLE, section(geometry, Memory.CODEBOOK, pe, 0, [1, 2]))]
    bad += [(WHOLE, SECTION.pack(Memory.MATRIX, size[Memory.MATRIX], 0, 0, 0))]
    outside = [(WHOLE, memory, depth(geometry, memory)) for memory in list(Memory)[:6]]
    outside += [(WHOLE, Memory.CODEBOOK, 0xFFFF)]
    for memory in BANKED:
        lower = bank_range(geometry, memory, 0)
        outside += [
            (0, memory, lower.stop),
            (1, memory, lower.stop - 1),
            (1, memory, depth(geometry, memory)),
        ]
    for bank, memory, address in outside:
        if address <= 0xFFFF:
            bad += [(bank, section(geometry, memory, 0, address, [3]))]
        if address - 2 in bank_range(geometry, memory, bank):
            bad += [(bank, section(geometry, memory, 0, address - 2, [1, 2, 3]))]
    for bank, trouble in bad:
        good = bench.section(bank, Memory.CODEBOOK, 1)
        image = good + trouble + good
        expected = words_of(good, geometry, bank)
        bench.engine.writes.clear()
        assert await bench.load(bank, image) == Code.BAD_IMAGE, f"bank {bank}, {trouble.hex(' ')}"
        assert bench.engine.writes == expected, f"bank {bank}, {trouble.hex(' ')}"
    assert await bench.load(WHOLE, bench.image(WHOLE)) == Code.OK


@cocotb.test()
async def refuses_cut_items(dut: HierarchyObject) -> None:
    """The CRC is right, but the image ends within a section, or a piece of it within a header or a word."""
    bench = await ready_bench(dut)
    first = bench.section(WHOLE, Memory.POINTERS, 2)
    image = first + bench.section(WHOLE, Memory.ACCUMULATORS, 2)
    good = len(first)
    word = (good - SECTION.size) // 2
    for size in {1, 7, 8, 9, good - 1, good, good + 1, good + 8, good + 9, len(image) - 1}:
        code = await bench.load(WHOLE, image[:size], parts=[image[:size]])
        assert (code == Code.OK) == (size == good), f"{size} of {len(image)}"
    for size in (1, SECTION.size - 1, SECTION.size, SECTION.size + 1, SECTION.size + word, good - 1, good):
        code = await bench.load(WHOLE, image, parts=[image[:size], image[size:]])
        whole = size in (SECTION.size, SECTION.size + word, good)
        assert (code == Code.OK) == whole, f"cut at {size}"


@cocotb.test()
async def answers_when_words_are_written(dut: HierarchyObject) -> None:
    """However long the engine takes for them."""
    bench = await ready_bench(dut)
    bench.engine.stall = 0.98
    image = bench.words(Memory.POINTERS, 0, 0, 4)
    await bench.ask(Request.BEGIN, protocol.BEGIN.pack(0, zlib.crc32(image)))
    size = word_bytes(bench.geometry, Memory.POINTERS)
    ends = [SECTION.size + size * i for i in range(5)]
    for start, end in zip([0, *ends], ends, strict=False):
        await bench.ask(Request.DATA, protocol.DATA.pack(start) + image[start:end])
        assert bench.engine.writes == words_of(image[:end], bench.geometry, 0)
    assert await bench.ask(Request.COMMIT) == Code.OK


@cocotb.test()
async def takes_each_byte_once(dut: HierarchyObject) -> None:
    """Duplicates, overlaps, gaps."""
    bench = await ready_bench(dut)
    image = b"".join(bench.words(Memory.CODEBOOK, 0, i % 2, 20) for i in range(6))
    assert await bench.ask(Request.DATA, protocol.DATA.pack(0) + image[:48]) == Code.NO_TRANSACTION
    await bench.ask(Request.BEGIN, protocol.BEGIN.pack(WHOLE, zlib.crc32(image)))
    seen = set()
    while len(bench.reference.image) < len(image):
        taken = len(bench.reference.image)
        offset = max(
            0, taken + bench.rng.choice([0, 0, 0, 1, -1, -2, 48, -48, -256, -512, 256, 1 << 16, 1 << 30])
        )
        data = image[taken : taken + bench.rng.choice([0, 48])]
        code = await bench.ask(Request.DATA, protocol.DATA.pack(offset) + data)
        seen.add((code, len(bench.reference.image) > taken))
    assert seen == {(Code.OK, True), (Code.OK, False), (Code.OFFSET_GAP, False)}
    assert await bench.ask(Request.DATA, protocol.DATA.pack(0xFFFFFFFF) + b"x") == Code.OFFSET_GAP
    assert await bench.ask(Request.COMMIT) == Code.OK
    assert bench.engine.writes == words_of(image, bench.geometry, WHOLE)


@cocotb.test()
async def other_requests_come_between(dut: HierarchyObject) -> None:
    """Reads and writes between two pieces of an image do not touch what the image goes on with."""
    bench = await ready_bench(dut)
    await bench.load(WHOLE, b"")
    image = bench.words(Memory.POINTERS, bench.geometry.pes - 1, 1, 5)
    await bench.ask(Request.BEGIN, protocol.BEGIN.pack(WHOLE, zlib.crc32(image)))
    place = protocol.PLACE.pack(Memory.ACTIVATIONS, 2, 0, 1, 1)
    values = protocol.ACTIVATIONS.pack(form(1, 2), 0, 1) + b"\1ab"
    offset = 0
    for size in (SECTION.size, *[word_bytes(bench.geometry, Memory.POINTERS)] * 5):
        await bench.ask(Request.DATA, protocol.DATA.pack(offset) + image[offset : offset + size])
        offset += size
        assert await bench.ask(Request.ACTIVATIONS, values) == Code.OK
        assert await bench.ask(Request.OUTPUTS, place) == Code.OK
        assert await bench.ask(Request.READ, protocol.PLACE.pack(Memory.STEPS, 4, 0, 2, 3)) == Code.OK
        await bench.ask(Request.STATUS)
    assert await bench.ask(Request.COMMIT) == Code.OK
    written = [write for write in bench.engine.writes if write[0] == Memory.POINTERS]
    assert written == words_of(image, bench.geometry, WHOLE)


@cocotb.test()
async def restarts_a_transaction(dut: HierarchyObject) -> None:
    """Wherever the first attempt stopped, even in a bad section."""
    bench = await ready_bench(dut)
    image = bench.image(WHOLE, 2)
    for start in (image[:8], image[:8] + b"\0", b"\7" * 9, bench.section(WHOLE, Memory.STEPS, 1)):
        await bench.ask(Request.BEGIN, protocol.BEGIN.pack(1, 3))
        await bench.ask(Request.DATA, protocol.DATA.pack(0) + start)
        bench.engine.writes.clear()
        assert await bench.load(WHOLE, image) == Code.OK
        assert bench.engine.writes == words_of(image, bench.geometry, WHOLE)
