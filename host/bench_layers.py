"""The nine layers of EIE's Table III and IV as random matrices, and any other layer that is to be timed.

A random matrix keeps each weight, and its vector each activation, independently with the layer's probability,
so no structure of the trained networks is in it: EIE's published figures belong to other matrices.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from golden.errors import UsageError
from golden.fixed_point import INT16_MAX
from golden.layers import Layer

Rows = Literal["uniform", "lognormal"]

INDEX_BITS = 4
SIGMA = 0.6
"""Of the lognormal factor of a row's density."""
LARGEST_WEIGHT = 1000
SUM_LIMIT = (1 << 31) // INT16_MAX - 1
"""Largest sum of a row's |w| that an accumulator of 32 bits allows."""
BLOCK = 1 << 22
"""Places of a matrix that are drawn at a time."""


@dataclass(frozen=True)
class Shape:
    """One of the nine layers.

    Parameters
    ----------
    name : str
    columns, rows : int
        Inputs and outputs.
    weights, activations : float
        Share that is not zero.
    eie_cycles : int
        Cycles that EIE's silicon took, with 64 PEs at 800 MHz on the trained matrix.
    eie_us : float
        The same in microseconds, as published.
    """

    name: str
    columns: int
    rows: int
    weights: float
    activations: float
    eie_cycles: int
    eie_us: float


SHAPES = (
    Shape("Alex-6", 9216, 4096, 0.09, 0.351, 24240, 30.3),
    Shape("Alex-7", 4096, 4096, 0.09, 0.353, 9760, 12.2),
    Shape("Alex-8", 4096, 1000, 0.25, 0.375, 7920, 9.9),
    Shape("VGG-6", 25088, 4096, 0.04, 0.183, 27520, 34.4),
    Shape("VGG-7", 4096, 4096, 0.04, 0.375, 6960, 8.7),
    Shape("VGG-8", 4096, 1000, 0.23, 0.411, 6720, 8.4),
    Shape("NT-We", 4096, 600, 0.10, 1.0, 6400, 8.0),
    Shape("NT-Wd", 600, 8791, 0.11, 1.0, 11120, 13.9),
    Shape("NT-LSTM", 1201, 2400, 0.10, 1.0, 6000, 7.5),
)
"""Sizes, densities and EIE's actual times (Han et al., ISCA 2016, Tables III and IV)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """A layer with the vector that is timed on it.

    Parameters
    ----------
    name : str
    layer : Layer
    vector : array of int16, shape (columns,)
    activity : array of float, shape (columns,), or None
        Share of other inputs for which each column is active, if any were given; placement may use it.
    rows : {"uniform", "lognormal", "given"}
        How the rows' densities were drawn.
    seed : int or None
    shape : Shape or None
        Which of the nine layers it is, if it is one.
    """

    name: str
    layer: Layer
    vector: NDArray[np.int16]
    activity: NDArray[np.float64] | None = None
    rows: str = "given"
    seed: int | None = None
    shape: Shape | None = None

    @property
    def nnz_active(self) -> int:
        """Nonzero weights in columns of nonzero activations: the work that has to be done."""
        return int(self.layer.column_counts[self.vector != 0].sum())


def select(names: str | None) -> list[Shape]:
    """The layers of a comma-separated list, in the order of `SHAPES`; all of them for None.

    Raises
    ------
    UsageError
        For a name that is none of theirs.

    >>> [shape.name for shape in select("NT-We,Alex-7")]
    ['Alex-7', 'NT-We']
    """
    if names is None:
        return list(SHAPES)
    known = [shape.name for shape in SHAPES]
    wanted = names.split(",")
    for name in wanted:
        if name not in known:
            raise UsageError(f"there is no layer {name!r}; choose from {','.join(known)}")
    return [shape for shape in SHAPES if shape.name in wanted]


def make_case(shape: Shape, seed: int, rows: Rows) -> Case:
    """Draw one of the nine layers; the other layers and the other kind of rows leave its numbers alone."""
    rng = np.random.default_rng([seed, [other.name for other in SHAPES].index(shape.name)])
    layer, vector = draw(shape, rng, rows)
    return Case(name=shape.name, layer=layer, vector=vector, rows=rows, seed=seed, shape=shape)


def draw(shape: Shape, rng: np.random.Generator, rows: Rows) -> tuple[Layer, NDArray[np.int16]]:
    """Draw a matrix and a vector.

    Parameters
    ----------
    shape : Shape
    rng : numpy.random.Generator
    rows : {"uniform", "lognormal"}
        With the latter the density of each row is multiplied by a lognormal factor of sigma `SIGMA`,
        normalised to the same mean and clipped to 1.

    Returns
    -------
    layer : Layer
        A codebook of 15 random values, small enough for the accumulators' bound; no bias, no ReLU.
    vector : array of int16, shape (columns,)
        Nonzero activations are of either sign and any magnitude.

    >>> tiny = Shape("tiny", 40, 30, 0.5, 0.5, 0, 0.0)
    >>> layer, vector = draw(tiny, np.random.default_rng(1), "lognormal")
    >>> layer.nnz, int(np.count_nonzero(vector))
    (599, 19)
    """
    density = np.full(shape.rows, shape.weights)
    if rows == "lognormal":
        factor = rng.lognormal(sigma=SIGMA, size=shape.rows)
        density = np.minimum(density * factor / factor.mean(), 1.0)
    kept = []
    block = max(1, BLOCK // shape.rows)
    for first in range(0, shape.columns, block):
        count = min(block, shape.columns - first)
        column, row = np.nonzero(rng.random((count, shape.rows), dtype=np.float32) < density)
        kept.append((column + first, row))
    columns, places = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    fullest = int(np.bincount(places, minlength=1).max())
    largest = min(LARGEST_WEIGHT, SUM_LIMIT // max(fullest, 1))
    codebook = rng.integers(1, largest + 1, 1 << INDEX_BITS) * rng.choice([-1, 1], 1 << INDEX_BITS)
    codebook[0] = 0
    index = rng.integers(1, 1 << INDEX_BITS, places.size)
    layer = make_layer((shape.rows, shape.columns), places, columns, index, codebook)
    vector = rng.integers(1, INT16_MAX + 1, shape.columns) * rng.choice([-1, 1], shape.columns)
    vector[rng.random(shape.columns) >= shape.activations] = 0
    return layer, vector.astype(np.int16)


def make_layer(shape: Sequence[int], row: Any, column: Any, index: Any, codebook: Any) -> Layer:
    """Make a layer without bias and ReLU, whose outputs seldom saturate.

    Parameters
    ----------
    shape : (rows, columns)
    row, column, index : array of int, shape (nnz,)
        Places, sorted by column, then row, and codebook indices.
    codebook : array of int, shape (2**b,)

    Notes
    -----
    The shift suits activations of full size and random sign. It comes from the weights alone: placement sees
    the layer, and must not learn anything of the vector.
    """
    values = np.asarray(codebook, dtype=np.int64)
    squares = np.bincount(row, weights=(values**2)[index], minlength=1)
    return Layer(
        rows=shape[0],
        columns=shape[1],
        index_bits=int(values.size - 1).bit_length(),
        codebook=values.astype(np.int16),
        row=np.asarray(row, dtype=np.int32),
        column=np.asarray(column, dtype=np.int32),
        index=np.asarray(index, dtype=np.uint8),
        bias=np.zeros(shape[0], dtype=np.int64),
        weight_fraction=int(2 * np.sqrt(squares.max())).bit_length(),
        input_fraction=0,
        output_fraction=0,
        relu=False,
    )
