"""Run a component's bench: Amaranth -> Verilog -> Verilator -> cocotb, one cached build per design.

The test file makes the component and calls `simulate`; the bench module, which runs inside the simulator,
drives and checks it. They share nothing but `parameters`.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cocotb_tools.config
import find_libpython
import pytest

from hdl.verilator import build
from hdl.verilog import emit, interface

WAVES = "TAMIS_WAVES"
"""Environment variable that holds the directory for waves, if they are wanted (`pytest --waves`)."""

_MAIN = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"
_LOG_LINES = 40


def simulate(
    component: Any,
    bench: str,
    *,
    parameters: Mapping[str, object] | None = None,
    testcase: str | None = None,
    seed: int = 1,
    timeout: float = 120,
    known_memories: bool = False,
    single_port: bool = False,
    models: str = "",
    family: str | None = None,
) -> None:
    """Run the cocotb tests of a bench on a component; fail the calling test if one of them fails.

    Parameters
    ----------
    component : amaranth.lib.wiring.Component
        The design under test.
    bench : str
        Dotted name of the module with the cocotb tests.
    parameters : mapping, optional
        What the bench gets from `tests.hdl.streams.parameters`, by way of JSON.
    testcase : str, optional
        Name of the only cocotb test to run; all of them without.
    seed : int
        Of cocotb's `random`, and of the values that undriven bits and memories start with.
    timeout : float
        Seconds that the simulation may take.
    known_memories : bool
        Start memories with Amaranth's zeros, not at random as a reset on real hardware leaves them.
    single_port : bool
        Give large memories one port.
    models : str
        Verilog of the chip's primitives that the design instances.
    family : str, optional
        Family of chips whose primitives it may instance.
    """
    unknown = not known_memories
    verilog = emit(component, unknown_memories=unknown, family=family, single_port=single_port) + models
    _, ports = interface(verilog)
    waves = os.environ.get(WAVES)
    libraries = cocotb_tools.config.libs_dir
    program = build(
        verilog,
        _MAIN,
        options=[
            *("--vpi", "--assert", "--timescale", "1ns/1ps", "--x-assign", "unique", "--x-initial", "unique"),
            *(["--trace"] if waves else []),
        ],
        visible=sorted(ports),
        cxxflags=["-O1"],
        ldflags=[f"-Wl,-rpath,{libraries}", f"-L{libraries}", "-lcocotbvpi_verilator"],
    )
    command = [str(program), "+verilator+rand+reset+2", f"+verilator+seed+{seed}"]
    if waves:
        case = re.sub(r"\W+", "_", os.environ.get("PYTEST_CURRENT_TEST", bench).rsplit(" ", 1)[0])
        command += ["--trace", "--trace-file", str(Path(waves) / f"{case}.vcd")]
        sys.stderr.write(f"waves: {command[-1]}\n")
    with tempfile.TemporaryDirectory(prefix="tamis-") as directory:
        results = Path(directory) / "results.xml"
        environment = {
            **os.environ,
            **_cocotb(),
            "COCOTB_TEST_MODULES": bench,
            "COCOTB_RESULTS_FILE": str(results),
            "COCOTB_RANDOM_SEED": str(seed),
            "PARAMETERS": json.dumps(parameters or {}),
            "INPUTS": json.dumps([name for name, direction in ports.items() if direction == "input"]),
        }
        if testcase:
            environment["COCOTB_TEST_FILTER"] = rf"\.{testcase}$"
        with open(Path(directory) / "log", "w+", encoding="utf-8") as log:
            try:
                subprocess.run(
                    command,
                    env=environment,
                    cwd=directory,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=timeout,
                    check=False,
                )
                problem = _problem(results)
            except subprocess.TimeoutExpired:
                problem = f"the simulation did not end within {timeout} s"
            log.seek(0)
            lines = log.read().splitlines()
    if problem:
        pytest.fail("\n".join([f"{bench}: {problem}", *lines[-_LOG_LINES:]]), pytrace=False)


def _problem(results: Path) -> str | None:
    """Return what went wrong according to cocotb's report, if anything did."""
    if not results.exists():
        return "the simulation ended without a report"
    cases = ElementTree.parse(results).getroot().findall(".//testcase")
    if not cases:
        return "no cocotb test ran"
    for case in cases:
        for kind in ("failure", "error", "skipped"):
            if (found := case.find(kind)) is not None:
                message = found.get("error_msg") or found.get("message") or found.text or ""
                return f"{case.get('name')}: {kind}: {message.strip()}"
    return None


@cache
def _cocotb() -> dict[str, str]:
    """Environment in which the simulator finds Python, cocotb and our packages."""
    library = find_libpython.find_libpython()
    if library is None:
        pytest.fail(
            "Python's shared library was not found, and cocotb runs Python inside the simulator: "
            "use a Python built with --enable-shared, on Debian the package libpython3-dev.",
            pytrace=False,
        )
    return {
        "COCOTB_TOPLEVEL": "top",
        "TOPLEVEL_LANG": "verilog",
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "GPI_USERS": f"{library};{cocotb_tools.config.pygpi_entry_point()}",
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path]),
    }
