"""A network on its way through the compressor: dense, then pruned and shared, but not yet integers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.model import Final

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class DenseLayer:
    """A fully connected layer as trained.

    Parameters
    ----------
    weights : array of float32, shape (rows, columns)
    bias : array of float32, shape (rows,)
    relu : bool
    name : str
        Of the node that it came from.
    """

    weights: FloatArray
    bias: FloatArray
    relu: bool
    name: str

    def pruned(self, mask: NDArray[np.bool_]) -> "DenseLayer":
        """The same layer with the weights that a mask does not keep at zero."""
        return replace(self, weights=np.where(mask, self.weights, np.float32(0)))


@dataclass(frozen=True, eq=False, kw_only=True)
class SharedLayer:
    """A pruned layer whose weights share the values of a real codebook.

    Parameters
    ----------
    rows, columns : int
    index_bits : int
    codebook : array of float64, shape (2**index_bits,)
        The first value is 0, the values of used indices are not.
    row, column : array of int32, shape (nnz,)
        Places of the weights, sorted by column, then row.
    index : array of uint8, shape (nnz,)
        Codebook index of each weight, never 0.
    bias : array of float64, shape (rows,)
    relu : bool
    name : str
    weight_fraction, input_fraction, output_fraction : int or None
        Fraction bits, where the network came with them; None leaves the choice to `host.calibration`.
    """

    rows: int
    columns: int
    index_bits: int
    codebook: NDArray[np.float64]
    row: NDArray[np.int32]
    column: NDArray[np.int32]
    index: NDArray[np.uint8]
    bias: NDArray[np.float64]
    relu: bool
    name: str
    weight_fraction: int | None = None
    input_fraction: int | None = None
    output_fraction: int | None = None

    def weights(self) -> FloatArray:
        """Dense real matrix, shape (rows, columns)."""
        dense = np.zeros((self.rows, self.columns), dtype=np.float32)
        dense[self.row, self.column] = self.codebook.astype(np.float32)[self.index]
        return dense


@dataclass(frozen=True, eq=False, kw_only=True)
class SharedNetwork:
    """Shared layers in order of execution; the other fields are those of `golden.model.Model`."""

    layers: tuple[SharedLayer, ...]
    final: Final = "none"
    keepdims: bool = False
    input_shape: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Network:
    """Dense layers in order of execution; the other fields are those of `golden.model.Model`."""

    layers: tuple[DenseLayer, ...]
    final: Final = "none"
    keepdims: bool = False
    input_shape: tuple[int, ...] = ()

    def shared(self, layers: Iterable[SharedLayer]) -> SharedNetwork:
        """The same network with the weights of its layers shared."""
        return SharedNetwork(
            layers=tuple(layers),
            final=self.final,
            keepdims=self.keepdims,
            input_shape=self.input_shape,
        )


def perceptron(sizes: Sequence[int]) -> Network:
    """A network of zeros with ReLU between its layers, for training that starts from random weights.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, hidden layers and outputs.

    >>> [(layer.weights.shape, layer.relu) for layer in perceptron((4, 3, 2)).layers]
    [((3, 4), True), ((2, 3), False)]
    """
    return Network(
        layers=tuple(
            DenseLayer(
                weights=np.zeros((rows, columns), np.float32),
                bias=np.zeros(rows, np.float32),
                relu=number < len(sizes) - 2,
                name=f"layer{number}",
            )
            for number, (columns, rows) in enumerate(pairwise(sizes))
        )
    )


def layer_values(layers: Sequence[DenseLayer], inputs: Any) -> list[FloatArray]:
    """Inputs of every layer in float32, each of shape (samples, columns), and at the end the outputs.

    >>> layer = DenseLayer(weights=np.array([[2.0], [-2.0]], dtype=np.float32),
    ...                    bias=np.ones(2, dtype=np.float32), relu=True, name="a")
    >>> [values.tolist() for values in layer_values([layer], [[3.0]])]
    [[[3.0]], [[7.0, 0.0]]]
    """
    values = [np.asarray(inputs, dtype=np.float32)]
    for layer in layers:
        outputs = values[-1] @ layer.weights.T + layer.bias
        values.append(np.maximum(outputs, 0) if layer.relu else outputs)
    return values


def sorted_places(mask: Any) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Rows and columns of the True places of a matrix, column by column.

    >>> [places.tolist() for places in sorted_places(np.array([[0, 1], [1, 1]], dtype=bool))]
    [[1, 0, 1], [0, 1, 1]]
    """
    column, row = np.nonzero(np.asarray(mask).T)
    return row.astype(np.int32), column.astype(np.int32)
