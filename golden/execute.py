"""Executing a plan on a device: the tiling logic that the driver, the golden engine and test benches share.

A device is anything with the methods of `Device`. The executor starts a run, loads the other bank's next
image while it lasts, and waits only when an action needs the engine idle. A device with the method of
`Pipelined` is given several inputs of a resident plan at once, and so need not wait for the host in between.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from golden.active import REUSED_IMAGES, Columns
from golden.errors import DeviceError, InputError
from golden.fixed_point import INT16_MAX, INT16_MIN
from golden.geometry import Geometry
from golden.image import Image
from golden.plan import Action, Load, Plan, ReadOutputs, Run, WriteActivations, read_back
from golden.protocol import WHOLE

Int16Array = NDArray[np.int16]
IntArray = NDArray[np.int64]
COUNTER_LIMIT = 1 << 16


class RunReport(NamedTuple):
    """Clock cycles of one run, and those in which a ready activation had to wait."""

    cycles: int
    stalls: int


class Device(Protocol):
    """What an engine does for the host. Every method has a time limit and raises DeviceError past it."""

    @property
    def geometry(self) -> Geometry:
        """The engine's geometry."""

    def reset(self) -> None:
        """Stop whatever runs, clear the accumulators and forget what was committed."""

    def load(self, bank: int, image: bytes) -> None:
        """Write and commit an image's payload; allowed while a run uses only the other bank."""

    def write_activations(self, file: int, slot: int, pe: int, values: Int16Array) -> None:
        """Write consecutive values to consecutive PEs, and on to the next slot after the last PE."""

    def start(self, first: int, count: int) -> None:
        """Start a run of `count` steps; the engine must be idle."""

    def wait(self) -> RunReport:
        """Wait for the end of the run."""

    def read_outputs(self, file: int, slot: int, pe: int, count: int) -> Int16Array:
        """Read values in the order of `write_activations`."""

    def saturations(self) -> IntArray:
        """Saturation counter of each PE, modulo 2**16, shape (pes,)."""


class Job(NamedTuple):
    """All that one input of a resident plan needs of a device."""

    writes: Sequence[tuple[int, int, Int16Array]]
    """File, slot, and values as for `Device.write_activations` from PE 0 on."""
    first: int
    """Step that the run begins with."""
    steps: int
    reads: Sequence[tuple[int, int, int]]
    """File, slot and count as for `Device.read_outputs` from PE 0 on."""

    @property
    def span(self) -> tuple[int, int]:
        """First and last step of the run."""
        return self.first, self.first + self.steps - 1


class Answer(NamedTuple):
    """What became of a `Job`: its run, and what each of its reads gave."""

    report: RunReport
    outputs: Sequence[Int16Array]


class Pipeline(Protocol):
    """A device's way to do the inputs of one plan without a pause between them."""

    @property
    def size(self) -> int:
        """Jobs that it would do at once now; 0 if it is better to do them one by one."""

    def run(self, jobs: Sequence[Job]) -> list[Answer] | None:
        """Do jobs in order.

        None if something came between: runs may then have taken place on any activations, so what the
        counters of saturations have counted since they were read last is worth nothing. Nothing is running.
        """


@runtime_checkable
class Pipelined(Protocol):
    """A device that does several inputs at once."""

    def pipeline(self) -> Pipeline:
        """A pipeline for one plan."""


@dataclass(frozen=True, eq=False)
class Result:
    """What a batch gave.

    Parameters
    ----------
    outputs : array of int16, shape (batch, outputs)
    cycles, stalls : array of int64, shape (batch,)
        Sums over the runs of each input.
    saturations : int
        Activations that were clipped, all layers and inputs together.
    """

    outputs: Int16Array
    cycles: IntArray
    stalls: IntArray
    saturations: int


