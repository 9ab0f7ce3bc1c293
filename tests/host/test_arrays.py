"""Array files: sound ones are loaded, all others end in one sentence."""

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.errors import InputError
from host import arrays
from host.arrays import load_archive, load_array, load_inputs, load_labels, parse_array
from host.files import read_file, write_file


def saved(tmp_path: Path, array: object) -> Path:
    path = tmp_path / "x.npy"
    np.save(path, array, allow_pickle=True)
    return path


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.zeros((0, 5), np.int16),
        np.array(7, dtype=">i4"),
        np.array("softmax"),
        np.array([True, False]),
    ],
)
def test_arrays_come_back(array: np.ndarray, tmp_path: Path) -> None:
    loaded = load_array(saved(tmp_path, array))
    assert loaded.dtype == array.dtype
    np.testing.assert_array_equal(loaded, array)


def test_inputs_come_back(tmp_path: Path) -> None:
    inputs = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    np.testing.assert_array_equal(load_inputs(saved(tmp_path, inputs), 4), inputs)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 4)), r"is of type float64, but inputs must be float32; save x.astype\('float32'\)$"),
        (np.zeros((2, 4), np.int16), r"is of type int16"),
        (np.zeros(4, np.float32), r"has shape \(4,\), but this model needs \(batch, 4\)"),
        (np.zeros((2, 5), np.float32), r"has shape \(2, 5\), but"),
        (np.zeros((2, 2, 2), np.float32), r"has shape \(2, 2, 2\), but"),
        (np.zeros((0, 4), np.float32), r"at least one input"),
        (np.array([[1, np.nan, np.inf, 0]], np.float32), r"holds 2 NaN or infinite values"),
        (np.array([[1, None, "a", {}]], object), r"holds Python objects, which are never loaded"),
    ],
)
def test_other_inputs_are_refused(array: np.ndarray, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        load_inputs(saved(tmp_path, array), 4)


def test_labels_are_integers_one_for_each_input(tmp_path: Path) -> None:
    assert load_labels(saved(tmp_path, np.array([1, 2], np.uint8)), 2).tolist() == [1, 2]
    for wrong in (np.array([1.0, 2.0]), np.array([1, 2, 3]), np.array([[1, 2]])):
        with pytest.raises(InputError, match=r"labels must be integers of shape \(2,\)"):
            load_labels(saved(tmp_path, wrong), 2)


class Mine:
    """Something that runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("unpickled",)


def test_pickles_are_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pickle.npy").write_bytes(pickle.dumps(Mine()))
    np.save("object.npy", np.array([Mine()], dtype=object), allow_pickle=True)
    np.savez("object.npz", x=np.array([Mine()], dtype=object))
    for path in ("pickle.npy", "object.npy"):
        with pytest.raises(InputError):
            load_array(path)
    with pytest.raises(InputError, match=r"x in object.npz holds Python objects"):
        load_archive("object.npz")
    assert not Path("unpickled").exists()


@pytest.mark.parametrize(
    "data", [b"", b"not an array", b"\x93NUMPY", b"\x93NUMPY\x09\x00", b"\x93NUMPY\x01\x00\xff\xff{"]
)
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^x is not a .npy array \(.*\); save one with numpy.save$"):
        parse_array(data, "x")


def test_an_array_of_another_size_than_promised_is_refused() -> None:
    whole = npy(np.zeros((3, 4)))
    for data in (whole[:-1], whole + b"x", whole.replace(b"(3, 4)", b"(3, 5)")):
        with pytest.raises(InputError, match=r"^x says that it has shape \(3, [45]\) and type float64"):
            parse_array(data, "x")
    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        huge, {"descr": "<f4", "fortran_order": False, "shape": (1 << 50, 4)}
    )
    with pytest.raises(InputError, match=r"18014398509481984 bytes, but holds 0"):
        parse_array(huge.getvalue(), "x")


@given(st.data())
def test_damaged_arrays_raise_nothing_else(data: st.DataObject) -> None:
    content = bytearray(npy(np.zeros((2, 3), np.float32)))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse_array(bytes(content), "x")
    except InputError as error:
        assert "\n" not in str(error)


def test_archives_come_back(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, a=np.arange(3), b=np.ones((2, 2)))
    loaded = load_archive(path)
    assert sorted(loaded) == ["a", "b"]
    np.testing.assert_array_equal(loaded["b"], np.ones((2, 2)))


@given(data=st.data())
def test_damaged_archives_raise_nothing_else(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    np.savez_compressed(path, a=np.arange(30), b=np.ones((2, 2)))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        load_archive(path)
    except InputError as error:
        assert "\n" not in str(error)


def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy(np.zeros(100_000)))
    monkeypatch.setattr(arrays, "MAX_ARCHIVE_BYTES", 100_000)
    with pytest.raises(InputError, match=r"unpacks to 800128 bytes, but at most 100000 are read"):
        load_archive(path)


def test_files_are_written_whole_and_replace_the_old(tmp_path: Path) -> None:
    path = tmp_path / "model.tamis"
    write_file(path, b"old")
    path.chmod(0o640)
    write_file(path, b"new")
    assert read_file(path) == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.tamis"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_file(tmp_path / "link", b"data")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"data"


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.tamis"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"^cannot write .*model.tamis: no space left on device; free space"):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.tamis"]


def test_a_device_that_is_full_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"^cannot write /dev/full: no space left on device"):
        write_file("/dev/full", b"new")


@pytest.mark.parametrize("name", ["missing/model.tamis", ".", "nul\0.tamis"])
def test_places_that_cannot_be_written_are_one_sentence(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^cannot write "):
        write_file(f"{tmp_path}/{name}", b"data")
    assert not list(tmp_path.iterdir())


def test_unreadable_places_are_one_sentence(tmp_path: Path) -> None:
    for name in (tmp_path, tmp_path / "none", f"{tmp_path}/nul\0"):
        with pytest.raises(InputError, match=r"^cannot read "):
            read_file(name)
