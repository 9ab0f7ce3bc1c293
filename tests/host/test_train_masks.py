"""Which weights are pruned: schedules, sensitivity, and neurons that are of no more use."""

from itertools import pairwise

import numpy as np
import pytest

from host.network import DenseLayer
from host.train_masks import choose, cross_entropy, logits, remove_dead, schedule, sensitive_shares


def layers_of(sizes: tuple[int, ...], seed: int, density: float = 1.0) -> list[DenseLayer]:
    rng = np.random.default_rng(seed)
    made = []
    for number in range(len(sizes) - 1):
        shape = sizes[number + 1], sizes[number]
        weights = rng.standard_normal(shape) * (rng.random(shape) < density)
        bias = rng.standard_normal(shape[0])
        last = number == len(sizes) - 2
        made.append(
            DenseLayer(
                weights=weights.astype(np.float32),
                bias=bias.astype(np.float32),
                relu=not last,
                name=f"{number}",
            )
        )
    return made


def kept(layers: list[DenseLayer]) -> list[int]:
    return [int(np.count_nonzero(layer.weights)) for layer in layers]


def test_the_schedule_ends_at_the_share_and_never_grows() -> None:
    shares = schedule(1.0, 0.05, 6)
    assert len(shares) == 6 and shares[-1] == pytest.approx(0.05)
    np.testing.assert_allclose(np.diff(np.log(shares)), np.log(0.05) / 6)
    assert schedule(0.05, 0.1, 6) == [0.1], "a network that is sparse already is not pruned"


def test_a_layer_that_matters_more_keeps_more() -> None:
    layers = layers_of((20, 30, 30, 4), 0)
    inputs = np.random.default_rng(1).standard_normal((200, 20)).astype(np.float32)
    labels = logits(layers, inputs).argmax(axis=1)
    cost = [0.0, 0.0, 0.0]

    def loss(trial: list[DenseLayer]) -> float:
        return cross_entropy(logits(trial, inputs), labels)

    shares = sensitive_shares(layers, 0.3, loss)
    total = sum(layer.weights.size for layer in layers)
    sizes = [layer.weights.size for layer in layers]
    assert sum(part * size for part, size in zip(shares, sizes, strict=True)) == pytest.approx(0.3 * total)
    for number, part in enumerate(shares):
        trial = [*layers]
        masks = choose(layers, 0.3, loss)
        trial[number] = DenseLayer(
            weights=np.where(masks[number], layers[number].weights, 0).astype(np.float32),
            bias=layers[number].bias,
            relu=layers[number].relu,
            name="",
        )
        cost[number] = loss(trial) - loss(layers)
        assert part == pytest.approx(masks[number].mean(), abs=0.02)
    assert max(cost) < 3 * min(cost), "each layer's pruning alone costs about the same"


def test_no_more_is_kept_than_there_is() -> None:
    layers = layers_of((10, 20, 5), 2, density=0.2)
    masks = choose(layers, 0.9, lambda trial: 0.0)
    assert [int(mask.sum()) for mask in masks] == kept(layers)


def test_a_loss_that_never_changes_still_gives_the_share() -> None:
    layers = layers_of((10, 20, 5), 3)
    masks = choose(layers, 0.1, lambda trial: 1.0)
    assert sum(int(mask.sum()) for mask in masks) == pytest.approx(30, abs=2)


@pytest.mark.parametrize("seed", range(5))
def test_removing_dead_neurons_changes_no_output(seed: int) -> None:
    layers = layers_of((12, 40, 30, 20, 5), seed, density=0.06)
    alive = remove_dead(layers)
    inputs = np.random.default_rng(seed).standard_normal((50, 12)).astype(np.float32)
    np.testing.assert_allclose(logits(alive, inputs), logits(layers, inputs), rtol=1e-4, atol=1e-4)
    assert sum(kept(alive)) < sum(kept(layers))
    for here, after in pairwise(alive):
        read, fed = after.weights.any(axis=0), here.weights.any(axis=1)
        np.testing.assert_array_equal(read, fed)
        assert not here.bias[~read].any()
    again = remove_dead(alive)
    assert kept(again) == kept(alive)
