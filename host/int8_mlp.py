"""Dense int8 perceptrons, the small networks that a sceptic would train instead, in integers and in bytes.

They are given every advantage that costs them nothing: a header without magic, version or checksum, biases
of one byte, one power-of-two scale a layer (training adapts to it), and the engine's int16 activations,
accumulators and rounding (`golden.fixed_point`), which are wider than int8 engines have. Bytes, in order::

    1           layers
    2           inputs
    1           input fraction, signed
    for each layer
      1         rows, at most 255, which is enough for the sizes compared
      1         weight fraction, signed
      1         bias fraction, signed
      1         output fraction, signed
      rows*cols weights, int8, row by row
      rows      biases, int8

Every layer but the last has a ReLU.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import InputError
from golden.fixed_point import IntArray, quantise, requantise, wrap
from host.network import DenseLayer, layer_values

HEADER = struct.Struct("<BHb")
LAYER = struct.Struct("<Bbbb")
SECOND_LAYERS = (16, 32)
"""Sizes of a second hidden layer that are tried."""
LEAST_HIDDEN = 6
"""Smallest first hidden layer before a second one; smaller ones were never chosen."""
ACCUMULATOR_BITS = 32


@dataclass(frozen=True, eq=False, kw_only=True)
class Int8Layer:
    """One dense layer.

    Parameters
    ----------
    weights : array of int8, shape (rows, columns)
    bias : array of int8, shape (rows,)
    weight_fraction, bias_fraction, input_fraction, output_fraction : int
        Fraction bits; see `golden.fixed_point`.
    relu : bool
    """

    weights: NDArray[np.int8]
    bias: NDArray[np.int8]
    weight_fraction: int
    bias_fraction: int
    input_fraction: int
    output_fraction: int
    relu: bool


def file_bytes(sizes: Sequence[int]) -> int:
    """Bytes of a perceptron with these numbers of inputs, hidden units and outputs.

    >>> file_bytes([64, 13, 10])
    997
    """
    weights = sum(before * after for before, after in pairwise(sizes))
    return HEADER.size + weights + sum(LAYER.size + after for after in sizes[1:])


def architectures(inputs: int, outputs: int, limit: int) -> list[tuple[int, ...]]:
    """Perceptrons with one and two hidden layers that fill `limit` bytes as far as they can.

    >>> architectures(64, 10, 2048)
    [(64, 27, 10), (64, 22, 16, 10)]
    """

    def widest(*after: int) -> tuple[int, ...]:
        fixed = file_bytes((0, *after, outputs)) + LAYER.size
        first = (limit - fixed) // (inputs + 1 + (after or (outputs,))[0])
        return inputs, first, *after, outputs

    shapes = [widest()]
    shapes += [shape for second in SECOND_LAYERS if (shape := widest(second))[1] >= max(LEAST_HIDDEN, second)]
    return [shape for shape in shapes if shape[1] >= 1]


def encode(layers: Sequence[Int8Layer]) -> bytes:
    """Bytes of a perceptron, as the module's docstring lays them out.

    >>> layer = from_real([[0.5, -1.0]], [0.25], 0, 15, relu=False)
    >>> encode([layer]).hex(" ")
    '01 02 00 00 01 06 08 0f 20 c0 40'
    """
    parts = [HEADER.pack(len(layers), layers[0].weights.shape[1], layers[0].input_fraction)]
    for layer in layers:
        fractions = (layer.weight_fraction, layer.bias_fraction, layer.output_fraction)
        parts += [LAYER.pack(len(layer.bias), *fractions), layer.weights.tobytes(), layer.bias.tobytes()]
    return b"".join(parts)


def decode(data: bytes) -> list[Int8Layer]:
    """Inverse of `encode`.

    Raises
    ------
    InputError
        If the bytes end too early or go on too long.
    """
    try:
        count, columns, fraction = HEADER.unpack_from(data)
        place, layers = HEADER.size, []
        for number in range(count):
            rows, weight, bias, output = LAYER.unpack_from(data, place)
            place += LAYER.size
            weights = np.frombuffer(data, np.int8, rows * columns, place).reshape(rows, columns)
            place += rows * columns
            layer = Int8Layer(
                weights=weights,
                bias=np.frombuffer(data, np.int8, rows, place),
                weight_fraction=weight,
                bias_fraction=bias,
                input_fraction=fraction,
                output_fraction=output,
                relu=number < count - 1,
            )
            place += rows
            layers.append(layer)
            columns, fraction = rows, output
    except (struct.error, ValueError):
        raise InputError(f"the perceptron's {len(data)} bytes end too early; write them again") from None
    if place != len(data):
        raise InputError(f"{len(data) - place} bytes follow the perceptron's last layer; write them again")
    return layers


def int8_fraction(values: Any) -> int:
    """Most fraction bits with which values fit int8, 127 at the most in magnitude; 7 if all are zero.

    >>> [int8_fraction(values) for values in ([0.5], [1.0], [127.4], [127.6], [0.0])]
    [7, 6, 0, -1, 7]
    """
    largest = float(np.max(np.abs(np.asarray(values, dtype=np.float64)), initial=0.0))
    if largest == 0.0:
        return 7
    fraction = 7 - int(np.frexp(largest)[1])
    return fraction if np.rint(np.ldexp(largest, fraction)) <= 127 else fraction - 1


def from_real(weights: Any, bias: Any, input_fraction: int, output_fraction: int, *, relu: bool) -> Int8Layer:
    """Round a real layer, shapes (rows, columns) and (rows,), to int8."""
    weights, bias = np.asarray(weights, dtype=np.float64), np.asarray(bias, dtype=np.float64)
    weight_fraction, bias_fraction = int8_fraction(weights), int8_fraction(bias)
    return Int8Layer(
        weights=np.rint(np.ldexp(weights, weight_fraction)).astype(np.int8),
        bias=np.rint(np.ldexp(bias, bias_fraction)).astype(np.int8),
        weight_fraction=weight_fraction,
        bias_fraction=bias_fraction,
        input_fraction=input_fraction,
        output_fraction=output_fraction,
        relu=relu,
    )


def forward(layers: Sequence[Int8Layer], inputs: Any) -> IntArray:
    """Integer outputs for real inputs: exact sums modulo 2**32, rounded, saturated to int16.

    A bias is brought to the scale of the accumulator first; bits below it are rounded off.

    Parameters
    ----------
    layers : sequence of Int8Layer
    inputs : array of float, shape (batch, columns)

    Returns
    -------
    array of int64 in int16 range, shape (batch, rows)
    """
    values = quantise(inputs, layers[0].input_fraction)
    for layer in layers:
        # exact: each product is below 2**22, so a float64 holds the sum of any layer that is tried
        sums = (values.astype(np.float64) @ layer.weights.T.astype(np.float64)).astype(np.int64)
        up = layer.weight_fraction + layer.input_fraction - layer.bias_fraction
        bias = np.rint(np.ldexp(layer.bias.astype(np.float64), up)).astype(np.int64)
        shift = layer.weight_fraction + layer.input_fraction - layer.output_fraction
        values, _ = requantise(wrap(sums + bias, ACCUMULATOR_BITS), shift, layer.relu)
    return values


def coded_bytes(layers: Sequence[Int8Layer]) -> int:
    """A bound that no entropy coder of the weights reaches: their entropy in each layer, tables not counted.

    >>> coded_bytes([from_real([[1.0, 1.0, -1.0, -1.0]], [0.0], 0, 0, relu=False)])
    10
    """
    bits = 0.0
    for layer in layers:
        _, counts = np.unique(layer.weights, return_counts=True)
        shares = counts / counts.sum()
        bits += layer.weights.size * float(-(shares * np.log2(shares)).sum())
    plain = sum(prod(layer.weights.shape) for layer in layers)
    return len(encode(layers)) - plain + int(np.ceil(bits / 8))


def quantise_network(layers: Sequence[DenseLayer], samples: Any, margin: int = 1) -> list[Int8Layer]:
    """Round a real perceptron to int8, with activation scales that hold on `samples`.

    Parameters
    ----------
    layers : sequence of DenseLayer
    samples : array of float, shape (batch, inputs)
        Training inputs.
    margin : int
        Bits of room above the largest magnitude that the samples reach.
    """
    ranges = [float(np.abs(values).max()) for values in layer_values(layers, samples)]
    fractions = [14 - margin - int(np.frexp(largest)[1]) for largest in ranges]
    return [
        from_real(layer.weights, layer.bias, before, after, relu=layer.relu)
        for layer, (before, after) in zip(layers, pairwise(fractions), strict=True)
    ]
