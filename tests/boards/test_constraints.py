"""Pins from amaranth-boards, and the three dialects of constraint files."""

from dataclasses import replace

import pytest

from boards.board import Board
from boards.constraints import Pin, board_pins, constraints, cst, lpf, pcf
from boards.registry import NAMES, every, find
from golden.errors import UnsupportedError, UsageError

PINS = [
    Pin("clk", "35", False, {"GLOBAL": True, "IO_STANDARD": "SB_LVCMOS"}),
    Pin("rx", "6", False, {"IO_TYPE": "LVCMOS33", "PULLUP": 1}),
]


@pytest.mark.parametrize("name", NAMES)
def test_every_board_has_its_pins(name):
    board = find(name)
    assert board.name == name
    platform = board.pins()
    assert platform.default_clk_frequency == board.oscillator_mhz * 1e6
    found = board_pins(board, platform)
    assert len({pin.place for pin in found}) == len(found), "a pin is used twice"
    assert {"clk", "rx", "tx"} <= {pin.port for pin in found}
    text = constraints(board, found)
    assert all(pin.port in text and pin.place in text for pin in found)


def serial_pins(name):
    board = find(name)
    found = {pin.port: pin.place for pin in board_pins(board, board.pins())}
    return found["clk"], found["rx"], found["tx"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("icebreaker", ("35", "6", "9")),
        ("ulx3s_85f", ("G2", "M1", "L4")),
        ("orangecrab_25f", ("A9", "N17", "M18")),
        ("tang_nano_9k", ("52", "18", "17")),
    ],
)
def test_pins_are_those_of_the_boards(name, expected):
    assert serial_pins(name) == expected


def test_lamps_that_light_on_zero_are_known():
    board = find("icebreaker")
    assert [pin.inverted for pin in board_pins(board, board.pins())] == [False, False, False, True, True]


def test_dialects():
    assert pcf(PINS, 12) == "set_io clk 35\nset_io -pullup yes rx 6\nset_frequency clk 12\n"
    assert lpf(PINS[1:], 12.5).splitlines() == [
        'LOCATE COMP "rx" SITE "6";',
        'IOBUF PORT "rx" IO_TYPE=LVCMOS33 PULLUP=1;',
        'FREQUENCY PORT "clk" 12.5 MHZ;',
    ]
    assert cst(PINS[1:], 12).splitlines() == ['IO_LOC "rx" 6;', 'IO_PORT "rx" IO_TYPE=LVCMOS33 PULLUP=1;']


def test_there_is_a_file_for_every_name():
    assert [board.name for board in every()] == list(NAMES)
    with pytest.raises(UsageError, match=r"^there is no board 'ulx3s'; choose one of icebreaker, "):
        find("ulx3s")


def changed(**changes) -> Board:
    return find("icebreaker").with_changes(**changes)


def test_a_line_rate_that_the_clock_misses_is_refused():
    assert changed(clock_mhz=24).divisor == 2
    assert [changed(clock_mhz=mhz).baud for mhz in (18, 24, 30, 36)] == [6e6, 12e6, 6e6, 12e6]
    with pytest.raises(UnsupportedError, match=r"^a clock of 16\.5 MHz misses 3,000,000 baud by 8\.3 %"):
        assert changed(clock_mhz=16.5).divisor
    with pytest.raises(UnsupportedError, match=r"needs a clock of at least 2 times .* not 12 MHz; "):
        assert replace(changed(clock_mhz=12), baud=12_000_000).divisor
