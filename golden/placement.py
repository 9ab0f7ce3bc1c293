"""Placement: which PE and which slot hold each row of a layer, and so each element of its output vector.

A layer's output stays where its rows are, so the next layer names its columns (slot, PE) under the
producer's placement: column = slot * pes + PE. Unused places read as zero. The host arranges the
first input and restores the order of the last output.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.errors import InputError


@dataclass(frozen=True, eq=False)
class Placement:
    """A place for every element of a vector.

    Parameters
    ----------
    pes : int
        Processing elements.
    pe, slot : array of int32, shape (rows,)
        PE and slot of each element; no place is used twice.

    Raises
    ------
    InputError
        If a place does not exist or is used twice.

    Examples
    --------
    >>> placement = interleaved(rows=5, pes=3)
    >>> placement.slots, placement.column_names().tolist()
    (2, [0, 1, 2, 3, 4])
    >>> placement.arrange([1, 2, 3, 4, 5]).tolist()
    [[1, 2, 3], [4, 5, 0]]
    """

    pes: int
    pe: NDArray[np.int32]
    slot: NDArray[np.int32]

    def __post_init__(self) -> None:
        object.__setattr__(self, "pe", np.asarray(self.pe, dtype=np.int32))
        object.__setattr__(self, "slot", np.asarray(self.slot, dtype=np.int32))
        check(self)

    @property
    def rows(self) -> int:
        """Elements of the vector."""
        return int(self.pe.size)

    @property
    def slots(self) -> int:
        """Slots that each PE needs for this vector."""
        return int(self.slot.max(initial=-1)) + 1

    def column_names(self) -> NDArray[np.int64]:
        """Name of each element's place: slot * pes + PE; the columns of the layer that reads this vector."""
        return self.slot.astype(np.int64) * self.pes + self.pe

    def columns(self, scan_width: int) -> NDArray[np.int64]:
        """Column that each row is for the next layer: counted by activation word, PE, slot within the word.

        >>> Placement(2, np.array([0, 1, 0]), np.array([0, 0, 1])).columns(2).tolist()
        [0, 2, 1]
        """
        slot = self.slot.astype(np.int64)
        word, lane = slot // scan_width, slot % scan_width
        columns: NDArray[np.int64] = (word * self.pes + self.pe) * scan_width + lane
        return columns

    def arrange(self, values: Any) -> NDArray[Any]:
        """Put values in their places.

        Parameters
        ----------
        values : array, shape (..., rows)

        Returns
        -------
        array, shape (..., slots, pes)
            Zero in unused places.
        """
        values = np.asarray(values)
        arranged = np.zeros((*values.shape[:-1], self.slots, self.pes), dtype=values.dtype)
        arranged[..., self.slot, self.pe] = values
        return arranged

    def restore(self, arranged: Any) -> NDArray[Any]:
        """Inverse of `arrange`; further slots are ignored.

        >>> interleaved(4, 3).restore([[1, 2, 3], [4, 0, 0]]).tolist()
        [1, 2, 3, 4]
        """
        restored: NDArray[Any] = np.asarray(arranged)[..., self.slot, self.pe]
        return restored


def check(placement: Placement) -> None:
    """Refuse a placement that names a place outside the engine, or one place twice."""
    if placement.pe.shape != placement.slot.shape or placement.pe.ndim != 1:
        raise InputError(
            f"a placement needs one PE and one slot a row, not shapes {placement.pe.shape} and "
            f"{placement.slot.shape}"
        )
    if placement.rows == 0:
        return
    outside = placement.pe[(placement.pe < 0) | (placement.pe >= placement.pes)]
    if outside.size:
        raise InputError(f"a placement names PE {outside[0]}, but PEs go from 0 to {placement.pes - 1}")
    if placement.slot.min() < 0:
        raise InputError(f"a placement names slot {placement.slot.min()}; slots start at 0")
    if np.unique(placement.column_names()).size != placement.rows:
        raise InputError("a placement puts two rows in one place; give each row its own PE and slot")


def interleaved(rows: int, pes: int) -> Placement:
    """EIE's placement: row i in slot i div pes of PE i mod pes."""
    row = np.arange(rows, dtype=np.int32)
    return Placement(pes, row % pes, row // pes)
