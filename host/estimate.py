"""What a model would take on boards, without synthesis: the content of `tamis estimate`."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden import protocol
from golden.active import REUSED_IMAGES
from golden.cycles import run_cycles
from golden.engine import Engine
from golden.errors import UnsupportedError
from golden.execute import Executor, RunReport
from golden.geometry import Geometry
from golden.model import Model
from golden.payloads import OUTPUT_BYTES, of_activations, of_image, of_outputs
from golden.plan import Plan, make_plan
from golden.protocol import PAYLOAD_LIMIT, Frame, Request
from host.report import print_table

Int16Array = NDArray[np.int16]
BITS_PER_BYTE = 10
"""Of a serial line: start bit, eight data bits, stop bit."""
SAMPLE = 256
"""Each input of an estimate: the least that takes two bytes on the line, as calibrated inputs do."""


class Preset(NamedTuple):
    """What an estimate needs to know of a board."""

    name: str
    geometry: Geometry
    clock_hz: int
    baud: int


class MeteredEngine(Engine):
    """The engine in NumPy, counting the bytes that a driver would send for it, and the replies to wait for.

    Replies to loads and to written activations come while more is sent, so they cost no time; the status
    after a run and the outputs do.

    Parameters
    ----------
    geometry : Geometry

    Attributes
    ----------
    wire_bytes : int
        Bytes on the line, one after the other.
    """

    def __init__(self, geometry: Geometry) -> None:
        super().__init__(geometry, run_cycles)
        self.wire_bytes = 0

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

    def _count(self, *payloads: bytes) -> None:
        """Requests, which cost the same whatever their kind."""
        self.wire_bytes += sum(len(protocol.encode(Frame(Request.STATUS, 1, data))) for data in payloads)

    def _answer(self, size: int) -> None:
        """A reply that is waited for, of bytes that need no escape."""
        self.wire_bytes += len(protocol.encode_reply(Frame(Request.STATUS, 1, bytes(1 + size))))


class Metered(NamedTuple):
    """What inputs take on an engine: means over them."""

    plan: Plan
    cycles: float
    wire_bytes: float


def meter(model: Model, geometry: Geometry, inputs: Int16Array, *, active_columns: bool = True) -> Metered:
    """Run inputs by the cycle model, a resident model loaded before, and count what crosses the line.

    Parameters
    ----------
    model : Model
    geometry : Geometry
    inputs : array of int16, shape (count, inputs)
    active_columns : bool
        As for `golden.execute.Executor`.

    Raises
    ------
    UnsupportedError
        If the engine cannot run the model at all.
    """
    plan = make_plan(model, geometry)
    engine = MeteredEngine(geometry)
    executor = Executor(plan, engine, active_columns=active_columns)
    if len(plan.images) <= REUSED_IMAGES:  # more leave nothing that the next input could use
        executor.run(inputs[:1])
        engine.wire_bytes = 0
    cycles = executor.run(inputs).cycles
    return Metered(plan, float(cycles.mean()), engine.wire_bytes / len(inputs))


def answer_seconds(metered: Metered, preset: Preset) -> float:
    """Seconds from the first bit of an input to the last of its outputs, without the host's own time."""
    engine = metered.cycles / preset.clock_hz
    wire = metered.wire_bytes * BITS_PER_BYTE / preset.baud
    # A streamed model's next chunk is on the line while this one computes.
    return engine + wire if metered.plan.resident else max(engine, wire)


def estimate(model: Model, preset: Preset) -> dict[str, Any]:
    """What docs/schemas/estimate.json has of a model on a preset, for an input without a zero.

    Parameters
    ----------
    model : Model
    preset : Preset

    Returns
    -------
    dict
        With "fits" false and a reason if the board cannot run the model at all.
    """
    board = {"board": preset.name, "pes": preset.geometry.pes, "clock_mhz": preset.clock_hz / 1e6}
    try:
        metered = meter(model, preset.geometry, np.full((1, model.inputs), SAMPLE, dtype=np.int16))
    except UnsupportedError as error:
        return {**board, "fits": False, "reason": str(error)}
    return {
        **board,
        "fits": True,
        "resident": metered.plan.resident,
        "image_bytes": metered.plan.image_bytes,
        "cycles": int(metered.cycles),
        "engine_seconds": metered.cycles / preset.clock_hz,
        "wire_bytes": int(metered.wire_bytes),
        "answer_seconds": answer_seconds(metered, preset),
    }


def print_estimates(path: str, rows: Sequence[dict[str, Any]]) -> None:
    """Show rows of docs/schemas/estimate.json to people."""
    cells = [
        [
            row["board"],
            row["status"],
            row["pes"],
            f"{row['clock_mhz']:.4g}{'' if row['clock_claimed'] else '*'}",
            ("resident" if row["resident"] else "streamed") if row["fits"] else "does not fit",
            row.get("cycles"),
            _milliseconds(row.get("engine_seconds")),
            row.get("wire_bytes"),
            _milliseconds(row.get("answer_seconds")),
        ]
        for row in rows
    ]
    heads = [
        "board",
        "status",
        "PEs",
        "MHz",
        "model",
        "cycles",
        "engine, ms",
        "line, bytes",
        "wire to answer, ms",
    ]
    print_table(f"{path}, an input without a zero, by the cycle model:", heads, cells)
    if not all(row["clock_claimed"] for row in rows):
        print("* the clock that the preset asks for; none is claimed, as the tools' timing is optimistic")
    for row in rows:
        if not row["fits"]:
            print(f"{row['board']}: {row['reason']}")


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:,.3f}"
