"""Magnitude pruning: keep the weights that are largest in absolute value (Han et al., arXiv 1506.02626).

Zeros stay zero, so a network that was pruned and retrained elsewhere keeps its pattern.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import UsageError
from host.network import FloatArray

Mask = NDArray[np.bool_]


def check_share(share: float | None, option: str) -> None:
    """Refuse a share of weights outside (0, 1].

    Raises
    ------
    UsageError
    """
    if share is not None and not 0.0 < share <= 1.0:
        raise UsageError(
            f"{option} must be above 0 and at most 1, not {share}; 0.1 keeps a tenth of the weights"
        )


def keep_largest(magnitude: Any, count: int) -> Mask:
    """Mark the `count` largest values; of equal ones, those that come first. Zeros are never marked.

    >>> keep_largest(np.array([[3.0, 1.0], [1.0, 0.0]]), 2).tolist()
    [[True, True], [False, False]]
    """
    values = np.asarray(magnitude)
    flat = values.ravel()
    threshold = np.partition(flat, flat.size - count)[flat.size - count] if count < flat.size else 0
    kept: Mask = flat > threshold
    if threshold > 0:
        ties = np.flatnonzero(flat == threshold)
        kept[ties[: count - np.count_nonzero(kept)]] = True
    return kept.reshape(values.shape)


def prune(
    weights: Sequence[FloatArray], keep: float | None = None, keep_global: float | None = None
) -> list[Mask]:
    """Choose the weights that stay.

    Parameters
    ----------
    weights : sequence of array of float32, shape (rows, columns)
        One matrix for each layer.
    keep : float, optional
        Share of the weights that each layer keeps, above 0 and at most 1.
    keep_global : float, optional
        Share of all weights that is kept; one magnitude divides them, whatever their layer. With neither,
        every nonzero weight is kept.

    Returns
    -------
    list of array of bool
        The kept places, each array of its matrix's shape.

    Raises
    ------
    UsageError
        For a share out of range, or both shares at once.

    >>> matrices = [np.array([[1.0, -4.0]], dtype=np.float32), np.array([[3.0, 2.0]], dtype=np.float32)]
    >>> [mask.tolist() for mask in prune(matrices, keep=0.5)]
    [[[False, True]], [[True, False]]]
    >>> [mask.tolist() for mask in prune(matrices, keep_global=0.75)]
    [[[False, True]], [[True, True]]]
    """
    check_share(keep, "--keep")
    check_share(keep_global, "--keep-global")
    if keep is not None and keep_global is not None:
        raise UsageError("--keep and --keep-global exclude each other; give one of them")
    if keep_global is not None:
        flat = np.concatenate([np.abs(matrix).ravel() for matrix in weights])
        kept = keep_largest(flat, _count(flat.size, keep_global))
        ends = np.cumsum([matrix.size for matrix in weights])[:-1]
        return [
            part.reshape(matrix.shape) for part, matrix in zip(np.split(kept, ends), weights, strict=True)
        ]
    share = 1.0 if keep is None else keep
    return [keep_largest(np.abs(matrix), _count(matrix.size, share)) for matrix in weights]


def _count(size: int, share: float) -> int:
    """Number of weights in a share: the nearest integer, but at least one."""
    return max(1, round(size * share))
