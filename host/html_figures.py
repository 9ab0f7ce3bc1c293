"""Small figures for the HTML report, as inline SVG: no script, no font, no file beside it.

Colours are CSS classes of `host.html_report`, so that they follow the reader's light or dark theme.
"""

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 420, 130
"""Of a histogram, in units of CSS pixels."""
FOOT = 34
"""Below its bars: centroids and the axis."""
BINS = 60


def histogram(values: Any, centroids: Any, label: str) -> str:
    """Bars of weights, ticks at the shared values below them.

    Parameters
    ----------
    values : array of float, shape (n,)
    centroids : array of float, shape (k,)
    label : str
        What it shows, for people who cannot see it.
    """
    weights = np.asarray(values, dtype=np.float64)
    shared = np.asarray(centroids, dtype=np.float64)
    everything = np.concatenate([weights, shared, [0.0]])
    low, high = float(everything.min()), float(everything.max())
    if high == low:
        low, high = low - 1, high + 1
    counts, edges = np.histogram(weights, BINS, (low, high))
    top = HEIGHT - FOOT

    def across(value: float) -> float:
        return round((value - low) / (high - low) * (WIDTH - 20) + 10, 2)

    parts = [
        _rectangle("bar", across(left), top - tall, across(right) - across(left) - 0.5, tall)
        for left, right, tall in zip(edges[:-1], edges[1:], _heights(counts, top - 4), strict=True)
        if tall
    ]
    parts.append(f'<line class="axis" x1="10" x2="{WIDTH - 10}" y1="{top}" y2="{top}"/>')
    parts.extend(
        f'<line class="shared" x1="{across(value)}" x2="{across(value)}" y1="{top + 2}" y2="{top + 14}"/>'
        for value in shared.tolist()
    )
    marks = [(low, "start"), (high, "end")]
    if abs(across(0.0) - 10) > 60 and abs(across(0.0) - WIDTH + 10) > 60:
        marks.append((0.0, "middle"))
    parts.extend(_text(across(value), HEIGHT - 6, f"{value:.3g}", anchor) for value, anchor in marks)
    return _figure(WIDTH, HEIGHT, label, parts)


def _heights(counts: NDArray[Any], most: float) -> list[float]:
    scaled = counts / max(1, int(counts.max())) * most
    return [round(max(value, 1.0), 2) if value else 0.0 for value in scaled.tolist()]


def steps(names: Sequence[str], values: Sequence[float], label: str) -> str:
    """Shares of one, such as accuracies, along the stages of a pipeline.

    Parameters
    ----------
    names : sequence of str
    values : sequence of float, of the same length
    label : str
        What it shows, for people who cannot see it.
    """
    width, height = 140 * len(names), 120
    low, high = min(values), max(values)
    room = max(high - low, 0.005)
    places = [
        (70 + 140 * number, round(80 - 50 * (value - low) / room, 2)) for number, value in enumerate(values)
    ]
    parts = [
        f'<line class="line" x1="{x}" y1="{y}" x2="{right}" y2="{lower}"/>'
        for (x, y), (right, lower) in pairwise(places)
    ]
    for (x, y), name, value in zip(places, names, values, strict=True):
        parts.append(f'<circle class="dot" cx="{x}" cy="{y}" r="4"/>')
        parts.append(_text(x, y - 10, f"{100 * value:.2f} %", "middle"))
        parts.append(_text(x, height - 6, name, "middle"))
    return _figure(width, height, label, parts)


def pair(ours: float, dense: float, most: float, label: str) -> str:
    """Two bars on a scale from nothing to `most`: this engine above, the dense one below."""
    width = 220
    parts = [
        _rectangle(name, 0, y, round(max(value / most * width, 1.0), 2), 9)
        for name, y, value in (("bar", 1, ours), ("dense", 12, dense))
    ]
    return _figure(width, 22, label, parts)


def _rectangle(name: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{name}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'


def _figure(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    inside = "".join(parts)
    return (
        f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}">{inside}</svg>'
    )
