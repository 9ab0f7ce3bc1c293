"""Decompressed networks: onnxruntime computes what the model's real weights say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from golden.errors import UnsupportedError
from golden.fixed_point import dequantise
from golden.layers import Layer, Model
from host import onnx_export
from host.onnx_export import decompress
from host.onnx_import import import_onnx
from tests.networks import random_layer


def make(**options: object) -> Model:
    rng = np.random.default_rng(0)
    first = replace(random_layer(rng, 7, 6), weight_fraction=9, input_fraction=5, output_fraction=6)
    second = replace(
        random_layer(rng, 4, 7, relu=False), weight_fraction=11, input_fraction=6, output_fraction=6
    )
    return Model(layers=(first, second), **options)  # type: ignore[arg-type]


def run(model: Model, inputs: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        decompress(model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"input": inputs.astype(np.float32)})[0]


def expected(model: Model, inputs: np.ndarray) -> np.ndarray:
    values = inputs
    for layer in model.layers:
        bias = dequantise(layer.bias, layer.weight_fraction + layer.input_fraction)
        values = values @ dequantise(layer.weights(), layer.weight_fraction).T + bias
        values = np.maximum(values, 0) if layer.relu else values
    return values


INPUTS = np.random.default_rng(1).standard_normal((5, 6))


def test_the_network_computes_with_the_models_values() -> None:
    np.testing.assert_allclose(run(make(), INPUTS), expected(make(), INPUTS), rtol=1e-4, atol=1e-4)


def test_the_input_keeps_its_shape() -> None:
    results = run(make(input_shape=(1, 2, 3)), INPUTS.reshape(5, 1, 2, 3))
    np.testing.assert_allclose(results, expected(make(), INPUTS), rtol=1e-4, atol=1e-4)


def test_softmax_comes_last() -> None:
    results = run(make(final="softmax"), INPUTS)
    np.testing.assert_allclose(results.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(results.argmax(axis=1), expected(make(), INPUTS).argmax(axis=1))


@pytest.mark.parametrize("keepdims", [False, True])
def test_argmax_comes_last(keepdims: bool) -> None:
    results = run(make(final="argmax", keepdims=keepdims), INPUTS)
    assert results.dtype == np.int64
    np.testing.assert_array_equal(results, expected(make(), INPUTS).argmax(axis=1, keepdims=keepdims))


def test_the_opset_is_stated_and_the_file_imports_again(tmp_path: Path) -> None:
    proto = decompress(make(final="argmax", keepdims=True, input_shape=(6, 1)))
    assert [(entry.domain, entry.version) for entry in proto.opset_import] == [("", 17)]
    onnx.save(proto, tmp_path / "net.onnx")
    network = import_onnx(tmp_path / "net.onnx")
    assert (network.final, network.keepdims, network.input_shape) == ("argmax", True, (6, 1))
    for dense, layer in zip(network.layers, make().layers, strict=True):
        np.testing.assert_array_equal(dense.weights, dequantise(layer.weights(), layer.weight_fraction))
        assert dense.relu == layer.relu


def test_a_network_beyond_one_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Layer.from_indices(np.ones((3, 4), dtype=int), [0, 1], [0, 0, 0])
    monkeypatch.setattr(onnx_export, "LARGEST", 59)
    with pytest.raises(UnsupportedError, match=r"^the dense network has 60 bytes of weights, but"):
        decompress(Model(layers=(layer,)))
