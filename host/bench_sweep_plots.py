"""PNG files of the sweeps: for each figure one panel for this engine and one for the paper's choices."""

from collections.abc import Sequence
from pathlib import Path

from host import bench_plots
from host.bench_sweep import MODES, SWEEPS, Swept, heading, lines_of

LOGARITHMIC = ("speedup", "cycles")
MARKERS = "os^vD<>Ph"


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
    figure, panels = bench_plots.make_figure(f"{heading(name, swept).capitalize()}; cycle model", columns=2)
    settings = sorted({getattr(one, sweep.setting) for one in swept})
    for axes, (paper, mode) in zip(panels, MODES.items(), strict=True):
        for number, (layer, ones) in enumerate(lines_of(swept, paper)):
            at = [getattr(one, sweep.setting) for one in ones]
            values = [getattr(one, attribute) for one in ones]
            colour = f"C{number}"
            axes.plot(at, values, color=colour, linewidth=1.2)
            axes.plot([], [], color=colour, marker=MARKERS[number], markersize=5, label=layer)
            for x, y, one in zip(at, values, ones, strict=True):
                face = "white" if one.tiled else colour
                axes.plot(x, y, MARKERS[number], color=colour, markerfacecolor=face, markersize=5)
        if attribute == "speedup":
            axes.plot(settings, settings, "--", color=bench_plots.IDEAL, label="one for each PE")
        if attribute in LOGARITHMIC:
            axes.set_yscale("log", base=10 if attribute == "cycles" else 2)
        else:
            axes.set_ylim(0, 1.02 if attribute != "stored_bits" else None)
        if name != "runs":
            axes.set_xscale("log", base=2)
        axes.set_xticks(settings, [str(setting) for setting in settings])
        axes.set_xlabel(sweep.name)
        axes.set_title(mode, fontsize="medium")
    panels[0].set_ylabel(label.replace(": ", ":\n"))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    if any(one.tiled for one in swept):
        figure.supxlabel(
            "hollow: the memories do not hold the layer at once, and it runs in tiles", fontsize="small"
        )
    return bench_plots.save_figure(figure, directory / f"{name}_{attribute}.png")
