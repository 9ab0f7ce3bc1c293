"""ULX3S with ECP5 of three sizes; its FT231X takes up to 3 Mbaud."""

from boards.board import Board
from boards.chips import ecp5
from boards.presets import ECP5_25F_LENET, ECP5_45F_LENET, ECP5_85F_LENET
from golden.geometry import Geometry


def _ulx3s(size: str, *, geometry: Geometry, clock_mhz: float) -> Board:
    """The board with an LFE5U of this size."""
    return Board(
        name=f"ulx3s_{size.lower()}",
        title=f"Radiona ULX3S {size}",
        platform=f"amaranth_boards.ulx3s:ULX3S_{size}_Platform",
        chip=ecp5(size, "CABGA381", 6),
        oscillator_mhz=25,
        clock_mhz=clock_mhz,
        pll="EHXPLLL",
        baud=3_000_000,
        geometry=geometry,
        resident="lenet-300-100",
        lamps=tuple(f"led/{number}" for number in range(4)),
        held_high=("esp32/0/gpio0",),  # else the ESP32 module would take the board away
        pack=("--compress",),
        built=True,
        programmer=("openFPGALoader", "-b", "ulx3s", "-f", "{file}"),
    )


ULX3S_25F = _ulx3s("25F", geometry=ECP5_25F_LENET, clock_mhz=84)
ULX3S_45F = _ulx3s("45F", geometry=ECP5_45F_LENET, clock_mhz=72)
ULX3S_85F = _ulx3s("85F", geometry=ECP5_85F_LENET, clock_mhz=72)
