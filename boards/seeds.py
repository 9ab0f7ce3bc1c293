"""How much of a clock is margin: builds with several seeds of placement, and a ledger to resume them."""

import json
from pathlib import Path

from boards import build as flow
from golden.errors import InputError, UnsupportedError

LEDGER = "seeds.jsonl"


def sweep(board, seeds, directory, *, flash=False, progress=lambda *_: None, note=lambda *_: None):
    """Build a board with each seed, unless the ledger has it.

    The ledger is `directory`/seeds.jsonl, a line of JSON for each build; lines of another design or of
    other tools are left alone and count for nothing. It is written after each build, so a run that was
    interrupted goes on where it was.

    Parameters
    ----------
    board : Board
    seeds : iterable of int
    directory : str or Path
    flash, progress, note
        As in `boards.build.build`.

    Returns
    -------
    list of dict
        Keys board, pes, design, clock_asked_mhz, seed, clock_reached_mhz; one for each seed, in order.

    Raises
    ------
    InputError
        If the ledger cannot be read or written.
    UnsupportedError, ToolMissingError, TamisError
        As `boards.build.build`, but not for a clock that is missed.
    """
    ledger = Path(directory) / LEDGER
    design = flow.design_hash(board, flash=flash)
    rows = []
    for seed in seeds:
        row = next((row for row in _lines(ledger) if row["design"] == design and row["seed"] == seed), None)
        if row is None:
            note(f"seed {seed}")
            result = flow.build(board, seed=seed, flash=flash, progress=progress, note=note, may_miss=True)
            manifest = json.loads((result / flow.MANIFEST).read_text())
            row = {"design": design, **{name: manifest[name] for name in (
                "board", "pes", "clock_asked_mhz", "seed", "clock_reached_mhz")}}
            _append(ledger, row)
        rows.append(row)
    return rows


def check(board, rows):
    """Refuse a clock that a seed misses.

    Raises
    ------
    UnsupportedError
        With the slowest, where the family's timing can be believed.
    """
    missed = [row for row in rows if row["clock_reached_mhz"] < row["clock_asked_mhz"]]
    if missed and board.claims_clock:
        slowest = min(row["clock_reached_mhz"] for row in rows)
        raise UnsupportedError(
            f"{len(missed)} of {len(rows)} seeds miss the {missed[0]['clock_asked_mhz']:g} MHz asked of "
            f"{board.name} with {board.geometry.pes} PEs, and the slowest reaches {slowest:.2f}; "
            f"ask for at most --clock {int(slowest)}")


def _lines(ledger):
    try:
        return [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []
    except (OSError, ValueError):
        raise InputError(f"{ledger} cannot be read as a ledger of builds; remove it and try again") from None


def _append(ledger, row):
    try:
        ledger.parent.mkdir(parents=True, exist_ok=True)
        with open(ledger, "a") as file:
            file.write(json.dumps(row) + "\n")
    except OSError as error:
        raise InputError(f"cannot write {ledger}: {(error.strerror or str(error)).lower()}; "
                         "free space or choose another place, then try again") from None
