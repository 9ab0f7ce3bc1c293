"""The subcommand `tamis prove`: a board's design at the level of gates, against golden, without the board."""

import hashlib
from argparse import Namespace
from pathlib import Path
from typing import Any

from golden.errors import DeviceError, UsageError
from golden.model import encode
from golden.plan import make_plan
from host import fault_runs
from host.arrays import load_inputs
from host.prove import SMALL, Outcome, digits
from host.prove import prove as run
from host.report import note, print_json, print_table, progress
from host.session import load_model
from host.values import to_integers


def prove(arguments: Namespace) -> None:
    """`tamis prove`: run a network on the netlist or the bitstream of a board; or faults, one at a time.

    Raises
    ------
    DeviceError
        If an integer, a count of cycles or a byte on the line is not as it must be.
    """
    from boards import proof
    from boards.registry import find

    board = find(arguments.board).with_changes(pes=arguments.pes)
    proof.check_family(board)
    if (arguments.model is None) != (arguments.input is None):
        raise UsageError("--model and --input belong together; give both, or neither for the digits network")
    if arguments.faults is not None:
        faults(arguments, board)
        return
    if arguments.model is None:
        model, inputs = digits()
    else:
        model = load_model(arguments.model)
        inputs = load_inputs(arguments.input, model.inputs)
    inputs = inputs[: arguments.images]
    if arguments.bitstream:
        with progress(f"building {board.name}") as advance:
            program = proof.bitstream_program(board, seed=arguments.seed, progress=advance, note=note)
    else:
        note(f"synthesising {board.name}")
        found = proof.netlist(board)
        note(f"compiling a simulator of {len(found.cells):,} cells; this takes a minute or two")
        program = proof.netlist_program(board, found)
    note("running")
    with proof.start(program) as chip, progress("running") as advance:
        outcome = run(chip.port, model, inputs, progress=advance)
    level = "bitstream" if arguments.bitstream else "netlist"
    if arguments.json:
        seed = arguments.seed if arguments.bitstream else None
        print_json({"board": board.name, "level": level, "seed": seed, **outcome.as_dict()})
    else:
        print(sentences(board.name, level, outcome))
    if not outcome.proved:
        raise DeviceError(f"the {level} of {board.name} does not do what golden does; please report it")


def sentences(board: str, level: str, outcome: Outcome) -> str:
    """An outcome for people."""
    held = "resident" if outcome.resident else "streamed"
    return (
        f"The {level} of {board}, PEs: {outcome.pes}: {outcome.images:,} images, {held}, "
        f"{outcome.outputs:,} outputs, {outcome.mismatches:,} mismatches.\n"
        f"Cycles as foretold for {outcome.cycles_foretold:,} of {outcome.images:,} images; "
        f"{outcome.link_bytes:,} bytes over the link, {outcome.retries:,} retries; {outcome.seconds:,.1f} s."
    )


def faults(arguments: Namespace, board: Any) -> None:
    """`tamis prove --faults N`: how many random single faults a run notices."""
    from boards import proof, single_faults

    if arguments.bitstream or arguments.model is not None:
        raise UsageError(
            "--faults works on the netlist with networks of its own; leave --bitstream and --model out"
        )
    note(f"synthesising {board.name}")
    found = proof.netlist(board)
    drawn = single_faults.draw(found, arguments.faults, arguments.seed)
    note(f"compiling one simulator with {len(drawn)} faults; this takes a minute or two")
    program = proof.netlist_program(board, single_faults.inject(found, drawn))
    model, activations = _workload(board.geometry, arguments.images)
    rows = [
        {
            "number": fault.number,
            "kind": fault.kind,
            "place": single_faults.describe(found, fault),
            "lamps_only": proof.lamps_only(single_faults.reaches(found, fault)),
        }
        for fault in drawn
    ]
    key = hashlib.sha256(program.name.encode() + encode(model) + activations.tobytes()).hexdigest()[:16]
    ledger = Path(arguments.ledger or f"build/{board.name}.faults.jsonl")
    ledger.parent.mkdir(parents=True, exist_ok=True)
    campaign = fault_runs.Campaign(lambda number: proof.start(program, fault=number), model, activations)
    with progress("running") as advance:
        lines = fault_runs.run_all(campaign, rows, ledger, key=key, jobs=arguments.jobs, progress=advance)
    counts = fault_runs.summary(lines)
    if arguments.json:
        print_json({"board": board.name, "seed": arguments.seed, "counts": counts, "runs": lines})
        return
    cells = [[kind, sum(row.values()), *row.values()] for kind, row in counts.items()]
    print_table(f"Single faults in {board.name}", ["fault in", "runs", *fault_runs.OUTCOMES], cells)
    caught = sum(counts["all"][outcome] for outcome in fault_runs.CAUGHT)
    print(f"Noticed: {caught} of {len(lines)}. Every run is in {ledger}.")


def _workload(geometry: Any, images: int) -> tuple[Any, Any]:
    """The digits network if the board holds it, or else a small one."""
    model, inputs = digits()
    if make_plan(model, geometry).resident:
        return model, to_integers(model, inputs[:images])[0]
    model, activations = SMALL.draw(geometry)
    return model, activations[:images]
