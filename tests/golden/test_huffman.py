"""Huffman codes: optimal, canonical, read by an independent library, and refused when damaged."""

import numpy as np
import pytest
from bitarray import bitarray
from bitarray.util import canonical_decode, canonical_huffman
from hypothesis import given
from hypothesis import strategies as st

from golden import huffman
from golden.errors import InputError

COUNTS = st.lists(st.sampled_from([0, 1, 1, 2, 3, 10, 100, 5000]), min_size=1, max_size=40).filter(any)


@st.composite
def sequences(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Symbols and the lengths of a code for them."""
    counts = np.array(draw(COUNTS))
    size = draw(st.integers(0, 300))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return rng.choice(counts.size, size, p=counts / counts.sum()), huffman.lengths(counts)


def blocks(symbols: np.ndarray, lengths: np.ndarray, size: int) -> tuple[bytes, list[int], list[int]]:
    """Code runs of `size` symbols apart; the bytes, and the bytes and symbols of each run."""
    parts = [symbols[start : start + size] for start in range(0, symbols.size, size)]
    coded = [huffman.encode(part, lengths) for part in parts]
    return b"".join(coded), [len(part) for part in coded], [part.size for part in parts]


@given(sequences())
def test_symbols_come_back(case: tuple[np.ndarray, np.ndarray]) -> None:
    symbols, lengths = case
    data = huffman.encode(symbols, lengths)
    assert len(data) == -(-int(lengths[symbols].sum()) // 8)
    np.testing.assert_array_equal(huffman.decode(data, symbols.size, lengths), symbols)


@given(sequences(), st.integers(1, 120))
def test_blocks_come_back(case: tuple[np.ndarray, np.ndarray], size: int) -> None:
    symbols, lengths = case
    data, sizes, counts = blocks(symbols, lengths, size)
    np.testing.assert_array_equal(huffman.decode_blocks(data, sizes, counts, lengths), symbols)
    order = np.random.default_rng(size).permutation(len(sizes))
    starts = np.cumsum([0, *sizes])
    moved = b"".join(data[starts[i] : starts[i + 1]] for i in order)
    parts = [symbols[i * size : (i + 1) * size] for i in order]
    expected = np.concatenate([np.zeros(0, np.int64), *parts])
    actual = huffman.decode_blocks(moved, np.take(sizes, order), np.take(counts, order), lengths)
    np.testing.assert_array_equal(actual, expected)


@given(sequences())
def test_a_serial_decoder_with_the_tables_reads_the_stream(case: tuple[np.ndarray, np.ndarray]) -> None:
    symbols, lengths = case
    table = huffman.tables(lengths)
    stream = np.unpackbits(np.frombuffer(huffman.encode(symbols, lengths), np.uint8), bitorder="little")
    position = 0
    for symbol in symbols:
        word = length = 0
        while True:
            word, length, position = 2 * word + int(stream[position]), length + 1, position + 1
            offset = word - int(table.first_word[length])
            assert offset >= 0
            if offset < table.count[length]:
                break
        assert table.symbols[table.first_index[length] + offset] == symbol


@given(COUNTS)
def test_codes_are_as_short_as_those_of_an_independent_library(counts: list[int]) -> None:
    present = {symbol: count for symbol, count in enumerate(counts) if count}
    codes, _, _ = canonical_huffman(present)
    best = sum(len(codes[symbol]) * count for symbol, count in present.items())
    assert max(len(code) for code in codes.values()) <= huffman.MAX_LENGTH, "the limit binds"
    assert int(huffman.lengths(counts) @ np.array(counts)) == best


@given(sequences())
def test_an_independent_library_reads_the_stream(case: tuple[np.ndarray, np.ndarray]) -> None:
    symbols, lengths = case
    table = huffman.tables(lengths)
    bits = bitarray(endian="little")
    bits.frombytes(huffman.encode(symbols, lengths))
    bits = bits[: int(lengths[symbols].astype(int).sum())]
    read = canonical_decode(bits, table.count.tolist(), table.symbols.tolist())
    assert list(read) == symbols.tolist()


@given(COUNTS, st.integers(1, 15))
def test_limited_codes_are_optimal(counts: list[int], limit: int) -> None:
    present = sorted(count for count in counts if count)
    if len(present) > 1 << limit:
        with pytest.raises(ValueError, match="limit must be"):
            huffman.lengths(counts, limit)
        return
    lengths = huffman.lengths(counts, limit)
    assert lengths.max() <= limit
    np.testing.assert_array_equal(lengths > 0, np.array(counts) > 0)
    huffman.check(lengths)
    if len(present) > 1:
        assert int(lengths @ np.array(counts)) == cheapest(present, limit)


def cheapest(counts: list[int], limit: int) -> int:
    """Bits of the best code with words of at most `limit` bits, level by level over all shapes of the tree.

    A tree is built from its root down; `inner` nodes of a level are left to split. The rarest symbols are the
    deepest, so counts are handed out from the largest.
    """
    ordered = sorted(counts, reverse=True)
    tail = np.concatenate([np.cumsum(ordered[::-1])[::-1], [0]])
    best = {(0, 1): 0}
    for _ in range(limit):
        following: dict[tuple[int, int], int] = {}
        for (done, nodes), cost in best.items():
            for leaves in range(min(2 * nodes, len(ordered) - done) + 1):
                left = len(ordered) - done - leaves
                key = (done + leaves, min(2 * nodes - leaves, left))
                total = cost + int(tail[done])
                following[key] = min(total, following.get(key, total))
        best = following
    return min(cost for (done, nodes), cost in best.items() if done == len(ordered) and nodes == 0)


def test_fibonacci_counts_meet_the_limit() -> None:
    counts = [1, 1]
    while len(counts) < 25:
        counts.append(counts[-1] + counts[-2])
    lengths = huffman.lengths(counts)
    assert lengths.max() == huffman.MAX_LENGTH
    assert int(lengths @ np.array(counts)) == cheapest(counts, huffman.MAX_LENGTH)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([1, 1, 1], "oversubscribed"),
        ([1, 2, 3], "incomplete"),
        ([2], "incomplete"),
        ([0, 0], "has no words"),
        ([], "has no words"),
        ([1, 16], "over 15 bits"),
    ],
)
def test_bad_tables_are_refused(lengths: list[int], message: str) -> None:
    for call in (huffman.check, huffman.tables, huffman.codes):
        with pytest.raises(InputError, match=message):
            call(lengths)
    with pytest.raises(InputError, match=message):
        huffman.decode(b"\0", 1, lengths)


@pytest.mark.parametrize(
    ("data", "count", "lengths", "message"),
    [
        ("74", 5, [2, 0, 3, 3, 1], None),
        ("74", 9, [2, 0, 3, 3, 1], "not as long as they say"),
        ("ff", 3, [2, 0, 3, 3, 1], "too short"),
        ("7400", 4, [2, 0, 3, 3, 1], "go on after"),
        ("74", 3, [2, 0, 3, 3, 1], "not zero"),
        ("00", 5, [1], None),
        ("01", 1, [1], "bad code word"),
        ("10", 5, [1], "bad code word"),
        ("", 0, [1], None),
        ("00", 0, [1], "go on after"),
    ],
)
def test_bad_streams_are_refused(data: str, count: int, lengths: list[int], message: str | None) -> None:
    if message is None:
        assert huffman.decode(bytes.fromhex(data), count, lengths).size == count
        return
    with pytest.raises(InputError, match=message):
        huffman.decode(bytes.fromhex(data), count, lengths)


@given(sequences(), st.integers(1, 60), st.data())
def test_an_overrun_of_one_block_is_found(
    case: tuple[np.ndarray, np.ndarray], size: int, draw: st.DataObject
) -> None:
    symbols, lengths = case
    data, sizes, counts = blocks(symbols, lengths, size)
    if len(sizes) < 2:
        return
    at = draw.draw(st.integers(0, len(sizes) - 2))
    sizes[at], sizes[at + 1] = sizes[at] - 1, sizes[at + 1] + 1
    with pytest.raises(InputError):
        huffman.decode_blocks(data, sizes, counts, lengths)


def test_symbols_without_a_word_are_refused() -> None:
    for symbol in (1, 5, -1):
        with pytest.raises(ValueError, match="must have a word"):
            huffman.encode([symbol], [2, 0, 3, 3, 1])
