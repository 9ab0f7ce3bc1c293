"""A dense int8 engine, the yardstick: every weight times every activation, nothing skipped.

Weights and activations are signed bytes, -128 to 127, both symmetric: no zero points. A row's products are
added to its int32 bias modulo 2**A and requantised as in `golden.fixed_point`: add half, shift right, ReLU
or none; the end is saturated to int8.

`lanes` multipliers take as many rows at a time. A pair of lanes shares a memory of 16-bit words, the even
lane's weight in the low byte. A layer is a run of words in every pair, for each group of rows one word a
column: word ``base + group * columns + column`` of pair p holds the weights of the rows
``group * lanes + 2 * p`` and the next. Rows that do not exist weigh nothing.

A pair works two cycles behind the pair before it, as activations travel from pair to pair. So rows are
finished one a cycle, in order, and nothing is drawn over the chip at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import UnsupportedError
from golden.fixed_point import MAX_SHIFT, requantise, wrap
from golden.geometry import bits_for

INT8_MIN, INT8_MAX = -128, 127
PRODUCT_CYCLES = {"plain": 2, "lut": 4, "packed": 4}
"""Cycles from weights and activation to their products; `DenseGeometry.products` says what each is."""
FAN_IN = 8
"""Inputs of a node of the tree that collects finished rows."""
WORDS_PER_LAYER = 4
START_CYCLES = 8
"""Cycles from the acceptance of a run to the first weight's address."""
SHAPE_WORD, BASE_WORD, REST_WORD = range(3)

IntArray = NDArray[np.int64]
Shape = tuple[int, int]
"""Rows and columns of a layer."""


class DenseMemory(IntEnum):
    """Kinds of memory; codes as in `golden.memories`."""

    WEIGHTS = 0
    """Word of a pair of lanes, which the load bus's `pe` names."""
    ACTIVATIONS = 3
    """Address = file * activations + index."""
    BIASES = 4
    LAYERS = 5
    """Descriptors, `WORDS_PER_LAYER` words each."""


