"""Canonical Huffman codes of at most 15 bits (Deep Compression, section 4).

A code is declared by the length in bits of every symbol's code word; 0 is a symbol that does not occur. The
words follow from the lengths: sorted by length and, within a length, by symbol, each word is the one before
plus one, shifted up where the length grows; the first word is zero. A code is complete (every sequence of
bits begins with one of its words), with one exception: where only one symbol occurs, its word is the single
bit 0, and a bit 1 is an error.

A word stands in the stream with its most significant bit first; bit i of the stream is bit i % 8 of byte
i // 8. A serial decoder that takes bytes from their least significant bit up therefore sees each word from
its top and needs small tables (see `Tables`)::

    word, length = 0, 0
    repeat:
        word, length = 2 * word + next bit, length + 1
        if word - first_word[length] < count[length]:      (the difference is never negative)
            symbol = symbols[first_index[length] + word - first_word[length]]
            stop

A sequence of symbols takes whole bytes; the bits after its last word are zero.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden import bits
from golden.encoding import reverse_bits
from golden.errors import InputError

MAX_LENGTH = 15
BAD = 0xFFFF
"""Stands for a word that no symbol has; so a code has at most 65,535 symbols."""

IntArray = NDArray[np.int64]
LengthArray = NDArray[np.uint8]
SymbolArray = NDArray[np.uint16]


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What a serial decoder needs; the first three are indexed by length, 0 to 15.

    Attributes
    ----------
    first_word : array of int64, shape (16,)
        The first (smallest) word of each length.
    first_index : array of int64, shape (16,)
        Place in `symbols` of the symbol of that word.
    count : array of int64, shape (16,)
        Words of each length; 0 for length 0.
    symbols : array of uint16
        The symbols that occur, sorted by the length of their words, then by their value.
    """

    first_word: IntArray
    first_index: IntArray
    count: IntArray
    symbols: SymbolArray


def lengths(counts: Any, limit: int = MAX_LENGTH) -> LengthArray:
    """Lengths of an optimal code with no word longer than `limit` (package-merge).

    Larmore and Hirschberg, "A fast algorithm for optimal length-limited Huffman codes", JACM 37(3), 1990.

    Parameters
    ----------
    counts : array of int, shape (symbols,)
        How often each symbol occurs.
    limit : int
        Longest word allowed, 1 to 15.

    Returns
    -------
    array of uint8, shape (symbols,)
        0 where the count is 0; a symbol that occurs alone has length 1.

    >>> lengths([5, 0, 1, 2, 9]).tolist()
    [2, 0, 3, 3, 1]
    >>> lengths([5, 0, 1, 2, 9], limit=2).tolist()
    [2, 0, 2, 2, 2]
    """
    counts = np.asarray(counts, dtype=np.int64)
    result = np.zeros(counts.size, dtype=np.uint8)
    present = np.flatnonzero(counts)
    if counts.size and counts.min() < 0:
        raise ValueError("counts must not be negative")
    if not 1 <= limit <= MAX_LENGTH or present.size > 1 << limit:
        raise ValueError(f"limit must be at most {MAX_LENGTH} and give {present.size} words, not {limit}")
    if present.size <= 1:
        result[present] = 1
        return result
    leaves = present[np.argsort(counts[present], kind="stable")]
    weights = counts[leaves]
    merged = weights
    is_leaf = [np.ones(weights.size, dtype=bool)]
    for _ in range(limit - 1):
        packages = merged[: merged.size & ~1].reshape(-1, 2).sum(axis=1)
        both = np.concatenate([weights, packages])
        order = np.argsort(both, kind="stable")
        merged = both[order]
        is_leaf.append(order < weights.size)
    taken = 2 * weights.size - 2
    for leaf in reversed(is_leaf):
        count = int(np.count_nonzero(leaf[:taken]))
        result[leaves[:count]] += 1
        taken = 2 * (taken - count)
    return result


def check(lengths: Any) -> LengthArray:
    """The lengths as an array, if they make a code.

    Raises
    ------
    InputError
        If a length is over 15, no symbol occurs, or the code is oversubscribed or incomplete.
    """
    result = np.asarray(lengths)
    if result.size and not (result.min() >= 0 and result.max() <= MAX_LENGTH):
        raise InputError(f"a Huffman code has a word of over {MAX_LENGTH} bits; make the file again")
    present = result[result > 0].astype(np.int64)
    if not present.size:
        raise InputError("a Huffman code has no words; make the file again")
    used = int(np.sum(1 << (MAX_LENGTH - present)))
    alone = present.size == 1 and present[0] == 1
    if used != 1 << MAX_LENGTH and not alone:
        kind = "oversubscribed" if used > 1 << MAX_LENGTH else "incomplete"
        raise InputError(f"a Huffman code is {kind}: its lengths are damaged; make the file again")
    return result.astype(np.uint8)


