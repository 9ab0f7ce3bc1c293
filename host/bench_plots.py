"""Figures of the benchmarks as PNG files; matplotlib is imported when a figure is wanted."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from golden.errors import InputError
from host.bench import Measurement
from host.bench_ablation import CHOICES, Ablation
from host.bench_threshold import Point
from host.files import write_file
from host.packages import require

SIZE = (9.0, 4.5)
"""Inches."""
DPI = 150
OURS, PAPER, IDEAL, EIE, DENSE = "#0b6e4f", "#c8553d", "#9aa5b1", "#e0a458", "#3d5a80"
CHANGES = (PAPER, EIE, IDEAL, DENSE, "#7fb685", OURS)
"""The paper, then each change."""


def prepare(directory: str | Path) -> None:
    """Make the folder and find matplotlib, before the work whose figures are wanted.

    Raises
    ------
    ToolMissingError
        If matplotlib is not installed.
    InputError
        If the folder cannot be made.
    """
    _matplotlib()
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"cannot make the folder {directory}: {reason}; choose another place") from None


def layers(measured: Sequence[Measurement], directory: str | Path) -> list[Path]:
    """Draw the cycles and the bits of each layer; see `prepare`."""
    return [
        _cycles(measured, Path(directory)),
        _efficiency(measured, Path(directory)),
        _bits(measured, Path(directory)),
    ]


def ablation(ablations: Sequence[Ablation], directory: str | Path) -> list[Path]:
    """Draw what each change gains after those before it, and what each choice of the paper costs alone."""
    one = ablations[0]
    title = f"What the paper's choices cost, {one.pes} PEs, {one.rows} rows, by the cycle model"
    figure, (above, below) = make_figure(title, 2)
    names = [a.layer for a in ablations]
    stages = {"paper": ([a.paper_cycles / a.ideal_cycles for a in ablations], CHANGES[0])}
    for number, colour in enumerate(CHANGES[1:]):
        values = [list(a.changed.values())[number] / a.ideal_cycles for a in ablations]
        stages[f"+ {CHOICES[number].change}"] = (values, colour)
    _grouped(above, names, stages)
    above.set_ylim(1, 1 + 1.45 * (max(stages["paper"][0]) - 1))
    above.set_ylabel("cycles / ideal cycles")
    above.set_xlabel("")
    alone = {}
    for number, colour in enumerate(CHANGES[1:]):
        values = [100 * (list(a.put_back.values())[number] / a.cycles - 1) for a in ablations]
        alone[CHOICES[number].put_back] = (values, colour)
    _grouped(below, names, alone)
    everything = [value for values, _ in alone.values() for value in values]
    below.set_yscale("symlog", linthresh=1)
    below.set_yticks([0, 1, 10, 100], ["0", "1", "10", "100"])
    below.set_ylim(min(0, *everything), max(10, 6 * max(everything)))
    below.set_ylabel("one put back: more\ncycles (%, log above 1)")
    for axes in (above, below):
        axes.legend(loc="upper center", frameon=False, ncols=len(CHANGES), fontsize="small")
    return [save_figure(figure, Path(directory) / "ablation.png")]


def threshold(points: Sequence[Point], directory: str | Path) -> list[Path]:
    """Draw accuracy and cycles over the skipped work; see `prepare`."""
    figure, (above, below) = make_figure("Dynamic pruning of the digits network, test split", 2)
    skipped = [100 * point.skipped for point in points]
    accuracy = [100 * point.accuracy for point in points]
    above.plot(skipped, accuracy, "o-", color=OURS)
    above.set_ylabel("accuracy (%)")
    above.set_ylim(0, 119)
    for point, x, y in zip(points, skipped, accuracy, strict=True):
        above.annotate(f"{point.threshold:,}", (x, y), (3, 6), textcoords="offset points", fontsize="small")
    above.annotate("labels: threshold, in units of int16", (0.01, 0.06), xycoords="axes fraction")
    below.plot(skipped, [point.cycles for point in points], "s-", color=PAPER)
    below.set_ylabel("clock cycles an input")
    below.set_ylim(0, None)
    below.set_xlabel("work skipped (% of the products at threshold 0)")
    return [save_figure(figure, Path(directory) / "threshold.png")]


def _cycles(measured: Sequence[Measurement], directory: Path) -> Path:
    one = measured[0]
    figure, axes = make_figure(f"Cycles of a layer, {one.pes} PEs, queue of {one.queue}, {one.rows} rows")
    bars = {
        "ideal": ([m.ideal_cycles for m in measured], IDEAL),
        "this run": ([m.cycles for m in measured], OURS),
        "paper's choices, same matrix, queue of 8": ([m.paper_cycles for m in measured], PAPER),
        "dense, as many multipliers": ([m.dense_cycles for m in measured], DENSE),
    }
    if all(m.eie_cycles is not None for m in measured):
        published = [m.eie_cycles or 0 for m in measured]
        bars["EIE as published: other matrices, 64 PEs, 800 MHz"] = (published, EIE)
    _grouped(axes, [m.layer for m in measured], bars)
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * 8)  # room for the legend
    axes.set_ylabel("clock cycles (logarithmic)")
    axes.legend(loc="upper right", frameon=False, ncols=2, fontsize="small")
    return save_figure(figure, directory / "cycles.png")


def _efficiency(measured: Sequence[Measurement], directory: Path) -> Path:
    one = measured[0]
    figure, axes = make_figure(f"Useful efficiency, {one.pes} PEs, queue of {one.queue}, {one.rows} rows")
    paper = [m.nnz_active / (m.pes * m.paper_cycles) for m in measured]
    in_order = [m.nnz_active / (m.pes * m.interleaved_cycles) for m in measured]
    bars = {
        "paper's choices, same matrix, queue of 8": (paper, PAPER),
        "this engine, rows in order": (in_order, IDEAL),
        "this run": ([m.efficiency for m in measured], OURS),
    }
    _grouped(axes, [m.layer for m in measured], bars)
    axes.set_ylim(0, 1.2)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_ylabel("nonzero weights in active columns\n/ (PEs x cycles)")
    axes.legend(loc="upper center", frameon=False, ncols=3, fontsize="small")
    return save_figure(figure, directory / "efficiency.png")


def _bits(measured: Sequence[Measurement], directory: Path) -> Path:
    figure, axes = make_figure(f"Memory on the chip, {measured[0].pes} PEs, {measured[0].rows} rows")
    bottom = np.zeros(len(measured))
    places = np.arange(len(measured))
    for part in measured[0].bits:
        height = np.array([m.bits[part] / m.nnz for m in measured])
        axes.bar(places, height, 0.6, bottom=bottom, label=part)
        bottom += height
    axes.set_xticks(places, [m.layer for m in measured])
    axes.set_xlabel("layer")
    axes.set_ylabel("bits for each nonzero weight")
    axes.set_ylim(0, bottom.max() * 1.25)
    axes.legend(loc="upper left", frameon=False, ncols=4, fontsize="small")
    return save_figure(figure, directory / "bits.png")


def _grouped(axes: Any, names: Sequence[str], bars: Mapping[str, tuple[Sequence[float], str]]) -> None:
    width = 0.8 / len(bars)
    places = np.arange(len(names))
    for number, (label, (values, colour)) in enumerate(bars.items()):
        offset = (number - (len(bars) - 1) / 2) * width
        axes.bar(places + offset, values, width, label=label, color=colour)
    axes.set_xticks(places, names)
    axes.set_xlabel("layer")


def _matplotlib() -> Any:
    return require("matplotlib.figure", "matplotlib", "plots", "figures are drawn with it")


def make_figure(
    title: str, rows: int = 1, columns: int = 1, size: tuple[float, float] = SIZE, share_x: bool = True
) -> tuple[Any, Any]:
    """A figure with one panel, or several that share the horizontal axis, and each row its vertical one."""
    figure = _matplotlib().Figure(figsize=size, layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(rows, columns, sharex=share_x, sharey="row")
    for panel in figure.axes:
        panel.spines[["top", "right"]].set_visible(False)
        panel.set_axisbelow(True)
        panel.grid(axis="y", alpha=0.3)
    return figure, axes


def save_figure(figure: Any, path: Path) -> Path:
    """Write a figure as PNG."""
    file = io.BytesIO()
    figure.savefig(file, dpi=DPI, format="png")
    write_file(path, file.getvalue())
    return path
