"""The `tamis` command: reads the command line, runs a subcommand, and turns every error into one sentence.

The subcommands live in `host.cli_model`, `host.cli_run`, `host.cli_board`, `host.cli_fpga`, `host.cli_prove`,
`host.cli_train`, `host.cli_tune` and `host.cli_bench`, which are imported when they are needed, so that help
is quick and a machine without Amaranth or Verilator can still compress a model.
"""

import argparse
import errno
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import metadata
from typing import Any, NoReturn

from golden.errors import InputError, TamisError, UsageError
from host.cli_values import (
    baud,
    bias_bits,
    bits_of_layers,
    clock,
    epochs,
    file_bytes,
    image,
    images,
    pes,
    points,
    queue,
    rounds,
    seed,
    seeds,
    share,
    threshold,
    weight,
    weight_bits,
)

INTERRUPTED = 130
MODEL_HELP = "model file (.tamis)"
PES_HELP = "processing elements of the board, 1 to 256 (default 4)"
BENCH_PES_HELP = "processing elements, 1 to 256 (default 64)"
QUEUE_HELP = "items that each PE's activation queue holds, 1 to 256 (default 16)"
REPORT_HELP = "write tables and figures of what came about, to be opened in a browser"
BAUD_HELP = "bits per second at the port, as `tamis boards` shows them (default 115200)"
DECODER_HELP = "for loads in Huffman code: none, small or fast (default: the board's preset)"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `UsageError` instead of ending the program."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`")


