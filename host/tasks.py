"""Two classification tasks that need no download: handwritten digits, and the same digits on a larger canvas.

An image belongs to the train, validation or test split by SHA-256 of its pixels, as in examples/digits, so
the splits never change and two equal images never stand on both sides. All copies of an image on the canvas
stay in the split of the image that they were made from.

The canvas is the harder task: each digit turned, stretched, slanted, moved and drawn at another contrast on
16 x 16 pixels, with noise on all of them, and with no copy of it ever shown upright and centred.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import UsageError
from host.packages import require
from host.train_data import NAMES as SPLITS
from host.train_data import Samples, TrainData

NAMES = ("digits", "canvas")
SALT = b"tamis digits 1"
SHARES = {"train": range(0, 60), "validation": range(60, 80), "test": range(80, 100)}
SIDE, CANVAS_SIDE = 8, 16
CLASSES = 10
VARIANTS = 32
"""Training images on the canvas that are made from one digit."""
HELD_OUT_VARIANTS = 8
"""The same for validation and test."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Split(Samples):
    """Labelled images, pixels from 0 to 1.

    Parameters
    ----------
    groups : array of int64, shape (images,)
        Number of the original that an image was made from; images of one group are not independent.
    """

    groups: NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Task:
    """A task with its three splits.

    Parameters
    ----------
    name : str
    side : int
        Rows and columns of an image.
    train, validation, test : Split
        One whole copy of each split after another.
    image : tuple of int or None
        Rows and columns, if training moves the images; None if they are many copies, moved already.
    """

    name: str
    side: int
    train: Split
    validation: Split
    test: Split
    image: tuple[int, int] | None = None

    def data(self, side: int) -> TrainData:
        """The splits with images of `side` pixels on a side: as they are, or `halved`."""
        splits: list[Samples] = [self.train, self.validation, self.test]
        if side != self.side:
            splits = [Samples(halved(split.inputs), split.labels) for split in splits]
        return TrainData(*splits)


def load(name: str) -> Task:
    """Make a task; the same every time.

    Parameters
    ----------
    name : {"digits", "canvas"}

    Raises
    ------
    UsageError
        If there is no such task.
    ToolMissingError
        If scikit-learn, which has the digits, is not installed.
    """
    if name not in NAMES:
        raise UsageError(f"there is no task {name!r}; take one of {', '.join(NAMES)}")
    make = digits if name == "digits" else canvas
    return make(*handwritten_digits())


