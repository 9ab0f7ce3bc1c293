"""What surrounds the device on a board: lamps, reset, pins, and the instance of each family's PLL."""

import re
from dataclasses import replace

import pytest

from boards.lamps import Lamps
from boards.registry import NAMES, find
from boards.top import RESET_CYCLES, Top
from hdl.verilog import emit
from tests.boards.echo import Echo
from tests.hdl.runner import simulate


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_lamps(count):
    simulate(Lamps(count, clock_hz=1), "tests.boards.bench_lamps", parameters={"count": count})


@pytest.mark.parametrize("count", [5, -1])
def test_number_of_lamps_is_checked(count):
    with pytest.raises(ValueError, match=rf"^Count must be an integer from 0 to 4, not {count}$"):
        Lamps(count, clock_hz=1)


def echo(board):
    return Echo(board.geometry, divisor=board.divisor, clock_hz=board.clock_hz)


@pytest.mark.parametrize("inverted", [(False, True), (True, False)])
def test_top(inverted):
    board = replace(find("tang_nano_9k"), lamps=("led/0", "led/1"), held_high=("led/2",))
    assert board.setting is None, "without a PLL the clock is the oscillator's"
    given = {
        "stages": board.geometry.queue_depth,
        "reset_cycles": RESET_CYCLES,
        "inverted": [int(one) for one in inverted],
    }
    simulate(Top(board, echo(board), inverted), "tests.boards.bench_top", parameters=given)


@pytest.mark.parametrize("name", NAMES)
def test_the_pll_is_the_one_that_was_computed(name):
    board = find(name).with_changes(clock_mhz=30)
    board = replace(board, baud=115_200)
    text = emit(Top(board, echo(board), [False] * len(board.lamps)), "top")
    instance = re.search(rf"{board.pll} #\((.*?)\) +pll \((.*?)\);", text, re.DOTALL)
    parameters = dict(re.findall(r"\.(\w+)\(([^)]*)\)", instance[1]))
    for divider, value in board.setting.dividers.items():
        found = parameters[divider]
        base = {"h": 16, "d": 10, "b": 2}[re.search("'s?([hdb])", found)[1]]
        assert int(re.search(r"'s?[hdb](\w+)", found)[1], base) == value
