"""Cycle model: when every token, word and weight moves, as in the gateware to the cycle.

The engine is a network of registers with handshakes. The cycle in which something moves is the latest of
a few others: when it arrived, when its place became free, when the thing before it moved. This module
evaluates these equations token by token for all PEs at once; its cost grows with the broadcast tokens
and the words read, not with the cycles.

A run is accepted in cycle 0. Names follow a token: sent by the control, entered, queued, popped; and a
word of entries: issued, moved on, moved in, finished (its last entry taken by weight decode).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden.detection import LONG_AGO, Leaf, Source, tree
from golden.engine import StepTrace
from golden.execute import RunReport
from golden.geometry import Geometry
from golden.latencies import latencies
from golden.steps import Step

IntArray = NDArray[np.int64]

FAN_OUT = 8
"""Children of a node of the broadcast tree."""
WRITE_TO_ENDED = 2
"""Cycles from a PE's last write to the first one in which the control may know, beyond the gathering tree."""
BEGIN_TO_DRAIN = 1
"""Cycles from a Begin to the first one in which settings of the drain may be taken."""
DRAIN_TO_FINISH = 2
"""Cycles from the first settings of a drain to its Finish, beyond those that its biases take to sum up."""


@dataclass(frozen=True, eq=False)
class ColumnWords:
    """How weight decode takes broadcast columns apart, word by word; two neighbours sent together are one.

    Parameters
    ----------
    words : array of int64, shape (pes, tokens)
        Sparse-matrix words that the column touches.
    takes : array of int64, shape (pes, tokens, most words)
        Cycles that begin in each word; an escape and the weight behind it share one.
    looks_ahead : array of bool, same shape
        Whether the word's last entry is an escape, so that the next word must be there.
    empty : array of bool, shape (pes, tokens)
        Columns without entries; with `empty_columns` each is a word that takes a cycle.
    busy : array of bool, shape (pes, tokens)
        Every word takes a cycle of its own or more.
    """

    words: IntArray
    takes: IntArray
    looks_ahead: NDArray[np.bool_]
    empty: NDArray[np.bool_]
    busy: NDArray[np.bool_]


