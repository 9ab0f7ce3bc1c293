"""March tests: every word of a memory is written and read in a fixed order, through image loads and READ.

The elements are those of March C- (van de Goor, "Testing Semiconductor Memories", 1991), with the
background D(address) instead of all zeros:

    write D; up(read D, write ~D); up(read ~D, write D);
    down(read D, write ~D); down(read ~D, write D); read D

A word's background depends on memory, PE and address, so a word that answers for another is seen, and so is
a load that goes astray. An element goes block by block, a block being what one reply can hold: it
reads the block, then writes it, in ascending addresses or in descending ones, one word at a time.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from golden.geometry import Geometry
from golden.image import SECTION, words_to_bytes
from golden.memories import Memory, depth, word_bits, word_bytes
from golden.protocol import WHOLE
from host.driver import Driver

WordArray = NDArray[np.uint64]

MARCHED = tuple(memory for memory in Memory if memory is not Memory.COUNTERS)
"""Memories that a load can write."""
SHOWN = 3
"""Wrong words that a report names."""
MULTIPLIER = 0x9E3779B97F4A7C15
"""Odd, so that a word's low bits name its address without collision."""
ELEMENTS = (
    ("write D up", False, None, False),
    ("up: read D, write ~D", False, False, True),
    ("up: read ~D, write D", False, True, False),
    ("down: read D, write ~D", True, False, True),
    ("down: read ~D, write D", True, True, False),
    ("read D", False, False, None),
)
"""Name, whether addresses descend, whether what is read and written is inverted (None: nothing is)."""


def rows(geometry: Geometry, memory: Memory) -> int:
    """How many copies of a memory there are: one in each PE, but one step memory.

    >>> rows(Geometry(pes=3), Memory.MATRIX), rows(Geometry(pes=3), Memory.STEPS)
    (3, 1)
    """
    return 1 if memory is Memory.STEPS else geometry.pes


def background(geometry: Geometry, memory: Memory, pe: int, inverted: bool) -> WordArray:
    """The word of each address, shape (depth,).

    >>> low, high = (background(Geometry(pes=2), Memory.CODEBOOK, 1, inverted) for inverted in (False, True))
    >>> len(set(low.tolist())), set((low + high).tolist())
    (256, {65535})
    """
    words = depth(geometry, memory)
    serial = np.arange(words, dtype=np.uint64) + np.uint64(pe * words + 1)
    mask = np.uint64((1 << word_bits(geometry, memory)) - 1)
    pattern: WordArray = (serial * np.uint64(MULTIPLIER) + np.uint64(memory)) & mask
    return pattern ^ mask if inverted else pattern


def march(driver: Driver, memory: Memory, progress: Callable[[], None]) -> str:
    """March one memory of every PE.

    Parameters
    ----------
    driver : Driver
    memory : Memory
    progress : callable
        Called after each of the `steps`.

    Returns
    -------
    str
        Empty if every word read was right; otherwise how many were wrong, and where the first ones are.
    """
    wrong: list[str] = []
    count = 0
    geometry = driver.geometry
    for name, descending, read, written in ELEMENTS:
        for pe in range(rows(geometry, memory)):
            for block in _blocks(driver, memory, descending):
                here = slice(block.start, block.stop)
                if read is not None:
                    expected = background(geometry, memory, pe, read)[here]
                    found = driver.read(memory, pe, block.start, len(block))
                    places = np.flatnonzero(found != expected)
                    count += places.size
                    for i in places[: SHOWN - len(wrong)]:
                        values = f"{int(found[i]):#x} instead of {int(expected[i]):#x}"
                        wrong.append(f"{name}: PE {pe}, address {block.start + i}: {values}")
                if written is not None:
                    words = background(geometry, memory, pe, written)[here]
                    driver.load(WHOLE, _sections(geometry, memory, pe, block.start, words, descending))
                progress()
    return f"{count} words wrong ({'; '.join(wrong)})" if count else ""


def steps(driver: Driver, memory: Memory) -> int:
    """How often `march` reports progress."""
    blocks = sum(1 for _ in _blocks(driver, memory, False))
    return len(ELEMENTS) * rows(driver.geometry, memory) * blocks


def _blocks(driver: Driver, memory: Memory, descending: bool) -> Iterator[range]:
    size = max(1, (driver.identity.payload_limit - 16) // word_bytes(driver.geometry, memory))
    words = depth(driver.geometry, memory)
    starts = range(0, words, size)
    for start in reversed(starts) if descending else starts:
        yield range(start, min(start + size, words))


def _sections(
    geometry: Geometry, memory: Memory, pe: int, address: int, words: WordArray, descending: bool
) -> bytes:
    """An image that writes words, upwards in one section, or downwards with a section for each."""
    size = word_bytes(geometry, memory)
    if not descending:
        return SECTION.pack(memory, size, pe, address, words.size) + words_to_bytes(words, size)
    return b"".join(
        SECTION.pack(memory, size, pe, address + i, 1) + words_to_bytes(words[i : i + 1], size)
        for i in reversed(range(words.size))
    )
