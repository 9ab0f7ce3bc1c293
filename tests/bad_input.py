"""Everything bad that a user can hand to `tamis`, and how it must answer.

``python -m tests.bad_input`` prints, for each case, the command, what it printed and its exit code.
"""

import contextlib
import os
import pty
import struct
import subprocess
import sys
import tempfile
import threading
import tty
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import scipy.sparse
import serial
from onnx import TensorProto, helper, numpy_helper

from golden.errors import InputError
from golden.model import HEADER, MAGIC, decode
from host import compress

ROOT = Path(__file__).parents[1]
SECONDS = 120
COLUMNS = 20
LAUNCH = "import sys; from host.cli import main; sys.exit(main(sys.argv[1:]))"
SMALL_FILES = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400)); " + LAUNCH
"""Files cannot grow beyond 400 bytes, as on a disk that is full there."""
NO_TORCH = "import sys; sys.modules['torch'] = None; " + LAUNCH
"""PyTorch is not installed, wherever this runs."""
FORBIDDEN = (
    "import os; opened = os.open\n"
    "def refuse(path, *rest, **named):\n"
    "    if path == 'forbidden': raise PermissionError(13, 'Permission denied', path)\n"
    "    return opened(path, *rest, **named)\n"
    "os.open = refuse\n" + LAUNCH
)
"""The system refuses the port; real permissions would not stop a test that runs as root."""


@dataclass(frozen=True)
class Case:
    """One bad input.

    Parameters
    ----------
    name : str
    command : str
        Arguments of `tamis`, run in the folder that `make_files` filled.
    code : int
        Exit code.
    says : str
        Part of the sentence.
    program : str
        What Python runs.
    stdout : str
        Where standard output goes, instead of a pipe.
    path : str
        Search path for programs, instead of the present one.
    """

    name: str
    command: str
    code: int
    says: str
    program: str = LAUNCH
    stdout: str = ""
    path: str = ""


