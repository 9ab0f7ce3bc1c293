"""What the device says of itself: identity and status (`golden.protocol`)."""

from amaranth.hdl import Array, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from golden.protocol import VERSION, Identity, Status

STATUS_LAYOUT = data.StructLayout({
    "busy": 8, "fault": 8, "committed": 8, "transaction": 8, "run": 16, "step": 16, "received": 32,
    "crc_bank0": 32, "crc_bank1": 32, "cycles": 32, "stalls": 32, "frames": 32, "damaged": 32, "overruns": 32,
})
STATUS_BYTES = STATUS_LAYOUT.size // 8
STATUS_BITS = (STATUS_BYTES // 2 - 1).bit_length()
COUNTERS = ("frames", "damaged", "overruns")
COUNTER_BITS = 16


class StatusTable(wiring.Component):
    """Identity and status as a table of 16-bit words: constants, and behind them live values.

    The live values begin at a power of two, so that the low bits of the index select them. Counts the
    link's events. A word is consistent in itself, which is all that the counters need; the other values
    stand still while the engine is idle. Latency 0 cycles.

    Parameters
    ----------
    geometry : golden.geometry.Geometry
    clock_hz : int
        Frequency of the clock, as the host is told.
    payload_limit : int
        Bytes of the longest payload.
    window : int
        Requests that may be unanswered.

    Members
    -------
    index : In(range)
        Number of a word.
    word : Out(16)
    status : In(struct of a field for each one of `golden.protocol.Status` that is not counted here)
    events : In(struct of one bit for each of `COUNTERS`)
        Something to count.
    reset : In(1)
        Set the counters to zero.

    Attributes
    ----------
    first_identity, first_status, first_received : int
        Words where the identity begins, the status that ends it, and the status field `received`.

    Raises
    ------
    ValueError
        If `clock_hz` is no positive 32-bit integer.
    """

    def __init__(self, geometry, *, clock_hz, payload_limit, window):
        if not isinstance(clock_hz, int) or not 1 <= clock_hz < 1 << 32:
            raise ValueError(f"Clock_hz must be an integer from 1 to {(1 << 32) - 1}, not {clock_hz!r}")
        nothing = Status(*(0 for _ in Status._fields))
        identity = Identity(VERSION, payload_limit, window, clock_hz, geometry, nothing).encode()
        constants = identity[:-STATUS_BYTES]
        self._constants = [int.from_bytes(constants[i:i + 2], "little") for i in range(0, len(constants), 2)]
        self.first_status = 1 << (len(self._constants) - 1).bit_length()
        self.first_identity = self.first_status - len(self._constants)
        self.first_received = self.first_status + STATUS_LAYOUT["received"].offset // 16
        super().__init__({
            "index":  In(range(self.first_status + STATUS_BYTES // 2)),
            "word":   Out(16),
            "status": In(data.StructLayout({
                "busy": 1, "fault": 4, "committed": 2, "transaction": 1, "run": 16, "step": 8, "received": 32,
                "crc_bank0": 32, "crc_bank1": 32, "cycles": 32, "stalls": 32})),
            "events": In(data.StructLayout(dict.fromkeys(COUNTERS, 1))),
            "reset":  In(1),
        })

    def elaborate(self, platform):
        m = Module()
        status = Signal(STATUS_LAYOUT)
        m.d.comb += [status[name].eq(self.status[name]) for name in self.status.shape().members]
        m.d.comb += [
            status.crc_bank0.eq(Mux(self.status.committed[0], self.status.crc_bank0, 0)),
            status.crc_bank1.eq(Mux(self.status.committed[1], self.status.crc_bank1, 0)),
        ]
        for name in COUNTERS:
            counter = Signal(COUNTER_BITS, name=name)
            m.d.comb += status[name].eq(counter)
            with m.If(self.reset):
                m.d.sync += counter.eq(0)
            with m.Elif(self.events[name]):
                m.d.sync += counter.eq(counter + 1)

        low = self.index[:exact_log2(self.first_status)]
        with m.If(self.index[-1]):
            m.d.comb += self.word.eq(status.as_value().word_select(low[:STATUS_BITS], 16))
        with m.Else():
            constants = [0] * self.first_identity + self._constants
            m.d.comb += self.word.eq(Array(Const(constant, 16) for constant in constants)[low])
        return m
