"""The model file: what goes in comes out, and damage of any kind is one `TamisError`."""

import struct
import zlib
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import golden.layers
from golden import model as models
from golden import model_blocks
from golden.errors import InputError, TamisError, UnsupportedError
from golden.layers import Layer, Model
from golden.model import check, decode, encode
from tests import model_reader
from tests.networks import random_layer, random_model

SIZES = st.integers(1, 12)


@st.composite
def layers(draw: st.DrawFn, columns: int, input_fraction: int) -> Layer:
    rows = draw(SIZES)
    index_bits = draw(st.integers(1, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    indices = rng.integers(1, 1 << index_bits, (rows, columns))
    indices[rng.random(indices.shape) >= draw(st.sampled_from([0.0, 0.02, 0.3, 1.0]))] = 0
    codebook = rng.integers(-32768, 32768, 1 << index_bits)
    codebook[0] = 0
    reach = draw(st.sampled_from([1, 127, 128, 32768, 2**31, 2**38]))
    weight_fraction = draw(st.integers(-10, 20))
    return Layer.from_indices(
        indices,
        codebook,
        rng.integers(-reach, reach, rows),
        weight_fraction=weight_fraction,
        input_fraction=input_fraction,
        output_fraction=weight_fraction + input_fraction - draw(st.integers(0, 39)),
        relu=draw(st.booleans()),
    )


@st.composite
def networks(draw: st.DrawFn) -> Model:
    columns, fraction, chain = draw(SIZES), draw(st.integers(-5, 15)), []
    for _ in range(draw(st.integers(1, 3))):
        chain.append(draw(layers(columns, fraction)))
        columns, fraction = chain[-1].rows, chain[-1].output_fraction
    return Model(
        layers=tuple(chain),
        final=draw(st.sampled_from(models.FINALS)),
        keepdims=draw(st.booleans()),
        input_shape=draw(st.sampled_from([(), (1, chain[0].columns), (chain[0].columns, 1, 1)])),
    )


def assert_same(actual: Model, expected: Model) -> None:
    assert (actual.final, actual.keepdims) == (expected.final, expected.keepdims)
    assert actual.input_shape == expected.input_shape
    for one, other in zip(actual.layers, expected.layers, strict=True):
        for name in Layer.__dataclass_fields__:
            value, wanted = getattr(one, name), getattr(other, name)
            assert np.asarray(value).dtype == np.asarray(wanted).dtype
            np.testing.assert_array_equal(value, wanted)


def seal(body: bytes) -> bytes:
    """Give a body the length and the checksum that belong to it."""
    body = body[:12] + struct.pack("<Q", len(body) + 4) + body[20:]
    return body + struct.pack("<I", zlib.crc32(body))


@pytest.fixture(scope="module")
def data() -> bytes:
    return encode(random_model(np.random.default_rng(1), [9, 14, 5]))


@given(networks())
def test_a_model_comes_back(model: Model) -> None:
    assert_same(decode(encode(model)), model)


@given(networks())
def test_the_file_is_laid_out_as_documented(model: Model) -> None:
    data = encode(model)
    assert data[:8] == bytes.fromhex("8f54414d49530d0a")
    assert struct.unpack_from("<HHQ", data, 8) == (2, len(model.layers), len(data))
    assert struct.unpack("<I", data[-4:])[0] == zlib.crc32(data[:-4])
    plain = model_reader.read(data)
    assert ["none", "softmax", "argmax"][plain.final] == model.final
    assert (plain.keepdims, plain.input_shape) == (model.keepdims, model.input_shape)
    assert (plain.columns, plain.input_fraction) == (model.inputs, model.layers[0].input_fraction)
    for one, layer in zip(plain.layers, model.layers, strict=True):
        assert_read(one, layer)


def assert_read(plain: model_reader.PlainLayer, layer: Layer) -> None:
    for name in ("rows", "relu", "weight_fraction", "output_fraction", "index_bits"):
        assert getattr(plain, name) == getattr(layer, name)
    assert plain.codebook == layer.codebook.tolist()
    assert plain.bias == layer.bias.tolist()
    assert list(plain.weights) == layer.places(0, layer.nnz).tolist()
    assert list(plain.weights.values()) == layer.index.tolist()


@pytest.mark.parametrize("density", [0.0, 0.004, 0.1, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("index_bits", [1, 2, 4, 8])
def test_every_form_is_laid_out_as_documented(density: float, index_bits: int) -> None:
    rng = np.random.default_rng(5)
    sizes = [6, 3, 150, 70, 2]  # one block and several, whole bytes and not
    model = random_model(rng, sizes, density, index_bits=index_bits)
    data = encode(model)
    assert_same(decode(data), model)
    for plain, layer in zip(model_reader.read(data).layers, model.layers, strict=True):
        assert_read(plain, layer)


def test_all_forms_are_chosen_where_they_are_smallest() -> None:
    rng = np.random.default_rng(5)
    layers = (
        random_layer(rng, 2, 5, 1.0),
        random_layer(rng, 400, 2, 0.2),
        random_layer(rng, 90, 400, 0.2),
        random_layer(rng, 30, 90, 0.9),
        random_layer(rng, 300, 30, 0.9),
    )
    forms = [layer.form for layer in model_reader.read(encode(Model(layers=layers))).layers]
    assert forms == [0, 1, 1, 2, 2]


VERSION_1 = bytes.fromhex(
    "8f54414d49530d0a01000200ab00000000000000020103000100000005000000020000000c0000000a000000020402010400"
    "090006000000080000000000000000002c01f9ff190090e878ec60f048f430f818fc0000e803d007b80ba00f8813c1353ac8"
    "e034030000000c00000003010100feff06000100000024000000000000000000fbff1100000084030080ff7f010000fd7f51"
    "62731425364751627314253647516273147fbf9c80"
)


def version_1_model() -> Model:
    place = np.arange(12 * 10).reshape(12, 10)
    first = np.where(place * 37 % 11 == 0, 1 + place % 3, 0)
    first[:, 3:7] = 0
    second = 1 + np.arange(3 * 12).reshape(3, 12) * 5 % 7
    first_layer = Layer.from_indices(
        first,
        [0, 300, -7, 25],
        1000 * np.arange(-6, 6),
        weight_fraction=4,
        input_fraction=9,
        output_fraction=6,
        relu=True,
    )
    second_layer = Layer.from_indices(
        second,
        [0, -5, 17, 0, 900, -32768, 32767, 1],
        [0, -3, 127],
        weight_fraction=-2,
        input_fraction=6,
        output_fraction=1,
    )
    layers = (first_layer, second_layer)
    return Model(layers=layers, final="argmax", keepdims=True, input_shape=(1, 5, 2))


def test_a_file_of_version_1_is_read() -> None:
    assert_same(decode(VERSION_1), version_1_model())
    assert len(encode(version_1_model())) < len(VERSION_1)


VERSION_2 = bytes.fromhex(
    "8f54414d49530d0a0200020067000000000000009e604840a810820910ccc952fe192c03893e96c18936f8e001d0077ddc85"
    "3e71024420b84607199c464828d07fff3f02000080700000f0ff2f00000100f4ff09c00450cd0fd5fc50cd0fd5fc50cd0fb6"
    "8e4722"
)


def test_a_file_of_version_2_is_read() -> None:
    assert_same(decode(VERSION_2), version_1_model())


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (20, 3, "header holds values that version 1 does not know"),
        (23, 1, "header holds values that version 1 does not know"),
        (36 + 8, 9, "layer 0 holds values that version 1 does not know"),
        (36 + 10, 6, "layer 0 holds values that version 1 does not know"),
        (36 + 20, 12, "ends in an escape"),
        (36 + 26, 1, "the data end .* too early"),
        (36 + 20, 7, "an escape|not zero|follow"),
    ],
)
def test_damage_of_version_1_is_refused(position: int, value: int, message: str) -> None:
    damaged = VERSION_1[:position] + bytes([value]) + VERSION_1[position + 1 : -4]
    with pytest.raises(InputError, match=message):
        decode(seal(damaged))


def test_every_cut_of_version_1_is_refused() -> None:
    for length in range(20, len(VERSION_1) - 4):
        with pytest.raises(InputError):
            decode(seal(VERSION_1[:length]))


def header_bits(layer: Layer) -> int:
    """Bits of a file of one layer without biases, codebook and weights."""
    sizes = [layer.columns, layer.rows]
    return 7 + sum(6 + size.bit_length() - 1 for size in sizes) + 6 + 1 + 6 + 6 + 3 + layer.index_bits


@pytest.mark.parametrize(
    ("bias", "bits"),
    [
        ([0, 0, 0], 6),
        ([3, -4, 1], 13 + 3 * 3),
        ([96, -128, 32], 13 + 3 * 3),
        ([96, 0, 0], 13 + 3 * 3),
        ([2**39 - 1, 5, 3], 13 + 3 * 40),
        ([2**38, -(2**38), 2**38], 13 + 3 * 2),
    ],
)
def test_biases_take_few_bits(bias: list[int], bits: int) -> None:
    layer = Layer.from_indices([[0], [0], [0]], [0, 0], bias)
    data = encode(Model(layers=(layer,)))
    packed_form = 2 + 3 + 4 + 6
    assert len(data) == 20 + -(-(header_bits(layer) + bits + packed_form) // 8) + 4
    assert decode(data).layers[0].bias.tolist() == bias


@pytest.mark.parametrize("rows", [300, 4096, 4097, 9000])
def test_biases_of_few_large_values_are_coded(rows: int) -> None:
    rng = np.random.default_rng(rows)
    bias = np.rint(rng.standard_normal(rows) * 20).astype(np.int64) << 7
    bias[rng.random(rows) < 0.2] = 0
    model = Model(layers=(Layer.from_indices(np.zeros((rows, 1), np.int64), [0, 0], bias),))
    data = encode(model)
    assert_same(decode(data), model)
    assert model_reader.read(data).layers[0].bias == bias.tolist()
    _, times = np.unique(bias, return_counts=True)
    entropy = times @ np.log2(rows / times) / 8
    assert entropy < len(data) < 1.05 * entropy + 60 < rows - 20


@pytest.mark.parametrize(
    ("codebook", "index", "bits"),
    [
        ([0, 0, 0, 0], 0, 0),
        ([0, 1, 0, 0], 0, 4 + 2),
        ([0, 1, -1, 0], 0, 4 + 2 * 2),
        ([0, 7, -8, 3], 0, 4 + 3 * 4),
        ([0, -32768, 0, 0], 0, 4 + 16),
        ([0, 1, 0, 0], 2, 4 + 2 * 2),
    ],
)
def test_codebooks_take_few_bits(codebook: list[int], index: int, bits: int) -> None:
    layer = Layer.from_indices([[index]], codebook, [0])
    data = encode(Model(layers=(layer,)))
    weights = 2 + 3 + 4 + 6 + (index > 0) * 3
    assert len(data) == 20 + -(-(header_bits(layer) + bits + 6 + weights) // 8) + 4
    assert_same(decode(data), Model(layers=(layer,)))


def test_many_groups_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    shapes = [(170, 90, 0.3), (140, 170, 0.4), (60, 140, 0.9)]
    model = Model(layers=tuple(random_layer(rng, *shape) for shape in shapes))
    whole = encode(model)
    assert {layer.form for layer in model_reader.read(whole).layers} == {1, 2}
    assert all(layer.nnz > model_blocks.BLOCK for layer in model.layers)
    monkeypatch.setattr(model_blocks, "GROUP", 1)
    monkeypatch.setattr(model_blocks, "STEP", model_blocks.BLOCK)
    assert encode(model) == whole
    assert_same(decode(whole), model)


@pytest.mark.parametrize("length", [0, 5, 8, 20, 23])
def test_the_start_of_a_file_is_refused(data: bytes, length: int) -> None:
    with pytest.raises(InputError, match=r"not a Tamis model file|truncated"):
        decode(data[:length])


@given(st.data())
def test_every_truncation_is_refused(data: bytes, draw: st.DataObject) -> None:
    length = draw.draw(st.integers(0, len(data) - 1))
    with pytest.raises(InputError):
        decode(data[:length])


@given(st.data())
def test_every_flipped_bit_is_refused(data: bytes, draw: st.DataObject) -> None:
    bit = draw.draw(st.integers(0, 8 * len(data) - 1))
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InputError):
        decode(bytes(damaged))


@settings(max_examples=300)
@given(st.data())
def test_damage_under_a_good_checksum_raises_nothing_else(data: bytes, draw: st.DataObject) -> None:
    body = bytearray(data[:-4])
    for _ in range(draw.draw(st.integers(1, 4))):
        body[draw.draw(st.integers(8, len(body) - 1))] = draw.draw(st.integers(0, 255))
    cut = draw.draw(st.sampled_from([len(body), len(body), draw.draw(st.integers(20, len(body)))]))
    try:
        model = decode(seal(bytes(body[:cut])))
    except TamisError:
        return
    check(model, 40)


@given(st.binary(max_size=200), st.sampled_from([1, 2]))
def test_noise_after_a_header_raises_nothing_else(noise: bytes, version: int) -> None:
    with suppress(TamisError):
        decode(seal(models.HEADER.pack(models.MAGIC, version, 1, 0) + noise))


def test_bytes_after_the_last_layer_are_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^3 bytes follow"):
        decode(seal(data[:-4] + b"abc"))


def test_a_newer_version_asks_for_an_upgrade(data: bytes) -> None:
    for version in (0, 3, 65535):
        newer = seal(data[:8] + struct.pack("<H", version) + data[10:-4])
        expected = rf"has version {version}, but this Tamis reads versions 1 to 2; upgrade Tamis$"
        with pytest.raises(InputError, match=expected):
            decode(newer)


def test_huge_counts_of_version_1_take_no_memory() -> None:
    position = 36 + 20
    for count in (2**63, 2**40, 2**20):
        damaged = VERSION_1[:position] + struct.pack("<Q", count) + VERSION_1[position + 8 : -4]
        with pytest.raises(InputError, match="too early"):
            decode(seal(damaged))


def test_small_files_of_many_rows_take_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Layer.from_indices(np.zeros((300, 300), np.int64), [0, 0], np.zeros(300, np.int64))
    model = Model(layers=(layer,) * 4)
    whole = encode(model)
    assert len(whole) < 100
    for module in (models, golden.layers):
        monkeypatch.setattr(module, "MAX_ROWS", 1000)
    with pytest.raises(InputError, match=r"^layer 3: 300 x 300 is no size of a layer"):
        decode(whole)
    with pytest.raises(InputError, match=r"^the layers have 1200 rows together, but 1000 are possible"):
        encode(model)


def good_layer() -> Layer:
    return random_layer(np.random.default_rng(0), 6, 5, 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 0}, r"^layer 0 has 0 rows"),
        ({"columns": 2**20 + 1}, r"^layer 0 has 1048577 columns"),
        ({"weight_fraction": -1}, r"^layer 0 shifts its sums right by -1 bits, but 0 to 39"),
        ({"weight_fraction": 40}, r"^layer 0 shifts its sums right by 40 bits"),
        ({"weight_fraction": 40000}, r"^layer 0 has weight_fraction 40000"),
        ({"index": np.zeros(3, np.uint8)}, r"^layer 0 must have a row array"),
        ({"bias": np.zeros(6, np.int32)}, r"^layer 0 must have a bias array of type int64"),
        ({"bias": np.full(6, 2**39)}, r"^layer 0 has a bias that 40 bits cannot hold"),
        ({"bias": np.full(6, -(2**63))}, r"^layer 0 has a bias that 40 bits cannot hold"),
        ({"codebook": np.ones(16, np.int16)}, r"^the first codebook value must be 0"),
    ],
)
def test_malformed_layers_are_refused(change: dict[str, object], message: str) -> None:
    layer = replace(good_layer(), **change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        check(Model(layers=(layer,)))


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({"row": [6, 0]}, "outside its 6 x 5 places"),
        ({"column": [-1, 0]}, "outside its 6 x 5 places"),
        ({"row": [1, 1], "column": [2, 2]}, "not sorted"),
        ({"row": [0, 5], "column": [3, 2]}, "not sorted"),
        ({"index": [0, 1]}, "indices outside 1 to 15"),
        ({"index": [1, 16]}, "indices outside 1 to 15"),
    ],
)
def test_impossible_weights_are_refused(places: dict[str, list[int]], message: str) -> None:
    arrays = {"row": [0, 1], "column": [0, 0], "index": [1, 1]} | places
    layer = replace(
        good_layer(),
        row=np.array(arrays["row"], np.int32),
        column=np.array(arrays["column"], np.int32),
        index=np.array(arrays["index"], np.uint8),
    )
    with pytest.raises(InputError, match=message):
        check(Model(layers=(layer,)))


