"""Seeded faults still suit the sources; `make faults` plants them and runs the tests."""

from pathlib import Path

import pytest

from tests.faults.run import units

ROOT = Path(__file__).parent.parent
TOOLS = ("__init__.py", "cache.py", "verilator.py", "verilog.py")
"""Files of hdl/ that are no gateware."""


@pytest.mark.parametrize("unit", units())
def test_every_fault_can_be_planted(unit: str) -> None:
    for fault in units()[unit]:
        text = (ROOT / fault.file).read_text()
        assert fault.apply(text) != text


def test_every_unit_of_the_gateware_has_three_faults() -> None:
    files = [fault.file for faults in units().values() for fault in faults]
    gateware = [f"hdl/{path.name}" for path in (ROOT / "hdl").glob("*.py") if path.name not in TOOLS]
    few = {file: files.count(file) for file in gateware if files.count(file) < 3}
    assert few == {}
