"""Small networks side by side: ours and dense int8 perceptrons of the same bytes, on the same test images.

Of each side's networks of a seed and a size, the one of least loss on validation counts; the test split has
no say in it. Accuracies are those of integers. See docs/rival.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from host.paired import Comparison, compare, interval
from host.report import percent, print_table
from host.rival_runs import EPOCHS, SIZES, Bench, Run


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side's networks of a size, one for each seed.

    Parameters
    ----------
    accuracy : float
        On the test split, mean over the seeds.
    low, high : float
        Ends of its 95 % interval, over images and seeds.
    file_bytes, coded_bytes : tuple of int
        Of each seed's network; see `host.rival_runs.Run`.
    shapes : tuple of str
        Of each seed's network, and its bits.
    """

    accuracy: float
    low: float
    high: float
    file_bytes: tuple[int, ...]
    coded_bytes: tuple[int, ...]
    shapes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A size of a task.

    Parameters
    ----------
    task : str
    limit : int
        Bytes that both may have.
    seeds : tuple of int
    ours, rival, teacher : Side
        The teacher is the dense float network that both learn from; it has no limit.
    comparison : Comparison
    """

    task: str
    limit: int
    seeds: tuple[int, ...]
    ours: Side
    rival: Side
    teacher: Side
    comparison: Comparison

    def as_dict(self) -> dict[str, Any]:
        """The object for JSON; see docs/schemas/rival.json."""
        return asdict(self) | {"comparison": asdict(self.comparison) | {"verdict": self.comparison.verdict}}


def measure(task: str, seeds: Sequence[int], ledger: Path, note: Callable[[str], None]) -> list[Row]:
    """Train what the ledger does not have, and compare; a row for each size.

    Raises
    ------
    ToolMissingError
        If PyTorch or scikit-learn is not installed.
    InputError
        If the ledger cannot be written.
    """
    bench = Bench(task, seeds, ledger, EPOCHS[task], note)
    return rows_of(bench.runs(), bench.task.test.groups)


def rows_of(runs: Sequence[Run], groups: NDArray[np.int64]) -> list[Row]:
    """Choose on validation and compare on test.

    Parameters
    ----------
    runs : sequence of Run
        Of one task, all seeds and sizes.
    groups : array of int, shape (test images,)
        See `host.tasks.Split`.
    """
    seeds = tuple(sorted({run.seed for run in runs}))
    teacher = [_best(runs, "teacher", seed, 0) for seed in seeds]
    rows = []
    for limit in SIZES:
        ours, rival = ([_best(runs, side, seed, limit) for seed in seeds] for side in ("ours", "rival"))
        rows.append(
            Row(
                task=runs[0].task,
                limit=limit,
                seeds=seeds,
                ours=_side(ours, groups),
                rival=_side(rival, groups),
                teacher=_side(teacher, groups),
                comparison=compare(_right(ours), _right(rival), groups),
            )
        )
    return rows


def _best(runs: Sequence[Run], side: str, seed: int, limit: int) -> Run:
    found = [run for run in runs if (run.side, run.seed, run.limit) == (side, seed, limit)]
    return min(found, key=lambda run: run.loss)


def _right(runs: Sequence[Run]) -> NDArray[np.bool_]:
    return np.array([[hit == "1" for hit in run.right] for run in runs])


def _side(runs: Sequence[Run], groups: NDArray[np.int64]) -> Side:
    right = _right(runs)
    low, high = interval(right, groups)
    return Side(
        accuracy=float(right.mean()),
        low=low,
        high=high,
        file_bytes=tuple(run.file_bytes for run in runs),
        coded_bytes=tuple(run.coded_bytes for run in runs),
        shapes=tuple(f"{'-'.join(map(str, run.shape))}, {run.weight_bits} bits" for run in runs),
    )


def print_rows(rows: Sequence[Row]) -> None:
    """Print the table and the verdicts of one task."""
    one = rows[0]
    dense = f"dense float32 {one.teacher.shapes[0].split(',')[0]}: {_accuracy(one.teacher)}"
    title = f"{one.task}, {len(one.seeds)} seeds; {dense}; accuracies on test with 95 % intervals"
    table = [
        (
            row.limit,
            _mean(row.ours.file_bytes),
            _accuracy(row.ours),
            _mean(row.rival.file_bytes),
            _mean(row.rival.coded_bytes),
            _accuracy(row.rival),
        )
        for row in rows
    ]
    columns = ("limit", "our bytes", "ours", "int8 bytes", "at entropy", "dense int8")
    print_table(title, columns, table)
    print_table(
        "the same images: right for one only, and the difference of the accuracies",
        ("limit", "ours only", "int8 only", "difference (points)", "verdict"),
        [
            (
                row.limit,
                " ".join(map(str, row.comparison.only_ours)),
                " ".join(map(str, row.comparison.only_other)),
                _difference(row.comparison),
                row.comparison.verdict,
            )
            for row in rows
        ],
    )


def _accuracy(side: Side) -> str:
    return f"{100 * side.accuracy:.2f} % ({100 * side.low:.1f} to {percent(side.high)})"


def _difference(found: Comparison) -> str:
    return f"{100 * found.difference:+.2f} ({100 * found.low:+.2f} to {100 * found.high:+.2f})"


def _mean(values: Sequence[int]) -> int:
    return round(sum(values) / len(values))
