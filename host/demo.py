"""The demo: a trained, pruned network on golden and on the simulated board, every integer compared."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.engine import Engine
from golden.errors import InputError, TamisError
from golden.execute import Executor, Result
from golden.forward import forward
from golden.geometry import Geometry
from golden.model import Model, decode
from golden.plan import Plan, make_plan
from host.arrays import load_inputs, load_labels
from host.compressor import compress, require_onnxruntime
from host.files import read_file
from host.info import LayerTiming, dense_cycles
from host.report import percent, print_table, progress
from host.session import Prediction, open_session
from host.values import to_integers

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "digits"
WEIGHT_BITS = 4
BATCH = 16
"""Images between two steps of the progress bar."""

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Demo:
    """What the demo found.

    Parameters
    ----------
    model : Model
    file_bytes : int
        Size of the model file.
    plan : Plan
    timing : LayerTiming
        Cycles and products of all images by layer, as golden counts them.
    golden : Result
    board : Prediction
    reference : array of int64, shape (images, outputs)
        Outputs of `golden.forward`, which knows nothing of PEs.
    labels : array of int64, shape (images,)
    dense, pruned : array of float32, shape (images, outputs)
        Outputs of the float networks.
    """

    model: Model
    file_bytes: int
    plan: Plan
    timing: LayerTiming
    golden: Result
    board: Prediction
    reference: IntArray
    labels: IntArray
    dense: NDArray[np.float32]
    pruned: NDArray[np.float32]

    def accuracies(self) -> dict[str, float]:
        """Share of the images whose largest output is their label, for each way to compute them."""
        ways: dict[str, NDArray[Any]] = {
            "dense float": self.dense,
            "pruned float": self.pruned,
            "golden": self.golden.outputs,
            "board": self.board.raw,
        }
        return {name: float(np.mean(outputs.argmax(axis=1) == self.labels)) for name, outputs in ways.items()}

    def differing(self) -> int:
        """Outputs in which golden's engine, golden's plain arithmetic and the board are not all the same."""
        reference = self.reference
        return int(np.count_nonzero((self.golden.outputs != reference) | (self.board.raw != reference)))


def run_demo(pes: int, folder: Path = EXAMPLE) -> Demo:
    """Compress the example network and run its test split on golden and on the simulated board.

    Parameters
    ----------
    pes : int
        Processing elements of the board.
    folder : Path
        Where the example lies.

    Raises
    ------
    InputError
        If the example is not there.
    """
    if not (folder / "pruned.onnx").exists():
        raise InputError(f"the example network is not in {folder}; run the demo in a checkout of Tamis")
    with progress("compressing") as advance:
        compressed = compress(
            folder / "pruned.onnx",
            weight_bits=WEIGHT_BITS,
            calibrate=folder / "calibration.npy",
            progress=advance,
        )
    model = decode(compressed.data)
    inputs = load_inputs(folder / "test_inputs.npy", model.inputs)
    labels = load_labels(folder / "test_labels.npy", len(inputs))
    with (
        progress("building and loading the simulated board") as loading,
        open_session("sim", pes=pes, progress=loading) as session,
        progress("running on the board") as advance,
    ):
        board = session.predict(model, inputs, progress=advance)
        geometry = session.geometry
    plan = make_plan(model, geometry)
    timing = LayerTiming(plan)
    activations, _ = to_integers(model, inputs)
    with progress("running on golden") as advance:
        golden = _run_golden(plan, geometry, timing, activations, advance)
    reference, _ = forward(model, activations, geometry.accumulator_bits)
    return Demo(
        model=model,
        file_bytes=len(compressed.data),
        plan=plan,
        timing=timing,
        golden=golden,
        board=board,
        reference=reference,
        labels=labels,
        dense=_run_float(folder / "dense.onnx", inputs),
        pruned=_run_float(folder / "pruned.onnx", inputs),
    )


def _run_golden(plan: Plan, geometry: Geometry, timing: LayerTiming, batch: IntArray, advance: Any) -> Result:
    timing.executor = executor = Executor(plan, Engine(geometry, timing), active_columns=True)
    results = []
    for start in range(0, len(batch), BATCH):
        results.append(executor.run(batch[start : start + BATCH]))
        advance(start + BATCH, len(batch))
    return Result(
        np.concatenate([result.outputs for result in results]),
        np.concatenate([result.cycles for result in results]),
        np.concatenate([result.stalls for result in results]),
        sum(result.saturations for result in results),
    )


def _run_float(path: Path, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    runtime = require_onnxruntime()
    session = runtime.InferenceSession(read_file(path), providers=["CPUExecutionProvider"])
    outputs: NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: inputs})[0]
    return outputs


def print_result(demo: Demo) -> None:
    """Print the layers and the accuracies, and end with one sentence.

    Raises
    ------
    TamisError
        If an output differs.
    """
    pes, images = demo.plan.geometry.pes, len(demo.labels)
    rows: list[list[object]] = []
    totals = np.zeros(5)
    for number, (layer, report) in enumerate(zip(demo.model.layers, demo.plan.layers, strict=True)):
        cycles, products = demo.timing.cycles[number] / images, demo.timing.products[number] / images
        numbers = [layer.rows * layer.columns, layer.nnz, report.bytes, cycles, products]
        dense = dense_cycles(layer, pes)
        rows.append(_row(str(number + 1), f"{layer.rows} x {layer.columns}", numbers, dense, pes))
        totals += numbers
    dense = sum(dense_cycles(layer, pes) for layer in demo.model.layers)
    rows.append(_row("all", "", totals.tolist(), dense, pes))
    columns = ["layer", "shape", "kept", "bytes", "cycles", "PE use", "dense cycles", "dense / sparse"]
    print_table(f"Digits on {pes} PEs, means over {images} images", columns, rows)
    accuracies = [[name, percent(share)] for name, share in demo.accuracies().items()]
    print_table(f"Accuracy on the test split of {images} images", ["network", "accuracy"], accuracies)
    alike = int(np.count_nonzero(demo.golden.cycles == demo.board.cycles))
    print(
        f"The model file has {demo.file_bytes:,} bytes instead of {demo.model.dense_bytes:,} dense; "
        f"{demo.board.link_bytes:,} bytes went over the serial line, {demo.board.load_bytes:,} of them to "
        f"load the model, which would be {demo.board.load_bytes_uncoded:,} without Huffman code."
    )
    print(f"Golden foretold the board's clock cycles for {alike} of {images} images.")
    differing = demo.differing()
    if differing:
        raise TamisError(
            f"golden and board differ in {differing:,} of {demo.reference.size:,} outputs; please report it "
            "with the output of `tamis selftest`"
        )
    print(f"Golden and board are equal in all {demo.reference.size:,} outputs of {images} images.")


def _row(name: str, shape: str, numbers: list[float], dense: int, pes: int) -> list[object]:
    weights, kept, image_bytes, cycles, products = numbers
    return [
        name,
        shape,
        percent(kept / weights),
        int(image_bytes),
        round(cycles),
        percent(products / (pes * cycles)),
        dense,
        f"{dense / cycles:.1f}",
    ]
