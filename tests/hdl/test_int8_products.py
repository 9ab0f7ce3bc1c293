"""Products of dense lanes: every kind, and every primitive by its simulation model."""

from pathlib import Path

import pytest

from golden.dense import PRODUCT_CYCLES
from hdl.int8_products import Int8Products
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide

MODELS = Path(__file__).parent / "models"


def test_products() -> None:
    units = {kind: Int8Products(kind) for kind in PRODUCT_CYCLES}
    simulate(SideBySide(units), "tests.hdl.bench_int8_products", parameters={"kinds": list(units)})


@pytest.mark.parametrize("family", ["ice40", "ecp5"])
def test_products_of_primitives(family: str) -> None:
    kinds = ["plain"] if family == "ice40" else ["plain", "packed"]
    units = {kind: Int8Products(kind, primitives=family) for kind in kinds}
    simulate(
        SideBySide(units),
        "tests.hdl.bench_int8_products",
        parameters={"kinds": kinds},
        models=(MODELS / f"{family}_multiplier.v").read_text(),
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "half"}, r"^Kind must be one of \('plain', 'lut', 'packed'\), not 'half'$"),
        (
            {"kind": "lut", "primitives": "gowin"},
            r"^Primitives must be one of \(None, 'ice40', 'ecp5'\), not 'gowin'$",
        ),
    ],
)
def test_bad_parameters(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Int8Products(**arguments)
