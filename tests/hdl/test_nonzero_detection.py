"""Detection trees of many sizes, and the parameter of their nodes."""

import re

import pytest

from golden.geometry import Geometry
from hdl.nonzero_detection import DetectionNode, NonzeroDetection
from tests.hdl.bench_nonzero_detection import geometry
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide

SIZES = (1, 2, 4, 5, 7, 17, 20)


def test_nonzero_detection() -> None:
    trees = {f"pes{pes}": NonzeroDetection(geometry(pes)) for pes in SIZES}
    simulate(SideBySide(trees), "tests.hdl.bench_nonzero_detection", parameters={"sizes": SIZES})


@pytest.mark.parametrize("children", [0, 5, 2.0])
def test_children_are_checked(children: object) -> None:
    message = rf"^Children must be an integer from 1 to 4, not {re.escape(repr(children))}$"
    with pytest.raises(ValueError, match=message):
        DetectionNode(Geometry(), children=children, stride=1)
