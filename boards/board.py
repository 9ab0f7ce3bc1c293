"""A board: what a preset states of it, and what follows from that."""

import importlib
from dataclasses import dataclass, replace
from fractions import Fraction

from boards import pll
from boards.chips import Chip
from golden.errors import ToolMissingError, UnsupportedError
from golden.geometry import Geometry

BAUD_TOLERANCE = Fraction(15, 1000)
"""Deviation of the line rate that both ends together survive; the receiver alone takes 2 %."""
LEAST_DIVISOR, MOST_DIVISOR = 2, 65536
"""Clock cycles per serial bit that the link works with; from 4 on, loads are 90 % payload."""
FT2232H_BAUD = (12_000_000, 8_000_000, 6_000_000, 4_000_000, 3_000_000)
"""Line rates of an FT2232H from its highest down, as far as they are whole megabauds."""
NO_DECODER = "none"
"""What takes the decoder away from a board that has one, in `Board.with_changes`."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board and the engine that its preset puts there.

    Parameters
    ----------
    name : str
        As `--board` takes it.
    title : str
        What the maker calls it.
    platform : str
        Module and class of its pins, such as "amaranth_boards.icebreaker:ICEBreakerPlatform".
    chip : Chip
    oscillator_mhz : float
        Of the platform's default clock.
    clock_mhz : float
        The engine's clock.
    pll : str
        Primitive that makes it.
    baud : int
        Bits per second of the serial line.
    slower : tuple of int
        Rates to take instead, the first that suits, if another clock than the preset's misses `baud`.
    geometry : Geometry
    resident : str
        Model that the preset holds resident; empty if none was chosen yet.
    lamps : tuple of str
        Resources of its LEDs, such as "led_r/0" or "rgb_led/0/g", in the order of `boards.lamps`.
    held_high : tuple of str
        Resources of outputs that must be one for the board to stay alive.
    pack : tuple of str
        Arguments of the program that packs the bitstream.
    programmer : tuple of str
        Command that writes a bitstream; "{file}" stands for it.
    flash : str
        Resource of the SPI flash that a model is loaded from, if the chip's memories cannot hold it from the
        bitstream on.
    flash_programmer : tuple of str
        Command that writes to this flash; "{offset}" stands for the place.
    claims_clock : bool
        Whether the tools' timing of this family can be believed.
    remark : str
        What to know before wiring it.
    built : bool
        Whether a bitstream of the preset was made that met its clock; else it is untried.
    seed : int
        Of the placement, unless another is asked for.
    decoder : str or None
        Form of the decoder for loads in Huffman code (`hdl.huffman_decoder.FORMS`); None if it takes none.
    """

    name: str
    title: str
    platform: str
    chip: Chip
    oscillator_mhz: float
    clock_mhz: float
    pll: str
    baud: int
    geometry: Geometry
    slower: tuple[int, ...] = ()
    resident: str = ""
    lamps: tuple[str, ...] = ()
    held_high: tuple[str, ...] = ()
    pack: tuple[str, ...] = ()
    programmer: tuple[str, ...]
    flash: str = ""
    flash_programmer: tuple[str, ...] = ()
    claims_clock: bool = True
    remark: str = ""
    built: bool = False
    seed: int = 1
    decoder: str | None = None

    @property
    def clock(self) -> Fraction:
        """The engine's clock in MHz, as the PLL really makes it."""
        return self.setting.output if self.setting else Fraction(str(self.oscillator_mhz))

    @property
    def setting(self) -> pll.Setting | None:
        """The PLL's dividers; None if the oscillator itself is the engine's clock."""
        if self.clock_mhz == self.oscillator_mhz:
            return None
        return pll.best(self.chip.family, self.oscillator_mhz, self.clock_mhz)

    @property
    def divisor(self) -> int:
        """Clock cycles per serial bit.

        Raises
        ------
        UnsupportedError
            If the rate is too high for the clock, or is missed by 1.5 %.
        """
        cycles = self.clock * 1_000_000 / self.baud
        divisor = round(cycles)
        if not LEAST_DIVISOR <= divisor <= MOST_DIVISOR:
            raise UnsupportedError(
                f"a line of {self.baud:,} baud needs a clock of at least {LEAST_DIVISOR} times and at most "
                f"{MOST_DIVISOR} times that, not {float(self.clock):g} MHz; ask for another --clock")
        error = abs(cycles / divisor - 1)
        if error >= BAUD_TOLERANCE:
            nearest = float(divisor * self.baud / Fraction(1_000_000))
            raise UnsupportedError(
                f"a clock of {float(self.clock):g} MHz misses {self.baud:,} baud by {100 * float(error):.1f} "
                f"%, and at most 1.5 % is safe; ask for a --clock near {nearest:g} MHz")
        return divisor

    @property
    def clock_hz(self) -> int:
        """The engine's clock, as the host is told."""
        return round(self.clock * 1_000_000)

    def pins(self):
        """The platform of amaranth-boards, an instance.

        Raises
        ------
        ToolMissingError
            If amaranth-boards is not installed.
        """
        module, _, name = self.platform.partition(":")
        try:
            return getattr(importlib.import_module(module), name)()
        except ModuleNotFoundError as error:
            if error.name != "amaranth_boards":
                raise
            raise ToolMissingError(
                "the Python package amaranth-boards is not installed, and the pins of boards come from it; "
                "install it with `pip install 'tamis[fpga]'`") from None

    def with_changes(self, *, pes: int | None = None, clock_mhz: float | None = None,
                     decoder: str | None = None) -> "Board":
        """The same board with another number of PEs, another clock and the line rate that suits it, or
        another decoder for loads in code, or "none".

        >>> from boards.registry import find
        >>> find("icebreaker").with_changes(pes=2, decoder="small").decoder
        'small'
        """
        board = replace(
            self,
            geometry=self.geometry if pes is None else replace(self.geometry, pes=pes),
            decoder=self.decoder if decoder is None else None if decoder == NO_DECODER else decoder)
        if clock_mhz is None:
            return board
        for baud in (self.baud, *self.slower):
            board = replace(board, clock_mhz=clock_mhz, baud=baud)
            try:
                if board.divisor:
                    break
            except UnsupportedError:    # told when the divisor is asked for, if there is no other
                continue
        return board
