"""The figure of `tamis bench rival`: accuracy against bytes; matplotlib is imported when it is wanted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from host import bench_plots
from host.bench_rival import Row, Side

SIZE = (6.5, 4.5)


def draw_rival(rows: Sequence[Row], directory: str | Path) -> Path:
    """Draw both fronts of one task with their 95 % intervals, and the dense float network's accuracy.

    Parameters
    ----------
    rows : sequence of Row
    directory : str or Path
        See `bench_plots.prepare`.
    """
    one = rows[0]
    title = f"{one.task}: accuracy on test, {len(one.seeds)} seeds, 95 % intervals"
    figure, axes = bench_plots.make_figure(title, size=SIZE)
    axes.axhline(100 * one.teacher.accuracy, color=bench_plots.IDEAL, linestyle="--")
    share, words = 100 * one.teacher.accuracy, one.teacher.shapes[0].split(",")[0]
    axes.annotate(
        f"dense float32 {words}, {one.teacher.file_bytes[0]:,} bytes",
        (0.01, share),
        (0, 4),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="left",
        fontsize="small",
    )
    coded = [np.mean(row.rival.coded_bytes) for row in rows]
    rival = [row.rival for row in rows]
    label = "dense int8, weights at their entropy (no coder gets there)"
    accuracies = [100 * side.accuracy for side in rival]
    axes.plot(coded, accuracies, "s:", color=bench_plots.PAPER, fillstyle="none", alpha=0.6, label=label)
    _front(axes, rival, "s-", bench_plots.PAPER, "dense int8")
    _front(axes, [row.ours for row in rows], "o-", bench_plots.OURS, ".tamis")
    axes.set_xscale("log", base=2)
    axes.set_xticks([row.limit for row in rows], [f"{row.limit:,}" for row in rows])
    axes.set_xlabel("bytes of the file (logarithmic)")
    axes.set_ylabel("accuracy (%)")
    axes.legend(loc="lower right", frameon=False, fontsize="small")
    return bench_plots.save_figure(figure, Path(directory) / f"rival_{one.task}.png")


def _front(axes: Any, sides: Sequence[Side], style: str, colour: str, label: str) -> None:
    middle = np.array([100 * side.accuracy for side in sides])
    ends = np.array([(100 * side.low, 100 * side.high) for side in sides]).T
    reach = np.maximum(np.abs(ends - middle), 0)
    sizes = [float(np.mean(side.file_bytes)) for side in sides]
    axes.errorbar(sizes, middle, yerr=reach, fmt=style, color=colour, label=label, capsize=3)
