"""Byte stuffing, and its parameters."""

import pytest

from hdl.cobs import COBSDecoder, COBSEncoder
from tests.hdl.runner import simulate


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_decoder(stall):
    simulate(COBSDecoder(), "tests.hdl.bench_cobs", testcase="decodes", parameters={"stall": stall})


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("largest", [5, 264, 509])
def test_encoder(largest, stall):
    simulate(
        COBSEncoder(largest=largest),
        "tests.hdl.bench_cobs",
        testcase="encodes",
        parameters={"largest": largest, "stall": stall},
    )


@pytest.mark.parametrize("largest", [0, -1, 2.5])
def test_largest_is_checked(largest):
    with pytest.raises(ValueError, match=rf"^Largest must be a positive integer, not {largest}$"):
        COBSEncoder(largest=largest)
