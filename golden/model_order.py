"""The order in which a model file counts the places of a matrix: one sequence of its rows and columns.

Fields (`golden.bits`)::

    1       0: column by column, 1: row by row
    1       whether rows are left out, because they hold no weight
    1       for each row, if some are left out: whether it is counted
    1       whether columns are left out
    1       for each column, if some are left out: whether it is counted
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden import bits
from golden.layers import Int32Array, Int64Array, Layer

MOST_TRIED = 1 << 18
"""Weights up to which every order is tried; a sort of more would make large files slow to read."""

BoolArray = NDArray[np.bool_]
Weights = tuple[Int32Array, Int32Array, NDArray[np.uint8]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Order:
    """An order.

    Parameters
    ----------
    by_rows : bool
        Row by row instead of column by column.
    rows, columns : array of bool, shape (rows,) and (columns,)
        Those that are counted.
    """

    by_rows: bool
    rows: BoolArray
    columns: BoolArray

    @property
    def bits(self) -> int:
        """Bits that declare it."""
        return 3 + sum(lines.size for lines in (self.rows, self.columns) if not lines.all())

    @property
    def places(self) -> int:
        """Places that are counted."""
        return int(self.rows.sum()) * int(self.columns.sum())


class Sequence:
    """The weights of a layer in an order.

    Parameters
    ----------
    layer : Layer
    order : Order

    Attributes
    ----------
    index : array of uint8, shape (weights,)
    """

    def __init__(self, layer: Layer, order: Order) -> None:
        self.layer = layer
        self.order = order
        self.index = layer.index
        self._places: Int64Array | None = None
        if order.by_rows or order.bits > 3:
            row = (np.cumsum(order.rows) - 1)[layer.row]
            column = (np.cumsum(order.columns) - 1)[layer.column]
            if order.by_rows:
                sort = np.lexsort((column, row))
                self._places = (row * int(order.columns.sum()) + column)[sort]
                self.index = layer.index[sort]
            else:
                self._places = column * int(order.rows.sum()) + row

    def places(self, start: int, stop: int) -> Int64Array:
        """Places of the weights start to stop - 1."""
        if self._places is None:
            return self.layer.places(start, stop)
        return self._places[start:stop]

    def gaps(self, start: int, stop: int) -> Int64Array:
        """Zeros before each of the weights start to stop - 1."""
        before = int(self.places(start - 1, start)[0]) if start else -1
        return np.diff(self.places(start, stop), prepend=before) - 1


def orders(layer: Layer) -> Iterator[Order]:
    """Orders worth a try: column by column first; no other ones for layers of many weights."""
    rows, columns = np.ones(layer.rows, dtype=bool), np.ones(layer.columns, dtype=bool)
    yield Order(by_rows=False, rows=rows, columns=columns)
    if not 0 < layer.nnz <= MOST_TRIED:
        return
    used_rows = np.bincount(layer.row, minlength=layer.rows) > 0
    used_columns = layer.column_counts > 0
    some_rows = [rows] if used_rows.all() else [rows, used_rows]
    some_columns = [columns] if used_columns.all() else [columns, used_columns]
    combinations = list(product((False, True), some_rows, some_columns))
    for by_rows, counted_rows, counted_columns in combinations[1:]:
        yield Order(by_rows=by_rows, rows=counted_rows, columns=counted_columns)


def write(writer: bits.Writer, order: Order) -> None:
    """Declare an order."""
    writer.add(int(order.by_rows), 1)
    for lines in (order.rows, order.columns):
        writer.add(int(not lines.all()), 1)
        if not lines.all():
            writer.add(lines, 1)


def read(reader: bits.Reader, rows: int, columns: int) -> Order:
    """Inverse of `write`.

    Raises
    ------
    InputError
        If the data end too early.
    """
    by_rows = bool(reader.take(1))
    counted = [
        reader.fields(size, 1).astype(bool) if reader.take(1) else np.ones(size, dtype=bool)
        for size in (rows, columns)
    ]
    return Order(by_rows=by_rows, rows=counted[0], columns=counted[1])


def locate(order: Order, place: Int64Array, index: Any) -> Weights:
    """Rows, columns and indices of weights at given places, sorted by column, then row."""
    inner = order.columns if order.by_rows else order.rows
    outer_line, inner_line = np.divmod(place, max(1, int(inner.sum())))
    row, column = (outer_line, inner_line) if order.by_rows else (inner_line, outer_line)
    if order.bits > 3:
        row, column = np.flatnonzero(order.rows)[row], np.flatnonzero(order.columns)[column]
    if order.by_rows:
        sort = np.lexsort((row, column))
        row, column, index = row[sort], column[sort], index[sort]
    return row.astype(np.int32), column.astype(np.int32), index
