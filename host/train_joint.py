"""Pruning and sharing inside the training loop, after CLIP-Q (Tung and Mori, CVPR 2018)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from host.network import DenseLayer
from host.sharing import share
from host.train_masks import Masks
from host.train_torch import require_torch

Tensor = Any
PRUNED_AT = 0.6
"""Part of the epochs after which masks and indices no longer change."""
SHARED_AT = 0.3
"""Part of the epochs after which the forward pass sees shared values."""


class JointForm:
    """Full-precision weights, of which the forward pass sees a pruned and shared copy.

    Every epoch prunes and shares anew, with ever fewer weights. Gradients pass straight through to the
    weights that are left; unlike in the paper a pruned one does not return, since Adam's steps, the same for
    small and large gradients, would have masks change without end. In the last part masks and indices stay,
    and the shared values go on being the means of their weights.

    Parameters
    ----------
    source : sequence of DenseLayer
    keep : float
        Share of all weights at the end.
    bits : sequence of int
        Weight-index bits of each layer.
    masks : callable
        Gives the masks that keep a share of the weights of given layers.
    """

    def __init__(self, source: Sequence[DenseLayer], keep: float, bits: Sequence[int], masks: Masks) -> None:
        torch = require_torch()
        self.torch = torch
        self.source = source
        self.keep = keep
        self.bits = bits
        self.masks = masks
        self.settled = False
        self.weights = [torch.tensor(layer.weights, requires_grad=True) for layer in source]
        self.biases = [torch.tensor(layer.bias, requires_grad=True) for layer in source]
        self.places = [torch.tensor(np.flatnonzero(layer.weights)) for layer in source]
        self.indices: list[Tensor] = []
        kept = sum(places.numel() for places in self.places)
        self.present = kept / sum(weight.numel() for weight in self.weights)

    def parameters(self) -> list[Tensor]:
        return [*self.weights, *self.biases]

    def start(self, epoch: int, epochs: int) -> None:
        """Prune and share anew, until the masks are to stay."""
        if self.settled:
            return
        done = (epoch + 1) / epochs
        left = max(0.0, 1 - done / PRUNED_AT) ** 3  # fast at first, as Zhu and Gupta (arXiv 1710.01878) do
        self.settled = left == 0.0
        masks = self.masks(self.real(), self.keep + max(0.0, self.present - self.keep) * left)
        with self.torch.no_grad():
            for weight, mask in zip(self.weights, masks, strict=True):
                weight *= self.torch.tensor(mask)
        self.places = [self.torch.tensor(np.flatnonzero(mask)) for mask in masks]
        if done < SHARED_AT and not self.settled:
            return
        self.indices = []
        for layer, mask, bits in zip(self.real(), masks, self.bits, strict=True):
            shared = share(layer, mask, bits)
            index = np.zeros(mask.shape, dtype=np.int64)
            index[shared.row, shared.column] = shared.index
            self.indices.append(self.torch.tensor(index[mask]))

    def layers(self) -> list[tuple[Tensor, Tensor]]:
        found = []
        for number, weight in enumerate(self.weights):
            values = weight.flatten()[self.places[number]]
            if self.indices:
                means = self._means(values.detach(), self.indices[number], self.bits[number])
                values = values + (means - values).detach()
            seen = self.torch.zeros(weight.numel()).scatter(0, self.places[number], values)
            found.append((seen.reshape(weight.shape), self.biases[number]))
        return found

    def _means(self, values: Tensor, index: Tensor, bits: int) -> Tensor:
        sums = self.torch.zeros(1 << bits).scatter_add(0, index, values)
        counts = self.torch.zeros(1 << bits).scatter_add(0, index, self.torch.ones_like(values))
        return (sums / counts.clamp(min=1))[index]

    def real(self) -> list[DenseLayer]:
        """The full-precision weights, pruned ones zero."""
        return [
            replace(layer, weights=weight.detach().numpy().copy(), bias=bias.detach().numpy().copy())
            for layer, weight, bias in zip(self.source, self.weights, self.biases, strict=True)
        ]

    def result(self) -> list[DenseLayer]:
        """The layers as the forward pass sees them: few distinct weights, and zeros."""
        return [
            replace(layer, weights=weight.detach().numpy().copy())
            for layer, (weight, _) in zip(self.real(), self.layers(), strict=True)
        ]
