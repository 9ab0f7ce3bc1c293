"""What each of the paper's choices costs: the same layer by the cycle model, one choice changed at a time.

Changes that follow one another are counted in their order, and whichever comes first has the most to gain. So
each choice is also put back alone into the finished engine; what that costs depends on no order.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from golden.image import sections
from golden.layers import Model
from golden.memories import ALL_PES, Memory, word_bits
from golden.plan import Plan, make_plan
from host.bench import (
    PAPER_QUEUE_DEPTH,
    QUEUE_DEPTH,
    Tell,
    by_model,
    geometry_for,
    placements,
    silent,
)
from host.bench_layers import Case
from host.report import print_table


@dataclass(frozen=True)
class Choice:
    """One thing that EIE and this engine do differently.

    Parameters
    ----------
    setting : str
        Field of the geometry, or `IN_ORDER`.
    paper, ours : int
        Its values.
    put_back, change : str
        Names of the two; in JSON with underscores.
    """

    setting: str
    paper: int
    ours: int
    put_back: str
    change: str


IN_ORDER = "in_order"
CHOICES = (
    Choice("padding_zeros", True, False, "padding zeros", "escapes"),
    Choice("empty_columns", True, False, "empty columns", "columns dropped"),
    Choice(IN_ORDER, True, False, "rows mod N", "rows by load"),
    Choice("scan_width", 1, 2, "one broadcast", "two broadcasts"),
    Choice(
        "queue_depth",
        PAPER_QUEUE_DEPTH,
        QUEUE_DEPTH,
        f"queue of {PAPER_QUEUE_DEPTH}",
        f"queue of {QUEUE_DEPTH}",
    ),
)
"""In the order in which they are changed."""

Settings = dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """Cycles and pointer bits of one layer; docs/benchmarks.md defines each of them.

    Parameters
    ----------
    layer : str
    pes : int
    seed : int or None
    rows : str
    nnz, nnz_active, ideal_cycles : int
        As in `host.bench.Measurement`.
    paper_cycles : int
        With all of the paper's choices.
    changed : dict of str to int
        Cycles after each change, those before it included.
    cycles : int
        With none of the paper's choices.
    put_back : dict of str to int
        Cycles with this one of the paper's choices and no other.
    full_pointer_bits, pointer_bits : int
        Pointers of all PEs: a full pointer for each column and one for the end, and as they are stored.
    pointer_width : int
        Bits of a full pointer: of the address of an entry in this engine's memory.
    """

    layer: str
    pes: int
    seed: int | None
    rows: str
    nnz: int
    nnz_active: int
    ideal_cycles: int
    paper_cycles: int
    changed: dict[str, int]
    cycles: int
    put_back: dict[str, int]
    pointer_width: int
    full_pointer_bits: int
    pointer_bits: int

    def as_dict(self) -> dict[str, Any]:
        """The object for JSON; see docs/schemas/ablation.json."""
        return asdict(self)


def ablate(case: Case, pes: int, tell: Tell = silent) -> Ablation:
    """Change the paper's choices one after the other, and put each back alone.

    Parameters
    ----------
    case : Case
    pes : int
    tell : callable, optional

    Raises
    ------
    UnsupportedError
        If an engine cannot hold the layer even in tiles.
    """
    paper: Settings = {choice.setting: choice.paper for choice in CHOICES}
    ours: Settings = {choice.setting: choice.ours for choice in CHOICES}
    engines = _Engines(case, pes, tell)
    plan = engines.plan(ours)
    full, stored = pointer_bits(plan)
    settings, changed = paper, {}
    for choice in CHOICES:
        settings = {**settings, choice.setting: choice.ours}
        changed[_key(choice.change)] = engines.cycles(settings)
    put_back = {_key(c.put_back): engines.cycles({**ours, c.setting: c.paper}) for c in CHOICES}
    return Ablation(
        layer=case.name,
        pes=pes,
        seed=case.seed,
        rows=case.rows,
        nnz=case.layer.nnz,
        nnz_active=case.nnz_active,
        ideal_cycles=-(-case.nnz_active // pes),
        paper_cycles=engines.cycles(paper),
        changed=changed,
        cycles=engines.cycles(ours),
        put_back=put_back,
        pointer_width=plan.geometry.entry_address_bits,
        full_pointer_bits=full,
        pointer_bits=stored,
    )


def _key(name: str) -> str:
    return name.lower().replace(" ", "_")


class _Engines:
    """One layer on engines that differ in the paper's choices; on each it is timed once."""

    def __init__(self, case: Case, pes: int, tell: Tell) -> None:
        self.case, self.tell = case, tell
        self.base = geometry_for(pes)
        tell(f"{case.name}: placing {case.layer.nnz:,} weights on {pes} PEs")
        self.placements = [placements(case, self.base, in_order) for in_order in (False, True)]
        self.known: dict[tuple[int, ...], int] = {}

    def plan(self, settings: Settings) -> Plan:
        """The layer as an engine with these settings holds it."""
        sizes: dict[str, Any] = {name: value for name, value in settings.items() if name != IN_ORDER}
        geometry = replace(self.base, **sizes)
        return make_plan(Model(layers=(self.case.layer,)), geometry, self.placements[settings[IN_ORDER]])

    def cycles(self, settings: Settings) -> int:
        """Cycles of the layer with these settings."""
        key = tuple(settings[choice.setting] for choice in CHOICES)
        if key not in self.known:
            number = len(self.known) + 1
            self.tell(f"{self.case.name}: running the cycle model, {number} of {2 * len(CHOICES)}")
            result = by_model(self.plan(settings), self.case.vector[np.newaxis])
            self.known[key] = int(result.cycles[0])
        return self.known[key]


