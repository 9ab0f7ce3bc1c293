"""Device images: sections, banks and the file."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from golden import image
from golden.errors import InputError
from golden.geometry import Geometry
from golden.image import SECTION, Image, ImageBuilder, bank_range, pieces, sections
from golden.memories import ALL_PES, Memory, depth
from golden.protocol import WHOLE

GEOMETRY = Geometry(pes=3, matrix_words=64, pointer_words=16, codebook_entries=32, steps=5)


def memories(geometry: Geometry) -> dict[Memory, np.ndarray]:
    return {
        memory: np.zeros((1 if memory == Memory.STEPS else geometry.pes, depth(geometry, memory)), np.uint64)
        for memory in Memory
    }


def section(memory=0, size=2, pe=0, address=0, count=1, words=b"\1\2"):
    return struct.pack("<BBHHH", memory, size, pe, address, count) + words


def test_a_section_byte_by_byte():
    builder = ImageBuilder(GEOMETRY)
    builder.write(Memory.MATRIX, 2, 5, [0x1234, 0xABCD])
    builder.write(Memory.POINTERS, 0, 1, [0x12_3456_789A])
    expected = "00 02 02 00 05 00 02 00 34 12 cd ab 01 05 00 00 01 00 01 00 9a 78 56 34 12"
    assert builder.payload().hex(" ") == expected
    assert builder.bytes_written == 9


def test_neighbouring_writes_join_and_others_do_not():
    builder = ImageBuilder(GEOMETRY)
    for address in (7, 5, 6, 9):
        builder.write(Memory.CODEBOOK, 1, address, [address])
    found = [(part.address, part.words.tolist()) for part in builder.sections()]
    assert found == [(5, [5, 6, 7]), (9, [9])]


def test_a_section_too_long_for_its_count_is_split():
    geometry = Geometry(pes=1, matrix_words=65536, word_entries=1)
    builder = ImageBuilder(geometry)
    words = np.arange(65536) % 251
    builder.write(Memory.MATRIX, 0, 0, words)
    parts = list(sections(builder.payload(), geometry))
    assert [(part.address, part.words.size) for part in parts] == [(0, 65535), (65535, 1)]
    assert_array_equal(np.concatenate([part.words for part in parts]), words)


def test_apply_writes_one_pe_or_all():
    state = memories(GEOMETRY)
    builder = ImageBuilder(GEOMETRY)
    builder.write(Memory.CODEBOOK, ALL_PES, 3, [-2, 7])
    builder.write(Memory.MATRIX, 1, 63, [9])
    builder.write(Memory.STEPS, 0, 8, [1, 2])
    image.apply(builder.payload(), GEOMETRY, state)
    assert_array_equal(state[Memory.CODEBOOK][:, 3:5], [[0xFFFE, 7]] * 3)
    assert_array_equal(state[Memory.MATRIX][:, 63], [0, 9, 0])
    assert state[Memory.STEPS][0, 8:10].tolist() == [1, 2]
    assert sum(int((words != 0).sum()) for words in state.values()) == 6 + 1 + 2


def test_a_bad_image_writes_nothing():
    state = memories(GEOMETRY)
    with pytest.raises(InputError):
        image.apply(section() + section(memory=6), GEOMETRY, state)
    assert not any(words.any() for words in state.values())


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (section()[:7], r"^the image ends within a section header at byte 0"),
        (section() + section()[:-1], r"^the image's section at byte 10 has 2 bytes of words, but 1 follow"),
        (section(memory=6), r"^the image's section at byte 0 names memory 6, which cannot be written"),
        (section(memory=77), r"^the image's section at byte 0 names memory 77"),
        (section(size=3), r"has matrix words of 3 bytes, but this engine's have 2"),
        (section(pe=3), r"is for PE 3, but the last PE is 2$"),
        (section(address=64), r"writes 1 matrix words from 64 on, but the bank has 0 to 63$"),
        (section(count=0, words=b""), r"writes 0 matrix words from 0 on"),
        (section(memory=1, size=5, words=bytes([0, 0, 0, 0, 0x80])), r"has a word wider than 39 bits$"),
    ],
)
def test_a_bad_section_is_refused(payload, message):
    with pytest.raises(InputError, match=message):
        image.check(Image(GEOMETRY, WHOLE, payload))


def test_banks_are_halves():
    assert bank_range(GEOMETRY, Memory.MATRIX, 0) == range(0, 32)
    assert bank_range(GEOMETRY, Memory.MATRIX, 1) == range(32, 64)
    assert bank_range(GEOMETRY, Memory.STEPS, 1) == range(16, 32)
    assert bank_range(GEOMETRY, Memory.STEPS, WHOLE) == range(40)


@pytest.mark.parametrize(("bank", "address"), [(0, 32), (1, 31)])
def test_an_image_of_one_bank_keeps_to_its_half(bank, address):
    with pytest.raises(InputError, match=rf"writes 1 matrix words from {address} on, but the bank has"):
        image.check(Image(GEOMETRY, bank, section(address=address)))
    assert image.check(Image(GEOMETRY, 1 - bank, section(address=address))) == 1


def test_activations_belong_to_no_bank():
    with pytest.raises(InputError, match=r"writes activations, which belong to no bank$"):
        image.check(Image(GEOMETRY, 0, section(memory=3)))


@given(st.binary(max_size=50), st.integers(0, 2))
def test_a_file_decodes_to_its_image(payload, bank):
    original = Image(Geometry(pes=7, padding_zeros=True, output_registers=False), bank, payload)
    assert image.decode(image.encode(original)) == original


def test_a_file_byte_by_byte():
    data = image.encode(Image(GEOMETRY, 1, b"abc"))
    assert data[:8] == b"TAMISIMG"
    assert data[8:12] == bytes([2, 0, 1, 0])
    assert struct.unpack_from("<15I", data, 12) == tuple(GEOMETRY.as_dict().values())
    assert struct.unpack_from("<II", data, 72) == (3, 0x352441C2)
    assert data[80:83] == b"abc" and len(data) == 87


def test_a_damaged_file_is_refused_whichever_bit_flips():
    data = image.encode(Image(GEOMETRY, 0, section()))
    for position in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(InputError):
            image.decode(bytes(damaged))


def test_a_truncated_or_extended_file_is_refused():
    data = image.encode(Image(GEOMETRY, 0, section()))
    for length in range(len(data)):
        with pytest.raises(InputError):
            image.decode(data[:length])
    with pytest.raises(InputError, match=r"bytes, but its header asks for"):
        image.decode(data + b"\0")


def test_a_newer_version_says_so():
    data = bytearray(image.encode(Image(GEOMETRY, 0, b"")))
    data[8] = 3
    with pytest.raises(InputError, match=r"^the image has version 3, and this program reads version 2"):
        image.decode(bytes(data))


def test_something_else_says_so():
    with pytest.raises(InputError, match=r"^this is not a device image"):
        image.decode(b"\x89PNG" * 40)


@pytest.mark.parametrize("room", [8, 9, 13, 100, 172])
def test_pieces_are_whole_words_and_headers(room):
    """A reader that knows nothing but one piece at a time finds no item cut."""
    builder = ImageBuilder(GEOMETRY)
    rng = np.random.default_rng(room)
    for memory in (Memory.MATRIX, Memory.POINTERS, Memory.CODEBOOK, Memory.STEPS):
        for _ in range(4):
            words = rng.integers(0, 256, size=rng.integers(1, 20))
            builder.write(memory, int(rng.integers(GEOMETRY.pes)), 8 * int(rng.integers(2)), words)
    payload = builder.payload()
    cut = list(pieces(payload, room))
    assert b"".join(cut) == payload
    assert max(map(len, cut)) <= room
    size = left = 0
    for piece in cut:
        position = 0
        while position < len(piece):
            if not left:
                _, size, _, _, left = SECTION.unpack_from(piece, position)
                position += SECTION.size
            else:
                position += size
                left -= 1
        assert position == len(piece)
    assert len(cut) <= 1 + len(payload) // max(1, room - 7), "pieces are as long as they can be"


@pytest.mark.parametrize("payload", [b"", b"abc", bytes(8) + b"abc", bytes([2, 0, 0, 0, 0, 0, 9, 0]) * 9])
def test_pieces_of_a_bad_payload_are_all_of_it(payload):
    cut = list(pieces(payload, 10))
    assert b"".join(cut) == payload
    assert all(0 < len(piece) <= 10 for piece in cut)