@dataclass(frozen=True, kw_only=True)
class DenseGeometry:
    """Sizes of a dense engine.

    Parameters
    ----------
    lanes : int
        Multipliers; even, 2 to 512.
    weight_words : int
        Words in each pair's weight memory, 2 to 65536.
    activations : int
        Slots of each of the two activation files, 2 to 4096.
    biases : int
        Words of the bias memory, 2 to 65536.
    layers : int
        Layer descriptors, 2 to 64.
    accumulator_bits : int
        A; sums are modulo 2**A. 24 to 32.
    products : str
        How two lanes multiply: "plain", a multiplier of the chip each, "lut", logic in four pipelined
        steps, or "packed", both in one multiplier of 18 by 18 bits.
    single_port : bool
        Weights in memories with one port, which are loaded while the engine is idle only.

    Raises
    ------
    ValueError
        For a value out of range.

    >>> geometry = DenseGeometry(lanes=16)
    >>> geometry.pairs, geometry.weight_bytes, geometry.latency
    (8, 16384, 15)
    """

    lanes: int = 16
    weight_words: int = 1024
    activations: int = 1024
    biases: int = 512
    layers: int = 8
    accumulator_bits: int = 32
    products: str = "plain"
    single_port: bool = False

    def __post_init__(self) -> None:
        ranges = {
            "lanes": (2, 512),
            "weight_words": (2, 65536),
            "activations": (2, 4096),
            "biases": (2, 65536),
            "layers": (2, 64),
            "accumulator_bits": (24, 32),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{name} must be an integer from {low} to {high}, not {value!r}")
        if self.lanes % 2:
            raise ValueError(f"lanes must be even, not {self.lanes!r}")
        if self.products not in PRODUCT_CYCLES:
            raise ValueError(f"products must be one of {tuple(PRODUCT_CYCLES)}, not {self.products!r}")

    @property
    def pairs(self) -> int:
        """Pairs of lanes."""
        return self.lanes // 2

    @property
    def weight_bytes(self) -> int:
        """Weights that the engine holds."""
        return self.lanes * self.weight_words

    @property
    def levels(self) -> int:
        """Levels of the tree that collects finished rows."""
        count = 1
        while FAN_IN**count < self.pairs:
            count += 1
        return count

    @property
    def latency(self) -> int:
        """Cycles from the address of a row group's last weights to the write of its first activation."""
        return PRODUCT_CYCLES[self.products] + self.levels + 12


@dataclass(frozen=True, eq=False, kw_only=True)
class DenseLayer:
    """One fully connected layer, y = int8(requantise(W a + bias)).

    Parameters
    ----------
    weights : array of int8 values, shape (rows, columns)
    bias : array of int32 values, shape (rows,)
    shift : int
        0 to `MAX_SHIFT`.
    relu : bool

    Raises
    ------
    ValueError
        If shapes do not agree, or a value is out of range.
    """

    weights: IntArray
    bias: IntArray
    shift: int = 0
    relu: bool = False

    def __post_init__(self) -> None:
        if self.weights.ndim != 2 or not self.weights.size or self.bias.shape != self.weights.shape[:1]:
            raise ValueError(
                f"weights must have shape (rows, columns) and bias (rows,), "
                f"not {self.weights.shape} and {self.bias.shape}"
            )
        for name, bits in (("weights", 8), ("bias", 32)):
            values = getattr(self, name)
            if np.any(values != wrap(values, bits)):
                raise ValueError(f"{name} must fit int{bits}, not reach {values.min()} and {values.max()}")
        if not 0 <= self.shift <= MAX_SHIFT:
            raise ValueError(f"shift must be from 0 to {MAX_SHIFT}, not {self.shift!r}")

    @property
    def shape(self) -> Shape:
        """Rows and columns."""
        rows, columns = self.weights.shape
        return rows, columns


def dense_forward(layers: Sequence[DenseLayer], activations: Any, accumulator_bits: int = 32) -> IntArray:
    """Outputs of a dense network, in the engine's integers.

    Parameters
    ----------
    layers : sequence of DenseLayer
    activations : array of int8 values, shape (batch, columns)
    accumulator_bits : int

    Returns
    -------
    array of int64 in int8 range, shape (batch, rows)

    >>> layer = DenseLayer(weights=np.array([[1, -2], [100, 90]]), bias=np.array([5, 0]), relu=True)
    >>> dense_forward([layer], [[4, 3]])
    array([[  3, 127]])
    """
    source = np.asarray(activations, dtype=np.int64)
    for layer in layers:
        sums = wrap(source @ layer.weights.T.astype(np.int64) + layer.bias, accumulator_bits)
        source = np.clip(requantise(sums, layer.shift, layer.relu)[0], INT8_MIN, INT8_MAX)
    return source


def layer_words(shape: Shape, lanes: int) -> int:
    """Words that a layer takes in each pair's weight memory; as many cycles it multiplies, at least.

    >>> layer_words((300, 784), 16)
    14896
    """
    rows, columns = shape
    return -(-rows // lanes) * columns


def dense_cycles(shapes: Sequence[Shape], geometry: DenseGeometry) -> int:
    """Cycles of a run, from its acceptance to the write of its last activation; always the same.

    A group of rows takes a cycle for each column and one in which the accumulators are cleared, and no
    less than a cycle for each lane. The next layer begins when its first activation has been written; the
    others follow as fast as they are needed. An odd number of rows ends as if there were one more.

    >>> dense_cycles([(300, 784), (100, 300), (10, 100)], DenseGeometry(lanes=16))
    17181
    """
    cycles = START_CYCLES
    last = 0
    for rows, columns in shapes:
        groups = -(-rows // geometry.lanes)
        last = -(-(rows - (groups - 1) * geometry.lanes) // 2) * 2
        cycles += (groups - 1) * max(columns + 1, geometry.lanes) + columns + geometry.latency
    return cycles + last - 2


def misfits(shapes: Sequence[Shape], geometry: DenseGeometry) -> list[str]:
    """What of a network the engine cannot hold, weights left aside; nothing if it can run it.

    >>> misfits([(10, 2000)], DenseGeometry())
    ['2000 activations of 1024']
    """
    most = max(max(shape) for shape in shapes)
    biases = sum(rows for rows, _ in shapes)
    needs = {
        "activations": (most, geometry.activations),
        "biases": (biases, geometry.biases),
        "layers": (len(shapes), geometry.layers),
    }
    return [f"{needed} {name} of {there}" for name, (needed, there) in needs.items() if needed > there]


def is_resident(shapes: Sequence[Shape], geometry: DenseGeometry) -> bool:
    """Whether the engine's memories hold all weights at once.

    >>> is_resident([(300, 784), (100, 300), (10, 100)], DenseGeometry(lanes=16))
    False
    """
    words = sum(layer_words(shape, geometry.lanes) for shape in shapes)
    return words <= geometry.weight_words and not misfits(shapes, geometry)


def streamed_bytes(shapes: Sequence[Shape], geometry: DenseGeometry) -> int:
    """Bytes of weights that must cross the link for every input: none if all are resident, else all.

    They could be fewer by as many as stay on the chip, were there a place for them besides the one that is
    streamed through.

    >>> streamed_bytes([(300, 784), (100, 300), (10, 100)], DenseGeometry(lanes=16))
    266200
    """
    return 0 if is_resident(shapes, geometry) else sum(rows * columns for rows, columns in shapes)


def weight_image(layers: Sequence[DenseLayer], geometry: DenseGeometry) -> IntArray:
    """Contents of the weight memories.

    Returns
    -------
    array of int64, shape (pairs, words)

    >>> layer = DenseLayer(weights=np.array([[1, 2], [3, 4], [-1, 5]]), bias=np.zeros(3, dtype=np.int64))
    >>> weight_image([layer], DenseGeometry(lanes=2)).tolist()
    [[769, 1026, 255, 5]]
    """
    parts = []
    for layer in layers:
        rows, columns = layer.shape
        groups = -(-rows // geometry.lanes)
        padded = np.zeros((groups * geometry.lanes, columns), dtype=np.int64)
        padded[:rows] = layer.weights & 0xFF
        pair = padded.reshape(groups, geometry.pairs, 2, columns)
        word = pair[:, :, 0] | pair[:, :, 1] << 8
        parts.append(word.transpose(1, 0, 2).reshape(geometry.pairs, -1))
    return np.concatenate(parts, axis=1)


def descriptor_image(layers: Sequence[DenseLayer], geometry: DenseGeometry) -> IntArray:
    """Contents of the descriptor memory, layer after layer; the input stands in file 0.

    Word 0 has the rows in its low half and the columns in its high half, word 1 the first weight word
    and the first bias likewise, word 2 the shift, ReLU in bit 8 and the source file in bit 9.

    Raises
    ------
    UnsupportedError
        If the engine cannot hold the network.
    """
    shapes = [layer.shape for layer in layers]
    missing = misfits(shapes, geometry)
    words = sum(layer_words(shape, geometry.lanes) for shape in shapes)
    if words > geometry.weight_words:
        missing.append(f"{words} words of weights of {geometry.weight_words}")
    if missing:
        raise UnsupportedError(
            f"the network needs {' and '.join(missing)} that the dense engine has; build a larger one"
        )
    image = []
    first_word = first_bias = 0
    for number, layer in enumerate(layers):
        rows, columns = layer.shape
        image += [
            rows | columns << 16,
            first_word | first_bias << 16,
            layer.shift | int(layer.relu) << 8 | number % 2 << 9,
            0,
        ]
        first_word += layer_words(layer.shape, geometry.lanes)
        first_bias += rows
    return np.array(image, dtype=np.int64)


def dense_address_bits(geometry: DenseGeometry) -> int:
    """Bits that address a word of a pair's weight memory."""
    return bits_for(geometry.weight_words - 1)
