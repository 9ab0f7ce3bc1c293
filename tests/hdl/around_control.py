"""What surrounds the central control, for its bench: PEs, buses, and whoever uses the engine."""

import random
from typing import Any, NamedTuple

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden.engine import FINAL
from golden.geometry import Geometry
from golden.memories import ALL_PES, Memory
from golden.protocol import Fault
from golden.steps import ORDER, WORDS_PER_STEP, Step, Token
from hdl.broadcast import FAN_OUT, levels
from hdl.control import END_CYCLES
from hdl.layouts import (
    activation_bits,
    detection_layout,
    read_layout,
    run_layout,
    token_layout,
    write_layout,
)
from tests.hdl.side_by_side import Part, now
from tests.hdl.streams import PATIENCE, collect, cycles, drive, unpack

TokenPair = tuple[int, int]


class Run(NamedTuple):
    """A run: its steps, and for each of their rows the (PE, activations of the word) that are not zero."""

    first: int
    steps: list[Step]
    rows: list[list[list[tuple[int, int]]]]


class Bench:
    """One control and what goes on around it."""

    def __init__(
        self, dut: HierarchyObject, name: str, variant: dict[str, Any], random: random.Random
    ) -> None:
        self.unit, self.random = Part(dut, name), random
        self.geometry = Geometry(**variant)
        self.write_layout = write_layout(self.geometry)
        self.tokens: list[TokenPair] = []
        self.loads: list[tuple[int, dict[str, int]]] = []
        self.stalls = 0
        self.phase = 0
        self.taken = self.ended = 0
        self.stall = 0.0
        self.seen_steps: list[tuple[int, int]] = []

    async def watch_tokens(self) -> None:
        """Take the tokens with pauses, note them, and end the run behind the final Finish."""
        unit = self.unit
        while True:
            ready = self.random.random() >= self.stall
            unit.tokens__ready.value = int(ready)
            await RisingEdge(unit.clk)
            if unit.tokens__valid.value == 0:
                continue
            token = unpack(token_layout(self.geometry), int(unit.tokens__payload.value))
            if not ready:
                self.stalls += token["kind"] == Token.ACTIVATION
                continue
            self.tokens.append((token["kind"], token["payload"]))
            self.seen_steps.append((int(unit.step.value), int(unit.banks.value)))
            if token["kind"] == Token.FINISH and token["payload"] & FINAL:
                cocotb.start_soon(self.end_run())

    async def end_run(self) -> None:
        """Turn the PEs' phases, first one's and later all others'."""
        unit = self.unit
        await cycles(unit, self.random.randrange(2, 20))
        self.phase = 1 - self.phase
        first, last = (unit.any_high, unit.all_high) if self.phase else (unit.all_high, unit.any_high)
        first.value = self.phase
        await cycles(unit, self.random.randrange(1, 9))
        assert unit.busy.value == 1, "the run ended before all PEs had"
        last.value = self.phase
        await RisingEdge(unit.clk)
        self.ended = now()

    async def watch_loads(self) -> None:
        """Note what the load bus carries, and when."""
        unit = self.unit
        while True:
            await RisingEdge(unit.clk)
            if unit.load_valid.value == 1:
                self.loads.append((now(), unpack(self.write_layout, int(unit.load.value))))

    async def until_idle(self) -> None:
        """Wait for the end of a run or a reset."""
        for _ in range(PATIENCE):
            await RisingEdge(self.unit.clk)
            if self.unit.busy.value == 0:
                return
        raise AssertionError(f"still busy after {PATIENCE} cycles")

    async def write(self, memory: Memory, address: int, words: list[int]) -> None:
        """Write words to all PEs."""
        items = [
            {"memory": int(memory), "pe": ALL_PES, "address": address + i, "data": word}
            for i, word in enumerate(words)
        ]
        await drive(self.unit, "write", items, layout=self.write_layout)

    async def read(self, memory: Memory, pe: int, address: int, stall: float = 0.0) -> int:
        """Read a word."""
        request = {"memory": int(memory), "pe": pe, "address": address}
        cocotb.start_soon(drive(self.unit, "read", [request], layout=read_layout()))
        return int((await collect(self.unit, "data", 1, stall=stall, rng=self.random))[0])

    def random_run(self, first: int, count: int, bank: int | None = None) -> Run:
        """Steps with random settings and activations."""
        random, geometry = self.random, self.geometry
        steps, rows = [], []
        for _ in range(count):
            words = random.choice((0, 1, 5))
            step = Step(
                index_bits=random.randint(1, 8),
                words=words,
                bank=random.getrandbits(1) if bank is None else bank,
                pointer_base=random.getrandbits(16),
                threshold=random.getrandbits(16),
                drain_rows=random.randrange(9),
                bias_address=random.getrandbits(16),
                destination=random.getrandbits(1),
            )
            steps.append(step)
            rows.append([
                [
                    (pe, random.getrandbits(activation_bits(geometry)))
                    for pe in range(geometry.pes)
                    if random.random() < random.choice((0.0, 0.3, 1.0))
                ]
                for _ in range(words)
            ])  # fmt: skip
        return Run(first, steps, rows)

    async def load_steps(self, run: Run) -> None:
        """Write the run's descriptors."""
        words = [word for step in run.steps for word in step.encode()]
        await self.write(Memory.STEPS, run.first * WORDS_PER_STEP, words)

    def expected(self, run: Run) -> list[TokenPair]:
        """Tokens of a run."""
        found: list[TokenPair] = []
        for number, (step, rows) in enumerate(zip(run.steps, run.rows, strict=True)):
            words = step.encode()
            final = FINAL * (number == len(run.steps) - 1)
            settings = [(int(token), word) for token, word in zip(ORDER, words, strict=False)]
            found += settings[:3]
            for row, items in enumerate(rows):
                base = row * self.geometry.pes
                found += [
                    (int(Token.ACTIVATION), values & 0xFFFF | base + pe << 16 | values >> 16 << 32)
                    for pe, values in items
                ]
            found += [settings[3], (settings[4][0], settings[4][1] | final)]
        return found

    async def detect(self, run: Run, stall: float) -> None:
        """Say what detection finds."""
        payloads = []
        for rows in run.rows:
            for row in rows:
                noise = {"pe": 0, "activations": self.random.getrandbits(16)}
                payloads += [
                    {"item": 1, "last": int(i == len(row) - 1), "pe": pe, "activations": values}
                    for i, (pe, values) in enumerate(row)
                ] or [{"item": 0, "last": 1, **noise}]
        layout = detection_layout(self.geometry)
        await drive(self.unit, "detection", payloads, stall=stall, rng=self.random, layout=layout)

    async def begin(self, run: Run, count: int) -> None:
        """Hand the run over."""
        self.tokens.clear()
        self.seen_steps.clear()
        self.stalls = 0
        await drive(self.unit, "run", [{"first": run.first, "count": count}], layout=run_layout())
        self.taken = now()

    async def check(self, run: Run, stall: float = 0.0) -> None:
        """Run to the end and compare the tokens and all that is reported."""
        unit = self.unit
        self.stall = stall
        detecting = cocotb.start_soon(self.detect(run, stall))
        await self.begin(run, len(run.steps))
        await self.until_idle()
        await detecting
        assert self.tokens == self.expected(run)
        assert unit.fault.value == Fault.NONE
        assert unit.step.value == run.first + len(run.steps) - 1
        assert unit.stalls.value == self.stalls
        assert unit.cycles.value == self.ended - self.taken - 1 - END_CYCLES - levels(
            self.geometry.pes, FAN_OUT
        )
        numbers, masks, mask = [], [], 0
        for number, (step, rows) in enumerate(zip(run.steps, run.rows, strict=True)):
            count = 5 + sum(map(len, rows))
            numbers += [run.first + number] * count
            masks += [mask, *[mask | 1 << step.bank] * (count - 1)]
            mask |= 1 << step.bank
        assert self.seen_steps == list(zip(numbers, masks, strict=True))
        await cycles(unit, 2)
        assert unit.banks.value == 0
