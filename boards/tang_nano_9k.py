"""Sipeed Tang Nano 9K: Gowin GW1NR-9. The open tools' timing is optimistic here, so no clock is claimed."""

from boards.board import Board
from boards.chips import GW1NR9
from golden.geometry import Geometry

TANG_NANO_9K = Board(
    name="tang_nano_9k",
    title="Sipeed Tang Nano 9K",
    platform="amaranth_boards.tang_nano_9k:TangNano9kPlatform",
    chip=GW1NR9,
    oscillator_mhz=27,
    clock_mhz=27,
    pll="rPLL",
    baud=115_200,
    geometry=Geometry(pes=2),
    resident="digits",
    built=True,
    lamps=tuple(f"led/{number}" for number in range(4)),
    pack=("--sspi_as_gpio", "--mspi_as_gpio"),
    programmer=("openFPGALoader", "-b", "tangnano9k", "-f", "{file}"),
    claims_clock=False,
)
