"""The engine, bit for bit: memories of every PE, and step descriptors executed as the gateware executes them.

activation file -> nonzero detection -> broadcast -> pointer read -> sparse-matrix read -> weight decode ->
arithmetic -> requantise -> activation file, a whole step at a time.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden import image, pointers
from golden.encoding import check_split, reverse_bits
from golden.errors import DeviceError, InputError
from golden.execute import RunReport
from golden.fixed_point import keep_above, requantise, wrap
from golden.geometry import Geometry
from golden.memories import Memory, depth, word_bits
from golden.protocol import WHOLE
from golden.steps import WORDS_PER_STEP, Step, Token, locate, pack_token

IntArray = NDArray[np.int64]
CACHED_STEPS = 1024


@dataclass(frozen=True, eq=False)
class StepMatrix:
    """The weights of one step as its pointers, entries and codebook give them.

    Parameters
    ----------
    starts, lengths, weights : array of int64, shape (pes, columns)
        First entry, entries and nonzero weights of each column.
    escape : array of bool, shape (pes * columns entries in all,)
        Whether each entry is an escape; the columns of PE 0 first.
    column : array of int64, shape (n,)
        Column of each weight.
    accumulator : array of int64, shape (n,)
        PE * accumulators + accumulator of each weight.
    value : array of float64, shape (n,)
        Codebook value of each weight; products and sums of them are exact.
    """

    starts: IntArray
    lengths: IntArray
    weights: IntArray
    escape: NDArray[np.bool_]
    column: IntArray
    accumulator: IntArray
    value: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StepTrace:
    """What one executed step did.

    Parameters
    ----------
    number : int
        Place in the step memory.
    step : Step
    final : bool
        Whether it ended its run.
    column, activation : array of int64, shape (nonzeros,)
        The broadcast, in order.
    matrix : StepMatrix
    """

    number: int
    step: Step
    final: bool
    column: IntArray
    activation: IntArray
    matrix: StepMatrix

    def tokens(self, geometry: Geometry) -> list[tuple[Token, int]]:
        """Broadcast tokens and their payloads, in order.

        Begin, an Activation for each word with a nonzero one, Finish.
        """
        step, width = self.step, geometry.scan_width
        begin = pack_token(
            Token.BEGIN,
            geometry,
            index_bits=step.index_bits,
            codebook_base=step.codebook_base,
            short_lengths=step.short_lengths,
            scans=int(step.words > 0),
        )
        words: dict[int, dict[str, int]] = {}
        for column, activation in zip(self.column.tolist(), self.activation.tolist(), strict=True):
            place, lane = divmod(column, width)
            words.setdefault(place, {})[("activation", "second")[lane]] = activation
        found = []
        for place, values in words.items():
            address, position = locate(place, step.pointer_base, step.short_lengths, width)
            address *= geometry.pointer_pieces
            payload = pack_token(Token.ACTIVATION, geometry, address=address, position=position, **values)
            found.append((Token.ACTIVATION, payload))
        return [(Token.BEGIN, begin), *found, (Token.FINISH, 0)]


def _halves(bank: int) -> set[int]:
    return {0, 1} if bank == WHOLE else {bank}


Timing = Callable[[Geometry, tuple[StepTrace, ...]], RunReport]


class Engine:
    """A `golden.execute.Device` made of arrays.

    Parameters
    ----------
    geometry : Geometry
    timing : callable, optional
        Computes cycles and stalls of a run from its traces; without it both are reported as 0.

    Attributes
    ----------
    memories : dict of Memory to array of unsigned words, shape (pes, depth)
        Raw words as READ gives them; the steps have one row.
    traces : tuple of StepTrace
        The steps of the last run.

    Examples
    --------
    >>> engine = Engine(Geometry(pes=2))
    >>> engine.write_activations(0, 0, 0, np.array([1, -2, 3], dtype=np.int16))
    >>> engine.read_outputs(0, 0, 1, 2).tolist()
    [-2, 3]
    """

    def __init__(self, geometry: Geometry, timing: Timing | None = None) -> None:
        self._geometry = geometry
        self.timing = timing
        self.memories: dict[Memory, NDArray[Any]] = {
            memory: np.zeros(
                (1 if memory is Memory.STEPS else geometry.pes, depth(geometry, memory)),
                dtype=np.min_scalar_type((1 << word_bits(geometry, memory)) - 1),
            )
            for memory in Memory
        }
        self.committed: set[int] = set()
        self.traces: tuple[StepTrace, ...] = ()
        self._drained = np.zeros(2 * geometry.activations, dtype=bool)
        self._report: RunReport | None = None
        self._used: set[int] = set()
        self._matrices: dict[Step, StepMatrix] = {}
        self._cache: OrderedDict[tuple[int, int, int, bytes], StepMatrix] = OrderedDict()

    @property
    def geometry(self) -> Geometry:
        """The engine's geometry."""
        return self._geometry

    def reset(self) -> None:
        """Stop, forget what was committed, and clear the accumulators; other memories keep their contents."""
        self.committed.clear()
        self._report = None
        self._drained[:] = False
        self.memories[Memory.ACCUMULATORS][:] = 0
        self.memories[Memory.COUNTERS][:] = 0

    def load(self, bank: int, image_payload: bytes) -> None:
        """Write and commit an image.

        Raises
        ------
        InputError
            If the image is bad; the bank is then not committed.
        DeviceError
            If the current run uses the bank.
        """
        if self._report is not None and self._used & _halves(bank):
            raise DeviceError(f"the engine is running steps of bank {bank}; wait for the run to end")
        self.committed -= _halves(bank)
        self._matrices.clear()
        image.apply(image_payload, self.geometry, self.memories, bank)
        self.committed |= _halves(bank)

    def write_activations(self, file: int, slot: int, pe: int, values: Any) -> None:
        """Write consecutive values to consecutive PEs, and on to the next slot after the last PE."""
        places = self._places(file, slot, pe, len(values))
        self.memories[Memory.ACTIVATIONS][places] = np.asarray(values, dtype=np.int16).view(np.uint16)

    def read_outputs(self, file: int, slot: int, pe: int, count: int) -> NDArray[np.int16]:
        """Read values in the order of `write_activations`."""
        return self.memories[Memory.ACTIVATIONS][self._places(file, slot, pe, count)].view(np.int16)

    def saturations(self) -> IntArray:
        """Saturation counter of each PE, modulo 2**16."""
        return self.memories[Memory.COUNTERS][:, 0].astype(np.int64)

    def start(self, first: int, count: int) -> None:
        """Execute steps [first, first + count); the engine is busy until `wait`.

        Raises
        ------
        DeviceError
            If the engine is busy, or a step does not exist, needs an uncommitted bank, or waits for ever.
        InputError
            If the memories hold nonsense.
        """
        self._require_idle()
        if count < 1 or first < 0 or first + count > self.geometry.steps:
            raise DeviceError(
                f"steps {first} to {first + count - 1} were to run, but the engine has {self.geometry.steps}"
            )
        traces: list[StepTrace] = []
        self._used = set()
        for number in range(first, first + count):
            words = self.memories[Memory.STEPS][0, number * WORDS_PER_STEP :][:WORDS_PER_STEP]
            step = Step.decode([int(word) for word in words])
            if step.bank not in self.committed:
                # Steps before may have left sums; the gateware clears them too.
                self.memories[Memory.ACCUMULATORS][:] = 0
                raise DeviceError(f"step {number} needs bank {step.bank}, which is not committed; load it")
            self._used.add(step.bank)
            traces.append(self._execute(number, step, number == first + count - 1))
        self.traces = tuple(traces)
        self._report = self.timing(self.geometry, self.traces) if self.timing else RunReport(0, 0)

    def wait(self) -> RunReport:
        """End the run.

        Raises
        ------
        DeviceError
            If no run was started.
        """
        if self._report is None:
            raise DeviceError("no run was started")
        report, self._report = self._report, None
        return report

    def run(self, first: int, count: int) -> RunReport:
        """Start a run and wait for its end."""
        self.start(first, count)
        return self.wait()

    def tokens(self) -> list[tuple[Token, int]]:
        """Broadcast tokens of the last run, in order."""
        return [token for trace in self.traces for token in trace.tokens(self.geometry)]

    def _require_idle(self) -> None:
        if self._report is not None:
            raise DeviceError("the engine is running; wait for the run to end")

    def _places(self, file: int, slot: int, pe: int, count: int) -> tuple[IntArray, IntArray]:
        self._require_idle()
        pes, slots = self.geometry.pes, self.geometry.activations
        if file not in (0, 1) or not 0 <= pe < pes or slot < 0 or slot * pes + pe + count > slots * pes:
            raise DeviceError(
                f"{count} activations from slot {slot}, PE {pe} of file {file} lie outside two files of "
                f"{slots} slots on {pes} PEs"
            )
        place = np.arange(count, dtype=np.int64) + slot * pes + pe
        return place % pes, file * slots + place // pes

    def _execute(self, number: int, step: Step, final: bool) -> StepTrace:
        geometry = self.geometry
        column, activation, vector = self._scan(number, step)
        if step.restart:
            slots = geometry.activations
            start = 0 if step.destination == step.source else step.destination * slots
            self._drained[start : (step.destination + 1) * slots] = False
        matrix = self._matrix(step)
        shape = (geometry.pes, geometry.accumulators)
        sums = self.memories[Memory.ACCUMULATORS].astype(np.int64)
        if activation.size:
            products = matrix.value * vector[matrix.column]
            added = np.bincount(matrix.accumulator, weights=products, minlength=sums.size)
            sums += added.astype(np.int64).reshape(shape)
        if step.drain_rows:
            self._drain(step, sums)
        mask = (1 << geometry.accumulator_bits) - 1
        self.memories[Memory.ACCUMULATORS][:] = sums & mask
        return StepTrace(number, step, final, column, activation, matrix)

    def _scan(self, number: int, step: Step) -> tuple[IntArray, IntArray, NDArray[np.float64]]:
        """Nonzero activations in the order of the scan, and all of them by column."""
        geometry = self.geometry
        pes, width = geometry.pes, geometry.scan_width
        start, slots = step.source * geometry.activations + step.first_word * width, step.words * width
        if start + slots > 2 * geometry.activations:
            raise InputError(
                f"step {number} scans slots {start} to {start + slots - 1}, "
                f"but both files have {2 * geometry.activations}"
            )
        if step.wait and not self._drained[start : start + slots].all():
            raise DeviceError(
                f"step {number} waits for activations that no step before it writes; load a sound image"
            )
        raw = self.memories[Memory.ACTIVATIONS][:, start : start + slots]
        words = raw.astype(np.uint16).view(np.int16).reshape(pes, step.words, width)
        by_column = keep_above(words.transpose(1, 0, 2).astype(np.int64).reshape(-1), step.threshold)
        found = np.flatnonzero(by_column)
        return found, by_column[found], by_column.astype(np.float64)

    def _drain(self, step: Step, sums: IntArray) -> None:
        """Add biases, requantise, write the destination file and zero the accumulators."""
        geometry, rows = self.geometry, step.drain_rows
        start = step.destination * geometry.activations + step.destination_slot
        if rows > geometry.accumulators or start + rows > 2 * geometry.activations:
            raise InputError(
                f"a step drains {rows} accumulators to slots from {start} on, but there are "
                f"{geometry.accumulators} accumulators and {2 * geometry.activations} slots"
            )
        totals = wrap(sums[:, :rows] + self._biases(step), geometry.accumulator_bits)
        activations, counters = self.memories[Memory.ACTIVATIONS], self.memories[Memory.COUNTERS]
        for pe in range(geometry.pes):
            values, clipped = requantise(totals[pe], step.shift, bool(step.relu))
            activations[pe, start : start + rows] = values.astype(np.int16).view(np.uint16)
            counters[pe, 0] = (int(counters[pe, 0]) + clipped) % (1 << 16)
        sums[:, :rows] = 0
        self._drained[start : start + rows] = True

    def _biases(self, step: Step) -> IntArray:
        """Biases of the drained rows, shape (pes, drain_rows)."""
        geometry, count = self.geometry, step.bias_words
        shape = (geometry.pes, step.drain_rows)
        if count == 0:
            return np.zeros(shape, dtype=np.int64)
        if count > geometry.bias_words:
            raise InputError(f"a step's biases have {count} words each, but {geometry.bias_words} hold them")
        end = step.bias_address + step.drain_rows * count
        if end > geometry.matrix_words:
            raise InputError(f"a step's biases reach word {end - 1} of {geometry.matrix_words}")
        words = self.memories[Memory.MATRIX][:, step.bias_address : end].astype(np.int64)
        bits = min(count * geometry.word_bits, geometry.accumulator_bits)
        shifts = np.arange(count, dtype=np.int64) * geometry.word_bits
        joined = np.bitwise_or.reduce(words.reshape(*shape, count) << shifts, axis=-1)
        return wrap(joined, bits)

    def _matrix(self, step: Step) -> StepMatrix:
        """Weights of a step, decoded once for each content of the memories."""
        if step in self._matrices:
            return self._matrices[step]
        geometry = self.geometry
        columns = step.words * geometry.scan_width * geometry.pes
        words = pointers.word_count(columns, step.short_lengths)
        if step.pointer_base + words > geometry.pointer_words:
            raise InputError(
                f"a step's pointers reach word {step.pointer_base + words - 1} of {geometry.pointer_words}"
            )
        if step.codebook_base + (1 << step.index_bits) > geometry.codebook_entries:
            raise InputError(
                f"a codebook of {1 << step.index_bits} values at {step.codebook_base} does not end within "
                f"{geometry.codebook_entries}"
            )
        pieces = geometry.pointer_pieces
        place = slice(step.pointer_base * pieces, (step.pointer_base + words) * pieces)
        pointer = pointers.join(self.memories[Memory.POINTERS][:, place], pieces)
        pointers.check(pointer, step.short_lengths, geometry.matrix_entries)
        starts, lengths = (part[:, :columns] for part in pointers.unpack(pointer, step.short_lengths))
        low = int(starts.min(initial=geometry.matrix_entries)) // geometry.word_entries
        high = -(-int((starts + lengths).max(initial=0)) // geometry.word_entries)
        entries = self.memories[Memory.MATRIX][:, low:high]
        codebook = self.memories[Memory.CODEBOOK][:, step.codebook_base :][:, : 1 << step.index_bits]
        digest = hashlib.blake2b()
        for part in (pointer, entries, codebook):
            digest.update(part.tobytes())
        key = (step.index_bits, step.short_lengths, step.words, digest.digest())
        if key not in self._cache:
            self._cache[key] = self._decode(step.index_bits, starts, lengths, codebook.view(np.int16))
        self._cache.move_to_end(key)
        if len(self._cache) > CACHED_STEPS:
            self._cache.popitem(last=False)
        self._matrices[step] = self._cache[key]
        return self._cache[key]

    def _decode(
        self, index_bits: int, starts: IntArray, lengths: IntArray, codebook: NDArray[np.int16]
    ) -> StepMatrix:
        """Decode all columns at once; the same rule as `golden.encoding.decode`, column by column."""
        geometry = self.geometry
        run_bits = geometry.entry_bits - index_bits
        check_split(index_bits, run_bits)
        columns = lengths.shape[1]
        cell = np.repeat(np.arange(lengths.size), lengths.reshape(-1))  # PE * columns + column
        begin = np.cumsum(lengths) - lengths.reshape(-1)
        place = starts.reshape(-1)[cell] + np.arange(cell.size) - begin[cell]
        pe = cell // max(columns, 1)
        word = self.memories[Memory.MATRIX][pe, place // geometry.word_entries].astype(np.int64)
        entry = word >> (place % geometry.word_entries * geometry.entry_bits)
        index = entry & ((1 << index_bits) - 1)
        runs = reverse_bits(np.arange(1 << run_bits), run_bits)
        run = runs[(entry >> index_bits) & ((1 << run_bits) - 1)]
        weight = index != 0
        ends = begin + lengths.reshape(-1) - 1
        if not weight[ends[lengths.reshape(-1) > 0]].all():
            raise InputError("a column ends in an escape; the entries are damaged, make the image again")
        advance = np.where(weight, run + 1, run << run_bits)
        reached = np.cumsum(advance)
        row = (reached - (reached - advance)[begin[cell]] - 1)[weight]
        if row.size and row.max() >= geometry.accumulators:
            raise InputError(
                f"a column's entries reach accumulator {row.max()}, but the last is "
                f"{geometry.accumulators - 1}; the entries are damaged, make the image again"
            )
        cell, pe = cell[weight], pe[weight]
        return StepMatrix(
            starts,
            lengths,
            np.bincount(cell, minlength=lengths.size).reshape(lengths.shape),
            ~weight,
            cell - pe * columns,
            pe * geometry.accumulators + row,
            codebook[pe, index[weight]].astype(np.float64),
        )
