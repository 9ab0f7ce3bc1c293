"""What can be chosen about training; see `host.training.train`."""

from dataclasses import dataclass
from typing import Literal, get_args

from golden.codebook import MAX_INDEX_BITS
from golden.errors import UsageError
from golden.layers import MAX_ACCUMULATOR_BITS
from host.pruning import check_share

Prune = Literal["importance", "sensitivity", "global"]
PRUNES: tuple[Prune, ...] = get_args(Prune)


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Settings of a training run; the defaults suit small classifiers.

    Parameters
    ----------
    seed : int
        Of everything random. The same seed, data and version of PyTorch give the same file.
    fresh : bool
        Start from seeded random weights and train them dense first, whatever the network's weights are.
    keep : float
        Share of all weights that is left at the end, above 0 and at most 1; with `max_loss` the smallest
        share that is tried.
    max_loss : float or None
        Prune until the accuracy on the validation split is more than this many percentage points below the
        dense network's; the sparsest network within the limit is used.
    file_bytes : int or None
        Prune until the model file has at most this many bytes, instead of to `keep`.
    prune : {"importance", "sensitivity", "global"}
        Which weights go first: those that the loss needs least, from its curvature (`host.importance`); or
        the smallest, with shares of the layers by how much pruning a layer alone raises the loss (Han et al.,
        NIPS 2015), or with one threshold for all.
    rounds : int
        Steps in which weights are pruned, with training after each.
    weight_bits : int or tuple of int
        Bits of a weight index, 1 to 8, for all layers or for each.
    bias_bits : int
        Bits of a rounded bias, 2 to 24; a layer's biases have one scale, a power of two.
    epochs : int
        Passes over the train split that the dense network takes; the other stages take shares of it.
    batch : int
        Samples of a step.
    rate : float
        Learning rate at the start of a stage (AdamW, falling as a cosine).
    weight_decay : float
        AdamW's.
    weight_noise : float
        Standard deviation of noise on the weights while they are trained, relative to their root mean square;
        makes sharing them do less harm.
    input_noise : float
        Standard deviation of noise on the inputs while training.
    image : tuple of int or None
        Height and width, if a sample is one grey image: images are then turned, stretched and moved a little
        while training.
    smoothing : float
        Label smoothing, from 0 to below 1.
    distil : float
        Weight of the teacher's loss: the teacher that is given, or else the dense network itself (PQK, Kim et
        al., Interspeech 2021). 0 trains without.
    joint : bool
        Prune and share in one training loop (CLIP-Q, Tung and Mori, CVPR 2018), instead of one after another.
    accumulator_bits : int
        Narrowest accumulator that the model shall run on.

    Raises
    ------
    UsageError
        For a setting out of range.
    """

    seed: int = 1
    fresh: bool = False
    keep: float = 0.1
    max_loss: float | None = None
    file_bytes: int | None = None
    prune: Prune = "importance"
    rounds: int = 6
    weight_bits: int | tuple[int, ...] = 4
    bias_bits: int = 8
    epochs: int = 100
    batch: int = 64
    rate: float = 2e-3
    weight_decay: float = 1e-4
    weight_noise: float = 0.15
    input_noise: float = 0.0
    image: tuple[int, int] | None = None
    smoothing: float = 0.05
    distil: float = 1.0
    joint: bool = False
    accumulator_bits: int = 32

    def __post_init__(self) -> None:
        check_share(self.keep, "--keep")
        if self.prune not in PRUNES:
            raise UsageError(f"--prune must be one of {', '.join(PRUNES)}, not {self.prune}")
        if self.joint and self.max_loss is not None:
            raise UsageError("--joint and --max-loss exclude each other; give --keep with --joint")
        if self.file_bytes is not None and (self.joint or self.max_loss is not None):
            other = "--joint" if self.joint else "--max-loss"
            raise UsageError(f"--bytes and {other} exclude each other; give one of them")
        bits = (self.weight_bits,) if isinstance(self.weight_bits, int) else self.weight_bits
        for name, value, low, high in (
            ("--seed", self.seed, 0, (1 << 32) - 1),
            ("--max-loss", self.max_loss or 0, 0, 100),
            ("--bytes", 1 if self.file_bytes is None else self.file_bytes, 1, 1 << 40),
            ("--rounds", self.rounds, 1, 100),
            *(("--weight-bits", each, 1, MAX_INDEX_BITS) for each in bits),
            ("--bias-bits", self.bias_bits, 2, 24),
            ("--epochs", self.epochs, 1, 100_000),
            ("--batch", self.batch, 1, 1 << 20),
            ("--rate", self.rate, 1e-9, 10),
            ("weight_decay", self.weight_decay, 0, 1),
            ("weight_noise", self.weight_noise, 0, 1),
            ("input_noise", self.input_noise, 0, 100),
            ("smoothing", self.smoothing, 0, 0.9),
            ("distil", self.distil, 0, 100),
            ("accumulator_bits", self.accumulator_bits, 24, MAX_ACCUMULATOR_BITS),
        ):
            if not low <= value <= high:
                raise UsageError(f"{name} must be from {low:g} to {high:g}, not {value:g}")

    def bits_of(self, layers: int) -> tuple[int, ...]:
        """Weight-index bits of each layer.

        Raises
        ------
        UsageError
            If there are bits for another number of layers.

        >>> TrainSettings(weight_bits=3).bits_of(2)
        (3, 3)
        """
        if isinstance(self.weight_bits, int):
            return (self.weight_bits,) * layers
        if len(self.weight_bits) != layers:
            raise UsageError(
                f"--weight-bits gives bits for {len(self.weight_bits)} layers, but the network has {layers}; "
                "give one number, or one for each layer"
            )
        return self.weight_bits

    @property
    def round_epochs(self) -> int:
        """Epochs after each round of pruning but the last."""
        return max(1, self.epochs // 3)

    @property
    def last_epochs(self) -> int:
        """Epochs after the last round of pruning."""
        return 2 * self.epochs

    @property
    def joint_epochs(self) -> int:
        """Epochs of pruning, all rounds together; with `joint` those of the one loop."""
        return (self.rounds - 1) * self.round_epochs + self.last_epochs

    @property
    def shared_epochs(self) -> int:
        """Epochs of fine-tuning shared weights."""
        return self.epochs

    @property
    def all_epochs(self) -> int:
        """Epochs of all stages, where a search needs no second attempt."""
        return self.fresh * self.epochs + self.joint_epochs + self.shared_epochs
