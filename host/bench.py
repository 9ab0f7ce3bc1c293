"""Timing one layer: on the gateware, by the cycle model, as the paper would have done it, and on this CPU.

The gateware is a `golden.execute.Device` that the command line passes in. Every figure belongs to one input
vector, which nothing that prepares the layer has seen.
"""

import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.balance import by_load
from golden.cycles import run_cycles
from golden.engine import Engine
from golden.execute import Device, Result, execute
from golden.forward import forward
from golden.geometry import ACTIVATION_BITS, Geometry
from golden.image import sections
from golden.layers import Layer, Model
from golden.memories import ALL_PES, Memory, word_bits
from golden.placement import Placement, interleaved
from golden.plan import Plan, make_plan
from golden.tiles import round_up
from host.bench_layers import SHAPES, Case
from host.info import dense_cycles
from host.packages import require

CLOCK_MHZ = 100.0
"""Clock at which our cycles are shown as microseconds. It is assumed: no board has been built."""
QUEUE_DEPTH = 16
PAPER_QUEUE_DEPTH = 8
ENTRIES = 1 << 23
"""Entries that all PEs together hold, as far as `Geometry` lets them: twice the largest layer's weights."""
MOST_WORDS, MOST_SLOTS = 1 << 16, 1 << 12
WORD_ENTRIES = 4
POINTER_WORDS = 8192
CSR_SECONDS = 0.3
"""Time over which SciPy's product is repeated; the shortest counts, as others may use the machine."""


