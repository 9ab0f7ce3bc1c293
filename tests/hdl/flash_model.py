"""An SPI flash in mode 0 as a bench sees it: it knows the read command, and nothing else."""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import FallingEdge, First, RisingEdge

from golden.flash import READ


class FlashModel:
    """Plays the flash at the ports `{prefix}select`, `clock`, `command` and `data`.

    Attributes
    ----------
    content : dict of int to int
        Bytes that were written, by address; the others are erased.
    commands : list of bytes
        What came after each selection, the address included.
    read : int
        Bytes that were read completely.
    """

    def __init__(self, dut: HierarchyObject, content: dict[int, int], prefix: str = "flash__") -> None:
        self.content, self.commands, self.read = content, [], 0
        self.select, self.clock, self.command, self.data = (
            getattr(dut, prefix + name) for name in ("select", "clock", "command", "data")
        )
        self._task = cocotb.start_soon(self._play())

    def stop(self) -> None:
        """Take it away."""
        self._task.cancel()

    async def _play(self) -> None:
        while True:
            if self.select.value != 1:
                await RisingEdge(self.select)
            assert self.clock.value == 0, "selected with the clock high: not mode 0"
            bits = address = 0
            while True:
                await First(RisingEdge(self.clock), FallingEdge(self.select))
                if self.select.value == 0:
                    break
                if bits < 32:
                    address = address << 1 | int(self.command.value)
                bits += 1
                await FallingEdge(self.clock)
                if bits >= 32:
                    if bits == 32:
                        self.commands.append(address.to_bytes(4, "big"))
                        assert address >> 24 == READ
                        address &= 0xFFFFFF
                    place, bit = divmod(bits - 32, 8)
                    self.read = place
                    self.data.value = self.content.get(address + place, 0xFF) >> 7 - bit & 1
