"""A small component with a device's ports, for tests of what surrounds one."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Echo(wiring.Component):
    """Sends back what it hears, `geometry.queue_depth` cycles later; idle always."""

    def __init__(self, geometry, *, divisor, clock_hz):
        self.stages = geometry.queue_depth
        lamps = dict.fromkeys(("idle", "loading", "computing", "fault"), Out(1))
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), **lamps})

    def elaborate(self, platform):
        m = Module()
        heard = Signal(self.stages, init=(1 << self.stages) - 1)
        m.d.sync += heard.eq(heard << 1 | self.rx)
        m.d.comb += [self.tx.eq(heard[-1]), self.idle.eq(1)]
        m.d.comb += [self.loading.eq(0), self.computing.eq(0), self.fault.eq(0)]
        return m
