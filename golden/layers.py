"""A compressed network in memory: layers of shared integer weights, and the rules that they keep.

It knows no board: rows stand in their original order, and one model serves every geometry. `golden.model`
turns it into the bytes of a file and back.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from golden import codebook
from golden.errors import InputError, UnsupportedError
from golden.fixed_point import INT16_MAX, MAX_SHIFT

MAX_SIZE = 1 << 20
"""Largest number of rows or columns; with it, sums of products stay exact in a float64."""
MAX_ROWS = 1 << 24
"""Largest number of rows of all layers together: a small file cannot ask for much memory."""
MAX_DIMENSIONS = 8
MAX_ACCUMULATOR_BITS = 40
FINALS: tuple["Final", ...] = ("none", "softmax", "argmax")

Final = Literal["none", "softmax", "argmax"]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """One fully connected layer, y = requantise(W a + bias), in integers.

    Parameters
    ----------
    rows, columns : int
        Outputs and inputs.
    index_bits : int
        b, 1 to 8.
    codebook : array of int16, shape (2**index_bits,)
        The first value is 0.
    row, column : array of int32, shape (nnz,)
        Places of the weights, sorted by column, then row.
    index : array of uint8, shape (nnz,)
        Codebook index of each weight, never 0.
    bias : array of int64, shape (rows,)
        At accumulator scale: weight_fraction + input_fraction fraction bits.
    weight_fraction, input_fraction, output_fraction : int
        Fraction bits; see `golden.fixed_point`.
    relu : bool
        Whether negative outputs become zero.
    """

    rows: int
    columns: int
    index_bits: int
    codebook: NDArray[np.int16]
    row: Int32Array
    column: Int32Array
    index: NDArray[np.uint8]
    bias: Int64Array
    weight_fraction: int
    input_fraction: int
    output_fraction: int
    relu: bool

    @classmethod
    def from_indices(
        cls,
        indices: Any,
        codebook: Any,
        bias: Any,
        *,
        weight_fraction: int = 0,
        input_fraction: int = 0,
        output_fraction: int = 0,
        relu: bool = False,
    ) -> "Layer":
        """Make a layer from a dense matrix of codebook indices, shape (rows, columns).

        >>> layer = Layer.from_indices([[0, 1], [3, 0]], [0, 5, 6, -7], [10, 20])
        >>> layer.row.tolist(), layer.column.tolist(), layer.weights().tolist()
        ([1, 0], [0, 1], [[0, 5], [-7, 0]])
        """
        matrix = np.asarray(indices)
        values = np.asarray(codebook, dtype=np.int16)
        column, row = np.nonzero(matrix.T)
        return cls(
            rows=matrix.shape[0],
            columns=matrix.shape[1],
            index_bits=max(1, (values.size - 1).bit_length()),
            codebook=values,
            row=row.astype(np.int32),
            column=column.astype(np.int32),
            index=matrix[row, column].astype(np.uint8),
            bias=np.asarray(bias, dtype=np.int64),
            weight_fraction=weight_fraction,
            input_fraction=input_fraction,
            output_fraction=output_fraction,
            relu=relu,
        )

    @property
    def shift(self) -> int:
        """Requantising right shift, 0 to `golden.fixed_point.MAX_SHIFT`."""
        return self.weight_fraction + self.input_fraction - self.output_fraction

    @property
    def nnz(self) -> int:
        """Number of weights."""
        return int(self.index.size)

    @property
    def column_counts(self) -> Int64Array:
        """Weights in each column, shape (columns,)."""
        return np.bincount(self.column, minlength=self.columns)

    def places(self, start: int, stop: int) -> Int64Array:
        """Positions column * rows + row of weights start to stop - 1."""
        return self.column[start:stop].astype(np.int64) * self.rows + self.row[start:stop]

    def weights(self) -> NDArray[np.int16]:
        """Dense integer matrix, shape (rows, columns)."""
        dense = np.zeros((self.rows, self.columns), dtype=np.int16)
        dense[self.row, self.column] = self.codebook[self.index]
        return dense

    def bound(self) -> Int64Array:
        """Largest magnitude that each row's accumulator can reach: sum |w| * 32767 + |bias|."""
        magnitude = np.abs(self.codebook.astype(np.float64))[self.index]
        total = np.bincount(self.row, weights=magnitude, minlength=self.rows).astype(np.int64)
        return total * INT16_MAX + np.abs(self.bias)


