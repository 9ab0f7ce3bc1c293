"""Simulators are built once, found again by content, and missing tools are named."""

import subprocess

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.errors import TamisError, ToolMissingError
from hdl import cache, verilator
from hdl.verilator import build
from hdl.verilog import emit

MAIN = """
#include <cstdio>
#include "Vtop.h"

int main() {
    Vtop top;
    top.i = 41;
    top.eval();
    std::printf("%d", top.o);
}
"""


class Adder(wiring.Component):
    """Adds a constant."""

    i: In(8)
    o: Out(8)

    def __init__(self, addend):
        self._addend = addend
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(self.i + self._addend)
        return m


@pytest.fixture
def main(tmp_path):
    """A C++ main program in a file."""
    path = tmp_path / "main.cpp"
    path.write_text(MAIN)
    return path


def says(program):
    """What a program prints."""
    return subprocess.run([program], stdout=subprocess.PIPE, check=True, timeout=60).stdout.decode()


def test_program_is_built_once_for_what_goes_into_it(main, monkeypatch):
    flags = ["-O0", "-DVL_TIME_CONTEXT"]
    program = build(emit(Adder(1)), main, cxxflags=flags)
    assert says(program) == "42"

    commands = []
    run = verilator._run
    monkeypatch.setattr(verilator, "_run", lambda command, cwd: commands.append(command) or run(command, cwd))
    assert build(emit(Adder(1)), main, cxxflags=flags) == program
    assert all("--version" in command for command in commands)

    assert says(build(emit(Adder(2)), main, cxxflags=flags)) == "43"
    main.write_text(MAIN.replace("41", "51"))
    assert says(build(emit(Adder(1)), main, cxxflags=flags)) == "52"


@pytest.mark.parametrize("different", ["options", "visible", "cxxflags", "ldflags"])
def test_every_argument_is_part_of_the_name(main, monkeypatch, different):
    names = []
    monkeypatch.setattr(verilator, "_cached", lambda kind, key, make: names.append((kind, repr(key))))
    values = {"options": ["--assert"], "visible": ["i"], "cxxflags": ["-O0"], "ldflags": ["-s"]}
    build(emit(Adder(1)), main)
    build(emit(Adder(1)), main, **{different: values[different]})
    assert names[0] != names[1]


def test_missing_compiler_is_named(main, monkeypatch):
    monkeypatch.setenv("CXX", "g++-of-nowhere -m64")
    with pytest.raises(
        ToolMissingError, match=r"^The C\+\+ compiler g\+\+-of-nowhere was not found, .*apt install"
    ):
        build(emit(Adder(1)), main)


def test_refused_source_leaves_nothing_behind(main, tmp_path, monkeypatch):
    monkeypatch.setenv("TAMIS_CACHE", str(tmp_path / "cache"))
    main.write_text("nonsense")
    with pytest.raises(TamisError, match=r"^g\+\+ failed with status 1: (.|\n)*nonsense"):
        build(emit(Adder(1)), main)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_cache_directory_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("TAMIS_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_directory() == tmp_path / "tamis"
    monkeypatch.setenv("TAMIS_CACHE", str(tmp_path / "own"))
    assert cache.cache_directory() == tmp_path / "own"