def geometry_for(pes: int, queue_depth: int = QUEUE_DEPTH, *, paper: bool = False) -> Geometry:
    """The one engine of this many PEs on which all layers are timed.

    Memories are powers of two that hold each of the nine layers, as far as the limits of `Geometry` allow;
    below 32 PEs some layers are tiled.

    Parameters
    ----------
    pes, queue_depth : int
    paper : bool
        EIE's choices: one broadcast a cycle; padding entries and empty columns cost a cycle.

    >>> geometry_for(64).matrix_words, geometry_for(4).matrix_words, geometry_for(64, 8).activations
    (32768, 65536, 512)
    """

    def hold(elements: int, most: int) -> int:
        return min(most, max(2, 1 << (-(-elements // pes) - 1).bit_length()))

    return Geometry(
        pes=pes,
        queue_depth=queue_depth,
        word_entries=WORD_ENTRIES,
        matrix_words=hold(ENTRIES // WORD_ENTRIES, MOST_WORDS),
        pointer_words=POINTER_WORDS,
        accumulators=hold(max(shape.rows for shape in SHAPES), MOST_SLOTS),
        activations=hold(max(shape.columns for shape in SHAPES), MOST_SLOTS),
        scan_width=1 if paper else 2,
        padding_zeros=paper,
        empty_columns=paper,
    )


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """The figures of one layer; docs/benchmarks.md defines each of them."""

    layer: str
    pes: int
    queue: int
    seed: int | None
    rows: str
    paper: bool
    inputs: int
    outputs: int
    nnz: int
    nnz_active: int
    ideal_cycles: int
    cycles: int
    model_cycles: int
    paper_cycles: int
    interleaved_cycles: int
    efficiency: float
    entries: int
    padding: int
    balance: float
    stalls: int
    steps: int
    tiled: bool
    bits: dict[str, int]
    bits_per_weight: float
    eie_cycles: int | None
    eie_us: float | None
    dense_cycles: int
    clock_mhz: float
    us: float
    csr_us: float
    matches_golden: bool

    def as_dict(self) -> dict[str, Any]:
        """The object for JSON; see docs/schemas/bench.json."""
        return asdict(self)


Tell = Callable[[str], None]
"""Is told what begins."""


def silent(_: str) -> None:
    """Tell nobody."""


def plan_case(case: Case, geometry: Geometry, tell: Tell = silent) -> Plan:
    """Place a layer on an engine; with `geometry.paper` rows stay interleaved.

    Raises
    ------
    UnsupportedError
        If the engine cannot hold the layer even in tiles.
    """
    tell(f"{case.name}: placing {case.layer.nnz:,} weights on {geometry.pes} PEs")
    return make_plan(Model(layers=(case.layer,)), geometry, placements(case, geometry))


def measure(case: Case, plan: Plan, device: Device, queue_item_bits: int, tell: Tell = silent) -> Measurement:
    """Time one layer.

    Parameters
    ----------
    case : Case
    plan : Plan
        See `plan_case`.
    device : Device
        The gateware.
    queue_item_bits : int
        Bits of an item of its activation queue.
    tell : callable, optional

    Raises
    ------
    ToolMissingError
        If SciPy is not installed.
    """
    geometry, layer = plan.geometry, case.layer
    vector = case.vector[np.newaxis]
    tell(f"{case.name}: loading and running the gateware")
    gateware = execute(plan, device, vector)
    reference, _ = forward(Model(layers=(layer,)), vector, geometry.accumulator_bits)
    tell(f"{case.name}: running the cycle model")
    modelled = by_model(plan, vector)
    cycles, modelled_cycles = int(gateware.cycles[0]), int(modelled.cycles[0])
    bits = on_chip_bits(plan, queue_item_bits)
    report, shape = plan.layers[0], case.shape
    return Measurement(
        layer=case.name,
        pes=geometry.pes,
        queue=geometry.queue_depth,
        seed=case.seed,
        rows=case.rows,
        paper=geometry.paper,
        inputs=layer.columns,
        outputs=layer.rows,
        nnz=layer.nnz,
        nnz_active=case.nnz_active,
        ideal_cycles=-(-case.nnz_active // geometry.pes),
        cycles=cycles,
        model_cycles=modelled_cycles,
        paper_cycles=_otherwise(case, paper_geometry(geometry), plan, modelled_cycles),
        interleaved_cycles=_otherwise(case, geometry, plan, modelled_cycles, in_order=True),
        efficiency=case.nnz_active / (geometry.pes * cycles),
        entries=int(report.entries.sum()),
        padding=report.padding,
        balance=report.balance,
        stalls=int(gateware.stalls[0]),
        steps=report.steps,
        tiled=not plan.resident,
        bits=bits,
        bits_per_weight=sum(bits.values()) / layer.nnz,
        eie_cycles=shape.eie_cycles if shape else None,
        eie_us=shape.eie_us if shape else None,
        dense_cycles=dense_cycles(layer, geometry.pes),
        clock_mhz=CLOCK_MHZ,
        us=cycles / CLOCK_MHZ,
        csr_us=csr_microseconds(layer, case.vector),
        matches_golden=bool(np.array_equal(gateware.outputs, reference)),
    )


def placements(case: Case, geometry: Geometry, in_order: bool = False) -> list[Placement]:
    """Input interleaved; rows by load, weighted by the case's activity, or in order, as EIE places them."""
    pes, layer = geometry.pes, case.layer
    in_order = in_order or geometry.paper
    rows = interleaved(layer.rows, pes) if in_order else by_load(layer, pes, case.activity)
    return [interleaved(layer.columns, pes), rows]


def paper_geometry(geometry: Geometry) -> Geometry:
    """The same memories with the paper's choices, its queue of 8 included."""
    return replace(
        geometry, padding_zeros=True, empty_columns=True, scan_width=1, queue_depth=PAPER_QUEUE_DEPTH
    )


def by_model(plan: Plan, vector: NDArray[np.int16]) -> Result:
    """Run inputs, shape (batch, columns), on the golden engine; cycles and stalls are the cycle model's."""
    return execute(plan, Engine(plan.geometry, run_cycles), vector)


def _otherwise(case: Case, geometry: Geometry, plan: Plan, cycles: int, in_order: bool = False) -> int:
    """Cycles of the model with another geometry or placement; those known where both are the plan's."""
    if geometry == plan.geometry and (not in_order or geometry.paper):
        return cycles
    model = Model(layers=(case.layer,))
    other = make_plan(model, geometry, placements(case, geometry, in_order))
    return int(by_model(other, case.vector[np.newaxis]).cycles[0])


def on_chip_bits(plan: Plan, queue_item_bits: int) -> dict[str, int]:
    """Memory bits that a plan of one layer occupies on the chip, all PEs together.

    PEs are alike, so each memory counts with the words of the fullest PE. A tiled layer occupies the largest
    image of either bank. Pipeline registers are not counted.

    Returns
    -------
    dict
        matrix (biases included), pointers, codebook, steps (in the control, once), activations (the slots
        used in both files), accumulators (the rows summed at once), queue (all its items).
    """
    geometry = plan.geometry
    largest: dict[tuple[int, Memory], int] = {}
    for image in plan.images:
        used = np.zeros((max(Memory) + 1, geometry.pes), dtype=np.int64)
        for section in sections(image.payload, geometry, image.bank):
            pes = slice(None) if section.pe == ALL_PES else section.pe
            used[section.memory, pes] += section.words.size
        for memory in Memory:
            place = (image.bank, memory)
            largest[place] = max(largest.get(place, 0), int(used[memory].max()))

    def bits(memory: Memory, copies: int = geometry.pes) -> int:
        words = sum(count for (_, held), count in largest.items() if held is memory)
        return words * word_bits(geometry, memory) * copies

    slots = [round_up(placement.slots, geometry.scan_width) for placement in plan.placements]
    rows = min(slots[-1], geometry.accumulators)
    return {
        "matrix": bits(Memory.MATRIX),
        "pointers": bits(Memory.POINTERS),
        "codebook": bits(Memory.CODEBOOK),
        "steps": bits(Memory.STEPS, 1),
        "activations": sum(min(n, geometry.activations) for n in slots) * ACTIVATION_BITS * geometry.pes,
        "accumulators": rows * geometry.accumulator_bits * geometry.pes,
        "queue": geometry.queue_depth * queue_item_bits * geometry.pes,
    }


def csr_microseconds(layer: Layer, vector: NDArray[np.int16]) -> float:
    """Shortest time of SciPy's float32 CSR product with a dense vector, on one thread, conversion excluded.

    Raises
    ------
    ToolMissingError
        If SciPy is not installed.
    """
    values = layer.codebook.astype(np.float32)[layer.index]
    shape = (layer.rows, layer.columns)
    matrix = require_scipy().csr_matrix((values, (layer.row, layer.column)), shape=shape)
    dense = vector.astype(np.float32)
    matrix @ dense
    times: list[float] = []
    end = time.perf_counter() + CSR_SECONDS
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        matrix @ dense
        times.append(time.perf_counter() - start)
    return min(times) * 1e6


def require_scipy() -> Any:
    """The module `scipy.sparse`.

    Raises
    ------
    ToolMissingError
        If it is not installed.
    """
    return require("scipy.sparse", "scipy", "bench", "benchmarks compare with its product")


def cpu_name() -> str:
    """Name of this machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
