"""Random networks of known shape: their densities, in the weights and in what runs through them."""

import numpy as np
import pytest

from golden.errors import UsageError
from golden.forward import layer_forward
from golden.layers import check
from host.known_models import NETWORKS, network, random_inputs, random_model


@pytest.mark.parametrize("shape", NETWORKS, ids=lambda shape: shape.name)
def test_densities_are_those_of_the_shape(shape):
    model = random_model(shape)
    check(model, 32)
    for layer, keep in zip(model.layers, shape.weights, strict=True):
        assert layer.nnz == round(keep * layer.rows * layer.columns)
        assert layer.index_bits == 4


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", NETWORKS, ids=lambda shape: shape.name)
def test_half_of_the_hidden_activations_are_zero(shape, seed):
    source = random_inputs(shape, 5, seed)
    assert source.shape == (5, 784)
    assert abs(np.count_nonzero(source) / source.size - 0.19) < 0.001
    for layer in random_model(shape, seed).layers[:-1]:
        source, _, saturated = layer_forward(layer, source)
        assert 0.44 < np.count_nonzero(source) / source.size < 0.56
        assert not saturated


def test_a_seed_gives_one_network():
    shape = network("lenet-300-100")
    first, again, other = (random_model(shape, seed).layers[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.row, again.row)
    assert not np.array_equal(first.row, other.row)


def test_an_unknown_name_is_refused():
    with pytest.raises(UsageError, match="there is no network 'lenet'; choose from lenet-300-100,"):
        network("lenet")
