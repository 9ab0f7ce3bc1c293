"""Inputs of a resident plan without a pause between them: the next one is sent while this one computes.

Requests of many inputs go out as close together as the device's credits allow, and no reply is waited for
before the next request is sent. The last request of an input brings the last of its values, runs the model
and is answered by the outputs (`golden.payloads.of_inference`); what follows waits in the device.

If anything goes wrong, all inputs of the call are given up, and are for `golden.execute` to repeat
one by one. Nothing here is ever sent again, and a line that damages bytes costs time only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from golden.execute import Answer, Job, RunReport
from golden.payloads import OUTPUT_BYTES, of_inference
from golden.protocol import OUTCOME, Request

if TYPE_CHECKING:
    from host.driver import Driver

FIRST_SIZE, LARGEST_SIZE = 2, 64
"""Inputs that are given up if anything goes wrong, at first and after long success."""
MOST_FAILURES = 4
"""Calls in a row that may go wrong before this counts as hopeless, as with runs longer than a timeout."""


@dataclass
class _Trip:
    """What came back for one job."""

    job: Job
    report: RunReport | None = None
    outputs: list[bytes] = field(default_factory=list)

    def take(self, request: Request, reply: bytes) -> None:
        """Note a reply."""
        if request == Request.INFER and len(reply) >= OUTCOME.size:
            self.report = RunReport(*OUTCOME.unpack_from(reply))
            reply = reply[OUTCOME.size :]
        if request != Request.ACTIVATIONS:
            self.outputs.append(reply)

    def answer(self) -> Answer | None:
        """What the job gave; None if something is missing."""
        counts = [count for _, _, count in self.job.reads]
        data = b"".join(self.outputs)
        if self.report is None or len(data) != OUTPUT_BYTES * sum(counts):
            return None
        values: NDArray[np.int16] = np.frombuffer(data, dtype="<i2").astype(np.int16)
        return Answer(self.report, np.split(values, np.cumsum(counts)[:-1]))


class JobPipeline:
    """Does jobs of one plan on one board; see `golden.execute.Pipeline`.

    Parameters
    ----------
    driver : Driver

    Attributes
    ----------
    size : int
        Jobs for the next call of `run`: it doubles with each success. 0 if too many calls went wrong.
    """

    def __init__(self, driver: "Driver") -> None:
        self._driver = driver
        self._failures = 0
        self.size = FIRST_SIZE

    def run(self, jobs: Sequence[Job]) -> list[Answer] | None:
        """Do jobs in order; None if they must be repeated."""
        geometry, limit = self._driver.geometry, self._driver.identity.payload_limit
        trips = [_Trip(job) for job in jobs]
        messages = [
            (trip, message)
            for trip in trips
            for message in of_inference(geometry, trip.job.writes, trip.job.span, trip.job.reads, limit)
        ]
        replies = self._driver.flow([message for _, message in messages])
        for (trip, (request, _)), reply in zip(messages, replies, strict=False):
            trip.take(request, reply)
        answers = [answer for trip in trips if (answer := trip.answer()) is not None]
        if len(answers) < len(jobs):
            self._failures += 1
            self.size = FIRST_SIZE if self._failures < MOST_FAILURES else 0
            return None
        self._failures = 0
        self.size = min(2 * self.size, LARGEST_SIZE)
        return answers