@dataclass(frozen=True, eq=False, kw_only=True)
class Model:
    """Layers in order of execution, and what the host does before and after them.

    Parameters
    ----------
    layers : tuple of Layer
    final : {"none", "softmax", "argmax"}
        Operation that the host applies to the last layer's real outputs.
    keepdims : bool
        With argmax: whether the result has shape (batch, 1) instead of (batch,).
    input_shape : tuple of int
        Shape of a sample in the network that the model was made from; empty for a plain vector.
    """

    layers: tuple[Layer, ...]
    final: Final = "none"
    keepdims: bool = False
    input_shape: tuple[int, ...] = ()

    @property
    def inputs(self) -> int:
        """Columns of the first layer."""
        return self.layers[0].columns

    @property
    def outputs(self) -> int:
        """Rows of the last layer."""
        return self.layers[-1].rows

    @property
    def dense_bytes(self) -> int:
        """Bytes of all weights and biases as float32."""
        return 4 * sum(layer.rows * layer.columns + layer.rows for layer in self.layers)


def check(model: Model, accumulator_bits: int = 32) -> None:
    """Refuse a model that is malformed, or whose sums could leave the accumulator.

    Raises
    ------
    InputError
        If a field is out of range or the layers do not chain.
    UnsupportedError
        If sum |w| * 32767 + |bias| >= 2**(accumulator_bits - 1) for any row.
    """
    if not 1 <= len(model.layers) <= 0xFFFF:
        raise InputError(f"a model must have 1 to 65535 layers, not {len(model.layers)}; compress it again")
    if model.final not in FINALS:
        raise InputError(f"the final operation must be one of {', '.join(FINALS)}, not {model.final!r}")
    if len(model.input_shape) > MAX_DIMENSIONS:
        raise InputError(
            f"an input sample has {len(model.input_shape)} dimensions, at most {MAX_DIMENSIONS} are possible"
        )
    if model.input_shape and prod(model.input_shape) != model.inputs:
        raise InputError(
            f"an input sample of shape {model.input_shape} does not hold the {model.inputs} inputs "
            "of the first layer; compress the model again"
        )
    rows = sum(layer.rows for layer in model.layers)
    if rows > MAX_ROWS:
        raise InputError(
            f"the layers have {rows} rows together, but {MAX_ROWS} are possible; use fewer layers"
        )
    for number, layer in enumerate(model.layers):
        _check_layer(layer, number, accumulator_bits)
    for number, (first, second) in enumerate(pairwise(model.layers)):
        if (first.rows, first.output_fraction) != (second.columns, second.input_fraction):
            raise InputError(
                f"layer {number} gives {first.rows} outputs with {first.output_fraction} fraction bits, but "
                f"layer {number + 1} takes {second.columns} with {second.input_fraction}; "
                "compress the model again"
            )


def _check_layer(layer: Layer, number: int, accumulator_bits: int) -> None:
    def require(condition: bool, found: str) -> None:
        if not condition:
            raise InputError(f"layer {number} {found}; compress the model again")

    for name, size in (("rows", layer.rows), ("columns", layer.columns)):
        require(1 <= size <= MAX_SIZE, f"has {size} {name}, but 1 to {MAX_SIZE} are possible")
    codebook.check(layer.codebook, layer.index_bits)
    arrays = {"row": np.int32, "column": np.int32, "index": np.uint8, "bias": np.int64}
    for name, dtype in arrays.items():
        array = getattr(layer, name)
        shape = (layer.rows,) if name == "bias" else (layer.nnz,)
        require(
            array.dtype == dtype and array.shape == shape,
            f"must have a {name} array of type {np.dtype(dtype).name} and shape {shape}, "
            f"not {array.dtype.name} and {array.shape}",
        )
    for name in ("weight_fraction", "input_fraction", "output_fraction"):
        value = getattr(layer, name)
        require(-32768 <= value <= 32767, f"has {name} {value}, outside -32768 to 32767")
    require(
        0 <= layer.shift <= MAX_SHIFT,
        f"shifts its sums right by {layer.shift} bits, but 0 to {MAX_SHIFT} are possible",
    )
    if layer.nnz:
        require(
            bool(layer.index.min() > 0 and layer.index.max() < layer.codebook.size),
            f"has weight indices outside 1 to {layer.codebook.size - 1}",
        )
        inside = layer.row.min() >= 0 and layer.row.max() < layer.rows
        inside = inside and layer.column.min() >= 0 and layer.column.max() < layer.columns
        require(bool(inside), f"has weights outside its {layer.rows} x {layer.columns} places")
        place = layer.places(0, layer.nnz)
        require(bool(np.all(place[1:] > place[:-1])), "has weights that are not sorted by column, then row")
    widest = 1 << (MAX_ACCUMULATOR_BITS - 1)
    require(
        bool(np.all((layer.bias > -widest) & (layer.bias < widest))),
        f"has a bias that {MAX_ACCUMULATOR_BITS} bits cannot hold",
    )
    limit = 1 << (accumulator_bits - 1)
    bound = layer.bound()
    worst = int(np.argmax(bound))
    if bound[worst] >= limit:
        raise UnsupportedError(
            f"layer {number}, row {worst}: sum |w| * 32767 + |bias| is {bound[worst]}, but an accumulator of "
            f"{accumulator_bits} bits needs it below {limit}; compress the model again for this width"
        )
