"""What the link's processor does, one instruction after the other, by the words of `hdl.assembler`."""

from collections.abc import Callable, Iterator

from hdl.assembler import INSTRUCTION, Condition, Function, Group, Input, Port, Source
from tests.hdl.streams import unpack

RESULTS: dict[int, Callable[[int, int, int], int]] = {
    Function.LOAD: lambda a, b, c: b,
    Function.ADD: lambda a, b, c: a + b,
    Function.ADDC: lambda a, b, c: a + b + c,
    Function.SUB: lambda a, b, c: a + (b ^ 0xFF) + 1,
    Function.SUBC: lambda a, b, c: a + (b ^ 0xFF) + c,
    Function.AND: lambda a, b, c: a & b,
    Function.STORE: lambda a, b, c: a,
    Function.CLEAR: lambda a, b, c: 0,
    Function.INC: lambda a, b, c: b + 1,
    Function.INCC: lambda a, b, c: b + c,
    Function.DEC: lambda a, b, c: b + 0xFF,
    Function.DECC: lambda a, b, c: b + 0xFF + c,
}
WITHOUT_CARRY = (Function.LOAD, Function.AND, Function.STORE, Function.CLEAR)


class ProcessorModel:
    """State of the processor.

    Parameters
    ----------
    program, variables : list of int
    inputs : function of an operand field
        Byte of an input.
    conditions : sequence of bool
        By `Condition`; those before LAST are not used.
    """

    def __init__(self, program, variables, inputs, conditions) -> None:
        self.program, self.variables = program, list(variables)
        self.inputs, self.conditions = inputs, conditions
        self.counter = self.accumulator = self.index = self.link = self.repeat = 0
        self.carry = self.zero = self.equal = False

    def run(self, count: int) -> Iterator[tuple[int, int]]:
        """Port and value of each OUT in the next `count` instructions."""
        for _ in range(count):
            fields = unpack(INSTRUCTION, self.program[self.counter])
            group, function = fields["group"], fields["function"]
            source, operand = fields["source"], fields["operand"]
            jumps = group == Group.JUMP
            value = self._value(source, operand, jumps)
            address = self.index if source == Source.INDEXED or group == Group.OUT else operand
            steps = not jumps and source in (Source.INDEXED, Source.INPUT) and operand & 1
            following = self.counter + 1
            if group == Group.OUT:
                yield function, value
                if function in (Port.KEEP, Port.CHECK_KEEP):
                    self.variables[self.index] = value
                    steps = True
                if function == Port.INDEX:
                    self.index, steps = value, False
            elif jumps:
                following = self._jump(function, source, operand, value)
            else:
                self._compute(group, function, source, address, value)
            self.index = (self.index + bool(steps)) & 0xFF
            if jumps and function == 2 * Condition.REPEAT:
                self.repeat = value
            elif self.repeat > 1:
                self.repeat -= 1
                continue
            self.counter = following

    def _value(self, source: int, operand: int, jumps: bool) -> int:
        if jumps:
            return self.variables[operand] if source == Source.VARIABLE else operand
        if source == Source.VARIABLE:
            return self.variables[operand]
        if source == Source.INDEXED:
            return self.variables[self.index]
        if source == Source.INPUT:
            return self.accumulator if operand == Input.A else self.inputs(operand)
        return operand

    def _compute(self, group: int, function: int, source: int, address: int, value: int) -> None:
        total = RESULTS[function](self.accumulator, value, self.carry)
        result = total & 0xFF
        if group == Group.LOAD:
            self.accumulator = result
        elif source in (Source.VARIABLE, Source.INDEXED):
            self.variables[address] = result
        self.zero = result == 0
        if function not in WITHOUT_CARRY:
            self.carry = total > 0xFF
        if function in (Function.SUB, Function.SUBC):
            self.equal = result == 0 and (self.equal or function == Function.SUB)

    def _jump(self, function: int, source: int, operand: int, value: int) -> int:
        condition, inverted = divmod(function, 2)
        if condition == Condition.ALWAYS:
            if inverted:
                self.link = self.counter + 1
        else:
            known = {Condition.ZERO: self.zero, Condition.CARRY: self.carry, Condition.EQUAL: self.equal}
            met = known.get(Condition(condition), self.conditions[condition])
            if bool(met) == bool(inverted) or condition == Condition.REPEAT:
                return self.counter + 1
        if source == Source.INPUT:
            return self.link
        return value if source == Source.VARIABLE else operand + 128 * (source & 2)
