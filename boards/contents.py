"""Contents of an ECP5's block RAM, put into a design that is already placed.

A block is known by a marker: before placement each block that is to be filled gets contents made from its
name alone, and is found by them afterwards. So placement does not depend on the model, and one placement
serves every model. In a netlist and in nextpnr's configuration a block has 2,048 lanes of 9 bits; a word of
36, 18 or 9 bits is 4, 2 or 1 of them, and narrower words use 8 bits of each.
"""

import hashlib
import json
import re

import numpy as np

from golden.errors import TamisError
from golden.memories import Memory, depth, word_bits
from golden.stored import ROOM
from hdl.block_memory import shape_of

LANES = 2048
LANE_BITS = 9
FILLED = {Memory.MATRIX: "matrix_read.matrix", Memory.POINTERS: "pointer_read.pointers"}
"""Memories of a PE that can be filled, and their places in it."""
_BLOCK = re.compile(r"^\.bram_init (\d+)\n((?:[0-9a-f]{3}[ \n])+)", re.MULTILINE)
_PER_LINE = 8
_PER_PARAMETER = 32


def lanes(words, width):
    """A block's lanes.

    Parameters
    ----------
    words : array of uint64
        As many as there are; the others are zero.
    width : int
        Bits of a word, as in `hdl.block_memory.SHAPES`.

    Returns
    -------
    array of uint16, shape (2048,)
    """
    per_lane = LANE_BITS if width >= LANE_BITS else 8
    bits = (np.asarray(words, dtype=np.uint64)[:, None] >> np.arange(width, dtype=np.uint64)) & np.uint64(1)
    flat = np.zeros(LANES * per_lane, dtype=np.uint16)
    flat[:bits.size] = bits.reshape(-1)
    return (flat.reshape(LANES, per_lane) << np.arange(per_lane)).sum(axis=1).astype(np.uint16)


def blocks(words, bits):
    """Lanes of each block of a memory, by the block's number; none if it is too small to be one."""
    shape = shape_of(len(words), bits)
    if shape is None:
        return {}
    width = shape[1]
    words = np.asarray(words, dtype=np.uint64)
    return {low // width: lanes(words >> np.uint64(low) & np.uint64((1 << width) - 1), width)
            for low in range(0, bits, width)}


def filled(geometry):
    """Memories of a PE that are block RAM, and so can be filled."""
    return [memory for memory in FILLED
            if shape_of(depth(geometry, memory), word_bits(geometry, memory)) and geometry.output_registers]


def of_image(geometry, memories, requests):
    """Lanes by the name of a block.

    Parameters
    ----------
    geometry : Geometry
    memories : dict of Memory to array, shape (PEs, depth)
    requests : bytes
        As `golden.stored.split` gives them.
    """
    stored = np.full(ROOM, 0xFF, dtype=np.uint64)
    stored[:len(requests)] = np.frombuffer(requests, dtype=np.uint8)
    found = {f"stored.memory.block{number}": block for number, block in blocks(stored, 8).items()}
    for memory, words in memories.items():
        for pe, own in enumerate(words):
            for number, block in blocks(own, word_bits(geometry, memory)).items():
                found[f"device.engine.pe{pe}.{FILLED[memory]}.block{number}"] = block
    return found


def names(geometry):
    """Names of all blocks that can be filled."""
    empty = {memory: np.zeros((geometry.pes, depth(geometry, memory))) for memory in filled(geometry)}
    return list(of_image(geometry, empty, b""))


def marker(name):
    """Lanes that tell a block by its name."""
    digest = hashlib.shake_128(name.encode()).digest(2 * LANES)
    return np.frombuffer(digest, dtype="<u2") & ((1 << LANE_BITS) - 1)


def parameters(block):
    """A block's lanes as parameters of its primitive."""
    found = {}
    for number, part in enumerate(block.reshape(-1, _PER_PARAMETER)):
        value = sum(int(lane) << (20 * (i // 2) + LANE_BITS * (i % 2)) for i, lane in enumerate(part))
        found[f"INITVAL_{number:02X}"] = f"{value:0320b}"
    return found


def mark(work, top, wanted):
    """Give the blocks with these names their markers, in work/design.json.

    Raises
    ------
    TamisError
        If there is no block of a name.
    """
    path = work / "design.json"
    design = json.loads(path.read_text())
    cells = design["modules"][top]["cells"]
    for name in wanted:
        if cells.get(name, {}).get("type") != "DP16KD":
            raise TamisError(f"the netlist has no block RAM {name} to be filled; please report it")
        cells[name]["parameters"].update(parameters(marker(name)))
    path.write_text(json.dumps(design))


def read(config):
    """Lanes of every block of a configuration, by its number there."""
    return {int(found[1]): np.array([int(lane, 16) for lane in found[2].split()], dtype=np.uint16)
            for found in _BLOCK.finditer(config)}


def swap(config, wanted):
    """Replace the markers in a configuration.

    Parameters
    ----------
    config : str
    wanted : dict of str to array
        Lanes by the name of a block.

    Returns
    -------
    str

    Raises
    ------
    TamisError
        If a marker is not there once.
    """
    found = {block.tobytes(): number for number, block in read(config).items()}
    places = {}
    for name, block in wanted.items():
        key = marker(name).astype(np.uint16).tobytes()
        if key not in found:
            raise TamisError(f"the placed design has no block RAM {name} to be filled; please report it")
        places[found[key]] = block

    def replace(match):
        block = places.get(int(match[1]))
        if block is None:
            return match[0]
        rows = block.reshape(-1, _PER_LINE)
        return f".bram_init {match[1]}\n" + "".join(
            " ".join(f"{lane:03x}" for lane in row) + "\n" for row in rows)

    return _BLOCK.sub(replace, config)
