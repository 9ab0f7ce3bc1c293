"""Yardsticks for the boards: the dense int8 engine of the same chip, and MARLANN's bound on the UP5K.

Cycles are those of `golden.dense`, which the gateware takes to the cycle. A chip has dense engines of two
sizes or more: as many multipliers as our engine has processing elements, and as many as the chip has.

Where its weights do not fit on the chip the dense engine gets its time on the engine as if they did: it
is the link that then sets its pace, and the wire-to-answer time says so.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from golden.dense import DenseGeometry, Shape, dense_cycles, is_resident, misfits, streamed_bytes
from golden.errors import UnsupportedError
from host.cost import BITS_PER_BYTE

MARLANN_CLOCK_MHZ = 29.3
"""MARLANN, a dense int8 accelerator for the UP5K, built again with Yosys 0.70 and nextpnr 0.11.1."""
MARLANN_MACS = 16
"""Products a cycle at its peak, as published: 256 million a second at 20 MHz."""


@dataclass(frozen=True, kw_only=True)
class DenseBuild:
    """A dense engine that was built for a chip.

    Parameters
    ----------
    chip : str
    size : str
        "ours", as many multipliers as the sparse engine on this chip, "all", as many as the chip has, or
        "memory", as many as its memories can feed with all that they hold.
    geometry : DenseGeometry
    primitives : str or None
        See `hdl.int8_products.Int8Products`.
    clock_mhz : float or None
        That it reached alone on the chip, out of context; None if it was not placed.
    """

    chip: str
    size: str
    geometry: DenseGeometry
    primitives: str | None
    clock_mhz: float | None


def _build(
    chip: str, size: str, primitives: str | None, clock_mhz: float | None = None, **sizes: Any
) -> DenseBuild:
    geometry = DenseGeometry(**{"activations": 1024, "biases": 512, **sizes})
    return DenseBuild(chip=chip, size=size, geometry=geometry, primitives=primitives, clock_mhz=clock_mhz)


BUILDS: tuple[DenseBuild, ...] = (
    _build("UP5K", "ours", "ice40", 52.3, lanes=6, weight_words=16384, single_port=True),
    _build("UP5K", "memory", "ice40", 54.3, lanes=8, weight_words=16384, single_port=True),
    _build("UP5K", "all", "ice40", 52.5, lanes=16, weight_words=512),
    _build("HX8K", "ours", None, 138.6, lanes=4, weight_words=2048, products="lut"),
    _build("HX8K", "all", None, 131.1, lanes=24, weight_words=256, products="lut"),
    _build("ECP5-25F", "ours", "ecp5", 122.9, lanes=16, weight_words=4096),
    _build("ECP5-25F", "all", "ecp5", 120.8, lanes=56, weight_words=1024, products="packed"),
    _build("ECP5-25F-8", "ours", "ecp5", 167.5, lanes=16, weight_words=4096),
    _build("ECP5-25F-8", "all", "ecp5", 161.9, lanes=56, weight_words=1024, products="packed"),
    _build("ECP5-85F", "ours", "ecp5", lanes=50, weight_words=8192),
    _build("ECP5-85F", "memory", "ecp5", lanes=150, weight_words=2048),
    _build("ECP5-85F", "all", "ecp5", lanes=312, weight_words=1024, products="packed"),
)
"""Each holds the activations and biases of a LeNet-300-100 shape; docs/benchmarks.md has their figures."""
PARTS = {"ECP5-25F-8": "LFE5U-25F-8", "ECP5-25F": "LFE5U", "UP5K": "iCE40UP5K", "HX8K": "iCE40HX8K"}
"""Beginnings of the names of chips that a build's clock stands for; the first that fits counts."""


def dense_clock(chip: str, size: str) -> float | None:
    """Clock in MHz that a size of the dense engine reached on a chip; None if it was not built for it.

    >>> dense_clock("LFE5U-45F-6 CABGA381", "all")
    120.8
    >>> dense_clock("LFE5U-25F-8 CSFBGA285", "all")
    161.9
    """
    clocks = {build.chip: build.clock_mhz for build in BUILDS if build.size == size}
    return next((clocks[built] for built, part in PARTS.items() if chip.startswith(part)), None)


