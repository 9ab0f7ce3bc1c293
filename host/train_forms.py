"""What the training loop can train: weights under masks, shared values, and both at once.

A form owns the tensors; the loop (`host.train_loop`) only sees the matrices that they stand for.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from host.network import DenseLayer, SharedLayer
from host.pruning import Mask
from host.train_torch import require_torch

Tensor = Any


def bias_step(bias: Any, bits: int) -> float:
    """Power of two in whose multiples a layer's biases are written with `bits` bits, sign included.

    >>> bias_step([0.75, -1.5], 4), bias_step([0.0], 4)
    (0.25, 1.0)
    """
    largest = float(np.max(np.abs(np.asarray(bias, dtype=np.float64)), initial=0.0))
    if largest == 0.0:
        return 1.0
    _, exponent = np.frexp(largest)
    step = float(np.ldexp(1.0, int(exponent) - bits + 1))
    return step if np.rint(largest / step) < 1 << (bits - 1) else 2 * step


def round_bias(bias: Any, bits: int) -> NDArray[np.float64]:
    """Biases at the nearest multiples of their `bias_step`.

    >>> round_bias([0.7, -1.5], 4).tolist()
    [0.75, -1.5]
    """
    step = bias_step(bias, bits)
    rounded: NDArray[np.float64] = np.rint(np.asarray(bias, dtype=np.float64) / step) * step
    return rounded


class MaskedForm:
    """Weights of which those outside the masks stay zero (Han et al., NIPS 2015).

    Parameters
    ----------
    source : sequence of DenseLayer
    masks : sequence of array of bool, shape (rows, columns), or None
        The kept places; None keeps all.
    """

    settled = True

    def __init__(self, source: Sequence[DenseLayer], masks: Sequence[Mask] | None = None) -> None:
        torch = require_torch()
        self.source = source
        self.weights = [torch.tensor(layer.weights, requires_grad=True) for layer in source]
        self.biases = [torch.tensor(layer.bias, requires_grad=True) for layer in source]
        self.masks = None if masks is None else [torch.tensor(mask, dtype=torch.float32) for mask in masks]

    def parameters(self) -> list[Tensor]:
        return [*self.weights, *self.biases]

    def layers(self) -> list[tuple[Tensor, Tensor]]:
        weights = self.weights
        if self.masks is not None:
            weights = [weight * mask for weight, mask in zip(weights, self.masks, strict=True)]
        return list(zip(weights, self.biases, strict=True))

    def start(self, epoch: int, epochs: int) -> None:
        """Nothing changes from epoch to epoch."""

    def result(self) -> list[DenseLayer]:
        """The layers as they are now."""
        return [
            replace(layer, weights=weight.detach().numpy().copy(), bias=bias.detach().numpy().copy())
            for layer, (weight, bias) in zip(self.source, self.layers(), strict=True)
        ]


class SharedForm:
    """Codebook values and rounded biases, over weights whose indices stay (Han et al., ICLR 2016, section 3).

    The gradient of a value is the sum over the weights that share it. Biases are multiples of a power of two
    in every forward pass; gradients pass through the rounding.

    Parameters
    ----------
    source : sequence of SharedLayer
    bias_bits : int
        See `round_bias`.
    """

    settled = True

    def __init__(self, source: Sequence[SharedLayer], bias_bits: int) -> None:
        torch = require_torch()
        self.torch = torch
        self.source = source
        self.bias_bits = bias_bits
        self.codebooks, self.biases, self.places, self.indices = [], [], [], []
        for layer in source:
            self.codebooks.append(torch.tensor(layer.codebook, dtype=torch.float32, requires_grad=True))
            self.biases.append(torch.tensor(layer.bias, dtype=torch.float32, requires_grad=True))
            places = layer.row.astype(np.int64) * layer.columns + layer.column
            self.places.append(torch.tensor(places))
            self.indices.append(torch.tensor(layer.index.astype(np.int64)))

    def parameters(self) -> list[Tensor]:
        return [*self.codebooks, *self.biases]

    def layers(self) -> list[tuple[Tensor, Tensor]]:
        found = []
        for number, layer in enumerate(self.source):
            # gather's gradient is the sum over all weights of an index
            values = self.codebooks[number].gather(0, self.indices[number])
            flat = self.torch.zeros(layer.rows * layer.columns).scatter(0, self.places[number], values)
            bias = self.biases[number]
            rounded = round_bias(bias.detach().numpy(), self.bias_bits)
            bias = bias + (self.torch.tensor(rounded, dtype=self.torch.float32) - bias).detach()
            found.append((flat.reshape(layer.rows, layer.columns), bias))
        return found

    def start(self, epoch: int, epochs: int) -> None:
        """Nothing changes from epoch to epoch."""

    def result(self) -> list[SharedLayer]:
        """The layers as they are now; their biases are rounded."""
        results = []
        for layer, codebook, bias in zip(self.source, self.codebooks, self.biases, strict=True):
            values = codebook.detach().numpy().astype(np.float64)
            values[0] = 0.0
            used = np.unique(layer.index)
            # an index that means a weight must not mean zero
            vanished = used[values[used] == 0.0]
            values[vanished] = np.finfo(np.float32).tiny
            unused = np.setdiff1d(np.arange(values.size), used)
            values[unused] = 0.0
            results.append(
                replace(layer, codebook=values, bias=round_bias(bias.detach().numpy(), self.bias_bits))
            )
        return results
