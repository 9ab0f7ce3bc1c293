"""The link's program: the requests of `golden.protocol`, for `hdl.processor`."""

from golden import memories, protocol
from golden.activations import ACROSS
from golden.geometry import Geometry
from golden.huffman import MAX_LENGTH
from golden.image import BANKED, bank_range
from golden.memories import Memory
from golden.protocol import Code, Request
from hdl import firmware_coded, firmware_frames, firmware_requests
from hdl.assembler import Assembler, Lamp

HANDLERS = {
    Request.IDENTIFY: (0, "identify"),
    Request.BEGIN: (protocol.BEGIN.size, "begin"),
    Request.COMMIT: (0, "commit"),
    Request.RUN: (protocol.RUN.size, "run_steps"),
    Request.STATUS: (0, "status"),
    Request.RESET: (0, "reset"),
    Request.READ: (protocol.PLACE.size, "words"),
    Request.OUTPUTS: (protocol.PLACE.size, "words"),
    Request.DATA: (protocol.DATA.size, "data"),
    Request.ACTIVATIONS: (protocol.ACTIVATIONS.size, "activations"),
    Request.INFER: (protocol.PLACE.size, "words"),
}  # fmt: skip
"""Bytes of a request's arguments, and the label of what carries it out, in the order of their numbers."""
CODED_HANDLERS = HANDLERS | {
    Request.TABLE: (protocol.TABLE.size, "load_table"),
    Request.CODED: (protocol.CODED.size, "data"),
}
"""The same of a link that decodes."""
TABLE_MEMORY = len(Memory)
"""Number of the memory that the decoder's table is for the engine's port."""
VARIABLES = {
    "kind": 1, "sequence": 1, "size": 1,    # header of the request
    "code": 1,              # of the reply
    "length": 1,            # of the reply's payload without code
    "body": 1,              # what sends that payload
    "from": 1,              # address of the variables that it consists of
    "rest": 1,              # payload bytes that have not been read
    "n": 1,                 # loop counter
    "place": 1,             # what carries out the request; bank of the words to judge
    "reach": 2, "room": 2,
    "bank": 1, "announced": 4,      # of the transaction: bank and CRC
    "whole": 1,             # what is committed came as one image
    "item": 1,              # what the image goes on with
    "image_crc": 4,         # of what has come
    "section": 8,           # its header, with the next address, and the words behind the next one
    "argument": 8,          # of the request
    # As in `golden.protocol.STATUS`.
    "busy": 1, "fault": 1, "committed": 1, "transaction": 1, "run": 2, "step": 2, "received": 4,
    "crc_bank0": 4, "crc_bank1": 4, "cycles": 4, "stalls": 4, "frames": 4, "damaged": 4, "overruns": 4,
    "requests": 2 + 2 * len(HANDLERS),
    "memories": 5 * len(Memory),
}  # fmt: skip
"""Names and bytes of the variables, in the order of their addresses."""
ALIASES = {
    "from": ("reach", 0), "coding": ("requests", 0), "whole": ("requests", 1), "place": ("stalls", 3),
}  # fmt: skip
"""Variables of a link that decodes which share the place of others, so that all fit: judging is done when a
reply is chosen, there is no request 0, and counters are read anew when they are told. `coding` is 1 while
there is a table."""
STATUS_BYTES = protocol.STATUS.size


def handlers(coded: bool) -> dict[Request, tuple[int, str]]:
    """Requests that the program knows."""
    return CODED_HANDLERS if coded else HANDLERS


def sizes(coded: bool) -> dict[str, int]:
    """Names and bytes of the variables that have a place of their own."""
    shared = ALIASES if coded else {}
    found = {name: size for name, size in VARIABLES.items() if name not in shared}
    return found | {"requests": 2 + 2 * len(handlers(coded))}


def ring_first(coded: bool = False) -> int:
    """Address behind the variables."""
    return sum(sizes(coded).values())


def addresses(coded: bool = False) -> dict[str, int]:
    """Address of each variable."""
    found, place = {}, 0
    for name, size in sizes(coded).items():
        found[name] = place
        place += size
    return found | ({name: found[other] + at for name, (other, at) in ALIASES.items()} if coded else {})


def image(geometry: Geometry, *, payload_limit: int, coded: bool = False) -> tuple[list[int], list[int]]:
    """Program, and what the variables are at first: zeros and two tables.

    The table of requests has the bytes of arguments of each, and the address of what carries it out; that of
    memories the bytes of a word, the last address of the lower half, and the last address.
    """
    constants = {
        "IDENTITY_BYTES": protocol.IDENTITY.size + protocol.GEOMETRY.size,
        "STATUS_BYTES": STATUS_BYTES,
        "LIMIT": payload_limit,
        "LARGEST_ANSWER": payload_limit - 1,
        "REPLY": protocol.REPLY,
        "LAST_REQUEST": max(handlers(coded)),
        "FIRST_OPEN": protocol.FIRST_OPEN,
        "FORM_BYTES": protocol.ACTIVATIONS.size,
        "STEPS_BYTES": protocol.STEPS.size,
        "OUTCOME_BYTES": protocol.OUTCOME.size,
        "MAKES_ACROSS": ACROSS - Request.OUTPUTS,
        "FLAG": protocol.FLAG,
        "WHOLE": protocol.WHOLE,
        "LOADING": Lamp.LOADING,
        "FAILED": Lamp.FAILED,
        "MINUS_PES": -geometry.pes & 0xFF,
        "LAST_PE": geometry.pes - 1,
        "LAST_STEP": geometry.steps - 1,
        "MEMORY_TABLE": TABLE_MEMORY,
        "LENGTHS": MAX_LENGTH,
        "LIKE_DATA": 0xFF & ~(Request.DATA ^ Request.CODED),    # takes CODED for DATA
        **{f"DO_{request.name}": request.value for request in Request},
        **{f"CODE_{code.name}": code.value for code in Code},
        **{f"MEMORY_{memory.name}": memory.value for memory in Memory},
    }
    assembler = Assembler(addresses(coded), constants)
    listing = firmware_requests.LISTING + firmware_frames.LISTING + firmware_coded.LISTING * coded
    program = assembler.assemble(listing, optional=coded)
    table = bytes(2)
    for size, label in handlers(coded).values():
        table += bytes([size, assembler.number(label)])
    for memory in Memory:
        half = len(bank_range(geometry, memory, 0)) if memory in BANKED else 1
        table += bytes([memories.word_bytes(geometry, memory)])
        for last in (half - 1, memories.depth(geometry, memory) - 1):
            table += last.to_bytes(2, "little")
    return program, [0] * (ring_first(coded) - len(table)) + list(table)
