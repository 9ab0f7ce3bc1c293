"""From a board to its bitstream: Verilog, synthesis, placement, packing, and a manifest of what came out."""

import hashlib
import json
import shutil
import tempfile
import time
from pathlib import Path

from boards import capacity, contents, global_resets, place, synthesis
from boards.constraints import board_pins, constraints
from boards.tools import versions
from boards.top import Top
from golden import stored
from golden.errors import InputError, UnsupportedError
from golden.flash import OFFSET
from golden.flash import contents as in_flash
from golden.plan import make_plan
from hdl.cache import cached
from hdl.device import Device
from hdl.verilog import emit

TOP = "tamis"
MANIFEST = "manifest.json"
MODEL = "model.flash"
"""What lies in flash behind the bitstream."""
PLACED = "placed.config"
"""What nextpnr placed, where memories are filled afterwards."""
FEW_PES = 8
SECONDS_PER_LUT = {"ice40": (0.004, 0.03), "ecp5": (0.003, 0.02), "gowin": (0.004, 0.03)}
"""Synthesis and placement, measured on one core of a small machine: only the time left is told by it."""


class _Clock:
    """Tells of the progress through steps whose times are guessed beforehand."""

    def __init__(self, steps, progress, note):
        self._steps = steps
        self._progress = progress
        self._note = note
        self._before = 0.0
        self._expected = 0.0
        self._start = time.monotonic()

    def begin(self, step):
        """A step begins, and the one before has ended."""
        self._before += self._expected
        self._expected = self._steps[step]
        self._start = time.monotonic()
        self._note(f"{step}, about {max(1, round(self._expected))} s")
        self.tick()

    def tick(self):
        """Some time has passed."""
        done = min(time.monotonic() - self._start, self._expected)
        self._progress(round(10 * (self._before + done)), round(10 * sum(self._steps.values())))


def _nothing(*_):
    pass


def verilog(board, platform, *, flash=False):
    """Verilog of a board's top level, module `tamis`, and the text that places its pins.

    With `flash` the board loads its model from its SPI flash at power-up.
    """
    found = board_pins(board, platform, flash=flash and bool(board.flash))
    inverted = [pin.inverted for pin in found if pin.port.startswith("led_")]
    device = Device(board.geometry, divisor=board.divisor, clock_hz=board.clock_hz, flash=flash,
                    coded_loads=board.decoder)
    text = emit(Top(board, device, inverted), TOP, family=board.chip.family,
                single_port=board.chip.sprams > 0)
    return text, constraints(board, found)


def netlist(board, text, *, tick=_nothing):
    """A folder of the cache with the netlist of a board's Verilog, which no seed and no proof makes again.

    It holds design.json, and in cells.json its cells by type; see `boards.synthesis.synthesise`.
    """
    def make(work, made):
        cells = synthesis.synthesise(text, TOP, board.chip, work, tick=tick)
        made.mkdir()
        (work / "design.json").rename(made / "design.json")
        (made / "cells.json").write_text(json.dumps(cells))

    key = [*_texts(synthesis, global_resets), repr(versions("yosys")), repr(board.chip), text]
    return cached(f"synthesis-{board.name}", key, make)


