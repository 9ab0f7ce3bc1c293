"""ONNX export: the float network that a model file stands for, one Gemm for each layer (opset 17)."""

from typing import TYPE_CHECKING

import numpy as np

from golden.errors import UnsupportedError
from golden.fixed_point import dequantise
from golden.model import Model
from host.onnx_file import require_onnx

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 17
IR_VERSION = 8
LARGEST = (1 << 31) - (1 << 20)
"""Bytes of weights that an ONNX file can hold, some left for the rest."""


def decompress(model: Model) -> "ModelProto":
    """Build the float network of a model: its codebook values and biases, dequantised.

    Parameters
    ----------
    model : Model

    Returns
    -------
    onnx.ModelProto
        Input "input" of shape (batch, inputs), or of the shape that the model was made from; output "output",
        with the final Softmax or ArgMax. Checked by `onnx.checker`.

    Raises
    ------
    ToolMissingError
        If onnx is not installed.
    UnsupportedError
        If the dense weights exceed what one ONNX file can hold.
    """
    onnx = require_onnx()
    if model.dense_bytes > LARGEST:
        raise UnsupportedError(
            f"the dense network has {model.dense_bytes} bytes of weights, but an ONNX file holds at most "
            f"{LARGEST}; run the model itself instead"
        )
    make, numpy_helper, types = onnx.helper, onnx.numpy_helper, onnx.TensorProto
    nodes, tensors, current = [], [], "input"

    def append(operator: str, inputs: list[str], name: str, **attributes: int) -> str:
        nodes.append(make.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    if model.input_shape:
        current = append("Flatten", [current], "flat", axis=1)
    for number, layer in enumerate(model.layers):
        weights = dequantise(layer.codebook, layer.weight_fraction).astype(np.float32)
        dense = np.zeros((layer.rows, layer.columns), dtype=np.float32)
        dense[layer.row, layer.column] = weights[layer.index]
        bias = dequantise(layer.bias, layer.weight_fraction + layer.input_fraction).astype(np.float32)
        tensors.append(numpy_helper.from_array(dense, f"weights{number}"))
        tensors.append(numpy_helper.from_array(bias, f"bias{number}"))
        current = append("Gemm", [current, f"weights{number}", f"bias{number}"], f"layer{number}", transB=1)
        if layer.relu:
            current = append("Relu", [current], f"relu{number}")
    shape, kind = ["batch", model.outputs], types.FLOAT
    if model.final == "softmax":
        append("Softmax", [current], "softmax", axis=-1)
    elif model.final == "argmax":
        append("ArgMax", [current], "argmax", axis=-1, keepdims=int(model.keepdims))
        shape, kind = (["batch", 1] if model.keepdims else ["batch"]), types.INT64
    nodes[-1].output[0] = "output"
    graph = make.make_graph(
        nodes,
        "tamis",
        [
            make.make_tensor_value_info(
                "input", types.FLOAT, ["batch", *(model.input_shape or (model.inputs,))]
            )
        ],
        [make.make_tensor_value_info("output", kind, shape)],
        tensors,
    )
    result: ModelProto = make.make_model(
        graph, producer_name="tamis", ir_version=IR_VERSION, opset_imports=[make.make_opsetid("", OPSET)]
    )
    onnx.checker.check_model(result)
    return result
