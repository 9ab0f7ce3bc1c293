"""Labelled samples for training, in three splits that have nothing in common.

Weights are fitted to `train`, settings and epochs are chosen on `validation`, and `test` is only read to say
how well the finished network does. Samples without splits are split here, by a hash of their bytes.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import InputError
from host.arrays import load_archive
from host.files import write_file

NAMES = ("train", "validation", "test")
SHARES = (0.6, 0.2, 0.2)
"""Parts of the samples that the splits get, where they are made here."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs and their classes.

    Parameters
    ----------
    inputs : array of float32, shape (samples, inputs)
    labels : array of int64, shape (samples,)
        Class numbers from 0.
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, chosen: Any) -> "Samples":
        """Some of the samples, by position or by a mask of shape (samples,)."""
        return Samples(self.inputs[chosen], self.labels[chosen])


@dataclass(frozen=True, eq=False)
class TrainData:
    """The three splits; see `Samples`."""

    train: Samples
    validation: Samples
    test: Samples

    def check(self, inputs: int, classes: int) -> None:
        """Refuse data that a network cannot be trained with.

        Parameters
        ----------
        inputs, classes : int
            Inputs of the network's first layer and outputs of its last.

        Raises
        ------
        InputError
            For samples of another size, labels that are no outputs of the network, or a network with one.
        """
        if classes < 2:
            raise InputError(
                "the network has 1 output, but training needs one output for each class, 2 or more; give it "
                "an output for each class"
            )
        for name in NAMES:
            split: Samples = getattr(self, name)
            if split.inputs.shape[1] != inputs:
                raise InputError(
                    f"the {name} samples have {split.inputs.shape[1]} values each, but the network takes "
                    f"{inputs}; give the data that it is made for"
                )
            low, high = int(split.labels.min()), int(split.labels.max())
            if low < 0 or high >= classes:
                raise InputError(
                    f"the {name} labels run from {low} to {high}, but the network's {classes} outputs need "
                    f"labels from 0 to {classes - 1}; number the classes from 0"
                )


def load_data(path: str | Path, split_seed: int = 1) -> TrainData:
    """Read samples from an `.npz` file.

    Parameters
    ----------
    path : path
        Arrays `x_train`, `y_train`, `x_validation`, `y_validation`, `x_test`, `y_test`; without the pair of
        validation it is cut off the train split. Or `x` and `y`, which are split by `split_samples`. Each x
        has shape (samples, inputs) or (samples, ...), any real type; each y holds integers, shape (samples,).
    split_seed : int
        Seed of the splits that are made here.

    Raises
    ------
    InputError
        If the file, the names of its arrays, their types, shapes or values are bad.
    """
    arrays = load_archive(path)
    if {"x", "y"} <= arrays.keys():
        return split_samples(_samples(arrays, "", str(path)), split_seed)
    missing = [key for name in ("train", "test") for key in (f"x_{name}", f"y_{name}") if key not in arrays]
    if missing:
        raise InputError(
            f"{path} has no array {missing[0]}, only {', '.join(sorted(arrays)) or 'none'}; save x and y, or "
            "x_train, y_train, x_validation, y_validation, x_test and y_test, with numpy.savez"
        )
    train, test = _samples(arrays, "_train", str(path)), _samples(arrays, "_test", str(path))
    if "x_validation" in arrays or "y_validation" in arrays:
        return TrainData(train, _samples(arrays, "_validation", str(path)), test)
    return cut_validation(train, test, split_seed)


