"""Bench of one processing element: golden's broadcast in, golden's memories afterwards."""

import random
from typing import Any

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject
from cocotb.task import Task, bridge, resume
from cocotb.triggers import RisingEdge
from numpy.testing import assert_array_equal

from golden.engine import Engine as GoldenEngine
from golden.execute import RunReport, execute
from golden.forward import forward
from golden.geometry import Geometry
from golden.image import sections
from golden.memories import ALL_PES, Memory, depth, word_bits, word_bytes
from golden.plan import make_plan
from golden.steps import Step, Token, locate, pack_token, token_fields
from hdl.layouts import access_layout, detection_layout, drain_layout, scan_layout, token_layout
from hdl.processing_element import READ_LATENCY
from tests.hdl.side_by_side import Part
from tests.hdl.streams import PATIENCE, collect, cycles, drive, pack, parameters, rng, start
from tests.networks import random_model

NUMBER, OTHER = 1, 0
NETWORKS = [
    {"sizes": [20, 30, 10]},
    {"sizes": [40, 25, 30], "density": 0.1, "shift": 3},
    {"sizes": [70, 90], "density": 0.15, "index_bits": 5},
    {"sizes": [30, 20], "density": 0.9, "empty_columns": 0.5, "largest": 2500, "bias": 0},
    {"sizes": [30, 25, 10], "threshold": 6000, "shift": 11},
    {"sizes": [20, 20], "threshold": 32767},
]


