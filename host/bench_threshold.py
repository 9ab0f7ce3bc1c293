"""Dynamic pruning on the digits network: how much work a threshold skips, and what accuracy it costs."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.cycles import run_cycles
from golden.engine import Engine
from golden.errors import InputError
from golden.execute import Executor
from golden.fixed_point import keep_above
from golden.forward import layer_forward
from golden.geometry import Geometry
from golden.layers import Model
from golden.plan import make_plan
from host.arrays import load_inputs, load_labels
from host.calibration import INPUT_BITS
from host.compressor import compress
from host.demo import EXAMPLE, WEIGHT_BITS
from host.report import percent, print_table
from host.values import to_integers

THRESHOLDS = (0, 512, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384)
"""In units of the int16 activations, whose full scale is 32767."""

IntArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Point:
    """What one threshold does to the test split.

    Parameters
    ----------
    threshold : int
    work : int
        Products of a nonzero weight and an activation that counts, all layers and inputs together.
    skipped : float
        Share of the work at threshold 0 that is left out.
    accuracy : float
        Share of the inputs whose largest output is their label.
    cycles : float
        Mean clock cycles of an input, by the cycle model.
    """

    threshold: int
    work: int
    skipped: float
    accuracy: float
    cycles: float

    def as_dict(self) -> dict[str, Any]:
        """The object for JSON; see docs/schemas/threshold.json."""
        return asdict(self)


def load_example(folder: Path = EXAMPLE, input_bits: int = INPUT_BITS) -> tuple[Model, IntArray]:
    """The compressed digits network and its test inputs in the engine's integers, shape (inputs, 64).

    Parameters
    ----------
    folder : path
    input_bits : int
        As for `host.compressor.compress`.

    Raises
    ------
    InputError
        If the example is not there.
    """
    if not (folder / "pruned.onnx").exists():
        raise InputError(f"the example network is not in {folder}; run the benchmark in a checkout of Tamis")
    calibration = folder / "calibration.npy"
    model = compress(
        folder / "pruned.onnx", weight_bits=WEIGHT_BITS, calibrate=calibration, input_bits=input_bits
    ).model
    activations, _ = to_integers(model, load_inputs(folder / "test_inputs.npy", model.inputs))
    return model, activations


def sweep(
    folder: Path = EXAMPLE,
    thresholds: Sequence[int] = THRESHOLDS,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> list[Point]:
    """Run the digits network at each threshold, the first of which is the reference for the work.

    Raises
    ------
    InputError
        If the example is not there.
    """
    model, activations = load_example(folder)
    labels = load_labels(folder / "test_labels.npy", len(activations))
    geometry = Geometry()
    points: list[Point] = []
    for threshold in thresholds:
        outputs, work = _forward(model, activations, geometry, threshold)
        plan = make_plan(model, geometry, threshold=threshold)
        cycles = Executor(plan, Engine(geometry, run_cycles)).run(activations).cycles
        points.append(
            Point(
                threshold=threshold,
                work=work,
                skipped=1 - work / points[0].work if points else 0.0,
                accuracy=float(np.mean(outputs.argmax(axis=1) == labels)),
                cycles=float(cycles.mean()),
            )
        )
        advance(len(points), len(thresholds))
    return points


def _forward(model: Model, batch: IntArray, geometry: Geometry, threshold: int) -> tuple[IntArray, int]:
    """Outputs as `golden.forward` gives them, and the products that they take."""
    work = 0
    for layer in model.layers:
        batch = keep_above(batch, threshold)
        work += int(((batch != 0) * layer.column_counts).sum())
        batch, _, _ = layer_forward(layer, batch, geometry.accumulator_bits)
    return batch, work


def print_points(points: Sequence[Point]) -> None:
    """Print one line for each threshold."""
    rows = [
        [point.threshold, point.work, percent(point.skipped), percent(point.accuracy), round(point.cycles)]
        for point in points
    ]
    pes = Geometry().pes
    print_table(
        f"Digits network, test split, {pes} PEs: activations of magnitude up to the threshold count as zero",
        ["threshold", "products", "skipped", "accuracy", "cycles an input"],
        rows,
    )
