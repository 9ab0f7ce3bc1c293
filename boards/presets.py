"""Named geometries: how large an engine each board holds."""

from dataclasses import replace

from golden.geometry import Geometry

SIMULATED = Geometry(pes=4)
"""The simulated board, unless a number of PEs is asked for."""

UP5K_LENET = Geometry(
    pes=3, queue_depth=1, matrix_words=8192, pointer_words=256, activations=131, accumulators=100,
    codebook_entries=64, output_registers=False)
"""An iCE40 UP5K that holds a LeNet-300-100 shape: entries in its single-port memories, one to a PE."""

ECP5_25F_LENET = Geometry(
    pes=12, matrix_words=1024, pointer_words=256, accumulators=32, activations=72, codebook_entries=64,
    steps=8)
"""An ECP5-25F that holds a LeNet-300-100 shape, with four block RAMs a PE."""

ECP5_45F_LENET = replace(ECP5_25F_LENET, pes=20, accumulators=64, activations=256)
ECP5_85F_LENET = replace(ECP5_25F_LENET, pes=24, accumulators=64, activations=256)
"""Larger ECP5 have more block RAM for their LUTs: a fifth block a PE holds its accumulators."""


def simulated(pes: int = SIMULATED.pes) -> Geometry:
    """The simulated board's geometry with another number of PEs.

    >>> simulated(7).pes
    7
    """
    return replace(SIMULATED, pes=pes)
