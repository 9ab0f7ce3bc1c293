"""The dense specification: integers against plain sums, images, cycles by hand, refusals."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from golden.dense import (
    PRODUCT_CYCLES,
    START_CYCLES,
    DenseGeometry,
    DenseLayer,
    dense_cycles,
    dense_forward,
    descriptor_image,
    is_resident,
    streamed_bytes,
    weight_image,
)
from golden.errors import UnsupportedError


def layer(weights: list[list[int]], bias: list[int], shift: int = 0, relu: bool = False) -> DenseLayer:
    return DenseLayer(weights=np.array(weights), bias=np.array(bias), shift=shift, relu=relu)


def test_rounds_half_up_and_saturates_to_int8() -> None:
    network = [layer([[1], [1], [1], [1]], [0, 2, 510, -514], shift=2)]
    assert_array_equal(dense_forward(network, [[-2]]), [[0, 0, 127, -128]])


def test_relu_comes_before_saturation() -> None:
    assert_array_equal(dense_forward([layer([[-1]], [0], relu=True)], [[127], [-128]]), [[0], [127]])


def test_sums_wrap_at_the_accumulators_width() -> None:
    network = [layer([[1]], [(1 << 23) - 1])]
    assert_array_equal(dense_forward(network, [[1]], 24), [[-128]])
    assert_array_equal(dense_forward(network, [[1]], 32), [[127]])


def test_words_of_two_layers_stand_one_behind_the_other() -> None:
    geometry = DenseGeometry(lanes=4, weight_words=8)
    network = [layer([[i, -i] for i in range(1, 6)], [0] * 5), layer([[7] * 5], [1])]
    image = weight_image(network, geometry)
    assert image.shape == (2, 9)
    assert_array_equal(image[0, :4], [0x0201, 0xFEFF, 0x0005, 0x00FB])
    assert_array_equal(image[1, :4], [0x0403, 0xFCFD, 0, 0])
    assert_array_equal(image[:, 4:], [[7] * 5, [0] * 5])
    with pytest.raises(UnsupportedError, match=r"^the network needs 9 words of weights of 8 that the dense"):
        descriptor_image(network, geometry)
    words = descriptor_image(network, DenseGeometry(lanes=4))
    assert_array_equal(words, [5 | 2 << 16, 0, 0, 0, 1 | 5 << 16, 4 | 5 << 16, 1 << 9, 0])


@pytest.mark.parametrize("products", PRODUCT_CYCLES)
def test_cycles_by_hand(products: str) -> None:
    geometry = DenseGeometry(lanes=4, products=products)
    latency = PRODUCT_CYCLES[products] + 1 + 12
    assert dense_cycles([(1, 1)], geometry) == START_CYCLES + 1 + latency
    assert dense_cycles([(4, 10)], geometry) == START_CYCLES + 10 + latency + 2
    assert dense_cycles([(8, 10)], geometry) == START_CYCLES + 11 + 10 + latency + 2
    # A group whose columns are fewer than the lanes waits for the one before to be drained.
    assert dense_cycles([(8, 2)], geometry) == START_CYCLES + 4 + 2 + latency + 2
    assert dense_cycles([(3, 9), (2, 3)], geometry) == START_CYCLES + 9 + latency + 3 + latency


def test_what_does_not_fit_is_streamed() -> None:
    shapes = [(6, 10), (2, 6)]
    holds = DenseGeometry(lanes=4, weight_words=26)
    assert is_resident(shapes, holds)
    assert streamed_bytes(shapes, holds) == 0
    lacks = DenseGeometry(lanes=4, weight_words=25)
    assert not is_resident(shapes, lacks)
    assert streamed_bytes(shapes, lacks) == 72


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lanes": 3}, r"^lanes must be even, not 3$"),
        ({"lanes": 514}, r"^lanes must be an integer from 2 to 512, not 514$"),
        ({"products": "x"}, r"^products must be one of \('plain', 'lut', 'packed'\), not 'x'$"),
    ],
)
def test_bad_geometry(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DenseGeometry(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[128]], [0]), r"^weights must fit int8, not reach 128 and 128$"),
        (([[1]], [1 << 31]), r"^bias must fit int32, not reach 2147483648 and 2147483648$"),
        (([[1]], [0, 0]), r"^weights must have shape \(rows, columns\) and bias \(rows,\), not "),
        (([[1]], [0], 40), r"^shift must be from 0 to 39, not 40$"),
    ],
)
def test_bad_layer(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layer(*arguments)
