"""Networks on every board: this engine, and the dense int8 engines that the same chip could hold instead.

Ours runs by the cycle model, at the clock that a build of the board reached or else its preset's. The dense
engines are those of `golden.dense` in two sizes: as many multipliers as this engine has PEs, and as many as
the chip has. Whatever is not known of a dense engine is assumed in its favour:

- all memory of the chip holds its weights, and it has all the activations, biases and layers it needs;
- where the weights do not fit even so, they cross the link for each input, but its time on the engine is as
  though they were there;
- its clock is the one it reached alone on the chip, without a link; on an ECP5 of another size that of the
  25F. On a chip where it was never built it gets ours.
- its bytes cross the line without framing, replies or waiting.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.dense import DenseGeometry, Shape, layer_words
from golden.errors import UnsupportedError
from golden.forward import layer_forward
from golden.geometry import Geometry
from golden.layers import Model
from host.bench_dense import dense_clock, dense_wins_at, marlann_bound, time_dense
from host.bench_threshold import load_example
from host.cost import Metered, Preset, answer_seconds, meter, pace_seconds
from host.demo import EXAMPLE
from host.known_models import NETWORKS, NetworkShape, random_inputs, random_model

INPUTS = 5
"""Inputs of which figures are the mean."""
INPUT_BITS = 8
"""Of an input's values, for this engine as for the dense ones."""
DENSITIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
"""Shares of weights kept, in every layer, at which this engine is timed to find where a dense one wins."""
DENSITY_INPUTS = 2
"""Inputs at each of them."""
LUTS_PER_LANE = 320
"""Of a dense engine that multiplies in logic: 24 lanes fill an HX8K."""
SINGLE_PORT_BYTES = {"iCE40UP5K": 4 * 32768}
"""Memory of a chip beside its block RAM."""
MARLANN_CHIP = "iCE40UP5K"

Int16Array = NDArray[np.int16]
Advance = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A board and its preset, as far as the benchmark looks at it.

    Parameters
    ----------
    preset : Preset
        The clock is the one to reckon with.
    clock_from : {"build", "preset", "none claimed"}
        Whether a build reached the clock, or the preset asks for it, perhaps of tools that nobody believes.
    status : str
        As `tamis boards` shows it.
    chip : str
    luts, multipliers : int
    block_ram_bytes : int
    """

    preset: Preset
    clock_from: str
    status: str
    chip: str
    luts: int
    multipliers: int
    block_ram_bytes: int

    @property
    def memory_bytes(self) -> int:
        """Bytes of weights that all memory of the chip could hold."""
        beside = sum(size for chip, size in SINGLE_PORT_BYTES.items() if self.chip.startswith(chip))
        return self.block_ram_bytes + beside


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A network with its inputs.

    Parameters
    ----------
    shape : NetworkShape
    model : Model
    inputs : array of int16, shape (count, inputs)
    seed : int
        Of the random networks with the same sizes.
    """

    shape: NetworkShape
    model: Model
    inputs: Int16Array
    seed: int

    @property
    def layers(self) -> list[Shape]:
        """Rows and columns of each layer."""
        return [(layer.rows, layer.columns) for layer in self.model.layers]

    @cached_property
    def activations(self) -> tuple[float, ...]:
        """Share of each layer's inputs that is not zero."""
        shares = []
        source = self.inputs
        for layer in self.model.layers:
            shares.append(float(np.count_nonzero(source) / source.size))
            source = layer_forward(layer, source)[0].astype(np.int16)
        return tuple(shares)

    def with_density(self, density: float) -> Model:
        """A random network of the same sizes that keeps this share of every layer's weights."""
        shape = replace(self.shape, weights=(density,) * len(self.shape.weights))
        return random_model(shape, self.seed)


@dataclass(frozen=True, kw_only=True)
class Rival:
    """A dense engine beside ours.

    Parameters
    ----------
    size : {"ours", "all"}
        As many multipliers as our engine has, or as the chip has.
    lanes : int
    clock_mhz : float
    clock_from : {"alone", "assumed"}
        Reached by the dense engine alone on the chip, or merely set to ours.
    resident : bool
        Whether the chip's memory could hold all weights.
    cycles : int
    engine_us, answer_us : float
    faster, answer_faster : float or None
        How many times less time ours takes, on the engine and from wire to answer.
    wins_at : float or None
        Share of kept weights at which it takes as long on the engine as ours; None if longer at all.
    """

    size: str
    lanes: int
    clock_mhz: float
    clock_from: str
    resident: bool
    cycles: int
    engine_us: float
    answer_us: float
    faster: float | None
    answer_faster: float | None
    wins_at: float | None


@dataclass(frozen=True, kw_only=True)
class Row:
    """A network on a board; fields as in docs/schemas/bench_boards.json."""

    network: str
    board: str
    chip: str
    status: str
    pes: int
    clock_mhz: float
    clock_from: str
    baud: int
    inputs: int
    activations: tuple[float, ...]
    fits: bool
    reason: str | None = None
    resident: bool | None = None
    cycles: float | None = None
    engine_us: float | None = None
    wire_bytes: float | None = None
    answer_us: float | None = None
    pace_us: float | None = None
    densities: tuple[tuple[float, float], ...] = ()
    dense: tuple[Rival, ...]
    marlann_per_second: float | None

    def as_dict(self) -> dict[str, Any]:
        """The object for JSON."""
        return asdict(self)


