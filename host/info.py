"""What a model is made of, and what a board makes of it: the content of `tamis info`."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.cycles import run_cycles
from golden.engine import Engine, StepTrace
from golden.execute import Executor, RunReport, execute
from golden.geometry import Geometry
from golden.model import Layer, Model
from golden.plan import LayerReport, Plan, make_plan
from host.layer_sizes import layer_sizes
from host.report import percent, print_table

IntArray = NDArray[np.int64]


def dense_cycles(layer: Layer, pes: int) -> int:
    """Cycles of the dense layer on as many multipliers, all always busy: ceil(rows / PEs) * columns."""
    return -(-layer.rows // pes) * layer.columns


def worst_cycles(layer: Layer, geometry: Geometry) -> int:
    """Cycles of a layer by itself if every one of its inputs is nonzero."""
    plan = make_plan(Model(layers=(layer,)), geometry)
    result = execute(plan, Engine(geometry, run_cycles), np.ones((1, layer.columns), dtype=np.int16))
    return int(result.cycles[0])


class LayerTiming:
    """A timing for `golden.engine.Engine` that also tells the layers apart.

    Parameters
    ----------
    plan : Plan
        The plan that the engine executes, input after input.

    Attributes
    ----------
    executor : Executor or None
        What executes the plan, if it may change the layers' steps.
    cycles : array of int64, shape (layers,)
        Cycles by which each layer lengthened its runs; their sum is that of all runs.
    products : array of int64, shape (layers,)
        Nonzero weights multiplied by nonzero activations.
    """

    def __init__(self, plan: Plan) -> None:
        steps = [layer.steps for layer in plan.layers]
        self._layer_of_step: IntArray = np.repeat(np.arange(len(steps)), steps)
        self._next = 0
        self.executor: Executor | None = None
        self.cycles: IntArray = np.zeros(len(steps), dtype=np.int64)
        self.products: IntArray = np.zeros(len(steps), dtype=np.int64)

    def __call__(self, geometry: Geometry, traces: tuple[StepTrace, ...]) -> RunReport:
        """Cycles and stalls of a run, as `golden.cycles.run_cycles` gives them."""
        layer = None if self.executor is None else self.executor.layer
        if layer is None:
            steps = np.arange(self._next, self._next + len(traces))
            layers = np.take(self._layer_of_step, steps, mode="wrap")
        else:
            layers = np.full(len(traces), layer)
        self._next += len(traces)
        report = RunReport(0, 0)
        for number, (layer, trace) in enumerate(zip(layers, traces, strict=True), 1):
            self.products[layer] += trace.matrix.weights[:, trace.column].sum()
            if number == len(traces) or layers[number] != layer:
                before, report = report, run_cycles(geometry, traces[:number])
                self.cycles[layer] += report.cycles - before.cycles
        return report


def describe(path: str | Path, model: Model, geometry: Geometry) -> dict[str, Any]:
    """Everything that `tamis info` shows, as docs/schemas/info.json specifies it.

    Raises
    ------
    UnsupportedError
        If the model cannot run on the geometry.
    """
    plan = make_plan(model, geometry)
    return {
        "file": str(path),
        "file_bytes": Path(path).stat().st_size,
        "dense_bytes": model.dense_bytes,
        "inputs": model.inputs,
        "outputs": model.outputs,
        "final": model.final,
        "layers": [_describe_layer(layer) for layer in model.layers],
        "board": describe_board(model, plan),
    }


def describe_board(model: Model, plan: Plan) -> dict[str, Any]:
    """What one geometry makes of a model."""
    geometry = plan.geometry
    layers = [
        _describe_placed(layer, report, geometry)
        for layer, report in zip(model.layers, plan.layers, strict=True)
    ]
    largest = sum(int(report.entries.max()) for report in plan.layers)
    entries = sum(layer["entries"] for layer in layers)
    return {
        "pes": geometry.pes,
        "geometry": geometry.as_dict(),
        "resident": plan.resident,
        "image_bytes": plan.image_bytes,
        "padding": sum(layer["padding"] for layer in layers),
        "balance": entries / (largest * geometry.pes) if largest else 1.0,
        "cycles": sum(layer["cycles"] for layer in layers),
        "dense_cycles": sum(layer["dense_cycles"] for layer in layers),
        "layers": layers,
    }


def _describe_layer(layer: Layer) -> dict[str, Any]:
    return {
        "rows": layer.rows,
        "columns": layer.columns,
        "weights": layer.nnz,
        "kept": layer.nnz / (layer.rows * layer.columns),
        "weight_bits": layer.index_bits,
        "relu": layer.relu,
        "weight_fraction": layer.weight_fraction,
        "input_fraction": layer.input_fraction,
        "output_fraction": layer.output_fraction,
        "stored": asdict(layer_sizes(layer)),
    }


def _describe_placed(layer: Layer, report: LayerReport, geometry: Geometry) -> dict[str, Any]:
    return {
        "image_bytes": report.bytes,
        "entries": int(report.entries.sum()),
        "padding": report.padding,
        "balance": report.balance,
        "tiles": report.row_tiles,
        "cycles": worst_cycles(layer, geometry),
        "dense_cycles": dense_cycles(layer, geometry.pes),
    }


def print_description(found: dict[str, Any]) -> None:
    """Show what `describe` gives to people."""
    smaller = found["dense_bytes"] / found["file_bytes"]
    print(
        f"{found['file']}: {found['inputs']:,} inputs, {found['outputs']:,} outputs, final operation "
        f"{found['final']}\n{found['file_bytes']:,} bytes instead of {found['dense_bytes']:,} dense, "
        f"{smaller:.1f} times smaller"
    )
    print_table(
        "",
        ["layer", "shape", "weights", "kept", "weight bits", "activation", "fraction bits (w, in, out)"],
        [
            [
                number,
                f"{layer['rows']} x {layer['columns']}",
                layer["weights"],
                percent(layer["kept"]),
                layer["weight_bits"],
                "ReLU" if layer["relu"] else "none",
                f"{layer['weight_fraction']}, {layer['input_fraction']}, {layer['output_fraction']}",
            ]
            for number, layer in enumerate(found["layers"], 1)
        ],
    )
    print_stored([layer["stored"] for layer in found["layers"]])
    board = found["board"]
    rows = [
        [
            number,
            layer["image_bytes"],
            layer["entries"],
            layer["padding"],
            percent(layer["balance"]),
            layer["tiles"],
            layer["cycles"],
            layer["dense_cycles"],
            f"{layer['dense_cycles'] / layer['cycles']:.1f}",
        ]
        for number, layer in enumerate(board["layers"], 1)
    ]
    held = "resident" if board["resident"] else "streamed in tiles"
    print(
        f"On a board with {board['pes']} PEs, {held}: {board['image_bytes']:,} image bytes, estimated "
        f"{board['cycles']:,} cycles an input if no activation is zero, {board['dense_cycles']:,} dense"
    )
    sizes = ["layer", "image bytes", "entries", "padding", "balance", "tiles"]
    print_table("", [*sizes, "cycles", "dense cycles", "dense / sparse"], rows)


def print_stored(layers: list[dict[str, Any]]) -> None:
    """Show what the weights of each layer take in the file."""

    def bits(layer: dict[str, Any], kind: str) -> str:
        steps = (layer[f"{kind}_bits_packed"], layer[f"{kind}_bits_coded"], layer[f"{kind}_entropy"])
        return ", ".join(f"{value:.2f}" for value in steps)

    rows = [
        [
            number,
            layer["form"],
            layer["packed_bytes"],
            layer["coded_bytes"],
            f"{layer['table_bytes']:.1f}",
            bits(layer, "index"),
            bits(layer, "run"),
        ]
        for number, layer in enumerate(layers, 1)
    ]
    print("Weights in the file; bits of an index and of a run for each weight: packed, coded, entropy")
    print_table(
        "", ["layer", "form", "packed bytes", "coded bytes", "table bytes", "index bits", "run bits"], rows
    )
