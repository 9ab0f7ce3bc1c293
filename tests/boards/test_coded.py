"""Boards with a decoder: what is built, and that nothing else is."""

import pytest

from boards.build import verilog
from boards.registry import find


@pytest.mark.parametrize(("name", "form"), [("ice40_hx8k_b_evn", "small"), ("orangecrab_25f", "fast")])
@pytest.mark.parametrize("flash", [False, True])
def test_only_a_board_that_was_asked_for_it_gets_a_decoder(name, form, flash):
    board = find(name)
    plain, pins = verilog(board.with_changes(decoder="none"), board.pins(), flash=flash)
    coded, coded_pins = verilog(board.with_changes(decoder=form), board.pins(), flash=flash)
    assert "coded_bytes" not in plain
    assert "module \\tamis.device.link.bytes.coded_bytes.decoder " in coded
    assert ("offset15" in coded) == (form == "fast")
    assert pins == coded_pins


def test_it_is_another_board_for_the_cache_and_stays_one():
    board = find("icebreaker").with_changes(decoder="small").with_changes(pes=2)
    assert repr(board) != repr(find("icebreaker").with_changes(pes=2))
    assert board.decoder == "small"
