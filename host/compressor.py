"""The compressor: a network file goes in, a model and a report come out.

float network -> prune -> share weights -> calibrate -> integers -> compare with onnxruntime. Nothing is
written here; `CompressResult.data` are the bytes of the model file.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import UsageError
from golden.fixed_point import dequantise
from golden.forward import forward
from golden.layers import MAX_ACCUMULATOR_BITS
from golden.model import Model, encode
from host.arrays import load_inputs
from host.calibration import INPUT_BITS, measure, random_inputs, to_model
from host.layer_sizes import LayerSizes, layer_sizes
from host.network import Network, SharedNetwork
from host.npz_import import import_npz
from host.onnx_export import decompress
from host.onnx_import import import_onnx
from host.packages import require
from host.pruning import check_share, prune
from host.sharing import Sharing, check_sharing, check_weight_bits, share
from host.values import to_integers

DEFAULT_WEIGHT_BITS = 4
MOST_COMPARED = 256
COMPARED_WEIGHTS = 1 << 27
"""Weights times samples that the comparison may take, which keeps it to a few seconds."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """What became of one layer.

    Parameters
    ----------
    name : str
        Of the node that the layer came from.
    rows, columns : int
    weights : int
        Weights that are kept.
    weight_bits : int
        Bits of a weight index.
    weight_fraction, input_fraction, output_fraction : int
        Fraction bits.
    raised : int
        Codebook values that became 1 or -1 because they would have rounded to zero.
    relu : bool
    sizes : LayerSizes
        What the weights take in the file.
    """

    name: str
    rows: int
    columns: int
    weights: int
    weight_bits: int
    weight_fraction: int
    input_fraction: int
    output_fraction: int
    raised: int
    relu: bool
    sizes: LayerSizes

    @property
    def kept(self) -> float:
        """Share of the weights that is kept."""
        return self.weights / (self.rows * self.columns)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Golden outputs beside onnxruntime's on the decompressed network, before the final operation.

    Parameters
    ----------
    samples : int
    difference : float
        Largest absolute difference.
    output_range : float
        Largest output minus smallest, over all samples and outputs, of onnxruntime.
    agreement : float
        Share of the samples whose largest output is the same.
    saturations : int
        Values that golden clipped, inputs included.
    """

    samples: int
    difference: float
    output_range: float
    agreement: float
    saturations: int

    @property
    def relative(self) -> float:
        """Difference as a share of the output's range; infinite if there is one but no range."""
        if self.difference == 0.0:
            return 0.0
        return self.difference / self.output_range if self.output_range else float("inf")


