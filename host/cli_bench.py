"""The subcommands of `tamis bench`: gateware is imported here, and only when it is needed."""

from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from golden.errors import TamisError
from golden.geometry import Geometry
from golden.layers import Model
from host.bench import (
    PAPER_QUEUE_DEPTH,
    QUEUE_DEPTH,
    Measurement,
    cpu_name,
    geometry_for,
    measure,
    plan_case,
    require_scipy,
)
from host.bench_layers import Case, Rows, Shape, make_case, select
from host.bench_report import print_measurements
from host.report import note, print_json, print_table, progress
from host.train_loop import Epoch


def eie(arguments: Namespace) -> None:
    """`tamis bench eie`: the nine layers, drawn at random."""
    shapes = select(arguments.layers)
    depth = arguments.queue or (PAPER_QUEUE_DEPTH if arguments.paper else QUEUE_DEPTH)
    geometry = geometry_for(arguments.pes, depth, paper=arguments.paper)
    draw = _plots(arguments.plots).layers if arguments.plots else None
    cases = (make_case(shape, arguments.seed, arguments.rows) for shape in shapes)
    measured = measure_all(geometry, cases)
    if draw:
        draw(measured, arguments.plots)
    title = f"EIE's layers, random matrices of seed {arguments.seed} with {arguments.rows} rows,"
    _show(arguments.json, geometry, title, measured)


def layer(arguments: Namespace) -> None:
    """`tamis bench layer`: anybody's matrix and vector."""
    from host.bench_files import read_case

    require_scipy()
    case = read_case(arguments.matrix, arguments.vector, arguments.calibrate)
    geometry = geometry_for(arguments.pes, arguments.queue or QUEUE_DEPTH)
    _show(arguments.json, geometry, arguments.matrix, measure_all(geometry, [case]))


def ablation(arguments: Namespace) -> None:
    """`tamis bench ablation`: what each of the paper's choices costs, by the cycle model."""
    from host.bench_ablation import ablate, print_ablations

    shapes = select(arguments.layers)
    draw = _plots(arguments.plots).ablation if arguments.plots else None
    cases = (make_case(shape, arguments.seed, arguments.rows) for shape in shapes)
    ablations = [ablate(case, arguments.pes, note) for case in cases]
    if draw:
        draw(ablations, arguments.plots)
    if arguments.json:
        print_json([one.as_dict() for one in ablations])
    else:
        print_ablations(ablations)


def threshold(arguments: Namespace) -> None:
    """`tamis bench threshold`: skipped work against accuracy."""
    from host.bench_threshold import print_points, sweep

    draw = _plots(arguments.plots).threshold if arguments.plots else None
    points = sweep()
    if draw:
        draw(points, arguments.plots)
    if arguments.json:
        print_json([point.as_dict() for point in points])
    else:
        print_points(points)


def training(arguments: Namespace) -> None:
    """`tamis bench training`: the digits network after every step, over seeds."""
    from dataclasses import replace

    from host.bench_training import SETTINGS, print_runs, run
    from host.cli_train import EpochLine
    from host.session import open_session
    from host.train_torch import require_torch

    require_torch()
    settings = replace(SETTINGS, epochs=arguments.epochs) if arguments.epochs else SETTINGS
    show = EpochLine()

    def tell(seed: int, epoch: Epoch) -> None:
        show(replace(epoch, stage=f"seed {seed}, {epoch.stage}"))

    def board(model: Model, inputs: Any) -> Any:
        with open_session("sim") as session:  # not while training: a simulated board keeps a processor busy
            return session.predict(model, inputs, raw=True).raw

    try:
        runs = run(arguments.seeds, settings, tell, None if arguments.no_board else board)
    finally:
        show.end()
    if arguments.json:
        print_json([one.as_dict() for one in runs])
    else:
        print_runs(runs)
    if any(one.differing for one in runs):
        raise TamisError("golden and the simulated board differ in some outputs; please report it")


def sweep(arguments: Namespace) -> None:
    """`tamis bench sweep`: the paper's figures over queue depth, run bits and PEs, by the cycle model."""
    from host.bench_sweep import pe_counts, print_sweep, queue_depths, run_widths

    name, shapes = arguments.sweep, select(arguments.layers)
    if arguments.plots:
        _plots(arguments.plots)
    cases = _announced(shapes, arguments.seed, arguments.rows)
    if name == "queue":
        swept = list(queue_depths(cases, arguments.pes, note))
    elif name == "runs":
        swept = list(run_widths(cases, arguments.pes, arguments.queue, note))
    else:
        swept = list(pe_counts(cases, arguments.queue, note))
    if arguments.plots:
        from host.bench_sweep_plots import draw_sweep

        draw_sweep(name, swept, arguments.plots)
    if arguments.json:
        print_json([one.as_dict() for one in swept])
    else:
        print_sweep(name, swept)


