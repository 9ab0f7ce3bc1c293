"""What a netlist must not have: each check meets small Verilog that fails it, in the real Yosys."""

import pytest

from boards import synthesis, tools
from boards.chips import UP5K, ecp5
from golden.errors import TamisError, ToolMissingError
from hdl.broadcast import FAN_OUT, Spread
from hdl.verilog import emit

GOOD = """
(* top = 1 *)
module top(clk, i, o);
  input clk;
  input [7:0] i;
  output [7:0] o;
  wire [7:0] o;
  reg [7:0] count;
  always @(posedge clk) count <= count + i;
  assign o = count;
endmodule
"""
LATCH = """
module top(en, i, o); input en; input i; output o; reg o;
  always @* if (en) o = i;
endmodule
"""
CONFLICT = """
module top(i, j, o); input i; input j; output o; wire o;
  assign o = i; assign o = j;
endmodule
"""
LOOP = """
module top(i, j, o); input i; input j; output o; wire o; wire a;
  assign a = ~(o & i); assign o = ~(a & j);
endmodule
"""
BLACK_BOX = """
(* blackbox *) module mystery(i, o); input i; output o; endmodule
module top(i, o); input i; output o;
  mystery inner(.i(i), .o(o));
endmodule
"""
NOWHERE = """
module top(i, o); input i; output o;
  nowhere inner(.i(i), .o(o));
endmodule
"""
# A read that does not wait for the clock suits no block RAM.
MEMORY = """
module top(clk, w, a, i, o); input clk; input w; input [5:0] a; input [7:0] i; output [7:0] o;
  reg [7:0] store [63:0];
  assign o = store[a];
  always @(posedge clk) if (w) store[a] <= i;
endmodule
"""


@pytest.mark.parametrize("chip", [UP5K, ecp5("25F", "CABGA381", 6)], ids=["ice40", "ecp5"])
def test_a_sound_design_passes(chip, tmp_path):
    cells = synthesis.synthesise(GOOD, "top", chip, tmp_path)
    assert synthesis.summary(cells, chip)["ff"] == 8
    assert (tmp_path / "design.json").exists()


@pytest.mark.parametrize("chip", [UP5K, ecp5("25F", "CABGA381", 6)], ids=["ice40", "ecp5"])
def test_equal_registers_that_shall_stay_apart_do(chip, tmp_path):
    """Each register of the last level of a spread has the same value as the others."""
    cells = synthesis.synthesise(emit(Spread(10, pes=3 * FAN_OUT)), "top", chip, tmp_path)
    assert synthesis.summary(cells, chip)["ff"] == 6 * 10


@pytest.mark.parametrize(
    ("verilog", "says"),
    [
        (LATCH, "a latch was inferred"),
        (CONFLICT, "driver"),
        (LOOP, "combinational loop in top"),
        (BLACK_BOX, "the module mystery is a black box"),
        (NOWHERE, "the module nowhere is a black box"),
        (MEMORY, "the memory top.store fell into flip-flops"),
    ],
    ids=["latch", "conflict", "loop", "black box", "missing module", "memory"],
)
def test_an_unsound_design_is_refused(verilog, says, tmp_path):
    with pytest.raises(TamisError, match=rf"^the netlist cannot be trusted: .*{says}.*; please report it$"):
        synthesis.synthesise(verilog, "top", UP5K, tmp_path)


def test_the_miscompiled_multiplier_is_refused():
    log = (
        "Warning: Driver-driver conflict for \\p1 [3] between cell $mul.O and constant 1'x in top: "
        "Resolved using constant.\n"
    )
    with pytest.raises(TamisError, match="two drivers disagree on"):
        synthesis.check_log(log, {})


def test_small_memories_and_tables_may_be_flip_flops():
    table = r"using FF mapping for memory top.$flatten\link.$auto$proc_rom.cc:155:do_switch$19"
    small = "using FF mapping for memory top.few"
    synthesis.check_log(f"{table}\n{small}\n", {"top.few": 64})
    with pytest.raises(TamisError, match=r"top\.few fell into"):
        synthesis.check_log(small, {"top.few": 1024})


def test_cells_must_be_of_the_chip():
    synthesis.check_cells({"SB_LUT4": 1, "SB_MAC16": 1, "$scopeinfo": 3}, UP5K)
    for name in ("$_DLATCH_P_", "LUT4", "SB_DLATCH"):
        with pytest.raises(TamisError, match="cannot be trusted"):
            synthesis.check_cells({name: 1}, UP5K)


def test_syntax_errors_are_told(tmp_path):
    with pytest.raises(TamisError, match=r"^Yosys failed on this design: .*ERROR"):
        synthesis.synthesise("module top(; endmodule", "top", UP5K, tmp_path)


def test_what_each_module_takes(tmp_path):
    text = GOOD.replace("module top", "module inner").replace("(* top = 1 *)", "")
    text += """
module top(clk, i, o); input clk; input [7:0] i; output [7:0] o; wire [7:0] between;
  inner one(.clk(clk), .i(i), .o(between));
  inner two(.clk(clk), .i(between), .o(o));
endmodule
"""
    rows = synthesis.by_module(text, "top", UP5K, tmp_path)
    assert {row["module"]: (row["count"], row["ff"]) for row in rows} == {"inner": (2, 8), "top": (1, 0)}


def test_a_tool_that_hangs_is_ended(tmp_path):
    (tmp_path / "endless.ys").write_text("exec -- sleep 60\n")
    with pytest.raises(TamisError, match=r"^yosys \(pyosys\) did not finish within 1 s"):
        tools.run("yosys", ["endless.ys"], tmp_path, seconds=1)


def test_a_tool_that_is_ended_from_outside_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(tools._TOOLS, "yosys", ("import os; os.kill(os.getpid(), 9)", "pyosys"))
    with pytest.raises(TamisError, match=r"^yosys \(pyosys\) was ended from outside by SIGKILL; .* memory"):
        tools.run("yosys", [], tmp_path, seconds=30)


def test_a_missing_tool_is_named_with_its_package(monkeypatch):
    monkeypatch.setitem(tools._TOOLS, "yosys", ("from nowhere_at_all import x", "nowhere-at-all"))
    with pytest.raises(
        ToolMissingError, match=r"^the Python package nowhere-at-all is not installed, .*fpga"
    ):
        tools.versions("yosys")
