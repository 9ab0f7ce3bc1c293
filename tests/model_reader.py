"""A second reader of model files, written from the specification: one bit at a time, in plain Python."""

from dataclasses import dataclass

from golden import huffman


class Bits:
    def __init__(self, data: bytes) -> None:
        self.value = int.from_bytes(data, "little")
        self.position = 0

    def take(self, width: int) -> int:
        self.position += width
        return self.value >> (self.position - width) & ((1 << width) - 1)

    def twos_complement(self, width: int) -> int:
        value = self.take(width)
        return value - (1 << width) if value >> (width - 1) else value

    def number(self) -> int:
        length = self.take(6)
        return 1 << (length - 1) | self.take(length - 1) if length else 0

    def signed(self) -> int:
        value = self.number()
        return -(value + 1) // 2 if value % 2 else value // 2

    def align(self) -> None:
        assert self.take(-self.position % 8) == 0

    def table(self, symbols: int) -> list[int]:
        lengths = [self.take(4)]
        for _ in range(symbols - 1):
            size = 0
            while self.take(1):
                size += 1
            lengths.append(lengths[-1] + (-size if size and self.take(1) else size))
        return lengths

    def word(self, words: dict[tuple[int, int], int]) -> int:
        word = length = 0
        while (length, word) not in words:
            word, length = 2 * word + self.take(1), length + 1
        return words[length, word]


def code_words(lengths: list[int]) -> dict[tuple[int, int], int]:
    """Symbols by the length and the value of their words."""
    codes = huffman.codes(lengths).tolist()
    return {(length, codes[symbol]): symbol for symbol, length in enumerate(lengths) if length}


@dataclass
class PlainLayer:
    form: int
    rows: int
    relu: int
    weight_fraction: int
    output_fraction: int
    index_bits: int
    codebook: list[int]
    bias: list[int]
    weights: dict[int, int]  # index by place


@dataclass
class PlainModel:
    final: int
    keepdims: int
    input_shape: tuple[int, ...]
    columns: int
    input_fraction: int
    layers: list[PlainLayer]


def read(data: bytes) -> PlainModel:
    count = int.from_bytes(data[10:12], "little")
    bits = Bits(data[20:-4])
    final, keepdims = bits.take(2), bits.take(1)
    shape = bits.take(4)
    model = PlainModel(
        final, keepdims, tuple(bits.number() for _ in range(shape)), bits.number(), bits.signed(), []
    )
    columns = model.columns
    for _ in range(count):
        model.layers.append(read_layer(bits, columns))
        columns = model.layers[-1].rows
    bits.align()
    assert bits.position == 8 * (len(data) - 24)
    return model


def read_layer(bits: Bits, columns: int) -> PlainLayer:
    rows, relu, weight_fraction, output_fraction = bits.number(), bits.take(1), bits.signed(), bits.signed()
    index_bits = bits.take(3) + 1
    stored = bits.take(index_bits)
    width = bits.take(4) + 1 if stored else 0
    codebook = [0] + [bits.twos_complement(width) for _ in range(stored)]
    codebook += [0] * ((1 << index_bits) - 1 - stored)
    bias = [0] * rows
    bias_width = bits.take(6)
    if bias_width:
        shift, coded = bits.take(6), bits.take(1)
        read = read_coded_biases if coded else read_plain_biases
        bias = [value << shift for value in read(bits, rows, bias_width)]
    form = bits.take(2)
    by_rows = bits.take(1)
    counted = [
        [line for line in range(size) if bits.take(1)] if bits.take(1) else list(range(size))
        for size in (rows, columns)
    ]
    if by_rows:
        places = [column * rows + row for row in counted[0] for column in counted[1]]
    else:
        places = [column * rows + row for column in counted[1] for row in counted[0]]
    found = (read_packed, read_sparse, read_dense)[form](bits, len(places), index_bits, stored)
    weights = dict(sorted((places[place], index) for place, index in found.items()))
    return PlainLayer(form, rows, relu, weight_fraction, output_fraction, index_bits, codebook, bias, weights)


