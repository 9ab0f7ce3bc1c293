"""Verilog is emitted deterministically, shared modules once, and mistakes are refused."""

import subprocess
import sys

import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hdl.verilog import Shared, emit, interface
from tests.hdl.runner import simulate
from tests.hdl.side_by_side import SideBySide


class Delay(wiring.Component):
    """A memory of its own depth between two streams."""

    i: In(stream.Signature(8, always_ready=True))
    o: Out(stream.Signature(8, always_ready=True))

    def __init__(self, depth):
        self._depth = depth
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.store = store = Memory(shape=8, depth=self._depth, init=[])
        write = store.write_port()
        read = store.read_port()
        m.d.comb += [
            write.en.eq(self.i.valid),
            write.data.eq(self.i.payload),
            self.o.payload.eq(read.data),
            self.o.valid.eq(read.data.any()),
        ]
        return m


class Chain(wiring.Component):
    """Shared stages in a row; a stage itself, if need be."""

    i: In(stream.Signature(8, always_ready=True))
    o: Out(stream.Signature(8, always_ready=True))

    def __init__(self, stages, name):
        self._stages = stages
        self._name = name
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        previous = self.i
        for position, component in enumerate(self._stages):
            stage = Shared(component, self._name)
            m.submodules[f"stage{position}"] = stage
            m.d.comb += [stage.i.valid.eq(previous.valid), stage.i.payload.eq(previous.payload)]
            previous = stage.o
        m.d.comb += [self.o.valid.eq(previous.valid), self.o.payload.eq(previous.payload)]
        return m


class Deaf(wiring.Component):
    """A component that forgot its output."""

    i: In(8)
    o: Out(8)

    def elaborate(self, platform):
        return Module()


def example():
    """A pair of delays, twice."""
    delay = Delay(16)
    pair = Chain([delay, delay], "delay")
    return Chain([pair, pair], "pair")


def test_shared_modules_are_emitted_once():
    verilog = emit(example(), "chain")
    assert verilog.count("\nmodule ") == 3
    assert verilog.count("\n  delay stage") == 2
    assert verilog.count("\n  pair stage") == 2
    name, ports = interface(verilog)
    assert name == "chain"
    streams = {"i__valid": "input", "i__payload": "input", "o__valid": "output", "o__payload": "output"}
    assert ports == {"clk": "input", "rst": "input", **streams}


def test_equal_designs_may_share_a_name_and_others_not():
    delay = Delay(16)
    assert emit(Chain([Delay(16), Delay(16)], "delay")) == emit(Chain([delay, delay], "delay"))
    with pytest.raises(ValueError, match=r"^Shared modules must have a name each, .* named 'delay'$"):
        emit(Chain([Delay(16), Delay(8)], "delay"))


def test_text_is_the_same_in_another_process():
    command = "from tests.hdl.test_verilog import emit, example; print(emit(example()), end='')"
    process = subprocess.run([sys.executable, "-c", command], stdout=subprocess.PIPE, check=True, timeout=60)
    assert process.stdout.decode() == emit(example())


def test_memories_start_zeroed_or_unknown():
    verilog = emit(Delay(16))
    assert "for (store_word = 0; store_word <= 15; store_word = store_word + 1)" in verilog
    assert "initial" not in emit(Delay(16), unknown_memories=True)


class Scratch(wiring.Component):
    """A memory that is read and written in the same cycles."""

    address: In(2)
    write: In(1)
    i: In(8)
    o: Out(8)

    def __init__(self, attrs):
        super().__init__()
        self._attrs = attrs

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = Memory(shape=8, depth=4, init=[], attrs=self._attrs)
        write, read = words.write_port(), words.read_port()
        m.d.comb += [
            *(port.addr.eq(self.address) for port in (write, read)),
            write.en.eq(self.write),
            write.data.eq(self.i),
            self.o.eq(read.data),
        ]
        return m


def test_a_word_that_is_being_written_reads_as_nonsense_if_nobody_may_look():
    units = {"marked": Scratch({"no_rw_check": 1}), "plain": Scratch({})}
    simulate(SideBySide(units), "tests.hdl.bench_verilog")
    assert "no_rw_check" in emit(Scratch({"no_rw_check": 1}))
    assert "no_rw_check" not in emit(Scratch({}))


def test_forgotten_output_is_refused():
    with pytest.raises(ValueError, match=r"^Port 'o' of 'top' must be an output, but is never driven$"):
        emit(Deaf())


def test_shared_module_needs_emit():
    with pytest.raises(TypeError, match=r"^Shared module 'delay' exists in Verilog only"):
        Shared(Delay(16), "delay").elaborate(None)
