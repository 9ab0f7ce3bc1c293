"""The doctor names what is missing, and what to do."""

import json
import os
import stat

import pytest

from golden.errors import ToolMissingError
from hdl import cache
from host import doctor


def finding(name):
    """The finding of that name."""
    return next(found for found in doctor.findings() if found.name.startswith(name))


def test_this_machine_is_sound_and_says_so_in_json():
    found = doctor.findings()
    assert not [str(one) for one in found if not one.sound]
    assert json.loads(json.dumps([one.as_dict() for one in found]))[0]["name"] == "Python"


@pytest.mark.parametrize("tool", ["g++", "make", "perl"])
def test_missing_program_is_named_with_its_package(tool, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not finding(tool).found
    assert f"apt install {tool}`" in str(finding(tool))


def test_makefile_is_told_what_is_missing(monkeypatch, tmp_path, capsys):
    assert doctor.main([]) == 0
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.main([]) == ToolMissingError.exit_code
    assert capsys.readouterr().err.startswith("g++: not found, needed for the simulated board")


def test_old_python_and_missing_venv_are_named(monkeypatch):
    monkeypatch.setattr(doctor, "OLDEST_PYTHON", (99, 0))
    assert "install Python 99.0 or newer" in str(finding("Python"))
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda module: None)
    assert "apt install python3-venv" in str(finding("Python's venv"))


def test_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: ["nothing-there>=1; extra == 'onnx'"])
    (found,) = doctor.packages()
    assert not found.sound
    assert str(found) == (
        "nothing-there: not installed, needed for ONNX networks; install it with `pip install 'tamis[onnx]'`"
    )


def test_cache_is_that_of_the_builder(monkeypatch, tmp_path):
    assert doctor.cache_directory() == cache.cache_directory()
    monkeypatch.setenv("TAMIS_CACHE", str(tmp_path / "file" / "cache"))
    (tmp_path / "file").write_text("")
    assert "cannot be written" in str(finding("cache"))


def test_forbidden_port_names_the_group(monkeypatch, tmp_path):
    port = tmp_path / "ttyUSB0"
    port.write_text("")
    port.chmod(stat.S_IRUSR)
    monkeypatch.setattr(os, "access", lambda *_: False)
    found = doctor._serial_port(port)
    assert not found.sound
    assert "sudo usermod -aG" in found.fix
