"""Step descriptors: what the central control executes, and the words it broadcasts to the PEs.

A *step* scans a range of slots of the source activation file, multiplies the columns found there,
and may then *drain*: add the bias, requantise, and write activations to the other file. A layer that
fits is one step. A row tile adds a drain per tile; a column tile or an entry chunk that is not the
last of its row tile drains nothing (drain_rows = 0) and leaves its sums in the accumulators.

A descriptor is five 32-bit words (fields below, least significant first) in an eight-word place of
the step memory; words five to seven are reserved and zero. The control broadcasts the words in the
order Layer, Pointers, Scan, then the activations found, then Drain, Finish.
"""

from dataclasses import dataclass
from enum import IntEnum

WORDS_PER_STEP = 8


class Token(IntEnum):
    """Kinds of broadcast token; the payload has 32 bits, or 48 with `scan_width` 2."""

    ACTIVATION = 0
    """One activation, or two if `scan_width` is 2 (of which one may be zero)."""
    LAYER = 1
    SCAN = 2
    POINTERS = 3
    DRAIN = 4
    FINISH = 5


FIELDS: dict[Token, tuple[tuple[str, int], ...]] = {
    Token.ACTIVATION: (
        ("activation", 16),
        ("place", 16),  # activation words before this one in the step, counted over all PEs
        ("second", 16),  # activation of the word's second slot, only with scan_width 2
    ),
    Token.LAYER: (
        ("index_bits", 4),  # weight-index bits of an entry; the rest is zero run
        ("codebook_base", 12),  # first codebook entry; a multiple of 2**index_bits
        ("bank", 1),  # half of the memories that this step uses; must be committed
        ("short_lengths", 1),  # 1: eight 4-bit lengths a pointer word; 0: four 8-bit lengths
        ("reserved", 14),
    ),
    Token.SCAN: (
        ("first_word", 12),  # first activation word (scan_width slots) of the scan
        ("words", 13),  # activation words to scan, 0 for none
        ("source", 1),  # activation file that is scanned
        ("wait", 1),  # a slot may be read only once a drain has written it since the last restart
        ("restart", 1),  # first step of a layer: forget which slots of the other file were written
        ("reserved", 4),
    ),
    Token.POINTERS: (
        ("pointer_base", 16),  # pointer word of the step's first column
        ("threshold", 16),  # an activation counts as zero if its magnitude does not exceed this
    ),
    Token.DRAIN: (
        ("drain_rows", 13),  # accumulators to drain, from 0; zero for none
        ("destination_slot", 12),  # slot of the other file that receives accumulator 0
        ("shift", 6),
        ("relu", 1),
    ),
    Token.FINISH: (
        ("bias_address", 16),  # sparse-matrix word of accumulator 0's bias
        ("bias_words", 3),  # words per bias, little-endian, sign-extended; 0: no bias
        ("destination", 1),  # activation file that is written
        ("final", 1),  # set by the control on the last step of a run, never in the image
        ("reserved", 11),
    ),
}

ORDER = (Token.LAYER, Token.POINTERS, Token.SCAN, Token.DRAIN, Token.FINISH)
"""Word i of a descriptor is the payload of token ORDER[i]."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step descriptor; see `FIELDS` for the meaning and width of each field."""

    index_bits: int
    codebook_base: int = 0
    bank: int = 0
    short_lengths: int = 0
    first_word: int = 0
    words: int = 0
    source: int = 0
    wait: int = 0
    restart: int = 1
    pointer_base: int = 0
    threshold: int = 0
    drain_rows: int = 0
    destination_slot: int = 0
    shift: int = 0
    relu: int = 0
    bias_address: int = 0
    bias_words: int = 0
    destination: int = 1

    def encode(self) -> list[int]:
        """The eight 32-bit words of this step.

        Raises
        ------
        ValueError
            For a field out of range.

        >>> Step.decode(Step(index_bits=4, words=3).encode()) == Step(index_bits=4, words=3)
        True
        """
        words = []
        for token in ORDER:
            word, position = 0, 0
            for name, width in FIELDS[token]:
                value = 0 if name in ("reserved", "final") else getattr(self, name)
                if not 0 <= value < 1 << width:
                    raise ValueError(f"{name} must be from 0 to {(1 << width) - 1}, not {value!r}")
                word |= value << position
                position += width
            words.append(word)
        return words + [0] * (WORDS_PER_STEP - len(words))

    @classmethod
    def decode(cls, words: list[int]) -> "Step":
        """Inverse of `encode`."""
        values = {}
        for token, word in zip(ORDER, words, strict=False):
            for name, width in FIELDS[token]:
                values[name] = word & ((1 << width) - 1)
                word >>= width
        values.pop("reserved")
        values.pop("final")
        return cls(**values)
