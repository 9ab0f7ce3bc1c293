"""The shape of one engine: a single parameter object that golden, gateware and host share."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

ACTIVATION_BITS = 16
WEIGHT_BITS = 16
LENGTHS_BITS = 32
"""Bits of a pointer word that hold column lengths; see `golden.pointers`."""
PIECES = 3
"""Parts of a pointer word in a narrow memory: the lower lengths, the upper ones, and the base."""


def bits_for(largest: int) -> int:
    """Bits of an unsigned field that holds 0 to `largest`; at least 1.

    >>> bits_for(0), bits_for(255), bits_for(256)
    (1, 8, 9)
    """
    return max(1, int(largest).bit_length())


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Sizes of an engine. All memories are counted per processing element (PE) unless noted.

    Parameters
    ----------
    pes : int
        Processing elements, 1 to 256, any integer.
    queue_depth : int
        Activations that a PE's activation queue holds, 1 to 256.
    entry_bits : int
        Bits of one stored entry (weight index and zero run), 8 or 9.
    word_entries : int
        Entries in one word of the sparse-matrix memory: 1, 2 or 4.
    matrix_words : int
        Words of the sparse-matrix memory, 2 to 65536; a streamed model uses it in two halves.
    pointer_words : int
        Words of the pointer memory, 2 to 65536.
    accumulators : int
        Rows that a PE accumulates at once, 2 to 4096.
    activations : int
        Slots of each of the two activation files, 2 to 4096; a multiple of `scan_width`.
    accumulator_bits : int
        Width A of an accumulator; sums are modulo 2**A. 24 to 40.
    codebook_entries : int
        Codebook values that a PE holds, all layers together, 2 to 4096.
    steps : int
        Step descriptors that the central control holds, 2 to 256.
    scan_width : int
        Slots that a nonzero-detection leaf looks at in one cycle, and activations of one PE that a
        broadcast carries at most: 1 or 2.
    padding_zeros : bool
        A gap too long for an entry's run takes EIE's padding zeros, each of which costs a cycle, instead of
        an escape, which shares the cycle of its weight.
    empty_columns : bool
        A column without entries in a PE goes through its queue and costs it a cycle, as in EIE, instead of
        being dropped before the queue.
    output_registers : bool
        Registers behind block RAM and multipliers, for fast clocks; False saves logic on chips with
        slow ones.

    Raises
    ------
    ValueError
        For a value out of range.

    Examples
    --------
    >>> g = Geometry(pes=4)
    >>> g.word_bits, g.matrix_entries, g.columns
    (16, 4096, 1024)
    """

    pes: int = 4
    queue_depth: int = 8
    entry_bits: int = 8
    word_entries: int = 2
    matrix_words: int = 2048
    pointer_words: int = 256
    accumulators: int = 256
    activations: int = 256
    accumulator_bits: int = 32
    codebook_entries: int = 256
    steps: int = 32
    scan_width: int = 1
    padding_zeros: bool = False
    empty_columns: bool = False
    output_registers: bool = True

    def __post_init__(self) -> None:
        ranges = {
            "pes": (1, 256),
            "queue_depth": (1, 256),
            "matrix_words": (2, 65536),
            "pointer_words": (2, 65536),
            "accumulators": (2, 4096),
            "activations": (2, 4096),
            "accumulator_bits": (24, 40),
            "codebook_entries": (2, 4096),
            "steps": (2, 256),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{name} must be an integer from {low} to {high}, not {value!r}")
        choices = {"entry_bits": (8, 9), "word_entries": (1, 2, 4), "scan_width": (1, 2)}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, not {getattr(self, name)!r}")
        if self.activations % self.scan_width:
            raise ValueError(
                f"activations must be a multiple of scan_width {self.scan_width}, not {self.activations!r}"
            )
        if self.pointer_words * self.pointer_pieces > 65536:
            raise ValueError(
                f"pointer_words must be at most {65536 // self.pointer_pieces} without output registers, "
                f"not {self.pointer_words!r}"
            )
        if self.columns > 65536:
            raise ValueError(f"pes * activations must be at most 65536, not {self.pes} * {self.activations}")

    @property
    def paper(self) -> bool:
        """Timing of EIE as published: padding zeros and empty columns each cost a cycle."""
        return self.padding_zeros and self.empty_columns

    @property
    def word_bits(self) -> int:
        """Bits of a sparse-matrix word."""
        return self.entry_bits * self.word_entries

    @property
    def matrix_entries(self) -> int:
        """Entries that a PE's sparse-matrix memory holds."""
        return self.matrix_words * self.word_entries

    @property
    def entry_address_bits(self) -> int:
        """Bits that address one entry of the sparse-matrix memory."""
        return bits_for(self.matrix_entries - 1)

    @property
    def pointer_bits(self) -> int:
        """Bits of a pointer word: a base entry address above the lengths."""
        return self.entry_address_bits + LENGTHS_BITS

    @property
    def pointer_pieces(self) -> int:
        """Places of the pointer memory that a pointer word takes, several if the memory is to be narrow."""
        return 1 if self.output_registers else PIECES

    @property
    def piece_bits(self) -> int:
        """Width of the pointer memory."""
        return self.pointer_bits if self.output_registers else max(LENGTHS_BITS // 2, self.entry_address_bits)

    @property
    def columns(self) -> int:
        """Columns that the activation files name: slots times PEs."""
        return self.pes * self.activations

    @property
    def bias_words(self) -> int:
        """Sparse-matrix words that hold one full-width bias."""
        return -(-self.accumulator_bits // self.word_bits)

    @property
    def data_bits(self) -> int:
        """Width of the load and readback buses: the widest memory word."""
        return max(self.word_bits, self.piece_bits, self.accumulator_bits, 32)

    def as_dict(self) -> dict[str, int]:
        """Field names and values, booleans as 0 or 1, in declaration order."""
        return {f.name: int(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, int]) -> "Geometry":
        """Inverse of `as_dict`.

        Raises
        ------
        ValueError
            For a value out of range.
        """
        sizes: dict[str, Any] = dict(values)
        flags = {f.name: bool(sizes.pop(f.name)) for f in fields(cls) if f.type is bool}
        return cls(**sizes, **flags)
