"""The bar chart of `tamis bench boards`: time per inference on every board, ours and both dense engines."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from host import bench_plots
from host.bench_boards import Row

SIZE = (11.0, 9.5)
"""Inches."""
WIDTH = 0.26
"""Of a bar; three stand side by side."""

SERIES = {
    "": ("this engine, by the cycle model", bench_plots.OURS),
    "ours": ("dense int8, as many multipliers as ours", bench_plots.IDEAL),
    "all": ("dense int8, all multipliers of the chip", bench_plots.DENSE),
}
"""Label and colour of this engine, and of the dense ones by size."""


def draw_boards(rows: Sequence[Row], directory: str | Path) -> list[Path]:
    """Draw a panel for each network: bars are times on the engine, lines above them from wire to answer.

    Parameters
    ----------
    rows : sequence of Row
        Network by network, each with the same boards.
    directory : str or Path
        See `bench_plots.prepare`.
    """
    groups = [(name, list(group)) for name, group in groupby(rows, lambda row: row.network)]
    title = (
        "Time per inference: bars on the engine (dense weights always at hand),\n"
        "short lines from wire to answer (weights that do not fit cross the line)"
    )
    figure, panels = bench_plots.make_figure(title, rows=len(groups), size=SIZE)
    for axes, (network, ones) in zip(np.atleast_1d(panels), groups, strict=True):
        places = np.arange(len(ones))
        for number, (size, (label, colour)) in enumerate(SERIES.items()):
            at = places + (number - 1) * WIDTH
            engine, answer = np.array([_times(row, size) for row in ones]).T
            axes.bar(at, engine, 0.92 * WIDTH, label=label, color=colour)
            axes.hlines(answer, at - 0.46 * WIDTH, at + 0.46 * WIDTH, color=colour, linewidth=2.5)
        bounded = [place for place in places if ones[place].marlann_per_second]
        if bounded:
            bound = [1e6 / (ones[place].marlann_per_second or np.inf) for place in bounded]
            at = np.array(bounded)
            label = "MARLANN's bound on the UP5K, flattering"
            axes.hlines(bound, at - 0.45, at + 0.45, color=bench_plots.PAPER, linestyle="--", label=label)
        axes.set_yscale("log")
        axes.set_ylabel("microseconds (log)")
        axes.set_title(network, fontsize="medium")
        names = [f"{row.board}, {row.pes} PE, {row.clock_mhz:.3g} MHz" for row in ones]
        axes.set_xticks(places, names, rotation=25, ha="right", rotation_mode="anchor", fontsize="small")
        axes.set_xlim(-0.6, len(ones) - 0.4)
    handles, labels = np.atleast_1d(panels)[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", frameon=False, ncols=2, fontsize="small")
    return [bench_plots.save_figure(figure, Path(directory) / "boards.png")]


def _times(row: Row, size: str) -> tuple[float, float]:
    """On the engine and from wire to answer in us, of ours or a dense engine; NaN where it cannot run."""
    if not size:
        return row.engine_us or np.nan, row.answer_us or np.nan
    (one,) = (one for one in row.dense if one.size == size)
    return one.engine_us, one.answer_us
