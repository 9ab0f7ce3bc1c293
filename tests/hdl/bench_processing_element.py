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
from golden.memories import ALL_PES, Memory, depth, word_bits
from golden.plan import make_plan
from golden.steps import ORDER, Step, Token
from hdl.layouts import detection_layout, read_layout, token_layout, write_layout
from hdl.processing_element import READ_LATENCY
from tests.hdl.side_by_side import Part
from tests.hdl.streams import PATIENCE, collect, cycles, drive, pack, parameters, rng, start
from tests.networks import random_model

NUMBER, OTHER = 5, 4
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
        self.phase = 0
        self.conversation: Task | None = None

    async def write(self, memory: Memory, address: int, words: Any, pe: int = NUMBER) -> None:
        """Write consecutive words, one a cycle, and words of another PE between them."""
        unit, layout = self.unit, write_layout(self.geometry)
        mask = (1 << word_bits(self.geometry, memory)) - 1
        for i, word in enumerate(words):
            item = {"memory": int(memory), "pe": pe, "address": address + i, "data": int(word) & mask}
            noise = {**item, "pe": OTHER, "data": self.random.getrandbits(word_bits(self.geometry, memory))}
            unit.write_valid.value = 1
            for part in (item, noise) if self.random.random() < 0.3 else (item,):
                unit.write.value = pack(layout, part)
                await RisingEdge(unit.clk)
        unit.write_valid.value = 0
        unit.write.value = self.random.getrandbits(layout.size)

    async def read(self, memory: int, address: int) -> int:
        """Read a word; the answer stands as long as the request."""
        unit = self.unit
        await cycles(unit, 3)
        unit.read_valid.value = 1
        unit.read.value = pack(read_layout(), {"memory": int(memory), "pe": NUMBER, "address": address})
        for _ in range(READ_LATENCY):
            await RisingEdge(unit.clk)
            assert (unit.answer_valid.value, unit.answer.value.to_unsigned()) == (0, 0)
        await RisingEdge(unit.clk)
        assert unit.answer_valid.value == 1
        word = unit.answer.value.to_unsigned()
        await RisingEdge(unit.clk)
        assert unit.answer.value == word
        unit.read_valid.value = 0
        await cycles(unit, READ_LATENCY + 1)
        assert (unit.answer_valid.value, unit.answer.value.to_unsigned()) == (0, 0)
        return word

    async def clear(self) -> None:
        """Reset, and zero what a run counts on."""
        self.unit.clear.value = 1
        await RisingEdge(self.unit.clk)
        self.unit.clear.value = 0
        self.phase = 0
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

    async def converse(self) -> None:
        """Be the control: broadcast golden's tokens, each activation when detection has said it."""
        layout = detection_layout(self.geometry)
        for trace in self.golden.traces:
            tokens = trace.tokens(self.geometry.scan_width)
            await self.send(tokens[:3])
            heard = 0
            for word in range(trace.step.words):
                (said,) = await collect(self.unit, "detection", 1, stall=self.stall, layout=layout)
                assert said["last"] == 1
                if said["item"]:
                    payload = said["activations"] & 0xFFFF | word << 16 | said["activations"] >> 16 << 32
                    assert tokens[3 + heard] == (Token.ACTIVATION, payload)
                    await self.send(tokens[3 + heard : 4 + heard])
                    heard += 1
            assert heard == len(tokens) - len(ORDER)
            await self.send(tokens[3 + heard :])

    @resume
    async def start(self, first: int, count: int) -> None:
        self.golden.start(first, count)
        self.conversation = cocotb.start_soon(self.converse())

    @resume
    async def wait(self) -> RunReport:
        for _ in range(PATIENCE):
            if self.unit.phase.value != self.phase:
                break
            await RisingEdge(self.unit.clk)
        else:
            raise AssertionError(f"the step has not ended after {PATIENCE} cycles")
        self.phase = 1 - self.phase
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
        assert await element.read(7, 0) == 0
        unit.read_valid.value = 1
        for memory in memories:
            unit.read.value = pack(read_layout(), {"memory": int(memory), "pe": OTHER, "address": 1})
            for _ in range(READ_LATENCY + 3):
                await RisingEdge(dut.clk)
                assert (unit.answer_valid.value, unit.answer.value.to_unsigned()) == (0, 0)
        unit.read_valid.value = 0


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
