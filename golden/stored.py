"""What a chip that gets memory contents with its bitstream holds for a model: large memories, and requests.

The bitstream fills the memories of the processing elements that are block RAM. What is elsewhere is written
after reset by requests as in flash (`golden.flash`), which lie in a memory of their own. They commit an image
that consists of these parts alone, with a few words more that make its CRC the one of the model's image:
so the device states what it holds, and a host need not load it.
"""

import struct
import zlib
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from golden.errors import UnsupportedError
from golden.flash import contents
from golden.image import SECTION, Image, ImageBuilder, sections
from golden.memories import ALL_PES, Memory, depth, word_bytes
from golden.protocol import PAYLOAD_LIMIT

POLYNOMIAL = 0xEDB88320
ROOM = 2048
"""Bytes of the memory for the requests."""


def patch(prefix: bytes, crc: int) -> bytes:
    """Four bytes that give the CRC-32 of `prefix` and them a value.

    >>> zlib.crc32(b"abc" + patch(b"abc", 0x12345678)) == 0x12345678
    True
    """
    wanted = crc ^ 0xFFFFFFFF
    for _ in range(32):
        wanted = (wanted << 1 ^ (POLYNOMIAL << 1 | 1 if wanted >> 31 else 0)) & 0xFFFFFFFF
    return struct.pack("<I", wanted ^ zlib.crc32(prefix) ^ 0xFFFFFFFF)


def split(
    image: Image, filled: Collection[Memory], payload_limit: int = PAYLOAD_LIMIT
) -> tuple[dict[Memory, NDArray[np.uint64]], bytes]:
    """Contents of the memories that the bitstream fills, shape (PEs, depth), and requests for the rest.

    Parameters
    ----------
    image : Image
        For the whole engine.
    filled : collection of Memory
        None of them the steps, or activations.
    payload_limit : int

    Raises
    ------
    UnsupportedError
        If the requests need more room than there is.
    """
    geometry = image.geometry
    words = {
        memory: np.zeros((geometry.pes, depth(geometry, memory)), dtype=np.uint64)
        for memory in sorted(filled)
    }
    builder = ImageBuilder(geometry)
    for section in sections(image.payload, geometry, image.bank):
        if section.memory in words:
            pes = slice(None) if section.pe == ALL_PES else section.pe
            place = slice(section.address, section.address + section.words.size)
            words[section.memory][pes, place] = section.words
        else:
            builder.write(section.memory, section.pe, section.address, section.words)
    memory = Memory.ACTIVATIONS
    prefix = builder.payload() + SECTION.pack(memory, word_bytes(geometry, memory), 0, 0, 2)
    requests = contents(Image(geometry, image.bank, prefix + patch(prefix, image.crc)), payload_limit)
    if len(requests) > ROOM:
        raise UnsupportedError(
            f"codebooks, steps and small memories of the model take {len(requests)} bytes as requests, and "
            f"the memory for them has {ROOM}; use a model with fewer layers, or load it over the line"
        )
    return words, requests
