"""PyTorch, where it is installed, and what a torch module means to Tamis."""

from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from golden.errors import InputError, UnsupportedError
from golden.layers import Final
from host.network import DenseLayer, Network
from host.packages import require

SUPPORTED = "Sequential of Linear, ReLU, BatchNorm1d, Flatten, Dropout, Identity and a last Softmax"


def require_torch() -> ModuleType:
    """Import PyTorch.

    Raises
    ------
    ToolMissingError
        If it is not installed.
    """
    return require("torch", "torch", "train", "training needs it")


def from_torch(module: Any) -> Network:
    """Turn a torch module into a network.

    Parameters
    ----------
    module : torch.nn.Module
        `SUPPORTED`, nested as deep as you like. Batch normalisation is folded into the weights, with its
        running statistics; dropout is left out.

    Returns
    -------
    Network
        With copies of the module's weights as float32.

    Raises
    ------
    UnsupportedError
        If a layer is not supported; the message names it.
    InputError
        If layers do not fit together, or weights are not finite.
    ToolMissingError
        If PyTorch is not installed.
    """
    nn = require_torch().nn
    layers: list[DenseLayer] = []
    final: Final = "none"
    for name, part in _leaves(module, ""):
        label = f"layer {name or '0'} ({type(part).__name__})"
        if final != "none":
            raise UnsupportedError(f"{label} follows the last Softmax; leave it out")
        if type(part) is nn.Linear:
            layers.append(_linear(part, name, label, layers))
        elif type(part) is nn.BatchNorm1d:
            _require_open(layers, label)
            layers[-1] = _folded(layers[-1], part, label)
        elif type(part) is nn.ReLU:
            if not layers:
                raise UnsupportedError(f"{label} comes before the first Linear; start with a Linear")
            layers[-1] = replace(layers[-1], relu=True)
        elif type(part) is nn.Flatten:
            if part.start_dim != 1 or part.end_dim != -1:
                raise UnsupportedError(f"{label} must flatten all axes but the first; use nn.Flatten()")
        elif type(part) is nn.Softmax:
            if part.dim not in (1, -1):
                raise UnsupportedError(f"{label} must run over the last axis; use nn.Softmax(1)")
            _require_open(layers, label)
            final = "softmax"
        elif type(part) not in (nn.Dropout, nn.Identity):
            raise UnsupportedError(f"{label} is not supported; Tamis trains a {SUPPORTED}")
    if not layers:
        raise UnsupportedError("the torch module has no Linear layer; at least one is needed")
    return Network(layers=tuple(layers), final=final)


def _leaves(module: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Layers of nested Sequentials in order, each with its name."""
    if type(module) is not require_torch().nn.Sequential:
        yield path, module
        return
    for name, child in module._modules.items():  # named_children() leaves out one that stands there twice
        yield from _leaves(child, f"{path}.{name}" if path else name)


def _require_open(layers: list[DenseLayer], label: str) -> None:
    if not layers or layers[-1].relu:
        raise UnsupportedError(f"{label} must follow a Linear directly; put it there")


def _linear(part: Any, name: str, label: str, layers: list[DenseLayer]) -> DenseLayer:
    weights = part.weight.detach().cpu().numpy().astype(np.float32)
    bias = np.zeros(len(weights), np.float32) if part.bias is None else part.bias.detach().cpu().numpy()
    if layers and len(layers[-1].weights) != weights.shape[1]:
        raise InputError(
            f"{label} takes {weights.shape[1]} values, but the layer before gives {len(layers[-1].weights)}; "
            "make both equal"
        )
    if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise InputError(f"{label} holds NaN or infinite weights; train the network again")
    return DenseLayer(
        weights=weights.copy(), bias=bias.astype(np.float32), relu=False, name=f"layer{name or '0'}"
    )


def _folded(layer: DenseLayer, norm: Any, label: str) -> DenseLayer:
    if norm.running_mean is None or norm.num_features != len(layer.bias):
        raise UnsupportedError(f"{label} needs running statistics of {len(layer.bias)} features")
    mean, variance = norm.running_mean.cpu().numpy(), norm.running_var.cpu().numpy()
    gain, shift = np.ones_like(mean), np.zeros_like(mean)
    if norm.affine:
        gain, shift = norm.weight.detach().cpu().numpy(), norm.bias.detach().cpu().numpy()
    factor = gain / np.sqrt(variance + norm.eps)
    return replace(
        layer,
        weights=(layer.weights * factor[:, None]).astype(np.float32),
        bias=((layer.bias - mean) * factor + shift).astype(np.float32),
    )


def random_network(network: Network, seed: int) -> Network:
    """The same shapes with seeded weights, uniform within 1 / sqrt(columns), as torch's Linear starts."""
    generator = np.random.default_rng([seed, 0])
    layers = []
    for layer in network.layers:
        rows, columns = layer.weights.shape
        reach = 1 / np.sqrt(columns)
        layers.append(
            replace(
                layer,
                weights=generator.uniform(-reach, reach, (rows, columns)).astype(np.float32),
                bias=generator.uniform(-reach, reach, rows).astype(np.float32),
            )
        )
    return replace(network, layers=tuple(layers))
