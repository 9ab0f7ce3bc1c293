"""What surrounds the central control, for its bench: PEs, buses, and whoever uses the engine."""

import random
from typing import Any, NamedTuple

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden.geometry import Geometry
from golden.memories import ALL_PES, Memory
from golden.protocol import Fault
from golden.steps import WORDS_PER_STEP, Step, Token, locate, pack_token, token_fields
from hdl.broadcast import FAN_OUT, levels
from hdl.control import END_CYCLES
from hdl.layouts import (
    access_layout,
    activation_bits,
    detection_layout,
    drain_layout,
    read_layout,
    run_layout,
    scan_layout,
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
        self.access_layout = access_layout(self.geometry)
        self.tokens: list[TokenPair] = []
        self.scans: list[dict[str, int]] = []
        self.drains: list[dict[str, int]] = []
        self.rows_due = 0
        self.draining = False
        self.delays = (20, 9)
        self.loads: list[tuple[int, dict[str, int]]] = []
        self.stalls = 0
        self.phase = 0
        self.taken = self.ended = 0
        self.stall = 0.0
        self.seen_steps: list[tuple[int, int]] = []

    async def watch_tokens(self) -> None:
        """Take the tokens with pauses, note them and the settings, and end each step behind its Finish."""
        unit, layout = self.unit, token_layout(self.geometry)
        while True:
            ready = self.random.random() >= self.stall
            unit.tokens__ready.value = int(ready)
            await RisingEdge(unit.clk)
            self.watch_settings()
            if unit.tokens__valid.value == 0:
                continue
            token = unpack(layout, int(unit.tokens__payload.value))
            if not ready:
                self.stalls += token["kind"] == Token.ACTIVATION
                continue
            kind, payload = token["kind"], token["payload"]
            used = sum(width for _, width in token_fields(Token(kind), self.geometry))
            self.tokens.append((kind, payload & (1 << used) - 1))
            self.seen_steps.append((int(unit.step.value), int(unit.banks.value)))
            if kind == Token.BEGIN:
                self.scans.append(self.scan())
                self.rows_due = self.rows[len(self.scans) - 1]
            if kind == Token.FINISH:
                assert not self.draining, "the step before has not ended"
                assert not self.rows_due, "rows are to come"
                self.draining = True
                self.drains.append(self.drain())
                cocotb.start_soon(self.end_step())

    def scan(self) -> dict[str, int]:
        """Settings of a scan, without that which may change."""
        return {**unpack(scan_layout(self.geometry), int(self.unit.scan.value)), "wait": 0}

    def drain(self) -> dict[str, int]:
        """Settings of a drain."""
        return unpack(drain_layout(self.geometry), int(self.unit.drain.value))

    def watch_settings(self) -> None:
        """Settings stand while somebody may look at them."""
        unit = self.unit
        if unit.clear.value == 1:
            self.draining, self.rows_due = False, 0
        if self.rows_due:
            assert self.scan() == self.scans[-1]
        if self.draining:
            assert self.drain() == self.drains[-1]
        if unit.detection__valid.value == 1 and unit.detection__ready.value == 1:
            self.rows_due -= unpack(detection_layout(self.geometry), int(unit.detection__payload.value))[
                "last"
            ]

    async def end_step(self) -> None:
        """Turn the PEs' phases, first one's and later all others'."""
        unit = self.unit
        longest, apart = self.delays
        if longest:
            await cycles(unit, self.random.randrange(2, longest))
        self.phase = 1 - self.phase
        first, last = (unit.any_high, unit.all_high) if self.phase else (unit.all_high, unit.any_high)
        first.value = self.phase
        if apart:
            await cycles(unit, self.random.randrange(1, apart))
            assert unit.busy.value == 1 or not self.draining, "the run ended before all PEs had"
        last.value = self.phase
        self.draining = False
        await RisingEdge(unit.clk)
        self.ended = now()

    async def watch_loads(self) -> None:
        """Note what the bus loads, and when."""
        unit = self.unit
        while True:
            await RisingEdge(unit.clk)
            bus = self.access()
            assert not (bus["write"] and bus["read"])
            assert bus["peek"] == 0 or unit.busy.value == 0
            if bus["write"]:
                load = {name: bus[name] for name in ("memory", "pe", "all", "address", "data")}
                self.loads.append((now(), load | {"pe": 0 if load["all"] else load["pe"]}))

    def access(self) -> dict[str, int]:
        """What the bus carries."""
        return unpack(self.access_layout, int(self.unit.access.value))

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
                codebook_base=random.randrange(geometry.codebook_entries),
                short_lengths=random.getrandbits(1),
                bank=random.getrandbits(1) if bank is None else bank,
                first_word=random.randrange(geometry.activations // geometry.scan_width - words + 1),
                source=random.getrandbits(1),
                wait=random.getrandbits(1),
                pointer_base=random.getrandbits(16),
                threshold=random.getrandbits(16),
                drain_rows=random.randrange(min(9, geometry.accumulators + 1)),
                destination_slot=random.randrange(geometry.activations - 9),
                shift=random.randrange(64),
                relu=random.getrandbits(1),
                bias_address=random.randrange(geometry.matrix_words - 9 * geometry.bias_words),
                bias_words=random.randrange(geometry.bias_words + 1),
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
        geometry, width = self.geometry, self.geometry.scan_width
        found: list[TokenPair] = []
        for step, rows in zip(run.steps, run.rows, strict=True):
            begin = pack_token(
                Token.BEGIN,
                geometry,
                index_bits=step.index_bits,
                codebook_base=step.codebook_base,
                short_lengths=step.short_lengths,
                scans=int(step.words > 0),
            )
            found.append((int(Token.BEGIN), begin))
            for row, items in enumerate(rows):
                for pe, values in items:
                    place = row * geometry.pes + pe
                    address, position = locate(place, step.pointer_base, step.short_lengths, width)
                    fields = {"activation": values, "second": values >> 16}
                    fields["address"] = address % geometry.pointer_words * geometry.pointer_pieces
                    payload = pack_token(Token.ACTIVATION, geometry, **fields, position=position)
                    found.append((int(Token.ACTIVATION), payload))
            found.append((int(Token.FINISH), 0))
        return found

    def settings(self, step: Step) -> tuple[dict[str, int], dict[str, int]]:
        """What the lines carry for a step: of its scan, without `wait`, and of its drain."""
        geometry = self.geometry
        first = step.first_word + step.source * geometry.activations // geometry.scan_width
        scan = {
            "first": first,
            "last": first + step.words - 1,
            "wait": 0,
            "headroom": 0xFFFF - step.threshold,
        }
        drain = {
            "destination": step.destination * geometry.activations + step.destination_slot,
            "shift": step.shift,
            "relu": step.relu,
            "bias_address": step.bias_address,
            "bias_end": step.bias_address + step.drain_rows * max(step.bias_words, 1),
            "bias_words": step.bias_words,
        }
        return scan, drain

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
        self.scans.clear()
        self.drains.clear()
        self.rows = [step.words for step in run.steps]
        self.rows_due = 0
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
        for step, scan, drain in zip(run.steps, self.scans, self.drains, strict=True):
            expected_scan, expected_drain = self.settings(step)
            assert drain == expected_drain
            assert scan == expected_scan or not step.words
        assert unit.fault.value == Fault.NONE
        assert unit.step.value == run.first + len(run.steps) - 1
        assert unit.stalls.value == self.stalls
        assert unit.cycles.value == self.ended - self.taken - END_CYCLES - levels(self.geometry.pes, FAN_OUT)
        numbers, masks, mask = [], [], 0
        for number, (step, rows) in enumerate(zip(run.steps, run.rows, strict=True)):
            count = 2 + sum(map(len, rows))
            numbers += [run.first + number] * count
            masks += [mask, *[mask | 1 << step.bank] * (count - 1)]
            mask |= 1 << step.bank
        assert self.seen_steps == list(zip(numbers, masks, strict=True))
        await cycles(unit, 2)
        assert unit.banks.value == 0
