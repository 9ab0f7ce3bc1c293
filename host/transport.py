"""Byte streams to a device: a small protocol, and the serial port behind it.

A transport carries bytes and knows nothing of frames. Every call is bounded in time, and every failure
of the port becomes one `golden.errors.DeviceError` that says what to do about it.
"""

import errno
import os
import sys
import time
from typing import Protocol

import serial

from golden.errors import DeviceError

BAUD_RATE = 115_200
"""Default line rate in bits per second; a pseudo-terminal ignores it."""
WRITE_TIMEOUT = 10.0
"""Seconds after which a port that takes no bytes counts as dead."""
SLICE = 0.02
"""Longest single wait inside `SerialTransport.read`, in seconds, so that its timeout is kept closely."""


class Transport(Protocol):
    """What the driver needs of a connection."""

    name: str
    """How messages call the connection, such as the port's path."""

    def write(self, data: bytes) -> None:
        """Send all of `data`, or raise `DeviceError`."""

    def read(self, size: int, timeout: float) -> bytes:
        """Return what has come, up to `size` bytes, as soon as anything has; b"" after `timeout` seconds."""

    def close(self) -> None:
        """Give the connection back; closing twice is harmless."""


class SerialTransport:
    """A serial port, or a pseudo-terminal that stands for one.

    The port is opened exclusively: a second program on the same port is told so.

    Parameters
    ----------
    port : str
        Path or name of the port, such as ``/dev/ttyUSB0``, ``/dev/pts/3`` or ``COM4``.
    baud_rate : int
        Bits per second.

    Raises
    ------
    DeviceError
        If the port is missing, busy, not permitted, or not a serial port.
    """

    def __init__(self, port: str, baud_rate: int = BAUD_RATE) -> None:
        self.name = port
        try:
            self._serial = serial.Serial(
                port, baud_rate, timeout=SLICE, write_timeout=WRITE_TIMEOUT, exclusive=True
            )
        except (OSError, ValueError) as error:
            raise DeviceError(_explain_open(port, baud_rate, error)) from None

    def write(self, data: bytes) -> None:
        try:
            self._serial.write(data)
        except serial.SerialTimeoutException:
            raise DeviceError(
                f"port {self.name} has taken no bytes for {WRITE_TIMEOUT:g} s; "
                "check that the board is powered and running, then try again"
            ) from None
        except (OSError, TypeError) as error:
            raise self._lost(error) from None

    def read(self, size: int, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        try:
            while True:
                waiting = self._serial.in_waiting
                data = bytes(self._serial.read(min(max(waiting, 1), size)))
                if data or time.monotonic() >= deadline:
                    return data
        except (OSError, TypeError) as error:
            # pyserial raises TypeError when its descriptor vanishes under a running call.
            raise self._lost(error) from None

    def close(self) -> None:
        self._serial.close()

    def _lost(self, error: Exception) -> DeviceError:
        return DeviceError(
            f"port {self.name} went away in mid-run ({_reason(error)}); "
            "plug the board in again and repeat the command"
        )


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) else "device disconnected"


def _explain_open(port: str, baud_rate: int, error: Exception) -> str:
    """One sentence for a port that could not be opened."""
    number = getattr(error, "errno", None)
    text = str(error)
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO) or "FileNotFoundError" in text:
        return (
            f"port {port} does not exist; plug the board in, "
            "or start `tamis sim` and give the path that it prints"
        )
    if number in (errno.EACCES, errno.EPERM) or "PermissionError" in text:
        return f"port {port} may not be opened by this user; {_permission_hint(port)}"
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in text:
        return f"port {port} is in use by another program; close that program and try again"
    if isinstance(error, ValueError):
        return f"port {port} does not take {baud_rate} baud; choose a rate that its adapter supports"
    return f"port {port} is not a usable serial port; give the path of the board's port"


def _permission_hint(port: str) -> str:
    """The group that owns the port, or a rule that would open it."""
    if sys.platform == "win32":
        return "close the program that holds it, or run as its owner"
    group = "dialout"
    try:
        import grp

        group = grp.getgrgid(os.stat(port).st_gid).gr_name
    except (OSError, KeyError):
        pass
    if group == "root":
        return (
            'add a udev rule such as KERNEL=="ttyUSB[0-9]*", GROUP="dialout", MODE="0660" '
            "and plug the board in again"
        )
    return f"add the user to the group {group} (sudo usermod -aG {group} $USER) and log in again"
