"""Colorlight 5A-75B revision 7.0, a receiver card for LED walls.

Its outputs pass level shifters, so the only pin that can be an input is the key's on J19; the LED's pin,
beside it, is the serial output, and no lamp is left.
"""

from boards.board import Board
from boards.chips import ecp5
from boards.presets import ECP5_25F_LENET

COLORLIGHT_5A75B_R7_0 = Board(
    name="colorlight_5a75b_r7_0",
    title="Colorlight 5A-75B r7.0",
    platform="amaranth_boards.colorlight_5a75b_r7_0:Colorlight_5A75B_R70Platform",
    chip=ecp5("25F", "CABGA256", 6),
    oscillator_mhz=25,
    clock_mhz=84,
    pll="EHXPLLL",
    baud=1_000_000,
    geometry=ECP5_25F_LENET,
    resident="lenet-300-100",
    built=True,
    pack=("--compress",),
    programmer=("openFPGALoader", "-c", "ft232", "--unprotect-flash", "-f", "{file}"),
    remark="serial adapter at J19, KEY+ is its output and DATA_LED- its input; JTAG adapter at J27 to J34",
)
