"""Row tiles and entry chunks against decoding column by column."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from golden import encoding
from golden.errors import UnsupportedError
from golden.geometry import Geometry
from golden.layers import Layer
from golden.placement import interleaved
from golden.tiles import PlacedLayer, Room, Tile, bias_words
from tests.golden.test_placement import scattered
from tests.networks import random_layer

GENEROUS = Room(1 << 20, 1 << 20)


def placed(layer: Layer, geometry: Geometry) -> PlacedLayer:
    source = interleaved(layer.columns, geometry.pes)
    return PlacedLayer(layer, source, interleaved(layer.rows, geometry.pes), geometry)


@given(
    rows=st.integers(1, 60),
    columns=st.integers(1, 30),
    pes=st.integers(1, 7),
    scan_width=st.sampled_from([1, 2]),
    entry_bits=st.sampled_from([8, 9]),
    padding_zeros=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_decoding_every_column_of_a_tile_gives_back_its_weights(
    rows, columns, pes, scan_width, entry_bits, padding_zeros, seed
):
    rng = np.random.default_rng(seed)
    geometry = Geometry(pes=pes, scan_width=scan_width, entry_bits=entry_bits, padding_zeros=padding_zeros)
    layer = random_layer(rng, rows, columns, 0.2, index_bits=5)
    source = scattered(columns, pes, -(-columns // pes) + 2, rng)
    target = scattered(rows, pes, -(-rows // pes) + 2, rng)
    whole = PlacedLayer(layer, source, target, geometry)
    first = int(rng.integers(0, target.slots))
    last = int(rng.integers(first + 1, target.slots + 1))
    tile = whole.tile(first, last)

    indices = np.zeros((layer.rows, layer.columns), dtype=int)
    indices[layer.row, layer.column] = layer.index
    found = np.zeros_like(indices)
    names = source.columns(scan_width).tolist()
    starts = tile.starts.reshape(-1)
    for pe in range(pes):
        for name in range(tile.words * tile.word_columns):
            cell = pe * tile.words * tile.word_columns + name
            gap, index = encoding.decode(
                tile.entries[starts[cell] : starts[cell + 1]], 5, geometry.entry_bits - 5
            )
            for slot, value in zip(first + np.cumsum(gap + 1) - 1, index, strict=True):
                row = int(np.flatnonzero((target.pe == pe) & (target.slot == slot))[0])
                found[row, names.index(name)] = value
    inside = (target.slot >= first) & (target.slot < last)
    assert_array_equal(found, np.where(inside[:, np.newaxis], indices, 0))


def test_columns_are_whole_activation_words():
    geometry = Geometry(pes=3, scan_width=2)
    tile = placed(random_layer(np.random.default_rng(0), 10, 7), geometry).tile(0, 4)
    assert (tile.words, tile.word_columns, tile.lengths.shape) == (2, 6, (3, 12))
    assert not tile.lengths[:, 7:].any()


def test_a_partial_last_word_drains_zero_biases():
    geometry = Geometry(pes=2, scan_width=2)
    layer = random_layer(np.random.default_rng(0), 5, 3)
    tile = placed(layer, geometry).tile(2, 3)
    assert tile.drain_rows == 2
    assert tile.bias.tolist() == [[layer.bias[4], 0], [0, 0]]


@pytest.mark.parametrize(
    ("values", "words"),
    [([0, 0], 0), ([127], 1), ([128], 2), ([-128], 1), ([-129], 2), ([2**31 - 1], 4), ([-(2**39)], 5)],
)
def test_biases_take_as_few_words_as_they_can(values, words):
    assert bias_words(np.array([values]), Geometry(word_entries=1, accumulator_bits=40)) == words


def test_chunks_cover_the_words_once_and_fit_their_room():
    rng = np.random.default_rng(5)
    geometry = Geometry(pes=3, scan_width=2)
    layer = random_layer(rng, 40, 200, 0.4)
    tile = placed(layer, geometry).tile(0, 14)
    room = Room(entries=120, pointer_words=5)
    chunks = tile.chunks(room, file_words=10)
    assert [chunk.first for chunk in chunks[1:]] == [chunk.last for chunk in chunks[:-1]]
    assert (chunks[0].first, chunks[-1].last) == (0, tile.words)
    assert [chunk.drain for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    for chunk in chunks:
        bias = tile.bias_entries if chunk.drain else 0
        assert max(tile.slice(pe, chunk).size for pe in range(3)) + bias <= room.entries
        assert chunk.first // 10 == max(chunk.first, chunk.last - 1) // 10
        lengths = tile.lengths[:, chunk.first * 6 : chunk.last * 6]
        assert lengths.max(initial=0) <= (15 if chunk.short else 255)


def test_biases_that_do_not_fit_beside_the_last_entries_follow_alone():
    geometry = Geometry(pes=1, word_entries=1)
    layer = random_layer(np.random.default_rng(1), 10, 10, 1.0, bias=2**20)
    tile = placed(layer, geometry).tile(0, 10)
    chunks = tile.chunks(Room(entries=100, pointer_words=100), file_words=100)
    assert [(chunk.first, chunk.last, chunk.drain) for chunk in chunks] == [(0, 10, False), (10, 10, True)]


def test_one_long_column_does_not_lengthen_all_pointers():
    indices = np.zeros((40, 64), dtype=int)
    indices[:, 63] = 1
    tile = placed(Layer.from_indices(indices, [0, 1], np.zeros(40)), Geometry(pes=1)).tile(0, 40)
    chunks = tile.chunks(Room(entries=100, pointer_words=8), file_words=64)
    assert [(chunk.first, chunk.last, chunk.short) for chunk in chunks] == [(0, 63, 1), (63, 64, 0)]


def test_a_column_too_long_for_a_pointer_halves_the_row_tile():
    geometry = Geometry(pes=1, accumulators=1024)
    layer = random_layer(np.random.default_rng(2), 600, 3, 1.0)
    tiles = list(placed(layer, geometry).row_tiles(1024, Tile.whole))
    assert [(tile.first, tile.last) for tile, _ in tiles] == [(0, 150), (150, 300), (300, 450), (450, 600)]
    assert all(chunks[0].short == 0 for _, chunks in tiles)


def test_a_word_that_fits_no_bank_is_refused_with_the_numbers():
    layer = random_layer(np.random.default_rng(3), 8, 8, 1.0)
    rows = placed(layer, Geometry(pes=4)).row_tiles(256, lambda tile: tile.chunks(Room(3, 100), 100))
    message = (
        r"^with 1 rows on each PE at a time, the 4 columns of one activation word take 4 entries of a PE "
        r"\(1 the longest column\) and 1 pointer words, and half of its memories hold 3 and 100; "
    )
    with pytest.raises(UnsupportedError, match=message):
        list(rows)


def test_indices_as_wide_as_an_entry_are_refused():
    layer = random_layer(np.random.default_rng(4), 8, 8, index_bits=8)
    with pytest.raises(
        UnsupportedError, match=r"^a layer has weight indices of 8 bits, but entries of 8 bits"
    ):
        placed(layer, Geometry(entry_bits=8))
    assert placed(layer, Geometry(entry_bits=9)).run_bits == 1
