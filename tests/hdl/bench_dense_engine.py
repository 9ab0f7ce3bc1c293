"""Bench of the dense engine: random networks beside golden, in integers and cycles."""

from collections.abc import Iterable
from itertools import pairwise

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge
from numpy.testing import assert_array_equal

from golden.dense import (
    DenseGeometry,
    DenseLayer,
    DenseMemory,
    dense_cycles,
    dense_forward,
    descriptor_image,
    weight_image,
)
from hdl.dense_control import dense_write_layout
from hdl.layouts import read_layout, run_layout
from tests.hdl.streams import PATIENCE, collect, drive, parameters, start

STALL = 0.2
SENTINEL = 85


def random_network(rng: np.random.Generator, sizes: list[int]) -> list[DenseLayer]:
    """Layers whose sums reach past int8 on both sides; the largest weights among them."""
    layers = []
    for number, (columns, rows) in enumerate(pairwise(sizes)):
        weights = rng.integers(-128, 128, (rows, columns))
        weights[rng.random(weights.shape) < 0.2] = -128
        reach = int(np.sqrt(columns) * 4000)
        layers.append(
            DenseLayer(
                weights=weights,
                bias=rng.integers(-reach, reach + 1, rows),
                shift=max(0, reach.bit_length() - int(rng.integers(5, 9))),
                relu=number + 2 < len(sizes),
            )
        )
    return layers


class DenseDevice:
    """The gateware's streams."""

    def __init__(self, dut: HierarchyObject, geometry: DenseGeometry, stall: float) -> None:
        self.dut, self.geometry, self.stall = dut, geometry, stall
        self.layout = dense_write_layout()

    async def write(self, memory: DenseMemory, pe: int, address: int, words: Iterable[int]) -> None:
        """Write consecutive words; bits above a word are of no account."""
        items = [
            {"memory": int(memory), "pe": pe, "address": address + i, "data": int(word) & 0xFFFFFFFF}
            for i, word in enumerate(words)
        ]
        await drive(self.dut, "write", items, stall=self.stall, layout=self.layout)

    async def weights(self, image: np.ndarray) -> None:
        """Write all weights."""
        for pair, words in enumerate(image):
            await self.write(DenseMemory.WEIGHTS, pair, 0, words)

    async def load(self, layers: list[DenseLayer], first: int = 0) -> None:
        """Write a network; its descriptors from layer `first`."""
        await self.weights(weight_image(layers, self.geometry))
        await self.write(DenseMemory.BIASES, 0, 0, np.concatenate([layer.bias for layer in layers]))
        await self.write(DenseMemory.LAYERS, 0, first * 4, descriptor_image(layers, self.geometry))

    async def run(self, count: int, first: int = 0) -> int:
        """Run layers; returns the cycles."""
        await drive(self.dut, "run", [{"first": first, "count": count}], layout=run_layout())
        for _ in range(PATIENCE):
            await RisingEdge(self.dut.clk)
            if self.dut.busy.value == 0:
                return int(self.dut.cycles.value)
        raise AssertionError(f"the engine is still busy after {PATIENCE} cycles")

    async def outputs(self, file: int, count: int) -> np.ndarray:
        """Read activations back."""
        base = file * self.geometry.activations
        items = [{"memory": int(DenseMemory.ACTIVATIONS), "pe": 0, "address": base + i} for i in range(count)]
        asking = cocotb.start_soon(drive(self.dut, "read", items, stall=self.stall, layout=read_layout()))
        words = await collect(self.dut, "data", count, stall=self.stall)
        await asking
        return np.array(words, dtype=np.uint8).view(np.int8)

    async def check(self, layers: list[DenseLayer], inputs: np.ndarray, first: int = 0) -> None:
        """Run every input; integers and cycles are golden's."""
        expected = dense_forward(layers, inputs, self.geometry.accumulator_bits)
        shapes = [layer.shape for layer in layers]
        # Behind the outputs nothing may be written, where nothing else is.
        behind = [SENTINEL] * (len(layers) == 1 and layers[0].shape[0] < self.geometry.activations)
        for values, answer in zip(inputs, expected, strict=True):
            await self.write(DenseMemory.ACTIVATIONS, 0, 0, values)
            await self.write(DenseMemory.ACTIVATIONS, 0, self.geometry.activations + len(answer), behind)
            cycles = await self.run(len(layers), first)
            found = await self.outputs(len(layers) % 2, len(answer) + len(behind))
            assert_array_equal(found, [*answer, *behind], err_msg=str(shapes))
            assert cycles == dense_cycles(shapes, self.geometry), shapes


