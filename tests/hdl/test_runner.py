"""The simulation runner itself: it builds, passes, fails and names what failed."""

import pytest
from amaranth.hdl import Assert, Format, Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hdl.verilog import Shared, emit, interface
from tests.hdl.runner import simulate

ITEM = data.StructLayout({"a": 3, "b": 13})


class Register(wiring.Component):
    """One item, full rate only if taken at once."""

    i: In(stream.Signature(ITEM))
    o: Out(stream.Signature(ITEM))

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += [self.o.valid.eq(self.i.valid), self.o.payload.eq(self.i.payload)]
        return m


class Pipeline(wiring.Component):
    """The same shared register three times."""

    i: In(stream.Signature(ITEM))
    o: Out(stream.Signature(ITEM))

    def elaborate(self, platform):
        m = Module()
        register = Register()
        upstream = flipped(self.i)
        for position in range(3):
            m.submodules[f"register{position}"] = stage = Shared(register, "register")
            connect(m, upstream, stage.i)
            upstream = stage.o
        connect(m, upstream, flipped(self.o))
        return m


class Refuser(Pipeline):
    """A pipeline that asserts that nothing comes."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        m.d.sync += Assert(~self.i.valid, Format("{} came", self.i.payload.as_value()))
        return m


def test_shared_module_passes_items():
    verilog = emit(Pipeline())
    assert verilog.count("module register(") == 1
    assert interface(verilog)[1]["o__payload"] == "output"
    simulate(Pipeline(), "tests.hdl.bench_runner", testcase="passes_items", parameters={"count": 200})


@pytest.mark.parametrize(
    ("testcase", "message"),
    [
        ("compares_wrongly", r"bench_runner: compares_wrongly: failure: assert .*\n"),
        ("hangs", "20 of 30 items, then"),
        ("missing", "no cocotb test ran"),
    ],
)
def test_failure_is_reported(testcase, message):
    with pytest.raises(pytest.fail.Exception, match=message):
        simulate(Pipeline(), "tests.hdl.bench_runner", testcase=testcase, parameters={"count": 20})


def test_gateware_assertion_fails_the_test():
    with pytest.raises(pytest.fail.Exception, match=r"\d+ came"):
        simulate(Refuser(), "tests.hdl.bench_runner", testcase="passes_items", parameters={"count": 3})


def test_simulation_has_a_timeout():
    with pytest.raises(pytest.fail.Exception, match="did not end within 3 s"):
        simulate(Pipeline(), "tests.hdl.bench_runner", testcase="runs_for_ever", timeout=3)
