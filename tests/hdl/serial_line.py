"""A host's end of the serial line, for benches of designs with `rx` and `tx`."""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.queue import Queue
from cocotb.triggers import FallingEdge, Timer, with_timeout

from golden import protocol
from golden.protocol import Frame

CLOCK_NS = 10


class SerialLine:
    """Sends bytes at once, and cuts what comes back into frames."""

    def __init__(self, dut: HierarchyObject, divisor: int) -> None:
        self.dut, self.bit_ns = dut, divisor * CLOCK_NS
        self.frames: Queue[bytes] = Queue()
        cocotb.start_soon(self._receive())

    async def send(self, data: bytes) -> None:
        """Bytes without a gap."""
        for byte in data:
            for bit in (0, *(byte >> i & 1 for i in range(8)), 1):
                self.dut.rx.value = bit
                await Timer(self.bit_ns, unit="ns")

    async def reply(self, milliseconds: float = 2) -> Frame:
        """The next frame, which must be intact."""
        return protocol.decode_reply(await with_timeout(self.frames.get(), round(milliseconds * 1e6), "ns"))

    async def _receive(self) -> None:
        frame = b""
        while True:
            await FallingEdge(self.dut.tx)
            await Timer(self.bit_ns // 2, unit="ns")
            byte = 0
            for i in range(8):
                await Timer(self.bit_ns, unit="ns")
                byte |= int(self.dut.tx.value) << i
            await Timer(self.bit_ns, unit="ns")
            assert self.dut.tx.value == 1, "no stop bit"
            if byte != protocol.FLAG:
                frame += bytes([byte])
            else:
                self.frames.put_nowait(frame)
                frame = b""
