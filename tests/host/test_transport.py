"""The serial port against pseudo-terminals."""

import os
import pty
import time
import tty

import pytest

from golden.errors import DeviceError
from host import transport
from host.transport import SerialTransport


@pytest.fixture
def terminal():
    controller, client = pty.openpty()
    tty.setraw(client)
    yield controller, os.ttyname(client)
    for descriptor in (controller, client):
        try:
            os.close(descriptor)
        except OSError:
            continue


def read_all(read, size):
    """Read until `size` bytes have come: a terminal may hand them over in parts."""
    data = b""
    while len(data) < size and (part := read()):
        data += part
    return data


def test_bytes_pass_unchanged(terminal):
    controller, path = terminal
    port = SerialTransport(path)
    everything = bytes(range(256))
    port.write(everything)
    assert read_all(lambda: os.read(controller, 1024), 256) == everything
    os.write(controller, everything)
    assert read_all(lambda: port.read(1024, 1.0), 256) == everything
    port.close()
    port.close()


def test_reading_keeps_to_size_and_timeout(terminal):
    controller, path = terminal
    port = SerialTransport(path)
    os.write(controller, b"abc")
    parts = []
    assert read_all(lambda: parts.append(port.read(2, 1.0)) or parts[-1], 3) == b"abc"
    assert max(map(len, parts)) <= 2
    start = time.monotonic()
    assert port.read(2, 0.1) == b""
    assert 0.1 <= time.monotonic() - start < 0.5
    port.close()


def test_a_port_in_use_is_told(terminal):
    _, path = terminal
    first = SerialTransport(path)
    with pytest.raises(DeviceError, match="in use by another program"):
        SerialTransport(path)
    first.close()
    SerialTransport(path).close()


def test_an_unplugged_port_is_told():
    controller, client = pty.openpty()
    port = SerialTransport(os.ttyname(client))
    os.close(client)
    os.close(controller)
    with pytest.raises(DeviceError, match="went away in mid-run"):
        port.read(1, 1.0)
    with pytest.raises(DeviceError, match="went away in mid-run"):
        port.write(b"x")


def test_a_port_that_takes_nothing_is_told(terminal, monkeypatch):
    monkeypatch.setattr(transport, "WRITE_TIMEOUT", 0.1)
    port = SerialTransport(terminal[1])
    with pytest.raises(DeviceError, match=r"taken no bytes for 0\.1 s"):
        port.write(bytes(1 << 20))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError(2, "No such file or directory"), "does not exist; plug the board in"),
        (PermissionError(13, "Permission denied"), r"add the user to the group \w+ \(sudo usermod|udev rule"),
        (BlockingIOError(11, "Resource temporarily unavailable"), "in use"),
        (OSError(16, "Device or resource busy"), "in use"),
        (OSError(25, "Inappropriate ioctl for device"), "not a usable serial port"),
        (ValueError("Invalid baud rate"), "does not take 12345 baud"),
    ],
)
def test_a_port_that_cannot_be_opened_says_why(error, message, monkeypatch, tmp_path):
    def refuse(*_arguments, **_settings):
        raise error

    monkeypatch.setattr("serial.Serial", refuse)
    with pytest.raises(DeviceError, match=message) as caught:
        SerialTransport(str(tmp_path), 12345)
    assert "\n" not in str(caught.value)


def test_a_file_is_no_port(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(DeviceError, match="not a usable serial port"):
        SerialTransport(str(file))
    with pytest.raises(DeviceError, match="does not exist"):
        SerialTransport(str(tmp_path / "nothing"))
