"""Is one classifier better than another on the same images? Paired disagreements, and intervals.

Two networks that are right on the same images do not differ, whatever the second decimal says: only the
images on which one is right and the other wrong tell anything (McNemar, Psychometrika 12, 1947). Where
several networks of each kind were trained, or several images were made from one, these are not independent
draws; the interval of the mean difference then comes from a bootstrap over originals and seeds.
"""

from dataclasses import dataclass
from math import comb, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
DRAWS = 4000

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Ours against another network, all seeds together.

    Parameters
    ----------
    only_ours, only_other : tuple of int
        For each seed, images on which only one of the two is right.
    p : tuple of float
        For each seed, the exact two-sided probability of so uneven a split if both were equally good.
    difference : float
        Mean accuracy of ours minus the other's.
    low, high : float
        Ends of the 95 % interval of the difference.
    """

    only_ours: tuple[int, ...]
    only_other: tuple[int, ...]
    p: tuple[float, ...]
    difference: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """In plain words, from the interval."""
        if self.low > 0:
            return "ours above"
        return "ours below" if self.high < 0 else "no difference shown"


def wilson(right: float, count: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval of a share (JASA 22, 1927); `right` may be a mean, no integer.

    >>> [round(end, 4) for end in wilson(9, 10)]
    [0.5958, 0.9821]
    """
    if count < 1 or not 0 <= right <= count:
        raise ValueError(f"right must be from 0 to count, and count at least 1, not {right} of {count}")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = right / count
    middle = share + z * z / (2 * count)
    half = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return (middle - half) / scale, (middle + half) / scale


def sign_test(first: int, second: int) -> float:
    """Exact two-sided p of a split of `first + second` coin throws at least as uneven as this one.

    >>> sign_test(0, 5), sign_test(3, 3)
    (0.0625, 1.0)
    """
    count, fewer = first + second, min(first, second)
    tail = sum(comb(count, k) for k in range(fewer + 1))
    return min(1.0, 2 * tail / (1 << count))


def compare(ours: Any, other: Any, groups: Any, seed: int = 1) -> Comparison:
    """Compare networks trained with the same seeds on the same images.

    Parameters
    ----------
    ours, other : array of bool, shape (seeds, images)
        Where the network of a seed is right.
    groups : array of int, shape (images,)
        Number of the original that each image was made from; originals are drawn as a whole.
    seed : int
        Of the bootstrap.
    """
    ours, other = np.asarray(ours, dtype=bool), np.asarray(other, dtype=bool)
    if ours.shape != other.shape or ours.ndim != 2 or np.shape(groups) != ours.shape[1:]:
        raise ValueError(
            f"ours, other and groups must have shapes (seeds, images), the same, and (images,), "
            f"not {ours.shape}, {other.shape} and {np.shape(groups)}"
        )
    only_ours = tuple(int(n) for n in np.count_nonzero(ours & ~other, axis=1))
    only_other = tuple(int(n) for n in np.count_nonzero(other & ~ours, axis=1))
    low, high = interval(ours.astype(np.float64) - other, groups, seed)
    return Comparison(
        only_ours=only_ours,
        only_other=only_other,
        p=tuple(sign_test(a, b) for a, b in zip(only_ours, only_other, strict=True)),
        difference=float(ours.mean() - other.mean()),
        low=low,
        high=high,
    )


def interval(values: Any, groups: Any, seed: int = 1) -> tuple[float, float]:
    """Bootstrap interval of a mean over seeds and images, both drawn anew, images by their originals.

    Parameters
    ----------
    values : array of float, shape (seeds, images)
    groups : array of int, shape (images,)
    seed : int
    """
    values = np.asarray(values, dtype=np.float64)
    _, member, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    totals = np.stack([np.bincount(member, weights=row) for row in values])
    rng = np.random.default_rng(seed)
    seeds = rng.integers(len(totals), size=(DRAWS, len(totals)))
    weight = np.stack([np.bincount(draw, minlength=len(totals)) for draw in seeds]) / len(totals)
    times = rng.multinomial(sizes.size, np.full(sizes.size, 1 / sizes.size), size=DRAWS)
    means = np.einsum("ds,ds->d", weight, times @ totals.T) / (times @ sizes)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
