"""PNG files of the sweeps: for each figure one panel for this engine and one for the paper's choices."""

import math
from collections.abc import Sequence
from pathlib import Path

from host import bench_plots
from host.bench_sweep import MODES, SWEEPS, Swept, heading, lines_of

MARKERS = "os^vD<>Ph"
SIZES = (10, 9, 8.5, 8, 6.5, 6, 5.5, 4.5, 3.5)
"""Of the markers in points: layers that lie on one another can all be seen."""


def draw_sweep(name: str, swept: Sequence[Swept], directory: str | Path) -> list[Path]:
    """Draw each figure of a sweep over its setting; layers that ran in tiles have hollow markers.

    Parameters
    ----------
    name : str
        One of `SWEEPS`.
    swept : sequence of Swept
        Layer by layer, each setting once a mode.
    directory : str or Path
        See `bench_plots.prepare`.
    """
    return [_draw(name, figure, swept, Path(directory)) for figure in SWEEPS[name].figures]


def _draw(name: str, attribute: str, swept: Sequence[Swept], directory: Path) -> Path:
    sweep = SWEEPS[name]
    label = sweep.figures[attribute]
    figure, panels = bench_plots.make_figure(f"Cycle model, {heading(name, swept)}", columns=2)
    settings = sorted({getattr(one, sweep.setting) for one in swept})
    for axes, (paper, mode) in zip(panels, MODES.items(), strict=True):
        for number, (layer, ones) in enumerate(lines_of(swept, paper)):
            at = [getattr(one, sweep.setting) for one in ones]
            values = [getattr(one, attribute) for one in ones]
            style = {"color": f"C{number}", "marker": MARKERS[number], "markersize": SIZES[number]}
            axes.plot(at, values, color=style["color"], linewidth=1.2)
            axes.plot([], [], label=layer, **style)
            for x, y, one in zip(at, values, ones, strict=True):
                axes.plot(x, y, fillstyle="none" if one.tiled else "full", **style)
        if attribute == "speedup":
            axes.plot(settings, settings, "--", color=bench_plots.IDEAL, label="one for each PE")
        if name != "runs":
            axes.set_xscale("log", base=2)
        axes.set_xticks(settings, [str(setting) for setting in settings])
        axes.set_xlabel(sweep.name)
        axes.set_title(mode, fontsize="medium")
    if attribute == "speedup":
        panels[0].set_yscale("log", base=2)
        panels[0].set_yticks(settings, [str(setting) for setting in settings])
    elif attribute == "cycles":
        panels[0].set_yscale("log")
    elif attribute == "stored_bits":
        panels[0].set_ylim(0, None)
    else:
        least = min(getattr(one, attribute) for one in swept)
        panels[0].set_ylim(min(0.9, math.floor(10 * least) / 10), 1.005)
    panels[0].set_ylabel(label.replace(": ", ":\n"))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    if any(one.tiled for one in swept):
        figure.supxlabel(
            "hollow: the memories do not hold the layer at once, and it runs in tiles", fontsize="small"
        )
    return bench_plots.save_figure(figure, directory / f"{name}_{attribute}.png")
