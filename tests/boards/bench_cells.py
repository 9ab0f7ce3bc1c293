"""Bench of the primitives' models: random stimuli beside a plain reference of each."""

import random
from dataclasses import dataclass, field

import cocotb
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import FallingEdge

from tests.boards.primitives import INITIAL, MEMORIES, MULTIPLIERS

CYCLES = 3000
ROWS = (0, 1, 2, 511)
"""Addresses of 36 bits that are used: few, so that ports meet often."""
SHIFTS = {36: 5, 18: 4, 9: 3, 4: 2, 2: 1, 1: 0}


def places(width: int, address: int) -> list[int]:
    """Bits of the memory, 18 for each word, that a port sees at an address."""
    if width == 36:
        return [36 * (address >> 5) + bit for bit in range(36)]
    word = 18 * (address >> 4)
    if width == 18:
        return [word + bit for bit in range(18)]
    first = word + 9 * (address >> 3 & 1) + (address & 7 & ~(min(width, 8) - 1))
    return [first + bit for bit in range(width)]


def written(width: int, address: int, data: int) -> dict[int, int]:
    """Value of each bit that a write changes: the lowest bits of an address choose bytes in wide words."""
    enables = address if width >= 18 else -1
    return {
        place: data >> bit & 1 for bit, place in enumerate(places(width, address)) if enables >> bit // 9 & 1
    }


def value(bits: list[int]) -> int:
    return sum(bit << place for place, bit in enumerate(bits))


@dataclass
class Memory:
    """A memory, and what its ports show."""

    write_width: int
    read_width: int
    register: bool
    mode: str
    initial: tuple[int, ...] = ()
    found: dict[str, int] = field(default_factory=lambda: {"own": 0, "read": 0})
    held: dict[str, int] = field(default_factory=lambda: {"own": 0, "read": 0})

    def __post_init__(self) -> None:
        self.bits = [0] * 18432
        for word, content in enumerate(self.initial):
            for bit in range(18):
                self.bits[18 * word + bit] = content >> bit & 1

    def cycle(self, **now: int) -> None:
        """One rising edge."""
        before = list(self.bits)
        change = {}
        if now["enable"] and now["write"]:
            change = written(self.write_width, now["write_address"], now["data"])
            for place, bit in change.items():
                self.bits[place] = bit
        if now["show"]:
            self.held = dict(self.found)
        if now["read"]:
            # What the other port writes at this moment is unknown; the model gives its complement.
            self.found["read"] = value(
                [1 - change.get(p, 1 - before[p]) for p in places(self.read_width, now["read_address"])]
            )
        if now["enable"] and not (now["write"] and self.mode == "NORMAL"):
            source = self.bits if now["write"] and self.mode == "WRITETHROUGH" else before
            if self.write_width != 36:
                self.found["own"] = value([source[p] for p in places(self.write_width, now["write_address"])])
        if now["clear"]:
            self.found = {"own": 0, "read": 0}
            self.held = {"own": 0, "read": 0}

    def shown(self, port: str) -> int:
        return (self.held if self.register else self.found)[port]


def stimuli() -> dict[str, int]:
    """Random values of the memories' inputs."""
    address = [random.choice(ROWS) << 5 | random.getrandbits(5) for _ in range(2)]
    return {
        "write": random.getrandbits(1),
        "enable": int(random.random() < 0.8),
        "write_address": address[0],
        "data": random.getrandbits(36),
        "read": int(random.random() < 0.8),
        "show": int(random.random() < 0.7),
        "read_address": address[1],
        "clear": int(random.random() < 0.02),
    }


def drive(dut: HierarchyObject, now: dict[str, int]) -> None:
    for name, content in now.items():
        getattr(dut, name).value = content


@cocotb.test()
async def memories_are_as_documented(dut: HierarchyObject) -> None:
    references = [
        Memory(write, read, register == "OUTREG", mode, INITIAL) for write, read, register, mode in MEMORIES
    ]
    exchanged = Memory(36, 36, False, "NORMAL")
    drive(dut, dict.fromkeys(stimuli(), 0))
    Clock(dut.clk, 10, unit="ns").start()
    for _ in range(CYCLES):
        await FallingEdge(dut.clk)
        now = stimuli()
        drive(dut, now)
        for reference in (*references, exchanged):
            reference.cycle(**now)
        await FallingEdge(dut.clk)
        drive(dut, {"enable": 0, "read": 0, "show": 0, "clear": 0})
        for number, reference in enumerate(references):
            read = int(getattr(dut, f"read_{number}").value)
            assert read == reference.shown("read"), (MEMORIES[number], now)
            if 36 not in (reference.write_width, reference.read_width):
                own = int(getattr(dut, f"own_{number}").value)
                assert own == reference.shown("own"), (MEMORIES[number], now)
        word = exchanged.shown("read")
        assert int(dut.exchanged.value) == (word >> 18 | (word & 0x3FFFF) << 18), now


@cocotb.test()
async def multipliers_are_as_documented(dut: HierarchyObject) -> None:
    registers: list[dict[str, int]] = [
        dict.fromkeys(("INPUTA", "INPUTB", "PIPELINE", "OUTPUT"), 0) for _ in MULTIPLIERS
    ]
    drive(dut, dict.fromkeys(("a", "b", "signs", "hold", "clear"), 0))
    Clock(dut.clk, 10, unit="ns").start()
    for _ in range(CYCLES):
        await FallingEdge(dut.clk)
        a, b = (random.choice((0, 1, 0x1FFFF, 0x20000, 0x3FFFF, random.getrandbits(18))) for _ in "ab")
        signs = random.getrandbits(2)
        hold, clear = (int(random.random() < share) for share in (0.3, 0.05))
        drive(dut, {"a": a, "b": b, "signs": signs, "hold": hold, "clear": clear})
        number_a = a - (1 << 18) if signs & 1 and a >> 17 else a
        number_b = b - (1 << 18) if signs & 2 and b >> 17 else b
        await FallingEdge(dut.clk)
        for number, (used, held) in enumerate(zip(MULTIPLIERS, registers, strict=True)):

            def through(name: str, now: int, used=used, held=held) -> int:
                return held[name] if name in used else now

            new = {"INPUTA": number_a, "INPUTB": number_b}
            new["PIPELINE"] = through("INPUTA", number_a) * through("INPUTB", number_b)
            new["OUTPUT"] = through("PIPELINE", new["PIPELINE"])
            if clear:
                held.update(dict.fromkeys(held, 0))
            elif not hold:
                held.update(new)
            product = through("INPUTA", number_a) * through("INPUTB", number_b)
            shown = through("OUTPUT", through("PIPELINE", product)) & (1 << 36) - 1
            assert int(getattr(dut, f"product_{number}").value) == shown, (used, a, b, signs)
        drive(dut, {"hold": 1, "clear": 0})
