"""The choice of how a model file stores a layer's weights, and what that takes (`golden.model_weights`)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from golden import encoding, index_code, model_blocks, model_order, number_code
from golden.index_code import IndexCode
from golden.layers import Int64Array, Layer
from golden.model_order import Order, Sequence
from golden.number_code import NumberCode

FORMS: tuple["Form", ...] = ("packed", "sparse", "dense")

Form = Literal["packed", "sparse", "dense"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Coding:
    """How the weights of a layer are stored, and what that takes.

    Parameters
    ----------
    form : {"packed", "sparse", "dense"}
    order : Order
    run_bits, entries : int
        Run bits that make the entries of the packed form smallest in this order, and their number.
    index_code : IndexCode or None
        Code of the indices from 1 on, in the sparse form, or from 0 on, in the dense form.
    run_code : NumberCode or None
        Code of the zeros before a weight, in the sparse form.
    index_code_bits, run_code_bits : int
        Bits of all words for indices and for runs, extra bits included; in the packed form, of the two parts
        of all entries.
    table_bits : int
        Bits of both tables.
    block_bits : int
        Bits of the lengths of blocks.
    """

    form: Form
    order: Order
    run_bits: int
    entries: int
    index_code: IndexCode | None
    run_code: NumberCode | None
    index_code_bits: int
    run_code_bits: int
    table_bits: int
    block_bits: int

    @property
    def bits(self) -> int:
        """Bits of all weights, without the form, their number, and what fills up bytes."""
        data_bits = self.index_code_bits + self.run_code_bits
        return self.order.bits + self.table_bits + self.block_bits + data_bits


def histogram(sequence: Sequence) -> tuple[Int64Array, Int64Array]:
    """Runs of zeros before the weights of a layer, and how often each occurs."""
    few = np.zeros(1 << 16, dtype=np.int64)
    longer = []
    for start in range(0, sequence.index.size, model_blocks.STEP):
        gap = sequence.gaps(start, start + model_blocks.STEP)
        short = gap < few.size
        few += np.bincount(gap[short], minlength=few.size)
        longer.append(gap[~short])
    values, times = np.unique(np.concatenate([np.zeros(0, np.int64), *longer]), return_counts=True)
    present = np.flatnonzero(few)
    return np.concatenate([present, values]), np.concatenate([few[present], times])


def plan(layer: Layer, values: int) -> Coding:
    """Choose the order and the form that are smallest.

    Parameters
    ----------
    layer : Layer
    values : int
        K, codebook values that the file stores, at least the largest index.
    """
    counts = np.bincount(layer.index, minlength=values + 1)
    found: list[Coding] = []
    for order in model_order.orders(layer):
        runs = histogram(Sequence(layer, order))
        packed = plan_packed(layer, order, *runs)
        found.append(packed)
        if layer.nnz:
            found.append(_plan_sparse(packed, counts, number_code.plan(*runs)))
        if order.places <= 4 * layer.nnz:  # with more, a bit for each place is more than the runs take
            found.append(_plan_dense(packed, counts))
    best = min(found, key=lambda coding: coding.bits)
    if best.index_code is None:
        return best
    sequence = Sequence(layer, best.order)
    code = index_code.improve(best.index_code, lambda: indices(sequence, best.form))
    return _with_index_code(best, code)


def plan_packed(layer: Layer, order: Order, gap: Int64Array, times: Int64Array) -> Coding:
    """The packed form of an order, of which a histogram of the runs is given."""
    entries = {
        run_bits: int(encoding.entry_counts(gap, run_bits) @ times)
        for run_bits in range(1, 17 - layer.index_bits)
    }
    run_bits = min(entries, key=lambda run_bits: entries[run_bits] * (layer.index_bits + run_bits))
    return Coding(
        form="packed",
        order=order,
        run_bits=run_bits,
        entries=entries[run_bits],
        index_code=None,
        run_code=None,
        index_code_bits=entries[run_bits] * layer.index_bits,
        run_code_bits=entries[run_bits] * run_bits,
        table_bits=0,
        block_bits=0,
    )


def _with_index_code(coding: Coding, code: IndexCode) -> Coding:
    left_out = coding.form == "sparse" and code.alone
    run_table_bits = coding.run_code.table_bits if coding.run_code is not None else 0
    return replace(
        coding,
        index_code=code,
        index_code_bits=0 if left_out else code.data_bits,
        table_bits=code.table_bits + run_table_bits,
    )


def _plan_sparse(packed: Coding, counts: Int64Array, run_code: NumberCode) -> Coding:
    coding = replace(
        packed,
        form="sparse",
        run_code=run_code,
        run_code_bits=run_code.data_bits,
        block_bits=model_blocks.size_bits(int(counts.sum())),
    )
    return _with_index_code(coding, index_code.plan(counts[1:]))


def _plan_dense(packed: Coding, counts: Int64Array) -> Coding:
    counts = np.concatenate([[packed.order.places - counts.sum()], counts[1:]])
    coding = replace(
        packed,
        form="dense",
        run_code_bits=0,
        block_bits=model_blocks.size_bits(packed.order.places),
    )
    return _with_index_code(coding, index_code.plan(counts))


def indices(sequence: Sequence, form: Form) -> Iterator[NDArray[np.uint8]]:
    """Indices as a form codes them, in parts of whole blocks: less one, or 0 for no weight if dense."""
    if form == "dense":
        index = np.zeros(sequence.order.places, dtype=np.uint8)
        for start in range(0, sequence.index.size, model_blocks.STEP):
            some = slice(start, start + model_blocks.STEP)
            index[sequence.places(some.start, some.stop)] = sequence.index[some]
    else:
        index = sequence.index - 1
    for start in range(0, index.size, model_blocks.STEP):
        yield index[start : start + model_blocks.STEP]
