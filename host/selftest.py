"""The self-test of a board: identity, refusals, a march over every memory, known answers, link counters.

It knows nothing of the simulated board, and runs the same on any other.
"""

import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib import metadata
from typing import Any

from golden.errors import DeviceError, UnsupportedError
from golden.image import SECTION
from golden.memories import Memory, depth, word_bytes
from golden.protocol import WHOLE, Code
from host import march
from host.driver import Driver
from host.exchange import Refused
from host.known_answers import Case, cases, run_case

Progress = Callable[[int, int], None]
"""Called with the work done so far, and all of it."""

CASE_WORK = 20
"""What a known answer counts in the progress, where a block of a march counts one."""
LINK_ERRORS = ("retries", "bad_replies", "damaged_frames", "overruns")
"""Counters that are zero on a sound link."""


@dataclass(frozen=True)
class Finding:
    """Outcome of one test: "passed", "failed", or "left out" where the board is too small for it."""

    name: str
    outcome: str
    detail: str
    seconds: float


@dataclass
class Report:
    """What a self-test found.

    Attributes
    ----------
    board : dict
        Port, protocol version, clock and geometry, as the board states them.
    host : dict
        Versions of Tamis, Python and the system.
    findings : list of Finding
        In the order in which the tests ran.
    link : dict
        Bytes, requests, retries and bad replies as the host counts them, damaged frames and overruns as the
        board does.
    complete : bool
        Whether every test had its turn; False if the link broke.
    """

    board: dict[str, Any]
    host: dict[str, str]
    findings: list[Finding] = field(default_factory=list)
    link: dict[str, int] = field(default_factory=dict)
    complete: bool = True

    @property
    def failures(self) -> list[str]:
        """Names of the tests that failed."""
        return [finding.name for finding in self.findings if finding.outcome == "failed"]

    @property
    def passed(self) -> bool:
        """Whether every test had its turn and none failed."""
        return self.complete and not self.failures

    def as_dict(self) -> dict[str, Any]:
        """The report in types that JSON knows."""
        return {"passed": self.passed, "failures": self.failures, **asdict(self)}

    def text(self) -> str:
        """The report as lines of text, to be pasted into a bug report."""
        lines = ["Tamis self-test", ""]
        for title, values in (("host", self.host), ("board", self.board), ("link", self.link)):
            lines += [f"{title}: " + ", ".join(f"{name} {value}" for name, value in values.items())]
        lines.append("")
        width = max((len(finding.name) for finding in self.findings), default=0)
        lines += [
            f"{test.outcome:8}  {test.name:{width}}  {test.seconds:6.2f} s  {test.detail}".rstrip()
            for test in self.findings
        ]
        lines += ["", self.verdict()]
        return "\n".join(lines)

    def verdict(self) -> str:
        """The outcome in one sentence."""
        if self.passed:
            return f"all {len(self.findings)} tests passed"
        ended = "" if self.complete else "; the tests after it had no turn, as the link was lost"
        return f"{len(self.failures)} of {len(self.findings)} tests failed: {', '.join(self.failures)}{ended}"


class _SelfTest:
    """The tests of one board, and what they share."""

    def __init__(self, driver: Driver, progress: Progress | None) -> None:
        self.driver = driver
        self.geometry = driver.geometry
        self.cases = cases(self.geometry)
        self.work = sum(march.steps(driver, memory) for memory in march.MARCHED) + CASE_WORK * len(self.cases)
        self.done = 0
        self.damaged_frames = self.overruns = 0
        self.before = asdict(driver.traffic)
        self.progress = progress

    def tests(self) -> Iterator[tuple[str, Callable[[], str]]]:
        """Name and function of each test; a function returns what is wrong, or nothing."""
        yield "identity", self.identity
        yield "refusals", self.refusals
        for memory in march.MARCHED:
            size = f"{march.rows(self.geometry, memory)} x {depth(self.geometry, memory)}"
            name = f"march: {memory.name.lower()} ({size} words, all of them)"
            yield name, partial(march.march, self.driver, memory, self.advance)
        for case in self.cases:
            yield f"known answer: {case.name}", partial(self.known_answer, case)
        yield "link", self.link

    def run(self, name: str, test: Callable[[], str]) -> Finding:
        """Run one test."""
        start = time.monotonic()
        try:
            detail = test()
            outcome = "failed" if detail else "passed"
        except UnsupportedError as error:
            outcome, detail = "left out", str(error)
        except Refused as error:
            outcome, detail = "failed", str(error)
        self.count_link_errors()
        return Finding(name, outcome, detail, time.monotonic() - start)

    def count_link_errors(self) -> None:
        """Add the board's counters to the sums, and zero them."""
        status = self.driver.status()
        self.damaged_frames += status.damaged
        self.overruns += status.overruns
        self.driver.reset()

    def link_counters(self) -> dict[str, int]:
        """What host and board have counted since the test began."""
        now = asdict(self.driver.traffic)
        counters = {name: now[name] - count for name, count in self.before.items()}
        return counters | {"damaged_frames": self.damaged_frames, "overruns": self.overruns}

    def advance(self, work: int = 1) -> None:
        self.done += work
        if self.progress is not None:
            self.progress(self.done, self.work)

    def identity(self) -> str:
        first, second = self.driver.identity, self.driver.identify()
        return "" if replace(second, status=first.status) == first else f"it changed into {second}"

    def refusals(self) -> str:
        """A board must not compute on what it has not checked."""
        payload = SECTION.pack(Memory.CODEBOOK, word_bytes(self.geometry, Memory.CODEBOOK), 0, 0, 1) + b"\0\0"
        attempts: list[tuple[str, Code, Callable[[], None]]] = [
            ("a run before any load", Code.NOT_COMMITTED, lambda: self.driver.start(0, 1)),
            ("a truncated image", Code.BAD_IMAGE, lambda: self.driver.load(WHOLE, payload[:-1])),
            ("a run after a bad load", Code.NOT_COMMITTED, lambda: self.driver.start(0, 1)),
        ]
        wrong = []
        for name, code, attempt in attempts:
            try:
                attempt()
            except Refused as error:
                if error.code != code:
                    wrong.append(f"{name} was refused with {error.code.name} instead of {code.name}")
            else:
                wrong.append(f"{name} was accepted")
        return "; ".join(wrong)

    def known_answer(self, case: Case) -> str:
        detail = run_case(self.driver, case)
        self.advance(CASE_WORK)
        return detail

    def link(self) -> str:
        counters = self.link_counters()
        return ", ".join(
            f"{counters[name]} {name.replace('_', ' ')}" for name in LINK_ERRORS if counters[name]
        )


def selftest(driver: Driver, progress: Progress | None = None) -> Report:
    """Test a board; what its memories held is lost.

    A link that breaks ends the test; the report says so.
    """
    identity = driver.identity
    run = _SelfTest(driver, progress)
    report = Report(
        board={
            "port": driver.name,
            "protocol": identity.version,
            "clock_hz": identity.clock_hz,
            "payload_limit": identity.payload_limit,
            "window": identity.window,
            **driver.geometry.as_dict(),
        },
        host={
            "tamis": _version(),
            "python": platform.python_version(),
            "system": platform.platform(),
        },
    )
    name = "reset"
    try:
        driver.reset()
        for name, test in run.tests():
            report.findings.append(run.run(name, test))
    except DeviceError as error:
        report.findings.append(Finding(name, "failed", str(error), 0.0))
        report.complete = False
    report.link = run.link_counters()
    return report


def _version() -> str:
    try:
        return metadata.version("tamis")
    except metadata.PackageNotFoundError:
        return "not installed"