def column_words(geometry: Geometry, trace: StepTrace) -> ColumnWords:
    """Words and takes of the columns that a step broadcasts, token by token."""
    matrix, lanes, width = trace.matrix, geometry.scan_width, geometry.word_entries
    places = np.unique(trace.column // lanes)
    active = np.zeros(places.size * lanes, dtype=bool)
    active[np.searchsorted(places, trace.column // lanes) * lanes + trace.column % lanes] = True
    columns = (places[:, None] * lanes + np.arange(lanes)).reshape(-1)
    shape = (geometry.pes, places.size)
    sent = (matrix.lengths[:, columns] * active).reshape(*shape, lanes)
    lengths = sent.sum(axis=2).reshape(-1)
    first = columns.reshape(-1, lanes)[:, 0] + ~active.reshape(-1, lanes)[:, 0]
    before = np.cumsum(matrix.lengths).reshape(matrix.lengths.shape) - matrix.lengths
    begins, starts = before[:, first].reshape(-1), matrix.starts[:, first].reshape(-1)

    offset = starts % width
    words = np.where(lengths > 0, -(-(offset + lengths) // width), int(geometry.empty_columns))
    most = int(words.max(initial=1))
    cell = np.repeat(np.arange(lengths.size), lengths)
    place = np.arange(cell.size) - (np.cumsum(lengths) - lengths)[cell]
    entry = begins[cell] + place
    word = cell * most + (offset[cell] + place) // width
    escape = matrix.escape[entry]
    second = ~escape & matrix.escape[entry - 1] & (place > 0)
    if geometry.padding_zeros:
        second[:] = False
    takes = np.bincount(word[~second], minlength=lengths.size * most).astype(np.int64)
    word_ends = (offset[cell] + place) % width == width - 1
    looks_ahead = np.zeros(lengths.size * most, dtype=bool)
    looks_ahead[word[word_ends & escape]] = not geometry.padding_zeros
    if geometry.empty_columns:
        takes[np.flatnonzero(lengths == 0) * most] = 1
    idle = (takes.reshape(-1, most) == 0).sum(axis=1) > most - words
    return ColumnWords(
        words.reshape(shape),
        takes.reshape(*shape, most),
        looks_ahead.reshape(*shape, most),
        (lengths == 0).reshape(shape),
        ~idle.reshape(shape),
    )


class _Buffer:
    """Stream registers of two, one or no entries side by side: when the last two payloads left each."""

    def __init__(self, count: int, entries: int = 2) -> None:
        self.last = np.full(count, LONG_AGO, dtype=np.int64)
        self.before = self.last
        self.entries = entries

    def ready(self) -> IntArray:
        """First cycle in which another payload can enter; one that is alone enters as it leaves."""
        return self.last if self.entries == 1 else self.before + 1

    def leave(self, cycle: IntArray) -> None:
        """Note when the payload that entered last leaves."""
        self.before, self.last = self.last, cycle


class _Pipeline:
    """Queue, sparse-matrix read and weight decode of every PE."""

    def __init__(self, geometry: Geometry) -> None:
        pes = geometry.pes
        self.geometry = geometry
        self.latencies = latencies(geometry)
        self.window = self.latencies.window_words

        def never() -> IntArray:
            return np.full(pes, LONG_AGO, dtype=np.int64)

        self.pops = np.full((geometry.queue_depth, pes), LONG_AGO, dtype=np.int64)
        self.pushed = np.zeros(pes, dtype=np.int64)
        self.lane = np.arange(pes)
        self.popped, self.issued = never(), never()
        self.moved_on, self.moved_in = never(), never()
        self.finished = [never() for _ in range(self.window + 1)]  # of the last words, the latest first
        self.looks_ahead = np.zeros(pes, dtype=bool)
        self.last_take = never()
        self.settled = never()
        self.everyone = np.ones(pes, dtype=bool)

    def room(self) -> IntArray:
        """First cycle in which the queue takes another item."""
        slot = self.pushed % self.geometry.queue_depth
        room: IntArray = self.pops[slot, self.lane] + 1
        return room

    def ahead(self, queued: IntArray) -> IntArray:
        """First cycle in which an item stands at the head of its queue."""
        return np.asarray(np.maximum(queued + self.latencies.queue, self.popped + 1))

    def pop(self, cycle: IntArray, who: NDArray[np.bool_]) -> None:
        """Take the item at the head out of the queue."""
        slot = self.pushed % self.geometry.queue_depth
        self.pops[slot[who], self.lane[who]] = cycle[who]
        self.pushed += who
        self.popped = np.where(who, cycle, self.popped)

    def begin(self, queued: IntArray) -> None:
        """Take a Begin: the entries of the step before have left weight decode."""
        self.pop(np.maximum(self.ahead(queued), self.settled), self.everyone)

    def word(
        self,
        begin: IntArray,
        takes: IntArray,
        looks_ahead: NDArray[np.bool_],
        who: NDArray[np.bool_],
        earliest: IntArray | None = None,
    ) -> None:
        """Send one word through matrix read and weight decode, which takes it at `earliest`."""
        issued = np.maximum(np.maximum(self.issued + 1, begin), self.moved_on)
        # An escape at the end of the word before waits for this one.
        if self.geometry.output_registers:
            moved_on = np.maximum(issued + 1, self.moved_in)
            moved_in = np.maximum(moved_on + 1, self.finished[1])
            before = np.where(self.looks_ahead, np.maximum(self.finished[0], moved_in + 1), self.finished[0])
            start = np.maximum(moved_in, before) + 1
        else:
            before = np.where(self.looks_ahead, np.maximum(self.finished[0], issued + 1), self.finished[0])
            moved_on = moved_in = np.maximum(issued + 1, before)
            start = moved_in + 1
        if earliest is not None:
            start = np.maximum(start, earliest)
        finished = np.where(takes > 0, start + takes - 1, before)

        def update(old: IntArray, new: IntArray) -> IntArray:
            return np.where(who, new, old)

        self.issued = update(self.issued, issued)
        self.moved_on = update(self.moved_on, moved_on)
        self.moved_in = update(self.moved_in, moved_in)
        history = [finished, before, *self.finished[1:]]
        self.finished = [update(old, new) for old, new in zip(self.finished, history, strict=False)]
        self.looks_ahead = np.where(who, looks_ahead, self.looks_ahead)

    def column(self, queued: IntArray, columns: ColumnWords, number: int) -> None:
        """Multiply one column of those given, where it was not dropped."""
        words = columns.words[:, number]
        begin = self.ahead(queued)
        most = int(words.max())
        for i in range(most):
            if i >= self.window and most - i > self.window and self._full(columns, number, i):
                self._rest(columns, number, i)
                break
            takes, looks_ahead = columns.takes[:, number, i], columns.looks_ahead[:, number, i]
            self.word(begin, takes, looks_ahead, i < words)
        self.pop(self.issued, words > 0)
        self.last_take = np.where(columns.empty[:, number], self.last_take, self.finished[0])

    def _full(self, columns: ColumnWords, number: int, done: int) -> bool:
        """Whether weight decode alone sets the pace, after `done` words, wherever more follow.

        Then every stage moves when the word so many places ahead of it is finished, and since each word
        takes a cycle or more, it stays so to the column's end.
        """
        full = (
            (self.moved_in == self.finished[self.latencies.decode_words])
            & (self.moved_on == self.finished[self.window - 1])
            & (self.issued == self.finished[self.window])
            & columns.busy[:, number]
        )
        return bool(np.all(full | (columns.words[:, number] <= done)))

    def _rest(self, columns: ColumnWords, number: int, done: int) -> None:
        """Finish a column whose pace weight decode sets, all words at once."""
        words, takes = columns.words[:, number], columns.takes[:, number]
        who = words > done
        total = self.finished[0][:, None] + np.cumsum(takes[:, done:], axis=1)
        total = np.concatenate([np.stack(self.finished[::-1], axis=1), total], axis=1)
        last = np.where(who, words - done, 0) + self.window
        self.finished = [total[self.lane, last - i] for i in range(self.window + 1)]
        self.moved_in = np.where(who, self.finished[self.latencies.decode_words], self.moved_in)
        self.moved_on = np.where(who, self.finished[self.window - 1], self.moved_on)
        self.issued = np.where(who, self.finished[self.window], self.issued)
        self.looks_ahead = np.where(who, False, self.looks_ahead)

    def finish(self, queued: IntArray, rows: int, bias_words: int) -> IntArray:
        """Drain the rows; returns when each row's bias left weight decode, shape (rows, pes)."""
        begin = self.ahead(queued)
        one = np.ones(self.geometry.pes, dtype=np.int64)
        no = ~self.everyone
        earliest = self.last_take + self.latencies.decode
        drained = np.empty((rows, self.geometry.pes), dtype=np.int64)
        for row in range(rows):
            for place in range(max(bias_words, 1)):
                if row and place + 1 >= bias_words:
                    earliest = np.maximum(earliest, drained[row - 1] + self.latencies.drain)
                self.word(begin, one, no, self.everyone, earliest)
            drained[row] = self.finished[0]
        self.word(begin, one, no, self.everyone, earliest)
        self.pop(self.issued, self.everyone)
        self.settled = self.finished[0] + self.latencies.end_to_begin
        return drained


class _Run:
    """One run from its acceptance to its last write."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        pes = geometry.pes
        sizes = [pes]
        while len(sizes) == 1 or sizes[-1] > 1:
            sizes.append(-(-sizes[-1] // FAN_OUT))
        self.levels = [_Buffer(size) for size in sizes]  # the PEs first, the root last
        self.pipeline = _Pipeline(geometry)
        self.levels[0] = _Buffer(pes, self.pipeline.latencies.token_buffer)
        self.firsts = [np.arange(0, size, FAN_OUT) for size in sizes]
        far = np.full(pes, LONG_AGO, dtype=np.int64)
        self.reads = [(far, far)] * self.pipeline.latencies.pointer
        self.draining: tuple[Step, list[IntArray]] | None = None
        self.ended = LONG_AGO
        self.cycle = 1  # the address of the first step's first word
        self.stalls = 0

    def send(self, pieces: int = 1) -> IntArray:
        """Send a token, after `self.cycle`; returns when pointer read of each PE took it.

        It stands in front of it while the pieces of its word are read, one a cycle.
        """
        root = self.levels[-1]
        self.cycle = max(self.cycle + 1, int(root.ready()[0]))
        entered = np.array([self.cycle])
        for level in range(len(self.levels) - 1, 0, -1):
            node, below = self.levels[level], self.levels[level - 1]
            head = np.maximum(entered, node.last) + 1
            heads = np.repeat(head, FAN_OUT)[: below.last.size]
            if below.entries:
                accepted = np.maximum(heads, below.ready())
            else:
                accepted = taken = self._take(heads, pieces)
            node.leave(np.maximum.reduceat(accepted, self.firsts[level - 1]))
            entered = accepted
        return taken if self.levels[0].entries == 0 else self._take(entered + 1, pieces)

    def _take(self, earliest: IntArray, pieces: int) -> IntArray:
        """Pointer read takes a token, which it sees from this cycle on."""
        buffer = self.levels[0]
        taken = np.maximum(earliest, buffer.last + 1)
        # The stages of pointer read stand still while a full queue refuses their last.
        for arrived, left in self.reads:
            taken = np.where((arrived <= taken) & (taken < left), left, taken)
        taken = np.asarray(taken + pieces - 1)
        buffer.leave(taken)
        return taken

    def queue(self, taken: IntArray, dropped: NDArray[np.bool_]) -> IntArray:
        """Pass a token through pointer read; returns when it entered the queue, unless dropped."""
        arrived = taken + len(self.reads)
        for first, left in self.reads:
            arrived = arrived + np.where((taken < first) & (first < arrived), left - first, 0)
        left = np.where(dropped, arrived, np.maximum(arrived, self.pipeline.room()))
        self.reads = [*self.reads[1:], (arrived, left)]
        return np.asarray(left)

    def step(self, trace: StepTrace) -> None:
        """One step."""
        step, geometry, pipeline = trace.step, self.geometry, self.pipeline
        nobody = np.zeros(geometry.pes, dtype=bool)
        self.cycle += 2  # words of the descriptor, before the one that goes with Begin
        known = self.cycle
        taken = self.send()
        ready = max(self.cycle + BEGIN_TO_DRAIN, self.ended) + DRAIN_TO_FINISH + max(step.bias_words, 1)
        pipeline.begin(self.queue(taken, nobody))
        if step.words:
            self._activations(trace, self._detection(trace, taken + 1, known))
        self.cycle = max(self.cycle, ready - 1)
        drained = pipeline.finish(self.queue(self.send(), nobody), step.drain_rows, step.bias_words)
        self.draining = step, [row + pipeline.latencies.bias_to_write + 1 for row in drained]
        last = int(pipeline.finished[0].max()) + pipeline.latencies.end_to_write
        self.ended = last + WRITE_TO_ENDED + len(self.levels) - 1

    def _detection(self, trace: StepTrace, begin: IntArray, known: int) -> Source:
        """Leaves and nodes of the step's scan, whose settings the control took in cycle `known`."""
        step, geometry = trace.step, self.geometry
        pes, width = geometry.pes, geometry.scan_width
        nonzero = np.zeros(step.words * pes, dtype=np.int64)
        nonzero[trace.column // width] = 1
        counts = nonzero.reshape(step.words, pes).T.tolist()
        readable = self._readable(step, known)
        stages = self.pipeline.latencies.scan
        waits: Sequence[list[int] | None] = readable or [None] * pes
        return tree([Leaf(int(begin[k]), counts[k], waits[k], stages) for k in range(pes)])

    def _readable(self, step: Step, known: int) -> list[list[int]] | None:
        """First cycle in which each PE may read each word of a scan, if that waits for the drain before."""
        if self.draining is None or not step.wait or known >= self.ended:
            return None
        drain, written = self.draining
        if drain.destination != step.source:
            return None
        width = self.geometry.scan_width
        released = np.full(self.geometry.pes, self.ended + len(self.levels) - 1)
        words = []
        for word in range(step.first_word, step.first_word + step.words):
            row = (word + 1) * width - 1 - drain.destination_slot
            if row < 0:
                words.append(np.full(self.geometry.pes, LONG_AGO))
            else:
                words.append(written[row] if row < len(written) else released)
        by_pe: list[list[int]] = np.array(words).T.tolist()
        return by_pe

    def _activations(self, trace: StepTrace, root: Source) -> None:
        columns = column_words(self.geometry, trace)
        buffer, pieces = self.levels[-1], self.pipeline.latencies.pointer_pieces
        rows, sent = 0, 0
        while rows < trace.step.words:
            head = root.head()
            self.cycle = max(self.cycle + 1, head.cycle)
            if head.item:
                self.stalls += max(0, int(buffer.ready()[0]) - self.cycle)
                self.cycle -= 1
                queued = self.queue(self.send(pieces), columns.words[:, sent] == 0)
                self.pipeline.column(queued, columns, sent)
                sent += 1
            root.pop(self.cycle)
            rows += head.last


def run_cycles(geometry: Geometry, traces: tuple[StepTrace, ...]) -> RunReport:
    """Cycles and stalls of a run, exactly those of the gateware.

    Parameters
    ----------
    geometry : Geometry
    traces : tuple of StepTrace
        The run's steps as `golden.engine.Engine` executed them.

    Returns
    -------
    RunReport
        Cycles from the acceptance of the run to the write of its last activation, and those in
        which an activation was ready and the broadcast was not.
    """
    run = _Run(geometry)
    for trace in traces:
        run.step(trace)
    return RunReport(int(run.pipeline.finished[0].max()) + run.pipeline.latencies.end_to_write, run.stalls)
