"""Weight sharing: 1-D k-means over a layer's kept weights (Han et al., ICLR 2016).

Negative and positive weights are clustered apart, each side with its share of the centroids, so that no
centroid settles in the empty gap that pruning leaves around zero. The clusters are the optimal ones of
`host.exact_clusters`, or those of Lloyd's algorithm from evenly spaced centroids, as in the paper. On sorted
weights a cluster is an interval, its sum and sum of squares are differences of running totals, and a round of
Lloyd costs k look-ups.
"""

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from golden.codebook import MAX_INDEX_BITS, assign
from golden.errors import UsageError
from host.exact_clusters import Clusterings, best_counts
from host.network import DenseLayer, SharedLayer, sorted_places

FloatArray = NDArray[np.float64]
MAX_ROUNDS = 300

Sharing = Literal["exact", "lloyd"]
SHARINGS: tuple[Sharing, ...] = get_args(Sharing)


def check_weight_bits(weight_bits: int) -> None:
    """Refuse a number of weight-index bits that no codebook can have.

    Raises
    ------
    UsageError
    """
    if not 1 <= weight_bits <= MAX_INDEX_BITS:
        raise UsageError(f"--weight-bits must be from 1 to {MAX_INDEX_BITS}, not {weight_bits}; 4 is usual")


def check_sharing(sharing: str) -> None:
    """Refuse a way of sharing weights that there is none of.

    Raises
    ------
    UsageError
    """
    if sharing not in SHARINGS:
        raise UsageError(f"--sharing must be {' or '.join(SHARINGS)}, not {sharing!r}")


def cluster(ordered: Any, count: int, start: Any = None) -> FloatArray:
    """Centroids of sorted values by Lloyd's algorithm.

    A centroid that is left without values moves to where it helps most: it splits the cluster of the largest
    squared error at its mean plus and minus its standard deviation.

    Parameters
    ----------
    ordered : array of float, shape (n,)
        In ascending order, n at least 1.
    count : int
        Centroids wanted, at least 1.
    start : array of float, shape (k,), optional
        Centroids to begin with, in ascending order; by default evenly spaced ones.

    Returns
    -------
    array of float64, shape (k,)
        In ascending order, distinct; k is `count`, or less if there are fewer distinct values.

    >>> cluster([1.0, 1.5, 5.0, 5.5, 100.0], 3).tolist()
    [1.25, 5.25, 100.0]
    """
    values = np.asarray(ordered, dtype=np.float64)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    squares = np.concatenate([[0.0], np.cumsum(values * values)])
    centroids: FloatArray = np.unique(np.linspace(values[0], values[-1], count) if start is None else start)
    edges = np.zeros(0, dtype=np.intp)
    for _ in range(MAX_ROUNDS):
        previous = edges
        middles = centroids[:-1] + np.diff(centroids) / 2
        edges = np.unique(np.searchsorted(values, middles, side="right"))
        edges = np.concatenate([[0], edges[(edges > 0) & (edges < values.size)], [values.size]])
        sizes = np.diff(edges)
        centroids = np.unique(np.diff(sums[edges]) / sizes)
        if sizes.size == count and np.array_equal(edges, previous):
            break
        if sizes.size < count:
            means = np.diff(sums[edges]) / sizes
            error = np.maximum(np.diff(squares[edges]) - means * means * sizes, 0.0)
            error[values[edges[:-1]] == values[edges[1:] - 1]] = 0.0
            if not error.any():
                break
            worst = np.argsort(-error, kind="stable")[: count - sizes.size]
            spread = np.sqrt(error / sizes)[worst]
            halves = np.concatenate([means[worst] - spread, means[worst] + spread])
            centroids = np.unique(np.concatenate([np.delete(means, worst), halves]))
    # differences of running totals lose the last digits, which a small centroid beside large ones needs
    means = np.add.reduceat(values, edges[:-1]) / np.diff(edges)
    return np.unique(means)