def networks(seed: int, folder: Path = EXAMPLE) -> list[Network]:
    """The digits network, trained, with some of its test inputs, and the random ones of known shape.

    Raises
    ------
    InputError
        If the example is not there.
    """
    model, inputs = load_example(folder, INPUT_BITS)
    rng = np.random.default_rng(seed)
    chosen = inputs[rng.choice(len(inputs), INPUTS, replace=False)].astype(np.int16)
    shape = NetworkShape(
        "digits",
        (model.inputs, *(layer.rows for layer in model.layers)),
        tuple(layer.nnz / (layer.rows * layer.columns) for layer in model.layers),
        float(np.count_nonzero(inputs) / inputs.size),
    )
    return [
        Network(shape=shape, model=model, inputs=chosen, seed=seed),
        *(
            Network(
                shape=known,
                model=random_model(known, seed),
                inputs=random_inputs(known, INPUTS, seed),
                seed=seed,
            )
            for known in NETWORKS
        ),
    ]


def dense_geometries(target: Target, layers: Sequence[Shape]) -> dict[str, DenseGeometry]:
    """The dense engines of a chip by size, with all the room that the network needs besides its weights.

    Notes
    -----
    The DSPs of every chip here do two products of bytes in a cycle.
    """
    pes, chip = target.preset.geometry.pes, target.multipliers
    lanes = {
        "ours": pes + pes % 2,
        "all": min(512, 2 * chip or max(2, target.luts // LUTS_PER_LANE // 2 * 2)),
    }
    # Two to a DSP is free in an iCE40's; elsewhere it takes two cycles more.
    many = "lut" if not chip else "plain" if target.chip.startswith("iCE40") else "packed"
    products = {"ours": "plain" if chip else "lut", "all": many}
    fit = sum(rows * columns for rows, columns in layers) <= target.memory_bytes
    # Where they fit, words that rows do not fill are at hand too.
    words = {
        size: sum(layer_words(layer, count) for layer in layers) if fit else target.memory_bytes // count
        for size, count in lanes.items()
    }
    return {
        size: DenseGeometry(
            lanes=lanes[size],
            weight_words=max(2, min(65536, words[size])),
            activations=max(2, *(max(layer) for layer in layers)),
            biases=max(2, sum(rows for rows, _ in layers)),
            layers=max(2, len(layers)),
            products=products[size],
        )
        for size in lanes
    }


def compare(targets: Sequence[Target], cases: Sequence[Network], advance: Advance) -> Iterator[Row]:
    """Time every network on every board; boards with the same engine share their runs of the cycle model."""
    done = 0
    for case in cases:

        @cache
        def timed(geometry: Geometry, density: float | None, case: Network = case) -> Metered:
            if density is None:
                return meter(case.model, geometry, case.inputs)
            # Cycles are all that is asked of these, and whole layers are planned once.
            inputs = case.inputs[:DENSITY_INPUTS]
            return meter(case.with_density(density), geometry, inputs, active_columns=False)

        for target in targets:
            advance(done, len(targets) * len(cases))
            yield _row(target, case, partial(timed, target.preset.geometry))
            done += 1


def _row(target: Target, case: Network, timed: Callable[[float | None], Metered]) -> Row:
    preset = target.preset
    clock = preset.clock_hz / 1e6
    ours: dict[str, Any] = {"fits": True}
    engine = answer = None
    densities: list[tuple[float, float]] = []
    sizes = dense_geometries(target, case.layers)
    clocks = {size: dense_clock(target.chip, size) for size in sizes}
    dense = {
        size: time_dense(case.layers, geometry, clock_mhz=clocks[size] or clock, baud=preset.baud)
        for size, geometry in sizes.items()
    }
    try:
        metered = timed(None)
        engine = metered.cycles / clock
        answer = 1e6 * answer_seconds(metered, preset)
        ours |= {
            "resident": metered.plan.resident,
            "cycles": metered.cycles,
            "engine_us": engine,
            "wire_bytes": metered.wire_bytes,
            "answer_us": answer,
            "pace_us": 1e6 * pace_seconds(metered, preset),
        }
        densities = _until_slower(max(one.us for one in dense.values()), clock, timed)
    except UnsupportedError as error:
        ours = {"fits": False, "reason": str(error)}
    rivals = tuple(
        Rival(
            size=size,
            lanes=one.lanes,
            clock_mhz=one.clock_mhz,
            clock_from="alone" if clocks[size] else "assumed",
            resident=one.resident,
            cycles=one.cycles,
            engine_us=one.us,
            answer_us=one.wire_us,
            faster=None if engine is None else one.us / engine,
            answer_faster=None if answer is None else one.wire_us / answer,
            wins_at=dense_wins_at(densities, one.us),
        )
        for size, one in dense.items()
    )
    return Row(
        network=case.shape.name,
        board=preset.name,
        chip=target.chip,
        status=target.status,
        pes=preset.geometry.pes,
        clock_mhz=clock,
        clock_from=target.clock_from,
        baud=preset.baud,
        inputs=len(case.inputs),
        activations=case.activations,
        **ours,
        densities=tuple(densities),
        dense=rivals,
        marlann_per_second=marlann_bound(case.layers) if target.chip.startswith(MARLANN_CHIP) else None,
    )


def _until_slower(
    us: float, clock: float, timed: Callable[[float | None], Metered]
) -> list[tuple[float, float]]:
    """Densities and times of this engine, up to the first that takes so long, or the last that it can run."""
    found: list[tuple[float, float]] = []
    for density in DENSITIES:
        try:
            found.append((density, timed(density).cycles / clock))
        except UnsupportedError:
            break
        if found[-1][1] >= us:
            break
    return found
