"""Rules of the house that no single file can break unseen: imports, names, sizes, docstrings."""

import ast
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOUSE = ("golden", "hdl", "host", "boards", "tests", "examples")
MAY_IMPORT = {
    "golden": {"golden"},
    "hdl": {"golden", "hdl"},
    "host": {"golden", "host"},
    "boards": {"golden", "hdl", "boards"},
}
PACKAGES = tuple(MAY_IMPORT)
LONGEST = 450

MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
EVERYTHING = sorted(path for folder in HOUSE for path in (ROOT / folder).rglob("*.py"))


def name(path: Path) -> str:
    """Path under the checkout."""
    return str(path.relative_to(ROOT))


def imports(tree: ast.AST) -> Iterator[str]:
    """Top-level package of every import in a syntax tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def public(tree: ast.Module) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    """Public classes and functions of a module."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield node


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_module_keeps_the_rules(path):
    package = path.relative_to(ROOT).parts[0]
    source = path.read_text()
    tree = ast.parse(source)

    seen = set(imports(tree)) & set(HOUSE)
    if package == "host" and path.stem.startswith("cli"):
        at_the_top = set(
            imports(ast.Module([n for n in tree.body if not isinstance(n, ast.FunctionDef)], []))
        )
        assert not at_the_top & {"amaranth", "hdl", "boards"}, "import gateware inside the subcommand"
        seen -= {"hdl", "boards"}
    assert seen <= MAY_IMPORT[package]

    if package in ("hdl", "boards"):
        assert "from __future__" not in source, "it silently empties every data.Struct"
    if source:
        assert ast.get_docstring(tree), "a module says what it is"
    assert not [node.name for node in public(tree) if not ast.get_docstring(node)]


@pytest.mark.parametrize("path", EVERYTHING, ids=name)
def test_file_is_named_and_sized_well(path):
    assert path.stem not in sys.stdlib_module_names
    assert len(path.read_text().splitlines()) <= LONGEST
    assert "noqa" not in path.read_text() or path == Path(__file__)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_has_tests(package):
    assert list((ROOT / "tests" / package).glob("test_*.py"))


def test_every_folder_of_tests_is_a_package():
    for path in (ROOT / "tests").rglob("*.py"):
        assert (path.parent / "__init__.py").exists(), f"a bare {path.parent} would hide a package"


def test_every_worker_collects_the_same_tests():
    """Another second and another seed of hashes change no name, else parallel workers refuse to begin."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests"]
    runs = []
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        runs.append(subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE))
        time.sleep(1.1)
    first, second = (run.communicate(timeout=300)[0].splitlines()[:-1] for run in runs)
    assert len(first) > 1000
    assert first == second
