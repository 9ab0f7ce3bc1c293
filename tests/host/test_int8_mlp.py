"""Dense int8 perceptrons: bytes that are counted, integers against a plain loop, and scales that fit."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from golden.errors import InputError
from host import int8_mlp
from host.int8_mlp import architectures, coded_bytes, decode, encode, file_bytes, forward, quantise_network
from host.network import layer_values
from tests.host.test_train_masks import layers_of


@pytest.fixture
def network() -> tuple[list[int8_mlp.Int8Layer], np.ndarray]:
    """A rounded 12-9-5-4, and inputs."""
    inputs = np.random.default_rng(2).random((30, 12))
    return quantise_network(layers_of((12, 9, 5, 4), 2), inputs), inputs


def test_bytes_are_counted(network):
    layers, _ = network
    data = encode(layers)
    assert len(data) == file_bytes((12, 9, 5, 4)) == 4 + 3 * 4 + (12 * 9 + 9) + (9 * 5 + 5) + (5 * 4 + 4)


def test_file_holds_all_that_is_computed_with(network):
    layers, inputs = network
    assert_array_equal(forward(decode(encode(layers)), inputs), forward(layers, inputs))


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_damaged_bytes_are_refused(network, cut):
    data = encode(network[0])
    with pytest.raises(InputError, match="end too early"):
        decode(data[:-cut])
    with pytest.raises(InputError, match=f"{cut} bytes follow"):
        decode(data + bytes(cut))


def test_integers_are_those_of_a_plain_loop(network):
    layers, inputs = network
    for sample, found in zip(inputs, forward(layers, inputs), strict=True):
        values = [round(float(value) * 2 ** layers[0].input_fraction) for value in sample]
        for layer in layers:
            up = layer.weight_fraction + layer.input_fraction - layer.bias_fraction
            shift = layer.weight_fraction + layer.input_fraction - layer.output_fraction
            assert up >= 0 and shift > 0
            outputs = []
            for row, bias in zip(layer.weights.tolist(), layer.bias.tolist(), strict=True):
                total = sum(w * v for w, v in zip(row, values, strict=True)) + bias * 2**up
                total = (total + 2 ** (shift - 1)) // 2**shift
                outputs.append(min(max(total, 0 if layer.relu else -32768), 32767))
            values = outputs
        assert found.tolist() == values


def test_rounding_is_close_to_the_real_network():
    source = layers_of((20, 6, 3), 7)
    inputs = np.random.default_rng(7).random((50, 20))
    real = layer_values(source, inputs)[-1]
    layers = quantise_network(source, inputs)
    found = np.ldexp(forward(layers, inputs).astype(float), -layers[-1].output_fraction)
    assert np.abs(found - real).max() < 0.05 * np.ptp(real)


@pytest.mark.parametrize("limit", [1024, 2048, 4096, 8192])
@pytest.mark.parametrize("inputs", [64, 256])
def test_architectures_fill_the_limit(limit, inputs):
    for shape in architectures(inputs, 10, limit):
        wider = (shape[0], shape[1] + 1, *shape[2:])
        assert file_bytes(shape) <= limit < file_bytes(wider)


def test_int8_scales_are_the_finest_that_fit():
    for value in (1.0, 0.99, 0.996, 127.0, 127.4, 127.6, 1e-3, 300.0):
        fraction = int8_mlp.int8_fraction([value, -value])
        assert np.rint(value * 2.0**fraction) <= 127 < np.rint(value * 2.0 ** (fraction + 1))


def test_entropy_is_below_the_file(network):
    layers, _ = network
    assert coded_bytes(layers) < len(encode(layers))
    weights = sum(layer.weights.size for layer in layers)
    assert coded_bytes(layers) > len(encode(layers)) - weights
