"""Latencies of a processing element that depend on its registers; gateware and cycle model share them."""

from dataclasses import dataclass

from golden.geometry import PIECES, Geometry

SHORT_QUEUE = 2
"""Items up to which an activation queue without output registers is made of flip-flops."""


@dataclass(frozen=True, kw_only=True)
class Latencies:
    """Cycles and places in one PE, from its token buffer to the activation file.

    Parameters
    ----------
    token_buffer : int
        Tokens that the buffer holds; 0: they stand in the broadcast tree until pointer read takes them.
    pointer_pieces : int
        Cycles in which an activation's pointer word is read, before the token leaves its place.
    pointer : int
        From a token that leaves the buffer to its item at the activation queue.
    queue : int
        From an item's entry into an empty activation queue to the first cycle in which it may leave.
    word_registers : int
        Words between a sparse-matrix address and weight decode.
    decode_words : int
        Words in weight decode's window.
    decode : int
        From the last weight taken to the first bias.
    drain : int
        From one drained row to the next at least.
    operation : int
        From a bias that leaves weight decode's window to its operation in the arithmetic unit.
    arithmetic : int
        From an operation to its sum.
    requantise : int
        From a sum to its activation, which is written at once.
    scan : int
        Registers of the activation file between a scan's address and the payload.
    """

    token_buffer: int
    pointer_pieces: int
    pointer: int
    queue: int
    word_registers: int
    decode_words: int
    decode: int
    drain: int
    operation: int
    arithmetic: int
    requantise: int
    scan: int

    @property
    def window_words(self) -> int:
        """Words between a sparse-matrix address and the word that weight decode takes apart."""
        return self.word_registers + self.decode_words

    @property
    def bias_to_write(self) -> int:
        """From a row's bias that leaves weight decode's window to its activation's write."""
        return self.operation + self.arithmetic + self.requantise

    @property
    def end_to_write(self) -> int:
        """From the End, which is one behind the last bias, to the last activation's write."""
        return self.bias_to_write - 1

    @property
    def end_to_begin(self) -> int:
        """From the same End to the first cycle in which the next step's Begin may leave the queue."""
        return self.operation + 1


def latencies(geometry: Geometry) -> Latencies:
    """Latencies of a geometry's PEs.

    >>> latencies(Geometry()).end_to_write, latencies(Geometry(output_registers=False)).end_to_write
    (7, 3)
    """
    if geometry.output_registers:
        return Latencies(
            token_buffer=2,
            pointer_pieces=1,
            pointer=2,
            queue=1,
            word_registers=2,
            decode_words=2,
            decode=3,
            drain=1,
            operation=1,
            arithmetic=3,
            requantise=4,
            scan=3,
        )
    return Latencies(
        token_buffer=0,
        pointer_pieces=PIECES,
        pointer=1,
        queue=1 if geometry.queue_depth <= SHORT_QUEUE else 2,
        word_registers=1,
        decode_words=1,
        decode=2,
        drain=2,
        operation=0,
        arithmetic=2,
        requantise=2,
        scan=2,
    )
