"""Memories in one part and in two, beside a model."""

from hdl.split_memory import SplitMemory
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide

SIZES = {
    f"of_{words}": {"words": words, "bits": bits, "output_register": False}
    for words, bits in ((200, 16), (513, 16), (768, 17), (1020, 16), (1536, 5))
}


def test_split_memory() -> None:
    units = {name: SplitMemory(size["bits"], size["words"]) for name, size in SIZES.items()}
    simulate(SideBySide(units), "tests.hdl.bench_block_memory", parameters={"sizes": SIZES})
