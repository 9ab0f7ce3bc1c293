"""Inputs of a resident plan without a pause between them: the next one is sent while this one computes.

Requests of many inputs go out as close together as the device's credits allow, and no reply is waited for
before the next request is sent. A device whose engine still computes refuses requests that need it idle. No
clock of the host's could prevent that, but the device can be made to wait: each look at its status
keeps it busy for as long as the reply is on the line. How many looks a run needs is learned.

If anything goes wrong, all inputs of the call are given up, and are for `golden.execute` to repeat
one by one. Nothing here is ever sent again, and a line that damages bytes costs time only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from golden.execute import Answer, Job, RunReport
from golden.geometry import Geometry
from golden.payloads import OUTPUT_BYTES, of_activations, of_outputs
from golden.protocol import RUN, STATUS, Code, Request, Status

if TYPE_CHECKING:
    from host.driver import Driver

FIRST_SIZE, LARGEST_SIZE = 2, 64
"""Inputs that are given up if anything goes wrong, at first and after long success."""
MOST_LOOKS = 40
"""Looks at the status for one run beyond which little is gained."""

Message = tuple[Request, bytes]


@dataclass
class _Trip:
    """What came back for one job."""

    job: Job
    number: int
    begun: bool = False
    looks: list[Status] = field(default_factory=list)
    outputs: list[bytes] = field(default_factory=list)

    def take(self, request: Request, reply: bytes) -> None:
        """Note a reply."""
        if request == Request.RUN:
            self.begun = True
        elif request == Request.STATUS and len(reply) == STATUS.size:
            self.looks.append(Status(*STATUS.unpack(reply)))
        elif request == Request.OUTPUTS:
            self.outputs.append(reply)

    @property
    def arrived(self) -> bool:
        """Whether all outputs are here."""
        return sum(map(len, self.outputs)) == OUTPUT_BYTES * sum(count for _, _, count in self.job.reads)

    @property
    def complete(self) -> bool:
        """Whether the run has ended well, too."""
        return self.arrived and bool(self.looks) and self._ended(self.looks[-1])

    @property
    def late(self) -> bool:
        """Whether the last look came too early."""
        return bool(self.looks) and bool(self.looks[-1].busy)

    @property
    def needed(self) -> int:
        """Looks until one found the run ended."""
        return next((i for i, look in enumerate(self.looks, 1) if self._ended(look)), len(self.looks))

    def values(self) -> list[NDArray[np.int16]]:
        """The outputs, if they have arrived."""
        data = np.frombuffer(b"".join(self.outputs), dtype="<i2").astype(np.int16)
        ends = np.cumsum([count for _, _, count in self.job.reads])
        return np.split(data, ends[:-1])

    def answer(self) -> Answer:
        """What the job gave, if it is complete."""
        return Answer(RunReport(self.looks[-1].cycles, self.looks[-1].stalls), self.values())

    def _ended(self, look: Status) -> bool:
        return look.run == self.number and not look.busy and not look.fault


class JobPipeline:
    """Does jobs of one plan on one board; see `golden.execute.Pipeline`.

    Parameters
    ----------
    driver : Driver

    Attributes
    ----------
    size : int
        Jobs for the next call of `run`: it doubles with each success. 0 if runs are too long for this.
    looks : int
        Looks at the status between a run and what needs the engine idle; 0 if the activations of the next
        input take longer to cross the line than a run takes.
    """

    def __init__(self, driver: "Driver") -> None:
        self._driver = driver
        self.size = FIRST_SIZE
        self.looks = 0
        self._least = 0

    def run(self, jobs: Sequence[Job]) -> list[Answer] | None:
        """Do jobs in order; None if they must be repeated."""
        driver = self._driver
        early = _apart(driver.geometry, jobs[0])
        self._least = max(self._least, int(not early))
        self.looks = max(self.looks, self._least)
        trips = [_Trip(job, number) for job, number in zip(jobs, driver.number_runs(len(jobs)), strict=True)]
        messages = self._messages(trips, early)
        flow = driver.flow([message for _, message in messages])
        for (trip, (request, _)), reply in zip(messages, flow.replies, strict=False):
            trip.take(request, reply)
        *others, last = trips
        if not last.begun or not all(trip.complete for trip in others):
            self.size = FIRST_SIZE
            if flow.refused == Code.BUSY or any(trip.late for trip in others):
                self._least = self.looks + 1
                self.looks = 2 * self.looks + 1
                if self._least > MOST_LOOKS:
                    self.size = 0
            return None

        if self.looks > 0:
            self.looks = max([self._least, *(trip.needed for trip in others)])
        self.size = min(2 * self.size, LARGEST_SIZE)
        answers = [trip.answer() for trip in others]
        if last.complete:
            return [*answers, last.answer()]
        report = driver.wait()
        if last.arrived:  # behind a look that came too early
            return [*answers, Answer(report, last.values())]
        values = [driver.read_outputs(file, slot, 0, count) for file, slot, count in last.job.reads]
        return [*answers, Answer(report, values)]

    def _messages(self, trips: Sequence[_Trip], early: bool) -> list[tuple[_Trip, Message]]:
        """Requests in order, each with the job that its reply is for."""
        look: Message = (Request.STATUS, b"")
        writes = [[(trip, message) for message in self._writes(trip.job)] for trip in trips]
        messages = writes[0]
        for trip, following in zip(trips, [*writes[1:], []], strict=True):
            job = trip.job
            run = RUN.pack(trip.number, job.first, job.first + job.steps - 1)
            reads = [(trip, message) for message in self._reads(job)]
            messages.append((trip, (Request.RUN, run)))
            if following:
                messages += [(trip, look)] * self.looks
                messages += following if early else []
                messages += [(trip, look)] * int(self.looks == 0)
                messages += reads if early else [*reads, *following]
            else:
                # Nothing is lost if this comes too early, but for the time to settle behind a refusal.
                messages += [(trip, look)] * max(self.looks, 1)
                messages += reads if len(reads) == 1 else []
        return messages

    def _writes(self, job: Job) -> list[Message]:
        geometry, limit = self._driver.geometry, self._driver.identity.payload_limit
        return [
            (Request.ACTIVATIONS, payload)
            for file, slot, values in job.writes
            for payload in of_activations(geometry, file, slot, 0, values, limit)
        ]

    def _reads(self, job: Job) -> list[Message]:
        geometry, limit = self._driver.geometry, self._driver.identity.payload_limit
        return [
            (Request.OUTPUTS, payload)
            for file, slot, count in job.reads
            for payload in of_outputs(geometry, file, slot, 0, count, limit)
        ]


def _apart(geometry: Geometry, job: Job) -> bool:
    """Whether a job's outputs lie where no activations of the next input are written."""
    written = [
        (file * geometry.activations + slot, values.size // geometry.pes) for file, slot, values in job.writes
    ]
    read = [
        (file * geometry.activations + slot, -(-count // geometry.pes)) for file, slot, count in job.reads
    ]
    return all(a + n <= b or b + m <= a for a, n in written for b, m in read)
