"""Sweeps over queue depth, run bits and PEs: the counterparts of the paper's Figures 8 and 11 to 13.

All by the cycle model, which agrees with the gateware to the cycle, once for this engine and once with the
paper's choices (Han et al., ISCA 2016). docs/benchmarks.md defines every figure.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from golden.cycles import column_words, run_cycles
from golden.engine import Engine, StepTrace
from golden.execute import RunReport, execute
from golden.geometry import Geometry
from host.bench import PAPER_QUEUE_DEPTH, QUEUE_DEPTH, Tell, geometry_for, plan_case, silent
from host.bench_layers import INDEX_BITS, Case, make_layer
from host.report import print_table

DEPTHS = tuple(1 << i for i in range(9))
PES = tuple(1 << i for i in range(9))
WIDEST_ENTRY = 9
RUN_BITS = tuple(range(1, WIDEST_ENTRY))
MODES = {False: "this engine", True: "the paper's choices"}


@dataclass(frozen=True, kw_only=True)
class Swept:
    """The figures of one layer at one setting.

    Parameters
    ----------
    layer : str
    paper : bool
        Whether with the paper's choices.
    pes, queue, run_bits : int
        The setting; bits of a zero run.
    seed : int or None
    rows : str
    nnz, nnz_active : int
        Nonzero weights, all and in columns of nonzero activations.
    entries, padding : int
        Stored entries, and those that are no weight.
    weights_share : float
        nnz / entries: the paper's Figure 12.
    stored_bits : float
        Bits of the stored entries for each nonzero weight.
    cycles, stalls : int
    busy_cycles : int
        Cycles in which weight decode takes something out of a word, summed over the PEs.
    load_efficiency : float
        busy_cycles / (pes * cycles): the paper's Figures 8 and 13.
    work_share : float
        nnz_active / busy_cycles; 1 if there is no work.
    efficiency : float
        nnz_active / (pes * cycles), the product of the two.
    steps : int
    tiled : bool
    speedup : float or None
        Over one PE, where one PE was timed.
    """

    layer: str
    paper: bool
    pes: int
    queue: int
    run_bits: int
    seed: int | None
    rows: str
    nnz: int
    nnz_active: int
    entries: int
    padding: int
    weights_share: float
    stored_bits: float
    cycles: int
    stalls: int
    busy_cycles: int
    load_efficiency: float
    work_share: float
    efficiency: float
    steps: int
    tiled: bool
    speedup: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The object for JSON; see docs/schemas/sweep.json."""
        return asdict(self)


def queue_depths(cases: Iterable[Case], pes: int, tell: Tell = silent) -> Iterator[Swept]:
    """Time layers with queues of `DEPTHS`, each layer and mode planned once."""
    for case in cases:
        for paper, mode in MODES.items():
            tell(f"{case.name}: queues of {DEPTHS[0]} to {DEPTHS[-1]}, {mode}")
            yield from time_case(case, geometry_for(pes, paper=paper), DEPTHS)


def run_widths(
    cases: Iterable[Case], pes: int, depth: int | None = None, tell: Tell = silent
) -> Iterator[Swept]:
    """Time layers whose zero runs have `RUN_BITS` bits, by default with each mode's own queue."""
    for case in cases:
        for paper, mode in MODES.items():
            geometry = geometry_for(pes, depth or own_depth(paper), paper=paper)
            tell(f"{case.name}: runs of {RUN_BITS[0]} to {RUN_BITS[-1]} bits, {mode}")
            for run_bits in RUN_BITS:
                yield from time_case(*with_run_bits(case, geometry, run_bits))


def pe_counts(cases: Iterable[Case], depth: int | None = None, tell: Tell = silent) -> Iterator[Swept]:
    """Time layers on `PES`, by default with each mode's own queue; the speed-up is over the first."""
    for case in cases:
        for paper, mode in MODES.items():
            first = 0
            for pes in PES:
                tell(f"{case.name}: {pes} PEs, {mode}")
                (one,) = time_case(case, geometry_for(pes, depth or own_depth(paper), paper=paper))
                first = first or one.cycles
                yield replace(one, speedup=first / one.cycles)


def own_depth(paper: bool) -> int:
    """The queue of a mode, unless another one is asked for."""
    return PAPER_QUEUE_DEPTH if paper else QUEUE_DEPTH


def with_run_bits(case: Case, geometry: Geometry, run_bits: int) -> tuple[Case, Geometry]:
    """The same places of weights, stored with zero runs of this width.

    An entry is as wide as the engine allows, and what the run leaves of it is the index. Time and entries
    depend on where the weights stand and not on their values, so one value stands for all.
    """
    index_bits = WIDEST_ENTRY - run_bits
    old = case.layer
    codebook = np.arange(1 << index_bits) > 0
    layer = make_layer((old.rows, old.columns), old.row, old.column, np.ones_like(old.index), codebook)
    room = max(geometry.codebook_entries, 2 * codebook.size)  # a tiled layer has half of it
    return replace(case, layer=layer), replace(geometry, entry_bits=WIDEST_ENTRY, codebook_entries=room)


