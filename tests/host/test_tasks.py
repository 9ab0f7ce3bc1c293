"""The tasks without a download: splits by pixels, copies that stay in them, images in their place."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from golden.errors import ToolMissingError, UsageError
from host import tasks
from host.demo import EXAMPLE

LONG = pytest.mark.long


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """A few hundred images of random pixels, some of them twice."""
    images = np.random.default_rng(5).integers(0, 17, (200, 64)).astype(np.uint8)
    return np.concatenate([images, images[:40]])


@pytest.fixture(scope="module", params=["digits", "canvas"])
def task(request, pixels):
    return getattr(tasks, request.param)(pixels, np.arange(len(pixels)) % 10)


def test_example_files_are_in_their_splits():
    test = np.rint(16 * np.load(EXAMPLE / "test_inputs.npy")).astype(np.uint8)
    assert {tasks.split_of(image) for image in test} == {"test"}
    train = np.rint(16 * np.load(EXAMPLE / "calibration.npy")).astype(np.uint8)
    assert {tasks.split_of(image) for image in train} == {"train"}


def test_no_original_stands_in_two_splits(task, pixels):
    groups = [set(split.groups) for split in (task.train, task.validation, task.test)]
    assert sum(map(len, groups)) == len(pixels) == len(set.union(*groups))
    seen = [{pixels[group].tobytes() for group in members} for members in groups]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    for split in (task.train, task.validation, task.test):
        assert_array_equal(split.labels, split.groups % 10)
        assert split.inputs.shape == (len(split.labels), task.side**2)
        assert split.inputs.dtype == np.float32 and 0 <= split.inputs.min() <= split.inputs.max() <= 1


def test_canvases_are_whole_splits_one_after_another(pixels):
    train = tasks.canvas(pixels, np.zeros(len(pixels), dtype=np.int64)).train
    members = len(set(train.groups))
    assert len(train.labels) == tasks.VARIANTS * members
    assert_array_equal(train.groups, np.tile(train.groups[:members], tasks.VARIANTS))
    first, second = train.inputs[:members], train.inputs[members : 2 * members]
    assert np.all(np.any(first != second, axis=1))


def test_canvases_are_the_same_every_time(pixels):
    labels = np.arange(len(pixels)) % 10
    task, again, other = (tasks.canvas(pixels, labels, seed) for seed in (1, 1, 2))
    for name in tasks.SPLITS:
        assert_array_equal(getattr(task, name).inputs, getattr(again, name).inputs)
    assert np.any(task.train.inputs != other.train.inputs)


def test_digits_are_the_pixels(pixels):
    task = tasks.digits(pixels, np.zeros(len(pixels), dtype=np.int64))
    for name in tasks.SPLITS:
        split = getattr(task, name)
        assert_array_equal(split.inputs, (pixels[split.groups] / 16).astype(np.float32))


def test_images_of_half_the_side_are_halved(task):
    for found, split in zip(
        vars(task.data(task.side // 2)).values(), (task.train, task.validation, task.test), strict=True
    ):
        assert_array_equal(found.inputs, tasks.halved(split.inputs))
        assert_array_equal(found.labels, split.labels)
    assert task.data(task.side).train is task.train


def test_sampling_turns_about_the_centre():
    image = np.arange(9.0).reshape(1, 3, 3)
    quarter = [[[0, -1], [1, 0]]]
    assert_allclose(tasks.sample(image, quarter, [[0, 0]], 3)[0], np.rot90(image[0], -1))
    half = tasks.sample(image, [[[1, 0], [0, 1]]], [[0.5, 0]], 3)[0]
    assert_allclose(half, [[0, 0.5, 1], [1.5, 2.5, 3.5], [4.5, 5.5, 6.5]])


def test_sampling_keeps_what_is_drawn_larger():
    image = np.zeros((1, 8, 8))
    image[0, 3:5, 3:5] = 1
    drawn = tasks.sample(image, [[[0.5, 0], [0, 0.5]]], [[2, -1]], 16)[0]
    assert drawn.sum() == pytest.approx(16, rel=0.05)
    weights = drawn / drawn.sum()
    centre = (weights.sum(1) @ np.arange(16), weights.sum(0) @ np.arange(16))
    assert centre == pytest.approx((7.5 + 2, 7.5 - 1))


def test_task_that_is_unknown():
    with pytest.raises(UsageError, match=r"no task 'faces'; take one of digits, canvas"):
        tasks.load("faces")


def test_missing_scikit_learn_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ToolMissingError, match=r"scikit-learn is not installed.*tamis\[train\]"):
        tasks.load("digits")


@LONG
def test_digits_are_those_of_the_example():
    task = tasks.load("digits")
    assert_array_equal(task.test.inputs, np.load(EXAMPLE / "test_inputs.npy"))
    assert_array_equal(task.test.labels, np.load(EXAMPLE / "test_labels.npy"))
    assert [len(set(split.groups)) for split in (task.train, task.validation, task.test)] == [1088, 355, 354]
