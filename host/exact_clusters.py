"""Optimal 1-D k-means: the clusters of least squared error, for one number of clusters after the other.

On sorted values a cluster is an interval, and the least error D of c clusters of the first j values is

    D[c, j] = min over i of D[c - 1, i] + error of one cluster of values i to j - 1.

The best i never decreases as j grows, so a row of D is found by divide and conquer in O(n log n) (Wu, Optimal
Quantization by Matrix Searching, J. Algorithms 1991; Wang and Song, Ckmeans.1d.dp, The R Journal 2011). Here
all middles of one depth are found together, in a few NumPy operations over about n numbers.

Equal values are one point with a weight. Beyond `WORK` points times clusters, neighbouring points are taken
together first, in at most `GROUPS` groups: the result is then the best of which no border cuts a group.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

WORK = 1 << 22
"""Points times clusters up to which the result is exact: 279,000 weights at 15 centroids, 16,000 at 255."""
GROUPS = 8192
"""Points that are left, at most, where there are more."""


class Clusterings:
    """The clusters of least squared error of sorted values, for 1, 2, ... clusters as they are asked for.

    Exact up to the rounding of sums in float64, which is relative to the values' variance; see the module for
    what becomes of very many values.

    Parameters
    ----------
    ordered : array of float, shape (n,)
        In ascending order, n at least 1.
    most : int
        Most clusters that will be asked for.

    Examples
    --------
    >>> found = Clusterings([1.0, 1.5, 5.0, 5.5, 100.0], 3)
    >>> [round(found.error(count), 3) for count in (1, 2, 3)]
    [7504.7, 16.25, 0.25]
    >>> found.starts(3).tolist(), found.starts(2).tolist()
    ([0, 2, 4], [0, 4])
    """

    def __init__(self, ordered: Any, most: int) -> None:
        values = np.asarray(ordered)
        borders = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
        if borders.size > max(WORK // most, GROUPS):
            borders = borders[_group(values[borders])]
        shifted = values.astype(np.float64) - float(np.mean(values, dtype=np.float64))
        self._borders: IntArray = np.concatenate([borders, [values.size]])
        self._weight = self._borders.astype(np.float64)
        self._total = _running(np.add.reduceat(shifted, borders))
        self._square = _running(np.add.reduceat(shifted * shifted, borders))
        self.points = borders.size
        row = self._square - self._total * self._total / np.maximum(self._weight, 1.0)
        row[0] = np.inf
        self._row = row
        self._origins = [np.zeros(row.size, dtype=np.int32)]
        self._errors = [float(row[-1])]

    def error(self, count: int) -> float:
        """Least sum of squared distances of the values from the means of `count` clusters, at least 1."""
        count = min(count, self.points)
        while len(self._errors) < count:
            self._grow()
        return max(self._errors[count - 1], 0.0)

    def starts(self, count: int) -> IntArray:
        """Positions at which `count` clusters begin, the first 0; less if fewer values differ."""
        self.error(count)
        stop = self.points
        starts = []
        for origin in reversed(self._origins[:count]):
            stop = int(origin[stop])
            starts.append(stop)
        return self._borders[starts[::-1]]

    def _grow(self) -> None:
        """Find the row of one cluster more.

        Middles are places of the row at odd multiples of a stride; what the best origins of their neighbours,
        at multiples of twice the stride, leave between them is looked through.
        """
        weight, total, square = self._weight, self._total, self._square
        first = len(self._errors)
        places = self.points - first
        begun = self._row - square
        row = np.full(self.points + 1, np.inf)
        origin = np.full(places + 2, first, dtype=np.int64)  # at first + place; the one beyond is a bound
        origin[places + 1] = self.points
        for depth in reversed(range(places.bit_length())):
            stride = 1 << depth
            middle = np.arange(stride, places + 1, 2 * stride)
            low = origin[middle - stride]
            high = np.minimum(origin[np.minimum(middle + stride, places + 1)], first + middle - 1)
            sizes = high - low + 1
            ends = np.cumsum(sizes)
            begins = ends - sizes
            tried = np.arange(ends[-1]) + np.repeat(low - begins, sizes)
            sums = np.repeat(total[first + middle], sizes) - total[tried]
            sums *= sums
            sums /= np.repeat(weight[first + middle], sizes) - weight[tried]
            errors = begun[tried] - sums
            least = np.minimum.reduceat(errors, begins)
            hits = np.flatnonzero(errors == np.repeat(least, sizes))
            origin[middle] = tried[hits[np.searchsorted(hits, begins)]]
            row[first + middle] = least + square[first + middle]
        kept = np.zeros(self.points + 1, dtype=np.int32)
        kept[first + 1 :] = origin[1:-1]
        self._row = row
        self._origins.append(kept)
        self._errors.append(float(row[-1]))


def _running(values: FloatArray) -> FloatArray:
    """Sums of the first 0, 1, ... values, added up with a few bits more than they are kept in."""
    return np.concatenate([[0.0], np.cumsum(values, dtype=np.longdouble).astype(np.float64)])


def _group(values: Any) -> NDArray[np.intp]:
    """Where groups of sorted distinct values begin, as dense as the cube root of the values' own density.

    So lie the best centroids of very many clusters (Panter and Dite, Proc. IRE 1951), which keeps outliers
    apart; a gap between two of n values is 1 / (n * density).
    """
    places = np.cumsum(np.diff(values, prepend=values[0]).astype(np.float64) ** (2 / 3))
    return np.unique(np.searchsorted(places, np.linspace(0, places[-1], GROUPS, endpoint=False)))


def best_counts(sides: Sequence[Clusterings], count: int) -> list[int]:
    """How many of `count` clusters each set of values gets, at least one, for the least error together.

    The least error is a convex function of the number of clusters (Aggarwal, Schieber and Tokuyama, Discrete
    & Computational Geometry 1994), so each cluster may go to where one more helps most.

    >>> sides = Clusterings([-9.0, -8.0], 2), Clusterings([1.0, 2.0, 30.0, 31.0], 2)
    >>> best_counts(sides, 3)
    [1, 2]
    """
    counts = [1] * len(sides)
    for _ in range(count - len(sides)):
        gains = [side.error(now) - side.error(now + 1) for side, now in zip(sides, counts, strict=True)]
        counts[gains.index(max(gains))] += 1
    return counts
