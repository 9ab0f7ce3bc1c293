"""Latencies of a processing element that depend on its registers; gateware and cycle model share them."""

from dataclasses import dataclass

from golden.geometry import Geometry


@dataclass(frozen=True, kw_only=True)
class Latencies:
    """Cycles and places in one PE, from the activation queue to the activation file.

    Parameters
    ----------
    queue : int
        From an item's entry into an empty activation queue to the first cycle in which it may leave.
    window_words : int
        Words between a sparse-matrix address and the word that weight decode takes apart.
    decode : int
        From the last weight taken to the first bias.
    drain : int
        From one drained row to the next at least.
    operation : int
        From a bias that leaves weight decode's window to its operation in the arithmetic unit.
    arithmetic : int
        From an operation to its sum.
    requantise : int
        From a sum to its activation.
    """

    queue: int
    window_words: int
    decode: int
    drain: int
    operation: int
    arithmetic: int
    requantise: int

    @property
    def end_to_write(self) -> int:
        """From the End that leaves weight decode's window to the last activation's write."""
        return self.operation + self.arithmetic + self.requantise

    @property
    def end_to_settled(self) -> int:
        """From the same End to the first cycle in which the next step's settings may be taken."""
        return self.end_to_write + 3

    @property
    def bias_to_readable(self) -> int:
        """From a row's bias in the window to the first cycle in which its activation may be scanned."""
        return self.end_to_write + 2


def latencies(geometry: Geometry) -> Latencies:
    """Latencies of a geometry's PEs.

    >>> latencies(Geometry()).end_to_write, latencies(Geometry(output_registers=False)).end_to_write
    (8, 4)
    """
    if geometry.output_registers:
        return Latencies(queue=1, window_words=4, decode=3, drain=1, operation=1, arithmetic=3, requantise=4)
    return Latencies(queue=2, window_words=3, decode=2, drain=2, operation=0, arithmetic=2, requantise=2)
