"""The examples: the files that lie in them, and the scripts that made them."""

import ast
import gzip
import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from golden.forward import forward
from golden.model import decode
from host.arrays import load_inputs, load_labels
from host.train_data import load_data
from host.train_settings import TrainSettings
from host.values import to_integers

EXAMPLES = Path(__file__).parents[1] / "examples"
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


def script(name: str) -> ModuleType:
    """A script of the examples, as a module."""
    path = EXAMPLES / name
    spec = importlib.util.spec_from_file_location(path.parent.name + "_" + path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "path", sorted(EXAMPLES.glob("*/*.py")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_scripts_import_what_is_there(path: Path) -> None:
    """Without running them, as some need PyTorch."""
    wanted = [
        (node.module, name.name)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module
        for name in node.names
    ]
    ours = [(module, name) for module, name in wanted if module.split(".")[0] in ("golden", "host")]
    assert ours
    for module, name in ours:
        assert hasattr(importlib.import_module(module), name), f"{module} has no {name}"


def idx(values: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes()


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """A tiny MNIST: the class is the row of the one bright line."""
    rng = np.random.default_rng(0)
    for images, labels, count in ((IMAGES, LABELS, 120), (TEST_IMAGES, TEST_LABELS, 30)):
        classes = np.arange(count) % 10
        pixels = rng.integers(0, 60, (count, 28, 28))
        pixels[np.arange(count), 2 * classes + 4] = 255
        (tmp_path / images).write_bytes(idx(pixels))
        (tmp_path / f"{labels}.gz").write_bytes(gzip.compress(idx(classes)))
    return tmp_path


def test_idx_files_are_read_packed_or_not(mnist: Path) -> None:
    data = script("mnist/train.py").load_folder(mnist)
    assert (len(data.train), len(data.validation), len(data.test)) == (100, 20, 30)
    assert data.train.inputs.shape == (100, 784) and data.train.inputs.max() == 1.0
    assert np.array_equal(data.test.labels, np.arange(30) % 10)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (IMAGES, None, "has neither train-images-idx3-ubyte nor"),
        (IMAGES, b"", "not an IDX file"),
        (IMAGES, idx(np.zeros((3, 28, 28)))[:-1], "not an IDX file"),
        (IMAGES, idx(np.zeros((3, 28))), "with 3 dimensions"),
        (f"{LABELS}.gz", b"no gzip", "not a sound gzip file"),
        (f"{LABELS}.gz", gzip.compress(b"12345678", mtime=0)[:-6], "not a sound gzip file"),
    ],
)
def test_bad_idx_files_are_named(
    name: str, content: bytes | None, says: str, mnist: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = mnist / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert script("mnist/train.py").main(str(mnist)) == 3
    assert says in capsys.readouterr().err


def test_mnist_without_a_folder_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert script("mnist/train.py").main() == 3
    assert "say where the IDX files of MNIST are" in capsys.readouterr().err


@pytest.mark.long
def test_mnist_trains(mnist: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = TrainSettings(fresh=True, epochs=4, rounds=2, keep=0.2, batch=20)
    assert script("mnist/train.py").main(str(mnist), str(mnist / "m.tamis"), settings) == 0
    assert "times smaller" in capsys.readouterr().out
    model = decode((mnist / "m.tamis").read_bytes())
    assert [layer.rows for layer in model.layers] == [300, 100, 10] and model.inputs == 784


@pytest.mark.long
def test_the_digits_are_those_of_the_demo(tmp_path: Path) -> None:
    path = tmp_path / "digits.npz"
    script("digits/data.py").main(str(path))
    data = load_data(path)
    np.testing.assert_array_equal(data.test.inputs, np.load(EXAMPLES / "digits" / "test_inputs.npy"))
    np.testing.assert_array_equal(data.test.labels, np.load(EXAMPLES / "digits" / "test_labels.npy"))


@pytest.mark.parametrize(
    ("folder", "name", "least", "most_bytes"),
    [("digits", "trained.tamis", 0.98, 4048), ("tabular", "cancer.tamis", 0.93, 600)],
)
def test_trained_models_are_accurate_and_small(folder: str, name: str, least: float, most_bytes: int) -> None:
    data = (EXAMPLES / folder / name).read_bytes()
    model = decode(data)
    inputs = load_inputs(EXAMPLES / folder / "test_inputs.npy", model.inputs)
    labels = load_labels(EXAMPLES / folder / "test_labels.npy", len(inputs))
    outputs, _ = forward(model, to_integers(model, inputs)[0])
    assert np.mean(outputs.argmax(axis=1) == labels) >= least
    assert len(data) <= most_bytes


@pytest.mark.long
def test_the_table_example_trains() -> None:
    module = script("tabular/train.py")
    result, data = module.run(TrainSettings(fresh=True, epochs=10, rounds=2, keep=0.2))
    assert result.stages[-1].test > 0.9
    np.testing.assert_array_equal(data.test.labels, np.load(EXAMPLES / "tabular" / "test_labels.npy"))
