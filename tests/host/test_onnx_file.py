"""ONNX files as files: other contents, damage, weights elsewhere; only typed errors, one line each."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.errors import InputError, TamisError
from host.onnx_import import import_onnx
from tests.host.onnx_models import build, node, random_mlp

W = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)


def test_weights_in_another_file_are_never_read(tmp_path: Path) -> None:
    model = build([node("Gemm", "x w", "y")], {"w": np.ones((4, 500), dtype=np.float32)})
    onnx.save(
        model, tmp_path / "net.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    with pytest.raises(InputError, match=r"keeps 'w' in another file, which is never loaded"):
        import_onnx(tmp_path / "net.onnx")


def test_a_constant_whose_bytes_are_missing_is_refused(tmp_path: Path) -> None:
    model = build([node("Gemm", "x w", "y")], {"w": W})
    model.graph.initializer[0].raw_data = b"1234"
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(InputError, match=r"constant 'w' whose size is not that of its shape \(4, 5\)"):
        import_onnx(tmp_path / "net.onnx")


def test_onnx_rules_are_checked(tmp_path: Path) -> None:
    model = build([node("Gemm", "x w", "y", nonsense=3)], {"w": W})
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(InputError, match=r"breaks the rules of ONNX \(.*nonsense"):
        import_onnx(tmp_path / "net.onnx")


@pytest.mark.parametrize(
    "data", [b"", b"\x00" * 50, b"PK\x03\x04 not a network", b"\x08\x08", bytes(range(256))]
)
def test_other_files_are_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"net.onnx is not an ONNX file"):
        import_onnx(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^cannot read .*none.onnx: no such file"):
        import_onnx(tmp_path / "none.onnx")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_mlp(tmp_path_factory.mktemp("onnx") / "net.onnx", [4, 3, 2], 0)


@given(st.data())
def test_damaged_files_raise_nothing_else(sound: Path, data: st.DataObject) -> None:
    content = bytearray(sound.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged = sound.with_name("damaged.onnx")
    damaged.write_bytes(
        content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    )
    try:
        import_onnx(damaged)
    except TamisError as error:
        assert "\n" not in str(error)
