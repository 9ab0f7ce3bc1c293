"""Step descriptors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.steps import FIELDS, ORDER, WORDS_PER_STEP, Step, Token

WIDTHS = {
    name: width for token in ORDER for name, width in FIELDS[token] if name not in ("reserved", "final")
}
FIELD_VALUES = st.fixed_dictionaries({name: st.integers(0, 2**width - 1) for name, width in WIDTHS.items()})


@pytest.mark.parametrize("token", ORDER)
def test_every_word_of_a_descriptor_has_thirty_two_bits(token):
    assert sum(width for _, width in FIELDS[token]) == 32


def test_an_activation_token_is_a_pair_or_without_its_end_one_activation():
    assert [name for name, _ in FIELDS[Token.ACTIVATION]] == ["activation", "place", "second"]
    assert [width for _, width in FIELDS[Token.ACTIVATION]] == [16, 16, 16]


def test_the_threshold_comes_before_the_scan():
    assert ORDER == (Token.LAYER, Token.POINTERS, Token.SCAN, Token.DRAIN, Token.FINISH)
    assert Step(index_bits=4, pointer_base=7, threshold=0x8001).encode()[1] == 0x80010007


@given(FIELD_VALUES)
def test_decode_inverts_encode(values):
    step = Step(**values)
    words = step.encode()
    assert len(words) == WORDS_PER_STEP
    assert words[len(ORDER) :] == [0] * (WORDS_PER_STEP - len(ORDER))
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


def test_the_final_bit_is_never_in_an_image():
    words = Step(index_bits=4).encode()
    final = 1 << sum(width for name, width in FIELDS[Token.FINISH][:3])
    assert words[4] & final == 0
    assert Step.decode([*words[:4], words[4] | final]) == Step(index_bits=4)