def tables(lengths: Any) -> Tables:
    """Decoding tables of a code.

    Raises
    ------
    InputError
        As `check`.

    >>> t = tables([2, 0, 3, 3, 1])
    >>> t.first_word[1:4].tolist(), t.first_index[1:4].tolist(), t.count[1:4].tolist(), t.symbols.tolist()
    ([0, 2, 6], [0, 1, 2], [1, 1, 2], [4, 0, 2, 3])
    """
    lengths = check(lengths)
    count = np.bincount(lengths, minlength=MAX_LENGTH + 1)
    count[0] = 0
    first_word = np.zeros(MAX_LENGTH + 1, dtype=np.int64)
    for length in range(1, MAX_LENGTH + 1):
        first_word[length] = 2 * (first_word[length - 1] + count[length - 1])
    present = np.flatnonzero(lengths)
    return Tables(
        first_word=first_word,
        first_index=np.cumsum(count) - count,
        count=count,
        symbols=present[np.argsort(lengths[present], kind="stable")].astype(np.uint16),
    )


def write_table(lengths: Any) -> tuple[list[int], list[int]]:
    """A table of code lengths as fields: values and widths.

    The first length takes 4 bits. Every other one is its difference d from the length before: |d| bits 1, a
    bit 0, and unless d is zero a bit that is 1 if d is negative.

    >>> write_table([2, 2, 0, 3])
    ([2, 0, 11, 7], [4, 1, 4, 5])
    """
    steps = np.diff(np.asarray(lengths, dtype=np.int64)).tolist()
    values = [(1 << abs(step)) - 1 | (step < 0) << (abs(step) + 1) for step in steps]
    widths = [abs(step) + 1 + (step != 0) for step in steps]
    return [int(lengths[0]), *values], [4, *widths]


def read_table(reader: bits.Reader, symbols: int) -> LengthArray:
    """Inverse of `write_table`.

    Raises
    ------
    InputError
        If a length is not from 0 to 15, or they make no code.
    """
    lengths = [reader.take(4)]
    while len(lengths) < symbols:
        size = 0
        while reader.take(1):
            size += 1
        lengths.append(lengths[-1] - size if size and reader.take(1) else lengths[-1] + size)
        if not 0 <= lengths[-1] <= MAX_LENGTH:
            raise InputError(f"a Huffman table has a word of {lengths[-1]} bits; make the file again")
    return check(lengths)


def codes(lengths: Any) -> IntArray:
    """The word of every symbol as a number of `lengths[symbol]` bits; 0 for a symbol that does not occur.

    Raises
    ------
    InputError
        As `check`.

    >>> codes([2, 0, 3, 3, 1]).tolist()
    [2, 0, 6, 7, 0]
    """
    lengths = check(lengths)
    table = tables(lengths)
    length = lengths[table.symbols]
    result = np.zeros(lengths.size, dtype=np.int64)
    result[table.symbols] = table.first_word[length] + np.arange(length.size) - table.first_index[length]
    return result


def stream_codes(lengths: Any) -> IntArray:
    """The words with their bits reversed: as fields of `golden.bits`, least significant bit first."""
    lengths = check(lengths)
    shift = MAX_LENGTH - lengths.astype(np.int64)
    result: IntArray = reverse_bits(codes(lengths), MAX_LENGTH) >> shift
    return result


def encode(symbols: Any, lengths: Any) -> bytes:
    """Code a sequence of symbols.

    Raises
    ------
    InputError
        As `check`.
    ValueError
        If a symbol has no word.

    >>> encode([4, 4, 0, 3], [2, 0, 3, 3, 1]).hex()
    '74'
    """
    lengths = check(lengths)
    symbols = np.asarray(symbols, dtype=np.int64)
    if symbols.size and not (
        symbols.min() >= 0 and symbols.max() < lengths.size and np.all(lengths[symbols] > 0)
    ):
        raise ValueError("every symbol must have a word")
    return bits.pack(stream_codes(lengths)[symbols], lengths[symbols])


def decode(data: bytes, count: int, lengths: Any) -> SymbolArray:
    """Inverse of `encode`: `count` symbols that take the whole of `data`.

    Raises
    ------
    InputError
        As `check`; or if the data hold a bad word, are too short or long, or end in bits that are not zero.

    >>> decode(bytes.fromhex("74"), 4, [2, 0, 3, 3, 1]).tolist()
    [4, 4, 0, 3]
    """
    return decode_blocks(data, [len(data)], [count], lengths)


