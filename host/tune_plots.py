"""The figure of `tamis tune`: accuracy over cycles and over bytes, all settings and the front."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from host import bench_plots
from host.tuning import Point, TuneResult

SIZE = (10.0, 5.2)
"""Inches."""


def draw_tuning(result: TuneResult, directory: str | Path) -> list[Path]:
    """Draw `tuning.png`; see `bench_plots.prepare` for the folder."""
    title = f"Settings for {result.board}: share kept and weight bits of every layer, validation split"
    figure, (left, right) = bench_plots.make_figure(title, columns=2, size=SIZE, share_x=False)
    _panel(left, result, lambda point: point.price[0], "clock cycles an input, by the cycle model")
    _panel(right, result, lambda point: point.price[1], "bytes of the model file")
    left.set_ylabel("accuracy (%)")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", frameon=False, ncols=4, fontsize="small")
    return [bench_plots.save_figure(figure, Path(directory) / "tuning.png")]


def _panel(axes: Any, result: TuneResult, amount: Callable[[Point], float], label: str) -> None:
    def scatter(points: Any, **style: Any) -> None:
        places = [(amount(point), 100 * point.validation) for point in points]
        axes.plot(*zip(*places, strict=True) if places else ([], []), linestyle="", **style)

    def staircase(points: Any, **style: Any) -> None:
        found = best_up_to(points, amount)
        axes.step([amount(p) for p in found], [100 * p.validation for p in found], where="post", **style)

    mixed = [point for point in result.points if not point.uniform]
    uniform = [point for point in result.points if point.uniform]
    scatter(mixed, marker="o", color=bench_plots.OURS, alpha=0.3, markersize=4, label="mixed")
    scatter(uniform, marker="s", color=bench_plots.PAPER, alpha=0.5, markersize=4, label="uniform")
    staircase(result.points, color=bench_plots.OURS, label="best of all")
    staircase(uniform, color=bench_plots.PAPER, linestyle=":", label="best of uniform")
    if result.uniform is not None:
        style = {"marker": "D", "markersize": 9, "color": bench_plots.PAPER, "markeredgecolor": "black"}
        scatter([result.uniform], **style, label="best uniform within the limit")
    style = {"marker": "*", "markersize": 16, "color": bench_plots.EIE, "markeredgecolor": "black"}
    scatter([result.chosen], **style, label="chosen")
    if result.retrained is not None:
        style = {"marker": "P", "markersize": 11, "color": bench_plots.DENSE, "markeredgecolor": "black"}
        scatter([result.retrained], **style, label="retrained")
    axes.axhline(100 * result.limit, color="black", linewidth=0.9, linestyle="--", label="limit")
    axes.axhline(100 * result.reference, color=bench_plots.IDEAL, linewidth=1.2, label="float network")
    axes.set_xlabel(label)
    axes.set_xlim(0, None)


def best_up_to(points: Any, amount: Callable[[Point], float]) -> list[Point]:
    """Points that are more accurate than all that take as much or less, by what they take."""
    found: list[Point] = []
    for point in sorted(points, key=lambda one: (amount(one), -one.validation)):
        if not found or point.validation > found[-1].validation:
            found.append(point)
    return found
