"""Samples for training: what a file may hold, and splits that have nothing in common."""

from pathlib import Path

import numpy as np
import pytest

from golden.errors import InputError
from host.train_data import NAMES, Samples, TrainData, check_samples, load_data, save_data, split_samples


def some(count: int, classes: int = 3, seed: int = 0) -> Samples:
    rng = np.random.default_rng(seed)
    return Samples(rng.random((count, 4)).astype(np.float32), rng.integers(0, classes, count))


def splits(data: TrainData) -> list[Samples]:
    return [getattr(data, name) for name in NAMES]


def test_every_class_is_split_in_the_same_proportion() -> None:
    samples = some(1000)
    found = splits(split_samples(samples))
    assert [len(split) for split in found] == [600, 200, 200]
    for label in range(3):
        counts = np.array([np.count_nonzero(split.labels == label) for split in found])
        assert np.abs(counts / counts.sum() - (0.6, 0.2, 0.2)).max() < 0.005


def test_the_order_of_samples_does_not_matter_but_the_seed_does() -> None:
    samples = some(200)
    shuffled = samples.take(np.random.default_rng(1).permutation(200))
    first, second = split_samples(samples).test, split_samples(shuffled).test
    assert {row.tobytes() for row in first.inputs} == {row.tobytes() for row in second.inputs}
    other = split_samples(samples, seed=2).test
    assert {row.tobytes() for row in first.inputs} != {row.tobytes() for row in other.inputs}


def test_equal_samples_stand_in_one_split() -> None:
    base = some(60)
    doubled = Samples(
        np.concatenate([base.inputs] * 3), np.concatenate([base.labels, base.labels, base.labels % 2])
    )
    keys = [{row.tobytes() for row in split.inputs} for split in splits(split_samples(doubled))]
    assert not keys[0] & keys[1] and not keys[0] & keys[2] and not keys[1] & keys[2]
    assert sum(map(len, keys)) == 60


def test_a_file_with_splits_is_read_as_it_is(tmp_path: Path) -> None:
    path, whole = tmp_path / "d.npz", some(30)
    arrays = {}
    for number, name in enumerate(NAMES):
        part = whole.take(slice(10 * number, 10 * number + 10))
        arrays |= {f"x_{name}": part.inputs.reshape(10, 2, 2), f"y_{name}": part.labels.astype(np.uint8)}
    np.savez(path, **arrays)
    data = load_data(path)
    for number, split in enumerate(splits(data)):
        np.testing.assert_array_equal(split.inputs, whole.inputs[10 * number : 10 * number + 10])
        assert split.labels.dtype == np.int64


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    data = split_samples(some(50))
    save_data(tmp_path / "d.npz", data)
    for saved, read in zip(splits(data), splits(load_data(tmp_path / "d.npz")), strict=True):
        np.testing.assert_array_equal(saved.inputs, read.inputs)
        np.testing.assert_array_equal(saved.labels, read.labels)


def test_validation_is_cut_off_the_train_split(tmp_path: Path) -> None:
    path, train, test = tmp_path / "d.npz", some(100), some(10, seed=1)
    np.savez(path, x_train=train.inputs, y_train=train.labels, x_test=test.inputs, y_test=test.labels)
    data = load_data(path)
    sizes = [len(split) for split in splits(data)]
    assert sum(sizes) == 110 and 18 <= sizes[1] <= 22 and sizes[2] == 10
    np.testing.assert_array_equal(data.test.inputs, test.inputs)


X, Y = np.zeros((5, 4), dtype=np.float32), np.zeros(5, dtype=np.int64)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x": X}, "has no array x_train, only x"),
        ({}, "only none"),
        ({"x_train": X, "y_train": Y, "x_test": X, "y_test": Y, "x_validation": X}, "no array y_validation"),
        ({"x": X, "y": Y[:4]}, r"y in .* shape \(4,\)"),
        ({"x": X, "y": Y.astype(float)}, "y in .* float64"),
        ({"x": X[0], "y": Y}, r"x in .* shape \(4,\)"),
        ({"x": X[:0], "y": Y[:0]}, r"x in .* shape \(0, 4\)"),
        ({"x": X.astype(str), "y": Y}, "type <U"),
        ({"x": X.astype(complex), "y": Y}, "complex128"),
        ({"x": X + np.nan, "y": Y}, "20 NaN or infinite"),
        ({"x": np.full((5, 4), 1e300), "y": Y}, "20 NaN or infinite"),
        ({"x": X, "y": Y}, "too few samples"),
        ({"x": X, "y": np.array([None] * 5)}, "Python objects"),
    ],
)
def test_bad_files_are_refused(arrays: dict[str, np.ndarray], says: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(InputError, match=says):
        load_data(tmp_path / "d.npz")


@pytest.mark.parametrize(
    ("inputs", "classes", "says"),
    [
        (5, 3, "train samples have 4 values each, but the network takes 5"),
        (4, 2, "labels run from 0 to 2, but the network's 2 outputs need labels from 0 to 1"),
        (4, 1, "the network has 1 output"),
    ],
)
def test_data_that_do_not_fit_the_network_are_refused(inputs: int, classes: int, says: str) -> None:
    with pytest.raises(InputError, match=says):
        split_samples(some(100)).check(inputs, classes)
    split_samples(some(100)).check(4, 3)


def test_negative_labels_are_refused() -> None:
    samples = check_samples(X, Y - 1)
    with pytest.raises(InputError, match="run from -1 to -1"):
        TrainData(samples, samples, samples).check(4, 2)
