"""A whole device: what a board's top level puts between its clock and its pins."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.protocol import PAYLOAD_LIMIT, WINDOW, Fault
from hdl.engine import Engine
from hdl.flash_loader import FLASH
from hdl.link import Link


def has_flash(component):
    """Whether a device, or what takes its place, has the pins of a flash."""
    return "flash" in component.signature.members


class Device(wiring.Component):
    """Link and engine.

    Latency and throughput are those of its parts.

    Parameters
    ----------
    geometry : golden.geometry.Geometry
        Of the engine.
    divisor : int
        Clock cycles per bit of the serial line.
    clock_hz : int
        Frequency of the clock, as the host is told.
    payload_limit : int
        Bytes of the longest payload.
    window : int
        Requests that may be unanswered.
    flash : bool
        Whether a model is loaded from SPI flash after reset.
    coded_loads : str or None
        Form of the decoder for loads in code, as for `hdl.byte_link.ByteLink`.

    Members
    -------
    rx : In(1)
        Serial line from the host.
    tx : Out(1)
        Serial line to the host.
    idle, loading, computing, fault : Out(1)
        For lamps: nothing is going on; a load transaction is open; a run is in progress; the last run
        faulted or the last commit was refused.
    flash : Out(FLASH)
        Only with `flash`.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    def __init__(self, geometry, *, divisor, clock_hz, payload_limit=PAYLOAD_LIMIT, window=WINDOW,
                 flash=False, coded_loads=None):
        self._link = Link(geometry, divisor=divisor, clock_hz=clock_hz, payload_limit=payload_limit,
                          window=window, flash=flash, coded_loads=coded_loads)
        self._engine = Engine(geometry)
        super().__init__({
            "rx":        In(1, init=1),
            "tx":        Out(1, init=1),
            "idle":      Out(1),
            "loading":   Out(1),
            "computing": Out(1),
            "fault":     Out(1),
            **({"flash": Out(FLASH)} if flash else {}),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.link = link = self._link
        m.submodules.engine = engine = self._engine
        wiring.connect(m, link.engine, engine)
        if has_flash(self):
            wiring.connect(m, link.flash, wiring.flipped(self.flash))
        m.d.comb += [
            link.rx.eq(self.rx),
            self.tx.eq(link.tx),
            self.loading.eq(link.loading),
            self.computing.eq(engine.busy),
            self.idle.eq(~link.loading & ~engine.busy),
            self.fault.eq((engine.fault != Fault.NONE) | link.failed),
        ]
        return m
