"""The rival's form: dense int8 weights and biases, seen by every forward pass of its training.

Quantisation-aware training with straight-through gradients (Jacob et al., CVPR 2018): a layer's weights act
as the nearest multiples of a power of two that int8 can hold, its biases likewise, and the gradients pass
to the real numbers behind them.
"""

from typing import Any

import numpy as np

from host.int8_mlp import int8_fraction
from host.train_forms import MaskedForm
from host.train_torch import require_torch

Tensor = Any


class Int8Form(MaskedForm):
    """Dense layers whose weights and biases act as int8.

    Parameters
    ----------
    source : sequence of DenseLayer
        See `MaskedForm`.
    """

    def layers(self) -> list[tuple[Tensor, Tensor]]:
        return [(rounded(weight), rounded(bias)) for weight, bias in super().layers()]


def rounded(values: Tensor) -> Tensor:
    """The multiples of a power of two that int8 holds; the gradient is the identity."""
    real = values.detach().numpy()
    fraction = int8_fraction(real)
    nearest = np.ldexp(np.rint(np.ldexp(real, fraction)), -fraction)
    return values + (require_torch().tensor(nearest) - values).detach()
