"""Searching the share of weights kept and the weight bits of every layer, for one board.

Accuracy is counted in golden's integers on the validation split, bytes are those of the model file, cycles
those of the cycle model (`host.cost`). Three stages, each seeded by the one before:

1. uniform: the same share and the same bits in every layer, from all weights down to where accuracy breaks;
2. sensitivity: how far each layer by itself can be pruned (Han et al., NIPS 2015, section 5), and settings
   that go a part of that way in all layers;
3. mixed: random changes of one or two layers of the best settings so far, cheaper ones more often, as in
   hardware-aware searches of bit widths (HAQ, Wang et al., CVPR 2019), until the evaluations are used up.

The test split is read once, when the choice is made. Nothing is trained here.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from golden.codebook import MAX_INDEX_BITS
from golden.errors import UnsupportedError
from golden.model import Model, encode
from host.calibration import measure, to_model
from host.cost import Cost, Preset, cost, timed_inputs
from host.network import Network, SharedLayer, SharedNetwork
from host.pruning import keep_largest
from host.sharing import share
from host.train_data import TrainData
from host.training import accuracy

RATIO = 0.85
"""Share of its weights that a layer keeps from one level of pruning to the next."""
FEWEST_BITS = 2
ALIKE = 0.01
"""Cycles that differ by no more than this count as equal, as a few inputs tell no more."""
POOL = 8
"""Settings from which changes start."""
PARTS = (0.4, 0.6, 0.8, 1.0)
"""How much of what each layer stands alone is tried in all together."""
CHEAPER = 0.7
"""Share of the random changes that take weights or bits away."""

Choice = tuple[int, int]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False, kw_only=True)
class Point:
    """One setting, evaluated.

    Parameters
    ----------
    choices : tuple of (int, int)
        Level of pruning and weight bits of each layer.
    kept : tuple of float
        Share of each layer's weights.
    validation : float
        Accuracy.
    cost : Cost or None
        None if the board cannot run it, or if the accuracy is out of the question.
    """

    choices: tuple[Choice, ...]
    kept: tuple[float, ...]
    validation: float
    cost: Cost | None

    @property
    def uniform(self) -> bool:
        """Whether all layers have the same setting."""
        return len(set(self.choices)) == 1

    @property
    def price(self) -> tuple[float, int]:
        """Cycles, then bytes; infinite where they are not known."""
        return (self.cost.cycles, self.cost.file_bytes) if self.cost else (np.inf, 0)

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        found = {"kept": list(self.kept), "weight_bits": [bits for _, bits in self.choices]}
        return {
            **found,
            "uniform": self.uniform,
            "validation": self.validation,
            **(self.cost.as_dict() if self.cost else {}),
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class TuneResult:
    """What the search found.

    Parameters
    ----------
    board : str
    model : Model
        Of the setting that was chosen.
    data : bytes
        Of its file.
    shared : SharedNetwork
        The real numbers that the integers stand for.
    chosen : Point
    uniform : Point or None
        The best setting with the same share and bits in every layer; None if none is within the limit.
    points : tuple of Point
        All that were evaluated and can run.
    limit : float
        Accuracy on the validation split that was asked for.
    met : bool
        Whether the chosen one has it.
    reference, reference_test : float
        Accuracies of the float network on the validation and test splits.
    test : float
        Accuracy of the chosen one on the test split, in golden's integers.
    uniform_test : float or None
    evaluations : int
    retrained : Point or None
        What `host.tune_retrain` made of the chosen one; the model, its file and `test` are then of this.
    pruned : Network or None
        The retrained network before its weights were shared.
    """

    board: str
    model: Model
    data: bytes
    shared: SharedNetwork
    chosen: Point
    uniform: Point | None
    points: tuple[Point, ...]
    limit: float
    met: bool
    reference: float
    reference_test: float
    test: float
    uniform_test: float | None
    evaluations: int
    retrained: Point | None = None
    pruned: Network | None = None

    @cached_property
    def front(self) -> tuple[Point, ...]:
        """Points that no other one equals or beats in accuracy, bytes and cycles at once, by cycles."""
        return pareto(self.points)

    @property
    def beats_uniform(self) -> bool:
        """Whether the choice takes fewer cycles than the best uniform one, or as many and fewer bytes."""
        if self.uniform is None or not self.met:
            return self.met
        better = cheapest([self.uniform, self.chosen]) is self.chosen
        return better and self.chosen.price != self.uniform.price

    def as_dict(self) -> dict[str, Any]:
        """The object of docs/schemas/tune.json."""
        return {
            "board": self.board,
            "evaluations": self.evaluations,
            "dense_bytes": self.model.dense_bytes,
            "limit": self.limit,
            "met": self.met,
            "reference": {"validation": self.reference, "test": self.reference_test},
            "chosen": self.chosen.as_dict(),
            "retrained": None if self.retrained is None else self.retrained.as_dict(),
            "test": self.test,
            "uniform": None
            if self.uniform is None
            else {**self.uniform.as_dict(), "test": self.uniform_test},
            "beats_uniform": self.beats_uniform,
            "front": [point.as_dict() for point in self.front],
        }


def cheapest(points: Sequence[Point]) -> Point:
    """The point of fewest bytes, then of most accuracy, among those of fewest cycles or about as few."""
    fewest = min(point.price[0] for point in points)
    alike = [point for point in points if point.price[0] <= fewest * (1 + ALIKE)]
    return min(alike, key=lambda point: (point.price[1], -point.validation, point.price[0]))


def pareto(points: Iterable[Point]) -> tuple[Point, ...]:
    """Points that no other one equals or beats in accuracy, bytes and cycles at once, by cycles."""
    front: list[Point] = []
    for point in sorted(points, key=lambda one: (one.price, -one.validation)):
        if not any(one.validation >= point.validation and one.price[1] <= point.price[1] for one in front):
            front.append(point)
    return tuple(front)


def tune(
    network: Network,
    data: TrainData,
    board: Preset,
    *,
    max_loss: float = 1.0,
    evaluations: int = 200,
    seed: int = 1,
    progress: Progress | None = None,
) -> TuneResult:
    """Search the setting of fewest cycles within a loss of accuracy; of equal ones that of fewest bytes.

    Parameters
    ----------
    network : Network
        Trained; weights that are zero stay zero.
    data : TrainData
        Number ranges come from the train split, accuracy from the validation split.
    board : Preset
        Description of the board.
    max_loss : float
        Percentage points of accuracy that may be lost on the validation split, against the float network.
    evaluations : int
        Settings to try, at least 1; the uniform ones alone may use up fewer than a hundred.
    seed : int
        Of the random changes. The same seed gives the same result.
    progress : callable, optional
        Called with the evaluations that are done, and all.

    Returns
    -------
    TuneResult
        With `met` False if nothing within the limit was found; it is then the most accurate setting.

    Raises
    ------
    InputError
        If the data do not fit the network.
    UnsupportedError
        If the board can run no setting that was tried.
    """
    data.check(network.layers[0].weights.shape[1], len(network.layers[-1].bias))
    return _Search(network, data, board, max_loss / 100, evaluations, progress).run(seed)


class _Search:
    def __init__(
        self,
        network: Network,
        data: TrainData,
        board: Preset,
        max_loss: float,
        evaluations: int,
        progress: Progress | None,
    ) -> None:
        self.network, self.data, self.board, self.progress = network, data, board, progress
        self.left = self.evaluations = evaluations
        self.reference = accuracy(network.layers, data.validation)
        # a tenth of a sample of slack, as the limit may be a whole number of samples away
        self.limit = self.reference - max_loss - 0.1 / len(data.validation)
        self.floor = self.limit - 2 * max_loss - 0.01  # below it nothing is of interest
        self.nonzero = [int(np.count_nonzero(layer.weights)) for layer in network.layers]
        self.most_bits = min(MAX_INDEX_BITS, board.geometry.entry_bits - 1)
        self.shared: dict[tuple[int, Choice], SharedLayer] = {}
        self.points: dict[tuple[Choice, ...], Point] = {}
        self.refusal = ""

    def run(self, seed: int) -> TuneResult:
        self._uniform()
        self._sensitivity()
        self._mixed(np.random.default_rng(seed))
        runs = [point for point in self.points.values() if point.cost is not None]
        if not runs:
            self._priced(max(self.points.values(), key=lambda point: point.validation))
            runs = [point for point in self.points.values() if point.cost is not None]
        if not runs:
            raise UnsupportedError(self.refusal)
        within = [point for point in runs if point.validation >= self.limit]
        most = max(point.validation for point in runs)
        chosen = cheapest(within or [point for point in runs if point.validation == most])
        uniforms = [point for point in within if point.uniform]
        uniform = cheapest(uniforms) if uniforms else None
        shared, model = self.build(chosen.choices)
        test = self.data.test
        return TuneResult(
            board=self.board.name,
            model=model,
            data=encode(model),
            shared=shared,
            chosen=chosen,
            uniform=uniform,
            points=tuple(runs),
            limit=self.limit,
            met=bool(within),
            reference=self.reference,
            reference_test=accuracy(self.network.layers, test),
            test=accuracy(model, test),
            uniform_test=None if uniform is None else accuracy(self.build(uniform.choices)[1], test),
            evaluations=len(self.points),
        )

    def build(self, choices: tuple[Choice, ...]) -> tuple[SharedNetwork, Model]:
        """The network of a setting, in real numbers and in integers."""
        shared = self.network.shared(self._layer(number, choice) for number, choice in enumerate(choices))
        return shared, to_model(shared, measure(shared, self.data.train.inputs))[0]

    def _layer(self, number: int, choice: Choice) -> SharedLayer:
        if (number, choice) not in self.shared:
            layer = self.network.layers[number]
            mask = keep_largest(np.abs(layer.weights), self._count(number, choice[0]))
            self.shared[number, choice] = share(layer, mask, choice[1])
        return self.shared[number, choice]

    def _count(self, number: int, level: int) -> int:
        return weights_left(self.nonzero[number], level)

    def evaluate(self, choices: tuple[Choice, ...]) -> Point | None:
        """Evaluate a setting, unless it was before; None when the evaluations are used up."""
        if choices in self.points:
            return self.points[choices]
        if not self.left:
            return None
        self.left -= 1
        model = None
        try:
            _, model = self.build(choices)
            found = accuracy(model, self.data.validation)
        except UnsupportedError as error:
            self.refusal, found = str(error), 0.0
        sizes = [layer.weights.size for layer in self.network.layers]
        kept = tuple(self._count(number, level) / sizes[number] for number, (level, _) in enumerate(choices))
        point = Point(choices=choices, kept=kept, validation=found, cost=None)
        self.points[choices] = point
        if found >= self.floor:
            point = self._priced(point, model)
        if self.progress is not None:
            self.progress(self.evaluations - self.left, self.evaluations)
        return point

    def _priced(self, point: Point, model: Model | None = None) -> Point:
        """The same point with its cost, if the board can run it; its model is built if it is not at hand."""
        try:
            model = model or self.build(point.choices)[1]
            found = cost(model, self.board, timed_inputs(model, self.data.train.inputs))
        except UnsupportedError as error:
            self.refusal = str(error)
            return point
        priced = Point(choices=point.choices, kept=point.kept, validation=point.validation, cost=found)
        self.points[point.choices] = priced
        return priced

    def _uniform(self) -> None:
        """The same level and bits everywhere, down to where even the next level is below the floor."""
        layers = len(self.network.layers)
        for bits in sorted(range(FEWEST_BITS, self.most_bits + 1), key=lambda bits: (abs(bits - 4), bits)):
            low, level = 0, 0
            while low < 2 and weights_left(max(self.nonzero), level) > 1:
                point = self.evaluate(((level, bits),) * layers)
                if point is None:
                    return
                low = low + 1 if point.validation < self.floor else 0
                level += 1

    def _sensitivity(self) -> None:
        """How far each layer goes alone, then parts of that in all layers at once."""
        start = self._best(1)
        if not start:
            return
        bits = start[0].choices[0][1]
        alone = [self._alone(number, bits) for number in range(len(self.nonzero))]
        for part in PARTS:
            self.evaluate(tuple((round(part * level), bits) for level in alone))

    def _alone(self, number: int, bits: int) -> int:
        """Highest level of one layer, the others whole, that keeps the limit; tried at growing strides."""
        level, stride = 0, 4
        while stride:
            choices = [(0, bits)] * len(self.nonzero)
            choices[number] = (level + stride, bits)
            point = self.evaluate(tuple(choices)) if self._count(number, level + stride) > 1 else None
            if point is not None and point.validation >= self.limit:
                level += stride
            else:
                stride //= 2
        return level

    def _mixed(self, rng: np.random.Generator) -> None:
        """Random changes of the best settings, until the evaluations are used up or nothing new comes."""
        stale = 0
        while self.left and stale < 1000:
            pool = self._best(POOL)
            if not pool:
                return
            start = pool[min(int(rng.geometric(0.4)) - 1, len(pool) - 1)]
            changed = self._changed(start.choices, rng)
            stale = stale + 1 if changed in self.points else 0
            self.evaluate(changed)

    def _best(self, count: int) -> list[Point]:
        """The cheapest points within the limit; or, as long as there is none, the most accurate."""
        runs = [point for point in self.points.values() if point.cost is not None]
        within = [point for point in runs if point.validation >= self.limit]
        return sorted(within or runs, key=lambda point: (0 if within else -point.validation, point.price))[
            :count
        ]

    def _changed(self, choices: tuple[Choice, ...], rng: np.random.Generator) -> tuple[Choice, ...]:
        found = list(choices)
        changes = 1 + int(rng.random() < 0.5)
        for number in range(changes):
            layer = int(rng.integers(len(found)))
            level, bits = found[layer]
            cheaper = rng.random() < CHEAPER
            if number:  # the second gives back what the first may have taken
                cheaper = not cheaper
            if rng.random() < 0.7:
                level = max(0, level + (1 if cheaper else -1) * int(rng.integers(1, 4)))
            else:
                bits = min(max(bits + (-1 if cheaper else 1), FEWEST_BITS), self.most_bits)
            if self._count(layer, level) > 1 or level <= choices[layer][0]:
                found[layer] = (level, bits)
        return tuple(found)


def weights_left(nonzero: int, level: int) -> int:
    """Weights that a layer with so many keeps at a level of pruning, at least one."""
    return max(1, round(nonzero * RATIO**level))
