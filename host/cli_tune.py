"""The subcommand `tamis tune`."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from golden.errors import TargetError
from host.cost import Preset
from host.network import Network
from host.report import percent, print_json, print_table, progress
from host.train_data import TrainData
from host.tuning import Point, TuneResult


def tune(arguments: Namespace) -> None:
    """`tamis tune`: write the cheapest model within the loss, and show what else was found."""
    from boards.registry import find
    from host import bench_plots
    from host.files import check_place, write_file
    from host.onnx_import import import_onnx
    from host.train_data import load_data
    from host.train_torch import require_torch
    from host.tune_plots import draw_tuning
    from host.tuning import tune

    check_place(arguments.report)
    if arguments.retrain:
        require_torch()
    board = find(arguments.board)
    network = import_onnx(arguments.model)
    data = load_data(arguments.data, arguments.split_seed)
    if arguments.plots is not None:
        bench_plots.prepare(arguments.plots)
    preset = Preset(board.name, board.geometry, board.clock_hz, board.baud)
    with progress(f"tuning for {board.name}") as advance:
        result = tune(
            network,
            data,
            preset,
            max_loss=arguments.max_loss,
            evaluations=arguments.evaluations,
            seed=arguments.seed,
            progress=advance,
        )
    if arguments.retrain and result.met:
        result = retrained(arguments, network, data, preset, result)
    write_file(arguments.output, result.data)
    if arguments.plots is not None:
        draw_tuning(result, arguments.plots)
    if arguments.report is not None:
        write_file(
            arguments.report, report(arguments.model, network, result, len(data.test), data.train.inputs)
        )
    if arguments.json:
        print_json(result.as_dict())
    else:
        print_result(result, arguments.output, len(data.validation), len(data.test))
    if not result.met:
        raise TargetError(
            f"the best setting found has {percent(result.chosen.validation)} on validation, more than "
            f"{arguments.max_loss:g} points below the {percent(result.reference)} of the float network; it "
            f"is in {arguments.output}; allow a larger --max-loss or more --evaluations, or train it with "
            "`tamis train`"
        )


def retrained(
    arguments: Namespace, network: Network, data: TrainData, board: Preset, result: TuneResult
) -> TuneResult:
    """The result after `--retrain`, with a line on stderr for every stage."""
    from host.cli_train import EpochLine
    from host.tune_retrain import retrain

    show = EpochLine()
    try:
        return retrain(
            network, data, board, result, epochs=arguments.epochs, seed=arguments.seed, progress=show
        )
    finally:
        show.end()


def report(path: str, network: Network, result: TuneResult, test: int, inputs: Any) -> bytes:
    """The HTML report of a search."""
    from host.cli_targets import board_rows
    from host.html_report import html_report

    stages = [("float, as given", result.reference_test)]
    last = "chosen" if result.retrained is None else "retrained"
    notes = [f"Tuned for {result.board}: {_figures(result.chosen)}.", f"It {standing(result)}."]
    if result.retrained is not None:
        notes.append(f"Pruned further and retrained: {_figures(result.retrained)}.")
    if result.uniform_test is not None:
        stages.append(("best uniform", result.uniform_test))
    return html_report(
        Path(path).name,
        result.model,
        result.shared,
        file_bytes=len(result.data),
        source=result.pruned or network,
        stages=[*stages, (last, result.test)],
        stages_of=f"Of the {test} test samples; those compressed in golden's integers.",
        boards=board_rows(result.model, inputs),
        notes=notes,
    )


def standing(result: TuneResult) -> str:
    """How the choice stands to the best uniform setting, behind the words "the choice"."""
    if result.uniform is None:
        return "has no uniform setting beside it, as none is within the limit"
    if result.uniform is result.chosen:
        return "is the best uniform setting itself, and no mixed one that was tried beats it"
    how = "beats" if result.beats_uniform else "does not beat"
    return f"{how} the best uniform setting within the same limit, {_figures(result.uniform)}"


def print_result(result: TuneResult, path: str, validation: int, test: int) -> None:
    """Print the front, the choice and how it stands to the best uniform setting, on stdout."""
    print_table(
        f"{result.board}: settings that no other of {result.evaluations} equals in all three",
        ["", "kept", "bits", f"validation, of {validation}", "bytes", "cycles", "image bytes", ""],
        [_row(point, result) for point in result.front],
    )
    print(f"the choice, {_figures(result.chosen)}, {standing(result)}")
    if result.retrained is not None:
        print(
            f"pruned further and retrained: {_figures(result.retrained)}, "
            f"{100 * result.retrained.validation:.2f} % on validation"
        )
    size, dense = len(result.data), result.model.dense_bytes
    print(
        f"{path}: {size:,} bytes instead of {dense:,} dense, {dense / size:.1f} times smaller\n"
        f"accuracy on the {test} test samples: {percent(result.test)} in golden's integers, "
        + ("" if result.uniform_test is None else f"{percent(result.uniform_test)} uniform, ")
        + f"{percent(result.reference_test)} float, as given"
    )


def _row(point: Point, result: TuneResult) -> list[object]:
    assert point.cost is not None
    marks = {id(result.chosen): "chosen", id(result.uniform): "best uniform"}
    return [
        marks.get(id(point), ""),
        _kept(point),
        _bits(point),
        f"{100 * point.validation:.2f} %",
        point.cost.file_bytes,
        round(point.cost.cycles),
        point.cost.image_bytes,
        "resident" if point.cost.resident else "streamed",
    ]


def _figures(point: Point) -> str:
    cycles, size = point.price
    return f"{cycles:,.0f} cycles and {size:,} bytes ({_kept(point)} kept, {_bits(point)} bits)"


def _kept(point: Point) -> str:
    return " ".join(f"{100 * kept:.3g}" for kept in point.kept) + " %"


def _bits(point: Point) -> str:
    return " ".join(str(bits) for _, bits in point.choices)
