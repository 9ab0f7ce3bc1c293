"""The memories of an engine as the load and readback paths name them."""

from enum import IntEnum

from golden.geometry import ACTIVATION_BITS, WEIGHT_BITS, Geometry
from golden.steps import WORDS_PER_STEP

ALL_PES = 0xFFFF
"""PE number that addresses every PE at once (writes only)."""


class Memory(IntEnum):
    """Kinds of memory; the value is the code on the load bus, in images and on the link."""

    MATRIX = 0
    POINTERS = 1
    """Address = pointer word * pieces + piece."""
    CODEBOOK = 2
    ACTIVATIONS = 3
    """Address = file * activations + slot."""
    ACCUMULATORS = 4
    STEPS = 5
    """In the central control; PE number ignored."""
    COUNTERS = 6
    """Read only: word 0 is the number of activations that saturated, modulo 2**16."""


def word_bits(geometry: Geometry, memory: Memory) -> int:
    """Width of one word of `memory`."""
    return {
        Memory.MATRIX: geometry.word_bits,
        Memory.POINTERS: geometry.piece_bits,
        Memory.CODEBOOK: WEIGHT_BITS,
        Memory.ACTIVATIONS: ACTIVATION_BITS,
        Memory.ACCUMULATORS: geometry.accumulator_bits,
        Memory.STEPS: 32,
        Memory.COUNTERS: 16,
    }[memory]


def word_bytes(geometry: Geometry, memory: Memory) -> int:
    """Bytes of one word in an image or on the link, little-endian, zero-padded.

    >>> word_bytes(Geometry(pes=4), Memory.POINTERS)
    6
    """
    return -(-word_bits(geometry, memory) // 8)


def depth(geometry: Geometry, memory: Memory) -> int:
    """Words of `memory` in each PE (in the control for STEPS)."""
    return {
        Memory.MATRIX: geometry.matrix_words,
        Memory.POINTERS: geometry.pointer_words * geometry.pointer_pieces,
        Memory.CODEBOOK: geometry.codebook_entries,
        Memory.ACTIVATIONS: 2 * geometry.activations,
        Memory.ACCUMULATORS: geometry.accumulators,
        Memory.STEPS: geometry.steps * WORDS_PER_STEP,
        Memory.COUNTERS: 1,
    }[memory]