def save_data(path: str | Path, data: TrainData) -> None:
    """Write an `.npz` file that `load_data` reads, and `tamis train --data` with it.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    file = io.BytesIO()
    arrays: dict[str, Any] = {}
    for name in NAMES:
        split: Samples = getattr(data, name)
        arrays |= {f"x_{name}": split.inputs, f"y_{name}": split.labels}
    np.savez_compressed(file, **arrays)
    write_file(path, file.getvalue())


def cut_validation(train: Samples, test: Samples, seed: int = 1, share: float = 0.2) -> TrainData:
    """Cut a validation split off the train split, as `split_samples` would.

    Parameters
    ----------
    train, test : Samples
    seed : int
    share : float
        Part of the train split that is cut off.

    Raises
    ------
    InputError
        If a split stays empty.
    """
    where = _assign(train, seed, (1 - share, share))
    return _whole(TrainData(train.take(where == 0), train.take(where == 1), test))


def split_samples(samples: Samples, seed: int = 1, shares: tuple[float, float, float] = SHARES) -> TrainData:
    """Split samples by a hash of their bytes and the seed, each class in the same proportion.

    Equal samples come into the same split, and the order of the samples has no say in it.

    Parameters
    ----------
    samples : Samples
    seed : int
    shares : tuple of three float
        Parts that train, validation and test get.

    Raises
    ------
    InputError
        If a split stays empty.

    >>> samples = Samples(np.arange(20, dtype=np.float32).reshape(20, 1), np.arange(20) % 2)
    >>> data = split_samples(samples)
    >>> [(len(split), int(split.labels.sum())) for split in (data.train, data.validation, data.test)]
    [(12, 6), (4, 2), (4, 2)]
    """
    where = _assign(samples, seed, shares)
    return _whole(TrainData(*(samples.take(where == number) for number in range(3))))


def _assign(samples: Samples, seed: int, shares: tuple[float, ...]) -> NDArray[np.int64]:
    """Number of the split of each sample, shape (samples,)."""
    salt = b"tamis split %d:" % seed
    keys = np.array([hashlib.sha256(salt + row.tobytes()).digest()[:16] for row in samples.inputs])
    distinct, first, group = np.unique(keys, return_index=True, return_inverse=True)
    classes = samples.labels[first]  # equal samples with other labels go where the first one goes
    found = np.zeros(distinct.size, dtype=np.int64)
    edges = np.cumsum(shares)[:-1]
    for label in np.unique(classes):
        members = np.flatnonzero(classes == label)  # in the order of their hashes
        found[members] = np.searchsorted(np.rint(edges * members.size), np.arange(members.size), "right")
    return found[group.ravel()]


def _whole(data: TrainData) -> TrainData:
    for name in NAMES:
        if not len(getattr(data, name)):
            raise InputError(
                f"there are too few samples to split: the {name} split stays empty; give more samples"
            )
    return data


def _samples(arrays: dict[str, NDArray[Any]], suffix: str, path: str) -> Samples:
    for letter in "xy":
        if letter + suffix not in arrays:
            raise InputError(
                f"{path} has no array {letter}{suffix}, but x{suffix} and y{suffix} belong together"
                "; save both with numpy.savez"
            )
    inputs, labels = arrays[f"x{suffix}"], arrays[f"y{suffix}"]
    return check_samples(inputs, labels, f"x{suffix} in {path}", f"y{suffix} in {path}")


def check_samples(inputs: Any, labels: Any, x: str = "the inputs", y: str = "the labels") -> Samples:
    """Make samples of two arrays.

    Parameters
    ----------
    inputs : array of a real type, shape (samples, ...)
        The axes after the first are flattened.
    labels : array of integers, shape (samples,)
    x, y : str
        What to call them in messages.

    Raises
    ------
    InputError
        For other types or shapes, for no samples, and for values that are not finite.
    """
    values, classes = np.asarray(inputs), np.asarray(labels)
    if values.ndim < 2 or not values.size:
        raise InputError(f"{x} has shape {values.shape}, but (samples, inputs) is needed; reshape the array")
    if not (np.issubdtype(values.dtype, np.floating) or np.issubdtype(values.dtype, np.integer)):
        raise InputError(f"{x} is of type {values.dtype}, but real numbers are needed; save floats")
    if classes.shape != values.shape[:1] or not np.issubdtype(classes.dtype, np.integer):
        raise InputError(
            f"{y} has type {classes.dtype} and shape {classes.shape}, but labels must be integers of shape "
            f"({len(values)},), one for each sample"
        )
    with np.errstate(over="ignore"):
        flat = np.ascontiguousarray(values.reshape(len(values), -1), dtype=np.float32)
    bad = int(np.count_nonzero(~np.isfinite(flat)))
    if bad:
        raise InputError(f"{x} holds {bad} NaN or infinite values, but inputs must be finite; remove them")
    return Samples(flat, classes.astype(np.int64))
