"""The driver: an engine at the other end of a transport, as a device that `golden.execute` runs plans on."""

import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden import protocol
from golden.errors import DeviceError
from golden.execute import RunReport
from golden.geometry import Geometry
from golden.image import bytes_to_words
from golden.memories import Memory, word_bytes
from golden.payloads import OUTPUT_BYTES, of_activations, of_outputs
from golden.protocol import WHOLE, Code, Fault, Identity, Request, Status
from host.coded_load import requests_of, uncoded_bytes
from host.exchange import Exchange, Refused, Traffic
from host.pipeline import JobPipeline
from host.transport import Transport

Int16Array = NDArray[np.int16]
IntArray = NDArray[np.int64]
Progress = Callable[[int, int], None]
"""Called with the bytes loaded so far, and those of the whole image."""

RUN_TIMEOUT = 120.0
"""Seconds that a run may take before the board counts as stuck."""
SHORTEST_POLL, LONGEST_POLL = 0.0005, 0.02
"""Seconds between two looks at the status of a running engine; the pause grows from the one to the other."""
LOAD_ATTEMPTS = 3
"""Times that a load is begun again if the device loses its transaction, as it does when it is reset."""


class Driver:
    """One board.

    Making a driver reads the board's identity, so a driver that exists has spoken to a Tamis engine.

    Parameters
    ----------
    transport : Transport
    timeout : float
        Seconds to wait for a reply before a request is sent again.
    run_timeout : float
        Seconds that a run may take.
    progress : callable, optional
        Told of the progress of loads.

    Attributes
    ----------
    identity : Identity
        What the board said of itself when it was connected.

    Raises
    ------
    DeviceError
        If the port is silent, talks something else, or another version of the protocol.

    See Also
    --------
    golden.execute.execute : runs a plan on it.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        timeout: float = 2.0,
        run_timeout: float = RUN_TIMEOUT,
        progress: Progress | None = None,
    ) -> None:
        self.progress = progress
        self.run_timeout = run_timeout
        self._exchange = Exchange(transport, timeout=timeout)
        self.identity = self.identify()
        self._exchange.window = self.identity.window
        self._exchange.credit = protocol.credit(self.identity.window, self.identity.payload_limit)
        self._run = self.identity.status.run
        self._wait_idle()

    @property
    def geometry(self) -> Geometry:
        """The engine's geometry, as the board states it."""
        return self.identity.geometry

    @property
    def name(self) -> str:
        """How messages call the connection, such as the port's path."""
        return self._exchange.transport.name

    @property
    def traffic(self) -> Traffic:
        """Bytes, requests and retries since the driver was made."""
        return self._exchange.traffic

    def identify(self) -> Identity:
        """Ask the board what it is."""
        payload = self._exchange.request(Request.IDENTIFY)
        try:
            return Identity.decode(payload)
        except ValueError as error:
            raise DeviceError(f"the board at {self.name} is unusable: {error}") from None

    def status(self) -> Status:
        """Status, counters and image CRCs."""
        return Status(*self._unpack(protocol.STATUS, self._exchange.request(Request.STATUS)))

    def reset(self) -> None:
        """Stop and reset the engine; it forgets what was committed, and its link counters start from zero."""
        self._exchange.request(Request.RESET)
        self._wait_idle()
        self._run = self.status().run

    def holds(self, bank: int, crc: int) -> bool:
        """Whether the board holds an image with this CRC in `bank`."""
        status = self.status()
        banks = (0, 1) if bank == WHOLE else (bank,)
        crcs = (status.crc_bank0, status.crc_bank1)
        return all(status.committed >> b & 1 and crcs[b] == crc for b in banks)

    def load(self, bank: int, image: bytes) -> None:
        """Write an image's payload and commit it.

        Raises
        ------
        DeviceError
            If the board refuses the image, or is reset again and again while it is loaded.
        """
        crc = zlib.crc32(image)
        for attempt in range(LOAD_ATTEMPTS):
            try:
                return self._load_once(bank, image, crc)
            except Refused as error:
                if error.code != Code.NO_TRANSACTION or attempt == LOAD_ATTEMPTS - 1:
                    raise

    def write_activations(self, file: int, slot: int, pe: int, values: Int16Array) -> None:
        """Write consecutive values to consecutive PEs, and on to the next slot after the last PE."""
        limit = self.identity.payload_limit
        payloads = of_activations(self.geometry, file, slot, pe, values, limit)
        self._command(Request.ACTIVATIONS, payloads)

    def start(self, first: int, count: int) -> None:
        """Start a run of `count` steps from step `first`."""
        self._run = (self._run + 1) % 0xFFFF
        self._command(Request.RUN, [protocol.RUN.pack(self._run, first, first + count - 1)])

    def flow(self, messages: Sequence[tuple[Request, bytes]]) -> list[bytes]:
        """Send requests as close together as credits allow, see `host.exchange.Exchange.flow`."""
        return self._exchange.flow(messages)

    def pipeline(self) -> JobPipeline:
        """A pipeline for the inputs of one plan, see `host.pipeline`."""
        return JobPipeline(self)

    def wait(self) -> RunReport:
        """Wait for the end of the run.

        Raises
        ------
        DeviceError
            If the run does not end in time, failed, or was cut short by a reset.
        """
        status = self._wait_idle()
        if status.run != self._run:
            raise DeviceError("the board was reset in mid-run and has lost its image; run the command again")
        if status.fault:
            name = Fault(status.fault).name if status.fault in set(Fault) else str(status.fault)
            raise DeviceError(f"the engine stopped at step {status.step}: {name}; load the model again")
        return RunReport(status.cycles, status.stalls)

    def read_outputs(self, file: int, slot: int, pe: int, count: int) -> Int16Array:
        """Read values in the order of `write_activations`, shape (count,)."""
        payloads = of_outputs(self.geometry, file, slot, pe, count, self.identity.payload_limit)
        data = self._data(Request.OUTPUTS, payloads, OUTPUT_BYTES * count)
        return np.frombuffer(data, dtype="<i2").astype(np.int16)

    def read(self, memory: Memory, pe: int, address: int, count: int) -> NDArray[np.uint64]:
        """Read raw words of a memory, shape (count,)."""
        size = word_bytes(self.geometry, memory)
        room = (self.identity.payload_limit - 1) // size
        payloads = [
            protocol.PLACE.pack(memory, size, pe, address + start, min(room, count - start))
            for start in range(0, count, room)
        ]
        return bytes_to_words(self._data(Request.READ, payloads, size * count), size)

    def saturations(self) -> IntArray:
        """Saturation counter of each PE, modulo 2**16, shape (pes,)."""
        size = word_bytes(self.geometry, Memory.COUNTERS)
        payloads = [protocol.PLACE.pack(Memory.COUNTERS, size, pe, 0, 1) for pe in range(self.geometry.pes)]
        data = self._data(Request.READ, payloads, size * self.geometry.pes)
        return bytes_to_words(data, size).astype(np.int64)

    def close(self) -> None:
        """Close the transport; the board keeps its image."""
        self._exchange.close()

    def __enter__(self) -> "Driver":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _load_once(self, bank: int, image: bytes, crc: int) -> None:
        self._command(Request.BEGIN, [protocol.BEGIN.pack(bank, crc)])
        for batch in requests_of(image, self.identity):
            self._command(batch.request, batch.payloads, self._reporter(batch.ends, len(image)))
            self.traffic.load_bytes += batch.wire_bytes
        self.traffic.load_bytes_uncoded += uncoded_bytes(image, self.identity.payload_limit)
        try:
            self._command(Request.COMMIT, [b""])
        except Refused as error:
            # The reply to a first COMMIT may have been lost, and the transaction is closed then.
            if error.code != Code.NO_TRANSACTION or not self.holds(bank, crc):
                raise

    def _reporter(self, ends: Sequence[int], total: int) -> Callable[[int], None]:
        """Tells of the progress when so many requests were answered."""

        def report(answered: int) -> None:
            if self.progress is not None:
                self.progress(ends[answered], total)

        return report

    def _command(
        self, request: Request, payloads: Sequence[bytes], progress: Callable[[int], None] | None = None
    ) -> list[bytes]:
        """Send requests that need the engine idle, once more if a run of before was still going on."""
        try:
            return self._exchange.requests(request, payloads, progress)
        except Refused as error:
            if error.code != Code.BUSY:
                raise
        self._wait_idle()
        return self._exchange.requests(request, payloads, progress)

    def _data(self, request: Request, payloads: Sequence[bytes], size: int) -> bytes:
        data = b"".join(self._command(request, payloads))
        if len(data) != size:
            raise DeviceError(
                f"the board answered {request.name} with {len(data)} bytes instead of {size}; "
                "build board and host from the same release"
            )
        return data

    def _wait_idle(self) -> Status:
        deadline = time.monotonic() + self.run_timeout
        pause = SHORTEST_POLL
        while (status := self.status()).busy:
            if time.monotonic() > deadline:
                raise DeviceError(
                    f"the engine is still at step {status.step} after {self.run_timeout:g} s; reset the board"
                )
            time.sleep(pause)
            pause = min(1.5 * pause, LONGEST_POLL)
        return status

    def _unpack(self, layout: Any, payload: bytes) -> tuple[int, ...]:
        if len(payload) != layout.size:
            raise DeviceError(
                f"the board answered with {len(payload)} bytes instead of {layout.size}; "
                "build board and host from the same release"
            )
        fields: tuple[int, ...] = layout.unpack(payload)
        return fields