def decode_blocks(data: bytes, sizes: Any, counts: Any, lengths: Any) -> SymbolArray:
    """Decode sequences that stand one after another, all of them in step.

    Parameters
    ----------
    data : bytes
    sizes : array of int, shape (blocks,)
        Bytes of each sequence; together all of `data`.
    counts : array of int, shape (blocks,)
        Symbols of each sequence.
    lengths : array of int, shape (symbols,)

    Returns
    -------
    array of uint16, shape (sum of counts,)

    Raises
    ------
    InputError
        As `decode`.
    """
    size = np.asarray(sizes, dtype=np.int64)
    count = np.asarray(counts, dtype=np.int64)
    if size.sum() != len(data) or np.any(count > 8 * size) or np.any(count < 0) or np.any(size < 0):
        raise InputError("the Huffman-coded data are not as long as they say; make the file again")
    words = bits.windows(data)
    stop = 8 * np.cumsum(size)
    symbols, end = decode_lanes(words, stop - 8 * size, count, lengths)
    check_ends(words, end, stop)
    return symbols


def decode_lanes(
    words: bits.Windows, start: IntArray, count: IntArray, lengths: Any
) -> tuple[SymbolArray, IntArray]:
    """Decode sequences that start at given bits, one word of each at a time.

    Parameters
    ----------
    words : array of uint64
        The data, as `bits.windows` gives them. Words past their end are read as anything.
    start : array of int64, shape (lanes,)
        First bit of each sequence.
    count : array of int64, shape (lanes,)
        Symbols of each sequence; the caller has made sure that the data can hold about as many.
    lengths : array of int, shape (symbols,)

    Returns
    -------
    symbols : array of uint16, shape (sum of counts,)
    end : array of int64, shape (lanes,)
        First bit after each sequence.

    Raises
    ------
    InputError
        As `check`, or if the data hold a bad word.
    """
    lengths = check(lengths)
    word_symbol, word_length, longest = _lookup(lengths)
    mask = np.uint64((1 << longest) - 1)
    order = np.argsort(-count, kind="stable")  # so that the sequences that are still running come first
    steps = int(count.max(initial=0))
    running = np.searchsorted(-count[order], -np.arange(steps), side="left")
    place = start[order]
    result = np.zeros((steps, count.size), dtype=np.uint16)
    window = np.zeros(0, dtype=np.uint64)
    for step, lanes in enumerate(running.tolist()):
        if step % (bits.WINDOW // longest) == 0:
            window = bits.look(words, place[:lanes])
        word = (window[:lanes] & mask).astype(np.int64)
        taken = word_length[word]
        result[step, :lanes] = word_symbol[word]
        window = window[:lanes] >> taken
        place[:lanes] += taken.astype(np.int64)
    back = np.empty_like(order)
    back[order] = np.arange(order.size)
    symbols = result.T[back]
    symbols = symbols[np.arange(steps) < count[:, None]] if np.any(count < steps) else symbols.ravel()
    if np.count_nonzero(lengths) == 1 and np.any(symbols == BAD):
        raise InputError("the Huffman-coded data hold a bad code word; make the file again")
    return symbols, place[back]


def _lookup(lengths: LengthArray) -> tuple[SymbolArray, NDArray[np.uint64], int]:
    """Symbol and word length for every value of the next `longest` bits, and `longest`."""
    longest = int(lengths.max())
    word_symbol = np.full(1 << longest, BAD, dtype=np.uint16)
    word_length = np.ones(1 << longest, dtype=np.uint64)
    code = stream_codes(lengths)
    for symbol in np.flatnonzero(lengths).tolist():
        word_symbol[code[symbol] :: 1 << int(lengths[symbol])] = symbol
        word_length[code[symbol] :: 1 << int(lengths[symbol])] = lengths[symbol]
    return word_symbol, word_length, longest


def check_ends(words: bits.Windows, end: IntArray, stop: IntArray) -> None:
    """Refuse sequences that do not end, at bits `end`, in the last byte before `stop` with zeros to follow.

    Raises
    ------
    InputError
        If one is too short or long, or bits after its last word are not zero.
    """
    spare = stop - end
    if np.any(spare < 0):
        raise InputError("the Huffman-coded data are too short; copy or make the file again")
    if np.any(spare >= 8):
        raise InputError("the Huffman-coded data go on after the last symbol; make the file again")
    if np.any(bits.look(words, end) & ((1 << spare) - 1).astype(np.uint64)):
        raise InputError("the bits after the last Huffman code word are not zero; make the file again")
