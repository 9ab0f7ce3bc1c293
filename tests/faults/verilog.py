"""Faults in what turns the gateware into a simulator."""

from tests.faults import Fault

FAULTS = [
    Fault(
        "hdl/verilog.py",
        "if known is component:",
        "if False:",
        "tests/hdl/test_verilog.py",
        equivalent="the same component is converted again, slower, to the same text",
    ),
    Fault(
        "hdl/verilog.py",
        "if found.get(port) not in (direction, None):",
        "if False:",
        "tests/hdl/test_verilog.py",
    ),
    Fault("hdl/verilog.py", "if source not in (None, again):", "if False:", "tests/hdl/test_verilog.py"),
    Fault("hdl/verilog.py", "<= {last}", "< {last}", "tests/hdl/test_verilog.py"),
    Fault(
        "hdl/verilator.py",
        "key = [tools, verilog, control,",
        "key = [tools, verilog,",
        "tests/hdl/test_verilator.py",
    ),
]