def setup(dut: HierarchyObject, stall: float) -> tuple[DenseDevice, dict, np.random.Generator]:
    """Device, parameters and random numbers."""
    given = parameters()
    return (
        DenseDevice(dut, DenseGeometry(**given["geometry"]), stall),
        given,
        np.random.default_rng(given["seed"]),
    )


@cocotb.test()
async def runs_networks(dut: HierarchyObject) -> None:
    device, given, rng = setup(dut, STALL)
    geometry = device.geometry
    await start(dut)
    widest = geometry.activations
    networks = [[1, 1], [1, widest], [widest, 1], [3, 2, 1], [12, geometry.lanes, 5], *given["networks"]]
    for _ in range(given["random"]):
        networks.append([int(rng.integers(1, 40)) for _ in range(rng.integers(2, 5))])
    for sizes in networks:
        layers = random_network(rng, sizes)
        first = int(rng.integers(0, geometry.layers - len(layers) + 1))
        await device.load(layers, first)
        inputs = rng.integers(-128, 128, (2, sizes[0]))
        inputs[0] = rng.choice([-128, 127], sizes[0])
        await device.check(layers, inputs, first)


@cocotb.test()
async def loads_while_it_runs(dut: HierarchyObject) -> None:
    """Weights for the second layer may arrive while the first runs; all else waits for the end."""
    device, _, rng = setup(dut, 0.0)
    geometry = device.geometry
    await start(dut)
    layers = random_network(rng, [40, 30, 4])
    inputs = rng.integers(-128, 128, (1, 40))
    expected = dense_forward(layers, inputs, geometry.accumulator_bits)[0]
    await device.load(layers)
    await device.write(DenseMemory.ACTIVATIONS, 0, 0, inputs[0])
    image = weight_image(layers, geometry)
    late = (0, image.shape[1] - 30)
    right = image[late]
    if not geometry.single_port:
        await device.write(DenseMemory.WEIGHTS, *late, [right ^ 0x0505])
    running = cocotb.start_soon(device.run(2))
    while dut.busy.value != 1:
        await RisingEdge(dut.clk)
    await device.write(DenseMemory.WEIGHTS, *late, [right])
    assert dut.busy.value == (not geometry.single_port)
    await device.write(DenseMemory.ACTIVATIONS, 0, 0, [expected[0] + 1])
    assert dut.busy.value == 0
    await running
    assert_array_equal(await device.outputs(0, 4), [np.int64(expected[0] + 1).astype(np.int8), *expected[1:]])


@cocotb.test()
async def a_run_waits_for_the_answer_to_a_read(dut: HierarchyObject) -> None:
    device, _, rng = setup(dut, 0.0)
    await start(dut)
    layers = random_network(rng, [7, 5])
    inputs = rng.integers(-128, 128, (1, 7))
    await device.load(layers)
    await device.write(DenseMemory.ACTIVATIONS, 0, 0, inputs[0])
    reading = cocotb.start_soon(
        drive(dut, "read", [{"memory": 3, "pe": 0, "address": 2}], layout=read_layout())
    )
    while dut.data__valid.value != 1:
        await RisingEdge(dut.clk)
    running = cocotb.start_soon(device.run(1))
    for _ in range(20):
        await RisingEdge(dut.clk)
        assert dut.busy.value == 0
    assert_array_equal(await collect(dut, "data", 1), inputs[0, 2:3] & 0xFF)
    await reading
    assert await running == dense_cycles([(5, 7)], device.geometry)
    assert_array_equal(await device.outputs(1, 5), dense_forward(layers, inputs)[0])


@cocotb.test()
async def a_run_of_no_layers_is_none(dut: HierarchyObject) -> None:
    await start(dut)
    await drive(dut, "run", [{"first": 0, "count": 0}], layout=run_layout())
    for _ in range(20):
        await RisingEdge(dut.clk)
    assert dut.busy.value == 0
