"""Import of compressed networks: masks and codebooks unchanged, and every wrong array named."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from golden.errors import InputError, UnsupportedError
from host.npz_import import import_npz

INDICES = np.array([[0, 1, 2], [3, 0, 0]])
CODEBOOK = np.array([0, 0.5, -1.25, 2.0])


def saved(tmp_path: Path, **arrays: Any) -> Path:
    path = tmp_path / "net.npz"
    np.savez(path, **arrays)
    return path


def layer0(**changes: Any) -> dict[str, Any]:
    """The arrays of a sound layer, some changed, those that are None left out."""
    arrays = {"indices": INDICES, "codebook": CODEBOOK} | changes
    return {f"layer0_{name}": value for name, value in arrays.items() if value is not None}


def test_dense_indices_are_kept(tmp_path: Path) -> None:
    network = import_npz(saved(tmp_path, **layer0(bias=np.array([1.5, -2]))))
    (layer,) = network.layers
    np.testing.assert_array_equal(layer.weights(), CODEBOOK[INDICES])
    np.testing.assert_array_equal(layer.codebook, CODEBOOK)
    np.testing.assert_array_equal(layer.bias, [1.5, -2])
    assert (layer.rows, layer.columns, layer.index_bits, layer.relu) == (2, 3, 2, False)
    assert (layer.weight_fraction, layer.input_fraction, layer.output_fraction) == (None, None, None)
    assert network.final == "none"


@given(seed=st.integers(0, 2**32), shuffle=st.booleans())
def test_compressed_columns_equal_dense_indices(
    seed: int, shuffle: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(seed)
    indices = rng.integers(1, 16, (rng.integers(1, 9), rng.integers(1, 9))) * (rng.random() < 0.5)
    matrix = scipy.sparse.csc_matrix(indices)
    if shuffle:
        for low, high in zip(matrix.indptr, matrix.indptr[1:], strict=False):
            order = low + rng.permutation(high - low)
            matrix.data[low:high], matrix.indices[low:high] = matrix.data[order], matrix.indices[order]
    codebook = np.concatenate([[0.0], rng.standard_normal(15)])
    path = saved(
        tmp_path_factory.getbasetemp(),
        layer0_data=matrix.data,
        layer0_indices=matrix.indices,
        layer0_indptr=matrix.indptr,
        layer0_shape=np.array(matrix.shape),
        layer0_codebook=codebook,
    )
    (layer,) = import_npz(path).layers
    np.testing.assert_array_equal(layer.weights(), codebook.astype(np.float32)[indices])
    places = layer.column.astype(int) * layer.rows + layer.row
    assert np.all(np.diff(places) > 0)


def test_a_zero_anywhere_in_the_codebook_means_no_weight(tmp_path: Path) -> None:
    codebook = np.array([0.5, -1.0, 0.0, 2.0])
    (layer,) = import_npz(saved(tmp_path, **layer0(codebook=codebook))).layers
    np.testing.assert_array_equal(layer.weights(), codebook[INDICES])
    np.testing.assert_array_equal(layer.codebook, [0, 0.5, -1, 2])
    assert layer.index.size == np.count_nonzero(codebook[INDICES])


def test_a_codebook_without_zero_grows_by_it(tmp_path: Path) -> None:
    codebook = np.array([0.5, -1.0, 1.0, 2.0])
    (layer,) = import_npz(saved(tmp_path, **layer0(codebook=codebook))).layers
    np.testing.assert_array_equal(layer.weights(), codebook[INDICES])
    assert (layer.index_bits, layer.index.size) == (3, 6)


def test_scales_and_flags_come_along(tmp_path: Path) -> None:
    arrays = layer0(
        codebook=np.array([0, 3, -5, 7], np.int8), weight_fraction=4, input_fraction=9, relu=False
    )
    arrays |= {"layer1_indices": INDICES.T, "layer1_codebook": np.array([0, 3, -5, 7]), "layer1_scale": 0.1}
    network = import_npz(saved(tmp_path, **arrays, final="argmax"))
    first, second = network.layers
    np.testing.assert_array_equal(first.codebook, np.array([0, 3, -5, 7]) / 16)
    np.testing.assert_allclose(second.codebook, np.array([0, 3, -5, 7]) * 0.1)
    assert (first.weight_fraction, first.input_fraction, first.output_fraction) == (4, 9, None)
    assert (first.relu, second.relu, network.final) == (False, False, "argmax")


def test_relu_follows_every_layer_but_the_last(tmp_path: Path) -> None:
    arrays = layer0() | {"layer1_indices": INDICES.T, "layer1_codebook": CODEBOOK}
    assert [layer.relu for layer in import_npz(saved(tmp_path, **arrays)).layers] == [True, False]


COLUMNS = {
    "data": np.array([1, 2]),
    "indices": np.array([0, 1]),
    "indptr": np.array([0, 1, 2]),
    "shape": np.array([2, 2]),
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codebook": None}, r"has an array 'layer0_indices'; a compressed network has layer0_indices"),
        ({"indices": None}, r"^layer0_indices in .*net.npz is missing; see"),
        ({"indexes": INDICES}, r"has an array 'layer0_indexes'"),
        ({"indices": INDICES[0]}, r"^layer0_indices .* has type int64 and 1 dimensions, which do not fit"),
        ({"indices": INDICES * 1.0}, r"^layer0_indices .* has type float64"),
        ({"indices": INDICES - 1}, r"^layer0_codebook .* has 4 values, too few for the indices"),
        ({"indices": INDICES + 1}, r"^layer0_codebook .* has 4 values, too few for the indices"),
        ({"indices": INDICES[:0]}, r"^layer0_indices .* is 0 x 3"),
        ({"codebook": CODEBOOK[None]}, r"^layer0_codebook .* 2 dimensions"),
        ({"codebook": np.array([0, 1, 2, np.nan])}, r"^layer0_codebook .* holds NaN"),
        ({"codebook": np.array([0, 1, 2, 1e300])}, r"^layer0_codebook .* float32 cannot express"),
        ({"codebook": np.array(["a"] * 4)}, r"^layer0_codebook .* has type <U1"),
        ({"bias": np.zeros(3)}, r"^layer0_bias .* has 3 values for 2 rows"),
        ({"bias": np.array([0, np.inf])}, r"^layer0_bias .* holds NaN"),
        ({"relu": np.array([True, False])}, r"^layer0_relu .* has 2 values instead of one"),
        ({"scale": 0.0}, r"^layer0_scale .* is 0.0, but must be above 0"),
        ({"scale": 0.5, "weight_fraction": 3}, r"^layer0_scale .* exclude each other"),
        ({"weight_fraction": 1000}, r"^layer0_weight_fraction .* is 1000, outside -256 to 256"),
        ({"input_fraction": 1.5}, r"^layer0_input_fraction .* has type float64"),
        (
            COLUMNS | {"indptr": np.array([0, 1])},
            r"^layer0_indptr .* does not lead through 2 weights in 2 columns",
        ),
        (COLUMNS | {"indptr": np.array([0, 3, 2])}, r"^layer0_indptr .* does not lead"),
        (COLUMNS | {"indptr": np.array([0, 1, 3])}, r"^layer0_indptr .* does not lead"),
        (COLUMNS | {"indices": np.array([0, 2])}, r"^layer0_indices .* names rows outside 0 to 1"),
        (COLUMNS | {"indices": np.array([1, 1]), "indptr": np.array([0, 2, 2])}, r"names a place twice"),
        (COLUMNS | {"shape": np.array([2])}, r"^layer0_shape .* has 1 values instead of two"),
        (COLUMNS | {"shape": np.array([-1, 2])}, r"^layer0_"),
        (COLUMNS | {"shape": np.array([2, 2**62])}, r"^layer0_"),
    ],
)
def test_wrong_arrays_are_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        import_npz(saved(tmp_path, **layer0(**changes)))


def test_too_many_values_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"has 256 nonzero values, but at most 255"):
        import_npz(saved(tmp_path, **layer0(codebook=np.arange(1.0, 257.0))))


def test_other_archives_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has an array 'weights'; a compressed network has"):
        import_npz(saved(tmp_path, weights=np.zeros(3)))
    with pytest.raises(InputError, match=r"has 'relu' as final; it must be one of none, softmax, argmax"):
        import_npz(saved(tmp_path, **layer0(), final="relu"))
    (tmp_path / "net.npz").write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"is not a sound .npz file"):
        import_npz(tmp_path / "net.npz")
