"""Seed the faults one at a time and see that the tests fail: `python -m tests.faults.run`.

Each fault goes into a copy of the checkout. Built simulators stay in the common cache, where an unchanged
design is found and a faulty one has another name.
"""

import argparse
import importlib
import json
import os
import pkgutil
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import tests.faults
from tests.faults import Fault

ROOT = Path(__file__).parents[2]
TIMEOUT = 900
COPIED = ("golden", "hdl", "host", "boards", "tests", "examples", "docs", "pyproject.toml")
OUTCOMES = {0: "passed", 1: "failed"}
"""What pytest's exit codes mean here; any other is a mistake."""


def units() -> dict[str, list[Fault]]:
    """Faults by unit: the modules of this package that list some."""
    found = {}
    for module in pkgutil.iter_modules(tests.faults.__path__):
        faults = getattr(importlib.import_module(f"tests.faults.{module.name}"), "FAULTS", None)
        if faults is not None:
            found[module.name] = faults
    return found


def copy_checkout(target: Path) -> None:
    """Copy what the tests need."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, target / name)


def run_tests(tests: str, checkout: Path) -> str:
    """Return how the tests of a checkout went: passed, failed, timed out or broken."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *shlex.split(tests)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(checkout)}
    try:
        done = subprocess.run(
            command,
            cwd=checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "timed out"
    if done.returncode not in OUTCOMES:  # tests that do not start prove nothing
        print(done.stdout, file=sys.stderr)
    return OUTCOMES.get(done.returncode, "broken")


def try_fault(fault: Fault, checkout: Path) -> str:
    """Return what became of a fault: killed, survived, equivalent or broken."""
    path = checkout / fault.file
    sound = path.read_text()
    try:
        path.write_text(fault.apply(sound))
        outcome = run_tests(fault.tests, checkout)
    except ValueError as error:
        print(error, file=sys.stderr)
        return "broken"
    finally:
        path.write_text(sound)
    if outcome == "passed":
        return "equivalent" if fault.equivalent else "survived"
    return "broken" if outcome == "broken" else "killed"


def main() -> int:
    """Try the faults; 1 if any survived that should not."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--unit", help=f"only the faults of one unit: {', '.join(units())}")
    parser.add_argument("--json", action="store_true", help="results as JSON on standard output")
    arguments = parser.parse_args()
    chosen = units()
    if arguments.unit is not None:
        if arguments.unit not in chosen:
            parser.error(f"there is no unit {arguments.unit!r}, only {', '.join(chosen)}")
        chosen = {arguments.unit: chosen[arguments.unit]}

    results = []
    sound = {}
    with tempfile.TemporaryDirectory(prefix="tamis-faults-") as directory:
        checkout = Path(directory)
        copy_checkout(checkout)
        for unit, faults in chosen.items():
            for fault in faults:
                if fault.tests not in sound:
                    sound[fault.tests] = run_tests(fault.tests, checkout) == "passed"
                start = time.monotonic()
                outcome = try_fault(fault, checkout) if sound[fault.tests] else "broken"
                seconds = round(time.monotonic() - start, 1)
                results.append({"unit": unit, **asdict(fault), "outcome": outcome, "seconds": seconds})
                print(
                    f"{outcome:10} {seconds:6.1f} s  {fault.file}: {fault.old!r} -> {fault.new!r}",
                    file=sys.stderr,
                )
    bad = [result for result in results if result["outcome"] in ("survived", "broken")]
    if arguments.json:
        json.dump(results, sys.stdout, indent=2)
        print()
    print(f"{len(results)} faults, {len(bad)} survived or broken", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
