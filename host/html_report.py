"""A report of what became of a network: one HTML file that opens offline, without scripts.

Light or dark as the reader's system has it, tables with captions and headings for screen readers, figures of
`host.html_figures`. The same content gives the same bytes. `tamis compress`, `train` and `tune` write it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from golden.errors import UnsupportedError
from golden.model import Model
from host import html_figures
from host.cost import Cost, Described, cost, timed_inputs
from host.info import dense_cycles
from host.layer_sizes import layer_sizes
from host.network import Network, SharedNetwork
from host.report import percent

STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5b6678; --paper: #ffffff; --rule: #d5dae2;
  --ours: #0b6e4f; --dense: #3d5a80; --shared: #c8553d; --band: #f3f5f8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #a3adbd; --paper: #14181f;
  --rule: #384150; --ours: #4fc39a; --dense: #8fb0d9; --shared: #f08a6f; --band: #1d232d; } }
body { margin: 0 auto; padding: 1.5rem; max-width: 72rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .4rem; }
h3 { font-size: 1rem; margin: 0 0 .2rem; overflow-wrap: anywhere; }
p { max-width: 48rem; margin: .4rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid var(--rule); }
thead th { vertical-align: bottom; font-weight: 600; }
tbody th { font-weight: 600; }
th:first-child, td.words { text-align: left; }
tbody tr:nth-child(even) { background: var(--band); }
tfoot th, tfoot td { font-weight: 600; border-bottom: 0; }
.figures { display: flex; flex-wrap: wrap; gap: 1.4rem; }
figure { margin: 0; max-width: 100%; }
figcaption, .note { color: var(--soft); font-size: .9rem; }
svg { max-width: 100%; height: auto; display: block; }
svg text { fill: var(--soft); font-size: 12px; }
.bar, .dot { fill: var(--ours); }
.dense { fill: var(--dense); }
.axis { stroke: var(--rule); }
.shared { stroke: var(--shared); stroke-width: 2; }
.line { stroke: var(--ours); stroke-width: 2; }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .3em 0 .8em; }
"""


class Markup(str):
    """Text that is HTML already."""


@dataclass(frozen=True, kw_only=True)
class BoardRow:
    """A model on one board.

    Parameters
    ----------
    name : str
    pes : int
    cost : Cost or None
        None if it does not fit.
    dense_cycles : int
        Of a dense engine with as many multipliers, all always busy.
    reason : str
        Why it does not fit.
    """

    name: str
    pes: int
    cost: Cost | None
    dense_cycles: int
    reason: str = ""


def board_row(model: Model, board: Described, inputs: Any = None) -> BoardRow:
    """Reckon what a model takes on a board.

    Parameters
    ----------
    model : Model
    board : Described
        See `host.cost`.
    inputs : array of float32, shape (samples, inputs), optional
        Of which a few are timed; by default one without a zero.
    """
    pes = board.geometry.pes
    dense = sum(dense_cycles(layer, pes) for layer in model.layers)
    try:
        found = cost(model, board, timed_inputs(model, inputs))
        return BoardRow(name=board.name, pes=pes, cost=found, dense_cycles=dense)
    except UnsupportedError as error:
        return BoardRow(name=board.name, pes=pes, cost=None, dense_cycles=dense, reason=str(error))


def html_report(
    title: str,
    model: Model,
    shared: SharedNetwork,
    *,
    file_bytes: int,
    source: Network | None = None,
    stages: Sequence[tuple[str, float]] = (),
    stages_of: str = "",
    boards: Sequence[BoardRow] = (),
    notes: Sequence[str] = (),
) -> bytes:
    """Make the report.

    Parameters
    ----------
    title : str
        Such as the name of the network's file.
    model : Model
    shared : SharedNetwork
        The real numbers that the model's integers stand for.
    file_bytes : int
        Of the model file.
    source : Network, optional
        The network before its weights were shared; without it there are no errors of the weights.
    stages : sequence of (str, float)
        Names of the pipeline's stages, and the accuracy after each.
    stages_of : str
        What the accuracies were counted on.
    boards : sequence of BoardRow
    notes : sequence of str
        Sentences below the title.

    Returns
    -------
    bytes
        HTML in UTF-8.
    """
    dense = model.dense_bytes
    lead = f"{file_bytes:,} bytes instead of {dense:,} as float32: {dense / file_bytes:.1f} times smaller."
    parts = [f"<h1>{escape(title)}</h1>", *(f"<p>{escape(note)}</p>" for note in (lead, *notes))]
    if stages:
        parts.append(_stages(stages, stages_of))
    parts.extend([_layers(model, shared, source), _coding(model, shared), _weights(shared, source)])
    if boards:
        parts.append(_boards(boards))
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}: compressed</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    ).encode()


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], foot: Sequence[str] = ()) -> str:
    """A table; the first cell of a row is its heading."""

    def cells(row: Sequence[str]) -> str:
        first = f'<th scope="row">{escape(row[0])}</th>'
        return first + "".join(
            f'<td class="words">{cell}</td>' if isinstance(cell, Markup) else f"<td>{escape(cell)}</td>"
            for cell in row[1:]
        )

    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(f"<tr>{cells(row)}</tr>" for row in rows)
    last = f"<tfoot><tr>{cells(foot)}</tr></tfoot>" if foot else ""
    return (
        f'<div class="wide"><table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody>{last}</table></div>"
    )


