"""The subcommand `tamis train`."""

import sys
import time
from argparse import Namespace
from pathlib import Path

from golden.errors import TargetError, UsageError
from host.report import percent, print_json, print_table
from host.train_data import TrainData
from host.train_loop import Epoch
from host.training import TrainResult

SMALLEST = 0.02
"""Share of weights down to which `--max-loss` searches, where no `--keep` says."""


def train(arguments: Namespace) -> None:
    """`tamis train`: write a model file, and say what each stage cost in accuracy."""
    from host.files import check_place, write_file
    from host.onnx_import import import_onnx
    from host.train_data import load_data
    from host.train_settings import TrainSettings
    from host.training import train

    if arguments.data is None:
        raise UsageError(
            "training needs samples, and no --data is given; give --data D.npz, or compress the network "
            f"without training it: `tamis compress {arguments.model} -o {arguments.output}`"
        )
    check_place(arguments.report)
    keep = arguments.keep
    if keep is not None and arguments.bytes is not None:
        raise UsageError("--keep and --bytes exclude each other; give one of them")
    if keep is None:
        keep = TrainSettings.keep if arguments.max_loss is None else SMALLEST
    settings = TrainSettings(
        seed=arguments.seed,
        fresh=arguments.fresh,
        keep=keep,
        max_loss=arguments.max_loss,
        file_bytes=arguments.bytes,
        prune=arguments.prune,
        rounds=arguments.rounds,
        weight_bits=arguments.weight_bits,
        bias_bits=arguments.bias_bits,
        epochs=arguments.epochs,
        batch=arguments.batch,
        image=arguments.image,
        distil=arguments.distil,
        joint=arguments.joint,
    )
    teacher = None if arguments.teacher is None else import_onnx(arguments.teacher)
    data = load_data(arguments.data, arguments.split_seed)
    network = import_onnx(arguments.model)
    show = EpochLine()
    try:
        result = train(network, data, settings, teacher=teacher, progress=show)
    finally:
        show.end()
    write_file(arguments.output, result.data)
    if arguments.report is not None:
        write_file(arguments.report, report(arguments.model, result, data))
    if arguments.json:
        print_json(result.as_dict())
    else:
        print_result(result, arguments.output, len(data.test))
    if not result.met:
        dense, last = result.stages[0], result.stages[-1]
        raise TargetError(
            f"the best network found has {percent(last.validation)} on validation, more than "
            f"{arguments.max_loss:g} points below the {percent(dense.validation)} of the dense one; it is in "
            f"{arguments.output}; allow a larger --max-loss, more --epochs or more --weight-bits"
        )


def report(path: str, result: TrainResult, data: TrainData) -> bytes:
    """The HTML report of a training run."""
    from host.cli_targets import board_rows
    from host.html_report import html_report

    return html_report(
        Path(path).name,
        result.model,
        result.shared,
        file_bytes=len(result.data),
        source=result.pruned,
        stages=[(stage.name, stage.test) for stage in result.stages],
        stages_of=f"Of the {len(data.test)} test samples; from shared on in golden's integers.",
        boards=board_rows(result.model, data.train.inputs),
    )


class EpochLine:
    """Progress on stderr: a line that is written over on a terminal, else a line for each stage.

    Call it with each `Epoch`, and `end` after the last.
    """

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self.written = 0.0

    def __call__(self, epoch: Epoch) -> None:
        if self.live:
            if time.monotonic() - self.written > 0.1 or epoch.epoch == epoch.epochs:
                self.written = time.monotonic()
                print(f"\r{self.text(epoch)}\x1b[K", end="", file=sys.stderr, flush=True)
        elif epoch.epoch == epoch.epochs:
            print(self.text(epoch), file=sys.stderr, flush=True)

    @staticmethod
    def text(epoch: Epoch) -> str:
        """One line.

        >>> EpochLine.text(Epoch(stage="dense", epoch=3, epochs=10, loss=0.5, accuracy=0.987, kept=1.0,
        ...                      seconds_left=75.0))
        'dense: epoch 3 of 10, loss 0.5000, validation 98.7 %, kept 100.0 %, 1:15 left'
        """
        minutes, seconds = divmod(round(epoch.seconds_left), 60)
        return (
            f"{epoch.stage}: epoch {epoch.epoch} of {epoch.epochs}, loss {epoch.loss:.4f}, "
            f"validation {percent(epoch.accuracy)}, kept {percent(epoch.kept)}, {minutes}:{seconds:02} left"
        )

    def end(self) -> None:
        """Take the line off the terminal."""
        if self.live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def print_result(result: TrainResult, path: str, samples: int) -> None:
    """Print the stages and the size of the file on stdout."""
    print_table(
        "",
        ["stage", "weights", "kept", "validation", "test"],
        [
            [s.name, s.weights, percent(s.kept), f"{100 * s.validation:.2f} %", f"{100 * s.test:.2f} %"]
            for s in result.stages
        ],
    )
    size, dense = len(result.data), result.model.dense_bytes
    print(
        f"{path}: {size:,} bytes instead of {dense:,} dense, {dense / size:.1f} times smaller\n"
        f"accuracy on the {samples} test samples: {percent(result.stages[-1].test)} in golden's integers, "
        f"{percent(result.stages[0].test)} dense in float32"
    )
