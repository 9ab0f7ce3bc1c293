"""What `tamis bench` prints: headings that say what the figures are, and the tables."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from golden.geometry import Geometry
from host.bench import CLOCK_MHZ, PAPER_QUEUE_DEPTH, Measurement
from host.report import percent, print_table


@dataclass(frozen=True)
class Totals:
    """Sums and means over layers.

    Parameters
    ----------
    nnz_active, cycles, paper_cycles : int
        Sums.
    against_paper : float
        Geometric mean of cycles / paper_cycles.
    efficiency : float
        Useful efficiency of all layers one after another.
    """

    nnz_active: int
    cycles: int
    paper_cycles: int
    against_paper: float
    efficiency: float


def totals(measured: Sequence[Measurement]) -> Totals:
    """Sums and means over layers that ran on one engine."""
    nnz = sum(one.nnz_active for one in measured)
    cycles = sum(one.cycles for one in measured)
    ratios = [one.cycles / one.paper_cycles for one in measured]
    return Totals(
        nnz,
        cycles,
        sum(one.paper_cycles for one in measured),
        float(np.exp(np.mean(np.log(ratios)))),
        nnz / (measured[0].pes * cycles),
    )


def heading(geometry: Geometry, what: str, built: Sequence[int]) -> str:
    """Name the engine on which all layers of a table run, and say which PEs boards hold, of presets built."""
    pairs = "two activations of neighbouring slots" if geometry.scan_width == 2 else "one activation"
    mode = "with the paper's choices, " if geometry.paper else ""
    kilobits = geometry.pes * geometry.matrix_words * geometry.word_bits // 1024
    sizes = ", ".join(map(str, sorted(set(built))))
    boards = (
        f"Boards have been built with {sizes} PEs, and smaller memories; this engine is simulated only."
        if built
        else "No board is built yet: every number of PEs is simulated only."
    )
    return (
        f"{what} on the engine in Verilator, {mode}{geometry.pes} PEs.\n{boards}\n"
        f"Each PE: queue of {geometry.queue_depth}, matrix {geometry.matrix_words:,} words of "
        f"{geometry.word_entries} entries of {geometry.entry_bits} bits ({kilobits:,} Kbit in all), "
        f"{geometry.pointer_words:,} pointer words, {geometry.accumulators:,} accumulators of "
        f"{geometry.accumulator_bits} bits, two files of {geometry.activations:,} activations.\n"
        f"A broadcast, and so an item of the queue, is {pairs}."
    )


def print_measurements(
    geometry: Geometry, what: str, measured: Sequence[Measurement], cpu: str, built: Sequence[int]
) -> None:
    """Print the heading, with the PEs of the boards that are built, four tables and what sums them up."""
    print(heading(geometry, what, built))
    print(
        "Paper cycles: rows mod N, 4-bit runs, padding and empty columns cost a cycle, queue of "
        f"{PAPER_QUEUE_DEPTH}, one broadcast a cycle; by the cycle model."
    )
    print_table(
        "\nCycles",
        ["layer", "useful", "ideal", "RTL", "model", "paper", "in order", "stalls", "efficiency", "= golden"],
        [_cycles(one) for one in measured],
    )
    if len(measured) > 1:
        sums = totals(measured)
        print(
            f"Sum: {sums.nnz_active:,} useful weights in {sums.cycles:,} cycles, efficiency "
            f"{percent(sums.efficiency)}; with the paper's choices {sums.paper_cycles:,} cycles. "
            f"Geometric mean of RTL / paper cycles: {sums.against_paper:.3f}."
        )
    print_table(
        "\nStorage",
        ["layer", "weights", "entries", "padding", "balance", "steps", "tiled"],
        [_storage(one) for one in measured],
    )
    print_table(
        "\nBits on the chip for each nonzero weight",
        ["layer", *(name.replace("ulators", ".").replace("ations", ".") for name in measured[0].bits), "all"],
        [_bits(one) for one in measured],
    )
    others = [
        "layer",
        "RTL cycles",
        f"us at {CLOCK_MHZ:g} MHz",
        "dense cycles",
        "dense / RTL",
        "CSR us on CPU",
    ]
    published = ["EIE cycles*", "EIE us*"] if measured[0].eie_cycles is not None else []
    print_table(
        "\nBeside others",
        [*others, *published],
        [_beside(one)[: len(others + published)] for one in measured],
    )
    print(
        f"The clock of {CLOCK_MHZ:g} MHz is assumed, not reached on a board.\n"
        f"Dense: ceil(rows / PEs) * columns, as many multipliers, always busy.\n"
        f"CSR: scipy.sparse, float32, one thread, conversion excluded, best of many; {cpu}."
    )
    if published:
        print(
            "* Published for EIE: other matrices (trained ones, of the same sizes and densities), on a chip "
            "of 64 PEs at 800 MHz."
        )


def _cycles(one: Measurement) -> list[object]:
    equal = "yes" if one.matches_golden else "NO"
    before = [one.layer, one.nnz_active, one.ideal_cycles, one.cycles, one.model_cycles, one.paper_cycles]
    return [*before, one.interleaved_cycles, one.stalls, one.efficiency, equal]


def _storage(one: Measurement) -> list[object]:
    tiled = "yes" if one.tiled else "no"
    return [one.layer, one.nnz, one.entries, one.padding, one.balance, one.steps, tiled]


def _bits(one: Measurement) -> list[object]:
    return [one.layer, *(bits / one.nnz for bits in one.bits.values()), one.bits_per_weight]


def _beside(one: Measurement) -> list[object]:
    ours = [one.layer, one.cycles, f"{one.us:,.1f}", one.dense_cycles]
    return [
        *ours,
        f"{one.dense_cycles / one.cycles:.1f}",
        f"{one.csr_us:,.1f}",
        one.eie_cycles,
        f"{one.eie_us}",
    ]
