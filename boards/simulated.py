"""The simulated board: the whole design, serial pins included, in Verilator behind a pseudo-terminal."""

import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from boards.presets import SIMULATED
from golden.errors import DeviceError
from golden.flash import OFFSET
from golden.geometry import Geometry
from hdl.device import Device, has_flash
from hdl.flash_loader import FLASH
from hdl.verilator import build
from hdl.verilog import emit

DIVISOR = 4
"""Clock cycles per serial bit: as short as the receiver allows, since simulated time is dear."""
CLOCK_HZ = 1_000_000
"""The clock that the board states; nobody keeps it."""
START_TIMEOUT = 20.0
"""Seconds that a board may take from its start to its first line."""
STOP_TIMEOUT = 5.0
DECODER = "small"
"""Form of the decoder for loads in code (`hdl.huffman_decoder`)."""
OPTIONS = ("-O3", "--inline-mult", "200", "--x-assign", "fast", "--x-initial", "fast", "--no-assert")
"""Inlining less than Verilator would by itself saves a third of the time to build, and no speed."""
POWER_ON_CYCLES = 16
"""Clock cycles from power-on to the first byte, in which the reset at power-on ends."""
OPTIMISATION = "-O1"
"""More of it doubles the time to compile, and the result is hardly faster."""


class Board(wiring.Component):
    """The device behind a board's pins: a clock, a reset button, a serial line and four lamps.

    Reset and serial input pass a register, as they must on hardware. In simulation they are then no part of
    any combinational logic, which would be evaluated at both edges of the clock: the speed nearly doubles.

    Parameters
    ----------
    device : hdl.device.Device

    Members
    -------
    clk, rst : In(1)
    rx, tx, idle, loading, computing, fault
        As of the device.
    flash_select, flash_clock, flash_command : Out(1)
        To the flash, if the device has one, as in `hdl.flash_loader.FLASH`.
    flash_data : In(1)
    """

    def __init__(self, device):
        self._device = device
        super().__init__({
            "clk":       In(1),
            "rst":       In(1),
            "rx":        In(1, init=1),
            "tx":        Out(1, init=1),
            "idle":      Out(1),
            "loading":   Out(1),
            "computing": Out(1),
            "fault":     Out(1),
            **{f"flash_{name}": member for name, member in FLASH.members.items() if has_flash(device)},
        })

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.device = device = self._device
        pressed = Signal(init=1, reset_less=True)   # also at power-on

        m.d.comb += [
            ClockSignal().eq(self.clk),
            ResetSignal().eq(pressed),
            self.tx.eq(device.tx),
            self.idle.eq(device.idle),
            self.loading.eq(device.loading),
            self.computing.eq(device.computing),
            self.fault.eq(device.fault),
        ]
        m.d.sync += [pressed.eq(self.rst), device.rx.eq(self.rx)]
        if has_flash(device):
            m.d.comb += [
                self.flash_select.eq(device.flash.select),
                self.flash_clock.eq(device.flash.clock),
                self.flash_command.eq(device.flash.command),
            ]
            m.d.sync += device.flash.data.eq(self.flash_data)
        return m


def program(
    verilog: str, *, divisor: int = DIVISOR, power_on_cycles: int = POWER_ON_CYCLES, flash: bool = False
) -> Path:
    """Compile a board's Verilog with the world around it, or find it in the cache.

    Parameters
    ----------
    verilog : str
        Text whose top module has the ports of `Board`.
    divisor : int
        Clock cycles per serial bit.
    power_on_cycles : int
        Clock cycles that it needs from power-on.
    flash : bool
        Whether those of a flash are among them.

    Returns
    -------
    Path
        A program that prints its port's path as its first line; see `simulated_board.cpp`.
    """
    harness = Path(__file__).with_name("simulated_board.cpp")
    flags = (OPTIMISATION, f"-DDIVISOR={divisor}", f"-DPOWER_ON_CYCLES={power_on_cycles}")
    flags += ("-DFLASH",) if flash else ()
    return build(verilog, harness, options=OPTIONS, cxxflags=flags)


def board_verilog(geometry: Geometry, *, flash: bool = False) -> str:
    """Verilog of the whole board, with a flash to load a model from or without."""
    device = Device(geometry, divisor=DIVISOR, clock_hz=CLOCK_HZ, flash=flash, coded_loads=DECODER)
    return emit(Board(device), name="board")


class SimulatedBoard:
    """A running simulated board; a context manager that stops it at the end.

    Parameters
    ----------
    geometry : Geometry
        The engine on the board.
    program : Path, optional
        Run this program and build nothing.
    flash : bytes, optional
        What the board's flash holds from `golden.flash.OFFSET` on; without it the board has none.
    arguments : sequence of str
        For the program, such as "+fault=3"; the design may ask for what begins with a plus sign.

    Attributes
    ----------
    port : str
        Path of the pseudo-terminal, to be opened like any serial port.
    epilogue : str
        What the design printed, once the board is closed.

    Raises
    ------
    DeviceError
        If the board does not start.
    ToolMissingError
        If it cannot be built for want of a tool.
    """

    def __init__(
        self,
        geometry: Geometry = SIMULATED,
        *,
        program: Path | None = None,
        flash: bytes | None = None,
        arguments: Sequence[str] = (),
    ):
        self.epilogue = ""
        command = [str(program or _build(geometry, flash is not None)), "--lifeline", *arguments]
        self._resources = ExitStack()
        if flash is not None:
            folder = self._resources.enter_context(tempfile.TemporaryDirectory(prefix="tamis-flash-"))
            held = Path(folder) / "flash"
            held.write_bytes(bytes([0xFF]) * OFFSET + flash)
            command += ["--flash", str(held)]
        # A session of its own: an interrupt at the keyboard is for the owner, who then stops the board.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        try:
            self.port = self._first_line()
        except BaseException:
            self.close()
            raise

    def _first_line(self) -> str:
        deadline = time.monotonic() + START_TIMEOUT
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            part = os.read(self._process.stdout.fileno(), 256) if ready else b""
            if not part:
                raise DeviceError("the simulated board did not start; run `tamis doctor`")
            line += part
        return line.decode().strip()

    @property
    def running(self) -> bool:
        """Whether the board's process still runs."""
        return self._process.poll() is None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the board to end by itself; False if it still runs after `timeout` seconds."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def press_reset(self) -> None:
        """Press the reset button."""
        self._process.send_signal(signal.SIGUSR1)

    def close(self) -> None:
        """Stop the board; closing twice is harmless."""
        if self.running:
            self._process.terminate()
            if not self.wait(STOP_TIMEOUT):
                self._process.kill()
                self._process.wait()
        self._process.stdin.close()
        if not self._process.stdout.closed:
            self.epilogue = self._process.stdout.read().decode()
        self._process.stdout.close()
        self._resources.close()

    def __enter__(self) -> "SimulatedBoard":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _build(geometry: Geometry, flash: bool) -> Path:
    return program(board_verilog(geometry, flash=flash), flash=flash)
