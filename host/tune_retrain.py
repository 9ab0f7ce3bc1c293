"""Going on from a setting that `host.tuning` found: fewer weights in rounds, with training after each.

Every layer loses the same share of its weights, so the layers stay as different as the search made them; the
weight bits stay too. Needs PyTorch.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from golden.errors import UnsupportedError
from golden.model import Model, encode
from host.calibration import measure, to_model
from host.cost import Preset, cost, timed_inputs
from host.network import DenseLayer, Network, SharedNetwork
from host.pruning import keep_largest
from host.sharing import share
from host.train_data import TrainData
from host.train_forms import MaskedForm, SharedForm
from host.train_loop import Progress, Trainer, one_thread
from host.train_masks import pruned
from host.train_settings import TrainSettings
from host.training import accuracy
from host.tuning import Point, TuneResult, weights_left

ROUNDS = 8
LEVELS = 3
"""Levels of pruning from one round to the next: the weights become 0.61 times as many."""


@dataclass(frozen=True, eq=False)
class _Trained:
    layers: list[DenseLayer]
    shared: SharedNetwork
    model: Model
    point: Point


def retrain(
    network: Network,
    data: TrainData,
    board: Preset,
    found: TuneResult,
    *,
    epochs: int = 30,
    seed: int = 1,
    progress: Progress | None = None,
) -> TuneResult:
    """Prune the chosen setting further and retrain it, as long as it stays within the limit.

    Parameters
    ----------
    network, data, board
        As `host.tuning.tune` had them.
    found : TuneResult
        What it gave.
    epochs : int
        Passes over the train split after each round, and half as many for the shared values.
    seed : int
    progress : callable, optional
        Called with an `Epoch` after each pass.

    Returns
    -------
    TuneResult
        With `retrained`, and its model, if a retrained setting is within the limit; else as it was.

    Raises
    ------
    ToolMissingError
        If PyTorch is not installed.
    """
    settings = TrainSettings(seed=seed, epochs=epochs)
    planned = ROUNDS * (epochs + epochs // 2 + 1)
    best: _Trained | None = None
    with one_thread():
        trainer = Trainer(data, settings, [layer.relu for layer in network.layers], planned, progress)
        layers = list(network.layers)
        for number in range(1, ROUNDS + 1):
            try:
                trained = _round(network, layers, data, board, found, trainer, number)
            except UnsupportedError:
                break
            if trained.point.validation < found.limit:
                break
            best, layers = trained, trained.layers
    if best is None:
        return found
    return replace(
        found,
        model=best.model,
        data=encode(best.model),
        shared=best.shared,
        retrained=best.point,
        pruned=replace(network, layers=tuple(best.layers)),
        test=accuracy(best.model, data.test),
    )


def _round(
    network: Network,
    layers: list[DenseLayer],
    data: TrainData,
    board: Preset,
    found: TuneResult,
    trainer: Trainer,
    number: int,
) -> _Trained:
    """Prune once more, train under the masks, share the weights and train what they share."""
    settings = trainer.settings
    choices = tuple((level + LEVELS * number, bits) for level, bits in found.chosen.choices)
    masks = [
        keep_largest(np.abs(layer.weights), weights_left(int(np.count_nonzero(source.weights)), level))
        for layer, source, (level, _) in zip(layers, network.layers, choices, strict=True)
    ]
    masked = MaskedForm(pruned(layers, masks), masks)
    teacher, noise = network.layers, settings.weight_noise
    trainer.fit(masked, f"round {number}", settings.epochs, teacher=teacher, noise=noise)
    retrained = masked.result()
    shared = [
        share(layer, layer.weights != 0, bits) for layer, (_, bits) in zip(retrained, choices, strict=True)
    ]
    form = SharedForm(shared, settings.bias_bits)
    epochs = settings.epochs // 2 + 1
    trainer.fit(form, f"share {number}", epochs, teacher=teacher, rate=settings.rate / 4)
    tuned = network.shared(form.result())
    model: Any = to_model(tuned, measure(tuned, data.train.inputs))[0]
    point = Point(
        choices=choices,
        kept=tuple(layer.nnz / (layer.rows * layer.columns) for layer in model.layers),
        validation=accuracy(model, data.validation),
        cost=cost(model, board, timed_inputs(model, data.train.inputs)),
    )
    return _Trained(retrained, tuned, model, point)
