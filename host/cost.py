"""What a network costs on a board: bytes, clock cycles and seconds, without a board and without synthesis.

`cost` is meant for searches of any kind: over pruning and bit widths (`host.tuning`), or over architectures,
whose weights need not exist yet (`stand_in`). Cycles are those of the cycle model, which are the gateware's.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from golden import protocol
from golden.active import REUSED_IMAGES
from golden.cycles import run_cycles
from golden.engine import Engine
from golden.errors import InputError, UsageError
from golden.execute import Answer, Executor, Job, RunReport
from golden.fixed_point import INT16_MAX
from golden.forward import layer_forward
from golden.geometry import Geometry
from golden.layers import Layer, Model
from golden.model import encode
from golden.payloads import OUTPUT_BYTES, of_activations, of_image, of_inference, of_outputs
from golden.plan import Plan, make_plan
from golden.protocol import PAYLOAD_LIMIT, Frame, Request
from host.link_time import Served, alone, in_a_row, serve
from host.values import to_integers

Int16Array = NDArray[np.int16]
BITS_PER_BYTE = 10
"""Of a serial line: start bit, eight data bits, stop bit."""
SAMPLE = 256
"""Each value of an input where none is given: the least that takes two bytes on the line."""
TIMED = 4
"""Inputs of which cycles are the mean, where some are given."""


class Described(Protocol):
    """What must be known of a board; those of `boards.registry.find` are of this form, and `Preset` is."""

    @property
    def name(self) -> str:
        """As `--board` takes it."""

    @property
    def geometry(self) -> Geometry:
        """Of its engine."""

    @property
    def clock_hz(self) -> int:
        """The engine's clock."""

    @property
    def baud(self) -> int:
        """Bits per second of its line."""


