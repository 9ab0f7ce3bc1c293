"""Payloads of requests: loads, activations and outputs, cut so that they keep to a device's limit."""

from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from golden import protocol
from golden.activations import parts
from golden.geometry import Geometry
from golden.image import pieces
from golden.memories import Memory

Int16Array = NDArray[np.int16]
OUTPUT_BYTES = 2


def of_image(image: bytes, limit: int, start: int = 0) -> tuple[list[bytes], list[int]]:
    """Payloads of DATA, and the image bytes taken before each of them and at the end.

    Parameters
    ----------
    image : bytes
        An image, or whole sections of one.
    limit : int
        Bytes of the longest payload.
    start : int
        Bytes of the image before these.
    """
    cut = list(pieces(image, limit - protocol.DATA.size))
    ends = list(accumulate(map(len, cut), initial=start))
    return [protocol.DATA.pack(start) + piece for start, piece in zip(ends, cut, strict=False)], ends


def of_activations(
    geometry: Geometry, file: int, slot: int, pe: int, values: Int16Array, limit: int
) -> list[bytes]:
    """Payloads of ACTIVATIONS."""
    return [
        _place(geometry, file, slot, pe + part.start, part.places, part.size) + part.data
        for part in parts(values, limit - protocol.PLACE.size)
    ]


def of_outputs(geometry: Geometry, file: int, slot: int, pe: int, count: int, limit: int) -> list[bytes]:
    """Payloads of OUTPUTS; the replies have a code byte and `OUTPUT_BYTES` for each output."""
    room = (limit - 1) // OUTPUT_BYTES
    return [
        _place(geometry, file, slot, pe + start, min(room, count - start), OUTPUT_BYTES)
        for start in range(0, count, room)
    ]


def _place(geometry: Geometry, file: int, slot: int, pe: int, count: int, size: int) -> bytes:
    """Of `count` activations from PE `pe` of a slot on, which may lie behind the slot's last PE."""
    slot, pe = divmod(slot * geometry.pes + pe, geometry.pes)
    address = file * geometry.activations + slot
    return protocol.PLACE.pack(Memory.ACTIVATIONS, size, pe, address, count)
