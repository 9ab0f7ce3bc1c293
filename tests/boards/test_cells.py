"""Models of the primitives: ours beside plain references, and none for what is unknown."""

import pytest

from boards.cells import models
from golden.errors import TamisError
from tests.boards.primitives import Primitives
from tests.hdl.runner import simulate


def test_memories_and_multipliers():
    kinds = {"DP16KD", "PDPW16KD", "MULT18X18D"}
    simulate(Primitives(), "tests.boards.bench_cells", models=models("ecp5", kinds))


def test_a_model_brings_what_it_is_made_of():
    text = models("ecp5", {"CCU2C"})
    assert all(f"module {name}" in text for name in ("CCU2C", "LUT4", "LUT2"))
    assert "module TRELLIS_FF" not in text


@pytest.mark.parametrize(("family", "name"), [("ice40", "SB_HFOSC"), ("ecp5", "DCSC"), ("ice40", "mystery")])
def test_a_black_box_is_refused(family, name):
    with pytest.raises(TamisError, match=rf"^the netlist cannot be simulated: .* primitive {name};"):
        models(family, {name})
