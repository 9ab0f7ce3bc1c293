"""The boards by name; a board's file is read when it is asked for."""

import importlib

from boards.board import Board
from golden.errors import UsageError

PLACES = {
    "icebreaker": "icebreaker:ICEBREAKER",
    "icesugar": "icesugar:ICESUGAR",
    "ice40_hx8k_b_evn": "ice40_hx8k_b_evn:ICE40_HX8K_B_EVN",
    "ulx3s_25f": "ulx3s:ULX3S_25F",
    "ulx3s_45f": "ulx3s:ULX3S_45F",
    "ulx3s_85f": "ulx3s:ULX3S_85F",
    "icesugar_pro": "icesugar_pro:ICESUGAR_PRO",
    "colorlight_5a75b_r7_0": "colorlight_5a75b_r7_0:COLORLIGHT_5A75B_R7_0",
    "orangecrab_25f": "orangecrab_25f:ORANGECRAB_25F",
    "tang_nano_9k": "tang_nano_9k:TANG_NANO_9K",
}
"""Module under `boards`, and name in it, of every board."""
NAMES = tuple(PLACES)


def find(name: str) -> Board:
    """The board of a name.

    Raises
    ------
    UsageError
        If there is none.

    Examples
    --------
    >>> find("icebreaker").chip.name
    'iCE40UP5K-SG48'
    """
    if name not in PLACES:
        raise UsageError(f"there is no board {name!r}; choose one of {', '.join(NAMES)}")
    module, _, attribute = PLACES[name].partition(":")
    return getattr(importlib.import_module(f"boards.{module}"), attribute)


def every() -> list[Board]:
    """All boards, in the order of the documentation."""
    return [find(name) for name in NAMES]
