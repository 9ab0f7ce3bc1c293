"""Whether a design fits is said before synthesis, with numbers."""

import re

import pytest

from boards import capacity
from boards.build import TOP, verilog
from boards.chips import UP5K, ecp5
from boards.registry import find
from golden.errors import UnsupportedError

SMALL = ecp5("25F", "CABGA381", 6)


def contents(board):
    text, _ = verilog(board, board.pins())
    return capacity.contents(text, TOP)


@pytest.fixture(scope="module")
def found():
    return contents(find("ulx3s_25f"))


def test_memories_are_those_of_the_geometry(found):
    geometry = find("ulx3s_25f").geometry
    by_name = {memory.name.rpartition(".")[2]: memory for memory in found.memories}
    blocks = [one for one in found.memories if one.name.endswith("matrix_read.matrix.DP16KD")]
    assert sum(one.words * one.bits for one in blocks) >= geometry.matrix_words * geometry.word_bits
    assert sum(capacity.blocks(one, SMALL) for one in blocks) == len(blocks) == 1
    assert by_name["accumulators"].words == geometry.accumulators
    assert by_name["program"].count == 1


def test_registers_of_a_text():
    text = """
module top(clk, i, o);
  reg [7:0] a = 8'h00;
  reg b;
  reg [3:0] wire_like;
  reg [15:0] mem [31:0];
  inner one (
  );
  always @(posedge clk)
    a <= i;
  always @(posedge clk)
    b <= a[0];
  always @* wire_like = 4'h0;
endmodule
module inner();
  reg [1:0] c;
  always @(posedge clk)
    c <= 2'h1;
endmodule
"""
    found = capacity.contents(text, "top")
    assert found.other_registers == 8 + 1 + 2
    assert [(one.name, one.words, one.bits, one.count) for one in found.memories] == [("top.mem", 32, 16, 1)]


@pytest.mark.parametrize(
    ("words", "bits", "ice40", "large"),
    [(256, 16, 1, 1), (2048, 16, 8, 2), (256, 44, 3, 2), (8, 39, 3, 0), (1024, 8, 2, 1), (4096, 18, 18, 4)],
)
def test_block_rams_of_a_memory(words, bits, ice40, large):
    memory = capacity.Memory("m", words, bits, 1)
    assert (capacity.blocks(memory, UP5K), capacity.blocks(memory, SMALL)) == (ice40, large)


def test_a_geometry_that_does_not_fit_is_refused_with_the_nearest(found):
    board = find("ulx3s_25f").with_changes(pes=64)
    said = r"^64 PEs would take .* block RAMs of 56 .*; --pes \d+ fits$"
    with pytest.raises(UnsupportedError, match=said) as told:
        capacity.check_fit(board, found)
    nearest = int(re.search(r"--pes (\d+) fits", str(told.value))[1])
    assert not capacity.estimate(found, SMALL, nearest).problems(SMALL)
    assert capacity.estimate(found, SMALL, nearest + 1).problems(SMALL)
    capacity.check_fit(board.with_changes(pes=nearest), found)


def test_a_pe_too_large_for_the_chip(found):
    board = find("tang_nano_9k").with_changes(pes=1)
    huge = capacity.Contents((capacity.Memory("tamis_processing_element.m", 65536, 64, 1),), 0, 0)
    said = r"^1 PE would take 256 block RAMs of 26 .* not even one such PE fits"
    with pytest.raises(UnsupportedError, match=said):
        capacity.check_fit(board, huge)
