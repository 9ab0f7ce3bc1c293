"""Pins of the OrangeCrab r0.2 with a serial line at its header, which amaranth-boards does not name."""

from amaranth.build import Attrs
from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform
from amaranth_boards.resources import UARTResource


class OrangeCrabSerialPlatform(OrangeCrabR0_2_25FPlatform):
    """The board with a serial line where a Feather has it, and LiteX-Boards too.

    Header pin 0 (N17) is the input, pin 1 (M18) the output.
    """

    resources = (
        *OrangeCrabR0_2_25FPlatform.resources,
        UARTResource(0, rx="0", tx="1", conn=("io", 0), attrs=Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")),
    )
