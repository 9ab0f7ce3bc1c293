"""Payloads of requests: loads, activations and outputs, cut so that they keep to a device's limit."""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from golden import protocol
from golden.activations import Part, parts
from golden.geometry import Geometry
from golden.image import pieces
from golden.memories import Memory
from golden.protocol import Request

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
    first = _address(geometry, file, slot) * geometry.pes + pe
    return [_values(geometry, first, part) for part in parts(values, limit - protocol.ACTIVATIONS.size)]


def of_outputs(geometry: Geometry, file: int, slot: int, pe: int, count: int, limit: int) -> list[bytes]:
    """Payloads of OUTPUTS; the replies have a code byte and `OUTPUT_BYTES` for each output."""
    room = (limit - 1) // OUTPUT_BYTES
    first = _address(geometry, file, slot) * geometry.pes + pe
    return [
        _place(geometry, first + start, min(room, count - start), OUTPUT_BYTES)
        for start in range(0, count, room)
    ]


def of_inference(
    geometry: Geometry,
    writes: Sequence[tuple[int, int, Int16Array]],
    steps: tuple[int, int],
    reads: Sequence[tuple[int, int, int]],
    limit: int,
) -> list[tuple[Request, bytes]]:
    """Requests of one input: ACTIVATIONS if one request is too short, INFER, OUTPUTS likewise.

    Parameters
    ----------
    geometry : Geometry
    writes : sequence of (file, slot, values)
        What is written from PE 0 on; at least one value.
    steps : tuple of int
        First and last step.
    reads : sequence of (file, slot, count)
        What is read from PE 0 on; at least one.
    limit : int
        Bytes of the longest payload.

    Returns
    -------
    list of (Request, bytes)
        The replies to INFER and OUTPUTS have the outputs, in order; that to INFER begins with `OUTCOME`.
    """
    pieces: list[tuple[int, Int16Array]] = []
    for file, slot, values in writes:
        first = _address(geometry, file, slot) * geometry.pes
        if pieces and pieces[-1][0] + pieces[-1][1].size == first:  # one file goes on in the other
            pieces[-1] = (pieces[-1][0], np.concatenate([pieces[-1][1], values]))
        else:
            pieces.append((first, values))
    cut = [
        (first, part) for first, values in pieces for part in parts(values, limit - protocol.ACTIVATIONS.size)
    ]
    room = limit - protocol.PLACE.size - protocol.STEPS.size - protocol.ACTIVATIONS.size
    if len(cut[-1][1].data) > room:
        (first, part), values = cut.pop(), pieces[-1][1]
        cut += [(first + part.start, shorter) for shorter in parts(values[part.start :], room)]
    payloads = [_values(geometry, first, part) for first, part in cut]
    outputs = [
        data for file, slot, count in reads for data in of_outputs(geometry, file, slot, 0, count, limit)
    ]
    return [
        *((Request.ACTIVATIONS, payload) for payload in payloads[:-1]),
        (Request.INFER, outputs[0] + protocol.STEPS.pack(*steps) + payloads[-1]),
        *((Request.OUTPUTS, payload) for payload in outputs[1:]),
    ]


def _address(geometry: Geometry, file: int, slot: int) -> int:
    return file * geometry.activations + slot


def _values(geometry: Geometry, first: int, part: Part) -> bytes:
    """Of activations, the one with index 0 at `first`: as many places behind PE 0 of address 0."""
    address, pe = divmod(first + part.start, geometry.pes)
    return protocol.ACTIVATIONS.pack(part.form, pe, address) + part.data


def _place(geometry: Geometry, first: int, count: int, size: int) -> bytes:
    """Of `count` activations, the first so many places behind PE 0 of address 0."""
    address, pe = divmod(first, geometry.pes)
    return protocol.PLACE.pack(Memory.ACTIVATIONS, size, pe, address, count)
