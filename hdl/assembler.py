"""Instructions of the link's processor, and the assembler that turns a listing into words.

An instruction is `data.StructLayout` `INSTRUCTION`: 16 bits. Its `source` says what the operand is:

=====  ===================  ==========================================================
value  in a listing         operand
=====  ===================  ==========================================================
0      ``#number``          the number
1      ``name``             the variable
2      ``@`` or ``@+``      the variable that the index names; with ``+`` the index then counts up
3      ``<name``            an `Input`; those with an odd number count the index up
=====  ===================  ==========================================================

A number is a sum of integers and names: constants, labels (their low 8 bits) and variables (their
addresses). ``name+1`` is the variable behind another. A listing has one instruction a line, ``label:`` in
front of it and ``; comment`` behind; mnemonics are the names in lower case of `Function` (with the
accumulator as target) and `Store` (with the operand itself), ``out PORT operand``, ``control NAMES``,
``jump``, ``call``, ``return``, and ``if_`` or ``unless_`` and the name of a `Condition`. ``repeat operand``
(a number or a variable) carries out the next instruction that often, and once for 0. A line that begins with
``?`` is left out unless it is asked for.

A jump from the third page reaches the first one and its own; one to the third page from outside depends on no
condition.
"""

from collections.abc import Mapping
from enum import IntEnum, IntFlag

from amaranth.lib import data

INSTRUCTION = data.StructLayout({"operand": 8, "source": 2, "function": 4, "group": 2})
PAGE = 256
"""Labels that are numbers must be below."""
THIRD = 2
"""Number of the third page."""
FAR = 15
"""Function of a jump to the third page."""


class Group(IntEnum):
    """What an instruction does with the result."""

    LOAD = 0
    """Keep it in the accumulator."""
    STORE = 1
    """Keep it in the operand, or nowhere if that is no variable."""
    OUT = 2
    """Give it to a `Port`."""
    JUMP = 3


class Source(IntEnum):
    """Kinds of operands. Those of jumps: a number in the first page, a variable (that names a place there), a
    number in the second page, the return address.
    """

    NUMBER = 0
    VARIABLE = 1
    INDEXED = 2
    INPUT = 3


class Function(IntEnum):
    """Results: A is the accumulator, B the operand, C the carry."""

    LOAD = 0
    """B"""
    ADD = 1
    """A + B"""
    ADDC = 2
    """A + B + C"""
    SUB = 3
    """A - B; carry means that A is not below B"""
    SUBC = 4
    """A - B - 1 + C"""
    AND = 5
    STORE = 6
    """A"""
    CLEAR = 7
    """0"""
    INC = 8
    """B + 1"""
    INCC = 9
    """B + C"""
    DEC = 10
    """B - 1; carry means that B was not 0"""
    DECC = 11
    """B - 1 + C"""


class Port(IntEnum):
    """Where OUT puts a byte."""

    INDEX = 0
    PE = 1
    ALL = 2
    LOW = 3
    HIGH = 4
    MEMORY = 5
    COMMITTED = 6
    """The two lower bits; above them the `Lamp`s."""
    CONTROL = 7
    EXCHANGE = 8
    """From here on bit 0 is for the CRC, the others say where else the byte goes."""
    CHECK = 9
    WORD = 10
    CHECK_WORD = 11
    SEND = 12
    """A number is sent as it is, what is no number is stuffed."""
    CHECK_SEND = 13
    KEEP = 14
    """The variable that the index names; the index then counts up."""
    CHECK_KEEP = 15


class Control(IntFlag):
    """What the operand of ``out CONTROL`` does, bit by bit."""

    WRITE = 1
    READ = 2
    RUN = 4
    RESET = 8
    REWIND = 16
    RELEASE = 32
    RESTART = 64
    CODED = 128
    """Until RELEASE, RX is decoded; the code has as many bytes as LOW got last."""


class Lamp(IntFlag):
    """What stands above the committed banks."""

    LOADING = 4
    FAILED = 8


class Input(IntEnum):
    """Numbers of inputs."""

    WORD = 0
    COUNTER = 1
    CRC = 2
    """Byte that was exchanged last; when OUT takes it, the next one is exchanged."""
    IDENTITY = 3
    STEP = 4
    BANKS = 6
    FAULT = 8
    SHORT = 10
    """1 if a code was too short."""
    LOST = 12
    RX = 64
    A = 128


class Condition(IntEnum):
    """What a jump can depend on."""

    ALWAYS = 0
    ZERO = 1
    """The last result that went to the accumulator or a variable (or nowhere) was 0."""
    CARRY = 2
    EQUAL = 3
    """All results since the last SUB, those of SUB and SUBC, were 0."""
    LAST = 4
    WRONG = 5
    BUSY = 6
    """The engine computes, or its port has not found all of a group or a place for all of it."""
    REPEAT = 7
    """Never."""


