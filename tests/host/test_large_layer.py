"""AlexNet's FC6, 9216 x 4096 random weights: compressed and read within 4 GB."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from golden.model import decode


@pytest.mark.long
@pytest.mark.parametrize("keep", [0.09, 0.25])
def test_fc6_is_compressed_and_read_in_little_memory(tmp_path: Path, keep: float) -> None:
    weights = np.random.default_rng(0).standard_normal((9216, 4096), dtype=np.float32)
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "fc6",
        [tensor("x", onnx.TensorProto.FLOAT, ["n", 9216])],
        [tensor("y", onnx.TensorProto.FLOAT, ["n", 4096])],
        [numpy_helper.from_array(weights, "w")],
    )
    source, target = tmp_path / "fc6.onnx", tmp_path / "fc6.tamis"
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), source)
    command = [sys.executable, "-m", "host.cli", "compress", source, "-o", target, "--keep", str(keep)]
    subprocess.run(command, check=True, capture_output=True)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 4 << 20
    layer = decode(target.read_bytes()).layers[0]
    assert layer.nnz == round(keep * weights.size)
    kept = np.abs(weights[layer.column, layer.row])
    assert np.count_nonzero(np.abs(weights) > kept.min()) < layer.nnz
