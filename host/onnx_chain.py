"""The chain of layers that ONNX nodes build up, one method for each operator.

A network is a chain of linear layers with ReLU or nothing between them. Whatever is affine is folded into the
nearest linear layer: Add and BatchNormalization into the one before, unless a ReLU stands between, and then
into the one after. Flatten, Reshape, Identity and Dropout move no numbers. Softmax and ArgMax may come last.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import InputError, UnsupportedError
from golden.layers import MAX_SIZE
from golden.model import Final
from host.network import FloatArray
from host.onnx_file import Constants, attributes

if TYPE_CHECKING:
    from onnx import NodeProto

Array = NDArray[Any]
Shape = tuple[int | None, ...] | None
"""Of a sample, without the batch; None if unknown, as a size may be too."""


@dataclass
class Linear:
    """A linear layer that may still take in what follows it."""

    weights: FloatArray
    bias: Array
    name: str
    relu: bool = False


@dataclass
class Affine:
    """An elementwise scale * x + offset that waits for the next linear layer."""

    scale: Array
    offset: Array
    node: str


class Chain:
    """What was read so far, and the tensor that carries the activations on.

    Parameters
    ----------
    constants : Constants
    opset : int
    needed : set of str
        Tensors that the network's output depends on.
    tensor : str
        The network's input.
    shape : tuple of int or None, or None
        Of an input sample.
    batch : int or None
        Samples in a batch, if the network fixes it.
    """

    def __init__(
        self,
        constants: Constants,
        opset: int,
        needed: set[str],
        tensor: str,
        shape: Shape,
        batch: int | None,
    ) -> None:
        self.constants = constants
        self.opset = opset
        self.needed = needed
        self.tensor = tensor
        self.shape = shape
        self.batch = batch
        self.layers: list[Linear] = []
        self.affine: Affine | None = None
        self.final: Final = "none"
        self.keepdims = False

    @property
    def features(self) -> int | None:
        """Values of a sample, if known."""
        return _features(self.shape)

    def take(self, node: "NodeProto", label: str) -> None:
        """Follow the activations through a node.

        Raises
        ------
        InputError
            If the node or its constants are bad.
        UnsupportedError
            If it is no link of a plain chain of layers.
        """
        carried = 0
        for name in filter(None, node.input):
            if name == self.tensor:
                carried += 1
            elif name not in self.constants:
                raise UnsupportedError(
                    f"takes {name!r}, which is neither a constant nor the result of the node before it; "
                    "only a plain chain of layers is supported"
                )
        if carried != 1:
            raise UnsupportedError(
                f"takes the activations {carried} times; only a plain chain of layers is supported"
            )
        OPERATORS[node.op_type](self, node, label)
        self.tensor = node.output[0]

    def require_folded(self, follower: str) -> None:
        """Refuse an affine operation that no linear layer took in before `follower`."""
        if self.affine is not None:
            raise UnsupportedError(
                f"cannot be run, since {self.affine.node!r} stands between a Relu or the input and "
                f"{follower}, with no linear layer beside it that could take it in"
            )

    def _require_body(self) -> None:
        if self.final != "none":
            raise UnsupportedError(f"comes after {self.final}, which is supported only at the end")

    def _linear(self, weights: FloatArray, bias: Array, label: str) -> None:
        """Append a linear layer, taking in an affine operation that waits for it."""
        self._require_body()
        rows, columns = weights.shape
        if self.features not in (None, columns):
            raise InputError(f"has weights for {columns} inputs, but gets {self.features}; export again")
        if not (1 <= rows <= MAX_SIZE and 1 <= columns <= MAX_SIZE):
            raise UnsupportedError(
                f"is a layer of {rows} x {columns}; at most {MAX_SIZE} each way can be run"
            )
        total = np.broadcast_to(np.asarray(bias, dtype=np.float64), (rows,)).copy()
        if self.affine is not None:
            total += weights @ np.broadcast_to(self.affine.offset, (columns,))
            weights = _scaled(weights, np.broadcast_to(self.affine.scale, (columns,)))
            self.affine = None
        _require_finite(total)
        self.layers.append(Linear(weights, total, label))

    def _affine(self, scale: Array, offset: Array, label: str) -> None:
        """Fold scale * x + offset into the layer before, or keep it for the one after."""
        self._require_body()
        if self.layers and not self.layers[-1].relu:
            layer = self.layers[-1]
            layer.weights = _scaled(layer.weights.T, np.broadcast_to(scale, layer.bias.shape)).T
            layer.bias = layer.bias * scale + offset
            _require_finite(layer.bias)
        elif self.affine is None:
            self.affine = Affine(scale, offset, label)
        else:
            self.affine = Affine(self.affine.scale * scale, self.affine.offset * scale + offset, label)

    def gemm(self, node: "NodeProto", label: str) -> None:
        """Y = alpha * A @ B + beta * C, with A the activations."""
        options = attributes(node)
        if node.input[0] != self.tensor or options.get("transA", 0):
            raise UnsupportedError("mixes the samples of a batch; the activations must be A, with transA 0")
        if self.shape is not None and len(self.shape) != 1:
            raise InputError(f"gets samples of shape {self.shape}; they must be flattened before")
        weights = self.constants.real(node.input[1])
        if weights.ndim != 2:
            raise InputError(f"has weights of {weights.ndim} dimensions instead of 2; export again")
        weights = weights if options.get("transB", 0) else weights.T
        weights = _scaled(weights, options.get("alpha", 1.0))
        bias: Array = np.zeros(1)
        if len(node.input) > 2 and node.input[2]:
            bias = self.constants.real(node.input[2]) * np.float64(options.get("beta", 1.0))
            if bias.size not in (1, weights.shape[0]) or bias.shape[:-1] not in ((), (1,)):
                raise UnsupportedError(f"has a C of shape {bias.shape}; it must be the same for all samples")
        self._linear(weights, bias.ravel(), label)
        self.shape = (weights.shape[0],)

    def matmul(self, node: "NodeProto", label: str) -> None:
        """Activations @ weights; or weights @ activations, where a sample is a column vector."""
        shape = self.shape
        right = node.input[0] == self.tensor
        weights = self.constants.real(node.input[1 if right else 0])
        if weights.ndim != 2:
            raise UnsupportedError(f"has weights of {weights.ndim} dimensions; 2 are supported")
        weights = weights.T if right else weights
        if right and (shape is None or all(size == 1 for size in shape[:-1])):
            result: Shape = (weights.shape[0],) if shape is None else (*shape[:-1], weights.shape[0])
        elif not right and shape and len(shape) >= 2 and all(size == 1 for size in (*shape[:-2], shape[-1])):
            result = (*shape[:-2], weights.shape[0], 1)
        else:
            raise UnsupportedError(
                f"is no fully connected layer on samples of shape {shape}; each sample must be one vector"
            )
        self._linear(weights, np.zeros(1), label)
        self.shape = result

    def add(self, node: "NodeProto", label: str) -> None:
        """Activations plus a constant that is the same for all samples."""
        constant = self.constants.real(node.input[1 if node.input[0] == self.tensor else 0])
        if self.features is None and constant.size > 1 and constant.ndim <= 2:
            self.shape = (constant.shape[-1],)
        if constant.size == 1 and constant.ndim <= len(self.shape or (1,)) + 1:
            offset: Array = constant.astype(np.float64).reshape(1)
        else:
            whole = (1, *(size or 0 for size in self.shape or ()))
            try:
                offset = np.broadcast_to(constant.astype(np.float64), whole).ravel()
            except ValueError:
                raise UnsupportedError(
                    f"adds a constant of shape {constant.shape} to samples of shape {self.shape}; "
                    "it must be one vector, the same for all samples"
                ) from None
        self._affine(np.ones(1), offset, label)

    def batch_normalization(self, node: "NodeProto", label: str) -> None:
        """(x - mean) / sqrt(variance + epsilon) * scale + bias, with constants from training."""
        options = attributes(node)
        if options.get("training_mode", 0) or self.needed.intersection(filter(None, node.output[1:])):
            raise UnsupportedError("is in training mode; export the network for inference")
        scale, bias, mean, variance = (
            self.constants.real(name).astype(np.float64) for name in node.input[1:5]
        )
        shape = self.shape
        if shape is not None and (len(shape) != 1 or shape[0] not in (None, scale.size)):
            raise UnsupportedError(f"normalises samples of shape {shape}; only vectors are supported")
        with np.errstate(invalid="ignore", divide="ignore"):
            factor = scale / np.sqrt(variance + options.get("epsilon", 1e-5))
        _require_finite(factor)
        self._affine(factor, bias - mean * factor, label)
        self.shape = scale.shape

    def relu(self, node: "NodeProto", label: str) -> None:
        """max(x, 0) on the results of a linear layer."""
        self._require_body()
        self.require_folded(f"{label!r}")
        if not self.layers:
            raise UnsupportedError("comes before the first linear layer, which cannot be run")
        self.layers[-1].relu = True

    def flatten(self, node: "NodeProto", label: str) -> None:
        """Each sample becomes one vector."""
        if self.final == "argmax":
            self._require_body()
        axis = attributes(node).get("axis", 1)
        shape = self.shape
        if axis != 1 and (shape is None or axis != -len(shape)):
            raise UnsupportedError(
                f"has axis {axis}; only axis 1, which keeps the samples apart, is supported"
            )
        self.shape = (self.features,)

    def reshape(self, node: "NodeProto", label: str) -> None:
        """Each sample gets another shape, and stays apart from the others."""
        self._require_body()
        if len(node.input) < 2 or node.input[1] not in self.constants or node.input[0] != self.tensor:
            raise UnsupportedError(
                "has a shape that is no constant; export with a fixed shape, or use Flatten"
            )
        target = [int(size) for size in self.constants.array(node.input[1]).ravel()]
        first, rest = (target[0], target[1:]) if target else (1, [])
        zeros = attributes(node).get("allowzero", 0) and 0 in target
        if zeros or not rest or first not in (0, -1, self.batch):
            raise UnsupportedError(f"has shape {target}, which does not keep the samples apart; use Flatten")
        old = self.shape or ()
        sizes: list[int | None] = []
        for position, size in enumerate(rest):
            sizes.append((old[position] if position < len(old) else None) if size == 0 else size)
        if -1 in sizes:
            others = [size for size in sizes if size != -1]
            known = prod(size or 0 for size in others)
            missing = self.features // known if self.features is not None and known else None
            sizes = [missing if size == -1 else size for size in sizes]
        whole = _features(tuple(sizes))
        if None not in (whole, self.features) and whole != self.features:
            raise UnsupportedError(
                f"has shape {target}, which does not keep samples of {self.features} values apart; "
                "use Flatten"
            )
        self.shape = tuple(sizes)

    def identity(self, node: "NodeProto", label: str) -> None:
        """Nothing happens."""

    def dropout(self, node: "NodeProto", label: str) -> None:
        """Nothing happens, outside training."""
        training = len(node.input) > 2 and node.input[2]
        if training and self.constants.array(node.input[2]).any():
            raise UnsupportedError("is in training mode; export the network for inference")
        if self.needed.intersection(filter(None, node.output[1:])):
            raise UnsupportedError("has a mask that is used; only its first output is supported")

    def softmax(self, node: "NodeProto", label: str) -> None:
        """Last operation, done on the host."""
        self._require_body()
        self._require_last_axis(attributes(node).get("axis", -1 if self.opset >= 13 else 1))
        self.require_folded(f"{label!r}")
        self.final = "softmax"

    def argmax(self, node: "NodeProto", label: str) -> None:
        """Last operation, done on the host; a Softmax before it changes nothing."""
        if self.final == "argmax":
            self._require_body()
        options = attributes(node)
        self._require_last_axis(options.get("axis", 0))
        self.require_folded(f"{label!r}")
        if options.get("select_last_index", 0):
            raise UnsupportedError("takes the last of equal values; only the first is supported")
        self.final, self.keepdims = "argmax", bool(options.get("keepdims", 1))

    def _require_last_axis(self, axis: int) -> None:
        vector = self.shape is not None and len(self.shape) == 1
        if not vector or axis not in (1, -1):
            raise UnsupportedError(f"has axis {axis}; only the axis of the outputs, 1 or -1, is supported")


def _scaled(weights: FloatArray, scale: Any) -> FloatArray:
    """Weights times a factor for each column, or for all.

    Raises
    ------
    InputError
        If a result leaves float32.
    """
    if np.all(np.asarray(scale) == 1):
        return weights
    with np.errstate(over="ignore", invalid="ignore"):
        product = (weights * np.asarray(scale, dtype=np.float64)).astype(np.float32)
    _require_finite(product)
    return product


def _require_finite(values: Array) -> None:
    with np.errstate(over="ignore"):
        if not np.isfinite(values.astype(np.float32)).all():
            raise InputError("gives weights or biases beyond float32; train or export again")


def _features(shape: Shape) -> int | None:
    """Values of a sample of that shape, if known."""
    if shape is None:
        return None
    sizes = [size for size in shape if size is not None]
    return prod(sizes) if len(sizes) == len(shape) else None


OPERATORS: dict[str, Callable[[Chain, "NodeProto", str], None]] = {
    "Gemm": Chain.gemm,
    "MatMul": Chain.matmul,
    "Add": Chain.add,
    "BatchNormalization": Chain.batch_normalization,
    "Relu": Chain.relu,
    "Flatten": Chain.flatten,
    "Reshape": Chain.reshape,
    "Identity": Chain.identity,
    "Constant": Chain.identity,
    "Dropout": Chain.dropout,
    "Softmax": Chain.softmax,
    "ArgMax": Chain.argmax,
}
"""What each operator does to the chain; a Constant leaves it as it is."""
