"""Trees to and from all PEs, of many sizes, and their parameter."""

import gc
import warnings

import pytest

from hdl.broadcast import Broadcast, Gather, Spread
from hdl.verilog import emit
from tests.hdl.bench_broadcast import geometry
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide

SIZES = (1, 2, 8, 9, 20)
WIDTH = 12


def test_broadcast() -> None:
    trees = {}
    for pes in SIZES:
        trees[f"broadcast{pes}"] = Broadcast(geometry(pes))
        trees[f"spread{pes}"] = Spread(WIDTH, pes=pes)
        trees[f"or{pes}"] = Gather(WIDTH, pes=pes)
        trees[f"and{pes}"] = Gather(WIDTH, pes=pes, combine="and")
    simulate(SideBySide(trees), "tests.hdl.bench_broadcast", parameters={"sizes": SIZES})


def test_combine_is_checked() -> None:
    with pytest.raises(ValueError, match=r"^Combine must be 'or' or 'and', not 'xor'$"):
        Gather(WIDTH, pes=3, combine="xor")


@pytest.mark.parametrize("pes", SIZES)
def test_a_spread_makes_no_part_that_it_does_not_use(pes: int) -> None:
    """Amaranth would warn whoever builds a board of it."""
    gc.collect()  # what other tests left
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        emit(Spread(WIDTH, pes=pes))
        gc.collect()
    assert not found
