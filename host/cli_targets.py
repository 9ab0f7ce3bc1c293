"""Starting a simulated board: gateware is imported here, and only when it is needed."""

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
