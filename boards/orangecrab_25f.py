"""OrangeCrab r0.2 with ECP5-25F: its USB socket is the FPGA's own, so a serial adapter goes to the header."""

from boards.board import Board
from boards.chips import ecp5
from boards.presets import ECP5_25F_LENET

ORANGECRAB_25F = Board(
    name="orangecrab_25f",
    title="OrangeCrab r0.2 25F",
    platform="boards.orangecrab_pins:OrangeCrabSerialPlatform",
    chip=ecp5("25F", "CSFBGA285", 8),
    oscillator_mhz=48,
    clock_mhz=96,
    pll="EHXPLLL",
    baud=1_000_000,
    geometry=ECP5_25F_LENET,
    resident="lenet-300-100",
    built=True,
    lamps=("rgb_led/0/g", "rgb_led/0/b", "rgb_led/0/r"),
    pack=("--compress", "--freq", "38.8"),
    programmer=("dfu-util", "-a", "0", "-D", "{file}"),
    remark="serial adapter at the header: pin 0 takes its output, pin 1 drives its input; 3.3 V",
)
