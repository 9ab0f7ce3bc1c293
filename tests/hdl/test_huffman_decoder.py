"""The forms of the decoder, each alone; the small one without and with its block RAM's output register."""

import pytest

from hdl.huffman_decoder import FORMS, decoder
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide


def test_huffman_decoder():
    simulate(
        SideBySide(
            {**{form: decoder(form) for form in FORMS}, "registered": decoder("small", output_register=True)}
        ),
        "tests.hdl.bench_huffman_decoder",
        parameters={"forms": [*FORMS, "registered"], "mutations": 250},
        timeout=400,
    )


def test_there_is_no_other_form():
    with pytest.raises(ValueError, match=r"^Form of a decoder must be one of \('small', 'fast'\), not 'x'$"):
        decoder("x")
