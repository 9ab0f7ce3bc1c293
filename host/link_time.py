"""How long a device's link takes over the inputs of a resident model, in clock cycles.

The gateware is the truth; this reckons with what its program takes, and `tests/boards/test_lockstep.py` holds
it against the simulated pins. A request is checked while it arrives, is carried out when all of it is there,
and nothing else is looked at before its reply is on the line.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from golden import protocol
from golden.activations import GROUP, SHORT, decode_form
from golden.payloads import OUTPUT_BYTES
from golden.protocol import ACTIVATIONS, OUTCOME, PLACE, STEPS, Frame, Request

CHECK = 6
"""Cycles to check a byte."""
FIXED = {Request.ACTIVATIONS: 400, Request.INFER: 700, Request.OUTPUTS: 500}
"""Cycles of a request besides its bytes."""
JUMPS = {Request.ACTIVATIONS: 85, Request.INFER: 150, Request.OUTPUTS: 105}
"""Jumps taken in these; each, and one in the check of a byte, takes a cycle more with output registers."""
MAP, ZERO, SHORT_VALUE, LONG_VALUE = 4, 1, 8, 11
"""Cycles to write a group's map, and a place by what stands there."""


class Served(NamedTuple):
    """A request and what becomes of it."""

    sent: int
    """Bytes on the line."""
    check: int
    """Cycles to check it."""
    work: int
    """Cycles to carry it out, without the engine's."""
    engine: int
    """Cycles of a run."""
    received: int
    """Bytes of the reply, if none of them has to be escaped."""
    answered: bool
    """Whether the reply brings more than an acknowledgement, and so is waited for."""


def serve(request: Request, payload: bytes, engine: int = 0, *, registers: bool = False) -> Served:
    """What a device does with a request of `golden.payloads.of_inference`.

    Parameters
    ----------
    request : Request
    payload : bytes
    engine : int
        Cycles of the run, if this is INFER.
    registers : bool
        Whether the device's memories have output registers (`Geometry.output_registers`).
    """
    sent = len(protocol.encode(Frame(request, 0, payload)))
    work, reply = FIXED[request] + registers * JUMPS[request], 1
    if request != Request.ACTIVATIONS:
        *_, count = PLACE.unpack_from(payload)
        reply += OUTPUT_BYTES * count
    if request == Request.INFER:
        reply += OUTCOME.size
        payload = payload[PLACE.size + STEPS.size :]
    if request != Request.OUTPUTS:
        form, *_ = ACTIVATIONS.unpack_from(payload)
        values = decode_form(payload[ACTIVATIONS.size :], form)
        nonzeros = int(np.count_nonzero(values))
        work += MAP * -(-values.size // GROUP) + ZERO * (values.size - nonzeros)
        work += nonzeros * (SHORT_VALUE if form & SHORT else LONG_VALUE)
    received = len(protocol.encode_reply(Frame(request, 0, bytes(reply))))
    check = (CHECK + registers) * sent
    return Served(
        sent,
        check,
        work,
        engine if request == Request.INFER else 0,
        received,
        request != Request.ACTIVATIONS,
    )


def alone(requests: Sequence[Served], byte: float) -> float:
    """Cycles of one input, from its first bit to the last of its outputs.

    Parameters
    ----------
    requests : sequence of Served
        All of its requests, sent without a pause.
    byte : float
        Cycles of a byte on the line.
    """
    arrived = done = 0.0
    for one in requests:
        begun = max(done, arrived)
        arrived += one.sent * byte
        checked = max(begun + one.check, arrived)
        done = checked + one.work + one.engine + one.received * byte
    return done


def in_a_row(requests: Sequence[Served], byte: float) -> float:
    """Cycles of each of many inputs that follow one another without a pause; parameters as for `alone`."""
    line = sum(one.sent for one in requests) * byte
    device = sum(one.check + one.work + one.engine + one.received * byte for one in requests)
    return max(line, device)
