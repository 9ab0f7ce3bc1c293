"""Small networks whose outputs the golden engine knows, each made to exercise one thing."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.engine import Engine
from golden.execute import execute
from golden.fixed_point import INT16_MAX, INT16_MIN, MAX_SHIFT
from golden.forward import layer_forward
from golden.geometry import Geometry
from golden.model import Layer, Model
from golden.plan import make_plan
from host.driver import Driver

BATCH = 3
LARGEST_WEIGHT = 3000
SHOWN = 3
"""Wrong outputs that a report names."""


@dataclass(frozen=True, kw_only=True)
class Random:
    """How the numbers of a random layer are drawn."""

    keep: float = 0.3
    index_bits: int = 4
    relu: bool = False
    wide_bias: bool = False
    """Biases as wide as the accumulators bear, instead of as large as a few products."""
    overflow: int = 0
    """Bits by which the largest output exceeds int16."""

    def layer(self, rng: np.random.Generator, rows: int, source: NDArray[Any], bits: int) -> Layer:
        """Draw a layer for accumulators of `bits` bits; its shift suits the activations `source`."""
        columns = source.shape[1]
        sum_limit = 1 << (bits - 2)
        largest = max(1, min(LARGEST_WEIGHT, sum_limit // INT16_MAX // columns))
        codebook = rng.integers(1, largest, 1 << self.index_bits, endpoint=True)
        codebook *= rng.choice((-1, 1), codebook.size)
        codebook[0] = 0
        indices = rng.integers(1, codebook.size, (rows, columns))
        indices *= rng.random(indices.shape) < self.keep
        span = sum_limit if self.wide_bias else largest << 10
        layer = Layer.from_indices(indices, codebook, rng.integers(-span + 1, span, rows), relu=self.relu)
        _, sums, _ = layer_forward(layer, source, bits)
        shift = int(np.abs(sums).max()).bit_length() - 15 - self.overflow
        return replace(layer, weight_fraction=min(max(shift, 0), MAX_SHIFT))


@dataclass(frozen=True)
class Case:
    """One network and its inputs.

    Parameters
    ----------
    name : str
        What it exercises.
    sizes : sequence of int
        Lengths of the input and of each layer's output.
    layers : sequence of Random
        One for each layer.
    low, high : int
        Range of the inputs, a sixth of which are zero besides.
    resident : bool or None
        Whether the whole network is loaded at once; None if that depends on the board.
    """

    name: str
    sizes: tuple[int, ...]
    layers: tuple[Random, ...] = (Random(),)
    low: int = -999
    high: int = 999
    resident: bool | None = None

    def draw(self, geometry: Geometry) -> tuple[Model, NDArray[np.int16]]:
        """The network and a batch of activations, always the same ones."""
        rng = np.random.default_rng(list(self.name.encode()))
        values = rng.integers(self.low, self.high, (BATCH, self.sizes[0]), endpoint=True)
        values *= rng.random(values.shape) > 1 / 6
        layers: list[Layer] = []
        source: NDArray[Any] = values
        for random, rows in zip(self.layers, self.sizes[1:], strict=True):
            layers.append(random.layer(rng, rows, source, geometry.accumulator_bits))
            source, _, _ = layer_forward(layers[-1], source, geometry.accumulator_bits)
        return Model(layers=tuple(layers)), values.astype(np.int16)


def cases(geometry: Geometry) -> list[Case]:
    """All cases, sized for a geometry."""
    pes = geometry.pes
    most = pes * min(geometry.accumulators, geometry.activations)
    some = min(most, 6 * pes + 1)
    codebooks = [
        Case(f"codebook of {1 << bits}", (40, some), (Random(index_bits=bits),))
        for bits in range(1, min(8, geometry.entry_bits - 1) + 1)
        if 1 << bits <= geometry.codebook_entries
    ]
    chain = (33, some, 3 * pes + 2, 17, 5)
    mixed = (Random(), Random(relu=True), Random(index_bits=5), Random(index_bits=3))
    return [
        *codebooks,
        Case("escapes", (12, min(most, 200 * pes)), (Random(keep=0.01, index_bits=6),)),
        Case("full columns", (9, min(most, 12 * pes)), (Random(keep=1.0),)),
        Case("negative activations", (30, some), low=INT16_MIN, high=-1),
        Case("zero activations", (30, some), low=0, high=0),
        Case("relu", (30, some), (Random(relu=True),)),
        Case("saturation", (30, some), (Random(keep=0.9, overflow=2),), INT16_MIN, INT16_MAX),
        Case("no shift", (5, some), (Random(overflow=40),), -1, 1),
        Case("wide biases", (5, some), (Random(wide_bias=True),), INT16_MIN, INT16_MAX),
        Case("one row", (50, 1)),
        Case("one column", (1, some), (Random(keep=0.7),)),
        Case("four layers", chain, mixed),
        Case("streamed", chain, mixed, resident=False),
    ]


def run_case(driver: Driver, case: Case) -> str:
    """Run a case on the board and in NumPy.

    Returns
    -------
    str
        Empty if all integers are equal; otherwise what differs.

    Raises
    ------
    UnsupportedError
        If the board is too small for the case.
    """
    model, inputs = case.draw(driver.geometry)
    plan = make_plan(model, driver.geometry, resident=case.resident)
    expected = execute(plan, Engine(driver.geometry), inputs)
    found = execute(plan, driver, inputs)
    wrong = np.argwhere(found.outputs != expected.outputs)
    if wrong.size:
        shown = "; ".join(
            f"input {i}, output {j}: {found.outputs[i, j]} instead of {expected.outputs[i, j]}"
            for i, j in wrong[:SHOWN]
        )
        return f"{len(wrong)} of {expected.outputs.size} outputs wrong ({shown})"
    if found.saturations != expected.saturations:
        return f"{found.saturations} saturations counted instead of {expected.saturations}"
    return ""