class Element:
    """The unit as a `golden.execute.Device` whose control and detection are golden's."""

    def __init__(
        self, dut: HierarchyObject, name: str, variant: dict[str, Any], random: random.Random
    ) -> None:
        self.unit, self.random = Part(dut, name), random
        self.geometry = Geometry(**variant)
        self.golden = GoldenEngine(self.geometry)
        self.stall = 0.0
        self.ended = 0
        self.conversation: Task | None = None

    async def write(self, memory: Memory, address: int, words: Any, pe: int = NUMBER) -> None:
        """Write consecutive words, one a cycle, and words of another PE between them."""
        unit, layout = self.unit, access_layout(self.geometry)
        bits = word_bits(self.geometry, memory)
        everyone = int(pe == ALL_PES)
        for i, word in enumerate(words):
            item = {
                "write": 1, "read": 0, "memory": int(memory), "pe": OTHER if everyone else pe,
                "all": everyone, "address": address + i, "peek": 0, "data": int(word) & (1 << bits) - 1,
            }  # fmt: skip
            noise = {**item, "pe": OTHER, "all": 0, "data": self.random.getrandbits(bits)}
            nothing = {**noise, "pe": NUMBER, "write": 0}
            for part in (item, noise, nothing) if self.random.random() < 0.3 else (item,):
                unit.access.value = pack(layout, part)
                await RisingEdge(unit.clk)
        unit.access.value = self.random.getrandbits(layout.size) & ~(
            3 | (1 << layout["peek"].width) - 1 << layout["peek"].offset
        )

    def ask(self, memory: int, address: int, pe: int) -> None:
        """Put a request on the lines."""
        unit, geometry = self.unit, self.geometry
        request = {"write": 0, "read": 1, "memory": int(memory), "pe": pe, "all": 0, "data": 0}
        places = {"address": address, "peek": address & (1 << access_layout(geometry)["peek"].width) - 1}
        unit.access.value = pack(access_layout(geometry), request | places)
        pointer = pack_token(Token.ACTIVATION, geometry, address=address)
        unit.tokens__payload.value = pack(token_layout(geometry), {"kind": 0, "payload": pointer})
        width = scan_layout(geometry)["first"].width
        first = address // geometry.scan_width & (1 << width) - 1
        unit.scan.value = pack(
            scan_layout(geometry), dict.fromkeys(scan_layout(geometry).members, 0) | {"first": first}
        )

    async def read(self, memory: int, address: int) -> int:
        """Read a word; the answer stands as long as the request."""
        unit = self.unit
        self.ask(memory, address, NUMBER)
        await cycles(unit, READ_LATENCY + 1)
        mask = (1 << 8 * word_bytes(self.geometry, Memory(memory))) - 1
        word = unit.answer.value.to_unsigned() & mask
        await RisingEdge(unit.clk)
        assert unit.answer.value.to_unsigned() & mask == word
        unit.access.value = 0
        await cycles(unit, 2)
        assert unit.answer.value.to_unsigned() == 0
        return word

    async def clear(self) -> None:
        """Reset, and zero what a run counts on."""
        self.unit.rst.value = 1
        await RisingEdge(self.unit.clk)
        self.unit.rst.value = 0
        await self.write(Memory.ACCUMULATORS, 0, [0] * self.geometry.accumulators, ALL_PES)
        self.golden.reset()

    @resume
    async def reset(self) -> None:
        await self.clear()

    @resume
    async def load(self, bank: int, image: bytes) -> None:
        for section in sections(image, self.geometry, bank):
            if section.memory is not Memory.STEPS:
                pe = ALL_PES if section.pe == ALL_PES else NUMBER
                await self.write(section.memory, section.address, section.words, pe)
        self.golden.load(bank, image)

    @resume
    async def write_activations(self, file: int, slot: int, pe: int, values: Any) -> None:
        await self.write(Memory.ACTIVATIONS, file * self.geometry.activations + slot, values)
        self.golden.write_activations(file, slot, pe, values)

    async def send(self, tokens: list[tuple[int, int]]) -> None:
        """Broadcast tokens."""
        items = [{"kind": int(kind), "payload": payload} for kind, payload in tokens]
        layout = token_layout(self.geometry)
        await drive(self.unit, "tokens", items, stall=self.stall, rng=self.random, layout=layout)

    def set_scan(self, step: Step, wait: bool) -> None:
        """Put the settings of a scan on their lines."""
        geometry = self.geometry
        first = step.first_word + step.source * geometry.activations // geometry.scan_width
        settings = {
            "first": first,
            "last": first + max(step.words, 1) - 1,
            "wait": int(wait),
            "headroom": 0xFFFF - step.threshold,
        }
        self.unit.scan.value = pack(scan_layout(geometry), settings)

    def set_drain(self, step: Step) -> None:
        """Put the settings of a drain on their lines."""
        geometry = self.geometry
        settings = {
            "destination": step.destination * geometry.activations + step.destination_slot,
            "shift": step.shift, "relu": step.relu, "bias_address": step.bias_address,
            "bias_end": step.bias_address + step.drain_rows * max(step.bias_words, 1),
            "bias_words": step.bias_words,
        }  # fmt: skip
        self.unit.drain.value = pack(drain_layout(geometry), settings)

    async def until_ended(self, steps: int) -> None:
        """Wait until so many steps have ended."""
        for _ in range(PATIENCE):
            if self.ended >= steps:
                return
            await RisingEdge(self.unit.clk)
        raise AssertionError(f"step {steps} has not ended after {PATIENCE} cycles")

    async def watch_phase(self) -> None:
        """Count the steps that have ended."""
        phase = int(self.unit.phase.value)
        while True:
            await RisingEdge(self.unit.clk)
            if self.unit.phase.value != phase:
                phase = 1 - phase
                self.ended += 1

    async def converse(self) -> None:
        """Be the control: send golden's tokens, each activation when detection has said it."""
        self.ended = 0
        watching = cocotb.start_soon(self.watch_phase())
        try:
            await self.run_steps()
        finally:
            watching.cancel()

    async def run_steps(self) -> None:
        """Send the tokens of the run, and the settings in time."""
        layout, geometry = detection_layout(self.geometry), self.geometry
        fields = [
            name for name, _ in token_fields(Token.ACTIVATION, geometry) if name in ("activation", "second")
        ]
        before = None
        for number, trace in enumerate(self.golden.traces):
            begin, *activations, finish = trace.tokens(geometry)
            step = trace.step
            drains = before is not None and before.destination == step.source
            self.set_scan(step, bool(step.wait) and drains)
            await RisingEdge(self.unit.clk)
            await self.send([begin])
            for word in range(step.words):
                (said,) = await collect(self.unit, "detection", 1, stall=self.stall, layout=layout)
                assert said["last"] == 1
                if said["item"]:
                    token = activations.pop(0)
                    address, position = locate(
                        word, step.pointer_base, step.short_lengths, geometry.scan_width
                    )
                    values = [
                        said["activations"] >> 16 * lane & 0xFFFF for lane in range(geometry.scan_width)
                    ]
                    values = dict(zip(fields, values, strict=True)) | {
                        "address": address * geometry.pointer_pieces,
                        "position": position,
                    }
                    assert token == (Token.ACTIVATION, pack_token(Token.ACTIVATION, geometry, **values))
                    await self.send([token])
            assert not activations
            self.unit.scan.value = self.random.getrandbits(scan_layout(geometry).size)
            await self.until_ended(number)
            self.set_drain(step)
            await RisingEdge(self.unit.clk)
            await self.send([finish])
            before = step
        await self.until_ended(len(self.golden.traces))

    @resume
    async def start(self, first: int, count: int) -> None:
        self.golden.start(first, count)
        self.conversation = cocotb.start_soon(self.converse())

    @resume
    async def wait(self) -> RunReport:
        await self.conversation
        return self.golden.wait()

    @resume
    async def read_outputs(self, file: int, slot: int, pe: int, count: int) -> np.ndarray:
        base = file * self.geometry.activations + slot
        words = [await self.read(Memory.ACTIVATIONS, base + i) for i in range(count)]
        expected = self.golden.read_outputs(file, slot, pe, count)
        assert_array_equal(np.array(words, dtype=np.uint16).view(np.int16), expected)
        return expected

    @resume
    async def saturations(self) -> np.ndarray:
        assert await self.read(Memory.COUNTERS, 0) == self.golden.saturations()[0]
        return self.golden.saturations()


