"""A small component with a device's ports, for tests of what surrounds one."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdl.device import has_flash
from hdl.flash_loader import FLASH


class Echo(wiring.Component):
    """Sends back what it hears, `geometry.queue_depth` cycles later; idle always.

    The flash, if there is one, hears the line too, and its output can stop the answer.
    """

    def __init__(self, geometry, *, divisor, clock_hz, flash=False, coded_loads=None):
        self.stages = geometry.queue_depth
        lamps = dict.fromkeys(("idle", "loading", "computing", "fault"), Out(1))
        pins = {"flash": Out(FLASH)} if flash else {}
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), **lamps, **pins})

    def elaborate(self, platform):
        m = Module()
        heard = Signal(self.stages, init=(1 << self.stages) - 1)
        m.d.sync += heard.eq(heard << 1 | self.rx)
        m.d.comb += [self.tx.eq(heard[-1]), self.idle.eq(1)]
        m.d.comb += [self.loading.eq(0), self.computing.eq(0), self.fault.eq(0)]
        if has_flash(self):
            m.d.sync += [self.flash.select.eq(self.rx), self.flash.clock.eq(~self.flash.clock)]
            m.d.comb += [self.flash.command.eq(heard[0]), self.tx.eq(heard[-1] | self.flash.data)]
        return m