RUN = "run good.tamis {} -o out.npy"
TIME = "bench layer {} {}"
TUNE = "tune good.onnx --data {} --board {} -o out.tamis"
TRAIN = "train good.onnx -o out.tamis --data {}"
CALIBRATED = "bench layer matrix.npz vector.npy --calibrate {}"
CASES = (
    Case("no ONNX file (check)", "check text.onnx", 3, "not an ONNX file"),
    Case("no ONNX file (compress)", "compress text.onnx -o out.tamis", 3, "not an ONNX file"),
    Case("empty ONNX file", "compress empty.onnx -o out.tamis", 3, "empty.onnx"),
    Case("truncated ONNX file", "compress cut.onnx -o out.tamis", 3, "cut.onnx"),
    Case("missing file", "compress nowhere.onnx -o out.tamis", 3, "no such file"),
    Case("folder instead of a file", "compress folder -o out.tamis", 3, "is a directory"),
    Case("unsupported operator (check)", "check conv.onnx", 4, "filter (Conv)"),
    Case("unsupported operator (compress)", "compress conv.onnx -o out.tamis", 4, "'filter' (Conv)"),
    Case("NaN weight", "compress nan.onnx -o out.tamis", 3, "NaN"),
    Case("infinite weight", "compress infinite.onnx -o out.tamis", 3, "infinite"),
    Case("inputs of wrong shape", RUN.format("narrow.npy"), 3, "shape (2, 19)"),
    Case("inputs without a batch", RUN.format("vector.npy"), 3, "shape (20,)"),
    Case("no inputs at all", RUN.format("none.npy"), 3, "at least one input"),
    Case("inputs of wrong type", RUN.format("double.npy"), 3, "float64"),
    Case("inputs with NaN", RUN.format("nan.npy"), 3, "NaN"),
    Case("inputs with infinity", RUN.format("infinite.npy"), 3, "infinite"),
    Case("object array as inputs", RUN.format("object.npy"), 3, "Python objects"),
    Case("inputs that are no array", RUN.format("text.onnx"), 3, "not a .npy array"),
    Case("truncated inputs", RUN.format("cut.npy"), 3, "cut.npy"),
    Case("wrong number of labels", RUN.format("inputs.npy --labels vector.npy"), 3, "labels must be"),
    Case(
        "object array as calibration", "compress good.onnx -o out.tamis --calibrate object.npy", 3, "objects"
    ),
    Case("calibration too narrow", "compress good.onnx -o out.tamis --calibrate narrow.npy", 3, "(2, 19)"),
    Case("object array in an .npz", "compress object.npz -o out.tamis", 3, "Python objects"),
    Case("damaged .npz", "compress cut.npz -o out.tamis", 3, "cut.npz"),
    Case("sharing of another kind", "compress good.onnx -o out.tamis --sharing best", 2, "'best'"),
    Case("sharing of what is compressed", "compress good.npz -o out.tamis --sharing lloyd", 2, "--sharing"),
    Case("tuning without samples", "tune good.onnx --board icebreaker -o out.tamis", 2, "--data"),
    Case("tuning with no samples", TUNE.format("good.npz", "icebreaker"), 3, "has no array x_train"),
    Case("tuning with what is no archive", TUNE.format("text.onnx", "icebreaker"), 3, "text.onnx"),
    Case("tuning for no board", TUNE.format("samples.npz", "nothing"), 2, "choose one of icebreaker"),
    Case("tuning with samples that do not fit", TUNE.format("narrow_data.npz", "icebreaker"), 3, "19 values"),
    Case(
        "tuning with labels out of range",
        TUNE.format("label_data.npz", "icebreaker"),
        3,
        "labels from 0 to 59",
    ),
    Case(
        "tuning to a loss of less than none",
        TUNE.format("samples.npz", "icebreaker --max-loss -1"),
        2,
        "0 to 100",
    ),
    Case(
        "tuning with no evaluations", TUNE.format("samples.npz", "icebreaker --evaluations 0"), 2, "from 1 to"
    ),
    Case(
        "accuracy that cannot be met",
        "tune good.onnx --data samples.npz --board icebreaker --evaluations 2 --max-loss 0 -o /dev/null",
        7,
        "it is in /dev/null",
    ),
    Case("training without data", "train good.onnx -o out.tamis", 2, "`tamis compress good.onnx -o"),
    Case("training data that are missing", TRAIN.format("nowhere.npz"), 3, "no such file"),
    Case("damaged training data", TRAIN.format("cut.npz"), 3, "cut.npz"),
    Case("training data without samples", TRAIN.format("good.npz"), 3, "no array x_train, only indices"),
    Case("training data with objects", TRAIN.format("object.npz"), 3, "Python objects"),
    Case("training data of another network", TRAIN.format("narrow_data.npz"), 3, "have 19 values each"),
    Case("labels out of range", TRAIN.format("label_data.npz"), 3, "labels from 0 to 59"),
    Case("labels that are no integers", TRAIN.format("float_data.npz"), 3, "labels must be integers"),
    Case("images of another size", TRAIN.format("data.npz --image 4x4"), 2, "means 16 values"),
    Case("bits for too many layers", TRAIN.format("data.npz --weight-bits 4,4"), 2, "for 2 layers"),
    Case("teacher that is no network", TRAIN.format("data.npz --teacher text.onnx"), 3, "not an ONNX file"),
    Case("teacher of another task", TRAIN.format("data.npz --teacher large.onnx"), 3, "2000 outputs"),
    Case("joint training to a limit", TRAIN.format("data.npz --joint --max-loss 1"), 2, "exclude each other"),
    Case("training to two sizes", TRAIN.format("data.npz --keep 0.1 --bytes 900"), 2, "exclude each other"),
    Case("training a network that is not supported", "train conv.onnx -o o --data data.npz", 4, "(Conv)"),
    Case("training without PyTorch", TRAIN.format("data.npz"), 6, "pip install 'tamis[train]'", NO_TORCH),
    Case(
        "report in a folder that is missing",
        "compress good.onnx -o out.tamis --report no/r.html",
        3,
        "no/r.html",
    ),
    Case(
        "report of tuning in no folder",
        TUNE.format("samples.npz", "icebreaker --report no/r.html"),
        3,
        "no/r.html",
    ),
    Case("no model file", "info text.onnx", 3, "not a Tamis model file"),
    Case("empty model file", "info empty.onnx", 3, "not a Tamis model file"),
    Case("truncated model file (info)", "info cut.tamis", 3, "truncated"),
    Case("truncated model file (run)", "run cut.tamis inputs.npy -o out.npy", 3, "truncated"),
    Case("bit-flipped model file (run)", "run flipped.tamis inputs.npy -o out.npy", 3, "damaged"),
    Case("bit-flipped model file (decompress)", "decompress flipped.tamis -o out.onnx", 3, "damaged"),
    Case("model file of a newer version", "run newer.tamis inputs.npy -o out.npy", 3, "version 3"),
    Case("damaged Huffman table (info)", "info table.tamis", 3, "layer 0: a Huffman code is"),
    Case("damaged Huffman table (run)", "run table.tamis inputs.npy -o out.npy", 3, "a Huffman code is"),
    Case("damaged Huffman stream (info)", "info stream.tamis", 3, "a weight stands at place"),
    Case("damaged Huffman stream (run)", "run stream.tamis inputs.npy -o out.npy", 3, "a weight stands at"),
    Case("model that does not fit (info)", "info wide.tamis", 4, "8 bits"),
    Case("model that does not fit (run)", "run wide.tamis inputs.npy -o out.npy", 4, "8 bits"),
    Case("inputs of one bit", "compress good.onnx -o out.tamis --input-bits 1", 2, "2 to 16 bits, not 1"),
    Case("port that is missing", RUN.format("inputs.npy --port nowhere"), 5, "does not exist"),
    Case("port that is no port", RUN.format("inputs.npy --port text.onnx"), 5, "not a usable serial port"),
    Case("port that is busy", RUN.format("inputs.npy --port busy"), 5, "in use"),
    Case("line rate out of range", RUN.format("inputs.npy --port silent --baud 7"), 2, "from 300 to"),
    Case("port that is silent", RUN.format("inputs.npy --port silent"), 5, "silent"),
    Case(
        "port that is not permitted",
        RUN.format("inputs.npy --port forbidden"),
        5,
        "may not be opened",
        FORBIDDEN,
    ),
    Case(
        "port that talks something else", RUN.format("inputs.npy --port chatty"), 5, "not the Tamis protocol"
    ),
    Case("full disk (model file)", "compress good.onnx -o good.tamis", 3, "cannot write", SMALL_FILES),
    Case("full disk (outputs)", "run good.tamis inputs.npy -o out.npy", 3, "cannot write", SMALL_FILES),
    Case("full device", "run good.tamis inputs.npy -o /dev/full", 3, "no space left"),
    Case("full standard output", "info good.tamis --json", 3, "free space", stdout="/dev/full"),
    Case("folder that is missing", "compress good.onnx -o nowhere/out.tamis", 3, "no such file"),
    Case("matrix with NaN", TIME.format("nan_matrix.npz", "vector.npy"), 3, "NaN"),
    Case("matrix of zeros", TIME.format("zero_matrix.npz", "vector.npy"), 3, "zeros"),
    Case("matrix of complex numbers", TIME.format("complex_matrix.npz", "vector.npy"), 3, "complex64"),
    Case("matrix whose indices are wrong", TIME.format("wrong_matrix.npz", "vector.npy"), 3, "indices"),
    Case("matrix of a form that is not read", TIME.format("bsr_matrix.npz", "vector.npy"), 3, "bsr"),
    Case("archive without a matrix", TIME.format("good.npz", "vector.npy"), 3, "holds no matrix"),
    Case("damaged matrix", TIME.format("cut.npz", "vector.npy"), 3, "cut.npz"),
    Case("matrix that is missing", TIME.format("nowhere.npz", "vector.npy"), 3, "no such file"),
    Case("matrix with too long a row", TIME.format("long_matrix.npz", "long.npy"), 4, "70000 weights"),
    Case("matrix that is too wide", TIME.format("wide_matrix.npz", "long.npy"), 4, "1048576"),
    Case("vector with NaN", TIME.format("matrix.npz", "nan_vector.npy"), 3, "NaN"),
    Case("vector of wrong shape", TIME.format("matrix.npz", "inputs.npy"), 3, "(2, 20)"),
    Case("vector of wrong type", TIME.format("matrix.npz", "text.npy"), 3, "<U1"),
    Case("vector that is no array", TIME.format("matrix.npz", "text.onnx"), 3, "not a .npy array"),
    Case("calibration of one dimension", CALIBRATED.format("vector.npy"), 3, "(draws, 20)"),
    Case("calibration with infinity", CALIBRATED.format("infinite.npy"), 3, "infinite"),
    Case("too many PEs", TIME.format("matrix.npz", "vector.npy --pes 257"), 2, "from 1 to 256"),
    Case("no queue", TIME.format("matrix.npz", "vector.npy --queue 0"), 2, "from 1 to 256"),
    Case("layer that is not EIE's", "bench eie --layers NT-We,NT-Xx", 2, "'NT-Xx'"),
    Case("ablation of a layer that is not EIE's", "bench ablation --layers Alex-9", 2, "'Alex-9'"),
    Case("ablation without PEs", "bench ablation --pes 0", 2, "from 1 to 256"),
    Case("ablation drawn in a file", "bench ablation --plots text.onnx", 3, "text.onnx"),
    Case("sweep of nothing", "bench sweep", 2, "SETTING"),
    Case("sweep of something else", "bench sweep rows", 2, "'rows'"),
    Case("sweep over its own option", "bench sweep pes --pes 4", 2, "--pes"),
    Case("sweep with no queue", "bench sweep runs --queue 0", 2, "from 1 to 256"),
    Case("sweep with too many PEs", "bench sweep queue --pes 257", 2, "from 1 to 256"),
    Case("sweep over a layer that is not EIE's", "bench sweep queue --layers NT-Xx", 2, "'NT-Xx'"),
    Case("figures of a sweep in a file", "bench sweep runs --plots text.onnx", 3, "text.onnx"),
    Case("small networks on another task", "bench rival --task faces", 2, "'faces'"),
    Case("small networks of no seed", "bench rival --seeds 3-1", 2, "from low to high"),
    Case("figures of small networks in a file", "bench rival --plots text.onnx", 3, "text.onnx"),
    Case("figures in a file", "bench eie --plots text.onnx", 3, "text.onnx"),
    Case("threshold out of range", RUN.format("inputs.npy --threshold 32768"), 2, "from 0 to 32767"),
    Case("board that is unknown", "build --board ulx3s", 2, "choose one of icebreaker"),
    Case("clock out of reach", "build --board icebreaker --clock 300", 4, "PLL makes 16 to 275 MHz"),
    Case("clock that misses the line rate", "build --board icebreaker --clock 16.5", 4, "misses 3,000,000"),
    Case("clock below the PLL's", "build --board icebreaker --clock 10", 4, "cannot be made"),
    Case("geometry that does not fit", "build --board ulx3s_25f --pes 200", 4, "fits"),
    Case("model too big for a board", "build --board icebreaker --pes 1 --model large.tamis", 4, "not fit"),
    Case("model without a place", "build --board tang_nano_9k --model good.tamis", 4, "has no flash"),
    Case("seeds that run backwards", "build --board icebreaker --seeds 5-1", 2, "from low to high"),
    Case("flash of a folder without a build", "flash --board icebreaker folder", 3, "holds no build"),
    Case("manifests of a folder without one", "boards --manifests folder", 3, "no manifest.json"),
    Case("proof of a chip without models", "prove --board tang_nano_9k", 4, "choose a board with iCE40"),
    Case("proof of a model without inputs", "prove --board icebreaker --model text.onnx", 2, "give both"),
    Case("bitstream of ECP5 unpacked", "prove --board ulx3s_25f --bitstream", 4, "leave --bitstream out"),
    Case(
        "no icebox_vlog",
        "prove --board ice40_hx8k_b_evn --bitstream",
        6,
        "apt install fpga-icestorm",
        path="folder",
    ),
    Case("broken manifest", "boards --manifests broken", 3, "broken/manifest.json is no manifest of a build"),
    Case("benchmark of boards without a manifest", "bench boards --manifests folder", 3, "no manifest.json"),
    Case(
        "benchmark of boards with a broken manifest", "bench boards --manifests broken", 3, "no manifest of"
    ),
    Case("figure of the boards in a file", "bench boards --plots text.onnx", 3, "text.onnx"),
    Case("estimate of no model", "estimate text.onnx", 3, "not a Tamis model file"),
    Case("no compiler", "sim --pes 5", 6, "g++", path="folder"),
)


