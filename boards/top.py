"""What stands between a board's pins and the device: clock, reset, serial line, LEDs."""

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Const, Instance, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from boards.lamps import Lamps
from hdl.device import has_flash
from hdl.stored_requests import StoredRequests

RESET_CYCLES = 1024
"""Longer than block RAM of an iCE40 needs after configuration before it reads truly (3 us)."""


class Top(wiring.Component):
    """A board's top level.

    The device is held in reset until the PLL has been locked for `RESET_CYCLES`. Its serial input passes a
    two-stage synchroniser, and its output a register, so that no logic hangs on a pin. Pins that are active
    low are inverted here.

    Parameters
    ----------
    board : boards.board.Board
    device : hdl.device.Device
        Of the board's geometry, divisor and clock; a flash is the board's, or memory in its place.
    inverted : sequence of bool
        Of each LED, whether it lights on a zero.

    Members
    -------
    clk : In(1)
        The oscillator.
    rx, tx : serial line
    led_0, led_1, ... : Out(1)
    high_0, ... : Out(1)
        Pins that must be one.
    flash_select, flash_clock, flash_command : Out(1)
        To the flash, if there is one; it is selected by a zero.
    flash_data : In(1)
        From it.
    """

    def __init__(self, board, device, inverted):
        self._board = board
        self._device = device
        self._inverted = inverted
        super().__init__({
            "clk": In(1),
            "rx":  In(1, init=1),
            "tx":  Out(1, init=1),
            **{f"led_{number}": Out(1) for number in range(len(board.lamps))},
            **{f"high_{number}": Out(1) for number in range(len(board.held_high))},
            **({"flash_select": Out(1, init=1), "flash_clock": Out(1), "flash_command": Out(1),
                "flash_data": In(1)} if has_flash(device) and board.flash else {}),
        })

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.device = device = self._device
        locked = self._clock(m)
        self._reset(m, locked)

        # The UART has a synchroniser too; this one keeps the pin from any logic that is put before it.
        m.submodules.synchroniser = FFSynchronizer(self.rx, device.rx, init=1, reset_less=False)
        m.d.sync += self.tx.eq(device.tx)

        board = self._board
        m.submodules.lamps = lamps = Lamps(len(board.lamps), clock_hz=board.clock_hz)
        m.d.comb += [getattr(lamps, name).eq(getattr(device, name))
                     for name in ("idle", "loading", "computing", "fault")]
        for number, inverted in enumerate(self._inverted):
            m.d.comb += getattr(self, f"led_{number}").eq(lamps.o[number] ^ bool(inverted))
        for number in range(len(board.held_high)):
            m.d.comb += getattr(self, f"high_{number}").eq(1)
        if has_flash(device) and not board.flash:
            m.submodules.stored = stored = StoredRequests()
            wiring.connect(m, device.flash, stored.flash)
        elif has_flash(device):
            m.d.comb += [
                self.flash_select.eq(~device.flash.select),
                self.flash_clock.eq(device.flash.clock),
                self.flash_command.eq(device.flash.command),
                device.flash.data.eq(self.flash_data),      # taken half a period of its clock after a change
            ]
        return m

    def _clock(self, m):
        """Drive the clock of "sync"; whether it can be relied on."""
        setting = self._board.setting
        if setting is None:
            m.d.comb += ClockSignal().eq(self.clk)
            return Const(1)
        locked = Signal()
        make = {"SB_PLL40_PAD": self._ice40, "SB_PLL40_CORE": self._ice40, "EHXPLLL": self._ecp5,
                "rPLL": self._gowin}[self._board.pll]
        m.submodules.pll = make(setting.dividers, locked)
        return locked

    def _ice40(self, dividers, locked):
        pad = self._board.pll == "SB_PLL40_PAD"
        return Instance(
            self._board.pll,
            p_FEEDBACK_PATH="SIMPLE",
            **{f"p_{name}": Const(value, width) for name, value, width in zip(
                dividers, dividers.values(), (4, 7, 3, 3), strict=True)},
            **{"i_PACKAGEPIN" if pad else "i_REFERENCECLK": self.clk},
            i_RESETB=Const(1), i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=ClockSignal(), o_LOCK=locked)

    def _ecp5(self, dividers, locked):
        feedback = Signal()
        return Instance(
            "EHXPLLL",
            **{f"p_{name}": value for name, value in dividers.items()},
            p_FEEDBK_PATH="CLKOP", p_CLKOP_ENABLE="ENABLED", p_CLKOS_ENABLE="ENABLED",
            p_CLKOP_CPHASE=dividers["CLKOP_DIV"] - 1, p_CLKOS_CPHASE=dividers["CLKOS_DIV"] - 1,
            p_CLKOP_FPHASE=0, p_CLKOS_FPHASE=0,
            i_CLKI=self.clk, i_CLKFB=feedback, i_RST=Const(0), i_STDBY=Const(0), i_ENCLKOP=Const(1),
            i_ENCLKOS=Const(1), i_PHASESEL0=Const(0), i_PHASESEL1=Const(0), i_PHASEDIR=Const(0),
            i_PHASESTEP=Const(0), i_PHASELOADREG=Const(0), i_PLLWAKESYNC=Const(0),
            o_CLKOP=feedback, o_CLKOS=ClockSignal(), o_LOCK=locked)

    def _gowin(self, dividers, locked):
        return Instance(
            "rPLL",
            **{f"p_{name}": value for name, value in dividers.items()},
            p_FCLKIN=f"{self._board.oscillator_mhz:g}", p_DEVICE="GW1NR-9C", p_DYN_IDIV_SEL="false",
            p_DYN_FBDIV_SEL="false", p_DYN_ODIV_SEL="false", p_CLKFB_SEL="internal",
            i_CLKIN=self.clk, i_CLKFB=Const(0), i_RESET=Const(0), i_RESET_P=Const(0),
            i_FBDSEL=Const(0, 6), i_IDSEL=Const(0, 6), i_ODSEL=Const(0, 6), i_PSDA=Const(0, 4),
            i_DUTYDA=Const(0, 4), i_FDLY=Const(0, 4),
            o_CLKOUT=ClockSignal(), o_LOCK=locked)

    def _reset(self, m, locked):
        """Hold the reset until the clock has run a while."""
        stable = Signal()
        m.submodules.lock = FFSynchronizer(locked, stable)  # no reset: it decides on the reset
        counter = Signal(range(RESET_CYCLES), reset_less=True)
        held = Signal(init=1, reset_less=True)
        m.d.comb += ResetSignal().eq(held)
        with m.If(~stable):
            m.d.sync += Cat(counter, held).eq(1 << len(counter))
        with m.Elif(counter == RESET_CYCLES - 1):
            m.d.sync += held.eq(0)
        with m.Else():
            m.d.sync += counter.eq(counter + 1)
