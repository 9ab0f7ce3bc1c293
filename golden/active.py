"""Streamed layers of which only the columns cross the link that an input needs.

A column whose activation is zero adds nothing to any sum, so neither do its weights have to be loaded.
What is left of the layer is named anew, as if the input vector had no zeros, and cut into tiles and chunks
again; the rows stay where they are, so outputs and saturations are those of the whole layer.

Which columns are active the host knows of a first layer's input. Of a later layer's it does if it reads them
back, which `Columns.wants` decides by the bytes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from golden.errors import UnsupportedError
from golden.fixed_point import keep_above
from golden.payloads import OUTPUT_BYTES, of_activations
from golden.placement import Placement
from golden.plan import Plan, Unit, WriteActivations, over_columns
from golden.protocol import PAYLOAD_LIMIT
from golden.tiles import round_up

Int16Array = NDArray[np.int16]
REUSED_IMAGES = 3
"""Images of a plan of which one stays loaded for the next input."""
READ_SHARE = 8
"""Outputs are read back if that takes at most this part of the next layer's image bytes."""


class Columns:
    """Chooses between whole layers and active columns, by the bytes on the link.

    Parameters
    ----------
    plan : Plan
        A streamed one.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._image_bytes = [sum(len(unit.image.payload) for unit in units) for _, units in plan.stages]

    def wants(self, number: int) -> bool:
        """Whether to read back the input of layer `number`, at least 1."""
        places = self._plan.placements[number].rows
        return READ_SHARE * OUTPUT_BYTES * places <= self._image_bytes[number]

    def choose(
        self, number: int, values: Int16Array, bank: int
    ) -> tuple[tuple[Unit, ...], Int16Array] | None:
        """The units of a layer for one input; None if the whole layer takes no more bytes.

        Parameters
        ----------
        number : int
            Of the layer.
        values : array of int16, shape (columns,)
            The layer's input vector, in the order of its elements.
        bank : int
            Of the first image.

        Returns
        -------
        tuple or None
            Units, and the values that they write in their places, shape (slots, pes) with whole words.
        """
        placed, whole = self._plan.stages[number]
        columns = np.flatnonzero(keep_above(values, placed.threshold))
        if columns.size == values.size:
            return None
        columns = columns if columns.size else np.zeros(1, dtype=np.int64)  # a layer has at least one
        try:
            source, units = over_columns(self._plan, number, columns, bank)
        except UnsupportedError:  # the columns that are left are too long to stand beside each other
            return None
        width = self._plan.geometry.scan_width
        left = _arranged(source, values[columns], width)
        taken = sum(len(unit.image.payload) for unit in units) + self._written(units, left)
        own = _arranged(self._plan.placements[number], values, width)
        before = self._image_bytes[number] + self._written(whole, own)
        return (tuple(units), left) if taken < before else None

    def _written(self, units: Sequence[Unit], vector: Int16Array) -> int:
        """Bytes of the activations that units write."""
        blocks = [
            vector[write.first : write.first + write.slots].reshape(-1)
            for unit in units
            for write in unit.writes
            if isinstance(write, WriteActivations)
        ]
        geometry = self._plan.geometry
        return sum(
            len(part) for block in blocks for part in of_activations(geometry, 0, 0, 0, block, PAYLOAD_LIMIT)
        )


def _arranged(placement: Placement, values: Int16Array, width: int) -> Int16Array:
    vector = np.zeros((round_up(placement.slots, width), placement.pes), dtype=np.int16)
    vector[: placement.slots] = placement.arrange(values)
    return vector