class Executor:
    """Runs one plan on one device, remembering which bank holds which image.

    Parameters
    ----------
    plan : Plan
    device : Device
    resume : bool
        The device holds the image of this resident plan since an earlier session, and nothing else has run
        on it; do without a reset and a load.
    active_columns : bool
        Of the layers of a streamed plan, load only the columns that an input needs where that takes fewer
        bytes; see `golden.active`. The integers are the same, the cycles are not.

    Attributes
    ----------
    held : dict
        Image that each bank holds.
    layer : int or None
        What a streamed plan with active columns is at.

    Raises
    ------
    DeviceError
        If the plan was made for another geometry.
    """

    def __init__(
        self, plan: Plan, device: Device, *, resume: bool = False, active_columns: bool = False
    ) -> None:
        if plan.geometry != device.geometry:
            its = device.geometry.as_dict()
            differing = ", ".join(
                f"{name} {its[name]} instead of {value}"
                for name, value in plan.geometry.as_dict().items()
                if value != its[name]
            )
            raise DeviceError(f"the device has {differing}; make the plan for the device's geometry")
        self.plan, self.device = plan, device
        self._clean = resume and plan.resident
        self.held: dict[int, Image] = {WHOLE: plan.images[0]} if self._clean else {}
        self.layer: int | None = None
        several = not plan.resident and len(plan.images) > REUSED_IMAGES
        self._columns = Columns(plan) if active_columns and several else None
        self._bank = 1
        self._running: Run | None = None
        self._cycles = self._stalls = self._saturations = self._uncounted = 0
        self._counters: IntArray = np.zeros(plan.geometry.pes, dtype=np.int64)
        self._counted = False
        self._pipeline = device.pipeline() if plan.resident and isinstance(device, Pipelined) else None

    def run(self, inputs: Any, progress: Callable[[int], None] | None = None) -> Result:
        """Run a batch.

        Parameters
        ----------
        inputs : array of int16 values, shape (batch, inputs)
        progress : callable, optional
            Called with the number of inputs done.

        Returns
        -------
        Result

        Raises
        ------
        InputError
            If the inputs have another shape or type.
        DeviceError
            As the device raises it; the next batch then starts from a reset device.
        """
        batch = self._check(inputs)
        outputs = np.zeros((len(batch), self.plan.outputs), dtype=np.int16)
        cycles = np.zeros((2, len(batch)), dtype=np.int64)
        self._saturations = self._uncounted = 0
        try:
            if not self._clean:
                # An earlier session may have ended in mid-tile and left sums in the accumulators.
                self.device.reset()
                self._clean = True
            if not self._counted:
                self._counters, self._counted = self.device.saturations(), True
            done = 0
            while done < len(batch):
                block = batch[done : done + self._block]
                for found, report in self._together(block) or map(self._alone, block):
                    outputs[done] = found
                    cycles[:, done] = report
                    done += 1
                    if progress is not None:
                        progress(done)
            self._count_saturations()
        except BaseException:
            self.held.clear()
            self._running, self._clean, self._counted = None, False, False
            raise
        return Result(outputs, cycles[0], cycles[1], self._saturations)

    def _check(self, inputs: Any) -> Int16Array:
        batch = np.asarray(inputs)
        fits = batch.ndim == 2 and batch.shape[1] == self.plan.inputs
        if not fits or not np.issubdtype(batch.dtype, np.integer):
            raise InputError(
                f"inputs must be integers of shape (batch, {self.plan.inputs}), "
                f"not {batch.dtype} of shape {batch.shape}"
            )
        if batch.size and (batch.min() < INT16_MIN or batch.max() > INT16_MAX):
            raise InputError(f"inputs must fit int16, not reach {batch.min()} and {batch.max()}")
        return batch.astype(np.int16)

    @property
    def _drained(self) -> int:
        """Rows that a PE drains for one input."""
        return sum(action.drained for action in self.plan.actions if isinstance(action, Run))

    @property
    def _block(self) -> int:
        """Inputs that are begun together."""
        if self._pipeline is None:
            return 1
        return max(1, min(self._pipeline.size, (COUNTER_LIMIT - 1) // max(1, self._drained)))

    def _together(self, block: Int16Array) -> list[tuple[Int16Array, RunReport]] | None:
        """Outputs and reports of inputs by the pipeline; None if they are to be done one by one."""
        if self._pipeline is None or self._pipeline.size == 0:
            return None
        for action in self.plan.actions:
            if isinstance(action, Load):
                self._load(self.plan.images[action.image])
        if self._uncounted:
            self._count_saturations()
        vectors = [self._vectors(values) for values in block]
        answers = self._pipeline.run([self._job(own) for own in vectors])
        if answers is None:
            self._counters = self.device.saturations()
            return None
        self._uncounted = self._drained * len(block)
        reads = [action for action in self.plan.actions if isinstance(action, ReadOutputs)]
        for own, answer in zip(vectors, answers, strict=True):
            for action, values in zip(reads, answer.outputs, strict=True):
                self._keep(own, action, values)
        restore = self.plan.placements[-1].restore
        return [(restore(own[-1]), answer.report) for own, answer in zip(vectors, answers, strict=True)]

    def _job(self, vectors: list[Int16Array]) -> Job:
        """The plan's actions but for its load."""
        actions = self.plan.actions
        (run,) = (action for action in actions if isinstance(action, Run))
        return Job(
            [(a.file, a.slot, _written(vectors, a)) for a in actions if isinstance(a, WriteActivations)],
            run.first,
            run.count,
            [(a.file, a.slot, a.count) for a in actions if isinstance(a, ReadOutputs)],
        )

    def _vectors(self, values: Int16Array) -> list[Int16Array]:
        """Arranged vectors of an input and of all layers' outputs, each shape (slots, pes), whole words."""
        plan = self.plan
        width = plan.geometry.scan_width
        vectors = [
            np.zeros((-(-placement.slots // width) * width, placement.pes), dtype=np.int16)
            for placement in plan.placements
        ]
        vectors[0][: plan.placements[0].slots] = plan.placements[0].arrange(values)
        return vectors

    def _keep(self, vectors: list[Int16Array], action: ReadOutputs, values: Int16Array) -> None:
        begin = action.first * self.plan.geometry.pes
        vectors[action.vector].reshape(-1)[begin : begin + action.count] = values

    def _alone(self, values: Int16Array) -> tuple[Int16Array, RunReport]:
        """Outputs and report of one input, action by action."""
        self._cycles = self._stalls = 0
        vectors = self._vectors(values)
        if self._columns is None:
            for action in self.plan.actions:
                self._perform(action, vectors)
        else:
            self._by_layers(self._columns, vectors)
        self._wait()
        restored: Int16Array = self.plan.placements[-1].restore(vectors[-1])
        return restored, RunReport(self._cycles, self._stalls)

    def _by_layers(self, columns: Columns, vectors: list[Int16Array]) -> None:
        """Do a streamed plan layer by layer, each with its active columns if that is better."""
        plan = self.plan
        known = True  # to the host: the input of the layer
        for layer, (_, units) in enumerate(plan.stages):
            self.layer, after = layer, layer + 1
            own = list(vectors)
            if known:
                values = plan.placements[layer].restore(vectors[layer])
                chosen = columns.choose(layer, values, 1 - self._bank)
                if chosen is not None:
                    units, own[layer] = chosen
            leaving = plan.placements[after].slots > plan.geometry.activations
            wanted = after < len(plan.stages) and not leaving and columns.wants(after)
            known = leaving or wanted
            following = () if known or after == len(plan.stages) else plan.stages[after][1]
            images = [unit.image for unit in (*units, *following[:1])]
            self._load(images[0])
            for number, unit in enumerate(units, 1):
                for action in (*unit.writes, unit.run):
                    self._perform(action, own)
                for image in images[number : number + 1]:
                    self._load(image)
                for action in unit.reads:
                    self._perform(action, own)
            for action in read_back(plan, layer) if wanted else []:
                self._perform(action, own)

    def _perform(self, action: Action, vectors: list[Int16Array]) -> None:
        if isinstance(action, Load):
            self._load(self.plan.images[action.image])
            return
        self._wait()
        if isinstance(action, Run):
            self._start(action)
        elif isinstance(action, WriteActivations):
            values = _written(vectors, action)
            self.device.write_activations(action.file, action.slot, 0, values)
        else:
            self._keep(vectors, action, self.device.read_outputs(action.file, action.slot, 0, action.count))

    def _load(self, image: Image) -> None:
        if self.held.get(image.bank) is image:
            return
        if self._running is not None and self._running.bank == image.bank:
            self._wait()
        self.device.load(image.bank, image.payload)
        self.held[image.bank] = image

    def _start(self, action: Run) -> None:
        if self._uncounted + action.drained >= COUNTER_LIMIT:
            self._count_saturations()
        self._uncounted += action.drained
        self.device.start(action.first, action.count)
        self._running, self._bank = action, action.bank

    def _wait(self) -> None:
        if self._running is not None:
            report = self.device.wait()
            self._running = None
            self._cycles += report.cycles
            self._stalls += report.stalls

    def _count_saturations(self) -> None:
        counters = self.device.saturations()
        self._saturations += int(((counters - self._counters) % COUNTER_LIMIT).sum())
        self._counters, self._uncounted = counters, 0


def _written(vectors: list[Int16Array], action: WriteActivations) -> Int16Array:
    return vectors[action.vector][action.first : action.first + action.slots].reshape(-1)


def execute(plan: Plan, device: Device, inputs: Any) -> Result:
    """Load what is needed and run a batch; see `Executor.run`."""
    return Executor(plan, device).run(inputs)
