"""What people see: tables on stdout, progress on stderr; plain text where the output is no terminal."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

WIDTH_OF_FILES = 120
"""Columns of a table that is not written to a terminal."""


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table on stdout; columns of numbers are right-aligned.

    Parameters
    ----------
    title : str
        Empty for none.
    columns : sequence of str
    rows : sequence of sequence
        Cells are shown as `cell_text` gives them.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if title:
        print(title)
    table = Table(box=box.SIMPLE_HEAD)
    for number, name in enumerate(columns):
        cells = [row[number] for row in rows]
        numeric = any(isinstance(cell, int | float) for cell in cells)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell_text(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else WIDTH_OF_FILES).print(table)


def cell_text(cell: object) -> str:
    """Text of a cell: integers with thousands separators, other numbers with three decimals, no None.

    >>> [cell_text(cell) for cell in (12345, 0.5, None, "4-bit")]
    ['12,345', '0.500', '', '4-bit']
    """
    if isinstance(cell, float):
        return f"{cell:,.3f}"
    if isinstance(cell, int):
        return f"{cell:,}"
    return "" if cell is None else str(cell)


def percent(part: float) -> str:
    """A share as a percentage.

    >>> percent(0.0836)
    '8.4 %'
    """
    return f"{100 * part:.1f} %"


def print_json(value: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
    """Print one JSON object, or a list of them, on stdout, the same text for the same content."""
    print(json.dumps(value, indent=2))


def note(sentence: str) -> None:
    """Tell on stderr what is going on, while it is a terminal."""
    if sys.stderr.isatty():
        print(sentence, file=sys.stderr, flush=True)


@contextmanager
def progress(description: str) -> Iterator[Callable[[int, int], None]]:
    """Show progress on stderr while it is a terminal.

    Yields
    ------
    callable
        To be called with what is done and what there is to do.
    """
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
