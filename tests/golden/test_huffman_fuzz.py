"""Damaged Huffman tables and streams, alone and in model files: a typed error or a sound result, at once."""

import struct
import zlib

import numpy as np
import pytest

from golden import bits, huffman
from golden.errors import InputError, TamisError
from golden.layers import Layer, Model
from golden.model import check, decode, encode
from tests.networks import random_layer

FEW, MANY = 500, 25_000
"""Mutations of each kind and seed in `make test` and in `make test-long`."""


def mutated(rng: np.random.Generator, data: bytes, first: int = 0) -> bytes:
    """Data with one to four changes from byte `first` on: flipped, replaced, put in, taken out."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(first, max(first + 1, len(changed))))
        size = int(rng.integers(1, 4))
        match rng.integers(0, 5):
            case 0 | 1 if at < len(changed):
                changed[at] ^= 1 << int(rng.integers(0, 8))
            case 2:
                changed[at : at + size] = rng.bytes(size)
            case 3:
                changed[at:at] = rng.bytes(size)
            case _:
                del changed[at : at + size]
    return bytes(changed)


def mutate_codes(seed: int, mutations: int) -> int:
    """Damage tables, counts and streams; how many were refused."""
    rng = np.random.default_rng(seed)
    refused = 0
    for _ in range(mutations):
        symbols = int(rng.integers(1, 40))
        share = rng.dirichlet(np.full(symbols, 0.3))
        message = rng.choice(symbols, int(rng.integers(0, 60)), p=share)
        lengths = huffman.lengths(np.bincount(message, minlength=symbols) + (rng.random(symbols) < 0.3))
        if not lengths.any():
            continue
        data, count = huffman.encode(message, lengths), message.size
        writer = bits.Writer()
        writer.add(*huffman.write_table(lengths))
        table = writer.finish()
        match rng.integers(0, 4):
            case 0:
                table = mutated(rng, table)
            case 1:
                count = max(0, count + int(rng.integers(-3, 4)))
                data = mutated(rng, data)
            case _:
                data = mutated(rng, data)
        try:
            found = huffman.decode(data, count, huffman.read_table(bits.Reader(table), symbols))
            assert found.shape == (count,)
            assert not count or found.max() < symbols
        except InputError:
            refused += 1
    return refused


def models() -> list[bytes]:
    """Model files with tables and streams of every form, in one block and in several."""
    rng = np.random.default_rng(0)
    bias = np.rint(rng.standard_normal(60) * 20).astype(np.int64)
    coded = Layer.from_indices((rng.random((60, 9)) < 0.1).astype(np.int64), [0, 5], bias)
    structured = np.where(rng.random((40, 30)) < 0.3, rng.integers(1, 8, (40, 30)), 0)
    structured[5:25], structured[:, 3:9] = 0, 0
    lists = [
        (random_layer(rng, 12, 9, 0.2), random_layer(rng, 5, 12, 0.9)),
        (coded, random_layer(rng, 20, 60, 0.15)),
        (Layer.from_indices(structured, [0, *range(-9, -2)], np.zeros(40, np.int64)),),
        (random_layer(rng, 90, 120, 0.45),),
        (random_layer(rng, 50, 100, 0.95),),
    ]
    return [encode(Model(layers=layers)) for layers in lists]


def mutate_models(seed: int, mutations: int) -> int:
    """Damage model files under good checksums; how many were refused."""
    rng = np.random.default_rng(seed)
    sound = models()
    small = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 4]
    refused = 0
    for _ in range(mutations):
        data = sound[small[int(rng.integers(0, len(small)))]]
        near = 20 + int(rng.integers(0, 80)) if rng.random() < 0.5 else 20
        body = mutated(rng, data[:-4], min(near, len(data) - 5))
        body = body[:12] + struct.pack("<Q", len(body) + 4) + body[20:]
        try:
            check(decode(body + struct.pack("<I", zlib.crc32(body))), 40)
        except TamisError:
            refused += 1
    return refused


def test_damaged_codes_raise_nothing_else() -> None:
    assert mutate_codes(0, FEW) > FEW // 4


def test_damaged_models_raise_nothing_else() -> None:
    assert mutate_models(0, FEW) > FEW // 4


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_many_damaged_codes_raise_nothing_else(seed: int) -> None:
    assert mutate_codes(seed, MANY) > MANY // 4


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_many_damaged_models_raise_nothing_else(seed: int) -> None:
    assert mutate_models(seed, MANY) > MANY // 4
