"""A small byte processor that serves the link's protocol, where hard-wired logic would cost twice as much."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from golden.geometry import bits_for
from hdl.assembler import FAR, INSTRUCTION, Condition, Function, Group, Port, Source

PROGRAM_WORDS = 512
LONG_PROGRAM_WORDS = 768
WAITS = data.StructLayout({"crc": 1, "send": 1, "engine": 1, "rx": 1})
"""What an instruction must wait for, if it is not ready."""


class Processor(wiring.Component):
    """Runs a program on an 8-bit accumulator, an index and a memory; see `hdl.assembler` for what it can do.

    An instruction takes three cycles: it is decoded and its operand read, the operand is taken, the
    instruction is carried out. In the second one it waits for what it needs. Program and memory are a
    synchronous block RAM each; the memory's upper part belongs to whoever gives `rx_address` and
    `arrival_address`.

    With `output_registers` the program's memory has a register behind it. The instruction that follows is
    looked up ahead, so only one that is jumped to comes a cycle later.

    Latency and throughput: 3 cycles an instruction; 4 for a jump that is taken, with `output_registers`.

    Parameters
    ----------
    program : list of int
        At most 512 instructions, or 768 if `coded`; the first one comes first.
    variables : list of int
        What the memory holds at first.
    depth : int
        Words of the memory, a power of two.
    output_registers : bool
        Registers for what the block RAMs give, for fast clocks.
    coded : bool
        There is a third page, and somebody may stand in for the input RX.

    Members
    -------
    arrival : In(1)
        A byte is to be stored.
    arrival_address, arrival_data : In
        To be held until `arrived`.
    arrived : Out(1)
        It is stored in this cycle.
    rx_address : In
        Where the byte is that the input RX reads.
    rx_mask : In(1)
        It reads as zero.
    raw : Out(8)
        It, without the mask, as the instruction is carried out.
    replaced : In(1)
        Only if `coded`, like the next one: the input RX is `given` too, and `ready.rx` is for that.
    looks : Out(1)
        An instruction with this input is in its second cycle, in which `raw` is the byte of `rx_address` two
        cycles before (three with `output_registers`).
    ready : In(WAITS)
        What need not be waited for; two cycles after an instruction it says what that one did.
    given : In(8)
        Byte of the input that `operand` names, except RX and A.
    named : Out(8)
        Operand field of the instruction, as it is decoded.
    operand : Out(8)
        It, a cycle later and on.
    port : Out(4)
        Number of its port.
    number : Out(1)
        What it gives to the port is a number.
    index : Out(8)
    value : Out(8)
        Byte for a port.
    goes : Out(1)
        The instruction is carried out in the next cycle, with `value`.
    with_port, with_input : Out(1)
        It is an OUT; its operand comes from an input.
    last, wrong, busy : In(1)
        Conditions of jumps.

    Raises
    ------
    ValueError
        If the program is too long.
    """

    def __init__(self, program, variables, *, depth, output_registers=False, coded=False):
        words = LONG_PROGRAM_WORDS if coded else PROGRAM_WORDS
        if len(program) > words:
            raise ValueError(f"Program must have at most {words} instructions, not {len(program)}")
        self._words = words
        self._coded = coded
        self._program = program
        self._variables = variables
        self._depth = depth
        self._output_registers = output_registers
        address = exact_log2(depth)
        super().__init__({
            "arrival":         In(1),
            "arrival_address": In(address),
            "arrival_data":    In(8),
            "arrived":         Out(1),
            "rx_address":      In(address),
            "rx_mask":         In(1),
            "raw":             Out(8),
            "ready":           In(WAITS),
            "given":           In(8),
            "named":           Out(8),
            "operand":         Out(8),
            "port":            Out(4),
            "number":          Out(1),
            "index":           Out(8),
            "value":           Out(8),
            "goes":            Out(1),
            "with_port":       Out(1),
            "with_input":      Out(1),
            "last":            In(1),
            "wrong":           In(1),
            "busy":            In(1),
            **({"replaced": In(1), "looks": Out(1)} if coded else {}),
        })

    def elaborate(self, platform):
        m = Module()
        # Words that are read while they are written are not used: no collision logic, then.
        stored = data.StructLayout({"instruction": INSTRUCTION})
        m.submodules.program = program = memory.Memory(
            shape=stored, depth=self._words, attrs={"rom_style": "block"},
            init=[stored.const({"instruction": INSTRUCTION.from_bits(word)}) for word in self._program])
        m.submodules.memory = variables = memory.Memory(
            shape=8, depth=self._depth, init=self._variables, attrs={"no_rw_check": 1})
        fetch = program.read_port()
        read = variables.read_port()
        write = variables.write_port()
        ahead = self._output_registers
        instruction = fetch.data.instruction
        if ahead:
            instruction = Signal(INSTRUCTION, reset_less=True)
        function, group = instruction.function, instruction.group

        # After reset an instruction without effect is carried out: the word that the program memory shows by
        # chance or, with `output_registers`, a jump to the first one. The fourth cycle is that of a jump.
        cycle = Signal(4 if ahead else 3, init=0b100)
        decodes, takes, executes = cycle[:3]
        places = bits_for(self._words - 1)
        counter = Signal(places, init=(1 << places) - 1)
        after = Signal.like(counter, init=0)
        accumulator, result = Signal(8), Signal(8)
        zero, carry, equal = Signal(), Signal(), Signal()
        taken = Signal(init=int(ahead))
        again = Signal()

        jumps = group == Group.JUMP
        outs = group == Group.OUT
        computes = ~group[1]
        asks = (instruction.source == Source.INPUT) & (group != Group.JUMP)
        indexed = (instruction.source == Source.INDEXED) & (group != Group.JUMP)
        asks_rx = asks & instruction.operand[6]
        shows_rx = asks_rx & ~self.replaced if self._coded else asks_rx
        keeps = outs & function[1:].all()

        def is_one_of(*functions):
            return Cat(function == known for known in functions).any()

        # First cycle.
        waits = Signal(WAITS)
        use = Signal(data.StructLayout(dict.fromkeys((
            "number", "memory", "accumulator", "rx", "input", "out", "steps", "indirect", "store", "load",
            "result", "carry", "equal", "chained", "with_accumulator", "anded", "minus_one", "inverted",
            "omitted", "carry_in", "jump_number", "jump_link", "call", "repeat",
            *(("asks_rx", "far") if self._coded else ())), 1)))
        m.d.comb += [
            self.arrived.eq(self.arrival & ~executes),
            self.named.eq(instruction.operand),
            self.operand.eq(instruction.operand),
            self.port.eq(function),
            read.en.eq(~executes),
            read.addr.eq(Mux(asks, self.rx_address, Mux(indexed, self.index, instruction.operand))),
        ]
        if ahead:
            arrives = cycle[3]
            m.d.sync += cycle.eq(Cat(arrives | (executes & ~taken), decodes | (takes & ~self.goes), self.goes,
                                     executes & taken))
            with m.If(arrives | (executes & ~again)):
                m.d.sync += instruction.eq(fetch.data.instruction)
        else:
            m.d.sync += cycle.eq(Cat(executes, decodes | (takes & ~self.goes), self.goes))
        with m.If(decodes):
            variable = instruction.source[0] & (jumps | ~instruction.source[1])
            m.d.sync += [
                equal.eq(Mux(use.equal, (result == 0) & (equal | ~use.chained), equal)),
                waits.crc.eq((outs & function[3]) | (asks & (instruction.operand[1]))),
                waits.send.eq(outs & (function[1:] == Port.SEND >> 1)),
                waits.engine.eq(outs | asks | jumps),
                waits.rx.eq(asks_rx),
                use.number.eq(~variable & (jumps | (instruction.source == Source.NUMBER))),
                use.memory.eq(variable | indexed | shows_rx),
                use.accumulator.eq(asks & instruction.operand[7]),
                use.rx.eq(asks_rx),
                use.input.eq(asks),
                use.out.eq(outs),
                use.steps.eq(keeps | (instruction.source[1] & ~jumps & instruction.operand[0])),
                use.indirect.eq(keeps | indexed),
                use.store.eq(keeps | ((group == Group.STORE) & (variable | indexed))),
                use.load.eq(group == Group.LOAD),
                use.result.eq(computes),
                use.carry.eq(computes & ~is_one_of(
                    Function.LOAD, Function.STORE, Function.CLEAR, Function.AND)),
                use.equal.eq(computes & is_one_of(Function.SUB, Function.SUBC)),
                use.chained.eq(function == Function.SUBC),
                use.with_accumulator.eq(computes & is_one_of(
                    Function.ADD, Function.ADDC, Function.SUB, Function.SUBC, Function.STORE)),
                use.anded.eq(computes & (function == Function.AND)),
                use.minus_one.eq(computes & is_one_of(Function.DEC, Function.DECC)),
                use.inverted.eq(computes & is_one_of(Function.SUB, Function.SUBC)),
                use.omitted.eq(computes & is_one_of(Function.AND, Function.STORE, Function.CLEAR)),
                use.carry_in.eq(computes & (is_one_of(Function.SUB, Function.INC) | (carry & is_one_of(
                    Function.ADDC, Function.SUBC, Function.INCC, Function.DECC)))),
                use.jump_number.eq(jumps & ~instruction.source[0]),
                use.jump_link.eq(jumps & instruction.source.all()),
                use.call.eq(jumps & (function == 1)),
                use.repeat.eq(jumps & (function == 2 * Condition.REPEAT)),
            ]
            if self._coded:
                m.d.sync += [use.asks_rx.eq(asks_rx), use.far.eq(function == FAR)]
        m.d.sync += zero.eq(result == 0)

        # Second cycle.
        conditions = Array([1, zero, carry, equal, self.last, self.wrong, self.busy, 0])
        m.d.comb += [
            self.goes.eq(takes & ~(waits.as_value() & ~self.ready.as_value()).any()),
            self.with_port.eq(use.out),
            self.with_input.eq(use.input),
        ]
        with m.If(self.goes):
            m.d.sync += [
                taken.eq((group == Group.JUMP) & (use.call | (conditions[function[1:]] ^ function[0]))),
                self.value.eq(Mux(use.memory, read.data & ~(self.rx_mask & use.rx).replicate(8), Mux(
                    use.number, instruction.operand, Mux(use.accumulator, accumulator, self.given)))),
            ]

        # Third cycle.
        left, right, total = Signal(8), Signal(8), Signal(9)
        link = Signal.like(counter)
        repeat = Signal(8)              # how often the instruction is carried out, this time included
        page = instruction.source[1]
        if self._coded:
            third = use.far | (page & counter[9])
            page = Cat(page & ~third, third)
        if self._coded:
            m.d.comb += self.looks.eq(takes & use.asks_rx)
        if self._output_registers:
            with m.If(takes if self._coded else self.goes):
                m.d.sync += self.raw.eq(read.data)
        else:
            m.d.comb += self.raw.eq(read.data)
        target = Mux(use.jump_number, Cat(instruction.operand, page), Mux(use.jump_link, link, self.value))
        m.d.comb += [
            self.number.eq(use.number),
            left.eq(use.minus_one.replicate(8) | (
                accumulator & (use.with_accumulator.replicate(8) | (self.value & use.anded.replicate(8))))),
            right.eq((self.value ^ use.inverted.replicate(8)) & ~use.omitted.replicate(8)),
            total.eq((Cat(1, left) + Cat(use.carry_in, right))[1:]),
            after.eq(counter + 1),
            again.eq(repeat[1:].any()),
            fetch.en.eq(1 if ahead else executes & ~again),
            fetch.addr.eq(Mux(executes if ahead else taken, target, after)),
            write.en.eq(Mux(executes, use.store, self.arrival)),
            write.addr.eq(Mux(executes, Mux(use.indirect, self.index, instruction.operand),
                              self.arrival_address)),
            write.data.eq(Mux(executes, total, self.arrival_data)),
        ]
        with m.If(executes):
            with m.If(again):
                m.d.sync += repeat.eq(repeat - 1)
            with m.Else():
                m.d.sync += counter.eq(Mux(taken, target, after) if ahead else fetch.addr)
            with m.If(use.repeat):
                m.d.sync += repeat.eq(self.value)
            with m.If(use.call):
                m.d.sync += link.eq(after)
            with m.If(use.out & (self.port == Port.INDEX)):
                m.d.sync += self.index.eq(self.value)
            with m.Elif(use.steps):
                m.d.sync += self.index.eq(self.index + 1)
            with m.If(use.load):
                m.d.sync += accumulator.eq(total)
            with m.If(use.result):
                m.d.sync += result.eq(total)
            with m.If(use.carry):
                m.d.sync += carry.eq(total[8])
        return m