def time_case(case: Case, geometry: Geometry, depths: Sequence[int] = ()) -> list[Swept]:
    """Time one layer by the cycle model, at several queue depths if they are given.

    Placement, entries and what the steps broadcast do not depend on the queue, so they are made once.
    """
    depths = depths or (geometry.queue_depth,)
    plan = plan_case(case, geometry)
    run_bits = geometry.entry_bits - case.layer.index_bits
    reports: list[list[RunReport]] = []
    busy: list[int] = []

    def timing(_: Geometry, traces: tuple[StepTrace, ...]) -> RunReport:
        busy.append(sum(_takes(geometry, trace) for trace in traces if trace.step.words))
        reports.append([run_cycles(replace(geometry, queue_depth=depth), traces) for depth in depths])
        return reports[-1][0]

    execute(plan, Engine(geometry, timing), case.vector[np.newaxis])
    (stored,) = plan.layers
    entries, work, nnz = int(stored.entries.sum()), sum(busy), case.nnz_active
    swept = []
    for depth, runs in zip(depths, zip(*reports, strict=True), strict=True):
        cycles = sum(run.cycles for run in runs)
        swept.append(
            Swept(
                layer=case.name,
                paper=geometry.paper,
                pes=geometry.pes,
                queue=depth,
                run_bits=run_bits,
                seed=case.seed,
                rows=case.rows,
                nnz=case.layer.nnz,
                nnz_active=nnz,
                entries=entries,
                padding=stored.padding,
                weights_share=case.layer.nnz / entries,
                stored_bits=entries * (INDEX_BITS + run_bits) / case.layer.nnz,
                cycles=cycles,
                stalls=sum(run.stalls for run in runs),
                busy_cycles=work,
                load_efficiency=work / (geometry.pes * cycles),
                work_share=nnz / work if work else 1.0,
                efficiency=nnz / (geometry.pes * cycles),
                steps=stored.steps,
                tiled=not plan.resident,
            )
        )
    return swept


def _takes(geometry: Geometry, trace: StepTrace) -> int:
    """Cycles that the columns of a step keep weight decode busy, all PEs together."""
    return int(column_words(geometry, trace).takes.sum())


@dataclass(frozen=True)
class Sweep:
    """How a sweep is shown.

    Parameters
    ----------
    setting : str
        Attribute of `Swept` that is varied.
    name : str
        What it is, with its unit.
    figures : dict of str to str
        Attributes of `Swept` that are shown, and their titles.
    """

    setting: str
    name: str
    figures: dict[str, str]


LOAD = {"load_efficiency": "Load efficiency: busy cycles / (PEs * cycles)"}
USEFUL = {"efficiency": "Useful efficiency: nonzero weights in active columns / (PEs * cycles)"}
WEIGHTS = {"weights_share": "Nonzero weights / stored entries"}
SWEEPS = {
    "queue": Sweep("queue", "items that each queue holds", LOAD | USEFUL),
    "runs": Sweep(
        "run_bits",
        "bits of a zero run",
        {"stored_bits": "Bits of stored entries for each nonzero weight"}
        | WEIGHTS
        | {"cycles": "Clock cycles"}
        | USEFUL,
    ),
    "pes": Sweep(
        "pes",
        "processing elements (PEs)",
        {"speedup": "Speed-up over one PE"}
        | WEIGHTS
        | {"work_share": "Real work: nonzero weights in active columns / busy cycles"}
        | LOAD
        | USEFUL,
    ),
}


def print_sweep(name: str, swept: Sequence[Swept]) -> None:
    """Print a table for each figure and mode: layers down, settings across.

    Parameters
    ----------
    name : str
        One of `SWEEPS`.
    swept : sequence of Swept
        Layer by layer, each setting once a mode.
    """
    sweep = SWEEPS[name]
    print(
        f"EIE's layers, {heading(name, swept)}; by the cycle model. docs/benchmarks.md defines every figure."
    )
    settings = sorted({getattr(one, sweep.setting) for one in swept})
    for figure, title in sweep.figures.items():
        for paper, mode in MODES.items():
            lines = [
                [layer, *(getattr(one, figure) for one in ones)] for layer, ones in lines_of(swept, paper)
            ]
            print_table(f"\n{title}; {mode}, by {sweep.name}", ["layer", *map(str, settings)], lines)
    for paper, mode in MODES.items():
        tiled = {
            layer: [str(getattr(one, sweep.setting)) for one in ones if one.tiled]
            for layer, ones in lines_of(swept, paper)
        }
        at = "; ".join(f"{layer} at {', '.join(where)}" for layer, where in tiled.items() if where)
        if at:
            print(f"Tiled, since the memories do not hold the layer at once, with {mode}: {at}.")


def heading(name: str, swept: Sequence[Swept]) -> str:
    """Say what stays the same in a sweep."""
    one, other = (next(one for one in swept if one.paper is paper) for paper in MODES)
    parts = [f"random matrices of seed {one.seed}, {one.rows} rows"]
    if name != "pes":
        parts.append(f"{one.pes} PEs")
    if name != "queue":
        differs = f" (with the paper's choices {other.queue})" if other.queue != one.queue else ""
        parts.append(f"queue of {one.queue}{differs}")
    return ", ".join(parts)


def lines_of(swept: Iterable[Swept], paper: bool) -> list[tuple[str, list[Swept]]]:
    """Layers of one mode, each with its settings in order."""
    lines: dict[str, list[Swept]] = {}
    for one in swept:
        if one.paper is paper:
            lines.setdefault(one.layer, []).append(one)
    return list(lines.items())