def centroids_for(values: Any, weight_bits: int, name: str, sharing: Sharing = "exact") -> FloatArray:
    """At most 2**weight_bits - 1 values that stand for the nonzero weights of a layer.

    A layer with few enough distinct weights keeps them exactly.

    Parameters
    ----------
    values : array of float, shape (n,)
        None is zero.
    weight_bits : int
    name : str
        Of the layer.
    sharing : {"exact", "lloyd"}
        Clusters of the least squared error, the split of the centroids between the signs included; or
        Lloyd's algorithm, with the centroids of a side in proportion to (n * variance)**(1/3), which
        minimises the squared error of evenly spread weights.

    Raises
    ------
    UsageError
        If one value would have to stand for weights of both signs.
    """
    ordered = np.sort(values)
    count = (1 << weight_bits) - 1
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]]) if ordered.size else np.zeros(0, dtype=bool)
    if np.count_nonzero(first) <= count:
        return np.array(ordered[first], dtype=np.float64)
    zero = int(np.searchsorted(ordered, 0.0))
    sides = [side for side in (ordered[:zero], ordered[zero:]) if side.size]
    if len(sides) == 2 and count < 2:
        raise UsageError(
            f"layer {name} has weights of both signs, which the one codebook value of --weight-bits 1 cannot "
            "stand for; give --weight-bits 2 or more"
        )
    if sharing == "exact":
        return _exact_centroids(sides, count)
    if len(sides) == 1:
        return cluster(ordered, count)
    need = [max(float(np.var(side, dtype=np.float64)) * side.size, 1e-300) ** (1 / 3) for side in sides]
    negative = min(max(round(count * need[0] / sum(need)), 1), count - 1)
    return np.concatenate([cluster(sides[0], negative), cluster(sides[1], count - negative)])


def _exact_centroids(sides: list[Any], count: int) -> FloatArray:
    """Centroids of the least squared error, of one or two sides.

    A round of Lloyd leaves the best clusters as they are, and mends those of values that were too many to be
    looked at one by one.
    """
    found = [Clusterings(side, count) for side in sides]
    centroids = []
    for side, clusters, number in zip(sides, found, best_counts(found, count), strict=True):
        starts = clusters.starts(number)
        means = np.add.reduceat(side, starts, dtype=np.float64) / np.diff(starts, append=side.size)
        centroids.append(cluster(side, number, means))
    return np.concatenate(centroids)


def share(layer: DenseLayer, mask: Any, weight_bits: int, sharing: Sharing = "exact") -> SharedLayer:
    """Replace the kept weights of a layer by the nearest of a few shared values.

    Parameters
    ----------
    layer : DenseLayer
    mask : array of bool, shape (rows, columns)
        The kept places; see `host.pruning`.
    weight_bits : int
        Most bits of a weight index, 1 to 8. Fewer are used where they hold all distinct weights.
    sharing : {"exact", "lloyd"}
        How; see `centroids_for`.

    Returns
    -------
    SharedLayer

    Raises
    ------
    UsageError
        For weight bits that the layer cannot do with, or a way of sharing that there is none of.
    """
    check_weight_bits(weight_bits)
    check_sharing(sharing)
    row, column = sorted_places(mask)
    values = layer.weights[row, column]
    centroids = centroids_for(values, weight_bits, layer.name, sharing)
    index_bits = max(1, int(centroids.size).bit_length())
    codebook = np.zeros(1 << index_bits, dtype=np.float64)
    codebook[1 : centroids.size + 1] = centroids
    index = assign(values, centroids) + 1 if values.size else np.zeros(0)
    return SharedLayer(
        rows=layer.weights.shape[0],
        columns=layer.weights.shape[1],
        index_bits=index_bits,
        codebook=codebook,
        row=row,
        column=column,
        index=index.astype(np.uint8),
        bias=layer.bias.astype(np.float64),
        relu=layer.relu,
        name=layer.name,
    )
