"""The link: a serial line on one side, the engine on the other."""

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.flash import header
from golden.protocol import PAYLOAD_LIMIT, Fault
from hdl.byte_link import ByteLink
from hdl.engine_port import engine_signature
from hdl.flash_loader import FLASH, FlashLoader
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
    flash : bool
        Whether a model is loaded from SPI flash after reset, see `hdl.flash_loader`.
    payload_limit : int
    **parameters
        As for `ByteLink`.

    Members
    -------
    rx : In(1)
        From the host.
    tx : Out(1)
        To the host.
    loading, failed
        As for `ByteLink`; what is loaded from flash, and fails there, counts.
    engine
        As for `ByteLink`.
    flash : Out(FLASH)
        Only with `flash`.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    def __init__(self, geometry, *, divisor, flash=False, payload_limit=PAYLOAD_LIMIT, **parameters):
        self._receiver = UARTReceiver(divisor=divisor)
        self._transmitter = UARTTransmitter(divisor=divisor)
        self._bytes = ByteLink(geometry, payload_limit=payload_limit, **parameters)
        self._loader = FlashLoader(header(geometry, payload_limit)) if flash else None
        super().__init__({
            "rx":      In(1, init=1),
            "tx":      Out(1, init=1),
            "loading": Out(1),
            "failed":  Out(1),
            "engine":  Out(engine_signature(geometry)),
            **({"flash": Out(FLASH)} if flash else {}),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = self._receiver
        m.submodules.transmitter = transmitter = self._transmitter
        link = self._bytes
        if self._loader is None:
            m.submodules.bytes = link
            wiring.connect(m, receiver.o, link.rx)
            wiring.connect(m, link.tx, transmitter.i)
            m.d.comb += [self.loading.eq(link.loading), self.failed.eq(link.failed)]
        else:
            m.submodules.loader = loader = self._loader
            m.submodules.bytes = ResetInserter(loader.restart)(link)
            wiring.connect(m, receiver.o, loader.line_rx)
            wiring.connect(m, loader.line_tx, transmitter.i)
            wiring.connect(m, loader.rx, link.rx)
            wiring.connect(m, link.tx, loader.tx)
            wiring.connect(m, loader.flash, wiring.flipped(self.flash))
            m.d.comb += [
                loader.busy.eq(self.engine.busy),
                loader.committed.eq(link.engine.committed),
                loader.loading.eq(link.loading),
                link.flash_fault.eq(loader.fault),
                self.loading.eq(link.loading | loader.active),
                self.failed.eq(link.failed | (loader.fault != Fault.NONE)),
            ]
        wiring.connect(m, link.engine, wiring.flipped(self.engine))
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            link.lost.eq(receiver.error),
        ]
        return m
