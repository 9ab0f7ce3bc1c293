"""The demo network as committed, and the demo itself."""

import hashlib

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from golden.errors import InputError, TamisError
from host.demo import EXAMPLE, print_result, run_demo

SALT = b"tamis digits 1"


def bucket(pixels: np.ndarray) -> int:
    return int.from_bytes(hashlib.sha256(SALT + pixels.tobytes()).digest()[:8], "big") % 100


@pytest.mark.parametrize(("name", "share"), [("test_inputs", (80, 100)), ("calibration", (0, 60))])
def test_images_belong_to_their_split(name, share):
    images = np.load(EXAMPLE / f"{name}.npy")
    pixels = np.rint(images * 16).astype(np.uint8)
    np.testing.assert_array_equal(pixels / np.float32(16), images)
    assert all(share[0] <= bucket(image) < share[1] for image in pixels)


def test_a_tenth_of_the_weights_is_left():
    weights = {
        name: [
            numpy_helper.to_array(tensor) for tensor in onnx.load(EXAMPLE / f"{name}.onnx").graph.initializer
        ]
        for name in ("dense", "pruned")
    }
    shapes = [[array.shape for array in arrays if array.ndim == 2] for arrays in weights.values()]
    assert shapes[0] == shapes[1] == [(300, 64), (100, 300), (10, 100)]
    kept = sum(np.count_nonzero(array) for array in weights["pruned"] if array.ndim == 2)
    assert 0 < kept <= 0.1 * 50200


def test_example_is_small():
    assert sum(path.stat().st_size for path in EXAMPLE.iterdir() if path.is_file()) < 600_000


def test_demo_elsewhere_says_where_to_run_it(tmp_path):
    with pytest.raises(InputError, match=r"run the demo in a checkout"):
        run_demo(4, tmp_path)


def test_demo(capsys):
    demo = run_demo(4)
    print_result(demo)
    out = capsys.readouterr().out
    assert out.endswith("Golden and board are equal in all 3,540 outputs of 354 images.\n")
    share = demo.accuracies()
    assert share["golden"] == share["board"]
    assert abs(share["board"] - share["pruned float"]) <= 0.005
    assert abs(share["board"] - share["dense float"]) <= 0.01
    assert demo.timing.cycles.sum() == demo.golden.cycles.sum()
    np.testing.assert_array_equal(demo.golden.cycles, demo.board.cycles)

    demo.board.raw[3, 1] ^= 1
    with pytest.raises(TamisError, match=r"differ in 1 of 3,540 outputs"):
        print_result(demo)
