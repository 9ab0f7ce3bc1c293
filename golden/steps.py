"""Step descriptors: what the central control executes, and the tokens that it broadcasts for it.

A *step* scans a range of slots of the source activation file, multiplies the columns found there,
and may then *drain*: add the bias, requantise, and write activations to the other file. A layer that
fits is one step. A row tile adds a drain per tile; a column tile or an entry chunk that is not the
last of its row tile drains nothing (drain_rows = 0) and leaves its sums in the accumulators.

A descriptor is five 32-bit words (fields below, least significant first) in an eight-word place of
the step memory; words five to seven are reserved and zero. Of a step the control broadcasts a Begin,
the activations found, and a Finish. Begin carries what has to stay in order with the activations; all
other settings stand on lines to the PEs that change between steps only.
"""

from dataclasses import dataclass
from enum import IntEnum

from golden.geometry import ACTIVATION_BITS, Geometry, bits_for
from golden.pointers import group_columns

WORDS_PER_STEP = 8
POSITION_BITS = 3
"""Bits that name a nibble of a pointer word's lengths."""


class Token(IntEnum):
    """Kinds of broadcast token."""

    ACTIVATION = 0
    """One activation, or two if `scan_width` is 2 (of which one may be zero)."""
    BEGIN = 1
    """Settings of the activations that follow; the scan starts."""
    FINISH = 2
    """No more activations: drain. It carries nothing."""


class Part(IntEnum):
    """Words of a descriptor."""

    LAYER = 0
    POINTERS = 1
    SCAN = 2
    DRAIN = 3
    FINISH = 4


FIELDS: dict[Part, tuple[tuple[str, int], ...]] = {
    Part.LAYER: (
        ("index_bits", 4),  # weight-index bits of an entry; the rest is zero run
        ("codebook_base", 12),  # first codebook entry; a multiple of 2**index_bits
        ("bank", 1),  # half of the memories that this step uses; must be committed
        ("short_lengths", 1),  # 1: eight 4-bit lengths a pointer word; 0: four 8-bit lengths
        ("reserved", 14),
    ),
    Part.POINTERS: (
        ("pointer_base", 16),  # pointer word of the step's first column
        ("threshold", 16),  # an activation counts as zero if its magnitude does not exceed this
    ),
    Part.SCAN: (
        ("first_word", 12),  # first activation word (scan_width slots) of the scan
        ("words", 13),  # activation words to scan, 0 for none
        ("source", 1),  # activation file that is scanned
        ("wait", 1),  # a slot may be read only once the drain in progress has written it
        ("restart", 1),  # first step of a layer; for checks, the gateware does not look at it
        ("reserved", 4),
    ),
    Part.DRAIN: (
        ("drain_rows", 13),  # accumulators to drain, from 0; zero for none
        ("destination_slot", 12),  # slot of the other file that receives accumulator 0
        ("shift", 6),
        ("relu", 1),
    ),
    Part.FINISH: (
        ("bias_address", 16),  # sparse-matrix word of accumulator 0's bias
        ("bias_words", 3),  # words per bias, little-endian, sign-extended; 0: no bias
        ("destination", 1),  # activation file that is written
        ("reserved", 12),
    ),
}


def token_fields(token: Token, geometry: Geometry) -> tuple[tuple[str, int], ...]:
    """Fields of a token's payload and their bits, least significant first.

    `address` is where the pointer word of an activation's column begins in the pointer memory, `position` the
    first nibble of its length there; with `scan_width` 2 both are those of the first of two neighbours, and
    `position` is halved. `scans` says that a Begin starts a scan: one that does not may come late, when the
    settings of the next scan are on their lines already.

    >>> token_fields(Token.BEGIN, Geometry(codebook_entries=64))
    (('index_bits', 4), ('codebook_base', 6), ('short_lengths', 1), ('scans', 1))
    """
    if token is Token.BEGIN:
        base_bits = bits_for(geometry.codebook_entries - 1)
        return (("index_bits", 4), ("codebook_base", base_bits), ("short_lengths", 1), ("scans", 1))
    if token is Token.FINISH:
        return ()
    second = (("second", ACTIVATION_BITS),) if geometry.scan_width > 1 else ()
    return (
        ("activation", ACTIVATION_BITS),
        *second,
        ("address", bits_for(geometry.pointer_words * geometry.pointer_pieces - 1)),
        ("position", POSITION_BITS + 1 - geometry.scan_width),
    )


def pack_token(token: Token, geometry: Geometry, **values: int) -> int:
    """Payload of a token; bits that do not fit a field are lost, as in the gateware.

    >>> pack_token(Token.BEGIN, Geometry(), index_bits=4, codebook_base=0x30, short_lengths=1)
    4868
    """
    payload = position = 0
    for name, width in token_fields(token, geometry):
        payload |= (values.get(name, 0) & ((1 << width) - 1)) << position
        position += width
    return payload


def locate(place: int, pointer_base: int, short: int, scan_width: int) -> tuple[int, int]:
    """`address` and `position` of activation word number `place` of a step.

    >>> locate(9, 100, short=1, scan_width=1), locate(9, 100, short=0, scan_width=1)
    ((101, 1), (102, 2))
    """
    columns = group_columns(short)
    group, column = divmod(place * scan_width, columns)
    return pointer_base + group, column * (2**POSITION_BITS // columns) // scan_width


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
        for part in Part:
            word, position = 0, 0
            for name, width in FIELDS[part]:
                value = 0 if name == "reserved" else getattr(self, name)
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
        for part, word in zip(Part, words, strict=False):
            for name, width in FIELDS[part]:
                values[name] = word & ((1 << width) - 1)
                word >>= width
        values.pop("reserved")
        return cls(**values)
