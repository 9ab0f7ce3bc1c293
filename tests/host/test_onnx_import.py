"""ONNX import: what is accepted computes what onnxruntime does, and everything else is named."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from golden.errors import InputError, UnsupportedError
from host.network import Network
from host.onnx_import import check_onnx, import_onnx
from tests.host.onnx_models import build, node, save

RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


W, V, B, C = normal(4, 5), normal(5, 3), normal(5), normal(3)
SCALE, OFFSET, MEAN, VARIANCE = normal(5), normal(5), normal(5), np.abs(normal(5))
INPUT_NORM = {"s": normal(4), "o": normal(4), "m": normal(4), "v": np.abs(normal(4))}
NORM = {"s": SCALE, "o": OFFSET, "m": MEAN, "v": VARIANCE}


def evaluate(network: Network, inputs: np.ndarray) -> np.ndarray:
    """Float forward pass of an imported network."""
    values = inputs.reshape(len(inputs), -1).astype(np.float64)
    for layer in network.layers:
        values = values @ layer.weights.T.astype(np.float64) + layer.bias
        values = np.maximum(values, 0) if layer.relu else values
    if network.final == "softmax":
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
    return values.argmax(axis=1, keepdims=network.keepdims) if network.final == "argmax" else values


ACCEPTED: dict[str, tuple[list[onnx.NodeProto], dict[str, Any], dict[str, Any]]] = {
    "gemm": ([node("Gemm", "x w b", "y")], {"w": W, "b": B}, {}),
    "gemm without bias": ([node("Gemm", "x w", "y")], {"w": W}, {}),
    "gemm transposed and scaled": (
        [node("Gemm", "x w b", "y", transB=1, alpha=0.5, beta=-2.0)],
        {"w": W.T.copy(), "b": B.reshape(1, 5)},
        {},
    ),
    "gemm with a scalar bias": ([node("Gemm", "x w b", "y")], {"w": W, "b": np.float32(3)}, {}),
    "matmul and add": ([node("MatMul", "x w", "h"), node("Add", "h b", "y")], {"w": W, "b": B}, {}),
    "bias first": ([node("MatMul", "x w", "h"), node("Add", "b h", "y")], {"w": W, "b": B[None]}, {}),
    "weights on the left of column vectors": (
        [node("MatMul", "w x", "h"), node("Add", "h b", "y")],
        {"w": W.T.copy(), "b": B[:, None]},
        {"shape": ("batch", 4, 1)},
    ),
    "row vectors": ([node("MatMul", "x w", "y")], {"w": W}, {"shape": ("batch", 1, 4)}),
    "two layers": (
        [node("Gemm", "x w b", "h"), node("Relu", "h", "r"), node("Gemm", "r v c", "y")],
        {"w": W, "b": B, "v": V, "c": C},
        {},
    ),
    "no activation between": (
        [node("Gemm", "x w b", "h"), node("Gemm", "h v c", "y")],
        {"w": W, "b": B, "v": V, "c": C},
        {},
    ),
    "relu twice": (
        [node("Gemm", "x w", "h"), node("Relu", "h", "r"), node("Relu", "r", "y")],
        {"w": W},
        {},
    ),
    "images": (
        [node("Flatten", "x", "f"), node("Gemm", "f w", "y")],
        {"w": W},
        {"shape": ("batch", 1, 2, 2)},
    ),
    "flatten from the end": (
        [node("Flatten", "x", "f", axis=-3), node("Gemm", "f w", "y")],
        {"w": W},
        {"shape": ("batch", 1, 2, 2)},
    ),
    "reshape": (
        [node("Reshape", "x t", "f"), node("Gemm", "f w", "y")],
        {"w": W, "t": np.array([-1, 4])},
        {"shape": ("batch", 2, 2)},
    ),
    "reshape with a copied batch": (
        [node("Reshape", "x t", "f"), node("Gemm", "f w", "y")],
        {"w": W, "t": np.array([0, -1])},
        {"shape": ("batch", 2, 2)},
    ),
    "reshape of a fixed batch": (
        [node("Reshape", "x t", "f"), node("Gemm", "f w", "y")],
        {"w": W, "t": np.array([6, 4])},
        {"shape": (6, 2, 2)},
    ),
    "unknown input sizes": ([node("Gemm", "x w b", "y")], {"w": W, "b": B}, {"shape": ("batch", "n")}),
    "unknown input shape": ([node("MatMul", "x w", "y")], {"w": W}, {"shape": None}),
    "identity and dropout": (
        [node("Identity", "x", "i"), node("Gemm", "i w", "h"), node("Dropout", "h", "y mask")],
        {"w": W},
        {},
    ),
    "dropout outside training": (
        [node("Gemm", "x w", "h"), node("Dropout", "h ratio training", "y")],
        {"w": W, "ratio": np.float32(0.5), "training": np.array(False)},
        {},
    ),
    "identity of weights": (
        [node("Identity", "w", "u"), node("Gemm", "x u", "y")],
        {"w": W},
        {},
    ),
    "constant node": (
        [
            helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(W)),
            helper.make_node("Constant", [], ["b"], value_floats=B.tolist()),
            node("Gemm", "x w b", "y"),
        ],
        {},
        {},
    ),
    "normalisation after a layer": (
        [node("Gemm", "x w b", "h"), node("BatchNormalization", "h s o m v", "n"), node("Relu", "n", "y")],
        {"w": W, "b": B} | NORM,
        {},
    ),
    "normalisation between relu and layer": (
        [
            node("Gemm", "x w b", "h"),
            node("Relu", "h", "r"),
            node("BatchNormalization", "r s o m v", "n", epsilon=0.1),
            node("Gemm", "n v2 c", "y"),
        ],
        {"w": W, "b": B, "v2": V, "c": C} | NORM,
        {},
    ),
    "normalised inputs, shifted": (
        [
            node("BatchNormalization", "x s o m v", "n"),
            node("Add", "n k", "a"),
            node("Gemm", "a w b", "y"),
        ],
        {"w": W, "b": B, "k": normal(4)} | INPUT_NORM,
        {},
    ),
    "softmax": ([node("Gemm", "x w", "h"), node("Softmax", "h", "y")], {"w": W}, {}),
    "softmax of old": ([node("Gemm", "x w", "h"), node("Softmax", "h", "y")], {"w": W}, {"opset": 11}),
    "argmax": (
        [node("Gemm", "x w", "h"), node("ArgMax", "h", "y", axis=1)],
        {"w": W},
        {"output": TensorProto.INT64},
    ),
    "argmax of softmax, flat": (
        [node("Gemm", "x w", "h"), node("Softmax", "h", "s"), node("ArgMax", "s", "y", axis=-1, keepdims=0)],
        {"w": W},
        {"output": TensorProto.INT64},
    ),
    "double": (
        [node("Gemm", "x w b", "y")],
        {"w": W.astype(np.float64), "b": B.astype(np.float64)},
        {"kind": TensorProto.DOUBLE, "output": TensorProto.DOUBLE},
    ),
    "unused branch": (
        [node("Gemm", "x w", "y"), node("Sigmoid", "x", "unused")],
        {"w": W},
        {},
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_imported_network_computes_what_onnxruntime_does(name: str, tmp_path: Path) -> None:
    nodes, constants, options = ACCEPTED[name]
    path = save(tmp_path / "net.onnx", nodes, constants, **options)
    assert all(finding.supported for finding in check_onnx(path))
    network = import_onnx(path)
    shape = options.get("shape", ("batch", 4))
    inputs = normal(6, *(shape[1:] if shape and "n" not in shape else (4,)))
    kind = np.float64 if options.get("kind") == TensorProto.DOUBLE else np.float32
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": inputs.astype(kind)})[0]
    actual = evaluate(network, inputs)
    np.testing.assert_allclose(actual.reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)
    if network.final == "argmax":
        assert actual.shape == expected.shape


def test_input_shape_and_names_are_kept(tmp_path: Path) -> None:
    nodes = [node("Flatten", "x", "f"), node("Gemm", "f w", "h"), node("Relu", "h", "y")]
    network = import_onnx(save(tmp_path / "net.onnx", nodes, {"w": W}, ("batch", 1, 2, 2)))
    assert network.input_shape == (1, 2, 2)
    assert [(layer.name, layer.relu, layer.weights.shape) for layer in network.layers] == [
        ("h", True, (5, 4))
    ]
    assert network.layers[0].weights.dtype == np.float32


REFUSED: dict[str, tuple[list[onnx.NodeProto], dict[str, Any], dict[str, Any], str]] = {
    "other operator": (
        [node("Gemm", "x w", "h"), node("Sigmoid", "h", "y")],
        {"w": W},
        {},
        r"^node 'y' \(Sigmoid\) is not supported; Tamis runs Gemm, MatMul, .* and a last Softmax or ArgMax$",
    ),
    "other domain": (
        [node("Gemm", "x w", "h"), helper.make_node("Relu", ["h"], ["y"], domain="com.acme")],
        {"w": W},
        {},
        r"^node 'y' \(com.acme.Relu\) is not supported",
    ),
    "log-softmax": (
        [node("Gemm", "x w", "h"), node("LogSoftmax", "h", "y")],
        {"w": W},
        {},
        r"\(LogSoftmax\) is not supported",
    ),
    "residual": (
        [node("Gemm", "x w", "h"), node("Relu", "h", "r"), node("Add", "r h", "y")],
        {"w": W},
        {},
        r"^node 'y' \(Add\) takes 'h', which is neither a constant nor the result of the node before",
    ),
    "square": (
        [node("Gemm", "x w", "h"), node("Add", "h h", "y")],
        {"w": W},
        {},
        r"takes the activations 2 times",
    ),
    "transposed activations": (
        [node("Gemm", "x w", "y", transA=1)],
        {"w": normal(6, 5)},
        {"shape": (6, 4)},
        r"^node 'y' \(Gemm\) mixes the samples of a batch",
    ),
    "weights on the left of row vectors": (
        [node("MatMul", "w x", "y")],
        {"w": normal(3, 6)},
        {"shape": (6, 4)},
        r"^node 'y' \(MatMul\) is no fully connected layer on samples of shape \(4,\)",
    ),
    "several vectors a sample": (
        [node("MatMul", "x w", "y")],
        {"w": W},
        {"shape": ("batch", 7, 4)},
        r"no fully connected layer on samples of shape \(7, 4\)",
    ),
    "a bias for each sample": (
        [node("Gemm", "x w b", "y")],
        {"w": W, "b": normal(6, 5)},
        {"shape": (6, 4)},
        r"C of shape \(6, 5\); it must be the same for all samples",
    ),
    "an addend for each sample": (
        [node("Gemm", "x w", "h"), node("Add", "h b", "y")],
        {"w": W, "b": normal(6, 5)},
        {"shape": (6, 4)},
        r"adds a constant of shape \(6, 5\)",
    ),
    "relu first": (
        [node("Relu", "x", "r"), node("Gemm", "r w", "y")],
        {"w": W},
        {},
        r"\(Relu\) comes before the first linear layer",
    ),
    "relu after an addition after relu": (
        [node("Gemm", "x w", "h"), node("Relu", "h", "r"), node("Add", "r b", "a"), node("Relu", "a", "y")],
        {"w": W, "b": B},
        {},
        r"^node 'y' \(Relu\) cannot be run, since 'a' stands between a Relu or the input and 'y'",
    ),
    "normalised output": (
        [node("Gemm", "x w", "h"), node("Relu", "h", "r"), node("BatchNormalization", "r s o m v", "y")],
        {"w": W} | NORM,
        {},
        r"cannot be run, since 'y' stands between a Relu or the input and the output",
    ),
    "normalised images": (
        [node("BatchNormalization", "x s o m v", "n"), node("Flatten", "n", "f"), node("Gemm", "f w", "y")],
        {"w": normal(20, 3)} | NORM,
        {"shape": ("batch", 5, 2, 2)},
        r"normalises samples of shape \(5, 2, 2\)",
    ),
    "softmax in the middle": (
        [node("Gemm", "x w", "h"), node("Softmax", "h", "s"), node("Gemm", "s v", "y")],
        {"w": W, "v": V},
        {},
        r"^node 'y' \(Gemm\) comes after softmax, which is supported only at the end",
    ),
    "softmax over the batch": (
        [node("Gemm", "x w", "h"), node("Softmax", "h", "y", axis=0)],
        {"w": W},
        {},
        r"has axis 0; only the axis of the outputs",
    ),
    "argmax over the batch": (
        [node("Gemm", "x w", "h"), node("ArgMax", "h", "y")],
        {"w": W},
        {"output": TensorProto.INT64},
        r"has axis 0",
    ),
    "last argmax": (
        [node("Gemm", "x w", "h"), node("ArgMax", "h", "y", axis=1, select_last_index=1)],
        {"w": W},
        {"output": TensorProto.INT64},
        r"takes the last of equal values",
    ),
    "flatten with the batch": (
        [node("Flatten", "x", "f", axis=0), node("Gemm", "f w", "y")],
        {"w": normal(24, 5)},
        {"shape": (6, 4)},
        r"has axis 0; only axis 1",
    ),
    "reshape with the batch": (
        [node("Reshape", "x t", "f"), node("Gemm", "f w", "y")],
        {"w": normal(24, 5), "t": np.array([1, -1])},
        {"shape": (6, 4)},
        r"has shape \[1, -1\], which does not keep the samples apart",
    ),
    "reshape that moves samples": (
        [node("Reshape", "x t", "f"), node("Gemm", "f w", "y")],
        {"w": normal(2, 5), "t": np.array([-1, 2])},
        {"shape": ("batch", 4)},
        r"does not keep samples of 4 values apart",
    ),
    "training": (
        [node("Gemm", "x w", "h"), node("Dropout", "h ratio training", "y")],
        {"w": W, "ratio": np.float32(0.5), "training": np.array(True)},
        {},
        r"\(Dropout\) is in training mode",
    ),
    "integer weights": (
        [node("MatMul", "x w", "y")],
        {"w": np.ones((4, 5), np.int32)},
        {"kind": TensorProto.INT32, "output": TensorProto.INT32},
        r"input 'x' that is no tensor of floats",
    ),
    "a plain vector": (
        [node("MatMul", "x w", "y")],
        {"w": W},
        {"shape": (4,)},
        r"\(batch, inputs\) is needed",
    ),
    "no layer": ([node("Identity", "x", "y")], {}, {}, r"has no linear layer"),
    "an old opset": ([node("Gemm", "x w b", "y")], {"w": W, "b": B}, {"opset": 6}, r"uses opset 6; export"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_tamis_does_not_run_is_named(name: str, tmp_path: Path) -> None:
    nodes, constants, options, message = REFUSED[name]
    path = save(tmp_path / "net.onnx", nodes, constants, **options)
    with pytest.raises(UnsupportedError, match=message):
        import_onnx(path)
    assert not all(finding.supported for finding in check_onnx(path))


BAD: dict[str, tuple[list[onnx.NodeProto], dict[str, Any], str]] = {
    "nan": (
        [node("Gemm", "x w b", "y")],
        {"w": W, "b": np.array([1, np.nan, 2, np.inf, 3], np.float32)},
        r"^node 'y' \(Gemm\) has a constant 'b' with 2 NaN or infinite values",
    ),
    "a double beyond float32": (
        [node("Gemm", "x w", "y")],
        {"w": np.full((4, 5), 1e300)},
        r"20 NaN or infinite",
    ),
    "negative variance": (
        [node("Gemm", "x w", "h"), node("BatchNormalization", "h s o m v", "y")],
        {"w": W} | NORM | {"v": -VARIANCE - 1},
        r"beyond float32",
    ),
    "weights of another size": (
        [node("Gemm", "x w", "y")],
        {"w": V},
        r"has weights for 5 inputs, but gets 4",
    ),
    "three dimensions": ([node("Gemm", "x w", "y")], {"w": normal(4, 5, 1)}, r"weights of 3 dimensions"),
    "an input short": (
        [node("Gemm", "x", "y")],
        {},
        r"^node 'y' \(Gemm\) breaks the rules of ONNX \(.*input size 1",
    ),
    "a wrong bias": (
        [node("MatMul", "x w", "h"), node("BatchNormalization", "h b", "y")],
        {"w": W, "b": B},
        "input size 2",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_told_from_an_unsupported_one(name: str, tmp_path: Path) -> None:
    nodes, constants, message = BAD[name]
    with pytest.raises(InputError, match=message):
        import_onnx(save(tmp_path / "net.onnx", nodes, constants))


def test_check_lists_every_node_of_a_convolutional_network(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x k", "c"),
        node("Relu", "c", "r"),
        node("MaxPool", "r", "p", kernel_shape=[2, 2]),
        node("Flatten", "p", "f"),
        node("Gemm", "f w", "y"),
    ]
    path = save(tmp_path / "net.onnx", nodes, {"k": normal(1, 1, 3, 3), "w": W}, ("batch", 1, 6, 6))
    findings = check_onnx(path)
    assert [(f.node, f.operator, f.supported) for f in findings] == [
        ("c", "Conv", False),
        ("r", "Relu", True),
        ("p", "MaxPool", False),
        ("f", "Flatten", True),
        ("y", "Gemm", True),
    ]
    with pytest.raises(UnsupportedError, match=r"^node 'c' \(Conv\) .* \(1 more: see `tamis check`\)$"):
        import_onnx(path)


def test_names_cannot_disturb_the_message(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [helper.make_node("Ta\nnh", ["x"], ["y"], name="a\n\x1b[31mb")], {})
    with pytest.raises(UnsupportedError, match=r"^node 'a\?\?\[31mb' \(Ta\?nh\) is not supported"):
        import_onnx(path)


def test_several_outputs_are_refused(tmp_path: Path) -> None:
    model = build([node("Gemm", "x w", "y"), node("Relu", "y", "z")], {"w": W})
    model.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, None))
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(UnsupportedError, match=r"net.onnx has 2 outputs \(y, z\); exactly one"):
        import_onnx(tmp_path / "net.onnx")


def test_weights_listed_as_inputs_are_constants(tmp_path: Path) -> None:
    model = build([node("Gemm", "x w", "y")], {"w": W})
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, W.shape))
    onnx.save(model, tmp_path / "net.onnx")
    np.testing.assert_array_equal(import_onnx(tmp_path / "net.onnx").layers[0].weights, W.T)
