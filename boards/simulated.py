"""The simulated board: the whole design, serial pins included, in Verilator behind a pseudo-terminal."""

import os
import select
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType

from hdl.device import Device

from boards.presets import SIMULATED
from golden.errors import DeviceError
from golden.geometry import Geometry
from hdl.verilator import build
from hdl.verilog import emit

DIVISOR = 4
"""Clock cycles per serial bit: as short as the receiver allows, since simulated time is dear."""
CLOCK_HZ = 1_000_000
"""The clock that the board states; nobody keeps it."""
START_TIMEOUT = 20.0
"""Seconds that a board may take from its start to its first line."""
STOP_TIMEOUT = 5.0
OPTIONS = ("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert")
COMPILER_FLAGS = ("-O3", f"-DDIVISOR={DIVISOR}")


def program(verilog: str) -> Path:
    """Compile a board's Verilog with the world around it, or find it in the cache.

    Parameters
    ----------
    verilog : str
        Text whose top module has the ports of `hdl.device.Device`.

    Returns
    -------
    Path
        A program that prints its port's path as its first line; see `simulated_board.cpp`.
    """
    harness = Path(__file__).with_name("simulated_board.cpp")
    return build(verilog, harness, options=OPTIONS, cxxflags=COMPILER_FLAGS)


def board_verilog(geometry: Geometry) -> str:
    """Verilog of the whole board."""
    return emit(Device(geometry, divisor=DIVISOR, clock_hz=CLOCK_HZ), name="board")


class SimulatedBoard:
    """A running simulated board; a context manager that stops it at the end.

    Parameters
    ----------
    geometry : Geometry
        The engine on the board.
    program : Path, optional
        Run this program and build nothing.

    Attributes
    ----------
    port : str
        Path of the pseudo-terminal, to be opened like any serial port.

    Raises
    ------
    DeviceError
        If the board does not start.
    ToolMissingError
        If it cannot be built for want of a tool.
    """

    def __init__(self, geometry: Geometry = SIMULATED, *, program: Path | None = None):
        command = [str(program or _build(geometry)), "--lifeline"]
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
        self._process.stdout.close()

    def __enter__(self) -> "SimulatedBoard":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _build(geometry: Geometry) -> Path:
    return program(board_verilog(geometry))
