"""The link's processor on random programs, and its assembler."""

import random

import pytest

from hdl.assembler import INSTRUCTION, Assembler, Condition, Group, Source
from hdl.processor import Processor
from tests.hdl.runner import simulate

NAMES = {f"v{i}": i for i in range(64)}
SUBROUTINE = """
sub: inc v1
     addto v2
     return
"""


def listing(generator):
    """A random program that only jumps forward, and its number of instructions."""

    def operand():
        number, variable = generator.randrange(256), generator.randrange(64)
        return generator.choice(
            [f"#{number}", f"v{variable}", f"v{variable % 8}", "@", "@+", "<a", "<step", "<counter", "<rx"]
        )

    lines = ["out INDEX #5"]
    for i in range(160):
        variable = generator.choice([f"v{generator.randrange(8)}", "@"])
        kind = generator.randrange(14)
        label = f"l{i + generator.randrange(1, 4)}"
        if kind < 5:
            mnemonic = generator.choice(["load", "add", "addc", "sub", "subc", "and"])
            line = f"{mnemonic} {operand()}"
        elif kind < 8:
            mnemonic = generator.choice(["store", "clear", "inc", "incc", "dec", "decc", "addto"])
            line = f"{mnemonic} {variable}"
        elif kind == 8:
            line = f"compare #{generator.choice([0, 1, generator.randrange(256)])}"
        elif kind == 9:
            condition = generator.choice(["zero", "carry", "equal", "last", "wrong", "busy"])
            line = f"{generator.choice(['if', 'unless'])}_{condition} {label}"
        elif kind == 10:
            line = generator.choice([f"jump {label}", "call sub"])
        elif kind == 11:
            line = f"repeat {generator.choice(['#0', '#1', '#2', '#5', 'v60'])}"
            lines.append(f"l{i}: {line}")
            lines.append(f"{generator.choice(['inc v3', 'clear @', 'out KEEP #7', 'out PE v3'])}")
            continue
        else:
            port = generator.choice(["PE", "SEND", "KEEP", "CHECK_KEEP", "LOW"])
            line = f"out {port} {operand()}"
        lines.append(f"l{i}: {line}")
        # The index must stay where the variables are.
        if i % 5 == 0:
            lines.append(f"out INDEX #{generator.randrange(40)}")
        lines.append("out HIGH <a")
    for i in range(160, 164):
        lines.append(f"l{i}: out LOW v{generator.randrange(8)}")
    lines += [*(f"out PE v{i}" for i in range(64)), "end: jump end"]
    return "\n".join(lines) + SUBROUTINE


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_processor(seed, stall):
    generator = random.Random(seed)
    program = Assembler(NAMES, {}).assemble(listing(generator))
    variables = [generator.randrange(256) for _ in range(60)] + [3, 1, 2, 9]
    simulate(
        Processor(program, variables, depth=256, output_registers=bool(seed % 2)),
        "tests.hdl.bench_processor",
        parameters={"program": program, "variables": variables + [0] * 192, "stall": stall,
                    "instructions": 900, "conditions": [generator.randrange(2) for _ in range(8)]},
    )  # fmt: skip


def test_assembler_word_by_word():
    words = Assembler({"here": 9}, {"SEVEN": 7}).assemble("""
start:  load    #SEVEN+1        ; comment
        store   here+1
        out     SEND @+
        unless_carry start
        call    start
        return
        jump    [here]
        repeat  #3
    """)
    fields = [INSTRUCTION.from_bits(word) for word in words]
    assert [int(f.operand) for f in fields] == [8, 10, 1, 0, 0, 0, 9, 3]
    assert [int(f.group) for f in fields] == [Group.LOAD, Group.STORE, Group.OUT, *[Group.JUMP] * 5]
    assert [int(f.source) for f in fields] == [
        Source.NUMBER, Source.VARIABLE, Source.INDEXED, Source.NUMBER, Source.NUMBER, Source.INPUT,
        Source.VARIABLE, Source.NUMBER]  # fmt: skip
    assert [int(f.function) for f in fields][3:] == [2 * Condition.CARRY + 1, 1, 0, 0, 2 * Condition.REPEAT]


def test_labels_of_the_second_page_are_for_jumps_only():
    long = "\n".join(["clear v"] * 256) + "\nfar: clear v\n"
    assert len(Assembler({"v": 0}, {}).assemble(long + "jump far")) == 258
    with pytest.raises(
        ValueError, match=r"^Line 'load #far' must be an instruction: label 'far' must be in the"
    ):
        Assembler({"v": 0}, {}).assemble(long + "load #far")


@pytest.mark.parametrize(
    "line", ["load", "load v w", "lode v", "load w", "store #3", "load #256", "load #-1", "out NOWHERE v",
             "jump nowhere", "if_late x", "control NOTHING", "load <nothing"]
)  # fmt: skip
def test_what_means_nothing_is_refused(line):
    with pytest.raises(ValueError, match=rf"^Line '{line}' must be an instruction: "):
        Assembler({"v": 0}, {}).assemble(line)


def test_a_label_stands_once():
    with pytest.raises(ValueError, match=r"^Label 'x' must stand once$"):
        Assembler({"v": 0}, {}).assemble("x: clear v\nx: clear v")


def test_a_program_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match=r"^Program must have at most 512 instructions, not 513$"):
        Processor([0] * 513, [], depth=256)
