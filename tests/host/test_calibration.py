"""Scales: nothing clips that was seen, no sum leaves the accumulator, and no bit is given away."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.errors import InputError, UnsupportedError
from golden.fixed_point import MAX_SHIFT
from golden.forward import forward
from golden.model import check
from host.calibration import MARGIN, Ranges, measure, random_inputs, to_model
from host.network import SharedLayer, SharedNetwork, sorted_places
from host.values import to_integers, to_results


def shared(
    rng: np.random.Generator, rows: int, columns: int, scale: float = 1.0, keep: float = 0.3
) -> SharedLayer:
    """A layer with 15 real values of both signs."""
    row, column = sorted_places(rng.random((rows, columns)) < keep)
    return SharedLayer(
        rows=rows,
        columns=columns,
        index_bits=4,
        codebook=np.concatenate([[0.0], scale * rng.standard_normal(15)]),
        row=row,
        column=column,
        index=rng.integers(1, 16, row.size).astype(np.uint8),
        bias=scale * rng.standard_normal(rows),
        relu=bool(rng.random() < 0.5),
        name="fc",
    )


def network(seed: int, sizes: list[int], scale: float = 1.0) -> SharedNetwork:
    rng = np.random.default_rng(seed)
    return SharedNetwork(layers=tuple(shared(rng, rows, columns, scale) for columns, rows in pairwise(sizes)))


def real_outputs(source: SharedNetwork, inputs: np.ndarray) -> np.ndarray:
    values = inputs.astype(np.float64)
    for layer in source.layers:
        values = values @ layer.weights().astype(np.float64).T + layer.bias
        values = np.maximum(values, 0) if layer.relu else values
    return values


def test_ranges_are_what_was_seen_and_a_margin() -> None:
    source = network(0, [6, 5])
    inputs = np.random.default_rng(1).standard_normal((3000, 6)).astype(np.float32)
    ranges = measure(source, inputs)
    largest = (np.abs(inputs).max(), np.abs(real_outputs(source, inputs)).max())
    np.testing.assert_allclose(ranges.room, MARGIN * np.array(largest), rtol=1e-5)
    assert ranges.source.startswith("3000 calibration inputs, the largest ")


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_biases_are_whole_eighths_of_the_outputs_last_place(scale: float) -> None:
    source = network(3, [40, 300, 10], scale)
    model, _ = to_model(source, measure(source))
    for layer, real in zip(model.layers, source.layers, strict=True):
        assert layer.shift > 3
        np.testing.assert_array_equal(layer.bias % (1 << (layer.shift - 3)), 0)
        exact = np.ldexp(real.bias, layer.weight_fraction + layer.input_fraction)
        assert np.abs(layer.bias - exact).max() <= 1 << (layer.shift - 4)
        given = replace(real, weight_fraction=layer.weight_fraction)
        kept, _ = to_model(replace(source, layers=(given,)), Ranges((1.0, 1.0), ""))
        finest = kept.layers[0].weight_fraction + kept.layers[0].input_fraction
        np.testing.assert_array_equal(kept.layers[0].bias, np.rint(np.ldexp(real.bias, finest)))


def test_without_inputs_a_stated_range_is_assumed() -> None:
    source = network(0, [6, 5])
    ranges = measure(source)
    assert "[-8, 8)" in ranges.source
    assert ranges.room == measure(source).room
    model, _ = to_model(source, ranges)
    assert model.layers[0].input_fraction == 12
    np.testing.assert_array_equal(random_inputs(6), random_inputs(6))
    assert to_integers(model, random_inputs(6))[1] == 0


@given(st.integers(0, 2**32), st.sampled_from([1e-20, 1e-3, 1.0, 30.0, 1e6]), st.sampled_from([24, 32, 40]))
def test_scales_are_as_fine_as_the_rules_allow(seed: int, scale: float, accumulator_bits: int) -> None:
    source = network(seed, [7, 9, 4], scale)
    model, _ = to_model(source, measure(source), accumulator_bits)
    check(model, accumulator_bits)
    limit = 1 << (accumulator_bits - 1)
    for layer, real in zip(model.layers, source.layers, strict=True):
        finer = np.abs(np.rint(np.ldexp(real.codebook, layer.weight_fraction + 1))).max() > 32767
        # rounding moves each weight by half a unit at most
        finer |= 2 * layer.bound().max() + 32767 * layer.columns >= limit
        finer |= layer.shift == MAX_SHIFT
        assert finer


@given(st.integers(0, 2**32))
def test_calibration_inputs_do_not_saturate(seed: int) -> None:
    source = network(seed, [8, 12, 6, 5])
    inputs = np.random.default_rng(seed).uniform(-3, 3, (20, 8)).astype(np.float32)
    model, _ = to_model(source, measure(source, inputs))
    activations, clipped = to_integers(model, inputs)
    outputs, saturations = forward(model, activations)
    assert (clipped, saturations) == (0, 0)
    expected = real_outputs(source, inputs)
    np.testing.assert_allclose(
        to_results(model, outputs), expected, atol=0.005 * max(1e-9, np.abs(expected).max())
    )


@pytest.mark.parametrize("bits", [2, 5, 8, 15])
@pytest.mark.parametrize("largest", [0.11, 1.0, 1.004, 250.0])
def test_inputs_fit_as_few_bits_as_are_asked_for(bits: int, largest: float) -> None:
    source = network(1, [8, 5])
    inputs = np.full((4, 8), largest, np.float32)
    model, _ = to_model(source, measure(source, inputs, bits))
    most = int(np.abs(to_integers(model, inputs)[0]).max())
    assert most < 1 << bits - 1 <= 2 * most + 2
    doubled, clipped = to_integers(model, 2 * inputs)
    assert clipped == 0
    assert np.abs(doubled).max() >= 2 * most - 1


def test_inputs_twice_as_large_are_clipped_and_counted() -> None:
    source = network(0, [8, 5])
    inputs = np.ones((4, 8), np.float32)
    model, _ = to_model(source, measure(source, inputs))
    assert to_integers(model, 1.2 * inputs)[1] == 0
    activations, clipped = to_integers(model, 2.5 * inputs)
    assert clipped == 32
    assert activations.max() == 32767


def test_a_tiny_value_stays_a_weight_and_is_counted() -> None:
    source = network(0, [8, 5])
    codebook = source.layers[0].codebook.copy()
    codebook[3], codebook[7] = 1e-12, -1e-12
    source = replace(source, layers=(replace(source.layers[0], codebook=codebook),))
    model, raised = to_model(source, measure(source))
    assert raised == (2,)
    assert model.layers[0].codebook[[3, 7]].tolist() == [1, -1]


def test_a_layer_without_weights_keeps_its_bias() -> None:
    empty = shared(np.random.default_rng(0), 3, 4, keep=0.0)
    source = SharedNetwork(layers=(replace(empty, codebook=np.zeros(16), relu=False),))
    model, _ = to_model(source, measure(source))
    outputs, _ = forward(model, np.zeros((1, 4), np.int16))
    np.testing.assert_allclose(to_results(model, outputs)[0], empty.bias, atol=1e-3)


def test_an_output_that_is_always_zero_is_no_trouble() -> None:
    empty = shared(np.random.default_rng(0), 3, 4, keep=0.0)
    source = SharedNetwork(layers=(replace(empty, codebook=np.zeros(16), bias=np.zeros(3)),))
    model, _ = to_model(source, measure(source, np.zeros((2, 4), np.float32)))
    assert forward(model, np.zeros((1, 4), np.int16))[0].tolist() == [[0, 0, 0]]


def test_a_huge_bias_gives_way_in_the_weights_not_in_the_accumulator() -> None:
    layer = replace(shared(np.random.default_rng(0), 3, 4), bias=np.array([1e9, -1e9, 0]))
    model, _ = to_model(SharedNetwork(layers=(layer,)), measure(SharedNetwork(layers=(layer,))))
    outputs, _ = forward(model, np.zeros((1, 4), np.int16))
    np.testing.assert_allclose(to_results(model, outputs)[0, 0], 1e9, rtol=1e-3)


def test_more_weights_than_an_accumulator_can_add_are_refused() -> None:
    layer = shared(np.random.default_rng(0), 2, 300, keep=1.0)
    with pytest.raises(
        UnsupportedError, match=r"^fc, row \d: .* an accumulator of 24 bits needs it below 8388608"
    ):
        to_model(SharedNetwork(layers=(layer,)), Ranges((1.0, 1.0), ""), 24)


def test_activations_beyond_float32_are_refused() -> None:
    source = network(0, [8, 9, 5], scale=1e30)
    with pytest.raises(InputError, match=r"^the activations of layer fc leave float32"):
        measure(source)


def test_scales_that_come_with_a_network_are_kept() -> None:
    rng = np.random.default_rng(0)
    first = replace(shared(rng, 5, 8), weight_fraction=7, input_fraction=6, output_fraction=5)
    source = SharedNetwork(layers=(first, replace(shared(rng, 3, 5), input_fraction=5)))
    model, _ = to_model(source, measure(source))
    layer = model.layers[0]
    assert (layer.weight_fraction, layer.input_fraction, layer.output_fraction) == (7, 6, 5)
    np.testing.assert_array_equal(layer.codebook, np.rint(first.codebook * 128))


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"weight_fraction": 15}, InputError, r"^fc wants 15 weight fraction bits, but its codebook fits"),
        ({"weight_fraction": 2, "output_fraction": 20}, InputError, r"^fc wants 20 output fraction bits"),
        ({"bias": np.full(5, 1e9), "weight_fraction": 9}, UnsupportedError, r"^fc, row 1: .* or more, but"),
        (
            {"weight_fraction": 2, "output_fraction": -40},
            InputError,
            r"^layer 0 shifts its sums right by 54 bits",
        ),
    ],
)
def test_scales_that_cannot_be_are_refused(changes: dict[str, object], kind: type, message: str) -> None:
    layer = replace(shared(np.random.default_rng(0), 5, 8), **changes)  # type: ignore[arg-type]
    source = SharedNetwork(layers=(layer,))
    with pytest.raises(kind, match=message):
        to_model(source, measure(source))


def test_scales_that_do_not_chain_are_refused() -> None:
    rng = np.random.default_rng(0)
    source = SharedNetwork(
        layers=(replace(shared(rng, 5, 8), output_fraction=4), replace(shared(rng, 3, 5), input_fraction=5))
    )
    with pytest.raises(InputError, match=r"^fc wants 5 input fraction bits, but the layer before gives 4"):
        to_model(source, measure(source))
