"""What a geometry refuses, and the widths that follow from it."""

from itertools import product

import pytest

from golden.geometry import Geometry, bits_for


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("pes", 0, r"^pes must be an integer from 1 to 256, not 0$"),
        ("pes", 257, r"^pes must be an integer from 1 to 256, not 257$"),
        ("pes", 4.0, r"^pes must be an integer from 1 to 256, not 4\.0$"),
        ("queue_depth", 0, r"^queue_depth must be an integer from 1 to 256, not 0$"),
        ("matrix_words", 65537, r"^matrix_words must be an integer from 2 to 65536, not 65537$"),
        ("pointer_words", 1, r"^pointer_words must be an integer from 2 to 65536, not 1$"),
        ("accumulators", 4097, r"^accumulators must be an integer from 2 to 4096, not 4097$"),
        ("activations", 1, r"^activations must be an integer from 2 to 4096, not 1$"),
        ("accumulator_bits", 41, r"^accumulator_bits must be an integer from 24 to 40, not 41$"),
        ("codebook_entries", 4097, r"^codebook_entries must be an integer from 2 to 4096, not 4097$"),
        ("steps", 1, r"^steps must be an integer from 2 to 256, not 1$"),
        ("entry_bits", 7, r"^entry_bits must be one of \(8, 9\), not 7$"),
        ("word_entries", 3, r"^word_entries must be one of \(1, 2, 4\), not 3$"),
        ("scan_width", 3, r"^scan_width must be one of \(1, 2\), not 3$"),
    ],
)
def test_a_size_out_of_range_is_refused(name, value, message):
    with pytest.raises(ValueError, match=message):
        Geometry(**{name: value})


def test_an_activation_file_holds_whole_words():
    with pytest.raises(ValueError, match=r"^activations must be a multiple of scan_width 2, not 255$"):
        Geometry(activations=255, scan_width=2)


def test_columns_have_sixteen_bits():
    assert Geometry(pes=256, activations=256).columns == 65536
    with pytest.raises(ValueError, match=r"^pes \* activations must be at most 65536, not 256 \* 257$"):
        Geometry(pes=256, activations=257)


@pytest.mark.parametrize(
    ("sizes", "word_bits", "address_bits", "bias_words", "data_bits"),
    [
        ({"entry_bits": 8, "word_entries": 1, "matrix_words": 2}, 8, 1, 4, 33),
        ({"entry_bits": 9, "word_entries": 4, "matrix_words": 65536}, 36, 18, 1, 50),
        ({"entry_bits": 9, "word_entries": 4, "accumulator_bits": 40}, 36, 13, 2, 45),
    ],
)
def test_widths_follow_from_sizes(sizes, word_bits, address_bits, bias_words, data_bits):
    geometry = Geometry(**sizes)
    assert geometry.word_bits == word_bits
    assert geometry.entry_address_bits == address_bits
    assert geometry.pointer_bits == address_bits + 32
    assert geometry.bias_words == bias_words
    assert geometry.data_bits == data_bits


def test_pointer_words_come_in_pieces_without_output_registers():
    geometry = Geometry(output_registers=False, matrix_words=300)
    assert (geometry.pointer_pieces, geometry.piece_bits, geometry.data_bits) == (3, 16, 32)
    assert Geometry(output_registers=False, matrix_words=65536, word_entries=4).piece_bits == 18
    with pytest.raises(
        ValueError, match=r"^pointer_words must be at most 21845 without output registers, not 2"
    ):
        Geometry(output_registers=False, pointer_words=21846)


@pytest.mark.parametrize("choice", ["padding_zeros", "empty_columns"])
def test_a_dictionary_makes_the_same_geometry(choice):
    geometry = Geometry(pes=7, **{choice: True})
    fields = geometry.as_dict()
    assert (fields["padding_zeros"] + fields["empty_columns"], fields[choice]) == (1, 1)
    assert Geometry.from_dict(fields) == geometry


def test_the_paper_makes_both_choices():
    for padding_zeros, empty_columns in product((False, True), repeat=2):
        geometry = Geometry(padding_zeros=padding_zeros, empty_columns=empty_columns)
        assert geometry.paper == (padding_zeros and empty_columns)


def test_bits_for_powers_of_two():
    assert [bits_for(n) for n in (0, 1, 2, 3, 4, 65535, 65536)] == [1, 1, 2, 2, 3, 16, 17]
