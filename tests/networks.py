"""Random compressed networks for tests."""

from itertools import pairwise

import numpy as np

from golden.layers import Layer, Model


def random_layer(
    rng: np.random.Generator,
    rows: int,
    columns: int,
    density: float = 0.3,
    *,
    index_bits: int = 4,
    relu: bool = True,
    bias: int = 1000,
    shift: int = 8,
    largest: int = 2000,
    empty_columns: float = 0.0,
) -> Layer:
    """Make a layer whose weights are kept independently with probability `density`.

    `bias` and `largest` bound the magnitudes of biases and codebook values; `empty_columns` is the
    share of columns without a weight.
    """
    codebook = rng.integers(-largest, largest + 1, 1 << index_bits)
    codebook[codebook == 0] = 1
    codebook[0] = 0
    indices = rng.integers(1, 1 << index_bits, (rows, columns))
    indices[rng.random(indices.shape) >= density] = 0
    indices[:, rng.random(columns) < empty_columns] = 0
    return Layer.from_indices(
        indices,
        codebook,
        rng.integers(-bias, bias + 1, rows),
        weight_fraction=shift,
        input_fraction=0,
        output_fraction=0,
        relu=relu,
    )


def random_model(rng: np.random.Generator, sizes: list[int], density: float = 0.3, **layer: object) -> Model:
    """Make a network with the given vector sizes; the last layer has no ReLU."""
    layers = [
        random_layer(rng, rows, columns, density, relu=i + 2 < len(sizes), **layer)
        for i, (columns, rows) in enumerate(pairwise(sizes))
    ]
    return Model(layers=tuple(layers))
