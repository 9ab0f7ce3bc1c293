"""The rival's form: dense int8 weights and biases, seen by every forward pass of its training.

Quantisation-aware training with straight-through gradients (Jacob et al., CVPR 2018): a layer's weights act
as the nearest multiples of a power of two that int8 can hold, its biases likewise, and the gradients pass
to the real numbers behind them.
"""

from typing import Any

from host.rival_training import Floats
from host.train_torch import require_torch

Tensor = Any


class Int8:
    """A stack of dense networks whose weights and biases act as int8.

    Parameters
    ----------
    source : Floats
        Trained on in place.
    """

    def __init__(self, source: Floats) -> None:
        self.source = source

    def parameters(self) -> list[Tensor]:
        return self.source.parameters()

    def layers(self) -> list[tuple[Tensor, Tensor]]:
        return [(rounded(weight), rounded(bias)) for weight, bias in self.source.layers()]


def rounded(values: Tensor, bits: int = 8) -> Tensor:
    """Multiples of a power of two, one for each network, that `bits` bits hold; the gradient is the identity.

    The power is that of `host.int8_mlp.int8_fraction`.
    """
    torch = require_torch()
    with torch.no_grad():
        largest = values.flatten(1).abs().amax(1).clamp(min=1e-30)
        exponent = torch.frexp(largest)[1]
        scale = torch.ldexp(torch.ones_like(largest), exponent - bits + 1)
        scale = torch.where((largest / scale).round() >= 1 << (bits - 1), 2 * scale, scale)
        scale = scale.reshape(-1, *[1] * (values.ndim - 1))
        step = (values / scale).round() * scale - values
    return values + step
