"""Lattice's iCE40-HX8K breakout board: no multipliers; channel B of its FT2232H is the serial line."""

from boards.board import FT2232H_BAUD, Board
from boards.chips import HX8K
from golden.geometry import Geometry

ICE40_HX8K_B_EVN = Board(
    name="ice40_hx8k_b_evn",
    title="Lattice iCE40-HX8K breakout board",
    platform="amaranth_boards.ice40_hx8k_b_evn:ICE40HX8KBEVNPlatform",
    chip=HX8K,
    oscillator_mhz=12,
    clock_mhz=48,
    pll="SB_PLL40_CORE",
    baud=FT2232H_BAUD[0],
    slower=FT2232H_BAUD[1:],
    geometry=Geometry(
        pes=3, queue_depth=1, matrix_words=1024, pointer_words=85, activations=128, accumulators=128,
        codebook_entries=128, output_registers=False),
    resident="digits, 7.5 % kept",
    lamps=tuple(f"led/{number}" for number in range(4)),
    pack=("-s",),  # the flash is not put to sleep after configuration
    programmer=("iceprog", "{file}"),
    flash="spi_flash_1x/0",
    flash_programmer=("iceprog", "-o", "{offset}", "{file}"),
    built=True,
    remark="the jumpers of J6 as delivered, for the flash",
)
