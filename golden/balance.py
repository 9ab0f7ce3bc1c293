"""Placement by load: every PE gets the same work, in all and column by column (after SparTen's greedy idea).

Rows are taken from the heaviest to the lightest. Each goes to the PE whose columns it overlaps least,
weighted by how often a column is active, plus a share of the load that the PE has already. Then rows are
exchanged between the heaviest PE and lighter ones as long as that evens them out. It costs nothing at run
time.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.layers import Layer
from golden.placement import Placement

LOAD_SHARE = 0.5
"""Weight of a PE's load against the overlap with its columns."""
PARTNERS = 8
"""Lightest PEs with which the heaviest tries to exchange a row."""

FloatArray = NDArray[np.float64]


def by_load(layer: Layer, pes: int, activity: Any = None) -> Placement:
    """Place a layer's rows so that all PEs have about the same work.

    Parameters
    ----------
    layer : Layer
    pes : int
    activity : array of float, shape (columns,), optional
        Expected share of inputs for which a column is active; all alike by default.

    Returns
    -------
    Placement
        With ceil(rows / pes) slots, as the interleaved one.

    Examples
    --------
    >>> layer = Layer.from_indices([[1, 1], [1, 1], [1, 0], [0, 1]], [0, 5], [0, 0, 0, 0])
    >>> by_load(layer, 2).pe.tolist()
    [0, 1, 0, 1]
    """
    weight = np.ones(layer.columns) if activity is None else np.asarray(activity, dtype=np.float64)
    order = np.argsort(layer.row, kind="stable")
    columns = layer.column[order]
    begin = np.concatenate([[0], np.cumsum(np.bincount(layer.row, minlength=layer.rows))])
    load = np.bincount(layer.row, weights=weight[layer.column], minlength=layer.rows).astype(np.float64)
    pe = _greedy(columns, begin, weight, load, pes)
    _exchange(pe, load, pes)
    slot = np.empty(layer.rows, dtype=np.int32)
    by_pe = np.argsort(pe, kind="stable")
    counts = np.bincount(pe, minlength=pes)
    slot[by_pe] = np.arange(layer.rows) - np.repeat(np.cumsum(counts) - counts, counts)
    return Placement(pes, pe, slot)


def _greedy(
    columns: NDArray[np.int32], begin: NDArray[np.int64], weight: FloatArray, load: FloatArray, pes: int
) -> NDArray[np.int32]:
    rows = load.size
    room = np.full(pes, -(-rows // pes))
    pe = np.zeros(rows, dtype=np.int32)
    held = np.zeros(pes)
    overlap = np.zeros((weight.size, pes), dtype=np.float32)
    for row in np.argsort(-load, kind="stable"):
        own = columns[begin[row] : begin[row + 1]]
        cost = LOAD_SHARE * held + overlap[own].sum(axis=0)
        chosen = int(np.argmin(np.where(room > 0, cost, np.inf)))
        pe[row] = chosen
        room[chosen] -= 1
        held[chosen] += load[row]
        overlap[own, chosen] += weight[own]
    return pe


def _exchange(pe: NDArray[np.int32], load: FloatArray, pes: int) -> None:
    """Exchange rows of the heaviest PE, in place, while its load goes down and no other exceeds it."""
    held = np.bincount(pe, weights=load, minlength=pes)
    for _ in range(load.size):
        heaviest = int(np.argmax(held))
        own = np.flatnonzero(pe == heaviest)
        best = (0.0, 0, 0, 0)
        for lighter in np.argsort(held, kind="stable")[:PARTNERS]:
            others = np.flatnonzero(pe == lighter)
            gap = held[heaviest] - held[lighter]
            moved = load[own][:, None] - load[others]
            gain = np.minimum(moved, gap - moved)  # how far the heavier of the two comes down
            if gain.size and gain.max() > best[0]:
                i, j = np.unravel_index(int(np.argmax(gain)), gain.shape)
                best = (float(gain[i, j]), int(own[i]), int(others[j]), int(lighter))
        gain_best, mine, other, lighter = best
        if gain_best < 1e-9:
            return
        moved_load = load[mine] - load[other]
        pe[mine], pe[other] = lighter, heaviest
        held[heaviest] -= moved_load
        held[lighter] += moved_load
