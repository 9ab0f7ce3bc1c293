"""Planning: how a model of any size runs on one geometry, with identical integers.

A *resident* plan holds every layer in one image for the whole engine and does each input in one run. A
*streamed* plan cuts each layer into row tiles, column tiles and entry chunks (`golden.tiles`); every
chunk is an image for one half of the memories and a run of one step, so the next chunk loads while this
one computes. The sums stay in the accumulators until the last chunk of a row tile drains them.

Layer l reads activation file l % 2 and writes the other one. A resident plan with a vector that is too long
for a file takes both as one, and every layer writes over its own input, of which nothing is left to scan
when its results come. Otherwise a vector that does not fit a file lives on
the host and is written column tile by column tile, or read back after every drain.

A plan is a flat list of actions for one input, which `golden.execute` performs on any device.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from golden.balance import by_load
from golden.errors import UnsupportedError
from golden.fill import ImageFiller
from golden.geometry import Geometry
from golden.image import Image, bank_range
from golden.layers import Model, check
from golden.memories import Memory
from golden.placement import Placement, interleaved
from golden.protocol import WHOLE
from golden.steps import Step
from golden.tiles import Chunk, PlacedLayer, Room, Tile, round_up


@dataclass(frozen=True)
class Load:
    """Load an image into its bank, unless it is there."""

    image: int
    bank: int


@dataclass(frozen=True)
class WriteActivations:
    """Write slots [first, first + slots) of an arranged host vector to `slot` of a file."""

    file: int
    slot: int
    vector: int
    first: int
    slots: int


@dataclass(frozen=True)
class Run:
    """Run steps [first, first + count) of a bank; each PE drains `drained` rows meanwhile."""

    first: int
    count: int
    bank: int
    drained: int


@dataclass(frozen=True)
class ReadOutputs:
    """Read `count` values from `slot` of a file into an arranged host vector, from slot `first` of it on."""

    file: int
    slot: int
    vector: int
    first: int
    count: int


Action = Load | WriteActivations | Run | ReadOutputs


@dataclass(frozen=True, eq=False)
class LayerReport:
    """What an engine makes of one layer.

    Parameters
    ----------
    rows, columns, weights : int
        Shape and nonzero weights.
    entries : array of int64, shape (pes,)
        Entries that each PE stores, escapes included.
    row_tiles, steps : int
    bytes : int
        Image bytes, section headers not counted.
    """

    rows: int
    columns: int
    weights: int
    entries: NDArray[np.int64]
    row_tiles: int
    steps: int
    bytes: int

    @property
    def padding(self) -> int:
        """Entries that are escapes and not weights."""
        return int(self.entries.sum()) - self.weights

    @property
    def balance(self) -> float:
        """Mean over largest number of entries of a PE; 1 is perfect."""
        return float(self.entries.mean() / self.entries.max()) if self.entries.any() else 1.0


@dataclass(frozen=True)
class Unit:
    """One chunk of a streamed plan: an image, what is written before its run, and what is read after it."""

    image: Image
    writes: list[Action]
    run: Run
    reads: list[Action]


@dataclass(frozen=True, eq=False)
class Plan:
    """What to load and run for one input.

    Parameters
    ----------
    geometry : Geometry
    resident : bool
        Whether one image holds the whole model.
    placements : tuple of Placement
        Of the input and of each layer's output; vector i of the actions is arranged by placement i.
    images : tuple of Image
    actions : tuple of Action
    layers : tuple of LayerReport
    stages : tuple of (PlacedLayer, tuple of Unit)
        Of each layer of a streamed plan: the same actions, for an executor that changes some of them.
    """

    geometry: Geometry
    resident: bool
    placements: tuple[Placement, ...]
    images: tuple[Image, ...]
    actions: tuple[Action, ...]
    layers: tuple[LayerReport, ...]
    stages: tuple[tuple[PlacedLayer, tuple[Unit, ...]], ...] = ()

    @property
    def inputs(self) -> int:
        """Elements of the input vector."""
        return self.placements[0].rows

    @property
    def outputs(self) -> int:
        """Elements of the output vector."""
        return self.placements[-1].rows

    @property
    def image_bytes(self) -> int:
        """Bytes of all images, section headers included."""
        return sum(len(image.payload) for image in self.images)


def make_plan(
    model: Model,
    geometry: Geometry,
    placements: Sequence[Placement] | None = None,
    *,
    resident: bool | None = None,
    threshold: int = 0,
) -> Plan:
    """Plan a model for a geometry.

    Parameters
    ----------
    model : Model
    geometry : Geometry
    placements : sequence of Placement, optional
        Of the input and of each layer's output; by default the input is interleaved and rows are placed
        by load, or interleaved too where `geometry.paper` is set.
    resident : bool, optional
        Insist on a resident (True) or a streamed (False) plan; by default resident if it fits.
    threshold : int
        Activations whose magnitude does not exceed it count as zero.

    Returns
    -------
    Plan

    Raises
    ------
    UnsupportedError
        If the model breaks the accumulator bound, or cannot run on this geometry at all.
    """
    check(model, geometry.accumulator_bits)
    if placements is None:
        placements = default_placements(model, geometry)
    places = tuple(placements)
    _check_placements(model, geometry, places)
    placed = [
        PlacedLayer(layer, source, rows, geometry, threshold)
        for layer, source, rows in zip(model.layers, places[:-1], places[1:], strict=True)
    ]
    if resident is False:
        return _streamed(geometry, places, placed)
    try:
        return _resident(geometry, places, placed)
    except UnsupportedError:
        if resident:
            raise
    return _streamed(geometry, places, placed)


def default_placements(model: Model, geometry: Geometry) -> list[Placement]:
    """Input interleaved; the rows of every layer by load, or as EIE places them."""
    pes = geometry.pes
    rows = [interleaved(layer.rows, pes) if geometry.paper else by_load(layer, pes) for layer in model.layers]
    return [interleaved(model.inputs, pes), *rows]


def _check_placements(model: Model, geometry: Geometry, places: tuple[Placement, ...]) -> None:
    sizes = [model.inputs, *(layer.rows for layer in model.layers)]
    found = [(placement.rows, placement.pes) for placement in places]
    if found != [(size, geometry.pes) for size in sizes]:
        raise UnsupportedError(
            f"placements of (rows, PEs) {found} do not suit vectors of {sizes} on {geometry.pes} PEs; "
            "place the input and every layer's rows"
        )


class _Tally:
    """Adds up what the steps of one layer take."""

    def __init__(self, layer: PlacedLayer) -> None:
        self.layer = layer
        self.entries = np.zeros(layer.geometry.pes, dtype=np.int64)
        self.row_tiles = self.steps = self.bytes = 0

    def add(self, filler: ImageFiller, tile: Tile, chunk: Chunk, step: Step) -> None:
        """Add a step to an image and to the sums."""
        before = filler.bytes_written
        filler.add(self.layer.layer, tile, chunk, step)
        columns = slice(chunk.first * tile.word_columns, chunk.last * tile.word_columns)
        self.entries += tile.lengths[:, columns].sum(axis=1)
        self.bytes += filler.bytes_written - before
        self.steps += 1
        self.row_tiles += int(chunk.drain)

    def report(self) -> LayerReport:
        """The sums."""
        layer = self.layer.layer
        return LayerReport(
            layer.rows, layer.columns, layer.nnz, self.entries, self.row_tiles, self.steps, self.bytes
        )


def _read(file: int, slot: int, vector: int, placement: Placement, first: int, last: int) -> list[Action]:
    """Read slots [first, last) of a vector, but nothing after its last used place."""
    names = placement.column_names()
    end = int(names[names < last * placement.pes].max(initial=-1)) + 1
    count = end - first * placement.pes
    return [ReadOutputs(file, slot, vector, first, count)] if count > 0 else []


def _by_file(geometry: Geometry, slots: int) -> list[tuple[int, int, int]]:
    """The (file, first, last) slots of a vector that begins in file 0 and may go on in file 1."""
    room = geometry.activations
    return [(0, 0, min(slots, room)), *([(1, room, slots)] if slots > room else [])]


def _are_joined(geometry: Geometry, places: tuple[Placement, ...]) -> bool:
    """Whether a resident plan takes both activation files as one.

    Raises
    ------
    UnsupportedError
        If a vector is too long even so.
    """
    slots = max(round_up(placement.slots, geometry.scan_width) for placement in places)
    if slots <= geometry.activations:
        return False
    rows = max(round_up(placement.slots, geometry.scan_width) for placement in places[1:])
    if slots > 2 * geometry.activations or rows > geometry.accumulators:
        raise UnsupportedError(
            f"a vector takes {slots} slots of each PE, and an activation file has {geometry.activations}; "
            "stream the model, or use an engine with more PEs or longer files"
        )
    return True


def _resident(geometry: Geometry, places: tuple[Placement, ...], placed: list[PlacedLayer]) -> Plan:
    joined = _are_joined(geometry, places)
    filler, reports = ImageFiller(geometry, WHOLE), []
    for number, layer in enumerate(placed):
        tally = _Tally(layer)
        for tile, chunks in layer.row_tiles(geometry.accumulators, Tile.whole):
            for chunk in chunks:
                step = Step(
                    index_bits=layer.layer.index_bits,
                    source=0 if joined else number % 2,
                    destination=0 if joined else 1 - number % 2,
                    wait=int(number > 0),
                    restart=int(tile.first == 0),
                    destination_slot=tile.first,
                    threshold=layer.threshold,
                )
                tally.add(filler, tile, chunk, step)
        reports.append(tally.report())
    last = len(placed)
    writes = _by_file(geometry, round_up(places[0].slots, geometry.scan_width))
    reads = _by_file(geometry, places[-1].slots)
    actions = (
        Load(0, WHOLE),
        *(WriteActivations(file, 0, 0, first, end - first) for file, first, end in writes),
        Run(filler.first_step, filler.steps, WHOLE, filler.drained),
        *(
            action
            for file, first, end in reads
            for action in _read(file if joined else last % 2, 0, last, places[-1], first, end)
        ),
    )
    return Plan(geometry, True, places, (filler.image(),), actions, tuple(reports))


def _streamed(geometry: Geometry, places: tuple[Placement, ...], placed: list[PlacedLayer]) -> Plan:
    units: list[Unit] = []
    reports, stages = [], []
    for number, layer in enumerate(placed):
        tally = _Tally(layer)
        try:
            own = tuple(_stream_layer(places, layer, number, len(units), tally))
        except UnsupportedError as error:
            raise UnsupportedError(f"layer {number} cannot be streamed: {error}") from None
        units += own
        reports.append(tally.report())
        stages.append((layer, own))
    loads = [Load(i, unit.image.bank) for i, unit in enumerate(units)]
    actions: list[Action] = [loads[0]]
    for unit, ahead in zip(units, [loads[i : i + 1] for i in range(1, len(loads) + 1)], strict=True):
        # The next image is loaded while this unit runs, so before anything that waits for its end.
        actions += [*unit.writes, unit.run, *ahead, *unit.reads]
    images = tuple(unit.image for unit in units)
    return Plan(geometry, False, places, images, tuple(actions), tuple(reports), tuple(stages))


def over_columns(
    plan: Plan, number: int, columns: NDArray[np.int64], bank: int
) -> tuple[Placement, list[Unit]]:
    """The units of a streamed plan's layer as if the layer had only some of its columns.

    Parameters
    ----------
    plan : Plan
    number : int
        Of the layer.
    columns : array of int64, shape (n,)
        Ascending elements of the layer's input vector, at least one; all others must be zero.
    bank : int
        Of the first image.

    Returns
    -------
    Placement
        Of the elements that are left, interleaved; units write them as a vector with the same number.
    list of Unit

    Raises
    ------
    UnsupportedError
        If the columns of an activation word do not fit.

    Examples
    --------
    >>> from golden.layers import Layer
    >>> model = Model(layers=(Layer.from_indices([[1, 0, 1], [0, 1, 1]], [0, 5], [1, 2]),))
    >>> plan = make_plan(model, Geometry(pes=2), resident=False)
    >>> source, (unit,) = over_columns(plan, 0, np.array([0, 2]), 1)
    >>> source.rows, unit.image.bank, unit.writes[0].slots
    (2, 1, 1)
    """
    placed, _ = plan.stages[number]
    layer, geometry = placed.layer, plan.geometry
    renamed = np.full(layer.columns, -1, dtype=np.int32)
    renamed[columns] = np.arange(columns.size, dtype=np.int32)
    kept = renamed[layer.column] >= 0
    left = replace(
        layer,
        columns=int(columns.size),
        row=layer.row[kept],
        column=renamed[layer.column[kept]],
        index=layer.index[kept],
    )
    source = interleaved(left.columns, geometry.pes)
    places = (*plan.placements[:number], source, *plan.placements[number + 1 :])
    again = PlacedLayer(left, source, placed.rows, geometry, placed.threshold)
    return source, list(_stream_layer(places, again, number, bank, _Tally(again), arriving=True))


def read_back(plan: Plan, number: int) -> list[Action]:
    """What reads a streamed layer's outputs if they are to stay on the engine as well."""
    placement = plan.placements[number + 1]
    return _read(1 - number % 2, 0, number + 1, placement, 0, placement.slots)


