"""Filling an image: where the entries, biases, pointers, codebooks and descriptors of steps go in a bank."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from golden import pointers
from golden.errors import UnsupportedError
from golden.geometry import Geometry
from golden.image import Image, ImageBuilder, bank_range
from golden.layers import Layer
from golden.memories import ALL_PES, Memory
from golden.protocol import WHOLE
from golden.steps import WORDS_PER_STEP, Step
from golden.tiles import Chunk, Tile, round_up

IntArray = NDArray[np.int64]


def pack_entries(entries: NDArray[np.uint16], geometry: Geometry) -> IntArray:
    """Matrix words of consecutive entries, the first of a word lowest; the last word is filled with zeros.

    >>> [hex(word) for word in pack_entries(np.array([1, 2, 3]), Geometry(word_entries=2))]
    ['0x201', '0x3']
    """
    width = geometry.word_entries
    padded = np.zeros(round_up(entries.size, width), dtype=np.int64)
    padded[: entries.size] = entries
    shifts = np.arange(width, dtype=np.int64) * geometry.entry_bits
    words: IntArray = (padded.reshape(-1, width) << shifts).sum(axis=1)
    return words


class ImageFiller:
    """Fills one bank with steps.

    Each PE's entries grow from the bottom of the matrix memory, every step's from a fresh word. Biases, whose
    address is the same on every PE, grow from its top. Identical codebooks are stored once.

    Parameters
    ----------
    geometry : Geometry
    bank : int
        0, 1 or `golden.protocol.WHOLE`.

    Attributes
    ----------
    first_step, steps : int
        The bank's first step and the number of steps added.
    drained : int
        Activations that each PE writes when all steps have run.
    bytes_written : int
        Bytes of the words so far, without section headers.
    """

    def __init__(self, geometry: Geometry, bank: int) -> None:
        self.geometry, self.bank = geometry, bank
        self.owned = {memory: bank_range(geometry, memory, bank) for memory in Memory}
        self.first_step = self.owned[Memory.STEPS].start // WORDS_PER_STEP
        self.steps = self.drained = 0
        self._builder = ImageBuilder(geometry)
        self._free = {memory: owned.start for memory, owned in self.owned.items()}
        self._matrix = np.full(geometry.pes, self.owned[Memory.MATRIX].start, dtype=np.int64)
        self._bias = self.owned[Memory.MATRIX].stop
        self._codebooks: dict[bytes, int] = {}

    @property
    def bytes_written(self) -> int:
        """See the class."""
        return self._builder.bytes_written

    def add(self, layer: Layer, tile: Tile, chunk: Chunk, step: Step) -> None:
        """Add one step: `step` completed by all that follows from the layer, the chunk and the addresses.

        Raises
        ------
        UnsupportedError
            If a memory is full.
        """
        lengths = tile.lengths[:, chunk.first * tile.word_columns : chunk.last * tile.word_columns]
        step = replace(
            step,
            index_bits=layer.index_bits,
            codebook_base=self._add_codebook(layer),
            bank=self.bank & 1,
            short_lengths=chunk.short,
            words=chunk.last - chunk.first,
            pointer_base=self._add_pointers(lengths, chunk.short),
        )
        self._add_entries(tile, chunk)
        if chunk.drain:
            step = replace(
                step,
                drain_rows=tile.drain_rows,
                shift=layer.shift,
                relu=int(layer.relu),
                bias_address=self._add_biases(tile) if tile.bias_words else 0,
                bias_words=tile.bias_words,
            )
            self.drained += tile.drain_rows
        self._builder.write(Memory.STEPS, 0, self._take(Memory.STEPS, WORDS_PER_STEP), step.encode())
        self.steps += 1

    def image(self) -> Image:
        """The image of all steps added."""
        return Image(self.geometry, self.bank, self._builder.payload())

    def _take(self, memory: Memory, words: int) -> int:
        address = self._free[memory]
        self._require(memory, address + words - self.owned[memory].start)
        self._free[memory] = address + words
        return address

    def _require(self, memory: Memory, words: int) -> None:
        if words > len(self.owned[memory]):
            half = "" if self.bank == WHOLE else "half of "
            raise UnsupportedError(
                f"{words} words or more of {memory.name.lower()} are needed, and {half}the memory holds "
                f"{len(self.owned[memory])}; use an engine with larger memories"
            )

    def _add_codebook(self, layer: Layer) -> int:
        values = layer.codebook.astype("<i2")
        key = values.tobytes()
        if key not in self._codebooks:
            size = 1 << layer.index_bits
            self._free[Memory.CODEBOOK] = round_up(self._free[Memory.CODEBOOK], size)
            self._codebooks[key] = self._take(Memory.CODEBOOK, size)
            self._builder.write(Memory.CODEBOOK, ALL_PES, self._codebooks[key], values)
        return self._codebooks[key]

    def _add_pointers(self, lengths: IntArray, short: int) -> int:
        pieces = self.geometry.pointer_pieces
        words = pointers.pack(lengths, self._matrix * self.geometry.word_entries, short)
        words = pointers.split(words, pieces)
        address = self._take(Memory.POINTERS, words.shape[1])
        for pe in range(self.geometry.pes):
            self._builder.write(Memory.POINTERS, pe, address, words[pe])
        return address // pieces if words.size else 0

    def _add_entries(self, tile: Tile, chunk: Chunk) -> None:
        for pe in range(self.geometry.pes):
            words = pack_entries(tile.slice(pe, chunk), self.geometry)
            self._builder.write(Memory.MATRIX, pe, int(self._matrix[pe]), words)
            self._matrix[pe] += words.size
        self._require_matrix()

    def _add_biases(self, tile: Tile) -> int:
        self._bias -= tile.drain_rows * tile.bias_words
        self._require_matrix()
        shifts = np.minimum(np.arange(tile.bias_words) * self.geometry.word_bits, 63)
        words = (tile.bias[:, :, np.newaxis] >> shifts).reshape(self.geometry.pes, -1)
        for pe in range(self.geometry.pes):
            self._builder.write(Memory.MATRIX, pe, self._bias, words[pe])
        return self._bias

    def _require_matrix(self) -> None:
        owned = self.owned[Memory.MATRIX]
        self._require(Memory.MATRIX, int(self._matrix.max()) - owned.start + owned.stop - self._bias)
