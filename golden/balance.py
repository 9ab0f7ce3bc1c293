"""Placement by load: every PE gets the same work, in all and column by column (after SparTen's greedy idea).

Rows are taken from the heaviest to the lightest. Each goes to the PE whose columns it overlaps least,
weighted by how often a column is active, plus a share of the load that the PE has already. A local search
then exchanges rows of two PEs at a time as long as that lowers

    sum over PEs of ( sum over columns of a n**2  +  (sum over columns of a n)**2 )

with n the weights of the PE in a column and a the column's activity: up to the queues, which like columns
even, this is how far the PEs' work for an unseen vector is expected to spread. At last rows are exchanged
between the heaviest PE and lighter ones as long as that evens out their loads. It costs nothing at run time.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.layers import Layer
from golden.placement import Placement

ACTIVITY = 0.5
"""Share of inputs for which a column counts as active where nothing is known."""
LOAD_SHARE = 0.5
"""Weight of a PE's load against the overlap with its columns, in the greedy pass."""
SWEEPS = 2
"""Passes of the local search over all pairs of PEs."""
EXCHANGES = 4
"""Most exchanges of the local search for a pair in a pass."""
PARTNERS = 8
"""Lightest PEs with which the heaviest tries to exchange a row."""

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


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
    if activity is None:
        activity = np.full(layer.columns, ACTIVITY)
    rows = _Rows(layer, np.asarray(activity, dtype=np.float64))
    places = _greedy(rows, pes)
    _even_columns(places, rows)
    _even_loads(places, rows)
    places.sort(axis=1)  # unused places last
    pe, slot = np.empty((2, layer.rows + 1), dtype=np.int32)
    pe[places], slot[places] = np.indices(places.shape)
    return Placement(pes, pe[:-1], slot[:-1])


class _Rows:
    """Columns and load of each row; the last row is an empty one, which stands for every unused place."""

    def __init__(self, layer: Layer, activity: FloatArray) -> None:
        self.activity = activity
        self.columns = layer.column[np.lexsort((layer.column, layer.row))]
        self.count = np.bincount(layer.row, minlength=layer.rows + 1)
        self.end = np.cumsum(self.count)
        self.load = np.bincount(layer.row, weights=activity[layer.column], minlength=layer.rows + 1)

    def __getitem__(self, row: int) -> NDArray[np.int32]:
        """Columns of a row, ascending."""
        own: NDArray[np.int32] = self.columns[self.end[row] - self.count[row] : self.end[row]]
        return own

    def sums(self, rows: IntArray, values: FloatArray) -> FloatArray:
        """Sum of a value per column over the columns of each row."""
        total = np.concatenate([[0.0], np.cumsum(np.concatenate([values[self[row]] for row in rows]))])
        end = np.cumsum(self.count[rows])
        sums: FloatArray = total[end] - total[end - self.count[rows]]
        return sums


def _greedy(rows: _Rows, pes: int) -> IntArray:
    """Rows of each PE, shape (pes, slots)."""
    empty = rows.load.size - 1
    places = np.full((pes, -(-empty // pes)), empty)
    used = np.zeros(pes, dtype=np.int64)
    held = np.zeros(pes)
    overlap = np.zeros((rows.activity.size, pes), dtype=np.float32)
    for row in np.argsort(-rows.load[:-1], kind="stable"):
        own = rows[row]
        cost = LOAD_SHARE * held + overlap[own].sum(axis=0)
        p = int(np.argmin(np.where(used < places.shape[1], cost, np.inf)))
        places[p, used[p]] = row
        used[p] += 1
        held[p] += rows.load[row]
        overlap[own, p] += rows.activity[own]
    return places


def _even_columns(places: IntArray, rows: _Rows) -> None:
    """Exchange rows between pairs of PEs, in place, while the sum above goes down."""
    pes, activity = len(places), rows.activity
    counts = np.zeros((pes, activity.size))
    for p, own in enumerate(places):
        for row in own:
            counts[p, rows[row]] += 1
    held = counts @ activity
    # Columns that two rows share on average, as a part of the product of their loads.
    shared = float((activity * counts.sum(axis=0) ** 2).sum()) / max(float(held.sum()) ** 2, 1.0)
    for _ in range(SWEEPS):
        for p in range(pes):
            for q in range(p + 1, pes):
                for _ in range(EXCHANGES):
                    ahead = activity * (counts[p] - counts[q])
                    mine, other = rows.load[places[p]], rows.load[places[q]]
                    moved = mine[:, None] - other
                    gain = (rows.sums(places[p], ahead) - mine)[:, None]
                    gain = gain - (rows.sums(places[q], ahead) + other)
                    gain += moved * (held[p] - held[q] - moved)
                    likely = gain + 2 * shared * mine[:, None] * other
                    i, j = np.unravel_index(int(np.argmax(likely)), gain.shape)
                    r, s = places[p, i], places[q, j]
                    both = np.intersect1d(rows[r], rows[s], assume_unique=True)
                    if gain[i, j] + 2 * activity[both].sum() < 1e-9:
                        break
                    for row, old, new in ((r, p, q), (s, q, p)):
                        counts[old, rows[row]] -= 1
                        counts[new, rows[row]] += 1
                    held[p] -= moved[i, j]
                    held[q] += moved[i, j]
                    places[p, i], places[q, j] = s, r


def _even_loads(places: IntArray, rows: _Rows) -> None:
    """Exchange rows of the heaviest PE, in place, while its load goes down and no other exceeds it."""
    load = rows.load
    held = load[places].sum(axis=1)
    for _ in range(load.size):
        heaviest = int(np.argmax(held))
        lighter = np.argsort(held, kind="stable")[:PARTNERS]
        gap = (held[heaviest] - held[lighter])[:, None, None]
        moved = load[places[heaviest]][:, None] - load[places[lighter]][:, None, :]
        gain = np.minimum(moved, gap - moved)  # how far the heavier of the two comes down
        k, i, j = np.unravel_index(int(np.argmax(gain)), gain.shape)
        if gain[k, i, j] < 1e-9:
            return
        partner = lighter[k]
        held[heaviest] -= moved[k, i, j]
        held[partner] += moved[k, i, j]
        places[heaviest, i], places[partner, j] = places[partner, j], places[heaviest, i]
