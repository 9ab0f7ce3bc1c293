"""Block memory in every shape of a block, portable and as the primitive by its model."""

from pathlib import Path

import pytest

from hdl.block_memory import SHAPES, BlockMemory, shape_of
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide

MODEL = Path(__file__).parent / "models" / "ecp5_memory.v"
SIZES = {
    f"of_{words}_{bits}{'' if registered else '_direct'}": {
        "words": words, "bits": bits, "output_register": registered,
    }
    for words, bits, registered in (
        (256, 44, True), (512, 36, True), (300, 17, True), (1024, 18, True), (2048, 16, True),
        (4096, 3, True), (8192, 2, True), (16384, 1, True), (112, 16, True), (256, 44, False),
    )
} | {
    f"of_{lanes}_lanes{'' if registered else '_direct'}": {
        "words": 600, "bits": bits, "output_register": registered, "lanes": lanes,
    }
    for lanes, bits, registered in ((2, 32, True), (2, 80, True), (2, 32, False))
}  # fmt: skip


@pytest.mark.parametrize("family", [None, "ecp5"])
def test_block_memory(family: str | None) -> None:
    units = {name: BlockMemory(**size) for name, size in SIZES.items()}
    simulate(
        SideBySide(units),
        "tests.hdl.bench_block_memory",
        parameters={"sizes": SIZES},
        models=MODEL.read_text() if family else "",
        family=family,
    )


def test_every_shape_is_simulated() -> None:
    whole = [size for size in SIZES.values() if "lanes" not in size]
    assert {shape_of(size["words"], size["bits"]) for size in whole} == {*SHAPES, None}
