"""Runs with single faults: what a network's integers, and the link, tell of a broken chip; with a ledger.

The ledger is a file of JSON lines, one for each run. A campaign that was interrupted goes on where it ended,
and several may share a ledger: a line is written at once, and a fault that has one is not run again.
"""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.cycles import run_cycles
from golden.engine import Engine
from golden.errors import InputError, TamisError
from golden.execute import Result, execute
from golden.geometry import Geometry
from golden.model import Model
from golden.plan import make_plan
from host.driver import Driver, Progress
from host.transport import SerialTransport

CAUGHT = ("mismatch", "error", "timeout")
"""Outcomes that tell of a fault: other integers or cycles, a refusal or a bad link, no end."""
TIMED = ("error", "timeout")
"""Outcomes that a starved simulation shows too: they count if the sound netlist passes right afterwards."""
OUTCOMES = (*CAUGHT, "without effect", "LED only", "never exercised")
TIMEOUT = 5.0
SLACK = 10.0
"""A run has timed out after this many times, and this many seconds more than, what the sound one took."""


class Campaign:
    """A network to be run on boards with a fault each.

    Parameters
    ----------
    start : callable
        From the number of a fault (0 for none) to a board: a context manager with `port`, `close` and, after
        it is closed, `epilogue`, which is "excited" if the fault made a difference anywhere.
    model : Model
    activations : array of int16, shape (images, inputs)
    """

    def __init__(
        self, start: Callable[[int], AbstractContextManager[Any]], model: Model, activations: NDArray[Any]
    ) -> None:
        self._start = start
        self._model = model
        self._activations = activations
        self._golden: dict[Geometry, Result] = {}
        before = time.monotonic()
        self._limit = 3600.0
        sound = self.run(0)
        if sound["outcome"] in CAUGHT:
            raise TamisError(f"the sound netlist fails: {sound['detail']}; please report it")
        self._limit = SLACK * (time.monotonic() - before) + SLACK

    def run(self, number: int) -> dict[str, Any]:
        """Run with one fault; keys outcome, detail, seconds."""
        before = time.monotonic()
        expired = threading.Event()
        with self._start(number) as board:

            def expire() -> None:
                expired.set()
                board.close()

            timer = threading.Timer(self._limit, expire)
            timer.start()
            try:
                outcome, detail = self._compare(board.port)
            except (
                Exception
            ) as error:  # a broken board may say anything, and nothing of it may end the campaign
                outcome, detail = "error", f"{type(error).__name__}: {error}"
            finally:
                timer.cancel()
        if expired.is_set():
            outcome, detail = "timeout", f"no end within {self._limit:.0f} s"
        elif not outcome:
            outcome = "without effect" if "excited" in board.epilogue else "never exercised"
        return {"outcome": outcome, "detail": detail, "seconds": round(time.monotonic() - before, 1)}

    def _compare(self, port: str) -> tuple[str, str]:
        """Outcome and detail of a run; both empty if all is as golden has it."""
        transport = SerialTransport(port)
        try:
            driver = Driver(transport, timeout=TIMEOUT, run_timeout=self._limit)
            plan = make_plan(self._model, driver.geometry)
            found = execute(plan, driver, self._activations)
            status, traffic = driver.status(), driver.traffic
            golden = self._expected(driver.geometry)
        finally:
            transport.close()
        wrong = int(np.count_nonzero(found.outputs != golden.outputs))
        if (
            wrong
            or not np.array_equal(found.cycles, golden.cycles)
            or found.saturations != golden.saturations
        ):
            return "mismatch", f"{wrong} of {golden.outputs.size} outputs"
        if traffic.retries or traffic.bad_replies or status.damaged or status.overruns or status.fault:
            return "error", f"{traffic.retries} retries, {traffic.bad_replies} bad replies, {status}"
        return "", ""

    def _expected(self, geometry: Geometry) -> Result:
        if geometry not in self._golden:
            plan = make_plan(self._model, geometry)
            self._golden[geometry] = execute(plan, Engine(geometry, run_cycles), self._activations)
        return self._golden[geometry]


def run_all(
    campaign: Campaign,
    faults: Sequence[dict[str, Any]],
    ledger: Path,
    *,
    key: str,
    jobs: int = 1,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Run every fault that the ledger does not have yet.

    Parameters
    ----------
    campaign : Campaign
    faults : sequence of dict
        Each with number, kind, place, and lamps_only: whether it can reach nothing but LEDs.
    ledger : Path
    key : str
        Names the netlist and the network; lines with another key are left alone.
    jobs : int
        Runs at a time.
    progress : callable, optional

    Returns
    -------
    list of dict
        The ledger's lines for these faults, in their order.

    Raises
    ------
    InputError
        If the ledger cannot be written.
    TamisError
        If the machine is so busy that the sound netlist fails as well.
    """
    done = read_ledger(ledger, key)
    waiting = [fault for fault in faults if fault["number"] not in done]
    lock = threading.Lock()

    def run(fault: dict[str, Any]) -> None:
        found = campaign.run(fault["number"])
        if found["outcome"] in TIMED and campaign.run(0)["outcome"] in CAUGHT:
            raise TamisError(
                "the machine is too busy to tell a fault from its own slowness: the sound netlist fails too; "
                "repeat the command with --jobs 1, it goes on where it ended"
            )
        line = {"key": key, **fault, **found}
        if line["outcome"] == "without effect" and fault["lamps_only"]:
            line["outcome"] = "LED only"
        with lock:
            done[fault["number"]] = line
            try:
                with open(ledger, "ab+") as file:
                    cut_off = file.tell() and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n"
                    file.write(b"\n" * cut_off + json.dumps(line).encode() + b"\n")
            except OSError as error:
                raise InputError(
                    f"cannot write {ledger}: {error.strerror}; choose another --ledger"
                ) from None
            if progress is not None:
                progress(sum(one["number"] in done for one in faults), len(faults))

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(run, waiting))
    return [done[fault["number"]] for fault in faults]


def read_ledger(ledger: Path, key: str) -> dict[int, dict[str, Any]]:
    """Lines of a ledger by the number of the fault; a line that was cut off in writing is none."""
    found = {}
    for text in ledger.read_text().splitlines() if ledger.exists() else ():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if line["key"] == key:
            found[line["number"]] = line
    return found


def summary(lines: Sequence[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Runs of each kind of fault by outcome, and of all kinds together."""
    counts: dict[str, Counter[str]] = {}
    for line in lines:
        for kind in (line["kind"], "all"):
            counts.setdefault(kind, Counter())[line["outcome"]] += 1
    ordered = [kind for kind in counts if kind != "all"] + ["all"] if counts else []
    return {kind: {outcome: counts[kind][outcome] for outcome in OUTCOMES} for kind in ordered}