@dataclass(frozen=True, kw_only=True)
class CompressReport:
    """What the compressor did.

    Parameters
    ----------
    layers : tuple of LayerReport
    calibration : str
        Where the scales of the activations come from, in words.
    file_bytes : int
        Size of the model file.
    dense_bytes : int
        Size of all weights and biases as float32.
    comparison : Comparison
    """

    layers: tuple[LayerReport, ...]
    calibration: str
    file_bytes: int
    dense_bytes: int
    comparison: Comparison

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries, for JSON."""
        return asdict(self) | {
            "layers": [asdict(layer) | {"kept": layer.kept} for layer in self.layers],
            "comparison": asdict(self.comparison) | {"relative": self.comparison.relative},
        }


@dataclass(frozen=True, eq=False)
class CompressResult:
    """A model, the bytes of its file, and how it came about.

    Parameters
    ----------
    model : Model
    report : CompressReport
    data : bytes
    shared : SharedNetwork
        The real numbers that the model's integers stand for.
    source : Network or None
        The network as it was read; None for one that came compressed.
    """

    model: Model
    report: CompressReport
    data: bytes
    shared: SharedNetwork
    source: Network | None


def compress(
    source_path: str | Path,
    *,
    keep: float | None = None,
    keep_global: float | None = None,
    weight_bits: int | None = None,
    sharing: Sharing | None = None,
    calibrate: str | Path | None = None,
    input_bits: int = INPUT_BITS,
    accumulator_bits: int = 32,
    progress: Progress | None = None,
) -> CompressResult:
    """Compress a network.

    Parameters
    ----------
    source_path : path
        An ONNX file, or an `.npz` of a network that is already compressed (`host.npz_import`).
    keep : float, optional
        Share of the weights kept in each layer; by default every nonzero weight is.
    keep_global : float, optional
        Share of the weights kept in all layers together.
    weight_bits : int, optional
        Bits of a weight index, 1 to 8; default 4.
    sharing : {"exact", "lloyd"}, optional
        How weights are shared (`host.sharing`); default exact.
    calibrate : path, optional
        A `.npy` of float32 inputs, shape (samples, inputs).
    input_bits : int
        In which inputs shall fit, 2 to 16: with 8 or fewer they cross the link in a byte each. A scale that
        comes with an `.npz` stays.
    accumulator_bits : int
        Narrowest accumulator that the model shall run on.
    progress : callable, optional
        Called with the number of stages that are done, and of all.

    Raises
    ------
    UsageError
        For options out of range, or of no use for the file.
    InputError
        If a file is bad.
    UnsupportedError
        If the network is beyond what Tamis runs.
    ToolMissingError
        If onnx or onnxruntime is not installed.
    """
    check_share(keep, "--keep")
    check_share(keep_global, "--keep-global")
    if keep is not None and keep_global is not None:
        raise UsageError("--keep and --keep-global exclude each other; give one of them")
    if weight_bits is not None:
        check_weight_bits(weight_bits)
    if sharing is not None:
        check_sharing(sharing)
    if not 24 <= accumulator_bits <= MAX_ACCUMULATOR_BITS:
        raise UsageError(f"accumulators have 24 to {MAX_ACCUMULATOR_BITS} bits, not {accumulator_bits}")
    if not 2 <= input_bits <= INPUT_BITS:
        raise UsageError(
            f"inputs have 2 to {INPUT_BITS} bits, not {input_bits}; give --input-bits among them"
        )
    require_onnxruntime()
    stages = iter(range(1, 6))

    def done() -> None:
        stage = next(stages)
        if progress is not None:
            progress(stage, 5)

    if Path(source_path).suffix.lower() == ".npz":
        if (keep, keep_global, weight_bits, sharing) != (None, None, None, None):
            raise UsageError(
                f"{source_path} is already compressed, so its weights stay as they are; leave out --keep, "
                "--keep-global, --weight-bits and --sharing"
            )
        source, network = None, import_npz(source_path)
    else:
        source = import_onnx(source_path)
        network = _prune_and_share(
            source,
            keep,
            keep_global,
            DEFAULT_WEIGHT_BITS if weight_bits is None else weight_bits,
            "exact" if sharing is None else sharing,
        )
    done()
    inputs = None if calibrate is None else load_inputs(calibrate, network.layers[0].columns)
    ranges = measure(network, inputs, input_bits)
    done()
    model, raised = to_model(network, ranges, accumulator_bits)
    done()
    data = encode(model)
    done()
    comparison = compare(model, random_inputs(model.inputs) if inputs is None else inputs, accumulator_bits)
    done()
    layers = tuple(
        LayerReport(
            name=shared.name,
            rows=layer.rows,
            columns=layer.columns,
            weights=layer.nnz,
            weight_bits=layer.index_bits,
            weight_fraction=layer.weight_fraction,
            input_fraction=layer.input_fraction,
            output_fraction=layer.output_fraction,
            raised=count,
            relu=layer.relu,
            sizes=layer_sizes(layer),
        )
        for shared, layer, count in zip(network.layers, model.layers, raised, strict=True)
    )
    report = CompressReport(
        layers=layers,
        calibration=ranges.source,
        file_bytes=len(data),
        dense_bytes=model.dense_bytes,
        comparison=comparison,
    )
    return CompressResult(model, report, data, network, source)


def _prune_and_share(
    network: Network, keep: float | None, keep_global: float | None, weight_bits: int, sharing: Sharing
) -> SharedNetwork:
    masks = prune([layer.weights for layer in network.layers], keep, keep_global)
    return network.shared(
        share(layer, mask, weight_bits, sharing) for layer, mask in zip(network.layers, masks, strict=True)
    )


def compare(model: Model, inputs: NDArray[np.float32], accumulator_bits: int = 32) -> Comparison:
    """Run golden and onnxruntime, the latter on the decompressed network, on the first of some inputs.

    Parameters
    ----------
    model : Model
    inputs : array of float32, shape (samples, inputs)
    accumulator_bits : int

    Raises
    ------
    ToolMissingError
        If onnx or onnxruntime is not installed.
    """
    weights = sum(layer.nnz for layer in model.layers)
    samples = inputs[: min(MOST_COMPARED, max(8, COMPARED_WEIGHTS // max(1, weights)))]
    activations, clipped = to_integers(model, samples)
    outputs, saturations = forward(model, activations, accumulator_bits)
    golden = dequantise(outputs, model.layers[-1].output_fraction)
    expected = run_onnx(replace(model, final="none", input_shape=()), samples).astype(np.float64)
    return Comparison(
        samples=len(samples),
        difference=float(np.max(np.abs(golden - expected))),
        output_range=float(np.ptp(expected)),
        agreement=float(np.mean(golden.argmax(axis=1) == expected.argmax(axis=1))),
        saturations=clipped + saturations,
    )


def run_onnx(model: Model, inputs: NDArray[np.float32]) -> NDArray[Any]:
    """Output of onnxruntime for the decompressed network of a model."""
    runtime = require_onnxruntime()
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(
        decompress(model).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    result: NDArray[Any] = session.run(None, {"input": inputs})[0]
    return result


def require_onnxruntime() -> ModuleType:
    """Import onnxruntime.

    Raises
    ------
    ToolMissingError
        If it is not installed.
    """
    return require("onnxruntime", "onnxruntime", "onnx", "the comparison runs in it")