def pointer_bits(plan: Plan) -> tuple[int, int]:
    """Bits of the pointers of a plan of one layer, all PEs and all tiles together.

    Returns
    -------
    full : int
        A pointer for each column of a row tile and one for the end of each step, as EIE stores them, each
        wide enough for the address of any entry.
    stored : int
        Pointer words as they are: bases and short lengths.
    """
    geometry, report = plan.geometry, plan.layers[0]
    pointers = report.row_tiles * report.columns + report.steps
    words = 0
    for image in plan.images:
        for section in sections(image.payload, geometry, image.bank):
            if section.memory is Memory.POINTERS:
                words += section.words.size * (geometry.pes if section.pe == ALL_PES else 1)
    full = pointers * geometry.entry_address_bits * geometry.pes
    return full, words * word_bits(geometry, Memory.POINTERS)


def print_ablations(ablations: Sequence[Ablation]) -> None:
    """Print the changes one after the other, each choice put back alone, and the pointers."""
    one = ablations[0]
    print(
        f"EIE's layers, random matrices of seed {one.seed} with {one.rows} rows, {one.pes} PEs, by the "
        "cycle model.\nPaper: padding zeros and empty columns cost a cycle each, rows mod N, one broadcast "
        f"a cycle, queue of {PAPER_QUEUE_DEPTH}."
    )
    forward = [[a.ideal_cycles, a.paper_cycles, *a.changed.values()] for a in ablations]
    each = [None, None, *(_mean(row[i] / row[i - 1] for row in forward) for i in range(2, len(forward[0])))]
    _table(
        "One change after the other, each with those before it: cycles",
        ["ideal", "paper", *(f"+ {choice.change}" for choice in CHOICES)],
        ablations,
        forward,
        {"mean / paper": _means(forward, 1), "mean / before": each},
    )
    back = [[a.cycles, *a.put_back.values()] for a in ablations]
    _table(
        "One of the paper's choices put back alone: cycles",
        ["none", *(choice.put_back for choice in CHOICES)],
        ablations,
        back,
        {"mean / none": _means(back, 0)},
    )
    _table(
        "Pointers: bits for each nonzero weight",
        [f"full, {one.pointer_width} bits", "stored", "stored / full"],
        ablations,
        [[a.full_pointer_bits / a.nnz, a.pointer_bits / a.nnz, _ratio(a)] for a in ablations],
        {"mean": [None, None, _mean(map(_ratio, ablations))]},
    )
    print(
        "Means are geometric.\n"
        "Full: for each PE a pointer to each column and one to the end, wide enough for its matrix memory.\n"
        "Stored: a base for eight (or four) columns and their lengths of 4 (or 8) bits."
    )


def _table(
    title: str,
    columns: Sequence[str],
    ablations: Sequence[Ablation],
    rows: Sequence[Sequence[object]],
    means: Mapping[str, Sequence[object]],
) -> None:
    named = [[a.layer, *row] for a, row in zip(ablations, rows, strict=True)]
    print_table(f"\n{title}", ["layer", *columns], named + [[name, *row] for name, row in means.items()])


def _ratio(one: Ablation) -> float:
    return one.pointer_bits / one.full_pointer_bits


def _means(rows: Sequence[Sequence[int]], reference: int) -> list[float]:
    """Geometric mean, over the rows, of each column's ratio to that of reference."""
    return [_mean(row[i] / row[reference] for row in rows) for i in range(len(rows[0]))]


def _mean(ratios: Iterable[float]) -> float:
    return float(np.exp(np.mean(np.log(list(ratios)))))
