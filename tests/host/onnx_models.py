"""ONNX networks for tests, made with onnx alone."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str] | None


def node(operator: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    """One node; the inputs are separated by spaces, and its name is that of its output."""
    return helper.make_node(operator, inputs.split(" "), output.split(" "), name=output, **attributes)


def build(
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, Any],
    shape: Shape = ("batch", 4),
    *,
    kind: int = TensorProto.FLOAT,
    output: int = TensorProto.FLOAT,
    opset: int = 17,
) -> onnx.ModelProto:
    """A network from "x" to "y"."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", output, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", opset)])


def save(path: Path, *arguments: Any, **options: Any) -> Path:
    """Build a network and write it to a file."""
    onnx.save(build(*arguments, **options), path)
    return path


def random_mlp(path: Path, sizes: Sequence[int], seed: int, final: str | None = None) -> Path:
    """Gemm and Relu with normally distributed weights and biases of both signs."""
    rng = np.random.default_rng(seed)
    nodes, constants, current = [], {}, "x"
    for number, (columns, rows) in enumerate(pairwise(sizes)):
        constants[f"w{number}"] = rng.standard_normal((columns, rows)).astype(np.float32)
        constants[f"b{number}"] = rng.standard_normal(rows).astype(np.float32)
        last = number == len(sizes) - 2
        name = "y" if last and final is None else f"linear{number}"
        nodes.append(node("Gemm", f"{current} w{number} b{number}", name))
        current = name
        if not last:
            current = f"relu{number}"
            nodes.append(node("Relu", name, current))
    if final is not None:
        nodes.append(node(final, current, "y", axis=1))
    return save(path, nodes, constants, ("batch", sizes[0]))
