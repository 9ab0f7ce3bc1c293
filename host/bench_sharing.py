"""What optimal clusters gain over Lloyd's: the table of docs/compression.md.

``python -m host.bench_sharing`` in a checkout prints it; it takes under a minute.
"""

import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.codebook import assign
from host.demo import EXAMPLE
from host.onnx_import import import_onnx
from host.sharing import centroids_for

WEIGHT_BITS = (3, 4, 5, 6, 7)
DRAWN, KEPT = 1_000_000, 0.1
"""Normally distributed weights, and the share of them that pruning leaves."""


class Gain(NamedTuple):
    """One layer at one number of bits: relative root mean square errors, and seconds of one run each."""

    layer: str
    weights: int
    weight_bits: int
    lloyd: float
    exact: float
    lloyd_seconds: float
    exact_seconds: float


def layers() -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The kept weights of the demo network's layers and of a random one, by name."""
    for layer in import_onnx(EXAMPLE / "pruned.onnx").layers:
        yield f"digits, {layer.name}", layer.weights[layer.weights != 0]
    drawn = np.random.default_rng(0).standard_normal(DRAWN).astype(np.float32)
    yield "random, normal", drawn[np.abs(drawn) > np.quantile(np.abs(drawn), 1 - KEPT)]


def measure(name: str, weights: NDArray[np.float32], weight_bits: int) -> Gain:
    """Share weights in both ways."""
    errors, seconds = [], []
    for sharing in ("lloyd", "exact"):
        begin = time.perf_counter()
        centroids = centroids_for(weights, weight_bits, name, sharing)
        seconds.append(time.perf_counter() - begin)
        left = weights - centroids[assign(weights, centroids)]
        errors.append(float(np.sqrt(np.mean(left**2) / np.mean(weights.astype(np.float64) ** 2))))
    return Gain(name, weights.size, weight_bits, *errors, *seconds)


def markdown(gains: Iterable[Gain]) -> str:
    """The table."""
    lines = [
        "| layer | weights | bits | Lloyd's error | exact error | squared error saved | Lloyd s | exact s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for gain in gains:
        saved = 1 - (gain.exact / gain.lloyd) ** 2 if gain.lloyd else 0.0
        lines.append(
            f"| {gain.layer} | {gain.weights:,} | {gain.weight_bits} | {100 * gain.lloyd:.2f} % "
            f"| {100 * gain.exact:.2f} % | {100 * saved:.0f} % | {gain.lloyd_seconds:.2f} "
            f"| {gain.exact_seconds:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown(measure(name, weights, bits) for name, weights in layers() for bits in WEIGHT_BITS))