def _stream_layer(
    places: tuple[Placement, ...],
    layer: PlacedLayer,
    number: int,
    images: int,
    tally: _Tally,
    *,
    arriving: bool = False,
) -> Iterator[Unit]:
    """Chunks of one layer, of which the first is image number `images`; its inputs arrive over the link."""
    geometry, source, target = layer.geometry, places[number], places[number + 1]
    file, slots, width = number % 2, geometry.activations, geometry.scan_width
    arriving = arriving or number == 0 or source.slots > slots
    leaving = target.slots > slots
    room = Room(
        len(bank_range(geometry, Memory.MATRIX, 0)) * geometry.word_entries,
        len(bank_range(geometry, Memory.POINTERS, 0)) // geometry.pointer_pieces,
    )
    held = -1
    tiles = layer.row_tiles(min(geometry.accumulators, slots), lambda tile: tile.chunks(room, slots // width))
    for tile, chunks in tiles:
        for chunk in chunks:
            writes: list[Action] = []
            reads: list[Action] = []
            column_tile = chunk.first * width // slots
            if arriving and chunk.first < chunk.last and column_tile != held:
                first = column_tile * slots
                last = min(first + slots, round_up(source.slots, width))
                writes.append(WriteActivations(file, 0, number, first, last - first))
                held = column_tile
            step = Step(
                index_bits=layer.layer.index_bits,
                source=file,
                destination=1 - file,
                first_word=chunk.first - column_tile * slots // width,
                restart=int(tally.steps == 0),
                destination_slot=0 if leaving else tile.first,
                threshold=layer.threshold,
            )
            filler = ImageFiller(geometry, (images + tally.steps) % 2)
            tally.add(filler, tile, chunk, step)
            if chunk.drain and leaving:
                reads = _read(1 - file, 0, number + 1, target, tile.first, tile.last)
            elif chunk.drain and number + 2 == len(places) and tile.last == target.slots:
                reads = _read(1 - file, 0, number + 1, target, 0, target.slots)
            yield Unit(filler.image(), writes, Run(filler.first_step, 1, filler.bank, filler.drained), reads)
