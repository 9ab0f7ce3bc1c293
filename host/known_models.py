"""Networks of known shape with random numbers: what boards are sized for and benchmarks time.

They are drawn, not trained, so they say how fast a shape of such densities runs and whether it fits, nothing
else. Balanced codebooks and ReLU leave half of every hidden layer's activations at zero.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from golden.dense import INT8_MAX
from golden.errors import UsageError
from golden.layers import Model
from host.bench_layers import INDEX_BITS, LARGEST_WEIGHT, SUM_LIMIT, make_layer


@dataclass(frozen=True)
class NetworkShape:
    """A network's sizes and densities.

    Parameters
    ----------
    name : str
    sizes : tuple of int
        Lengths of the input and of each layer's output.
    weights : tuple of float
        Share of each layer's weights that is not zero.
    activations : float
        Share of the input that is not zero.
    """

    name: str
    sizes: tuple[int, ...]
    weights: tuple[float, ...]
    activations: float


NETWORKS = (
    NetworkShape("lenet-300-100", (784, 300, 100, 10), (0.08, 0.09, 0.26), 0.19),
    NetworkShape("784-1024-1024-10", (784, 1024, 1024, 10), (0.1, 0.1, 0.1), 0.19),
)
"""LeNet-300-100 as pruned by Han et al. (NIPS 2015, Table 3), and a larger one of 10 %."""


def network(name: str) -> NetworkShape:
    """The shape of this name.

    Raises
    ------
    UsageError
        If there is none.

    >>> network("lenet-300-100").sizes
    (784, 300, 100, 10)
    """
    for shape in NETWORKS:
        if shape.name == name:
            return shape
    known = ",".join(shape.name for shape in NETWORKS)
    raise UsageError(f"there is no network {name!r}; choose from {known}")


def random_model(shape: NetworkShape, seed: int = 0) -> Model:
    """Draw a network; the same seed gives the same one.

    Returns
    -------
    Model
        Indices of 4 bits, no biases, ReLU behind every layer but the last.

    >>> [layer.nnz for layer in random_model(network("lenet-300-100")).layers]
    [18816, 2700, 260]
    """
    rng = np.random.default_rng(seed)
    layers = []
    for keep, columns, rows in zip(shape.weights, shape.sizes[:-1], shape.sizes[1:], strict=True):
        place = np.sort(rng.choice(rows * columns, round(keep * rows * columns), replace=False))
        column, row = np.divmod(place, rows)
        fullest = int(np.bincount(row).max())
        values = rng.integers(1, min(LARGEST_WEIGHT, SUM_LIMIT // fullest) + 1, 1 << INDEX_BITS)
        codebook = np.repeat(values[1 : values.size // 2], 2) * np.tile([1, -1], values.size // 2 - 1)
        codebook = np.array(
            [0, *codebook, 1]
        )  # each value with its negative, so that sums are of either sign
        index = rng.integers(1, codebook.size, place.size)
        layers.append(make_layer((rows, columns), row, column, index, codebook))
    # The inputs fill int8, where what lies between the layers fills int16.
    layers[0] = replace(layers[0], weight_fraction=max(0, layers[0].weight_fraction - 8))
    return Model(layers=(*(replace(layer, relu=True) for layer in layers[:-1]), layers[-1]))


def random_inputs(shape: NetworkShape, count: int, seed: int = 0) -> NDArray[np.int16]:
    """Draw inputs of the shape's density, shape (count, inputs): like pixels, none is negative, all fit int8.

    >>> float((random_inputs(network("lenet-300-100"), 1) != 0).mean().round(2))
    0.19
    """
    rng = np.random.default_rng([seed, count])
    values = np.zeros((count, shape.sizes[0]), dtype=np.int16)
    for row in values:
        active = rng.choice(row.size, round(shape.activations * row.size), replace=False)
        row[active] = rng.integers(1, INT8_MAX + 1, active.size)
    return values
