"""Values on the command line: each function reads one kind, and says what is wrong with it.

They go to argparse as types, which names them in its own message for text that is no number.
"""

import argparse

INT16_MAX = 32767


def share(text: str) -> float:
    """Share of weights, above 0 and up to 1."""
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"a share must be above 0 and at most 1, not {text}")
    return value


def weight_bits(text: str) -> int:
    """Bits of a weight index."""
    return _within(text, 1, 8)


def pes(text: str) -> int:
    """Number of processing elements."""
    return _within(text, 1, 256)


def queue(text: str) -> int:
    """Items of an activation queue."""
    return _within(text, 1, 256)


def images(text: str) -> int:
    """Number of inputs, or of runs."""
    return _within(text, 1, 10_000)


def rounds(text: str) -> int:
    """Rounds of pruning."""
    return _within(text, 1, 100)


def bias_bits(text: str) -> int:
    """Bits of a bias."""
    return _within(text, 2, 24)


def epochs(text: str) -> int:
    """Passes over samples, or samples of a step."""
    return _within(text, 1, 100_000)


def file_bytes(text: str) -> int:
    """Bytes of a model file."""
    return _within(text, 1, 1 << 40)


def threshold(text: str) -> int:
    """Activation up to whose magnitude activations count as zero."""
    return _within(text, 0, INT16_MAX)


def baud(text: str) -> int:
    """Bits per second of a serial port."""
    return _within(text, 300, 12_000_000)


def bits_of_layers(text: str) -> int | tuple[int, ...]:
    """Bits of weight indices: one number, or one for each layer, such as 4,3,4."""
    found = tuple(weight_bits(part) for part in text.split(","))
    return found[0] if len(found) == 1 else found


def image(text: str) -> tuple[int, int]:
    """Height and width of an image, such as 28x28."""
    height, _, width = text.partition("x")
    return _within(height, 1, 1024), _within(width, 1, 1024)


def points(text: str) -> float:
    """Percentage points of accuracy."""
    value = float(text)
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"it must be from 0 to 100 percentage points, not {text}")
    return value


def weight(text: str) -> float:
    """Weight of a part of the loss."""
    value = float(text)
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"a weight must be from 0 to 100, not {text}")
    return value


def clock(text: str) -> float:
    """Clock in MHz."""
    value = float(text)
    if not 1 <= value <= 400:
        raise argparse.ArgumentTypeError(f"a clock must be from 1 to 400 MHz, not {text}")
    return value


def seed(text: str) -> int:
    """Seed of a random generator."""
    return _within(text, 0, (1 << 32) - 1)


def seeds(text: str) -> range:
    """Seeds from one to another, such as 1-5."""
    first, _, last = text.partition("-")
    found = range(seed(first), seed(last) + 1)
    if not found:
        raise argparse.ArgumentTypeError(f"seeds must go from low to high, not {text}")
    return found


def _within(text: str, low: int, high: int) -> int:
    value = int(text)
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"it must be from {low} to {high}, not {text}")
    return value
