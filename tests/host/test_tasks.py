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
        assert split.inputs.shape == (len(split.labels), task.inputs)
        assert split.inputs.dtype == np.float32 and 0 <= split.inputs.min() <= split.inputs.max() <= 1


def test_copies_are_whole_splits_one_after_another(task):
    members = len(set(task.train.groups))
    assert len(task.train.labels) == task.copies * members
    assert_array_equal(task.train.groups, np.tile(task.train.groups[:members], task.copies))
    first, second = task.train.inputs[:members], task.train.inputs[members : 2 * members]
    assert np.all(np.any(first != second, axis=1))


def test_tasks_are_the_same_every_time(task, pixels):
    again = getattr(tasks, task.name)(pixels, np.arange(len(pixels)) % 10)
    other = getattr(tasks, task.name)(pixels, np.arange(len(pixels)) % 10, seed=2)
    for name in tasks.SPLITS:
        assert_array_equal(getattr(task, name).inputs, getattr(again, name).inputs)
    assert np.any(task.train.inputs != other.train.inputs)


def test_held_out_digits_are_not_jittered(pixels):
    task = tasks.digits(pixels, np.zeros(len(pixels), dtype=np.int64))
    assert_array_equal(task.test.inputs, (pixels[task.test.groups] / 16).astype(np.float32))
    members = len(set(task.train.groups))
    assert_array_equal(
        task.train.inputs[:members], (pixels[task.train.groups[:members]] / 16).astype(np.float32)
    )


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
