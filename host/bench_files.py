"""Anybody's matrix and activations as a case to time: a scipy.sparse file and `.npy` arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.codebook import assign
from golden.errors import InputError, UnsupportedError
from golden.fixed_point import INT16_MAX
from golden.layers import MAX_SIZE
from host.arrays import load_archive, load_array
from host.bench import require_scipy
from host.bench_layers import INDEX_BITS, LARGEST_WEIGHT, SUM_LIMIT, Case, make_layer
from host.sharing import centroids_for

KINDS = ("csr", "csc", "coo")


def read_case(matrix_path: str, vector_path: str, calibration_path: str | None = None) -> Case:
    """Read a layer, and turn its real numbers into the engine's.

    Weights get a codebook of 15 values (see `host.sharing`). Whatever is not zero stays so, and nothing else
    about the values matters to the time.

    Parameters
    ----------
    matrix_path : str
        Real numbers, shape (rows, columns), as `scipy.sparse.save_npz` writes them.
    vector_path : str
        Real numbers, shape (columns,).
    calibration_path : str, optional
        Other activations, shape (draws, columns).

    Raises
    ------
    InputError
        If a file cannot be read, or its array is not finite, real and of that shape.
    UnsupportedError
        If a row has too many weights for an accumulator, or the matrix is larger than Tamis runs.
    """
    matrix = read_matrix(matrix_path)
    vector = _real(load_array(vector_path), vector_path)
    rows, columns = matrix.shape
    if vector.shape != (columns,):
        raise InputError(
            f"{vector_path} has shape {vector.shape}, but a matrix of {columns} columns needs a vector of "
            f"shape ({columns},); reshape the array"
        )
    activity = None
    if calibration_path is not None:
        draws = _real(load_array(calibration_path), calibration_path)
        if draws.ndim != 2 or draws.shape[1] != columns or not len(draws):
            raise InputError(
                f"{calibration_path} has shape {draws.shape}, but must be (draws, {columns}) with at least "
                "one draw; reshape the array"
            )
        activity = np.count_nonzero(draws, axis=0) / len(draws)
    fullest = int(np.bincount(matrix.row).max())
    if fullest > SUM_LIMIT:
        raise UnsupportedError(
            f"{matrix_path} has a row of {fullest} weights, and an accumulator of 32 bits adds at most "
            f"{SUM_LIMIT}; split the matrix by columns"
        )
    weights = _scaled(matrix.data)
    centroids = centroids_for(weights, INDEX_BITS, matrix_path)
    index = assign(weights, centroids) + 1
    codebook = np.zeros(1 << INDEX_BITS, dtype=np.int64)
    # The bound holds for any row if it holds for the fullest one with the largest weight.
    codebook[1 : centroids.size + 1] = _integers(centroids, min(SUM_LIMIT // fullest, LARGEST_WEIGHT))
    layer = make_layer((rows, columns), matrix.row, matrix.col, index, codebook)
    return Case(name=matrix_path, layer=layer, vector=_integers(vector, INT16_MAX), activity=activity)


def read_matrix(path: str) -> Any:
    """Matrix in a file of scipy.sparse, in coordinate form: no zeros, sorted by column, then row, float64.

    Raises
    ------
    InputError
        If it is no sound file of that kind, has nothing but zeros, or NaN, or is not real.
    UnsupportedError
        If it is larger than Tamis runs.
    """
    arrays = load_archive(path)
    try:
        kind = arrays["format"].item().decode("ascii")
        shape = tuple(int(size) for size in arrays["shape"])
        data = arrays["data"]
    except (KeyError, ValueError, TypeError, AttributeError):
        raise InputError(f"{path} holds no matrix; save one with scipy.sparse.save_npz") from None
    if kind not in KINDS or len(shape) != 2:
        raise InputError(
            f"{path} holds a {len(shape)}-dimensional array in {kind} form, but a matrix in one of the forms "
            f"{', '.join(KINDS)} is needed; convert it with .tocsr()"
        )
    _real(data, path)
    if not all(1 <= size <= MAX_SIZE for size in shape):
        raise UnsupportedError(f"{path} has shape {shape}, but 1 to {MAX_SIZE} rows and columns are possible")
    sparse = require_scipy()
    names = ("row", "col") if kind == "coo" else ("indices", "indptr")
    try:
        first, second = (_indices(arrays[name]) for name in names)
        places = (data.astype(np.float64), (first, second) if kind == "coo" else first)
        if kind == "coo":
            matrix = sparse.coo_matrix(places, shape=shape)
        else:
            make = sparse.csr_matrix if kind == "csr" else sparse.csc_matrix
            matrix = make((*places, second), shape=shape)
            matrix.check_format(full_check=True)
    except (KeyError, ValueError, TypeError, OverflowError):
        raise InputError(
            f"{path} holds indices that do not make a matrix of shape {shape}; save it again with "
            "scipy.sparse.save_npz"
        ) from None
    matrix = matrix.tocsc()
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    matrix.sort_indices()
    if not matrix.nnz:
        raise InputError(f"{path} holds no weight but zeros; save a matrix with at least one nonzero weight")
    _real(matrix.data, path)  # duplicates may have added up to infinity
    return matrix.tocoo()


def _indices(array: NDArray[Any]) -> NDArray[np.int64]:
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError("indices are one-dimensional integers")
    return array.astype(np.int64)


def _real(array: NDArray[Any], path: str) -> NDArray[Any]:
    """The array, or one sentence on what is wrong with its type or values."""
    if array.dtype.kind not in "fiub":
        raise InputError(
            f"{path} is of type {array.dtype}, but real numbers are needed; save x.astype('float32')"
        )
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise InputError(f"{path} holds {bad} NaN or infinite values, but all must be finite; remove them")
    return array


def _integers(real: NDArray[Any], largest: int) -> NDArray[np.int16]:
    """Real values as integers of magnitude up to `largest`, nonzero ones as nonzero ones.

    >>> _integers(np.array([0.0, -1.0, 0.25, 1e-9]), 100).tolist()
    [0, -100, 25, 1]
    """
    scaled = _scaled(real) * largest
    return np.where(scaled == 0, 0, np.where(np.abs(scaled) < 1, np.sign(scaled), scaled.round())).astype(
        np.int16
    )


def _scaled(real: NDArray[Any]) -> NDArray[np.float64]:
    """Real values divided by the largest magnitude among them."""
    values = np.asarray(real, dtype=np.float64)
    peak = np.abs(values).max(initial=0.0)
    return np.asarray(values / peak) if peak else values
