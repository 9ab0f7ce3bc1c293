"""Write the digits as samples for `tamis train` and `tamis tune`: digits.npz, with its three splits apart.

The data are scikit-learn's bundled 8 x 8 digits. An image belongs to the train, validation or test split by
a hash of its pixels, so the splits never change and two equal images never stand on both sides.

Run ``pip install scikit-learn`` and ``python examples/digits/data.py``; it writes digits.npz where it is run.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

SALT = b"tamis digits 1"
SHARES = {"train": range(0, 60), "validation": range(60, 80), "test": range(80, 100)}


def split_of(pixels: NDArray[np.uint8]) -> str:
    """Name of the split that an image belongs to, from SHA-256 of its 64 pixel bytes."""
    bucket = int.from_bytes(hashlib.sha256(SALT + pixels.tobytes()).digest()[:8], "big") % 100
    return next(name for name, share in SHARES.items() if bucket in share)


def load_arrays() -> dict[str, tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Inputs in [0, 1] of shape (images, 64) and labels of shape (images,) for every split."""
    digits = load_digits()
    names = np.array([split_of(pixels.astype(np.uint8)) for pixels in digits.data])
    return {
        name: (
            (digits.data[names == name] / 16).astype(np.float32),
            digits.target[names == name].astype(np.int64),
        )
        for name in SHARES
    }


if __name__ == "__main__":
    arrays = {}
    for name, (inputs, labels) in load_arrays().items():
        arrays |= {f"x_{name}": inputs, f"y_{name}": labels}
        print(f"{name:10} {len(labels):5} images")
    np.savez_compressed("digits.npz", **arrays)
