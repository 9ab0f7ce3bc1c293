"""The host's ends of a run: quantised inputs, dequantised results, final operations."""

import numpy as np
import pytest

from golden.layers import Layer, Model
from host.values import to_integers, to_results


def model(**options: object) -> Model:
    layer = Layer.from_indices(np.eye(3, dtype=int), [0, 8], [0, 0, 0], input_fraction=4, output_fraction=2)
    return Model(layers=(layer,), **options)  # type: ignore[arg-type]


def test_inputs_are_rounded_and_clipping_is_counted() -> None:
    integers, saturations = to_integers(model(), [[0.5, -0.03125, 0.09375], [2048, -2048, -3000]])
    assert integers.tolist() == [[8, 0, 2], [32767, -32768, -32768]]
    assert saturations == 2


def test_results_are_real_values() -> None:
    results = to_results(model(), [[4, -6, 1]])
    assert results.dtype == np.float32
    assert results.tolist() == [[1.0, -1.5, 0.25]]


@pytest.mark.parametrize(("keepdims", "expected"), [(False, [1, 0]), (True, [[1], [0]])])
def test_argmax_takes_the_first_of_equal_outputs(keepdims: bool, expected: list[object]) -> None:
    results = to_results(model(final="argmax", keepdims=keepdims), [[4, 9, 9], [7, 7, 7]])
    assert results.dtype == np.int64
    assert results.tolist() == expected


def test_softmax_is_the_usual_one_and_never_overflows() -> None:
    results = to_results(model(final="softmax"), [[0, 4, 8], [32767, 0, -32768]])
    powers = np.exp([0, 1, 2])
    np.testing.assert_allclose(results, [powers / powers.sum(), [1, 0, 0]], rtol=1e-6)
    assert results.dtype == np.float32
