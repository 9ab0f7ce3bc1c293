"""Write digits.npz, the handwritten digits with their splits, for `tamis train --data digits.npz`.

Run ``pip install -e .[onnx,train]`` and ``python examples/digits/data.py [FILE]``.
"""

import sys

from host.tasks import SIDE, load
from host.train_data import save_data


def main(path: str = "digits.npz") -> None:
    """Write the file and say what is in it."""
    data = load("digits").data(SIDE)
    save_data(path, data)
    train, validation, test = (len(split) for split in (data.train, data.validation, data.test))
    print(f"{path}: {train} train, {validation} validation and {test} test images")


if __name__ == "__main__":
    main(*sys.argv[1:2])