class Version(argparse.Action):
    """Print the version; looked up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(f"tamis {_version()}")
        parser.exit()


def _version() -> str:
    try:
        return metadata.version("tamis")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def make_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = Parser(
        prog="tamis",
        description="Run compressed neural networks on an FPGA: prune, share weights, encode, load, compute.",
        epilog="Exit codes: 0 done, 1 fault of the program, 2 usage, 3 bad file, 4 does not fit or is not "
        "supported, 5 device or link, 6 tool missing, 7 target not met (the best is written), "
        "130 interrupted.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")

    def command(name: str, module: str, summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        added.set_defaults(handler=(f"host.cli_{module}", name))
        return added

    def option(flag: str, metavar: str, help: str, **settings: Any) -> None:
        added.add_argument(flag, metavar=metavar, help=help, **settings)

    def output(metavar: str, help: str) -> None:
        option("-o", metavar, help, dest="output", required=True)

    def board_size() -> None:
        option("--pes", "N", PES_HELP, type=pes, default=4)

    def benchmark(
        name: str, summary: str, schema: str = "bench", among: Any = None
    ) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = (among or benchmarks).add_parser(
            name, help=summary, description=summary, allow_abbrev=False
        )
        added.set_defaults(handler=("host.cli_bench", name))
        added.add_argument("--json", action="store_true", help=f"print JSON (docs/schemas/{schema}.json)")
        return added

    def random_layers() -> None:
        option("--seed", "S", "seed of the random matrices and vectors (default 1)", type=seed, default=1)
        option("--layers", "A,B", "only these layers, such as Alex-7,NT-We")
        rows = "rows of one density (default), or of densities that differ"
        added.add_argument("--rows", choices=("uniform", "lognormal"), default="uniform", help=rows)

    command("doctor", "board", "Say what this machine can do, and what to install for the rest.")

    added = command("demo", "board", "Run the digits network on golden and on the simulated board.")
    board_size()

    added = command("check", "model", "Say for each node of a network whether it can be compressed.")
    added.add_argument("model", metavar="MODEL.onnx", help="network")

    added = command("compress", "model", "Prune a network, share its weights and write a model file.")
    added.add_argument("model", metavar="MODEL.onnx|MODEL.npz", help="network; .npz: already compressed")
    output("MODEL.tamis", "model file to write")
    option("--keep", "F", "share of weights kept in each layer", type=share)
    option("--keep-global", "F", "share of weights kept in all layers together", type=share)
    option("--weight-bits", "B", "bits of a weight index, 1 to 8 (default 4)", type=weight_bits)
    ways = "shared values of the least squared error (default), or Lloyd's algorithm as in Deep Compression"
    added.add_argument("--sharing", choices=("exact", "lloyd"), help=ways)
    option("--calibrate", "X.npy", "float32 inputs that show how large activations become")
    bits = "bits that inputs shall fit, 2 to 16 (default 16); up to 8 cross the link in a byte"
    option("--input-bits", "B", bits, type=int, default=16)
    option("--report", "FILE.html", REPORT_HELP)

    added = command("train", "train", "Train a network until it is small, and write a model file.")
    added.add_argument("model", metavar="MODEL.onnx", help="network; its weights are where training starts")
    output("MODEL.tamis", "model file to write")
    option("--data", "D.npz", "samples: x and y, or x_train, y_train, x_validation, ... (docs/cli.md)")
    option("--split-seed", "S", "seed of splits that are made here (default 1)", type=seed, default=1)
    added.add_argument("--fresh", action="store_true", help="start from seeded random weights, trained dense")
    option("--keep", "F", "share of weights left at the end (default 0.1)", type=share)
    option("--max-loss", "P", "prune until P percentage points are lost on validation", type=points)
    option("--bytes", "N", "prune until the model file has at most N bytes", type=file_bytes)
    ways = "weights that go first: by their effect on the loss (default), or the smallest, with shares of "
    ways += "the layers by their sensitivity, or one threshold"
    chosen = ("importance", "sensitivity", "global")
    added.add_argument("--prune", choices=chosen, default="importance", help=ways)
    option("--rounds", "N", "rounds of pruning, 1 to 100 (default 6)", type=rounds, default=6)
    bits = "bits of a weight index, 1 to 8 (default 4), or of each layer, such as 4,3,4"
    option("--weight-bits", "B", bits, type=bits_of_layers, default=4)
    option("--bias-bits", "B", "bits of a rounded bias, 2 to 24 (default 8)", type=bias_bits, default=8)
    option("--epochs", "E", "passes that the dense network takes (default 100)", type=epochs, default=100)
    option("--image", "HxW", "samples are grey images of this size: move them while training", type=image)
    added.add_argument("--joint", action="store_true", help="prune and share in one training loop")
    option("--batch", "N", "samples of a step, 1 to 100000 (default 64)", type=epochs, default=64)
    option("--teacher", "T.onnx", "network whose outputs are learnt as well (default: the dense one)")
    option("--distil", "W", "weight of the teacher beside the labels (default 1)", type=weight, default=1.0)
    option("--seed", "S", "seed of everything random (default 1)", type=seed, default=1)
    option("--report", "FILE.html", REPORT_HELP)
    added.add_argument("--json", action="store_true", help="print JSON (docs/schemas/train.json)")

    added = command("tune", "tune", "Search the share kept and the weight bits of every layer, for a board.")
    added.add_argument("model", metavar="MODEL.onnx", help="network, trained")
    output("MODEL.tamis", "model file to write")
    option("--data", "D.npz", "samples, as for `tamis train` (docs/cli.md)", required=True)
    option("--split-seed", "S", "seed of splits that are made here (default 1)", type=seed, default=1)
    option("--board", "B", "board, as `tamis boards` names it", required=True)
    option(
        "--max-loss", "P", "percentage points that validation may lose (default 1)", type=points, default=1.0
    )
    added.add_argument("--retrain", action="store_true", help="go on pruning the choice, training it")
    option("--epochs", "E", "passes after each round of --retrain (default 30)", type=epochs, default=30)
    option("--evaluations", "N", "settings to try, 1 to 10000 (default 200)", type=images, default=200)
    option("--seed", "S", "seed of the search (default 1)", type=seed, default=1)
    option("--plots", "DIR", "draw a PNG file into this folder")
    option("--report", "FILE.html", REPORT_HELP)
    added.add_argument("--json", action="store_true", help="print JSON (docs/schemas/tune.json)")

    added = command("decompress", "model", "Write the float network that a model file stands for.")
    added.add_argument("model", metavar="MODEL.tamis", help=MODEL_HELP)
    output("APPROX.onnx", "network to write")

    added = command("info", "model", "Show a model's layers, and what a board makes of it.")
    added.add_argument("model", metavar="MODEL.tamis", help=MODEL_HELP)
    board_size()
    added.add_argument("--json", action="store_true", help="print JSON (docs/schemas/info.json)")

    added = command("run", "run", "Run a model on inputs.")
    added.add_argument("model", metavar="MODEL.tamis", help=MODEL_HELP)
    added.add_argument("input", metavar="INPUT.npy", help="float32 inputs of shape (batch, inputs)")
    output("OUTPUT.npy", "outputs to write")
    targets = "the NumPy model (default), the simulated board, or a board at --port"
    added.add_argument("--target", choices=("golden", "sim", "serial"), help=f"where to run: {targets}")
    option("--pes", "N", f"{PES_HELP}; with golden and sim only", type=pes)
    option("--port", "P", "serial port of the board; implies --target serial")
    option("--baud", "B", BAUD_HELP, type=baud, default=115_200)
    thresholds = "activations of magnitude up to T count as zero, 0 to 32767 in units of int16 (default 0)"
    option("--threshold", "T", thresholds, type=threshold, default=0)
    option("--labels", "Y.npy", "integer class of each input, to report the accuracy")
    added.add_argument("--raw", action="store_true", help="write the int16 outputs of the last layer")
    added.add_argument("--json", action="store_true", help="print JSON (docs/schemas/run.json)")

    added = command("sim", "board", "Start a simulated board; its port is the first line on stdout.")
    board_size()

    added = command("selftest", "board", "Test a board: identity, memories, known answers, link.")
    option("--port", "P", "serial port of the board (default: a simulated board)")
    option("--baud", "B", BAUD_HELP, type=baud, default=115_200)

    added = command("verilog", "board", "Write the engine's Verilog, for other projects.")
    output("FILE", "Verilog file to write")
    board_size()

    added = command("boards", "fpga", "List the FPGA boards, and what each holds.")
    option("--manifests", "DIR", "print the table of the builds under this folder, for a README")
    added.add_argument("--json", action="store_true", help="print JSON (docs/schemas/boards.json)")

    added = command("build", "fpga", "Make the bitstream of an FPGA board.")
    option("--board", "B", "board, as `tamis boards` names it", required=True)
    option("--pes", "N", "processing elements, 1 to 256 (default: the board's preset)", type=pes)
    option("--clock", "MHZ", "clock of the engine, 1 to 400 MHz (default: the board's preset)", type=clock)
    option("--seed", "S", "seed of the placement (default: the one of the board's preset)", type=seed)
    option("--model", "M.tamis", "model that the board loads from its flash at power-up")
    option("--seeds", "A-B", "build with each of these seeds, and tell the clocks reached", type=seeds)
    option("-o", "DIR", "folder to write (default build/BOARD)", dest="output")
    option("--decoder", "FORM", DECODER_HELP, choices=("none", "small", "fast"))
    added.add_argument("--modules", action="store_true", help="also write DIR/modules.json: what each takes")
    added.add_argument("--json", action="store_true", help="print JSON (docs/schemas/build.json)")

    added = command("flash", "fpga", "Write a build to the board that is plugged in.")
    option("--board", "B", "board, as `tamis boards` names it", required=True)
    added.add_argument("directory", metavar="DIR", help="folder that `tamis build` wrote")

    added = command("prove", "prove", "Run a board's netlist or bitstream against golden, without the board.")
    option("--board", "B", "board, as `tamis boards` names it", required=True)
    option("--pes", "N", "processing elements, 1 to 256 (default: the board's preset)", type=pes)
    option("--model", "MODEL.tamis", "network to run (default: the digits example)")
    option("--input", "INPUT.npy", "float32 inputs of shape (batch, inputs) for that network")
    option("--images", "N", "inputs to run, 1 to 10000 (default 3)", type=images, default=3)
    added.add_argument("--bitstream", action="store_true", help="run what the built bitstream holds (HX8K)")
    option("--seed", "S", "of the bitstream's placement, or of the faults (default 1)", type=seed, default=1)
    option("--faults", "N", "instead, run N random single faults, 1 to 10000 (iCE40)", type=images)
    option("--jobs", "J", "faults that run at a time, 1 to 256 (default 1)", type=pes, default=1)
    option("--ledger", "FILE", "where faults that ran are kept (default build/B.faults.jsonl)")
    added.add_argument("--json", action="store_true", help="print JSON (docs/schemas/prove.json)")

    added = command("estimate", "fpga", "Say what a model would take on each board, without synthesis.")
    added.add_argument("model", metavar="MODEL.tamis", help=MODEL_HELP)
    added.add_argument("--json", action="store_true", help="print JSON (docs/schemas/estimate.json)")

    summary = "Time layers on the engine in Verilator; docs/benchmarks.md explains every figure."
    bench = commands.add_parser("bench", help=summary, description=summary, allow_abbrev=False)
    benchmarks = bench.add_subparsers(metavar="BENCHMARK", required=True, dest="benchmark")
    added = benchmark("eie", "Time EIE's nine layers, as random matrices.")
    option("--pes", "N", BENCH_PES_HELP, type=pes, default=64)
    option("--queue", "D", f"{QUEUE_HELP[:-1]}; with --paper 8)", type=queue)
    random_layers()
    added.add_argument("--paper", action="store_true", help="build and run the gateware with EIE's choices")
    option("--plots", "DIR", "draw PNG files into this folder")

    added = benchmark("layer", "Time any matrix.")
    added.add_argument("matrix", metavar="W.npz", help="matrix, saved with scipy.sparse.save_npz")
    added.add_argument("vector", metavar="A.npy", help="activations, shape (columns,), that are timed")
    option("--pes", "N", BENCH_PES_HELP, type=pes, default=64)
    option("--queue", "D", QUEUE_HELP, type=queue)
    option("--calibrate", "ACTIVATIONS.npy", "other activations, shape (draws, columns), for the placement")

    added = benchmark(
        "ablation", "Show what each of the paper's choices costs, by the cycle model.", "ablation"
    )
    option("--pes", "N", BENCH_PES_HELP, type=pes, default=64)
    random_layers()
    option("--plots", "DIR", "draw a PNG file into this folder")

    added = benchmark("threshold", "Draw skipped work against accuracy on the digits.", "threshold")
    option("--plots", "DIR", "draw a PNG file into this folder")

    added = benchmark(
        "training", "Train the digits network, and show what each step saves.", "bench_training"
    )
    option("--seeds", "A-B", "seeds of the training (default 1-5)", type=seeds, default=range(1, 6))
    option("--epochs", "E", "passes that the dense network takes (default: as documented)", type=epochs)
    added.add_argument("--no-board", action="store_true", help="do not run the models on the simulated board")

    added = benchmark(
        "boards", "Time networks on every board, beside dense engines, by the cycle model.", "bench_boards"
    )
    added.add_argument("--markdown", action="store_true", help="print short tables for docs/benchmarks.md")
    option("--manifests", "DIR", "reckon with the clocks that the builds under this folder reached")
    option("--seed", "S", "seed of the random networks and inputs (default 1)", type=seed, default=1)
    option("--plots", "DIR", "draw a PNG file into this folder")

    added = benchmark("dense", "Place and route the dense engines alone on their chips.", "dense")
    chips = ("UP5K", "HX8K", "ECP5-25F", "ECP5-25F-8", "ECP5-85F")
    added.add_argument("--chip", choices=chips, help="those of this chip (default: all but the ECP5-85F's)")
    added.add_argument("--size", choices=("ours", "memory", "all"), help="those of this size (default: all)")
    option("--seed", "S", "seed of placement (default 1)", type=seed, default=1)

    added = benchmark("rival", "Train small networks beside dense int8 ones of the same bytes.", "rival")
    tasks = "digits of 8 x 8 pixels, or the same on a canvas of 16 x 16 (default: both)"
    added.add_argument("--task", choices=("digits", "canvas"), help=tasks)
    option("--seeds", "A-B", "seeds to train with (default 1-3)", type=seeds, default=range(1, 4))
    option("--plots", "DIR", "draw a PNG file for each task into this folder")

    summary = "Sweep one setting by the cycle model, on EIE's layers, with our choices and the paper's."
    group = benchmarks.add_parser("sweep", help=summary, description=summary, allow_abbrev=False)
    sweeps = group.add_subparsers(metavar="SETTING", required=True, dest="sweep")
    for name, summary in (
        ("queue", "Items that an activation queue holds, 1 to 256."),
        ("runs", "Bits of a zero run, 1 to 8."),
        ("pes", "Processing elements, 1 to 256."),
    ):
        added = benchmark(name, summary, "sweep", sweeps)
        added.set_defaults(handler=("host.cli_bench", "sweep"))
        if name != "pes":
            option("--pes", "N", BENCH_PES_HELP, type=pes, default=64)
        if name != "queue":
            option("--queue", "D", f"{QUEUE_HELP[:-1]}; with the paper's choices 8)", type=queue)
        random_layers()
        option("--plots", "DIR", "draw PNG files into this folder")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; see `make_parser` for the codes."""
    try:
        parsed = make_parser().parse_args(arguments)
        module, name = parsed.handler
        getattr(importlib.import_module(module), name)(parsed)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:
        _drop_stdout()  # the reader of our output has seen enough
    except TamisError as error:
        return _fail(str(error), error.exit_code)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            return _fail(
                "the output does not fit on its disk; free space, then try again", InputError.exit_code
            )
        return _unexpected(error)
    return 0


def _unexpected(error: Exception) -> int:
    if os.environ.get("TAMIS_DEBUG"):
        traceback.print_exception(error)
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return _fail(
        f"internal error ({what}); set TAMIS_DEBUG=1 and report what it prints", TamisError.exit_code
    )


def _fail(sentence: str, code: int) -> int:
    try:
        sys.stdout.flush()
    except OSError:
        _drop_stdout()
    print(f"tamis: {sentence}", file=sys.stderr)
    return code


def _drop_stdout() -> None:
    """Keep Python from flushing to an output that takes no more when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
