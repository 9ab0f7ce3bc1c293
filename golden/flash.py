"""What lies in a board's SPI flash for a device that loads its model by itself at power-up.

From `OFFSET` on, behind the bitstream:

======  ====  ====================================================================
offset  size  field
======  ====  ====================================================================
0       4     CRC-32 (zlib) of ``TMSF``, protocol version and payload limit (a byte each), and geometry (as
              in the identity, `golden.protocol.GEOMETRY`): the device that the image is for
4       n     the requests of a load as on the wire: BEGIN, DATA, ..., COMMIT
======  ====  ====================================================================

A device reads on as long as its replies say OK, and stops behind COMMIT's. Flash that was erased, all ones in
the place of the first 4 bytes, holds no image, which is no fault. Anything else there is
`Fault.FLASH_FOREIGN`. A request that is refused or damaged, or has nothing before the zero that ends it, is
`Fault.FLASH_DAMAGED`; after `LONGEST` bytes the next one counts as zero, whatever it is.
"""

import struct
import zlib

from golden.errors import UnsupportedError
from golden.geometry import Geometry
from golden.image import Image
from golden.payloads import of_image
from golden.protocol import (
    BEGIN,
    GEOMETRY,
    GEOMETRY_FIELDS,
    PAYLOAD_LIMIT,
    VERSION,
    WHOLE,
    Frame,
    Request,
    encode,
)

OFFSET = 0x40000
"""A multiple of every flash's blocks that are erased at once, and beyond the bitstreams of all iCE40."""
MAGIC = b"TMSF"
LONGEST = 255
"""A request has fewer bytes before the zero that ends it."""
READ = 0x03
"""The flash's command, before three bytes of an address, the highest first; a byte's highest bit is first."""


def header(geometry: Geometry, payload_limit: int = PAYLOAD_LIMIT) -> bytes:
    """The first bytes of an image for a device.

    >>> header(Geometry(pes=4)) == header(Geometry(pes=8))
    False
    """
    values = geometry.as_dict()
    device = GEOMETRY.pack(*(values[name] for name in GEOMETRY_FIELDS))
    return struct.pack("<I", zlib.crc32(MAGIC + bytes([VERSION, payload_limit]) + device))


def contents(image: Image, payload_limit: int = PAYLOAD_LIMIT) -> bytes:
    """Bytes of an image in flash.

    Raises
    ------
    UnsupportedError
        If the image is for one bank only.
    """
    if image.bank != WHOLE:
        raise UnsupportedError(
            f"an image in flash must be for the whole engine, not for bank {image.bank}; "
            "make it from a model that stays resident"
        )
    parts = [header(image.geometry, payload_limit)]
    parts.append(encode(Frame(Request.BEGIN, 0, BEGIN.pack(image.bank, image.crc))))
    data, _ = of_image(image.payload, payload_limit)
    parts += [encode(Frame(Request.DATA, 0, payload)) for payload in data]
    parts.append(encode(Frame(Request.COMMIT, 0)))
    return b"".join(parts)
