"""What the weights of a layer take in a model file, before and after Huffman coding."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden import model_coding, model_order
from golden.layers import Layer
from golden.model import stored_values


@dataclass(frozen=True, kw_only=True)
class LayerSizes:
    """Sizes of a layer's weights; entropies are of single symbols, as they occur.

    Parameters
    ----------
    form : {"packed", "sparse", "dense"}
        How the file stores them (`golden.model_weights`); dense has no runs, but an index for every place.
    packed_bytes : int
        As entries of the best number of run bits, column by column.
    coded_bytes : int
        As the file stores them, tables included.
    table_bytes : float
        Tables alone.
    index_bits_packed, index_bits_coded, index_entropy : float
        Bits of the weight indices, for each weight; packed, escapes have an index too.
    run_bits_packed, run_bits_coded, run_entropy : float
        Bits of the runs of zeros, for each weight.
    """

    form: str
    packed_bytes: int
    coded_bytes: int
    table_bytes: float
    index_bits_packed: float
    index_bits_coded: float
    index_entropy: float
    run_bits_packed: float
    run_bits_coded: float
    run_entropy: float


def layer_sizes(layer: Layer) -> LayerSizes:
    """Sizes of a layer's weights.

    >>> layer = Layer.from_indices([[0, 1, 1, 2] * 50], [0, 5, 6, -7], [0])
    >>> sizes = layer_sizes(layer)
    >>> sizes.form, sizes.packed_bytes, sizes.coded_bytes, round(sizes.index_entropy, 3)
    ('dense', 57, 17, 0.918)
    """
    coding = model_coding.plan(layer, stored_values(layer))
    by_columns = next(model_order.orders(layer))
    gap, times = model_coding.histogram(model_order.Sequence(layer, by_columns))
    packed = model_coding.plan_packed(layer, by_columns, gap, times)
    weights = max(1, layer.nnz)
    return LayerSizes(
        form=coding.form,
        packed_bytes=-(-(packed.index_code_bits + packed.run_code_bits) // 8),
        coded_bytes=-(-coding.bits // 8),
        table_bytes=coding.table_bits / 8,
        index_bits_packed=packed.index_code_bits / weights,
        index_bits_coded=coding.index_code_bits / weights,
        index_entropy=entropy(np.bincount(layer.index)),
        run_bits_packed=packed.run_code_bits / weights,
        run_bits_coded=coding.run_code_bits / weights,
        run_entropy=entropy(times),
    )


def entropy(counts: NDArray[np.int64]) -> float:
    """Bits that a symbol carries on average, if symbols occur as often as counted.

    >>> entropy(np.array([2, 1, 1, 0]))
    1.5
    """
    present = counts[counts > 0]
    total = int(present.sum())
    return float(present @ np.log2(total / present) / total) if total else 0.0