def _stages(stages: Sequence[tuple[str, float]], of: str) -> str:
    names, values = [name for name, _ in stages], [value for _, value in stages]
    said = ", ".join(f"{name} {100 * value:.2f} %" for name, value in stages)
    figure = html_figures.steps(names, values, f"Accuracy along the pipeline: {said}")
    return (
        f'<h2>Accuracy along the pipeline</h2><div class="wide">{figure}</div>'
        f'<p class="note">{escape(of)}</p>'
    )


def _layers(model: Model, shared: SharedNetwork, source: Network | None) -> str:
    rows = []
    for number, (layer, real) in enumerate(zip(model.layers, shared.layers, strict=True)):
        sizes = layer_sizes(layer)
        error = "" if source is None else percent(weight_error(source, shared, number))
        dense = 4 * (layer.rows * layer.columns + layer.rows)
        rows.append(
            [
                real.name,
                f"{layer.rows} x {layer.columns}",
                f"{layer.nnz:,}",
                percent(layer.nnz / (layer.rows * layer.columns)),
                str(layer.index_bits),
                f"{dense:,}",
                f"{sizes.packed_bytes:,}",
                f"{sizes.coded_bytes:,}",
                error,
            ]
        )
    heads = ["layer", "rows x columns", "weights", "kept", "weight bits"]
    heads += ["float32 bytes", "packed bytes", "coded bytes", "error"]
    caption = (
        "Bytes are those of the weights, float32 with biases. Error: root mean square of what sharing "
        "changes, relative to that of the kept weights."
    )
    return "<h2>Layers</h2>" + table(caption, heads, rows)


def weight_error(source: Network, shared: SharedNetwork, number: int) -> float:
    """Root mean square change of a layer's kept weights by sharing, relative to that of the weights."""
    layer = shared.layers[number]
    before = source.layers[number].weights[layer.row, layer.column].astype(np.float64)
    change = before - layer.codebook[layer.index]
    return float(np.sqrt(np.sum(change**2) / np.sum(before**2))) if before.any() else 0.0


def _coding(model: Model, shared: SharedNetwork) -> str:
    rows = []
    for layer, real in zip(model.layers, shared.layers, strict=True):
        sizes = layer_sizes(layer)
        figures = (
            sizes.index_bits_packed,
            sizes.index_bits_coded,
            sizes.index_entropy,
            sizes.run_bits_packed,
            sizes.run_bits_coded,
            sizes.run_entropy,
        )
        rows.append(
            [real.name, sizes.form, *(f"{bits:.2f}" for bits in figures), f"{sizes.table_bytes:,.1f}"]
        )
    heads = ["layer", "form", "index, packed", "index, coded", "index, entropy"]
    heads += ["run, packed", "run, coded", "run, entropy", "table bytes"]
    caption = "Bits for each weight of its index and of the zeros before it, before and after Huffman coding."
    return "<h2>Coding</h2>" + table(caption, heads, rows)


def _weights(shared: SharedNetwork, source: Network | None) -> str:
    figures = []
    for number, layer in enumerate(shared.layers):
        used = layer.codebook[1:][np.bincount(layer.index, minlength=layer.codebook.size)[1:] > 0]
        values: Any = layer.codebook[layer.index]
        if source is not None:
            values = source.layers[number].weights[layer.row, layer.column]
        label = f"{layer.name}: {values.size:,} weights, {used.size} shared values"
        image = html_figures.histogram(values, used, f"Histogram of {label}")
        figures.append(
            f"<figure><h3>{escape(layer.name)}</h3>{image}"
            f"<figcaption>{values.size:,} weights, {used.size} shared values</figcaption></figure>"
        )
    what = "weights as they came, shared" if source is None else "kept weights, before sharing"
    note = (
        f'<p class="note"><span class="key" style="background: var(--ours)"></span>{what}'
        '<span class="key" style="background: var(--shared)"></span>shared values</p>'
    )
    return f'<h2>Weights and shared values</h2>{note}<div class="figures">{"".join(figures)}</div>'


def _boards(boards: Sequence[BoardRow]) -> str:
    most = max([row.dense_cycles for row in boards] + [row.cost.cycles for row in boards if row.cost])
    rows = []
    for row in boards:
        found = row.cost
        if found is None:
            rows.append([row.name, str(row.pes), "does not fit", "", f"{row.dense_cycles:,}", "", "", "", ""])
            continue
        label = f"{row.name}: {found.cycles:,.0f} cycles sparse, {row.dense_cycles:,} dense"
        rows.append(
            [
                row.name,
                str(row.pes),
                "resident" if found.resident else "streamed",
                f"{found.cycles:,.0f}",
                f"{row.dense_cycles:,}",
                f"{row.dense_cycles / found.cycles:.1f}",
                Markup(html_figures.pair(found.cycles, row.dense_cycles, most, label)),
                _milliseconds(found.engine_seconds),
                _milliseconds(found.answer_seconds),
            ]
        )
    heads = ["board", "PEs", "model", "cycles", "dense cycles", "dense / sparse", "drawn", "engine, ms"]
    heads.append("wire to answer, ms")
    caption = (
        "Clock cycles of an input by the cycle model, and of a dense engine with as many multipliers, all "
        "always busy."
    )
    key = (
        '<p class="note"><span class="key" style="background: var(--ours)"></span>this engine'
        '<span class="key" style="background: var(--dense)"></span>dense engine</p>'
    )
    reasons = "".join(
        f'<p class="note">{escape(row.name)}: {escape(row.reason)}</p>' for row in boards if row.reason
    )
    return "<h2>Boards</h2>" + key + table(caption, heads, rows) + reasons


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:.3f}"
