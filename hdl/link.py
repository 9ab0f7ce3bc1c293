"""The link: a serial line on one side, loader and engine on the other."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.protocol import PAYLOAD_LIMIT, WINDOW
from hdl.commands import Commands, engine_signature
from hdl.frames import FrameReceiver, FrameTransmitter
from hdl.loader import loader_signature
from hdl.uart import UARTReceiver, UARTTransmitter


class Link(wiring.Component):
    """Serves the wire protocol (`golden.protocol`) on a serial line.

    Bytes come from the UART, frames are checked, requests carried out, and the replies go back the same way.
    A request is carried out while the next ones arrive, up to `window` of them. Latency and throughput are
    those of the line: 10 * divisor cycles a byte.

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

    Members
    -------
    rx : In(1)
        From the host.
    tx : Out(1)
        To the host.
    loader : Out(loader_signature(geometry))
    engine : Out(engine_signature(geometry))

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    def __init__(self, geometry, *, divisor, clock_hz, payload_limit=PAYLOAD_LIMIT, window=WINDOW):
        self._uart_receiver = UARTReceiver(divisor=divisor)
        self._uart_transmitter = UARTTransmitter(divisor=divisor)
        self._frame_receiver = FrameReceiver(payload_limit=payload_limit, window=window)
        self._frame_transmitter = FrameTransmitter(payload_limit=payload_limit)
        self._commands = Commands(geometry, clock_hz=clock_hz, payload_limit=payload_limit, window=window)
        super().__init__({
            "rx":     In(1, init=1),
            "tx":     Out(1, init=1),
            "loader": Out(loader_signature(geometry)),
            "engine": Out(engine_signature(geometry)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.uart_receiver = uart_receiver = self._uart_receiver
        m.submodules.frame_receiver = frame_receiver = self._frame_receiver
        m.submodules.commands = commands = self._commands
        m.submodules.frame_transmitter = frame_transmitter = self._frame_transmitter
        m.submodules.uart_transmitter = uart_transmitter = self._uart_transmitter

        wiring.connect(m, uart_receiver.o, frame_receiver.i)
        wiring.connect(m, frame_receiver.o, commands.request)
        wiring.connect(m, commands.reply, frame_transmitter.i)
        wiring.connect(m, frame_transmitter.o, uart_transmitter.i)
        wiring.connect(m, wiring.flipped(self.loader), commands.loader)
        wiring.connect(m, wiring.flipped(self.engine), commands.engine)
        m.d.comb += [
            uart_receiver.rx.eq(self.rx),
            self.tx.eq(uart_transmitter.tx),
            frame_receiver.lost.eq(uart_receiver.error),
            commands.events.frames.eq(frame_receiver.intact),
            commands.events.damaged.eq(frame_receiver.damaged),
            commands.events.overruns.eq(uart_receiver.error | frame_receiver.overrun),
        ]
        return m