def build(board, *, seed=1, flash=False, progress=_nothing, note=_nothing, may_miss=False):
    """Build a board's bitstream, or find it in the cache.

    Parameters
    ----------
    board : Board
    seed : int
        Of placement.
    flash : bool
        Whether the board loads a model at power-up, from flash or block RAM; `deliver` adds the model.
    progress : callable
        Told of what is done and what there is to do, in tenths of a second.
    note : callable
        Told of each step.
    may_miss : bool
        A clock that is missed is no error: its manifest says so.

    Returns
    -------
    Path
        A directory of the cache with the bitstream, `manifest.json`, nextpnr's `report.json`, and for chips
        whose memories are filled what nextpnr placed.

    Raises
    ------
    UnsupportedError
        If it does not fit, or a clock is out of reach.
    ToolMissingError
        If a tool is not installed.
    TamisError
        If a check of the netlist fails.
    """
    chip = board.chip
    tools = versions("yosys", *place.TOOLS[chip.family])
    asked = float(board.clock)
    fills = flash and not board.flash
    _check_fit(board)
    text, pins = verilog(board, board.pins(), flash=flash)
    found = capacity.contents(text, TOP)
    capacity.check_fit(board, found)
    luts = capacity.estimate(found, chip, board.geometry.pes).lut
    synthesis_seconds, place_seconds = (luts * each for each in SECONDS_PER_LUT[chip.family])
    clock = _Clock({"synthesis": synthesis_seconds, "placement and routing": place_seconds, "packing": 3.0},
                   progress, note)

    def make(work, made):
        clock.begin("synthesis")
        source = netlist(board, text, tick=clock.tick)
        shutil.copy(source / "design.json", work)
        cells = json.loads((source / "cells.json").read_text())
        if fills:
            contents.mark(work, TOP, contents.names(board.geometry))
        clock.begin("placement and routing")
        report = place.place(chip, pins, work, clock_mhz=asked, seed=seed, tick=clock.tick)
        clock.begin("packing")
        bitstream = place.pack(chip, board.pack, work, tick=clock.tick)
        made.mkdir()
        name = f"{board.name}.{place.SUFFIX[chip.family]}"
        (made / name).write_bytes(bitstream)
        shutil.copy(work / "report.json", made / "report.json")
        if fills:
            shutil.copy(work / PLACED, made / PLACED)
        manifest = {
            "board": board.name,
            "pes": board.geometry.pes,
            "clock_asked_mhz": asked,
            "clock_reached_mhz": round(place.reached(report, asked), 2),
            "clock_claimed": board.claims_clock,
            **place.used(report),
            "ff": synthesis.summary(cells, chip)["ff"],
            "seed": seed,
            "baud": board.baud,
            "decoder": board.decoder,
            "tools": tools,
            "geometry": board.geometry.as_dict(),
            "bitstream": name,
            "sha256": {"bitstream": _hash(bitstream), "verilog": _hash(text.encode()),
                       "pins": _hash(pins.encode())},
        }
        (made / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")

    result = cached(f"bitstream-{board.name}", [*_key(board, tools, text, pins), str(seed)], make)
    manifest = json.loads((result / MANIFEST).read_text())
    if not may_miss:
        place.check_timing(board, asked, manifest["clock_reached_mhz"])
    return result


def _key(board, tools, text, pins):
    """All that a bitstream depends on but the seed."""
    recipe = _texts(place, synthesis, global_resets, contents)
    return [*recipe, Path(__file__).read_text(), repr(tools), repr(board), text, pins]


def _texts(*modules):
    return [Path(module.__file__).read_text() for module in modules]


def design_hash(board, *, flash=False):
    """Hash of all that a board's bitstream depends on but the seed."""
    text, pins = verilog(board, board.pins(), flash=flash)
    tools = versions("yosys", *place.TOOLS[board.chip.family])
    return _hash(repr(_key(board, tools, text, pins)).encode())


def _check_fit(board):
    """Refuse soon what is far too large: that Verilog takes a minute, and that of a few PEs tells."""
    if board.geometry.pes > FEW_PES:
        text, _ = verilog(board.with_changes(pes=FEW_PES), board.pins())
        capacity.check_fit(board, capacity.contents(text, TOP))


def by_module(board, *, flash=False, progress=_nothing, note=_nothing):
    """What each module of a board's design takes; see `boards.synthesis.by_module`."""
    text, _ = verilog(board, board.pins(), flash=flash)

    def make(work, made):
        clock = _Clock({"synthesis module by module": 60.0}, progress, note)
        clock.begin("synthesis module by module")
        rows = synthesis.by_module(text, TOP, board.chip, work, tick=clock.tick)
        made.write_text(json.dumps(rows, indent=2) + "\n")

    key = [*_texts(synthesis), repr(versions("yosys")), repr(board), text]
    return json.loads(cached(f"modules-{board.name}", key, make).read_text())


def deliver(board, result, directory, image=None):
    """Copy a build's files to a directory, with a model or without; the manifest's content.

    Parameters
    ----------
    board : Board
    result : Path
        As `build` returns it.
    directory : str or Path
    image : golden.image.Image, optional
        What the board holds after power-up.

    Raises
    ------
    InputError
        If they cannot be written.
    """
    manifest = json.loads((result / MANIFEST).read_text())
    try:
        target = Path(directory)
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted(result.iterdir()):
            if path.name != PLACED:
                shutil.copyfile(path, target / path.name)
        if image is not None:
            manifest["model"] = {"bytes": len(image.payload), "crc": image.crc}
        if image is not None and board.flash:
            content = in_flash(image)
            (target / MODEL).write_bytes(content)
            manifest["model"] |= {"file": MODEL, "offset": OFFSET, "sha256": _hash(content)}
        elif image is not None:
            content = fill(board, result, image)
            (target / manifest["bitstream"]).write_bytes(content)
            manifest["sha256"]["bitstream"] = _hash(content)
        (target / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    except OSError as error:
        raise InputError(f"cannot write {directory}: {(error.strerror or str(error)).lower()}; "
                         "free space or choose another place, then try again") from None
    return manifest


def fill(board, result, image):
    """A bitstream whose block RAM holds a model, from one that was placed for any."""
    parts = stored.split(image, contents.filled(board.geometry))
    with tempfile.TemporaryDirectory(prefix="tamis-") as folder:
        work = Path(folder)
        wanted = contents.of_image(board.geometry, *parts)
        (work / PLACED).write_text(contents.swap((result / PLACED).read_text(), wanted))
        return place.pack(board.chip, board.pack, work)


def model_image(board, model):
    """Image of a model that a board keeps without a PC.

    Raises
    ------
    UnsupportedError
        If the board has no place to load it from, or it does not fit the memories.
    """
    if not board.flash and board.chip.family != "ecp5":
        raise UnsupportedError(f"{board.name} has no flash that a model is loaded from at power-up, and its "
                               "chip's memories are filled by no program here; build it without --model")
    try:
        [image] = make_plan(model, board.geometry, resident=True).images
        if not board.flash:
            stored.split(image, contents.filled(board.geometry))
    except UnsupportedError as error:
        raise UnsupportedError(f"the model does not fit {board.name} with {board.geometry.pes} PEs: "
                               f"{error}") from None
    return image


def _hash(content):
    return hashlib.sha256(content).hexdigest()
