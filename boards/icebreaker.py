"""iCEBreaker: iCE40 UP5K and an FT2232H, whose second channel is the serial line."""

from boards.board import FT2232H_BAUD, Board
from boards.chips import UP5K
from boards.presets import UP5K_LENET

ICEBREAKER = Board(
    name="icebreaker",
    title="1BitSquared iCEBreaker",
    platform="amaranth_boards.icebreaker:ICEBreakerPlatform",
    chip=UP5K,
    oscillator_mhz=12,
    clock_mhz=24,
    pll="SB_PLL40_PAD",  # pin 35 is the PLL's own pad, and is lost to SB_PLL40_CORE
    baud=FT2232H_BAUD[0],
    slower=FT2232H_BAUD[1:],
    geometry=UP5K_LENET,
    resident="lenet-300-100",
    lamps=("led_g/0", "led_r/0"),
    pack=("-s",),  # the flash is not put to sleep after configuration
    programmer=("iceprog", "{file}"),
    flash="spi_flash_1x/0",
    flash_programmer=("iceprog", "-o", "{offset}", "{file}"),
    built=True,
)
