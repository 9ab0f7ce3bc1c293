"""What subcommands need of boards: gateware is imported here, and only when it is needed."""

from typing import Any


def simulated_board(pes: int) -> Any:
    """Build, if need be, and start a simulated board.

    Returns
    -------
    boards.simulated.SimulatedBoard
        A context manager with the attribute `port`.
    """
    from boards.presets import simulated
    from boards.simulated import SimulatedBoard

    return SimulatedBoard(simulated(pes))


def board_rows(model: Any, inputs: Any = None) -> list[Any]:
    """A model on every board, for `host.html_report`.

    Parameters
    ----------
    model : Model
    inputs : array of float32, shape (samples, inputs), optional
        See `host.html_report.board_row`.

    Returns
    -------
    list of host.html_report.BoardRow
    """
    from boards.registry import every
    from host.html_report import board_row
    from host.report import progress

    found = every()
    with progress("reckoning for boards") as advance:
        rows = []
        for number, board in enumerate(found):
            advance(number, len(found))
            rows.append(board_row(model, board, inputs))
    return rows
