"""Subcommands about FPGA boards: boards, build, flash, estimate."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from golden.errors import InputError
from host.files import write_file
from host.report import note, print_json, print_table, progress

MANIFEST = {
    "board",
    "pes",
    "geometry",
    "clock_asked_mhz",
    "clock_reached_mhz",
    "clock_claimed",
    "lut",
    "ff",
    "bram",
    "dsp",
}
"""What is read of a manifest; docs/schemas/build.json has all."""


def boards(arguments: Namespace) -> None:
    """`tamis boards`: what there is a preset for, and what it holds."""
    from boards.registry import every

    if arguments.manifests is not None:
        print(markdown(arguments.manifests))
        return
    rows = [describe(board) for board in every()]
    if arguments.json:
        print_json(rows)
        return
    heads = ["board", "chip", "PEs", "MHz", "entries", "vector", "baud", "resident", "status"]
    cells = [
        [
            row["board"],
            row["chip"],
            row["pes"],
            f"{row['clock_mhz']:g}" if row["clock_claimed"] else "none claimed",
            row["entries"],
            row["vector"],
            row["baud"],
            row["resident"],
            row["status"],
        ]
        for row in rows
    ]
    print_table("", heads, cells)
    for row in rows:
        if row["remark"]:
            print(f"{row['board']}: {row['remark']}")


def describe(board: Any) -> dict[str, Any]:
    """A board's row of docs/schemas/boards.json."""
    geometry = board.geometry
    return {
        "board": board.name,
        "title": board.title,
        "chip": board.chip.name,
        "luts": board.chip.luts,
        "brams": board.chip.brams,
        "dsps": board.chip.dsps,
        "pes": geometry.pes,
        "clock_mhz": float(board.clock),
        "clock_claimed": board.claims_clock,
        "entries": geometry.pes * geometry.matrix_entries,
        "vector": geometry.columns,
        "baud": board.baud,
        "resident": board.resident or None,
        "status": "built" if board.built else "untried",
        "remark": board.remark,
    }


def build(arguments: Namespace) -> None:
    """`tamis build`: a bitstream, its manifest, and what it takes of the chip."""
    from boards import build as flow
    from boards.registry import find
    from host.session import load_model

    board = find(arguments.board).with_changes(
        pes=arguments.pes, clock_mhz=arguments.clock, decoder=arguments.decoder
    )
    output = arguments.output or f"build/{board.name}"
    image = flow.model_image(board, load_model(arguments.model)) if arguments.model else None
    flash = image is not None
    if arguments.seeds is not None:
        margin(arguments, board, output, flash)
        return
    with progress(f"building {board.name}") as advance:
        seed = board.seed if arguments.seed is None else arguments.seed
        result = flow.build(board, seed=seed, flash=flash, progress=advance, note=note)
        manifest = flow.deliver(board, result, output, image)
        modules = flow.by_module(board, flash=flash, progress=advance, note=note) if arguments.modules else []
    if modules:
        write_file(Path(output) / "modules.json", (json.dumps(modules, indent=2) + "\n").encode())
    if arguments.json:
        print_json(manifest)
        return
    chip = board.chip
    rows = [
        ["LUT", manifest["lut"], chip.luts],
        ["flip-flops", manifest["ff"], chip.flip_flops],
        ["block RAM", manifest["bram"], chip.brams],
        ["DSP", manifest["dsp"], chip.dsps],
    ]
    print_table(f"{board.name}, {chip.name}, PEs: {board.geometry.pes}", ["", "used", "of"], rows)
    reached = (
        f"{manifest['clock_reached_mhz']:g} MHz reached"
        if board.claims_clock
        else "none claimed, as the tools' timing of this chip is optimistic"
    )
    print(f"clock: {manifest['clock_asked_mhz']:.4g} MHz asked, {reached}")
    print(f"wrote {output}/{manifest['bitstream']} and {output}/manifest.json")
    if image is not None:
        model = manifest["model"]
        place = f"{model['file']}, for the flash at {model['offset']:#x}" if board.flash else "the bitstream"
        print(f"the model, an image of {model['bytes']} bytes, is in {place}")


def margin(arguments: Namespace, board: Any, output: str, flash: bool) -> None:
    """`tamis build --seeds`: the clock that each seed reaches, from a ledger in the folder if it has it."""
    from boards.seeds import check, sweep

    with progress(f"building {board.name}") as advance:
        rows = sweep(board, arguments.seeds, output, flash=flash, progress=advance, note=note)
    if arguments.json:
        print_json(rows)
    else:
        cells = [[row["seed"], f"{row['clock_reached_mhz']:g}"] for row in rows]
        asked = f"{rows[0]['clock_asked_mhz']:.4g} MHz asked"
        print_table(f"{board.name}, PEs: {board.geometry.pes}, {asked}", ["seed", "MHz reached"], cells)
    check(board, rows)


def flash(arguments: Namespace) -> None:
    """`tamis flash`: a build to the board that is plugged in."""
    from boards.flash import flash as write
    from boards.registry import find

    board = find(arguments.board)
    note(f"writing {arguments.directory} to {board.name}")
    write(board, arguments.directory)
    print(f"wrote {arguments.directory} to {board.name}; its serial port speaks at {board.baud} baud")


def estimate(arguments: Namespace) -> None:
    """`tamis estimate`: a model on every board, by the cycle model."""
    from boards.registry import every
    from host.cost import Preset
    from host.estimate import estimate as row
    from host.estimate import print_estimates
    from host.session import load_model

    model = load_model(arguments.model)
    found = every()
    with progress("estimating") as advance:
        rows = []
        for number, board in enumerate(found):
            advance(number, len(found))
            preset = Preset(board.name, board.geometry, board.clock_hz, board.baud)
            shown = describe(board)
            rows.append({**row(model, preset), **{key: shown[key] for key in ("clock_claimed", "status")}})
    if arguments.json:
        print_json(rows)
    else:
        print_estimates(arguments.model, rows)


def read_manifests(directory: str) -> list[dict[str, Any]]:
    """The manifests of all builds under a folder.

    Raises
    ------
    InputError
        If there is none, or one is something else.
    """
    paths = sorted(Path(directory).rglob("manifest.json"))
    if not paths:
        raise InputError(f"{directory} holds no manifest.json; build boards into it with `tamis build`")
    return [_manifest(path) for path in paths]


def _manifest(path: Path) -> dict[str, Any]:
    try:
        found: Any = json.loads(path.read_bytes())
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or not found.keys() >= MANIFEST:
        raise InputError(f"{path} is no manifest of a build; build the board again with `tamis build`")
    return found


def markdown(directory: str) -> str:
    """The README's table of resources and clocks, made from the manifests under a folder.

    Raises
    ------
    InputError
        If there is none.
    """
    from boards.registry import NAMES, find

    manifests = read_manifests(directory)
    lines = [
        "| board | chip | PEs | LUT | FF | block RAM | DSP | MHz asked | MHz reached |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for found in sorted(manifests, key=lambda one: (NAMES.index(one["board"]), one["pes"])):
        chip = find(found["board"]).chip
        reached = f"{found['clock_reached_mhz']:.1f}" if found["clock_claimed"] else "none claimed"
        lines.append(
            f"| {found['board']} | {chip.name} | {found['pes']} | {found['lut']:,} of {chip.luts:,} "
            f"| {found['ff']:,} | {found['bram']} of {chip.brams} | {found['dsp']} of {chip.dsps} "
            f"| {found['clock_asked_mhz']:.4g} | {reached} |"
        )
    return "\n".join(lines)
