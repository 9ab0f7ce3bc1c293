"""iCESugar-pro: ECP5-25F module behind the iCELink debugger of its base board."""

from boards.board import Board
from boards.chips import ecp5
from boards.presets import ECP5_25F_LENET

ICESUGAR_PRO = Board(
    name="icesugar_pro",
    title="MuseLab iCESugar-pro v1.3",
    platform="amaranth_boards.icesugar_pro:ICESugarProPlatform",
    chip=ecp5("25F", "CABGA256", 6),
    oscillator_mhz=25,
    clock_mhz=84,
    pll="EHXPLLL",
    baud=115_200,
    geometry=ECP5_25F_LENET,
    resident="lenet-300-100",
    built=True,
    lamps=("rgb_led/0/g", "rgb_led/0/b", "rgb_led/0/r"),
    pack=("--compress",),
    programmer=("icesprog", "{file}"),
)
