"""nextpnr's reports are read, and timing is never waived."""

import pytest

from boards import place
from boards.registry import find
from golden.errors import TamisError, UnsupportedError

REPORT = {
    "fmax": {
        "clk": {"achieved": 300.0, "constraint": 12.0},
        "device.clk": {"achieved": 23.5, "constraint": 18.0},
    },
    "utilization": {
        "ICESTORM_LC": {"used": 700, "available": 5280},
        "ICESTORM_RAM": {"used": 7, "available": 30},
        "ICESTORM_DSP": {"used": 1, "available": 8},
        "SB_IO": {"used": 5, "available": 96},
    },
}


def test_used():
    assert place.used(REPORT) == {"lut": 700, "bram": 7, "spram": 0, "dsp": 1}


def test_the_clock_is_that_of_the_engine():
    assert place.reached(REPORT, 18.0) == 23.5
    with pytest.raises(TamisError, match=r"^nextpnr checked no clock of 24 MHz, only 12, 18"):
        place.reached(REPORT, 24.0)


@pytest.mark.parametrize(
    ("log", "error", "says"),
    [
        (
            "Info: \t  ICESTORM_LC:    6201/   5280   117%\nInfo: \t SB_IO:  5/  39  12%\nERROR: No\n",
            UnsupportedError,
            r"^the design needs 6,201 ICESTORM_LC of 5,280 that the iCE40UP5K-SG48 has; ask for fewer PEs$",
        ),
        (
            "ERROR: Loading PCF failed.\n",
            TamisError,
            r"^nextpnr failed on this design: ERROR: Loading PCF failed",
        ),
        ("Warning: logic loop found\n", TamisError, r"there is a combinational loop"),
    ],
)
def test_what_nextpnr_says(log, error, says, monkeypatch, tmp_path):
    monkeypatch.setattr(place, "run", lambda *_, **__: (False, log))
    with pytest.raises(error, match=says):
        place.place(find("icebreaker").chip, "", tmp_path, clock_mhz=18, seed=1)


def test_a_missed_clock_is_refused_with_both_figures():
    board = find("icebreaker").with_changes(pes=1, clock_mhz=18)
    place.check_timing(board, 18.0, 18.0)
    with pytest.raises(UnsupportedError, match=r"^icebreaker .* misses its clock: 18 MHz asked, 17\.90"):
        place.check_timing(board, 18.0, 17.9)
