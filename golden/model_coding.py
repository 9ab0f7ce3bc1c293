"""The choice of a layer's form in a model file, and what each form takes (`golden.model_weights`)."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from golden import encoding, huffman
from golden.layers import Int64Array, Layer

BLOCK = 4096
"""Weights, or places, in a block."""
GROUP = 1024
"""Blocks coded or decoded at once, which bounds the memory that this needs."""
STEP = BLOCK * GROUP
MANTISSA_BITS = 3
SIZE_BITS = 16
FORMS: tuple["Form", ...] = ("packed", "sparse", "dense")

Form = Literal["packed", "sparse", "dense"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Coding:
    """How the weights of a layer are stored, and what that takes.

    Parameters
    ----------
    form : {"packed", "sparse", "dense"}
    run_bits : int
        Run bits that make the entries of the packed form smallest.
    entries : int
        Entries of the packed form.
    mantissa_bits : int
        m of the sparse form.
    index_lengths : array of uint8
        Lengths of the code of the indices, from index 1 on; in the dense form from index 0 on.
    run_lengths : array of uint8
        Lengths of the code of the run symbols.
    index_code_bits, run_code_bits : int
        Bits of all words for indices and for runs, extra bits included; in the packed form, of the two parts
        of all entries.
    table_bits : int
        Bits of both tables.
    block_bits : int
        Bits of the lengths of blocks.
    """

    form: Form
    run_bits: int
    entries: int
    mantissa_bits: int
    index_lengths: NDArray[np.uint8]
    run_lengths: NDArray[np.uint8]
    index_code_bits: int
    run_code_bits: int
    table_bits: int
    block_bits: int

    @property
    def bits(self) -> int:
        """Bits of all weights, without the form, its parameters and what fills up bytes."""
        return self.index_code_bits + self.run_code_bits + self.table_bits + self.block_bits


def run_symbols(gap: Any, mantissa_bits: int) -> tuple[Int64Array, Int64Array]:
    """Symbols of runs of zeros, and the number of extra bits of each.

    A symbol is a small floating-point number: a run of g zeros is (mantissa << e) + extra, where e is as
    small as a mantissa below 2**(m+1) allows, `extra` has e bits, and the symbol is (e << m) + mantissa. So
    runs below 2**(m+1) have symbols of their own.

    Parameters
    ----------
    gap : array of int, below 2**40
    mantissa_bits : int
        m.

    >>> symbol, extra = run_symbols([0, 7, 8, 9, 10, 16, 20], 2)
    >>> symbol.tolist(), extra.tolist()
    ([0, 7, 8, 8, 9, 12, 13], [0, 0, 1, 1, 1, 2, 2])
    """
    gap = np.asarray(gap, dtype=np.int64)
    _, length = np.frexp(gap.astype(np.float64))  # exact: a gap has at most 40 bits
    extra = np.maximum(length.astype(np.int64) - 1 - mantissa_bits, 0)
    return (extra << mantissa_bits) + (gap >> extra), extra


def extra_bits(symbol: Any, mantissa_bits: int) -> Int64Array:
    """Number of extra bits of run symbols.

    >>> extra_bits([0, 7, 8, 11, 12], 2).tolist()
    [0, 0, 1, 1, 2]
    """
    symbol = np.asarray(symbol, dtype=np.int64)
    result: Int64Array = np.maximum((symbol >> mantissa_bits) - 1, 0)
    return result


def gaps(layer: Layer, start: int, stop: int) -> Int64Array:
    """Zeros before each of the weights start to stop - 1, the matrix read column by column."""
    before = int(layer.places(start - 1, start)[0]) if start else -1
    return np.diff(layer.places(start, stop), prepend=before) - 1


def histogram(layer: Layer) -> tuple[Int64Array, Int64Array]:
    """Runs of zeros before the weights of a layer, and how often each occurs."""
    few = np.zeros(1 << 16, dtype=np.int64)
    longer = []
    for start in range(0, layer.nnz, STEP):
        gap = gaps(layer, start, start + STEP)
        short = gap < few.size
        few += np.bincount(gap[short], minlength=few.size)
        longer.append(gap[~short])
    values, times = np.unique(np.concatenate([np.zeros(0, np.int64), *longer]), return_counts=True)
    present = np.flatnonzero(few)
    return np.concatenate([present, values]), np.concatenate([few[present], times])


def plan(layer: Layer, values: int) -> Coding:
    """Choose the smallest form.

    Parameters
    ----------
    layer : Layer
    values : int
        K, codebook values that the file stores, at least the largest index.
    """
    gap, times = histogram(layer)
    packed = _plan_packed(layer, gap, times)
    if not layer.nnz:
        return packed
    counts = np.bincount(layer.index, minlength=values + 1)
    coded = [_plan_sparse(layer, counts, gap, times, packed)]
    places = layer.rows * layer.columns
    if places <= 4 * layer.nnz:  # with more, a bit for each place is more than the runs take
        counts[0] = places - layer.nnz
        coded.append(_plan_dense(counts, packed))
    return min(packed, *coded, key=lambda coding: coding.bits)


def _plan_packed(layer: Layer, gap: Int64Array, times: Int64Array) -> Coding:
    entries = {
        run_bits: int(encoding.entry_counts(gap, run_bits) @ times)
        for run_bits in range(1, 17 - layer.index_bits)
    }
    run_bits = min(entries, key=lambda run_bits: entries[run_bits] * (layer.index_bits + run_bits))
    return Coding(
        form="packed",
        run_bits=run_bits,
        entries=entries[run_bits],
        mantissa_bits=0,
        index_lengths=np.zeros(0, dtype=np.uint8),
        run_lengths=np.zeros(0, dtype=np.uint8),
        index_code_bits=entries[run_bits] * layer.index_bits,
        run_code_bits=entries[run_bits] * run_bits,
        table_bits=0,
        block_bits=0,
    )


def _plan_sparse(
    layer: Layer, counts: Int64Array, gap: Int64Array, times: Int64Array, packed: Coding
) -> Coding:
    index_lengths = huffman.lengths(counts[1:])
    alone = np.count_nonzero(index_lengths) == 1
    index_table = sum(huffman.write_table(index_lengths)[1])
    codings = []
    for mantissa_bits in range(1 << MANTISSA_BITS):
        symbol, extra = run_symbols(gap, mantissa_bits)
        run_counts = np.zeros(int(symbol.max()) + 1, dtype=np.int64)
        np.add.at(run_counts, symbol, times)
        run_lengths = huffman.lengths(run_counts)
        codings.append(
            replace(
                packed,
                form="sparse",
                mantissa_bits=mantissa_bits,
                index_lengths=index_lengths,
                run_lengths=run_lengths,
                index_code_bits=0 if alone else int(index_lengths @ counts[1:]),
                run_code_bits=int(run_lengths @ run_counts + extra @ times),
                table_bits=index_table + sum(huffman.write_table(run_lengths)[1]),
                block_bits=_block_bits(layer.nnz),
            )
        )
    return min(codings, key=lambda coding: coding.bits)


def _plan_dense(counts: Int64Array, packed: Coding) -> Coding:
    lengths = huffman.lengths(counts)
    return replace(
        packed,
        form="dense",
        index_lengths=lengths,
        index_code_bits=int(lengths @ counts),
        run_code_bits=0,
        table_bits=sum(huffman.write_table(lengths)[1]),
        block_bits=_block_bits(int(counts.sum())),
    )


def _block_bits(count: int) -> int:
    return 0 if count <= BLOCK else -(-count // BLOCK) * SIZE_BITS
