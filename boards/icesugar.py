"""iCESugar: iCE40 UP5K behind the iCELink debugger, which is also the serial port."""

from boards.board import Board
from boards.chips import UP5K
from boards.presets import UP5K_LENET

ICESUGAR = Board(
    name="icesugar",
    title="MuseLab iCESugar v1.5",
    platform="amaranth_boards.icesugar:ICESugarPlatform",
    chip=UP5K,
    oscillator_mhz=12,
    clock_mhz=24,
    pll="SB_PLL40_PAD",
    baud=115_200,
    geometry=UP5K_LENET,
    resident="lenet-300-100",
    built=True,
    lamps=("led_g/0", "led_b/0", "led_r/0"),
    pack=("-s",),  # the flash is not put to sleep after configuration
    programmer=("icesprog", "{file}"),
    flash="spi_flash_1x/0",
    flash_programmer=("icesprog", "-o", "{offset}", "{file}"),
)