def read_packed(bits: Bits, places: int, index_bits: int, stored: int) -> dict[int, int]:
    run_bits, entries = bits.take(4), bits.number()
    weights, place, escaped = {}, -1, 0
    for _ in range(entries):
        index, reversed_run = bits.take(index_bits), bits.take(run_bits)
        run = int(f"{reversed_run:0{run_bits}b}"[::-1], 2)
        if index:
            place += 1 + escaped + run
            escaped = 0
            weights[place] = index
        else:
            escaped += run << run_bits
    return weights


def starts(bits: Bits, count: int) -> list[tuple[int, int]]:
    """First bit and items of each block; the bits go on after the last one, or at a block alone."""
    counts = [4096] * (count // 4096) + ([count % 4096] if count % 4096 else [])
    if len(counts) == 1:
        return [(bits.position, count)]
    sizes = [bits.take(16) for _ in counts]
    bits.align()
    found = []
    for size, symbols in zip(sizes, counts, strict=True):
        found.append((bits.position, symbols))
        bits.position += 8 * size
    return found


def number_words(bits: Bits) -> tuple[int, dict[tuple[int, int], int]]:
    mantissa_bits = bits.take(3)
    return mantissa_bits, code_words(bits.table(bits.number()))


def read_numbers(bits: Bits, count: int, code: tuple[int, dict[tuple[int, int], int]]) -> list[int]:
    mantissa_bits, words = code
    symbols = [bits.word(words) for _ in range(count)]
    found = []
    for symbol in symbols:
        exponent = max(0, (symbol >> mantissa_bits) - 1)
        found.append((symbol - (exponent << mantissa_bits) << exponent) + bits.take(exponent))
    return found


def read_plain_biases(bits: Bits, rows: int, width: int) -> list[int]:
    return [bits.twos_complement(width) for _ in range(rows)]


def read_coded_biases(bits: Bits, rows: int, width: int) -> list[int]:
    code, found, after = number_words(bits), [], 0
    for start, count in starts(bits, rows):
        after, bits.position = bits.position, start
        found += [-(n + 1) // 2 if n % 2 else n // 2 for n in read_numbers(bits, count, code)]
        if rows > 4096:
            bits.align()
            bits.position = after
    return found


@dataclass
class PlainIndexCode:
    base: int
    group: int
    words: dict[tuple[int, int], int]

    def read(self, bits: Bits, count: int, left_out: bool) -> list[int]:
        found: list[int] = []
        while len(found) < count:
            alone = left_out and len(self.words) == 1
            symbol = next(iter(self.words.values())) if alone else bits.word(self.words)
            digits = []
            for _ in range(self.group):
                symbol, digit = divmod(symbol, self.base)
                digits.append(digit)
            found += digits[::-1]
        assert not any(found[count:])
        return found[:count]


def index_code(bits: Bits, base: int) -> PlainIndexCode:
    group = bits.take(3) + 1
    return PlainIndexCode(base, group, code_words(bits.table(base**group)))


def read_sparse(bits: Bits, places: int, index_bits: int, stored: int) -> dict[int, int]:
    count = bits.number()
    code, run_code = index_code(bits, stored), number_words(bits)
    weights, place, after = {}, -1, 0
    for start, size in starts(bits, count):
        after, bits.position = bits.position, start
        found = code.read(bits, size, left_out=True)
        for index, run in zip(found, read_numbers(bits, size, run_code), strict=True):
            place += 1 + run
            weights[place] = index + 1
        if count > 4096:
            bits.align()
            bits.position = after
    return weights


def read_dense(bits: Bits, places: int, index_bits: int, stored: int) -> dict[int, int]:
    code = index_code(bits, stored + 1)
    found: list[int] = []
    for start, size in starts(bits, places):
        after, bits.position = bits.position, start
        found += code.read(bits, size, left_out=False)
        if places > 4096:
            bits.align()
            bits.position = after
    return {place: index for place, index in enumerate(found) if index}
