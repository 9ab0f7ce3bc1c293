"""The ONNX file itself: reading it safely, and the constants in it; `host.onnx_chain` says what they mean."""

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import InputError, UnsupportedError
from host.files import read_file
from host.packages import require

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

OLDEST_OPSET = 7
"""Before it, Add and Gemm broadcast by other rules."""


def require_onnx() -> ModuleType:
    """Import onnx.

    Raises
    ------
    ToolMissingError
        If it is not installed.
    """
    found, _ = (
        require(module, "onnx", "onnx", "ONNX files are read with it")
        for module in ("onnx", "onnx.numpy_helper")
    )
    return found


def load_onnx(path: str | Path) -> "ModelProto":
    """Read an ONNX file; weights in other files are never loaded.

    Raises
    ------
    InputError
        If it cannot be read or is not a sound ONNX file.
    ToolMissingError
        If onnx is not installed.
    """
    onnx = require_onnx()
    data = read_file(path)
    try:
        model: ModelProto = onnx.load_model_from_string(data)
    except Exception:  # protobuf raises classes of its own, which differ between its versions
        raise InputError(f"{path} is not an ONNX file; export the network to ONNX again") from None
    if not model.graph.node or not opset(model):
        raise InputError(f"{path} is not an ONNX file with a network in it; export the network to ONNX again")
    return model


def opset(model: "ModelProto") -> int:
    """Version of the standard operators that the model uses; 0 if it names none."""
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    return max(versions, default=0)


def attributes(node: "NodeProto") -> dict[str, Any]:
    """Attributes of a node by name, as Python values."""
    onnx = require_onnx()
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


class Constants:
    """Tensors whose values stand in the file, turned into arrays when they are asked for."""

    def __init__(self, graph: "GraphProto") -> None:
        self._tensors: dict[str, TensorProto | NDArray[Any]] = {}
        for tensor in graph.initializer:
            self._tensors[tensor.name] = tensor

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def alias(self, name: str, source: str) -> None:
        """Give a constant a second name."""
        self._tensors[name] = self._tensors[source]

    def add_node(self, node: "NodeProto") -> None:
        """Take in the value of a Constant node.

        Raises
        ------
        UnsupportedError
            For a value that is no plain tensor or number.
        """
        if len(node.attribute) != 1:
            raise InputError("must have exactly one attribute")
        attribute: AttributeProto = node.attribute[0]
        values = attributes(node)
        if attribute.name == "value":
            self._tensors[node.output[0]] = values["value"]
        elif attribute.name in ("value_float", "value_floats"):
            self._tensors[node.output[0]] = np.asarray(values[attribute.name], dtype=np.float32)
        elif attribute.name in ("value_int", "value_ints"):
            self._tensors[node.output[0]] = np.asarray(values[attribute.name], dtype=np.int64)
        else:
            raise UnsupportedError(f"its {attribute.name} is not supported; use a plain tensor")

    def array(self, name: str) -> NDArray[Any]:
        """Value of a constant.

        Raises
        ------
        InputError
            If the value is damaged or stands in another file.
        """
        tensor = self._tensors[name]
        if isinstance(tensor, np.ndarray):
            return tensor
        onnx = require_onnx()
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise InputError(
                f"keeps {name!r} in another file, which is never loaded; save the model with its "
                "weights inside"
            )
        try:
            array: NDArray[Any] = onnx.numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError, OverflowError):
            raise InputError(
                f"has a constant {name!r} whose size is not that of its shape {tuple(tensor.dims)}; "
                "export again"
            ) from None
        return array

    def real(self, name: str) -> NDArray[np.float32]:
        """Value of a real constant as float32.

        Raises
        ------
        InputError
            If it is damaged, or holds NaN or infinity.
        UnsupportedError
            If it is of another type.
        """
        array = self.array(name)
        if array.dtype not in (np.float16, np.float32, np.float64):
            raise UnsupportedError(
                f"has a constant {name!r} of type {array.dtype}, but weights must be float32, float16 or "
                "float64"
            )
        with np.errstate(over="ignore"):
            real = array.astype(np.float32, copy=False)
        if not np.isfinite(real).all():
            bad = int(np.count_nonzero(~np.isfinite(real)))
            raise InputError(
                f"has a constant {name!r} with {bad} NaN or infinite values, but weights must be finite; "
                "train or export again"
            )
        return real
