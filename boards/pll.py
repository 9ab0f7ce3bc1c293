"""Dividers of a phase-locked loop (PLL): from a board's oscillator to the engine's clock.

Frequencies are in MHz and kept as fractions, so that a result can be compared exactly.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import ceil, floor

from golden.errors import UnsupportedError

TOLERANCE = Fraction(1, 100)
"""Deviation of a clock from the one asked for that nobody minds: the baud rate follows from the real one."""


@dataclass(frozen=True)
class Limits:
    """Lowest and highest frequency, in MHz, of a PLL's reference, phase detector, oscillator and output."""

    reference: tuple[float, float]
    detector: tuple[float, float]
    oscillator: tuple[float, float]
    output: tuple[float, float]


@dataclass(frozen=True)
class Setting:
    """Dividers of a PLL.

    Parameters
    ----------
    reference, detector, oscillator, output : Fraction
        Frequencies in MHz.
    dividers : dict
        The primitive's own parameters.
    """

    reference: Fraction
    detector: Fraction
    oscillator: Fraction
    output: Fraction
    dividers: dict[str, int]

    def within(self, limits: Limits) -> bool:
        """Whether every frequency is within its limits.

        >>> setting = Setting(*map(Fraction, (12, 12, 768, 24)), {})
        >>> setting.within(ICE40), setting.within(ECP5)
        (True, True)
        """
        return all(low <= getattr(self, name) <= high for name, (low, high) in vars(limits).items())


ICE40 = Limits((10, 133), (10, 133), (533, 1066), (16, 275))
"""iCE40 LP/HX and UltraPlus family data sheets, "sysCLOCK PLL timing"."""
ECP5 = Limits((8, 400), (10, 400), (400, 800), (3.125, 400))
"""ECP5 family data sheet FPGA-DS-02012, "sysCLOCK PLL timing"."""
GW1NR = Limits((3, 400), (3, 400), (400, 1200), (3.125, 600))
"""GW1NR data sheet DS117, "PLL switching characteristic", speed C6/I5."""

_ICE40_FILTERS = (17, 26, 44, 66, 101)
"""Phase detector frequencies at which FILTER_RANGE steps from 1 to 6, as icepll has them."""
_GOWIN_OUTPUT_DIVIDERS = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)


def ice40(reference: Fraction, wanted: Fraction) -> Iterator[Setting]:
    """Every setting of an SB_PLL40 with simple feedback: output = detector * (DIVF + 1) / 2**DIVQ."""
    for r in range(16):
        detector = reference / (r + 1)
        for f in range(128):
            oscillator = detector * (f + 1)
            for q in range(1, 7):
                dividers = {"DIVR": r, "DIVF": f, "DIVQ": q,
                            "FILTER_RANGE": 1 + sum(detector >= limit for limit in _ICE40_FILTERS)}
                yield Setting(reference, detector, oscillator, oscillator / (1 << q), dividers)


def ecp5(reference: Fraction, wanted: Fraction) -> Iterator[Setting]:
    """Settings of an EHXPLLL with feedback from CLKOP, and at CLKOS the outputs nearest to `wanted`.

    The oscillator runs at detector * CLKFB_DIV * CLKOP_DIV; a divider of its own for the output allows more
    frequencies than the feedback's.
    """
    low, high = map(Fraction, ECP5.oscillator)
    for i in range(1, 41):
        detector = reference / i
        for feedback in range(1, 81):
            step = detector * feedback
            for op in range(max(1, ceil(low / step)), min(128, floor(high / step)) + 1):
                oscillator = step * op
                for os in {floor(oscillator / wanted), ceil(oscillator / wanted)} & set(range(1, 129)):
                    dividers = {"CLKI_DIV": i, "CLKFB_DIV": feedback, "CLKOP_DIV": op, "CLKOS_DIV": os}
                    yield Setting(reference, detector, oscillator, oscillator / os, dividers)


def gowin(reference: Fraction, wanted: Fraction) -> Iterator[Setting]:
    """Every setting of an rPLL: output = detector * (FBDIV_SEL + 1), oscillator = output * ODIV_SEL."""
    for i in range(64):
        detector = reference / (i + 1)
        for f in range(64):
            output = detector * (f + 1)
            for o in _GOWIN_OUTPUT_DIVIDERS:
                dividers = {"IDIV_SEL": i, "FBDIV_SEL": f, "ODIV_SEL": o}
                yield Setting(reference, detector, output * o, output, dividers)


FAMILIES = {"ice40": (ice40, ICE40), "ecp5": (ecp5, ECP5), "gowin": (gowin, GW1NR)}


@cache
def best(family: str, reference_mhz: float, wanted_mhz: float) -> Setting:
    """The setting nearest to a frequency; of equal ones that with the fastest phase detector: least jitter.

    Parameters
    ----------
    family : {"ice40", "ecp5", "gowin"}
    reference_mhz : float
        The board's oscillator.
    wanted_mhz : float

    Raises
    ------
    UnsupportedError
        If no setting comes within 1 % of `wanted_mhz`.

    Examples
    --------
    >>> found = best("ice40", 12, 36)
    >>> found.dividers, float(found.oscillator)
    ({'DIVR': 0, 'DIVF': 47, 'DIVQ': 4, 'FILTER_RANGE': 1}, 576.0)
    """
    settings, limits = FAMILIES[family]
    reference, wanted = Fraction(str(reference_mhz)), Fraction(str(wanted_mhz))
    allowed = [setting for setting in settings(reference, wanted) if setting.within(limits)]
    found = min(allowed, key=lambda setting: (abs(setting.output - wanted), -setting.detector), default=None)
    if found is None or abs(found.output - wanted) > TOLERANCE * wanted:
        low, high = limits.output
        nearest = "" if found is None else f"; the nearest is {float(found.output):g} MHz"
        raise UnsupportedError(
            f"a clock of {wanted_mhz:g} MHz cannot be made from the board's {reference_mhz:g} MHz, as its "
            f"PLL makes {low:g} to {high:g} MHz{nearest}; ask for another clock")
    return found
