"""Import of networks that are already compressed: an `.npz` of codebook indices; masks and codebooks stay.

The layers are numbered from 0. For layer i the archive holds

    layer{i}_indices            integers, shape (rows, columns): the codebook index of every weight
    layer{i}_codebook           real or integer values, shape (k,)

or, instead of the dense indices, a compressed sparse column matrix, named as in SciPy's `csc_matrix`:

    layer{i}_data               integers, shape (nnz,): codebook indices of the weights, column by column
    layer{i}_indices            integers, shape (nnz,): their rows
    layer{i}_indptr             integers, shape (columns + 1,): where each column starts in the two above
    layer{i}_shape              (rows, columns)

and, optionally,

    layer{i}_bias               real values, shape (rows,); default 0
    layer{i}_relu               whether ReLU follows; default: after every layer but the last
    layer{i}_scale              real value of codebook unit 1; default 1
    layer{i}_weight_fraction    fraction bits of the int16 codebook; default: as many as are safe. Integer
                                codebook values then count in units of 2**-weight_fraction, with no scale
    layer{i}_input_fraction     fraction bits of the activations that go in; default: from calibration
    layer{i}_output_fraction    fraction bits of the activations that come out; default: from calibration
    final                       "none", "softmax" or "argmax"; default "none"

A weight is there if its codebook value is not zero, wherever in the codebook a zero stands.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.codebook import MAX_INDEX_BITS
from golden.errors import InputError, UnsupportedError
from golden.layers import FINALS, MAX_SIZE
from host.arrays import load_archive
from host.network import SharedLayer, SharedNetwork, sorted_places

Array = NDArray[Any]
FRACTIONS = ("weight_fraction", "input_fraction", "output_fraction")
FIELDS = ("indices", "data", "indptr", "shape", "codebook", "bias", "relu", "scale", *FRACTIONS)


def import_npz(path: str | Path) -> SharedNetwork:
    """Read a compressed network; the module describes the arrays.

    Raises
    ------
    InputError
        If the file is no sound `.npz`, or an array is missing, unknown or wrong.
    UnsupportedError
        If a codebook or a layer is larger than Tamis runs.
    """
    arrays = load_archive(path)
    count = 0
    while f"layer{count}_codebook" in arrays:
        count += 1
    known = {f"layer{i}_{name}" for i in range(count) for name in FIELDS} | {"final"}
    unknown = sorted(set(arrays) - known)
    if unknown or not count:
        found = f"an array {unknown[0]!r}" if unknown else "no arrays"
        raise InputError(
            f"{path} has {found}; a compressed network has layer0_indices, layer0_codebook and so on, "
            "see `pydoc host.npz_import`"
        )
    final = str(arrays.get("final", "none"))
    if final not in FINALS:
        raise InputError(f"{path} has {final!r} as final; it must be one of {', '.join(FINALS)}")
    layers = tuple(_Archived(arrays, i, str(path)).layer(last=i == count - 1) for i in range(count))
    return SharedNetwork(layers=layers, final=final)


class _Archived:
    """The arrays of one layer."""

    def __init__(self, arrays: dict[str, Array], number: int, path: str) -> None:
        self.arrays = arrays
        self.prefix = f"layer{number}_"
        self.path = path

    def has(self, name: str) -> bool:
        return self.prefix + name in self.arrays

    def require(self, condition: Any, name: str, found: str) -> None:
        if not condition:
            raise InputError(f"{self.prefix}{name} in {self.path} {found}; see `pydoc host.npz_import`")

    def get(self, name: str, dimensions: int | None, kinds: str) -> Array:
        """One array, of a number of dimensions and of NumPy kinds (i, u: integers, f: real, b: boolean)."""
        self.require(self.has(name), name, "is missing")
        array = self.arrays[self.prefix + name]
        fits = array.dtype.kind in kinds and (dimensions is None or array.ndim == dimensions)
        self.require(fits, name, f"has type {array.dtype} and {array.ndim} dimensions, which do not fit")
        if array.dtype.kind == "f":
            with np.errstate(over="ignore"):
                finite = np.isfinite(array.astype(np.float32)).all()
            self.require(finite, name, "holds NaN, or values that float32 cannot express")
        return array

    def number(self, name: str, kinds: str) -> Any:
        """One number, or None if it is not given."""
        if not self.has(name):
            return None
        array = self.get(name, None, kinds)
        self.require(array.size == 1, name, f"has {array.size} values instead of one")
        return array.reshape(-1)[0].item()

    def layer(self, last: bool) -> SharedLayer:
        """The layer that the arrays describe."""
        rows, columns, row, column, index = self.places()
        self.require(1 <= rows <= MAX_SIZE and 1 <= columns <= MAX_SIZE, "indices", f"is {rows} x {columns}")
        values = self.get("codebook", 1, "iuf")
        fractions = {name: self.number(name, "iu") for name in FRACTIONS}
        for name, value in fractions.items():
            self.require(value is None or abs(value) <= 256, name, f"is {value}, outside -256 to 256")
        scale, weight_fraction = self.number("scale", "iuf"), fractions["weight_fraction"]
        self.require(scale is None or scale > 0, "scale", f"is {scale}, but must be above 0")
        self.require(
            scale is None or weight_fraction is None, "scale", "and weight_fraction exclude each other"
        )
        real = values.astype(np.float64) * (1.0 if scale is None else scale)
        if weight_fraction is not None and values.dtype.kind in "iu":
            real = np.ldexp(real, -weight_fraction)
        if index.size:
            inside = index.min() >= 0 and index.max() < values.size
            self.require(inside, "codebook", f"has {values.size} values, too few for the indices")
        codebook, renumbered = self.with_zero_first(real)
        index = renumbered[index]
        kept = index != 0
        bias = self.get("bias", 1, "iuf").astype(np.float64) if self.has("bias") else np.zeros(rows)
        self.require(bias.shape == (rows,), "bias", f"has {bias.size} values for {rows} rows")
        relu = self.number("relu", "biu")
        return SharedLayer(
            rows=rows,
            columns=columns,
            index_bits=int(codebook.size - 1).bit_length(),
            codebook=codebook,
            row=row[kept],
            column=column[kept],
            index=index[kept].astype(np.uint8),
            bias=bias,
            relu=not last if relu is None else bool(relu),
            name=self.prefix.removesuffix("_"),
            **fractions,
        )

    def with_zero_first(self, real: Array) -> tuple[Array, Array]:
        """Codebook of 2**b values with zero first, and the new index of each old one."""
        nonzero = np.flatnonzero(real)
        bits = max(1, int(nonzero.size).bit_length())
        if bits > MAX_INDEX_BITS:
            raise UnsupportedError(
                f"{self.prefix}codebook in {self.path} has {nonzero.size} nonzero values, but at most "
                f"{(1 << MAX_INDEX_BITS) - 1} can be stored; share fewer values"
            )
        codebook = np.zeros(1 << bits)
        codebook[1 : nonzero.size + 1] = real[nonzero]
        renumbered = np.zeros(real.size, dtype=np.int64)
        renumbered[nonzero] = np.arange(1, nonzero.size + 1)
        return codebook, renumbered

    def places(self) -> tuple[int, int, Array, Array, Array]:
        """Rows, columns, and row, column and codebook index of every stored weight, sorted."""
        if not self.has("indptr"):
            dense = self.get("indices", 2, "iu")
            row, column = sorted_places(np.ones(dense.shape, dtype=bool))
            return dense.shape[0], dense.shape[1], row, column, dense[row, column]
        index, row = self.get("data", 1, "iu"), self.get("indices", 1, "iu")
        pointers, shape = self.get("indptr", 1, "iu"), self.get("shape", 1, "iu")
        self.require(shape.size == 2, "shape", f"has {shape.size} values instead of two")
        rows, columns = (int(size) for size in shape)
        pointers = pointers.astype(np.int64)
        steady = pointers.size == columns + 1 and pointers[0] == 0 and bool(np.all(np.diff(pointers) >= 0))
        steady = steady and pointers[-1] == index.size == row.size
        self.require(steady, "indptr", f"does not lead through {index.size} weights in {columns} columns")
        inside = not row.size or (row.min() >= 0 and row.max() < rows)
        self.require(inside, "indices", f"names rows outside 0 to {rows - 1}")
        column = np.repeat(np.arange(columns), np.diff(pointers))
        order = np.lexsort((row, column))
        row, column, index = row[order].astype(np.int32), column[order].astype(np.int32), index[order]
        twice = (row[1:] == row[:-1]) & (column[1:] == column[:-1])
        self.require(not twice.any(), "indices", "names a place twice")
        return rows, columns, row, column, index