class Preset(NamedTuple):
    """A board's description, by itself."""

    name: str
    geometry: Geometry
    clock_hz: int
    baud: int


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a network takes.

    Parameters
    ----------
    file_bytes : int
        Of the model file, which knows no board.
    image_bytes : int
        Of the device image, that is, of what is loaded; of all parts of a streamed model.
    resident : bool
        Whether the board holds the whole model from input to input; else it crosses the line each time.
    cycles : float
        Clock cycles of the engine for an input, the mean over the inputs.
    wire_bytes : float
        Bytes on the line for an input, one after the other, requests and the replies that are waited for.
    engine_seconds, answer_seconds : float or None
        On the engine alone, and from the first bit of an input to the last of its outputs, without the
        host's own time; None without a clock and a line rate.
    """

    file_bytes: int
    image_bytes: int
    resident: bool
    cycles: float
    wire_bytes: float
    engine_seconds: float | None
    answer_seconds: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return asdict(self)


def cost(model: Model, board: Described | Geometry, inputs: Any, *, threshold: int = 0) -> Cost:
    """Say what a model takes on a board.

    Parameters
    ----------
    model : Model
        A model, from a file or the compressor; `stand_in` makes one of masks alone.
    board : Described or Geometry
        A board of `boards.registry.find`, a `Preset`, or a bare geometry, which has no clock.
    inputs : array of float32 or of int16, shape (count, inputs)
        Real inputs, or the engine's integers, whose nonzero values decide about the cycles.
    threshold : int
        Activations of magnitude up to it count as zero, 0 to 32767 in units of int16.

    Returns
    -------
    Cost

    Raises
    ------
    InputError
        If the inputs have another shape or type, or there are none.
    UsageError
        For a threshold out of range.
    UnsupportedError
        If the engine cannot run the model at all.

    Examples
    --------
    >>> model = stand_in([np.eye(8, dtype=bool)], np.full((1, 8), 100, dtype=np.int16))
    >>> found = cost(model, Geometry(pes=2), np.full((1, 8), 100, dtype=np.int16))
    >>> found.resident, found.engine_seconds is None
    (True, True)
    """
    if not 0 <= threshold <= INT16_MAX:
        raise UsageError(f"the threshold must be from 0 to {INT16_MAX}, not {threshold}")
    values = np.asarray(inputs)
    if values.ndim != 2 or not len(values) or values.shape[1] != model.inputs:
        raise InputError(
            f"inputs must have the shape (count, {model.inputs}) with at least one, not {values.shape}; "
            "give inputs of the model"
        )
    if np.issubdtype(values.dtype, np.floating):
        values, _ = to_integers(model, values.astype(np.float32))
    preset = Preset("", board, 0, 0) if isinstance(board, Geometry) else board
    metered = meter(model, preset.geometry, values.astype(np.int16), threshold)
    timed = preset.clock_hz > 0
    return Cost(
        file_bytes=len(encode(model)),
        image_bytes=metered.plan.image_bytes,
        resident=metered.plan.resident,
        cycles=metered.cycles,
        wire_bytes=metered.wire_bytes,
        engine_seconds=metered.cycles / preset.clock_hz if timed else None,
        answer_seconds=answer_seconds(metered, preset) if timed else None,
    )


def timed_inputs(model: Model, inputs: Any = None) -> Any:
    """Inputs of which a cost is the mean: a few, evenly spread over those given, or one without a zero.

    Parameters
    ----------
    model : Model
    inputs : array, shape (samples, inputs), optional

    Returns
    -------
    array, shape (count, inputs)
        Rows of `inputs`, or one of int16.
    """
    if inputs is None:
        return np.full((1, model.inputs), SAMPLE, dtype=np.int16)
    return inputs[np.linspace(0, len(inputs) - 1, min(TIMED, len(inputs))).astype(np.intp)]


def stand_in(
    masks: Sequence[Any],
    inputs: Int16Array,
    *,
    weight_bits: int | Sequence[int] = 4,
    activations: Sequence[float] | None = None,
    seed: int = 0,
) -> Model:
    """A model with drawn weights, for a network of which only the places of its weights are known.

    Parameters
    ----------
    masks : sequence of array of bool, shape (rows, columns)
        Where each layer has weights; `numpy.random` or `host.pruning.prune` make some.
    inputs : array of int16, shape (count, inputs)
        On which the activations shall have their densities.
    weight_bits : int or sequence of int
        Bits of a weight index, of all layers or of each.
    activations : sequence of float, optional
        Share of each hidden layer's outputs that is not zero, from 0 to 1; by default a half.
    seed : int

    Returns
    -------
    Model
        ReLU behind every layer but the last; biases are such that the densities come about.

    >>> inputs = np.random.default_rng(0).integers(1, 1000, (4, 20)).astype(np.int16)
    >>> model = stand_in([np.ones((50, 20)), np.ones((5, 50))], inputs, activations=[0.2])
    >>> hidden, _, _ = layer_forward(model.layers[0], inputs)
    >>> float((hidden != 0).mean().round(2))
    0.2
    """
    rng = np.random.default_rng(seed)
    bits = [weight_bits] * len(masks) if isinstance(weight_bits, int) else list(weight_bits)
    shares = [0.5] * (len(masks) - 1) if activations is None else list(activations)
    if len(bits) != len(masks) or len(shares) != len(masks) - 1:
        raise UsageError(
            f"{len(masks)} layers need as many weight bits and one density less, not {len(bits)} and "
            f"{len(shares)}; give one for each"
        )
    source: Any = np.asarray(inputs)
    layers: list[Layer] = []
    for number, (mask, index_bits) in enumerate(zip(masks, bits, strict=True)):
        kept = np.asarray(mask, dtype=bool)
        size = 1 << index_bits
        # small enough that the fullest row stays within an accumulator of 32 bits, bias included
        largest = max(1, min(INT16_MAX, (1 << 29) // (INT16_MAX * max(1, int(kept.sum(axis=1).max())))))
        half = np.arange(1, size // 2 + 1) * largest // (size // 2)
        values = np.concatenate([[0], np.maximum(half, 1), -np.maximum(half, 1)])[:size]
        index = kept * rng.integers(1, size, kept.shape)
        last = number == len(masks) - 1
        layer = Layer.from_indices(index, values, np.zeros(len(kept), dtype=np.int64), relu=not last)
        if not last:
            _, sums, _ = layer_forward(layer, source)
            bias = np.full(layer.rows, -int(np.quantile(sums, 1 - shares[number])), dtype=np.int64)
            layer = replace(layer, bias=bias)
            source, _, _ = layer_forward(layer, source)
        layers.append(layer)
    return Model(layers=tuple(layers))


class MeteredEngine(Engine):
    """The engine in NumPy, counting the bytes that a driver would send for it, and the replies to wait for.

    Replies to loads and to written activations come while more is sent, so they cost no time; the outcome of
    a run and the outputs do.

    Parameters
    ----------
    geometry : Geometry

    Attributes
    ----------
    wire_bytes : int
        Bytes on the line, one after the other.
    served : list of tuple of Served
        Requests of each input of a resident plan.
    """

    def __init__(self, geometry: Geometry) -> None:
        super().__init__(geometry, run_cycles)
        self.wire_bytes = 0
        self.served: list[tuple[Served, ...]] = []

    def load(self, bank: int, image: bytes) -> None:
        """Load, and count BEGIN, DATA and COMMIT."""
        data, _ = of_image(image, PAYLOAD_LIMIT)
        self._count(bytes(protocol.BEGIN.size), *data, b"")
        super().load(bank, image)

    def write_activations(self, file: int, slot: int, pe: int, values: Int16Array) -> None:
        """Write, and count the requests."""
        self._count(*of_activations(self.geometry, file, slot, pe, values, PAYLOAD_LIMIT))
        super().write_activations(file, slot, pe, values)

    def start(self, first: int, count: int) -> None:
        """Start, and count the request."""
        self._count(bytes(protocol.RUN.size))
        super().start(first, count)

    def wait(self) -> RunReport:
        """Wait, and count one look at the status."""
        self._count(b"")
        self._answer(protocol.STATUS.size)
        return super().wait()

    def read_outputs(self, file: int, slot: int, pe: int, count: int) -> Int16Array:
        """Read, and count requests and replies."""
        payloads = of_outputs(self.geometry, file, slot, pe, count, PAYLOAD_LIMIT)
        self._count(*payloads)
        for payload in payloads:
            *_, part = protocol.PLACE.unpack(payload)
            self._answer(OUTPUT_BYTES * part)
        return super().read_outputs(file, slot, pe, count)

    def pipeline(self) -> "MeteredPipeline":
        """One input after the other."""
        return MeteredPipeline(self)

    def infer(self, job: Job) -> Answer:
        """Do a job, and count its requests as `host.pipeline` sends them, and the replies to wait for."""
        for file, slot, values in job.writes:
            super().write_activations(file, slot, 0, values)
        super().start(job.first, job.steps)
        report = super().wait()
        outputs = [
            super(MeteredEngine, self).read_outputs(file, slot, 0, count) for file, slot, count in job.reads
        ]
        served = tuple(
            serve(request, payload, report.cycles, registers=self.geometry.output_registers)
            for request, payload in of_inference(
                self.geometry, job.writes, job.span, job.reads, PAYLOAD_LIMIT
            )
        )
        self.wire_bytes += sum(one.sent + one.received * one.answered for one in served)
        self.served.append(served)
        return Answer(report, outputs)

    def _count(self, *payloads: bytes) -> None:
        """Requests, which cost the same whatever their kind."""
        self.wire_bytes += sum(len(protocol.encode(Frame(Request.STATUS, 1, data))) for data in payloads)

    def _answer(self, size: int) -> None:
        """A reply that is waited for, of bytes that need no escape."""
        self.wire_bytes += len(protocol.encode_reply(Frame(Request.STATUS, 1, bytes(1 + size))))


class MeteredPipeline:
    """Does jobs on a metered engine, and counts them as `host.pipeline` sends them.

    Parameters
    ----------
    engine : MeteredEngine
    """

    size = 1

    def __init__(self, engine: MeteredEngine) -> None:
        self._engine = engine

    def run(self, jobs: Sequence[Job]) -> list[Answer]:
        """Do jobs in order."""
        return [self._engine.infer(job) for job in jobs]


class Metered(NamedTuple):
    """What inputs take on an engine: means over them."""

    plan: Plan
    cycles: float
    wire_bytes: float
    served: tuple[tuple[Served, ...], ...]
    """Requests of each input; none if the plan is streamed."""


def meter(
    model: Model,
    geometry: Geometry,
    inputs: Int16Array,
    threshold: int = 0,
    *,
    active_columns: bool = True,
) -> Metered:
    """Run inputs by the cycle model, a resident model loaded before, and count what crosses the line.

    Parameters
    ----------
    model : Model
    geometry : Geometry
    inputs : array of int16, shape (count, inputs)
    threshold : int
        Activations of magnitude up to it count as zero.
    active_columns : bool
        As for `golden.execute.Executor`.

    Raises
    ------
    UnsupportedError
        If the engine cannot run the model at all.
    """
    plan = make_plan(model, geometry, threshold=threshold)
    engine = MeteredEngine(geometry)
    executor = Executor(plan, engine, active_columns=active_columns)
    if len(plan.images) <= REUSED_IMAGES:  # more leave nothing that the next input could use
        executor.run(inputs[:1])
        engine.wire_bytes = 0
        engine.served.clear()
    cycles = executor.run(inputs).cycles
    return Metered(plan, float(cycles.mean()), engine.wire_bytes / len(inputs), tuple(engine.served))


def answer_seconds(metered: Metered, preset: Described) -> float:
    """Seconds from the first bit of an input to the last of its outputs, without the host's own time."""
    return _seconds(metered, preset, alone)


def pace_seconds(metered: Metered, preset: Described) -> float:
    """Seconds that each input takes where many follow one another, without the host's own time."""
    return _seconds(metered, preset, in_a_row)


def _seconds(
    metered: Metered, preset: Described, reckon: Callable[[Sequence[Served], float], float]
) -> float:
    byte = BITS_PER_BYTE / preset.baud
    if metered.served:
        cycles = [reckon(requests, byte * preset.clock_hz) for requests in metered.served]
        return float(np.mean(cycles)) / preset.clock_hz
    # A streamed model's next chunk is on the line while this one computes.
    return max(metered.cycles / preset.clock_hz, metered.wire_bytes * byte)