def gemm(path: Path, weights: np.ndarray, operator: str = "Gemm") -> None:
    """Write a network of one layer."""
    bias = np.linspace(-1, 1, weights.shape[1]).astype(np.float32)
    inputs = ["x", "w"] if operator == "Conv" else ["x", "w", "b"]
    graph = helper.make_graph(
        [helper.make_node(operator, inputs, ["y"], "filter")],
        "bad",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", COLUMNS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", weights.shape[1]])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def make_files(folder: Path) -> None:
    """Write the good and the bad files that the commands name."""
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(COLUMNS, 60)).astype(np.float32)
    gemm(folder / "good.onnx", weights)
    gemm(folder / "conv.onnx", weights, "Conv")
    for name, value in (("nan", np.nan), ("infinite", np.inf)):
        spoilt = weights.copy()
        spoilt[3, 4] = value
        gemm(folder / f"{name}.onnx", spoilt)
        np.save(folder / f"{name}.npy", np.full((2, COLUMNS), value, dtype=np.float32))
    (folder / "text.onnx").write_text("This is not a network.\n")
    (folder / "empty.onnx").touch()
    (folder / "folder").mkdir()
    (folder / "broken").mkdir()
    (folder / "broken" / "manifest.json").write_text('{"board": "icebreaker"}')

    inputs = rng.normal(size=(2, COLUMNS)).astype(np.float32)
    np.save(folder / "inputs.npy", inputs)
    np.save(folder / "narrow.npy", inputs[:, :-1])
    np.save(folder / "vector.npy", inputs[0])
    np.save(folder / "none.npy", inputs[:0])
    np.save(folder / "double.npy", inputs.astype(np.float64))
    objects = np.array([[None] * COLUMNS], dtype=object)
    np.save(folder / "object.npy", objects, allow_pickle=True)
    np.savez(folder / "object.npz", indices=objects)
    np.savez(folder / "good.npz", indices=inputs)

    samples = rng.normal(size=(40, COLUMNS)).astype(np.float32)
    classes = np.argmax(samples @ weights + np.linspace(-1, 1, 60), axis=1)
    np.savez(
        folder / "samples.npz",
        x=np.tile(samples, (2, 1)) * np.repeat([1, 1.01], 40)[:, None],
        y=np.tile(classes, 2),
    )

    make_matrices(folder, weights.T)
    make_data(folder, rng)

    model = compress(folder / "good.onnx").data
    (folder / "good.tamis").write_bytes(model)
    (folder / "wide.tamis").write_bytes(compress(folder / "good.onnx", weight_bits=8).data)
    gemm(folder / "large.onnx", rng.normal(size=(COLUMNS, 2000)).astype(np.float32))
    (folder / "large.tamis").write_bytes(compress(folder / "large.onnx").data)
    for name in ("good.onnx", "good.npz", "inputs.npy", "good.tamis"):
        whole = (folder / name).read_bytes()
        (folder / f"cut{Path(name).suffix}").write_bytes(whole[: len(whole) * 2 // 3])
    flipped = bytearray(model)
    flipped[len(model) // 2] ^= 0x10
    (folder / "flipped.tamis").write_bytes(flipped)
    sparse = compress(folder / "good.onnx", keep=0.3).data
    (folder / "table.tamis").write_bytes(damaged(sparse, "Huffman code is"))
    (folder / "stream.tamis").write_bytes(damaged(sparse, "weight stands at place"))
    newer = bytearray(model[:-4])
    struct.pack_into("<H", newer, len(MAGIC), struct.unpack_from("<8sH", newer)[1] + 1)
    assert HEADER.unpack_from(newer)[1] == 3
    (folder / "newer.tamis").write_bytes(newer + struct.pack("<I", zlib.crc32(newer)))


def damaged(model: bytes, message: str) -> bytes:
    """The model file with one bit flipped, under a good checksum, so that it is refused with a message."""
    for bit in range(8 * HEADER.size, 8 * (len(model) - 4)):
        changed = bytearray(model[:-4])
        changed[bit // 8] ^= 1 << bit % 8
        changed += struct.pack("<I", zlib.crc32(changed))
        try:
            decode(bytes(changed))
        except InputError as error:
            if message in str(error):
                return bytes(changed)
    raise AssertionError(f"no flipped bit gives {message!r}")


def make_data(folder: Path, rng: np.random.Generator) -> None:
    """Write good and bad samples to train with."""
    samples = rng.normal(size=(200, COLUMNS)).astype(np.float32)
    labels = np.arange(200) % 10
    np.savez(folder / "data.npz", x=samples, y=labels)
    np.savez(folder / "narrow_data.npz", x=samples[:, :-1], y=labels)
    np.savez(folder / "label_data.npz", x=samples, y=labels + 51)
    np.savez(folder / "float_data.npz", x=samples, y=labels.astype(float))


def make_matrices(folder: Path, weights: np.ndarray) -> None:
    """Write good and bad matrices of scipy.sparse, and vectors for them."""
    good = scipy.sparse.csr_matrix(weights)
    spoilt = good.copy()
    spoilt.data[7] = np.nan
    matrices = {
        "matrix": good,
        "nan_matrix": spoilt,
        "zero_matrix": scipy.sparse.csr_matrix((60, COLUMNS)),
        "complex_matrix": good.astype(np.complex64),
        "bsr_matrix": good.tobsr(),
        "long_matrix": scipy.sparse.csr_matrix(np.ones((1, 70000), dtype=np.int8)),
        "wide_matrix": scipy.sparse.csr_matrix(([1.0], ([0], [0])), shape=(1, (1 << 20) + 1)),
    }
    for name, matrix in matrices.items():
        scipy.sparse.save_npz(folder / f"{name}.npz", matrix)
    arrays = dict(np.load(folder / "matrix.npz"))
    np.savez(folder / "wrong_matrix.npz", **{**arrays, "indices": arrays["indices"] + 1})
    np.save(folder / "nan_vector.npy", np.full(COLUMNS, np.nan))
    np.save(folder / "long.npy", np.ones(70000, dtype=np.int16))
    np.save(folder / "text.npy", np.array(["x"] * COLUMNS))


@contextlib.contextmanager
def ports(folder: Path) -> Iterator[None]:
    """Pseudo-terminals under the names silent, chatty, busy and forbidden, for as long as they are needed."""
    with contextlib.ExitStack() as stack:
        masters = {}
        for name in ("silent", "chatty", "busy", "forbidden"):
            master, slave = pty.openpty()
            tty.setraw(slave)
            stack.callback(os.close, master)
            stack.callback(os.close, slave)
            (folder / name).symlink_to(os.ttyname(slave))
            stack.callback((folder / name).unlink)
            masters[name] = master
        stack.enter_context(serial.Serial(str(folder / "busy"), exclusive=True))
        stop = threading.Event()
        os.set_blocking(masters["chatty"], False)  # nobody may be listening
        chatter = threading.Thread(target=chat, args=(masters["chatty"], stop))
        chatter.start()
        stack.callback(chatter.join)
        stack.callback(stop.set)
        yield


def chat(master: int, stop: threading.Event) -> None:
    """Talk as a console does, whatever is asked."""
    while not stop.wait(0.05):
        with contextlib.suppress(BlockingIOError):
            os.write(master, b"login: \r\n\0")


def run(case: Case, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a case's command."""
    variables = os.environ | {"PYTHONPATH": str(ROOT), "TAMIS_CACHE": str(folder / "cache")}
    if case.path:
        variables["PATH"] = str(folder / case.path)
    with open(case.stdout, "w") if case.stdout else contextlib.nullcontext(subprocess.PIPE) as stdout:
        return subprocess.run(
            [sys.executable, "-c", case.program, *case.command.split()],
            cwd=folder,
            env=variables,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=SECONDS,
        )


def main() -> None:
    """Print every case."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_files(folder)
        with ports(folder):
            for case in CASES:
                result = run(case, folder)
                print(f"{case.name}\n  $ tamis {case.command}{case.stdout and f' > {case.stdout}'}")
                print(
                    "".join(f"  {line}\n" for line in (result.stdout or "").splitlines() if line.strip()),
                    end="",
                )
                print(f"  {result.stderr.rstrip()}\n  exit code {result.returncode}\n")


if __name__ == "__main__":
    main()