_STORING = (Function.STORE, Function.CLEAR, Function.INC, Function.INCC, Function.DEC, Function.DECC)


class Assembler:
    """Turns a listing into words.

    Parameters
    ----------
    variables : mapping of str to int
        Addresses.
    constants : mapping of str to int
    """

    def __init__(self, variables: Mapping[str, int], constants: Mapping[str, int]):
        self._variables = variables
        self._constants = constants

    def assemble(self, listing: str, *, optional: bool = False) -> list[int]:
        """Words of a listing, its `optional` lines included or not.

        Raises
        ------
        ValueError
            If it has a line that means nothing, or a number that does not fit.
        """
        lines, labels = [], {}
        for line in listing.splitlines():
            text = line.partition(";")[0].strip()
            if text.startswith("?"):
                text = text[1:].strip() if optional else ""
            label, colon, rest = text.partition(":")
            if colon:
                if label in labels:
                    raise ValueError(f"Label {label!r} must stand once")
                labels[label] = len(lines)
                text = rest.strip()
            if text:
                lines.append(text)
        self._labels = labels
        words = []
        for text in lines:
            self._third = len(words) >= THIRD * PAGE
            try:
                words.append(self._word(*text.split()))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"Line {text!r} must be an instruction: {error}") from None
        return words

    def _word(self, mnemonic: str, *rest: str) -> int:
        condition, _, name = mnemonic.partition("_")
        if mnemonic == "out":
            port, operand = rest
            return self._pack(Group.OUT, Port[port], *self._operand(operand))
        if mnemonic == "control":
            (names,) = rest
            flags = sum(Control[name] for name in names.split("+"))
            return self._pack(Group.OUT, Port.CONTROL, Source.NUMBER, flags)
        if mnemonic == "repeat":
            (operand,) = rest
            return self._pack(Group.JUMP, 2 * Condition.REPEAT, *self._operand(operand))
        if mnemonic in ("jump", "call", "return") or condition in ("if", "unless"):
            return self._jump(mnemonic, condition, name, *rest)
        (operand,) = rest
        source, number = self._operand(operand)
        if mnemonic == "compare":
            return self._pack(Group.STORE, Function.SUB, Source(source), number)
        if mnemonic == "addto":
            return self._pack(Group.STORE, Function.ADD, source, number)
        function = Function[mnemonic.upper()]
        group = Group.STORE if function in _STORING else Group.LOAD
        if group == Group.STORE and source not in (Source.VARIABLE, Source.INDEXED):
            raise ValueError("its operand must be a variable")
        return self._pack(group, function, source, number)

    def _jump(self, mnemonic: str, condition: str, name: str, target: str = "") -> int:
        if mnemonic == "return":
            return self._pack(Group.JUMP, 0, Source.INPUT, 0)
        if target.startswith("["):
            return self._pack(Group.JUMP, 0, Source.VARIABLE, self._variables[target.strip("[]")])
        function = 1 if mnemonic == "call" else 0
        if condition in ("if", "unless"):
            function = 2 * Condition[name.upper()] + (condition == "unless")
        page, place = divmod(self._labels[target], PAGE)
        if page == THIRD and not self._third:
            if function:
                raise ValueError("it must not depend on a condition")
            return self._pack(Group.JUMP, FAR, Source.NUMBER, place)
        if page not in ((0, THIRD) if self._third else (0, 1)):
            raise ValueError(f"label {target!r} is out of reach")
        return self._pack(Group.JUMP, function, Source.NUMBER | 2 * min(page, 1), place)

    def _operand(self, text: str) -> tuple[int, int]:
        if text in ("@", "@+"):
            return Source.INDEXED, int(text == "@+")
        if text.startswith("<"):
            return Source.INPUT, Input[text[1:].upper()]
        if text.startswith("#"):
            return Source.NUMBER, sum(map(self.number, text[1:].split("+")))
        name, _, offset = text.partition("+")
        return Source.VARIABLE, self._variables[name] + int(offset or 0)

    def number(self, text: str) -> int:
        """Value of a name, or of digits; labels are those of the listing assembled last."""
        if text in self._labels:
            if self._labels[text] >= PAGE:
                raise ValueError(f"label {text!r} must be in the first {PAGE} words")
            return self._labels[text]
        for known in (self._constants, self._variables):
            if text in known:
                return known[text]
        return int(text)

    def _pack(self, group: int, function: int, source: int, operand: int) -> int:
        fields = {"operand": operand, "source": source, "function": function, "group": group}
        if not 0 <= operand <= 0xFF:
            raise ValueError(f"operand {operand} must be a byte")
        return INSTRUCTION.const(fields).as_bits()
