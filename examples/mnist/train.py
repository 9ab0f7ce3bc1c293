"""Train LeNet-300-100 on MNIST, from the four IDX files on your disk; nothing is downloaded.

The row of Deep Compression (Han et al., ICLR 2016, table 1): 784-300-100-10, all weights in three fully
connected layers. A sixth of the 60,000 train images is for validation.

Run ``pip install -e .[onnx,train]`` and ``python examples/mnist/train.py FOLDER``, where FOLDER holds
train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, packed
with gzip (.gz) or not.
"""

import gzip
import sys
import zlib
from math import prod
from pathlib import Path

import numpy as np

from golden.errors import InputError, TamisError
from host.cli_train import EpochLine, print_result
from host.files import read_file, write_file
from host.network import perceptron
from host.train_data import Samples, TrainData, check_samples, cut_validation
from host.train_settings import TrainSettings
from host.training import train

SIZES = (784, 300, 100, 10)
NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
SETTINGS = TrainSettings(
    fresh=True, keep=0.06, weight_bits=4, bias_bits=6, epochs=15, image=(28, 28), batch=128
)
UNSIGNED_BYTE = 8


def read_idx(folder: Path, name: str, dimensions: int) -> np.ndarray:
    """Array of uint8 in an IDX file: two zeros, a type, the number of dimensions, the sizes, the values.

    Parameters
    ----------
    folder : Path
    name : str
        Of the file; name.gz is looked for as well.
    dimensions : int
        That the array must have.

    Raises
    ------
    InputError
        If the file is missing or is something else.
    """
    packed = folder / f"{name}.gz"
    path = packed if packed.exists() else folder / name
    if not path.exists():
        raise InputError(
            f"{folder} has neither {name} nor {name}.gz; put the four files of MNIST there, "
            "or follow examples/digits, which needs no file"
        )
    data = read_file(path)
    if path == packed:
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            raise InputError(f"{path} is not a sound gzip file; copy it again") from None
    start = 4 + 4 * dimensions
    sizes = [int.from_bytes(data[place : place + 4], "big") for place in range(4, start, 4)]
    if data[:4] != bytes([0, 0, UNSIGNED_BYTE, dimensions]) or len(data) != start + prod(sizes):
        raise InputError(f"{path} is not an IDX file of bytes with {dimensions} dimensions; copy it again")
    return np.frombuffer(data, np.uint8, offset=start).reshape(sizes)


def load_folder(folder: Path) -> TrainData:
    """MNIST with pixels from 0 to 1, and a validation split cut off the train images."""
    images, labels, test_images, test_labels = (
        read_idx(folder, name, 3 if "images" in name else 1) for name in NAMES
    )
    train_split = _samples(images, labels)
    return cut_validation(train_split, _samples(test_images, test_labels), share=1 / 6)


def _samples(images: np.ndarray, labels: np.ndarray) -> Samples:
    return check_samples(images.astype(np.float32) / 255, labels)


def main(folder: str | None = None, output: str = "mnist.tamis", settings: TrainSettings = SETTINGS) -> int:
    """Train, write the model file, and print the stages; the exit code."""
    show = EpochLine()
    try:
        if folder is None:
            raise InputError("say where the IDX files of MNIST are: python examples/mnist/train.py FOLDER")
        data = load_folder(Path(folder))
        result = train(perceptron(SIZES), data, settings, progress=show)
        write_file(output, result.data)
    except TamisError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    finally:
        show.end()
    print_result(result, output, len(data.test))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
