"""Block RAM in a flash's place, for chips whose bitstream fills their memories."""

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from golden.stored import ROOM
from hdl.block_memory import BlockMemory
from hdl.flash_loader import FLASH

COMMAND_BITS = 32


class StoredRequests(wiring.Component):
    """Answers `hdl.flash_loader.FlashLoader` with a memory's bytes, from the first one on, whatever it asks.

    The memory is written by nobody: its contents come with the bitstream (`boards.contents`).

    Latency 2 cycles from the end of a byte to the first bit of the next one, for which the loader takes 3.

    Parameters
    ----------
    init : bytes
        What it holds at first, where the bitstream does not say so.

    Members
    -------
    flash : In(FLASH)
    """

    def __init__(self, init=b""):
        self._init = init
        super().__init__({"flash": In(FLASH)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = stored = BlockMemory(words=ROOM, bits=8, output_register=True, init=self._init)
        command = Signal(range(COMMAND_BITS + 1))
        place = Signal(range(8 * ROOM))
        with m.If(self.flash.clock):
            with m.If(command != COMMAND_BITS):
                m.d.sync += command.eq(command + 1)
            with m.Else():
                m.d.sync += place.eq(place + 1)
        with m.If(~self.flash.select):
            m.d.sync += [command.eq(0), place.eq(0)]
        m.d.comb += [
            stored.read_enable.eq(1),
            stored.read_address.eq(place[3:]),
            self.flash.data.eq(Array(reversed(stored.read_data))[place[:3]]),
        ]
        return m
