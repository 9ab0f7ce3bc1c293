"""The model file: what goes in comes out, and damage of any kind is one `TamisError`."""

import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden import encoding
from golden import model as models
from golden.errors import InputError, TamisError, UnsupportedError
from golden.layers import Layer, Model
from golden.model import check, decode, encode
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
    assert struct.unpack_from("<HHQ", data, 8) == (1, len(model.layers), len(data))
    assert data[20:24] == bytes(
        [["none", "softmax", "argmax"].index(model.final), model.keepdims, len(model.input_shape), 0]
    )
    assert struct.unpack("<I", data[-4:])[0] == zlib.crc32(data[:-4])
    first = model.layers[0]
    position = 24 + 4 * len(model.input_shape)
    rows, columns, bits, runs, width, relu, *fractions, zero, count = struct.unpack_from(
        "<IIBBBBhhhHQ", data, position
    )
    assert (rows, columns, bits, relu, zero) == (first.rows, first.columns, first.index_bits, first.relu, 0)
    assert fractions == [first.weight_fraction, first.input_fraction, first.output_fraction]
    position += 28
    assert data[position : position + (2 << bits)] == first.codebook.astype("<i2").tobytes()
    position += 2 << bits
    for bias in first.bias.tolist():
        assert int.from_bytes(data[position : position + width], "little", signed=True) == bias
        position += width
    packed = int.from_bytes(data[position : position + -(-count * (bits + runs) // 8)], "little")
    place, escaped = -1, 0
    weights = first.weights()
    for _ in range(count):
        entry, packed = packed & ((1 << (bits + runs)) - 1), packed >> (bits + runs)
        index = entry & ((1 << bits) - 1)
        run = int(f"{entry >> bits:0{runs}b}"[::-1], 2)
        if index:
            place += 1 + escaped + run
            escaped = 0
            column, row = divmod(place, rows)
            assert weights[row, column] == first.codebook[index]
        else:
            escaped += run << runs
    assert packed == 0


@pytest.mark.parametrize(
    ("bias", "width"), [(127, 1), (-128, 1), (128, 2), (-129, 2), (2**23, 4), (2**31, 5), (-(2**38), 5)]
)
def test_biases_take_the_fewest_bytes(bias: int, width: int) -> None:
    layer = Layer.from_indices([[0]], [0, 1], [bias])
    data = encode(Model(layers=(layer,)))
    assert len(data) == 24 + 28 + 4 + width + 4
    assert decode(data).layers[0].bias.tolist() == [bias]


@pytest.mark.parametrize("density", [0.003, 0.03, 0.3, 1.0])
def test_run_bits_make_the_file_as_small_as_can_be(density: float) -> None:
    layer = random_layer(np.random.default_rng(3), 400, 300, density, bias=100)
    gaps = np.diff(np.flatnonzero(layer.weights().T), prepend=-1) - 1
    sizes = [
        -(-len(encoding.encode(gaps, layer.index, 4, run_bits)[0]) * (4 + run_bits) // 8)
        for run_bits in range(1, 13)
    ]
    assert len(encode(Model(layers=(layer,)))) == 24 + 28 + 32 + 400 + min(sizes) + 4


def test_many_chunks_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model(layers=(random_layer(np.random.default_rng(0), 70, 90, 0.2),))
    whole = encode(model)
    monkeypatch.setattr(models, "CHUNK", 64)
    assert encode(model) == whole
    assert_same(decode(whole), model)


@pytest.mark.parametrize("length", [0, 5, 8, 20, 27])
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
    cut = draw.draw(st.sampled_from([len(body), len(body), draw.draw(st.integers(24, len(body)))]))
    try:
        model = decode(seal(bytes(body[:cut])))
    except TamisError:
        return
    check(model, 40)


@given(st.binary(max_size=200))
def test_noise_after_a_header_raises_nothing_else(noise: bytes) -> None:
    with pytest.raises(TamisError):
        decode(seal(models.HEADER.pack(models.MAGIC, 1, 1, 0, 0, 0, 0, 0) + noise))


def test_bytes_after_the_last_layer_are_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^3 bytes follow"):
        decode(seal(data[:-4] + b"abc"))


def test_a_newer_version_asks_for_an_upgrade(data: bytes) -> None:
    newer = seal(data[:8] + struct.pack("<H", 2) + data[10:-4])
    with pytest.raises(InputError, match=r"has version 2, but this Tamis reads version 1; upgrade Tamis$"):
        decode(newer)


def test_huge_counts_take_no_memory(data: bytes) -> None:
    position = 24 + 20
    for count in (2**63, 2**40, 2**20):
        damaged = data[:position] + struct.pack("<Q", count) + data[position + 8 : -4]
        with pytest.raises(InputError, match="too early"):
            decode(seal(damaged))


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
