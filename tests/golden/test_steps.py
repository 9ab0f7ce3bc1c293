"""Step descriptors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.geometry import Geometry
from golden.pointers import unpack
from golden.steps import FIELDS, WORDS_PER_STEP, Part, Step, Token, locate, pack_token, token_fields

WIDTHS = {name: width for part in Part for name, width in FIELDS[part] if name != "reserved"}
FIELD_VALUES = st.fixed_dictionaries({name: st.integers(0, 2**width - 1) for name, width in WIDTHS.items()})


@pytest.mark.parametrize("part", Part)
def test_every_word_of_a_descriptor_has_thirty_two_bits(part):
    assert sum(width for _, width in FIELDS[part]) == 32


def test_words_stand_in_the_order_of_their_numbers():
    assert Step(index_bits=4, pointer_base=7, threshold=0x8001).encode()[Part.POINTERS] == 0x80010007
    assert Step(index_bits=4, bias_address=9).encode()[Part.FINISH] & 0xFFFF == 9


@pytest.mark.parametrize("scan_width", [1, 2])
def test_fields_of_tokens_are_as_wide_as_the_geometry_needs(scan_width):
    geometry = Geometry(scan_width=scan_width, pointer_words=300, codebook_entries=4096)
    second = [("second", 16)] * (scan_width - 1)
    position = 4 - scan_width
    assert token_fields(Token.ACTIVATION, geometry) == (
        ("activation", 16), *second, ("address", 9), ("position", position),
    )  # fmt: skip
    assert token_fields(Token.BEGIN, geometry) == (
        ("index_bits", 4), ("codebook_base", 12), ("short_lengths", 1), ("scans", 1),
    )  # fmt: skip
    assert token_fields(Token.FINISH, geometry) == ()
    assert pack_token(Token.FINISH, geometry) == 0


def test_tokens_are_packed_least_significant_first():
    geometry = Geometry(scan_width=2, pointer_words=256)
    token = pack_token(Token.ACTIVATION, geometry, activation=-1, second=2, address=0x1FF, position=3)
    assert token == 0xFFFF | 2 << 16 | 0xFF << 32 | 3 << 40


@pytest.mark.parametrize("short", [0, 1])
@pytest.mark.parametrize("scan_width", [1, 2])
def test_a_place_is_located_by_its_nibble(scan_width, short):
    """The length that begins at the nibble is the column's."""
    word = 0x87654321
    for place in range(20):
        address, position = locate(place, 50, short, scan_width)
        columns = 8 if short else 4
        assert address == 50 + place * scan_width // columns
        length = word >> 4 * position * scan_width & (15 if short else 255)
        assert length == unpack([word], short)[1][place * scan_width % columns]


@given(FIELD_VALUES)
def test_decode_inverts_encode(values):
    step = Step(**values)
    words = step.encode()
    assert len(words) == WORDS_PER_STEP
    assert words[len(Part) :] == [0] * (WORDS_PER_STEP - len(Part))
    assert all(0 <= word < 2**32 for word in words)
    assert Step.decode(words) == step


@pytest.mark.parametrize(("name", "width"), WIDTHS.items())
def test_a_field_too_wide_is_refused(name, width):
    for value in (1 << width, -1):
        with pytest.raises(ValueError, match=rf"^{name} must be from 0 to {(1 << width) - 1}, not {value}$"):
            Step(**{"index_bits": 4, name: value}).encode()


def test_fields_stand_least_significant_first():
    step = Step(index_bits=5, codebook_base=32, bank=1, short_lengths=1, drain_rows=3, destination_slot=2)
    assert step.encode()[0] == 5 | 32 << 4 | 1 << 16 | 1 << 17
    assert step.encode()[3] == 3 | 2 << 13