async def setup(dut: HierarchyObject) -> list[Element]:
    """Elements with their number; activation files are zero."""
    await start(dut)
    random = rng()
    elements = [Element(dut, name, variant, random) for name, variant in parameters()["variants"].items()]
    for element in elements:
        element.unit.pe.value = NUMBER
        await element.write(Memory.ACTIVATIONS, 0, [0] * 2 * element.geometry.activations)
    return elements


@cocotb.test()
async def runs_plans(dut: HierarchyObject) -> None:
    numbers = np.random.default_rng(3)
    resident = set()
    for element in await setup(dut):
        for position, network in enumerate(NETWORKS):
            element.stall = 0.3 * (position % 2)
            threshold = network.get("threshold", 0)
            model = random_model(numbers, **{name: network[name] for name in network if name != "threshold"})
            inputs = numbers.integers(-32768, 32768, (2, model.inputs))
            inputs[numbers.random(inputs.shape) < 0.4] = 0
            inputs[0, :3] = -32768, -threshold, min(threshold + 1, 32767)
            plan = make_plan(model, element.geometry, threshold=threshold)
            resident.add(plan.resident)
            result = await bridge(execute)(plan, element, inputs)
            expected, saturations = forward(model, inputs, element.geometry.accumulator_bits, threshold)
            assert_array_equal(result.outputs, expected)
            assert result.saturations == saturations
            for row in range(element.geometry.accumulators):
                assert await element.read(Memory.ACCUMULATORS, row) == 0
    assert resident == {False, True}


@cocotb.test()
async def keeps_steps_apart(dut: HierarchyObject) -> None:
    """Steps that only drain follow each other without a pause, each with settings of its own."""
    for element in await setup(dut):
        random, geometry, golden = element.random, element.geometry, element.golden
        matrix = [random.getrandbits(geometry.word_bits) for _ in range(geometry.matrix_words)]
        await element.write(Memory.MATRIX, 0, matrix)
        await element.clear()
        steps = [
            Step(
                index_bits=4,
                drain_rows=random.randint(1, 6),
                destination_slot=random.randrange(geometry.activations - 6),
                shift=random.randrange(20),
                relu=random.getrandbits(1),
                bias_address=random.randrange(100),
                bias_words=random.randint(1, geometry.bias_words),
                source=random.getrandbits(1),
                destination=random.getrandbits(1),
            )
            for _ in range(geometry.steps)
        ]
        golden.memories[Memory.MATRIX][0] = matrix
        golden.memories[Memory.STEPS][0] = [word for step in steps for word in step.encode()]
        golden.committed = {0}
        await bridge(element.start)(0, geometry.steps)
        await bridge(element.wait)()
        for file in (0, 1):
            await bridge(element.read_outputs)(file, 0, 0, geometry.activations)
        await bridge(element.saturations)()


@cocotb.test()
async def keeps_what_is_written(dut: HierarchyObject) -> None:
    """In every memory, whatever other PEs are given; and nobody else's request is answered."""
    for element in await setup(dut):
        unit, random, geometry = element.unit, element.random, element.geometry
        memories = (
            Memory.MATRIX, Memory.POINTERS, Memory.CODEBOOK, Memory.ACTIVATIONS, Memory.ACCUMULATORS,
        )  # fmt: skip
        written = {}
        for memory in memories:
            words = [random.getrandbits(word_bits(geometry, memory)) for _ in range(depth(geometry, memory))]
            await element.write(memory, 0, words)
            words[7] = random.getrandbits(word_bits(geometry, memory))
            await element.write(memory, 7, words[7:8], ALL_PES)
            written[memory] = words
        for memory, words in written.items():
            for address in (0, 1, 7, 8, len(words) - 1, random.randrange(len(words))):
                assert await element.read(memory, address) == words[address], f"{memory} {address}"
        assert await element.read(Memory.COUNTERS, 0) == 0
        for memory in memories:
            element.ask(memory, 1, OTHER)
            for _ in range(READ_LATENCY + 3):
                await RisingEdge(dut.clk)
                assert unit.answer.value.to_unsigned() == 0
        unit.access.value = 0


@cocotb.test()
async def is_cleared_in_mid_run(dut: HierarchyObject) -> None:
    """The memories stay, and the next run is right."""
    numbers = np.random.default_rng(4)
    for element in await setup(dut):
        model = random_model(numbers, [30, 20, 10], 0.4)
        inputs = numbers.integers(-3000, 3000, (1, 30))
        plan = make_plan(model, element.geometry)
        await bridge(execute)(plan, element, inputs)
        for wait in (4, 20, 45, 90):
            await element.write(Memory.ACTIVATIONS, 0, inputs[0])
            conversation = cocotb.start_soon(element.converse())
            await cycles(dut, wait)
            conversation.cancel()
            element.unit.tokens__valid.value = 0
            element.unit.detection__ready.value = 0
            result = await bridge(execute)(plan, element, inputs)
            assert_array_equal(result.outputs, forward(model, inputs, element.geometry.accumulator_bits)[0])
