"""When the tree of nonzero detection says what: the timing of leaves and nodes, to the cycle.

A node is asked for its `head` (when its next payload is on offer, whether it is an activation, whether its
row ends) and told by `pop` when that was taken. Everything before is known by then, so each payload is
computed once, from the payloads under it.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

LONG_AGO = -(1 << 30)
FAN_IN = 4
"""Children of a detection node."""


class Head(NamedTuple):
    """A payload on offer."""

    cycle: int
    item: bool
    last: bool


class Source(Protocol):
    """A leaf or a node."""

    def head(self) -> Head:
        """Payload that is on offer next."""

    def pop(self, cycle: int) -> None:
        """Take it in the given cycle."""


class Leaf:
    """Scan of one PE's activation file.

    Parameters
    ----------
    begin : int
        Cycle in which the scan may issue its first address.
    nonzeros : sequence of int
        For each word whether it holds a nonzero activation.
    readable : sequence of int or None
        First cycle in which each word may be read, if the scan waits for drains.
    stages : int
        Registers between the address and the payload.
    """

    def __init__(
        self, begin: int, nonzeros: Sequence[int], readable: Sequence[int] | None, stages: int
    ) -> None:
        self._nonzeros, self._readable = nonzeros, readable
        self._word = 0
        self._issued = begin - 1
        self._stages = stages
        self._spans = [(LONG_AGO, LONG_AGO)] * stages  # first and last cycle of earlier words on offer
        self._arrived = 0
        self._head: Head | None = None

    def head(self) -> Head:
        """Payload that is on offer next."""
        if self._head is None:
            self._fetch()
        assert self._head is not None
        return self._head

    def _fetch(self) -> None:
        issue = self._issued + 1
        if self._readable is not None:
            issue = max(issue, self._readable[self._word])
        # All stages stand still while a word is on offer and not done.
        for first, last in self._spans:
            if first <= issue < last:
                issue = last
        arrived = issue + self._stages
        for first, last in self._spans:
            if issue < first < arrived:
                arrived += last - first
        self._issued, self._arrived = issue, arrived
        nonzeros = int(self._nonzeros[self._word])
        self._word += 1
        self._head = Head(arrived, nonzeros > 0, True)

    def pop(self, cycle: int) -> None:
        """Take the payload in the given cycle."""
        self._spans = [*self._spans[1:], (self._arrived, cycle)]
        self._head = None


class Node:
    """Detection node and the two-entry buffer behind it."""

    def __init__(self, children: Sequence[Source]) -> None:
        self._children = children
        self._done = [False] * len(children)
        self._fired = LONG_AGO
        self._pops = (LONG_AGO, LONG_AGO)
        self._head: Head | None = None

    def head(self) -> Head:
        """Payload that is on offer next."""
        if self._head is None:
            self._head = self._fire()
        return self._head

    def _fire(self) -> Head:
        cycle = max(self._fired + 1, self._pops[0] + 1)
        heads: list[Head | None] = [None] * len(self._children)
        chosen = -1
        last = True
        for c, child in enumerate(self._children):
            if not self._done[c]:
                heads[c] = head = child.head()
                cycle = max(cycle, head.cycle)
                if head.item:
                    if chosen < 0:
                        chosen = c
                        last = last and head.last
                    else:
                        last = False
        for c, child in enumerate(self._children):
            if heads[c] is not None and (c == chosen or last):
                child.pop(cycle)
        if last:
            self._done = [False] * len(self._children)
        elif (head_chosen := heads[chosen]) is not None and head_chosen.last:
            self._done[chosen] = True
        self._fired = cycle
        return Head(max(cycle + 1, self._pops[1] + 1), chosen >= 0, last)

    def pop(self, cycle: int) -> None:
        """Take the payload in the given cycle."""
        self._pops = (self._pops[1], cycle)
        self._head = None


def tree(leaves: Sequence[Source]) -> Source:
    """Root of the detection tree over the given leaves."""
    sources = leaves
    while True:
        sources = [Node(sources[i : i + FAN_IN]) for i in range(0, len(sources), FAN_IN)]
        if len(sources) == 1:
            return sources[0]