@dataclass(frozen=True, kw_only=True)
class DenseTiming:
    """What a network costs a dense engine, for one input.

    Attributes
    ----------
    lanes : int
    clock_mhz : float
    macs : int
        Weights, and so products.
    cycles : int
    bound_cycles : int
        Were every lane busy in every cycle.
    us : float
        Time on the engine, every weight at hand.
    resident : bool
        Whether the chip holds all weights.
    link_bytes : int
        Inputs, outputs, and weights that are not resident, without framing.
    wire_us : float
        From the first byte to the last over the link. Streamed weights arrive while others are used; the
        slower of the two sets the pace.
    """

    lanes: int
    clock_mhz: float
    macs: int
    cycles: int
    bound_cycles: int
    us: float
    resident: bool
    link_bytes: int
    wire_us: float

    def as_dict(self) -> dict[str, Any]:
        """The object for JSON."""
        return asdict(self)


def time_dense(
    shapes: Sequence[Shape], geometry: DenseGeometry, *, clock_mhz: float, baud: int
) -> DenseTiming:
    """Time a network on a dense engine.

    Parameters
    ----------
    shapes : sequence of (rows, columns)
    geometry : DenseGeometry
    clock_mhz : float
    baud : int
        Of the link to the board.

    Raises
    ------
    UnsupportedError
        If the engine cannot hold what the network needs besides weights.

    >>> shapes = [(300, 784), (100, 300), (10, 100)]
    >>> timing = time_dense(shapes, DenseGeometry(lanes=16), clock_mhz=40, baud=3_000_000)
    >>> timing.macs, timing.cycles, timing.bound_cycles, timing.resident, timing.link_bytes
    (266200, 17181, 16638, False, 266994)
    >>> round(timing.us), round(timing.wire_us)
    (430, 889980)
    """
    if missing := misfits(shapes, geometry):
        raise UnsupportedError(
            f"the network needs {' and '.join(missing)} that the dense engine has; give it a larger one"
        )
    macs = sum(rows * columns for rows, columns in shapes)
    cycles = dense_cycles(shapes, geometry)
    us = cycles / clock_mhz
    weights = streamed_bytes(shapes, geometry)
    byte_us = BITS_PER_BYTE * 1e6 / baud
    ends_us = (shapes[0][1] + shapes[-1][0]) * byte_us
    return DenseTiming(
        lanes=geometry.lanes,
        clock_mhz=clock_mhz,
        macs=macs,
        cycles=cycles,
        bound_cycles=sum(-(-rows * columns // geometry.lanes) for rows, columns in shapes),
        us=us,
        resident=is_resident(shapes, geometry),
        link_bytes=weights + shapes[0][1] + shapes[-1][0],
        wire_us=ends_us + max(us, weights * byte_us),
    )


def dense_wins_at(points: Sequence[tuple[float, float]], dense: float) -> float | None:
    """Density at which a dense engine is as fast as the sparse one, between two that were measured.

    Parameters
    ----------
    points : sequence of (density, time of the sparse engine)
        Of rising density.
    dense : float
        Time of the dense engine, in the same unit; it has no density.

    Returns
    -------
    float or None
        The density, on a straight line between its neighbours; the lowest of all if dense wins from there;
        None if the sparse engine wins everywhere.

    >>> dense_wins_at([(0.25, 20.0), (0.75, 60.0)], 40.0)
    0.5
    >>> dense_wins_at([(0.1, 20.0), (1.0, 200.0)], 300.0)
    """
    if points and points[0][1] >= dense:
        return points[0][0]
    for (low, before), (high, after) in pairwise(points):
        if after >= dense:
            return low + (high - low) * (dense - before) / (after - before)
    return None


def marlann_bound(shapes: Sequence[Shape]) -> float:
    """Inferences a second that MARLANN cannot exceed: its peak over the network's products.

    It flatters: no cycle is lost, and the weights are at hand, though a LeNet-300-100 (266,200 bytes) does
    not fit into the UP5K's 128 KB of single-port memory.

    >>> int(marlann_bound([(300, 784), (100, 300), (10, 100)]))
    1761
    """
    return MARLANN_CLOCK_MHZ * 1e6 * MARLANN_MACS / sum(rows * columns for rows, columns in shapes)
