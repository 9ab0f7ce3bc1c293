"""Named geometries: how large an engine each board holds."""

from dataclasses import replace

from golden.geometry import Geometry

SIMULATED = Geometry(pes=4)
"""The simulated board, unless a number of PEs is asked for."""


def simulated(pes: int = SIMULATED.pes) -> Geometry:
    """The simulated board's geometry with another number of PEs.

    >>> simulated(7).pes
    7
    """
    return replace(SIMULATED, pes=pes)
