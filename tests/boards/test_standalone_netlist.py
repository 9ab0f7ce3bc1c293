"""Netlists of whole boards that hold a model after power-up, without a load over the line."""

import pytest

from boards import proof
from boards.registry import find
from golden import flash
from golden.plan import make_plan
from golden.protocol import WHOLE
from host.driver import Driver
from host.prove import digits, prove
from host.transport import SerialTransport

pytestmark = pytest.mark.long


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s_25f"])
def test_the_digits_are_answered_after_power_up(name):
    model, inputs = digits()
    board = find(name)
    [image] = make_plan(model, board.geometry, resident=True).images
    found = proof.netlist(board, flash=True)
    if not board.flash:
        proof.fill(board, found, image)
    contents = flash.contents(image) if board.flash else None
    with proof.start(proof.netlist_program(board, found), flash=contents) as chip:
        with Driver(SerialTransport(chip.port), timeout=60.0) as driver:
            assert driver.holds(WHOLE, image.crc)
        outcome = prove(chip.port, model, inputs[:3])
    assert outcome.proved, outcome
    assert outcome.link_bytes < len(image.payload) // 2, "nothing was loaded"