def test_layers_must_chain() -> None:
    rng = np.random.default_rng(0)
    first, second = random_layer(rng, 6, 5), random_layer(rng, 4, 7)
    with pytest.raises(InputError, match=r"^layer 0 gives 6 outputs .* but layer 1 takes 7"):
        check(Model(layers=(first, second)))
    shifted = replace(random_layer(rng, 4, 6), input_fraction=3, output_fraction=3)
    with pytest.raises(InputError, match=r"0 fraction bits, but layer 1 takes 6 with 3"):
        check(Model(layers=(first, shifted)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": ()}, r"^a model must have 1 to 65535 layers, not 0"),
        ({"final": "relu"}, r"^the final operation must be one of none, softmax, argmax, not 'relu'"),
        ({"input_shape": (2, 2)}, r"^an input sample of shape \(2, 2\) does not hold the 5 inputs"),
        ({"input_shape": (5, *[1] * 8)}, r"^an input sample has 9 dimensions"),
    ],
)
def test_malformed_models_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check(replace(Model(layers=(good_layer(),)), **change))  # type: ignore[arg-type]


@pytest.mark.parametrize("accumulator_bits", [24, 32, 40])
def test_the_accumulator_bound_is_exact(accumulator_bits: int) -> None:
    limit = 1 << (accumulator_bits - 1)
    weight = 3 if accumulator_bits == 24 else 20000
    columns = 1 + (limit // (32767 * weight)) // 2
    rest = limit - columns * weight * 32767
    indices = np.ones((1, columns), dtype=np.int64)
    fits = Layer.from_indices(indices, [0, weight], [1 - rest])
    check(Model(layers=(fits,)), accumulator_bits)
    breaks = Layer.from_indices(np.vstack([indices * 0, indices]), [0, weight], [0, -rest])
    with pytest.raises(UnsupportedError, match=rf"^layer 0, row 1: .* is {limit}, but an accumulator"):
        check(Model(layers=(breaks,)), accumulator_bits)


def test_figures_of_a_layer() -> None:
    layer = Layer.from_indices([[0, 1, 0], [2, 3, 0]], [0, 5, -6, 7], [-10, 20], weight_fraction=3)
    assert (layer.nnz, layer.shift, layer.index_bits) == (3, 3, 2)
    np.testing.assert_array_equal(layer.column_counts, [1, 2, 0])
    np.testing.assert_array_equal(layer.weights(), [[0, 5, 0], [-6, 7, 0]])
    np.testing.assert_array_equal(layer.bound(), [5 * 32767 + 10, 13 * 32767 + 20])
    assert Model(layers=(layer,)).dense_bytes == 4 * (6 + 2)
