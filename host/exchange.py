"""Requests and replies over a transport: frames, sequence numbers, credits, go-back-N, resynchronisation.

The line may lose, change or repeat bytes at any time; an exchange either ends with the device's own
answer or raises `DeviceError` after a bounded number of attempts. A request that is sent again gets a new
sequence number, so a late reply to its first sending cannot be taken for the answer.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from golden import protocol
from golden.errors import DeviceError
from golden.protocol import Code, Frame, Request
from host.transport import Transport

SETTLE = 0.05
"""Seconds of silence after which no late reply is expected any more; they double with each attempt."""
LONGEST_SETTLE = 0.8
FOREIGN_ATTEMPTS = 3
"""Attempts after which a port counts as no device's: one that has never sent a byte, or one that
goes on when it is not asked."""
READ_SIZE = 4096


class Refused(DeviceError):
    """The device answered a request with a code other than OK."""

    def __init__(self, request: Request, code: Code, name: str) -> None:
        super().__init__(
            f"the device at {name} refused {request.name} with {code.name}: "
            f"{_MEANING.get(code, 'the answer to an intact request')}"
        )
        self.request = request
        self.code = code


_MEANING = {
    Code.UNKNOWN_REQUEST: "it does not know the request; build board and host from the same release",
    Code.BAD_LENGTH: "it expects another payload; build board and host from the same release",
    Code.BUSY: "a run is still in progress; wait for its end or reset the device",
    Code.NOT_COMMITTED: "it holds no committed image (was it reset?); load the model again",
    Code.NO_TRANSACTION: "no load is open (was it reset in mid-transfer?); load the model again",
    Code.BAD_IMAGE: "the image's CRC, length or an address in it is wrong; load the model again",
    Code.BAD_TABLE: "its Huffman table is damaged; load the model again",
    Code.BAD_CODE: "the image's Huffman code is damaged, or has no table; load the model again",
    Code.OUT_OF_RANGE: "an address is outside its memories; build the plan for this device's geometry",
}


@dataclass
class Traffic:
    """What has passed over the line since the exchange was made."""

    bytes_sent: int = 0
    bytes_received: int = 0
    requests: int = 0
    """Requests answered."""
    retries: int = 0
    """Requests sent again."""
    bad_replies: int = 0
    """Replies that arrived damaged or out of order."""
    load_bytes: int = 0
    """Bytes of the requests that brought images, each counted once."""
    load_bytes_uncoded: int = 0
    """What they would have been without code."""

    @property
    def link_bytes(self) -> int:
        """Bytes in both directions."""
        return self.bytes_sent + self.bytes_received


class _Sent(NamedTuple):
    """A request that is not answered yet."""

    request: Request
    sequence: int
    size: int
    """Bytes on the line."""


class Exchange:
    """One conversation with one device.

    Parameters
    ----------
    transport : Transport
    timeout : float
        Seconds to wait for a reply before the request is sent again.
    attempts : int
        Consecutive failures after which the link counts as broken; an answered request starts the count anew.
    """

    def __init__(self, transport: Transport, *, timeout: float = 2.0, attempts: int = 12) -> None:
        self.transport = transport
        self.timeout = timeout
        self.attempts = attempts
        self.window = 1
        self.credit = 0
        """Bytes of requests that `flow` may leave unanswered, but for one request that is always allowed."""
        self.traffic = Traffic()
        self._sequence = 0
        self._partial = bytearray()
        self._frames: deque[Frame | None] = deque()
        self._settled = False
        self._quiet = False
        self._last_bytes = b""

    def request(self, request: Request, payload: bytes = b"") -> bytes:
        """Send one request and return its reply's payload, without the code byte."""
        return self.requests(request, [payload])[0]

    def requests(
        self, request: Request, payloads: Sequence[bytes], progress: Callable[[int], None] | None = None
    ) -> list[bytes]:
        """Send requests of one kind, at most `window` unanswered, and return their replies in order.

        Parameters
        ----------
        request : Request
            Kind of all of them. Each may be executed more than once, or not at all while an earlier one is
            missing, so one call must not mix kinds whose order matters.
        payloads : sequence of bytes
        progress : callable, optional
            Called with the number of requests answered so far.

        Raises
        ------
        Refused
            If the device refuses one of them.
        DeviceError
            If the link stays silent or damaged.
        """
        if not self._settled:
            self.synchronise()
        self._settled = False  # an interrupt from here on leaves replies behind
        replies: list[bytes] = []
        pending: deque[_Sent] = deque()
        failures = 0
        while len(replies) < len(payloads):
            while len(pending) < self.window and len(replies) + len(pending) < len(payloads):
                sent, wire = self._frame(request, payloads[len(replies) + len(pending)])
                self._write(wire)
                pending.append(sent)
            reply = self._answer(pending)
            if reply is None:
                failures += 1
                speaks_when_asked = self.traffic.bytes_received and self._quiet
                if failures >= (self.attempts if speaks_when_asked else FOREIGN_ATTEMPTS):
                    raise self._broken(request)
                self.traffic.retries += len(pending)
                pending.clear()
                self.synchronise(min(SETTLE * 2**failures, LONGEST_SETTLE))
                self._settled = False
                continue
            pending.popleft()
            replies.append(reply)
            self.traffic.requests += 1
            failures = 0
            if progress is not None:
                progress(len(replies))
        self._settled = True
        return replies

    def flow(self, requests: Sequence[tuple[Request, bytes]]) -> list[bytes]:
        """Send requests of any kinds as close together as credits allow, and none a second time.

        The first reply that does not come, is damaged or has another code than OK ends the flow. Requests
        behind that one may have been carried out all the same; no reply to them comes later.

        Parameters
        ----------
        requests : sequence of (Request, payload)

        Returns
        -------
        list of bytes
            Payloads of the replies that came in order and with the code OK, without that code.
        """
        if not self._settled:
            self.synchronise()
        self._settled = False
        replies: list[bytes] = []
        pending: deque[_Sent] = deque()
        frames = [self._frame(request, payload) for request, payload in requests]
        while len(replies) < len(frames):
            wire = bytearray()
            unanswered = sum(sent.size for sent in pending)
            while len(replies) + len(pending) < len(frames):
                sent, data = frames[len(replies) + len(pending)]
                if pending and unanswered + sent.size > self.credit:
                    break
                unanswered += sent.size
                pending.append(sent)
                wire += data
            if wire:
                self._write(bytes(wire))
            try:
                reply = self._answer(pending)
                if reply is None:
                    self.traffic.retries += len(pending)
            except Refused:
                reply = None
            if reply is None:
                self.synchronise(2 * SETTLE)
                break
            pending.popleft()
            replies.append(reply)
            self.traffic.requests += 1
        self._settled = True
        return replies

    def synchronise(self, silence: float = SETTLE) -> None:
        """End whatever frame the device is in the middle of, and drop every reply still on its way."""
        self._write(b"\0")
        deadline = time.monotonic() + max(self.timeout, silence)
        self._quiet = False
        while not self._quiet and time.monotonic() < deadline:
            self._quiet = not self._read(silence)
        self._partial.clear()
        self._frames.clear()
        self._settled = True

    def close(self) -> None:
        """Close the transport."""
        self.transport.close()

    def _frame(self, request: Request, payload: bytes) -> tuple[_Sent, bytes]:
        """A request with the next sequence number, and its bytes on the line."""
        self._sequence = (self._sequence + 1) % 256
        wire = protocol.encode(Frame(request, self._sequence, payload))
        return _Sent(request, self._sequence, len(wire)), wire

    def _answer(self, pending: deque[_Sent]) -> bytes | None:
        """Payload of the reply to the oldest pending request; None if it must be sent again."""
        deadline = time.monotonic() + self.timeout
        awaited = {(sent.request | protocol.REPLY, sent.sequence) for sent in pending}
        while True:
            frame = self._next_frame(deadline)
            if frame is None:
                return None
            if (frame.type, frame.sequence) not in awaited or not frame.payload:
                self.traffic.bad_replies += 1
                if frame.type == protocol.DAMAGED:
                    return None
                continue  # a late reply to a request that was sent again since
            if frame.sequence != pending[0].sequence:
                self.traffic.bad_replies += 1
                return None
            try:
                code = Code(frame.payload[0])
            except ValueError:
                raise DeviceError(
                    f"the device at {self.transport.name} answered with the unknown code {frame.payload[0]}; "
                    "build board and host from the same release"
                ) from None
            if code in (Code.OFFSET_GAP, Code.DAMAGED_FRAME):
                return None
            if code != Code.OK:
                self._settled = len(pending) == 1  # or replies to the requests behind it may still come
                raise Refused(pending[0].request, code, self.transport.name)
            return frame.payload[1:]

    def _next_frame(self, deadline: float) -> Frame | None:
        """The next reply; None at the deadline, or if what came is damaged."""
        while not self._frames:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return None
            data = self._read(remaining)
            if not data:
                return None
            *wires, rest = (bytes(self._partial) + data).split(bytes([protocol.FLAG]))
            self._partial = bytearray(rest[-READ_SIZE:])
            self._frames.extend(_decode(wire) for wire in wires if wire)
        frame = self._frames.popleft()
        if frame is None:
            self.traffic.bad_replies += 1
        return frame

    def _write(self, data: bytes) -> None:
        self.transport.write(data)
        self.traffic.bytes_sent += len(data)

    def _read(self, timeout: float) -> bytes:
        data = self.transport.read(READ_SIZE, timeout)
        self.traffic.bytes_received += len(data)
        self._last_bytes = data[-16:] or self._last_bytes
        return data

    def _broken(self, request: Request) -> DeviceError:
        name = self.transport.name
        if not self.traffic.bytes_received:
            return DeviceError(
                f"port {name} stays silent: nothing came within {FOREIGN_ATTEMPTS * self.timeout:g} s; "
                "check that it is the right port and that the board is powered and configured"
            )
        if not self.traffic.requests:
            return DeviceError(
                f"port {name} talks, but not the Tamis protocol (it sent {self._last_bytes.hex(' ')}); "
                "check that it is the right port, its baud rate, and that the board is configured with Tamis"
            )
        return DeviceError(
            f"the link to {name} is broken: {self.attempts} attempts at {request.name} had no intact answer; "
            "check cable and baud rate, then run `tamis selftest`"
        )


def _decode(wire: bytes) -> Frame | None:
    try:
        return protocol.decode_reply(wire)
    except ValueError:
        return None
