"""Widths and depths of the memories."""

from dataclasses import replace

import pytest

from golden.geometry import Geometry
from golden.memories import Memory, depth, word_bits, word_bytes

GEOMETRY = Geometry(
    pes=3, entry_bits=9, word_entries=4, matrix_words=100, pointer_words=20, accumulators=30,
    activations=40, accumulator_bits=33, codebook_entries=50, steps=6,
)  # fmt: skip


@pytest.mark.parametrize(
    ("memory", "bits", "size", "words"),
    [
        (Memory.MATRIX, 36, 5, 100),
        (Memory.POINTERS, 32 + 9, 6, 20),
        (Memory.CODEBOOK, 16, 2, 50),
        (Memory.ACTIVATIONS, 16, 2, 80),
        (Memory.ACCUMULATORS, 33, 5, 30),
        (Memory.STEPS, 32, 4, 48),
        (Memory.COUNTERS, 16, 2, 1),
    ],
)
def test_widths_and_depths_come_from_the_geometry(memory, bits, size, words):
    assert word_bits(GEOMETRY, memory) == bits
    assert word_bytes(GEOMETRY, memory) == size
    assert depth(GEOMETRY, memory) == words


def test_a_pointer_word_takes_three_places_without_output_registers():
    geometry = replace(GEOMETRY, output_registers=False)
    assert (word_bits(geometry, Memory.POINTERS), depth(geometry, Memory.POINTERS)) == (16, 60)


def test_the_load_bus_carries_every_word():
    assert all(word_bits(GEOMETRY, memory) <= GEOMETRY.data_bits for memory in Memory)
    assert all(memory < 8 for memory in Memory)
