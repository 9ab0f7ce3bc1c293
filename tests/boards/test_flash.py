"""Writing a board: what is checked before, and a sentence for everything that can go wrong."""

import hashlib
import json
from dataclasses import replace

import pytest

from boards.flash import flash
from boards.registry import find
from golden.errors import DeviceError, InputError, ToolMissingError

BOARD = find("icebreaker")


@pytest.fixture
def built(tmp_path):
    content = b"a bitstream"
    (tmp_path / "icebreaker.bin").write_bytes(content)
    manifest = {
        "board": "icebreaker",
        "bitstream": "icebreaker.bin",
        "sha256": {"bitstream": hashlib.sha256(content).hexdigest()},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


@pytest.fixture
def programmer(tmp_path, monkeypatch):
    """Make a program that says something and ends with a status."""

    def make(body):
        path = tmp_path / "fake"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        monkeypatch.setenv("ICEPROG", str(path))

    return make


def test_the_bitstream_is_handed_over(built, programmer):
    programmer(f'cat "$1" > {built}/written')
    flash(BOARD, built)
    assert (built / "written").read_bytes() == b"a bitstream"


def test_a_model_is_written_behind_the_bitstream(built, programmer):
    content = b"a model"
    (built / "model.flash").write_bytes(content)
    manifest = json.loads((built / "manifest.json").read_text())
    digest = hashlib.sha256(content).hexdigest()
    manifest["model"] = {"file": "model.flash", "offset": 0x40000, "sha256": digest}
    (built / "manifest.json").write_text(json.dumps(manifest))
    programmer(f'echo "$@" >> {built}/commands')
    flash(BOARD, built)
    assert (built / "commands").read_text().splitlines() == [
        f"-o 262144 {built}/model.flash",
        f"{built}/icebreaker.bin",
    ]
    (built / "model.flash").write_bytes(b"another")
    with pytest.raises(InputError, match=r"model\.flash is not the file that was built"):
        flash(BOARD, built)
    (built / "model.flash").unlink()
    with pytest.raises(InputError, match=r"^cannot read .*model\.flash: no such file or directory; build it"):
        flash(BOARD, built)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            "Can't find iCE FTDI USB device (vendor_id 0x0403).",
            "found no icebreaker",
        ),
        ("unable to open ftdi device: device not found", "found no icebreaker"),
        ("LIBUSB_ERROR_ACCESS", "may not use the programmer"),
        ("Error: Permission denied", "may not use the programmer"),
        ("IDCODE mismatch", "is no icebreaker"),
        ("something else", r"iceprog failed \(something else\)"),
    ],
)
def test_each_failure_is_a_sentence(built, programmer, said, expected):
    programmer(f'echo "{said}"; exit 1')
    with pytest.raises(DeviceError, match=expected):
        flash(BOARD, built)


def test_a_programmer_that_hangs_is_ended(built, programmer):
    programmer("exec sleep 60")
    with pytest.raises(DeviceError, match=r"^iceprog did not finish within 0\.5 s"):
        flash(BOARD, built, seconds=0.5)


@pytest.mark.parametrize("name", ["iceprog", "icesprog", "openFPGALoader", "dfu-util"])
def test_a_missing_programmer_is_named(built, monkeypatch, tmp_path, name):
    monkeypatch.setenv("PATH", str(tmp_path))
    board = replace(BOARD, programmer=(name, "{file}"))
    with pytest.raises(ToolMissingError, match=rf"^the program {name} was not found, .* install it from "):
        flash(board, built)


def test_only_what_was_built_for_the_board_is_written(built, tmp_path):
    with pytest.raises(InputError, match="was built for icebreaker, not for icesugar"):
        flash(find("icesugar"), built)
    (built / "icebreaker.bin").write_bytes(b"another")
    with pytest.raises(InputError, match="is not the file that was built"):
        flash(BOARD, built)
    with pytest.raises(InputError, match="holds no build; make one with `tamis build --board icebreaker"):
        flash(BOARD, tmp_path / "nowhere")
