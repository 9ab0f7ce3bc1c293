"""Subcommands about machines and boards: doctor, demo, sim, selftest, verilog."""

from argparse import Namespace
from typing import cast

from golden.errors import DeviceError, ToolMissingError
from host.report import note, print_table, progress


def doctor(arguments: Namespace) -> None:
    """`tamis doctor`: what is there, what is missing, what to do about it."""
    from host.doctor import findings

    looked_at = findings()
    rows = [
        [found.name, "ok" if found.found else "MISSING" if found.needed_for else "absent", found.detail]
        for found in looked_at
    ]
    print_table("", ["what", "state", "detail"], rows)
    missing = [found for found in looked_at if not found.sound]
    for found in missing:
        print(found)
    if missing:
        names = ", ".join(found.name for found in missing)
        raise ToolMissingError(f"{names} missing; do what the report says")
    print("Nothing is missing.")


def demo(arguments: Namespace) -> None:
    """`tamis demo`: the digits network on golden and on the simulated board."""
    from host.demo import print_result, run_demo

    print_result(run_demo(arguments.pes))


def sim(arguments: Namespace) -> None:
    """`tamis sim`: a simulated board until it is interrupted."""
    from host.cli_targets import simulated_board

    note("preparing the simulated board; the first time takes about a minute")
    with simulated_board(arguments.pes) as board:
        print(board.port, flush=True)
        note("running; press Ctrl-C to stop")
        board.wait()
    raise DeviceError("the simulated board ended by itself; start it again, and report it")


def selftest(arguments: Namespace) -> None:
    """`tamis selftest`: a report on a board, to be pasted into a bug report."""
    from host.driver import Driver
    from host.selftest import selftest as test
    from host.session import Target, open_session

    target: Target = "serial" if arguments.port else "sim"
    note(f"connecting to {arguments.port or 'a simulated board; the first time takes about a minute'}")
    with (
        open_session(target, port=arguments.port, baud_rate=arguments.baud) as session,
        progress("testing") as advance,
    ):
        report = test(cast(Driver, session.device), advance)
    print(report.text())
    if not report.passed:
        raise DeviceError(f"the board at {report.board['port']} failed: {report.verdict()}")


def verilog(arguments: Namespace) -> None:
    """`tamis verilog`: the engine alone."""
    from boards.presets import simulated
    from hdl.engine import Engine
    from hdl.verilog import emit
    from host.files import write_file

    text = emit(Engine(simulated(arguments.pes)), name="tamis_engine")
    write_file(arguments.output, text.encode())
    note(f"wrote module tamis_engine with {arguments.pes} PEs to {arguments.output}")
