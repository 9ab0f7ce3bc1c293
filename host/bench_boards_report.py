"""The tables of `tamis bench boards`."""

from collections.abc import Sequence
from itertools import groupby

from host.bench_boards import DENSITIES, Rival, Row
from host.bench_dense import MARLANN_CLOCK_MHZ, MARLANN_MACS
from host.report import cell_text, percent, print_table

NAMES = {"ours": "(ours)", "all": "(all)"}
"""Sizes of the dense engine by their multipliers."""


def print_comparison(rows: Sequence[Row]) -> None:
    """Show `compare`'s rows to people, network by network."""
    for network, group in groupby(rows, lambda row: row.network):
        _print_network(network, list(group))
    print(
        "Clock: of a build, nextpnr's worst case for a build of this preset reached it; of the preset, it\n"
        "is only asked for. A dense engine has the clock that it reached alone on the chip, out of context,\n"
        "without a link; one with * was not built for the chip and has our clock.\n"
        "Streamed dense weights: all memory of the chip would not hold them, so they cross the line for\n"
        "each input. Its time on the engine is as though they were there, which flatters it.\n"
        "/ ours: above 1 ours takes less time.\n"
        "Dense wins from: with this share of weights kept in every layer it is as fast on its engine."
    )
    if any(row.marlann_per_second for row in rows):
        print(
            f"MARLANN: a bound, {MARLANN_CLOCK_MHZ} MHz x {MARLANN_MACS} products a cycle, none of them lost "
            "and all weights at hand.\nIt flatters: a LeNet-300-100 (266,200 bytes) does not fit the 128 KB "
            "that it has for weights."
        )


def markdown(rows: Sequence[Row]) -> str:
    """A table for each network, for docs/benchmarks.md; a pair of figures is of the two dense engines."""
    lines = []
    for network, group in groupby(rows, lambda row: row.network):
        bounds = []
        lines += [
            f"**{network}**",
            "",
            "| board | PEs x MHz | weights | cycles | engine, us | answer, ms | dense lanes | dense MHz | "
            "engine / ours | dense wins from | dense weights | answer / ours |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        for row in group:
            ours = [
                row.board,
                f"{row.pes} x {row.clock_mhz:.4g}, {row.clock_from}",
                held(row.resident) if row.fits else "do not fit",
                cell_text(None if row.cycles is None else round(row.cycles)),
                cell_text(row.engine_us),
                cell_text(_milliseconds(row.answer_us)),
            ]
            pairs = [
                [
                    str(one.lanes),
                    _clock_alone(one, "", "\\*"),
                    "" if one.faster is None else f"{one.faster:.2f}",
                    crossing(row, one),
                    held(one.resident),
                    "" if one.answer_faster is None else f"{one.answer_faster:.2f}",
                ]
                for one in row.dense
            ]
            dense = [", ".join(pair) for pair in zip(*pairs, strict=True)]
            lines.append(f"| {' | '.join(ours + dense)} |")
            bound = row.marlann_per_second
            if bound and row.engine_us and row.answer_us and row.pace_us:
                engine, answer, pace = 1e6 / row.engine_us, 1e6 / row.answer_us, 1e6 / row.pace_us
                bounds.append(
                    f"MARLANN's bound beside {row.board}: {bound:,.0f} inferences a second. "
                    f"Ours: {engine:,.0f} on the engine ({engine / bound:.2f} times the bound), "
                    f"{answer:,.1f} from wire to answer one at a time ({answer / bound:.3f} times), "
                    f"{pace:,.1f} in a row ({pace / bound:.3f} times)."
                )
        lines += ["", *(f"{sentence}\n" for sentence in bounds)]
    return "\n".join(lines).rstrip()


def _print_network(network: str, rows: list[Row]) -> None:
    cells = [
        [
            row.board,
            row.status,
            row.pes,
            row.clock_mhz,
            row.clock_from,
            held(row.resident) if row.fits else "do not fit",
            None if row.cycles is None else round(row.cycles),
            row.engine_us,
            _milliseconds(row.answer_us),
        ]
        for row in rows
    ]
    heads = ["board", "status", "PEs", "MHz", "clock of", "weights", "cycles", "engine, us", "answer, ms"]
    active = ", ".join(percent(share) for share in rows[0].activations)
    print(f"{network}: mean of {rows[0].inputs} inputs; not zero of the layers' inputs: {active}")
    print_table(f"{network}, this engine by the cycle model; answer: from wire to answer", heads, cells)
    for row in rows:
        if not row.fits:
            print(f"{row.board}: {row.reason}")
    pairs = [(row, one) for row in rows for one in row.dense]
    cells = [
        [
            row.board,
            f"{one.lanes} {NAMES[one.size]}",
            _clock_alone(one, " ", "*"),
            one.cycles,
            one.engine_us,
            one.faster,
            crossing(row, one),
        ]
        for row, one in pairs
    ]
    dense = "dense int8 engines with as many multipliers as ours, or all of the chip"
    heads = ["board", "multipliers", "MHz, alone", "cycles", "engine, us", "/ ours", "dense wins from"]
    print_table(f"{network}, {dense}, on the engine", heads, cells)
    cells = [
        [
            row.board,
            f"{one.lanes} {NAMES[one.size]}",
            held(one.resident),
            _milliseconds(one.answer_us),
            one.answer_faster,
        ]
        for row, one in pairs
    ]
    heads = ["board", "multipliers", "weights", "answer, ms", "/ ours"]
    print_table(f"{network}, {dense}, from wire to answer", heads, cells)
    bounds = [
        [
            row.board,
            row.marlann_per_second,
            *_beside(row.engine_us, row.marlann_per_second),
            *_beside(row.answer_us, row.marlann_per_second),
            *_beside(row.pace_us, row.marlann_per_second),
        ]
        for row in rows
        if row.marlann_per_second
    ]
    if bounds:
        heads = ["board", "MARLANN's bound", "ours, engine", "/ bound", "ours, wire to answer", "/ bound"]
        heads += ["ours, inputs in a row", "/ bound"]
        print_table(f"{network}, inferences a second on the UP5K", heads, bounds)


def held(resident: bool | None) -> str:
    """Where weights are."""
    return "resident" if resident else "streamed"


def crossing(row: Row, one: Rival) -> str:
    """The density from which the dense engine wins."""
    if not row.fits:
        return ""
    if one.wins_at is None:
        tried = row.densities[-1][0] if row.densities else 0.0
        return "never" if tried == 1 else f"> {percent(tried)}"
    if one.wins_at <= DENSITIES[0]:
        return f"<= {percent(DENSITIES[0])}"
    return percent(one.wins_at)


def _clock_alone(one: Rival, mark: str, assumed: str) -> str:
    return f"{one.clock_mhz:.1f}" + (assumed if one.clock_from == "assumed" else mark)


def _milliseconds(us: float | None) -> float | None:
    return None if us is None else us / 1000


def _beside(us: float | None, bound: float) -> list[float | None]:
    return [None, None] if us is None else [1e6 / us, 1e6 / us / bound]
