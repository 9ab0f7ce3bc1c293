"""The link: a serial line on one side, the engine on the other."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdl.byte_link import ByteLink
from hdl.engine_port import engine_signature
from hdl.uart import UARTReceiver, UARTTransmitter


class Link(wiring.Component):
    """Serves the wire protocol (`golden.protocol`) on a serial line.

    Latency and throughput are those of the line, 10 * divisor cycles a byte, and of `ByteLink`.

    Parameters
    ----------
    geometry : golden.geometry.Geometry
        Of the engine.
    divisor : int
        Clock cycles per bit of the serial line.
    **parameters
        As for `ByteLink`.

    Members
    -------
    rx : In(1)
        From the host.
    tx : Out(1)
        To the host.
    loading, failed, engine
        As for `ByteLink`.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    def __init__(self, geometry, *, divisor, **parameters):
        self._receiver = UARTReceiver(divisor=divisor)
        self._transmitter = UARTTransmitter(divisor=divisor)
        self._bytes = ByteLink(geometry, **parameters)
        super().__init__({
            "rx":      In(1, init=1),
            "tx":      Out(1, init=1),
            "loading": Out(1),
            "failed":  Out(1),
            "engine":  Out(engine_signature(geometry)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = self._receiver
        m.submodules.transmitter = transmitter = self._transmitter
        m.submodules.bytes = link = self._bytes
        wiring.connect(m, receiver.o, link.rx)
        wiring.connect(m, link.tx, transmitter.i)
        wiring.connect(m, link.engine, wiring.flipped(self.engine))
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            link.lost.eq(receiver.error),
            self.loading.eq(link.loading),
            self.failed.eq(link.failed),
        ]
        return m
