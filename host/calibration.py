"""Calibration: how large activations become, and from that the power-of-two scales of every layer.

Activations. The float network runs on the calibration inputs; a layer gets as many fraction bits as leave
room for its largest activation and a margin of a quarter. Without inputs, random ones stand in for them,
uniform over [-8, 8): wide enough for inputs that were normalised to a standard deviation of 1, with twelve
fraction bits left. Inputs may be asked for in fewer bits than 16, so that a device gets them in one byte
each (`golden.activations`); their largest magnitude then has no margin: one above it is longer, not clipped.

Weights. A codebook gets the most fraction bits with which every value fits int16, no sum of a row can leave
the accumulator (sum |w| * 32767 + |bias| < 2**(A-1)), and the requantising shift stays from 0 to `MAX_SHIFT`.

Biases. They are whole multiples of an eighth of the last place of a layer's outputs, which the model file
stores in few bits; scales that came with the network keep theirs as fine as the sums.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.codebook import largest_fraction, quantise_codebook
from golden.errors import InputError, UnsupportedError
from golden.fixed_point import INT16_MAX, MAX_SHIFT
from golden.model import Layer, Model, check
from host.network import SharedLayer, SharedNetwork

DEFAULT_RANGE = INT16_MAX / 2**12
"""Largest magnitude of an input, where no calibration inputs are given: a hair below 8."""
RANDOM_SAMPLES = 256
MARGIN = 1.25
BIAS_GUARD_BITS = 3
"""Bits of a bias below the last place of the outputs: rounding moves no sum by more than 1/16 of it."""
INPUT_BITS = 16
"""Of an input, unless fewer are asked for."""
BATCH = 1024


@dataclass(frozen=True)
class Ranges:
    """Magnitudes that activations are expected to stay below.

    Parameters
    ----------
    room : tuple of float
        Of the inputs, then of each layer's outputs; margin included.
    source : str
        Where they come from, in words.
    input_bits : int
        In which inputs within their range fit, sign included.
    """

    room: tuple[float, ...]
    source: str
    input_bits: int = INPUT_BITS


def random_inputs(columns: int) -> NDArray[np.float32]:
    """The stand-in for calibration inputs: always the same, shape (256, columns), uniform over [-8, 8)."""
    generator = np.random.default_rng(0)
    return generator.uniform(-DEFAULT_RANGE, DEFAULT_RANGE, (RANDOM_SAMPLES, columns)).astype(np.float32)


def measure(network: SharedNetwork, inputs: Any = None, input_bits: int = INPUT_BITS) -> Ranges:
    """Find how large the activations of a float network become.

    Parameters
    ----------
    network : SharedNetwork
    inputs : array of float32, shape (samples, inputs), optional
    input_bits : int
        In which inputs shall fit, 2 to 16.

    Raises
    ------
    InputError
        If activations leave float32.
    """
    weights = [layer.weights() for layer in network.layers]
    source = random_inputs(network.layers[0].columns) if inputs is None else np.asarray(inputs, np.float32)
    seen = np.zeros(len(network.layers) + 1)
    for start in range(0, len(source), BATCH):
        activations = source[start : start + BATCH]
        seen[0] = max(seen[0], np.abs(activations).max())
        for number, (layer, matrix) in enumerate(zip(network.layers, weights, strict=True)):
            with np.errstate(over="ignore", invalid="ignore"):
                activations = activations @ matrix.T + layer.bias.astype(np.float32)
            if layer.relu:
                activations = np.maximum(activations, 0)
            if not np.isfinite(activations).all():
                raise InputError(
                    f"the activations of layer {layer.name} leave float32; train the network again, or "
                    "calibrate with inputs of the right size"
                )
            seen[number + 1] = max(seen[number + 1], np.abs(activations).max())
    room = [float(value) * MARGIN for value in seen]
    if inputs is not None:
        if input_bits < INPUT_BITS:
            room[0] = float(seen[0])
        return Ranges(tuple(room), f"{len(source)} calibration inputs, the largest {seen[0]:.6g}", input_bits)
    return Ranges(
        (DEFAULT_RANGE, *room[1:]),
        "no calibration inputs given, so they are taken to lie within [-8, 8)",
        input_bits,
    )


def to_model(
    network: SharedNetwork, ranges: Ranges, accumulator_bits: int = 32
) -> tuple[Model, tuple[int, ...]]:
    """Turn a shared network into integers.

    Parameters
    ----------
    network : SharedNetwork
    ranges : Ranges
    accumulator_bits : int
        Narrowest accumulator that the model shall run on.

    Returns
    -------
    model : Model
    raised : tuple of int
        For each layer, codebook values that became 1 or -1 because they would have rounded to zero.

    Raises
    ------
    InputError
        If layers do not chain, or scales that came with the network do not fit together.
    UnsupportedError
        If no scale keeps a row's sum within the accumulator.
    """
    layers: list[Layer] = []
    raised = []
    # a magnitude that fits the fewer bits fits int16 after this factor
    input_fraction = _fraction_for(ranges.room[0] * INT16_MAX / ((1 << ranges.input_bits - 1) - 1))
    for number, layer in enumerate(network.layers):
        if not number and layer.input_fraction is not None:
            input_fraction = layer.input_fraction
        if layer.input_fraction not in (None, input_fraction):
            raise InputError(
                f"{layer.name} wants {layer.input_fraction} input fraction bits, but the layer before gives "
                f"{input_fraction}; make both fractions equal, or leave them out"
            )
        integers, count = _quantise_layer(
            layer, input_fraction, _fraction_for(ranges.room[number + 1]), accumulator_bits
        )
        layers.append(integers)
        raised.append(count)
        input_fraction = integers.output_fraction
    model = Model(
        layers=tuple(layers),
        final=network.final,
        keepdims=network.keepdims,
        input_shape=network.input_shape,
    )
    check(model, accumulator_bits)
    return model, tuple(raised)


def _fraction_for(room: float) -> int:
    """Most fraction bits with which a magnitude fits int16; those of 1 if it is zero."""
    fraction = largest_fraction([room])
    return 14 if fraction is None else fraction


def _quantise_layer(
    layer: SharedLayer, input_fraction: int, output_fraction: int, accumulator_bits: int
) -> tuple[Layer, int]:
    """Choose a layer's weight fraction, and round its codebook and biases to integers."""
    if layer.output_fraction is not None:
        output_fraction = layer.output_fraction
    limit = 1 << (accumulator_bits - 1)
    real = np.bincount(layer.row, weights=np.abs(layer.codebook)[layer.index], minlength=layer.rows)
    reach = float(np.max(real * INT16_MAX + np.ldexp(np.abs(layer.bias), input_fraction)))
    fraction = MAX_SHIFT + output_fraction - input_fraction
    if (widest := largest_fraction(layer.codebook)) is not None:
        fraction = min(fraction, widest)
    if reach > 0:
        # one more than what real numbers allow, since rounding may also make a sum smaller
        fraction = min(fraction, int(np.floor(np.log2(limit / reach))) + 1)
    lowest = fraction - 32
    if layer.weight_fraction is not None:
        lowest = fraction = layer.weight_fraction
        if widest is not None and fraction > widest:
            raise InputError(
                f"{layer.name} wants {fraction} weight fraction bits, but its codebook fits int16 with at "
                f"most {widest}; give it fewer, or leave them out"
            )
    while True:
        codebook, raised = quantise_codebook(layer.codebook, fraction)
        finest = fraction + input_fraction
        spare = 0
        if layer.weight_fraction is None:
            spare = max(0, finest - min(output_fraction, finest) - BIAS_GUARD_BITS)
        bias = np.clip(np.ldexp(np.rint(np.ldexp(layer.bias, finest - spare)), spare), -limit, limit)
        integers = Layer(
            rows=layer.rows,
            columns=layer.columns,
            index_bits=layer.index_bits,
            codebook=codebook,
            row=layer.row,
            column=layer.column,
            index=layer.index,
            bias=bias.astype(np.int64),
            weight_fraction=fraction,
            input_fraction=input_fraction,
            output_fraction=min(output_fraction, finest),
            relu=layer.relu,
        )
        bound = integers.bound()
        if bound.max() < limit:
            break
        if fraction == lowest:
            worst = int(np.argmax(bound))
            raise UnsupportedError(
                f"{layer.name}, row {worst}: sum |w| * 32767 + |bias| is {bound[worst]} or more, but an "
                f"accumulator of {accumulator_bits} bits needs it below {limit}; keep fewer weights"
            )
        fraction -= 1
    if layer.output_fraction not in (None, integers.output_fraction):
        raise InputError(
            f"{layer.name} wants {layer.output_fraction} output fraction bits, but its sums have only "
            f"{integers.output_fraction}; give it fewer, or leave them out"
        )
    return integers, raised