def handwritten_digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pixels from 0 to 16, shape (1797, 64), and labels of the digits that scikit-learn brings.

    Raises
    ------
    ToolMissingError
        If scikit-learn is not installed.
    """
    source = require("sklearn.datasets", "scikit-learn", "train", "the digits come with it").load_digits()
    return source.data.astype(np.uint8), source.target.astype(np.int64)


def split_of(pixels: NDArray[np.uint8]) -> str:
    """Name of the split that an image belongs to, from SHA-256 of its pixel bytes.

    >>> split_of(np.zeros(64, dtype=np.uint8))
    'train'
    """
    bucket = int.from_bytes(hashlib.sha256(SALT + pixels.tobytes()).digest()[:8], "big") % 100
    return next(name for name, share in SHARES.items() if bucket in share)


def split_places(pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.int64]]:
    """Positions of the images of each split, ascending; `pixels` has shape (images, 64)."""
    names = np.array([split_of(image) for image in pixels])
    return {name: np.flatnonzero(names == name) for name in SPLITS}


def digits(pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> Task:
    """Digits of 8 x 8 pixels.

    Parameters
    ----------
    pixels : array of uint8, shape (images, 64)
        0 to 16.
    labels : array of int64, shape (images,)
    """
    splits: dict[str, Any] = {
        name: _split(pixels[where] / 16, labels[where], where) for name, where in split_places(pixels).items()
    }
    return Task(name="digits", side=SIDE, image=(SIDE, SIDE), **splits)


def canvas(pixels: NDArray[np.uint8], labels: NDArray[np.int64], seed: int = 1) -> Task:
    """Digits on 16 x 16 pixels of 8 bits; see the module's docstring.

    Parameters
    ----------
    pixels : array of uint8, shape (images, 64)
        0 to 16.
    labels : array of int64, shape (images,)
    seed : int
        Of every transformation and of the noise.
    """
    rng = np.random.default_rng(seed)
    splits: dict[str, Any] = {}
    for name, where in split_places(pixels).items():
        variants = VARIANTS if name == "train" else HELD_OUT_VARIANTS
        images = pixels[where].reshape(-1, SIDE, SIDE) / 16
        drawn = np.concatenate([_draw(images, rng) for _ in range(variants)])
        splits[name] = _split(drawn, np.tile(labels[where], variants), np.tile(where, variants))
    return Task(name="canvas", side=CANVAS_SIDE, **splits)


def halved(images: Any) -> NDArray[np.float32]:
    """Mean of each 2 x 2 pixels of square images, shape (images, pixels) to (images, pixels / 4).

    >>> halved([[1, 3, 0, 0, 1, 3, 0, 4, 5, 5, 0, 0, 5, 5, 0, 0]]).tolist()
    [[2.0, 1.0, 5.0, 0.0]]
    """
    flat = np.asarray(images, dtype=np.float32)
    half = round(flat.shape[1] ** 0.5) // 2
    means = flat.reshape(-1, half, 2, half, 2).mean(axis=(2, 4), dtype=np.float32)
    result: NDArray[np.float32] = means.reshape(-1, half * half)
    return result


def _split(images: FloatArray, labels: NDArray[np.int64], groups: NDArray[np.int64]) -> Split:
    return Split(
        inputs=images.reshape(labels.size, -1).astype(np.float32),
        labels=labels.astype(np.int64),
        groups=groups.astype(np.int64),
    )


def _draw(images: FloatArray, rng: np.random.Generator) -> FloatArray:
    """One canvas for each image, its pixels multiples of 1/255."""
    count = len(images)
    angle = rng.uniform(-0.3, 0.3, count)
    size = rng.uniform(1.2, 1.6, count)
    stretch = rng.uniform(0.9, 1.1, count)
    slant = rng.uniform(-0.15, 0.15, count)
    shift = rng.uniform(-1.25, 1.25, (count, 2))
    contrast = rng.uniform(0.7, 1.0, count)
    turn = _matrices(angle, 1 / (size * stretch), stretch / size, slant)
    drawn = contrast[:, None, None] * sample(images, turn, shift, CANVAS_SIDE)
    noisy = drawn + 0.1 * rng.standard_normal(drawn.shape)
    return np.asarray(np.rint(255 * np.clip(noisy, 0, 1)) / 255)


def _matrices(angle: FloatArray, down: FloatArray, right: FloatArray, slant: FloatArray) -> FloatArray:
    """From places on the target to places in the source: turn, slant, then stretch; shape (count, 2, 2)."""
    cos, sin = np.cos(angle), np.sin(angle)
    rows = [[down * cos, -down * sin], [right * (sin + slant * cos), right * (cos - slant * sin)]]
    return np.moveaxis(np.array(rows), -1, 0)


def sample(images: Any, turn: Any, shift: Any, side: int) -> FloatArray:
    """Draw images on a square target by bilinear interpolation; what lies outside an image is 0.

    Parameters
    ----------
    images : array of float, shape (count, rows, columns)
    turn : array of float, shape (count, 2, 2)
        Takes (down, right) from the target's centre, in pixels, to the same from the image's centre.
    shift : array of float, shape (count, 2)
        Place of the image's centre, (down, right) from the target's centre, in pixels.
    side : int
        Rows and columns of the target.

    Returns
    -------
    array of float64, shape (count, side, side)

    >>> sample([[[1.0, 2.0], [3.0, 4.0]]], [[[1, 0], [0, 1]]], [[0, 1]], 2).tolist()
    [[[0.0, 1.0], [0.0, 3.0]]]
    """
    source = np.pad(np.asarray(images, dtype=np.float64), ((0, 0), (1, 1), (1, 1)))
    count, rows, columns = source.shape
    axis = np.arange(side) - (side - 1) / 2
    target = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(1, -1, 2)
    places = (target - np.asarray(shift)[:, None, :]) @ np.swapaxes(np.asarray(turn, dtype=np.float64), 1, 2)
    places += np.array([(rows - 1) / 2, (columns - 1) / 2])
    places = np.clip(places, 0, [rows - 1, columns - 1])  # the border of zeros
    corner = np.minimum(places.astype(np.int64), [rows - 2, columns - 2])
    down, right = np.moveaxis(places - corner, -1, 0)
    image = np.arange(count)[:, None]
    top, left = np.moveaxis(corner, -1, 0)
    result = (1 - down) * ((1 - right) * source[image, top, left] + right * source[image, top, left + 1])
    result += down * ((1 - right) * source[image, top + 1, left] + right * source[image, top + 1, left + 1])
    drawn: FloatArray = result.reshape(count, side, side)
    return drawn
