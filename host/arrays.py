"""Loading `.npy` and `.npz` files safely: no pickle, and sizes are checked before memory is taken."""

import io
import tokenize
import zipfile
import zlib
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import InputError
from host.files import read_file

MAX_ARCHIVE_BYTES = 4 << 30
"""Largest unpacked `.npz` that is read; more is a mistake or an attack."""
HEADER_ERRORS = (
    ValueError,
    TypeError,
    SyntaxError,
    KeyError,
    OverflowError,
    RecursionError,
    EOFError,
    tokenize.TokenError,
)
"""What NumPy's reader of headers raises for bytes that are none."""


def parse_array(data: bytes, name: str) -> NDArray[Any]:
    """Array in the bytes of a `.npy` file.

    Parameters
    ----------
    data : bytes
    name : str
        What to call the array in messages.

    Returns
    -------
    array
        Read-only; it shares the memory of `data`.

    Raises
    ------
    InputError
        If the bytes are no `.npy` file, hold Python objects, or are too few or too many.

    >>> import io; file = io.BytesIO(); np.save(file, np.arange(3))
    >>> parse_array(file.getvalue(), "x.npy").tolist()
    [0, 1, 2]
    """
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
        else:
            raise ValueError(f"format version {version[0]}.{version[1]} is not known")
    except HEADER_ERRORS as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{name} is not a .npy array ({reason}); save one with numpy.save") from None
    if dtype.hasobject:
        raise InputError(
            f"{name} holds Python objects, which are never loaded; save numbers, such as x.astype('float32')"
        )
    if any(size < 0 for size in shape) or dtype.itemsize == 0:
        raise InputError(f"{name} has the impossible shape {shape}; save it again with numpy.save")
    present, needed = len(data) - file.tell(), prod(shape) * dtype.itemsize
    if present != needed:
        raise InputError(
            f"{name} says that it has shape {shape} and type {dtype}, {needed} bytes, but holds {present}; "
            "copy or save it again"
        )
    array: NDArray[Any] = np.frombuffer(data, dtype, offset=file.tell())
    return array.reshape(shape, order="F" if fortran else "C")


def load_array(path: str | Path) -> NDArray[Any]:
    """Array in a `.npy` file, of any type and shape but objects; see `parse_array`."""
    return parse_array(read_file(path), str(path))


def load_archive(path: str | Path) -> dict[str, NDArray[Any]]:
    """Arrays of an `.npz` file by name.

    Raises
    ------
    InputError
        If it is not such a file, is damaged, or one of its arrays cannot be loaded (see `parse_array`).
    """
    data = read_file(path)
    arrays = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > MAX_ARCHIVE_BYTES:
                raise InputError(
                    f"{path} unpacks to {total} bytes, but at most {MAX_ARCHIVE_BYTES} are read; "
                    "save a smaller network"
                )
            for member in members:
                name = member.filename.removesuffix(".npy")
                with archive.open(member) as file:
                    # one byte more than promised is enough to see that the promise was false
                    arrays[name] = parse_array(file.read(member.file_size + 1), f"{name} in {path}")
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError):
        raise InputError(f"{path} is not a sound .npz file; save it again with numpy.savez") from None
    return arrays


def load_inputs(path: str | Path, columns: int) -> NDArray[np.float32]:
    """Inputs of a network.

    Parameters
    ----------
    path : path of a `.npy` file
        float32 of shape (batch, columns), all finite.
    columns : int
        Inputs of the network.

    Returns
    -------
    array of float32, shape (batch, columns)

    Raises
    ------
    InputError
        For anything else.
    """
    array = load_array(path)
    if array.dtype != np.float32:
        raise InputError(
            f"{path} is of type {array.dtype}, but inputs must be float32; save x.astype('float32')"
        )
    if array.ndim != 2 or array.shape[1] != columns or not array.shape[0]:
        raise InputError(
            f"{path} has shape {array.shape}, but this model needs (batch, {columns}) with at least one "
            "input; reshape the array"
        )
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        raise InputError(f"{path} holds {bad} NaN or infinite values, but inputs must be finite; remove them")
    return array


def load_labels(path: str | Path, count: int) -> NDArray[np.int64]:
    """Class numbers, integers of shape (count,), from a `.npy` file.

    Raises
    ------
    InputError
        For anything else.
    """
    array = load_array(path)
    if array.shape != (count,) or not np.issubdtype(array.dtype, np.integer):
        raise InputError(
            f"{path} has type {array.dtype} and shape {array.shape}, but labels must be integers of shape "
            f"({count},), one for each input"
        )
    return array.astype(np.int64)
