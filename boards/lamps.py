"""What a board's LEDs say: idle, loading, computing, fault."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Lamps(wiring.Component):
    """Shows the state of a device on one to four LEDs.

    A state is held for some milliseconds, so that a run of microseconds can be seen. A fault
    stays until the device forgets it.

    ===== ==========================================================================
    LEDs  meaning
    ===== ==========================================================================
    4     idle, loading, computing, fault
    3     green: idle; blue: loading; green and blue: computing; red: fault
    2     green: idle, blinking while loading or computing; red: fault
    1     on: idle; blinking: loading; dim: computing; two flashes and a pause: fault
    ===== ==========================================================================

    Latency 1 cycle.

    Parameters
    ----------
    count : int
        LEDs, 0 to 4.
    clock_hz : int
        Sets the pace: a blink takes about half a second.

    Members
    -------
    idle, loading, computing, fault : In(1)
        As of the device.
    o : Out(count)
        One is lit.

    Raises
    ------
    ValueError
        If `count` is out of range.
    """

    def __init__(self, count, *, clock_hz):
        if count not in range(5):
            raise ValueError(f"Count must be an integer from 0 to 4, not {count!r}")
        self._count = count
        # Bit -1 of the pace toggles about twice a second.
        self._pace_bits = max(6, (clock_hz // 2).bit_length())
        super().__init__({
            "idle":      In(1),
            "loading":   In(1),
            "computing": In(1),
            "fault":     In(1),
            "o":         Out(count),
        })

    def elaborate(self, platform):
        m = Module()
        pace = Signal(self._pace_bits)
        loading = Signal()
        computing = Signal()
        m.d.sync += pace.eq(pace + 1)
        # Held from its beginning to the next tick but one.
        tick = pace[:min(18, self._pace_bits - 3)].all()
        for held, now in ((loading, self.loading), (computing, self.computing)):
            with m.If(now):
                m.d.sync += held.eq(1)
            with m.Elif(tick):
                m.d.sync += held.eq(0)

        blink = pace[-2]
        dim = pace[:2].all()
        flashes = pace[-1] & pace[-3]
        busy = loading | computing
        m.d.sync += self.o.eq({
            4: Cat(~busy, loading, computing, self.fault),
            3: Cat(~self.fault & (~busy | computing), busy, self.fault),
            2: Cat(Mux(busy, blink, ~self.fault), self.fault),
            1: Mux(self.fault, flashes, Mux(computing, dim, Mux(loading, blink, 1))),
            0: Const(0, 0),
        }[self._count])
        return m
