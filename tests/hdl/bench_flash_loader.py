"""Bench of the loader from flash: requests from a modelled one, replies as a link gives them, with stalls."""

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import FallingEdge, RisingEdge

from golden import flash
from golden.protocol import REPLY, Code, Fault, Frame, Request, decode, encode, encode_reply
from tests.hdl.flash_model import FlashModel
from tests.hdl.streams import collect, cycles, drive, parameters, rng, start

WHOLE_COMMITTED = 3


class Bench:
    """The loader between a line that never rests and a link that the bench plays."""

    def __init__(self, dut: HierarchyObject) -> None:
        self.dut, self.rng = dut, rng()
        self.stall = parameters()["stall"]
        self.header = bytes.fromhex(parameters()["header"])
        sizes = (0, 1, 2, 100, 244, 7)
        self.frames = [encode(Frame(Request.DATA, 0, self.rng.randbytes(size))) for size in sizes]

    async def power_up(self, content: bytes, codes: dict[int, int] | None = None) -> list[bytes]:
        """Reset, and play the link until the loader has done; what it was given.

        Request number i is answered with codes[i], and otherwise OK; after the last of `frames` everything
        is committed.
        """
        dut = self.dut
        self.flash = FlashModel(dut, {flash.OFFSET + i: byte for i, byte in enumerate(content)})
        self.restarts = self.leaked = 0
        await start(dut, busy=1, line_rx__valid=1, line_rx__payload=0x55, line_tx__ready=1)
        await cycles(dut, 50)
        assert (dut.flash__select.value, dut.active.value) == (0, 1), "the engine is not ready"
        dut.busy.value = 0
        requests: list[bytes] = []
        link = cocotb.start_soon(self._serve(requests, codes or {}))
        for _ in range(200_000):
            await FallingEdge(dut.clk)
            self.restarts += int(dut.restart.value)
            if dut.active.value == 0:
                break
            self.leaked += int(dut.line_tx__valid.value)
        link.cancel()
        self.flash.stop()
        assert dut.active.value == 0, "the loader did not end"
        assert self.leaked == 0
        assert dut.flash__select.value == 0
        assert self.flash.commands == [bytes([flash.READ]) + flash.OFFSET.to_bytes(3, "big")]
        dut.tx__valid.value = dut.line_rx__valid.value = 0
        return requests

    async def _serve(self, requests: list[bytes], codes: dict[int, int]) -> None:
        while True:
            request = b""
            while not request.endswith(b"\0"):
                [byte] = await collect(self.dut, "rx", 1, stall=self.stall, rng=self.rng)
                request += bytes([byte])
            code = codes.get(len(requests), Code.OK)
            requests.append(request)
            await cycles(self.dut, self.rng.randrange(100))
            if requests == self.frames:
                self.dut.committed.value = WHOLE_COMMITTED
            # Payload and CRC look like codes and like nothing in turn.
            payload = bytes([code, *self.rng.choice([(), (0, 0, 0, 0), (1, 2, 3, 4)])])
            reply = encode_reply(Frame(Request.DATA | REPLY, 0, payload))
            await drive(self.dut, "tx", reply, stall=self.stall, rng=self.rng)

    async def check(self, fault: Fault) -> None:
        """The end of a power-up: what is remembered, and whether line and link have each other."""
        dut = self.dut
        assert dut.fault.value == fault
        assert self.restarts == (fault != Fault.NONE)
        for source, target in (("line_rx", "rx"), ("tx", "line_tx")):
            items = [self.rng.randrange(256) for _ in range(20)]
            cocotb.start_soon(drive(dut, source, items, stall=self.stall, rng=self.rng))
            assert await collect(dut, target, 20, stall=self.stall, rng=self.rng) == items
        assert dut.fault.value == fault
        dut.loading.value = 1
        await cycles(dut, 2)
        assert dut.fault.value == Fault.NONE, "forgotten when a load begins"
        assert dut.active.value == 0


@cocotb.test()
async def gives_every_request(dut: HierarchyObject) -> None:
    bench = Bench(dut)
    content = bench.header + b"".join(bench.frames)
    assert await bench.power_up(content) == bench.frames
    assert bench.flash.read == len(content), "it stops behind the last one"
    await bench.check(Fault.NONE)


@cocotb.test()
async def erased_flash_is_no_fault(dut: HierarchyObject) -> None:
    bench = Bench(dut)
    assert await bench.power_up(b"") == []
    await bench.check(Fault.NONE)


@cocotb.test()
async def a_foreign_header_is_told(dut: HierarchyObject) -> None:
    bench = Bench(dut)
    for bit in range(8 * len(bench.header)):
        wrong = int.from_bytes(bench.header, "little") ^ 1 << bit
        content = wrong.to_bytes(len(bench.header), "little") + b"".join(bench.frames)
        assert await bench.power_up(content) == []
        await bench.check(Fault.FLASH_FOREIGN)
    for byte in (0, 0xFE):
        assert await bench.power_up(bytes([byte]) * 40) == []
        await bench.check(Fault.FLASH_FOREIGN)


@cocotb.test()
async def a_refused_request_is_the_last(dut: HierarchyObject) -> None:
    bench = Bench(dut)
    for number in range(len(bench.frames)):
        for code in (Code.DAMAGED_FRAME, 0x80):
            given = await bench.power_up(bench.header + b"".join(bench.frames), {number: code})
            assert given == bench.frames[: number + 1]
            await bench.check(Fault.FLASH_DAMAGED)


@cocotb.test()
async def nothing_in_a_requests_place_is_damage(dut: HierarchyObject) -> None:
    bench = Bench(dut)
    for number in range(len(bench.frames)):
        for rest in (b"\0", b"\0" + bench.frames[0]):
            given = await bench.power_up(bench.header + b"".join(bench.frames[:number]) + rest)
            assert given == bench.frames[:number]
            await bench.check(Fault.FLASH_DAMAGED)


@cocotb.test()
async def a_request_without_end_is_ended(dut: HierarchyObject) -> None:
    bench = Bench(dut)
    cut = bench.frames[0] + bench.frames[4][:30]
    given = await bench.power_up(bench.header + cut, {1: Code.DAMAGED_FRAME})
    assert given[0] == bench.frames[0]
    assert given[1] == (bench.frames[4][:30] + b"\xff" * flash.LONGEST)[: flash.LONGEST] + b"\0"
    await bench.check(Fault.FLASH_DAMAGED)
    assert max(map(len, bench.frames)) <= flash.LONGEST, "and no good one is"
    assert decode(bench.frames[4][:-1]).type == Request.DATA


@cocotb.test()
async def the_first_byte_comes_in_time(dut: HierarchyObject) -> None:
    """Cycles from an engine that is ready, as the unit states them."""
    bench = Bench(dut)
    content = bench.header + b"\2\1\0"
    bench.flash = FlashModel(dut, {flash.OFFSET + i: byte for i, byte in enumerate(content)})
    await start(dut, rx__ready=1)
    arrivals, now = [], 0
    while len(arrivals) < 3:
        await RisingEdge(dut.clk)
        if dut.rx__valid.value == 1:
            arrivals.append(now)
        now += 1
    assert arrivals == [153, 170, 187]