def boards(arguments: Namespace) -> None:
    """`tamis bench boards`: networks on every board, beside dense engines, by the cycle model."""
    from boards.registry import every
    from host.bench_boards import compare, networks
    from host.bench_boards_report import markdown, print_comparison

    if arguments.plots:
        _plots(arguments.plots)
    targets = [_target(board, arguments.manifests) for board in every()]
    cases = networks(arguments.seed)
    with progress("timing") as advance:
        rows = list(compare(targets, cases, advance))
    if arguments.plots:
        from host.bench_boards_plots import draw_boards

        draw_boards(rows, arguments.plots)
    if arguments.json:
        print_json([row.as_dict() for row in rows])
    elif arguments.markdown:
        print(markdown(rows))
    else:
        print_comparison(rows)


def dense(arguments: Namespace) -> None:
    """`tamis bench dense`: the dense engines, placed and routed alone."""
    from boards.dense_alone import build_alone
    from host.bench_dense import BUILDS

    rows = []
    for build in BUILDS:
        wanted = build.chip == arguments.chip or (arguments.chip is None and build.clock_mhz is not None)
        if wanted and arguments.size in (None, build.size):
            note(f"{build.chip}, {build.geometry.lanes} lanes")
            built = build_alone(build.chip, build.geometry, build.primitives, seed=arguments.seed)
            rows.append({"chip": build.chip, "size": build.size, **built})
    if arguments.json:
        print_json(rows)
    else:
        print_table("", list(rows[0]), [list(row.values()) for row in rows])


def rival(arguments: Namespace) -> None:
    """`tamis bench rival`: small networks beside dense int8 ones of the same bytes."""
    from hdl.cache import cache_directory
    from host.bench_rival import measure, print_rows
    from host.tasks import NAMES
    from host.train_torch import require_torch

    if arguments.plots:
        _plots(arguments.plots)
    require_torch()
    ledger = cache_directory() / "rival.jsonl"
    names = NAMES if arguments.task is None else (arguments.task,)
    measured = [measure(name, list(arguments.seeds), ledger, note) for name in names]
    if arguments.plots:
        from host.bench_rival_plots import draw_rival

        for rows in measured:
            draw_rival(rows, arguments.plots)
    if arguments.json:
        print_json([row.as_dict() for rows in measured for row in rows])
        return
    for rows in measured:
        print_rows(rows)


def _target(board: Any, manifests: str | None) -> Any:
    """A board as `host.bench_boards` knows it, at the slowest clock that a build of its preset reached."""
    from host.bench_boards import Target
    from host.cli_fpga import describe, read_manifests
    from host.cost import Preset

    chip, shape = board.chip, board.geometry.as_dict()
    reached = [
        found["clock_reached_mhz"]
        for found in (read_manifests(manifests) if manifests is not None else ())
        if found["board"] == board.name and found["geometry"] == shape and found["clock_claimed"]
    ]
    clock_hz = round(1e6 * min(reached)) if reached else board.clock_hz
    return Target(
        preset=Preset(board.name, board.geometry, clock_hz, board.baud),
        clock_from="build" if reached else "preset" if board.claims_clock else "none claimed",
        status=describe(board)["status"],
        chip=chip.name,
        luts=chip.luts,
        multipliers=chip.dsps,
        block_ram_bytes=chip.brams * max(words * (bits // 8) for words, bits in chip.block_shapes),
    )


def _announced(shapes: Sequence[Shape], seed: int, rows: Rows) -> Iterator[Case]:
    """Draw the layers one by one, and say how many there are."""
    for number, shape in enumerate(shapes, 1):
        note(f"layer {number} of {len(shapes)}: {shape.name}")
        yield make_case(shape, seed, rows)


def measure_all(geometry: Geometry, cases: Iterable[Case]) -> list[Measurement]:
    """Build the gateware, if need be, and time each case on it."""
    require_scipy()  # before a long build

    from boards.bare_engine import BareEngine
    from hdl.layouts import queue_layout

    item_bits = queue_layout(geometry).size
    measured = []
    with ExitStack() as stack:
        engine = None
        for case in cases:
            plan = plan_case(case, geometry, note)  # a layer that does not fit is refused before a long build
            if engine is None:
                note(f"building the simulator of {geometry.pes} PEs, unless it is in the cache")
                engine = stack.enter_context(BareEngine(geometry))
            measured.append(measure(case, plan, engine, item_bits, note))
    return measured


def _plots(directory: str) -> Any:
    """The module that draws; what it needs is asked for before hours of work."""
    from host import bench_plots

    bench_plots.prepare(directory)
    return bench_plots


def _show(as_json: bool, geometry: Geometry, what: str, measured: list[Measurement]) -> None:
    if as_json:
        print_json([one.as_dict() for one in measured])
    else:
        from boards.registry import every

        built = [board.geometry.pes for board in every() if board.built]
        print_measurements(geometry, what, measured, cpu_name(), built)
    wrong = [one.layer for one in measured if not one.matches_golden]
    if wrong:
        raise TamisError(
            f"the gateware's outputs differ from golden's on {', '.join(wrong)}; please report it"
        )
    wrong = [one.layer for one in measured if one.cycles != one.model_cycles]
    if wrong:
        raise TamisError(
            f"the cycle model and the gateware count other cycles on {', '.join(wrong)}; please report it"
        )
