"""Loads of images over the line, in code where the board decodes and where that saves bytes."""

from functools import lru_cache

from golden.coded import Batch, batches, uncoded
from golden.protocol import Capability, Identity

KEPT_IMAGES = 64
"""Images whose requests are kept: a streamed model loads the same ones for every input."""


def requests_of(image: bytes, identity: Identity) -> tuple[Batch, ...]:
    """The requests that bring an image to a board, between BEGIN and COMMIT."""
    return _requests(image, identity.payload_limit, bool(identity.capabilities & Capability.CODED_LOADS))


@lru_cache(KEPT_IMAGES)
def _requests(image: bytes, limit: int, coded: bool) -> tuple[Batch, ...]:
    return tuple(batches(image, limit)) if coded else (uncoded(image, limit),)


@lru_cache(KEPT_IMAGES)
def uncoded_bytes(image: bytes, limit: int) -> int:
    """Bytes on the wire of the requests that bring an image as it is.

    >>> uncoded_bytes(bytes(100), 176)
    113
    """
    return uncoded(image, limit).wire_bytes
