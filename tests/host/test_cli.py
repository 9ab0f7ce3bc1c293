"""The `tamis` command: what each subcommand prints and writes, and the exit codes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from host import cli, cli_model, doctor, selftest
from host.driver import Driver
from host.session import load_model, predict

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "examples" / "digits"
COMMANDS = (
    "doctor", "demo", "check", "compress", "train", "decompress", "info", "run", "sim", "selftest", "verilog",
    "boards", "build", "flash", "prove", "estimate", "bench"
)  # fmt: skip
TAMIS = (sys.executable, "-m", "host.cli")
SECONDS = 300


def tamis(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own."""
    command = [*TAMIS, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=SECONDS)


def done(*arguments: object) -> str:
    """Standard output of a command that succeeds."""
    result = tamis(*arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def check_schema(name: str, value: object) -> None:
    schema = json.loads((ROOT / "docs" / "schemas" / f"{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(value, schema, jsonschema.Draft202012Validator)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("digits") / "digits.tamis"
    done("compress", DIGITS / "pruned.onnx", "-o", path, "--calibrate", DIGITS / "calibration.npy")
    return path


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Five test images."""
    path = tmp_path / "few.npy"
    np.save(path, np.load(DIGITS / "test_inputs.npy")[:5])
    return path


def test_help_names_every_command():
    text = done("--help")
    assert all(f"\n    {name}" in text for name in COMMANDS)
    assert "130 interrupted" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    assert done(command, "--help").startswith(f"usage: tamis {command}")


def test_help_loads_nothing_heavy():
    program = (
        "import sys\n"
        "from host.cli import main\n"
        "try: main(['run', '--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(bool({'numpy', 'rich', 'amaranth', 'onnx'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def test_version():
    assert done("--version").startswith("tamis ")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("frobnicate",),
        ("compress", "x.onnx"),
        ("compress", "x.onnx", "-o", "y", "--keep", "0"),
        ("compress", "x.onnx", "-o", "y", "--keep", "nan"),
        ("compress", "x.onnx", "-o", "y", "--keep", "0.1", "--keep-global", "0.1"),
        ("compress", "x.onnx", "-o", "y", "--weight-bits", "9"),
        ("info", "x.tamis", "--pes", "257"),
        ("run", "x.tamis", "x.npy", "-o", "y", "--target", "fpga"),
        ("verilog",),
        ("build",),
        ("build", "--board", "icebreaker", "--clock", "0.5"),
        ("build", "--board", "icebreaker", "--pes", "0"),
        ("flash", "--board", "icebreaker"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments, capsys):
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("tamis: ") and err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [("--target", "serial"), ("--target", "golden", "--port", "p"), ("--pes", "2", "--port", "p")],
)
def test_target_port_and_pes_that_exclude_each_other(digits, few, tmp_path, arguments):
    result = tamis("run", digits, few, "-o", tmp_path / "y.npy", *arguments)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1


def test_fault_of_the_program_is_one_sentence(monkeypatch, capsys):
    def fail(_: object) -> None:
        raise RuntimeError("surprise\nin two lines")

    monkeypatch.setattr(cli_model, "check", fail)
    monkeypatch.delenv("TAMIS_DEBUG", raising=False)
    assert cli.main(["check", "x.onnx"]) == 1
    expected = "tamis: internal error (RuntimeError: surprise in two lines); "
    assert capsys.readouterr().err == expected + "set TAMIS_DEBUG=1 and report what it prints\n"

    monkeypatch.setenv("TAMIS_DEBUG", "1")
    assert cli.main(["check", "x.onnx"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_interrupt(monkeypatch, capsys):
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_model, "check", interrupt)
    assert cli.main(["check", "x.onnx"]) == 130
    assert capsys.readouterr().err == "tamis: interrupted\n"


def test_reader_that_leaves_is_no_error(digits):
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run(
        [*TAMIS, "info", digits], stdout=writing, stderr=subprocess.PIPE, cwd=ROOT, timeout=SECONDS
    )
    os.close(writing)
    assert (result.returncode, result.stderr) == (0, b"")


def test_check_lists_every_node():
    text = done("check", DIGITS / "pruned.onnx")
    assert text.count("yes") == 5
    assert "\x1b" not in text


def test_compress_says_what_it_did(tmp_path):
    path = tmp_path / "small.tamis"
    text = done("compress", DIGITS / "dense.onnx", "-o", path, "--keep-global", "0.05", "--weight-bits", "3")
    assert f"{path.stat().st_size:,} bytes instead of 202,440 dense" in text
    layers = load_model(path).layers
    assert sum(layer.nnz for layer in layers) == 2510
    assert {layer.index_bits for layer in layers} == {3}


def test_info(digits):
    found = json.loads(done("info", digits, "--pes", 7, "--json"))
    check_schema("info", found)
    assert found["file_bytes"] == digits.stat().st_size
    assert found["dense_bytes"] == 4 * (50200 + 410)
    assert [layer["weights"] for layer in found["layers"]] == [1920, 2700, 300]
    assert [layer["dense_cycles"] for layer in found["board"]["layers"]] == [43 * 64, 15 * 300, 2 * 100]
    assert found["board"]["cycles"] < found["board"]["dense_cycles"]
    assert f"{found['board']['image_bytes']:,} image bytes" in done("info", digits, "--pes", 7)


def test_info_of_a_streamed_model(digits):
    found = json.loads(done("info", digits, "--pes", 1, "--json"))
    check_schema("info", found)
    assert not found["board"]["resident"]


def test_run_on_golden(digits, tmp_path):
    output = tmp_path / "y.npy"
    inputs = DIGITS / "test_inputs.npy"
    labels = np.load(DIGITS / "test_labels.npy")
    report = done("run", digits, inputs, "-o", output, "--labels", DIGITS / "test_labels.npy", "--json")
    found = json.loads(report)
    check_schema("run", found)
    outputs = np.load(output)
    assert outputs.dtype == np.float32 and outputs.shape == (354, 10)
    assert found["accuracy"] == np.mean(outputs.argmax(axis=1) == labels) > 0.97
    assert len(found["cycles"]) == len(found["stalls"]) == 354


def test_raw_outputs(digits, few, tmp_path):
    done("run", digits, few, "-o", tmp_path / "y.npy", "--raw")
    raw = np.load(tmp_path / "y.npy")
    model = load_model(digits)
    assert raw.dtype == np.int16
    np.testing.assert_array_equal(raw, predict(model, np.load(few)).raw)


def test_text_and_no_colour_where_the_output_is_no_terminal(digits, few, tmp_path):
    text = done("run", digits, few, "-o", tmp_path / "y.npy")
    assert text.startswith("5 inputs on golden with 4 PEs: ")


def random_network(path: Path, rng: np.random.Generator) -> None:
    """Three layers with negative weights, made with onnx alone."""
    sizes = (300, 500, 200, 30)
    nodes, constants, value = [], [], "x"
    for number in range(3):
        rows, columns = sizes[number + 1], sizes[number]
        weights = rng.normal(0, columns**-0.5, (rows, columns)).astype(np.float32)
        constants.append(numpy_helper.from_array(weights, f"w{number}"))
        constants.append(numpy_helper.from_array(rng.normal(0, 0.1, rows).astype(np.float32), f"b{number}"))
        output = "y" if number == 2 else f"v{number}"
        nodes.append(helper.make_node("Gemm", [value, f"w{number}", f"b{number}"], [output], transB=1))
        value = output
    graph = helper.make_graph(
        nodes,
        "random",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", sizes[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", sizes[-1]])],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def test_random_network_on_onnxruntime_golden_and_board(tmp_path):
    rng = np.random.default_rng(7)
    network, model, approximation = (tmp_path / name for name in ("r.onnx", "r.tamis", "a.onnx"))
    random_network(network, rng)
    inputs = rng.uniform(-1, 1, (6, 300)).astype(np.float32)
    np.save(tmp_path / "x.npy", inputs)
    done("compress", network, "-o", model, "--keep", "0.1")
    done("decompress", model, "-o", approximation)
    session = onnxruntime.InferenceSession(approximation, providers=["CPUExecutionProvider"])
    expected = session.run(None, {session.get_inputs()[0].name: inputs})[0]

    outputs = {}
    for target in ("golden", "sim"):
        path = tmp_path / f"{target}.npy"
        found = json.loads(
            done("run", model, tmp_path / "x.npy", "-o", path, "--target", target, "--raw", "--json")
        )
        check_schema("run", found)
        assert (found["link_bytes"] > 0) == (target == "sim")
        outputs[target] = np.load(path), found["cycles"]
    np.testing.assert_array_equal(outputs["sim"][0], outputs["golden"][0])
    assert outputs["sim"][1] == outputs["golden"][1]

    done("run", model, tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    assert np.abs(np.load(tmp_path / "y.npy") - expected).max() < 0.01 * np.ptp(expected)


def test_sim_prints_its_port_and_runs_until_interrupted(digits, few, tmp_path):
    with subprocess.Popen(
        [*TAMIS, "sim"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        text=True,
        # A test run in the background of a script ignores the interrupt, and its children would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as board:
        try:
            port = board.stdout.readline().rstrip("\n")
            assert Path(port).is_char_device()
            report = done("run", digits, few, "-o", tmp_path / "y.npy", "--port", port, "--json")
            found = json.loads(report)
            check_schema("run", found)
            assert found["target"] == "serial"
            board.send_signal(signal.SIGINT)
            out, err = board.communicate(timeout=30)
        finally:
            board.kill()
    assert board.returncode == 130
    assert out == ""
    assert err.endswith("tamis: interrupted\n") and "Traceback" not in err


def test_verilog_is_one_file(tmp_path):
    path = tmp_path / "engine.v"
    done("verilog", "-o", path, "--pes", 3)
    assert "module tamis_engine(" in path.read_text()


@pytest.mark.parametrize(("missing", "code"), [([], 0), (["g++"], 6)])
def test_doctor(missing, code, monkeypatch, capsys):
    found = [
        doctor.Finding(name, name not in missing, "the board", "seen", "install it")
        for name in ("g++", "Verilator")
    ]
    monkeypatch.setattr(doctor, "findings", lambda: found)
    assert cli.main(["doctor"]) == code
    out, err = capsys.readouterr()
    assert err.count("\n") == (code > 0)
    assert ("g++: seen, needed for the board; install it" in out) == bool(missing)
    assert ("Nothing is missing." in out) != bool(missing)


@pytest.mark.parametrize(("outcome", "code"), [("passed", 0), ("failed", 5)])
def test_selftest(outcome, code, monkeypatch, capsys):
    def short(driver: Driver, progress: selftest.Progress) -> selftest.Report:
        progress(1, 1)
        finding = selftest.Finding("identity", outcome, "", 0.1)
        board = {"port": driver.name, "pes": driver.geometry.pes}
        return selftest.Report(board=board, host={}, findings=[finding])

    monkeypatch.setattr(selftest, "selftest", short)
    assert cli.main(["selftest"]) == code
    out, err = capsys.readouterr()
    assert "pes 4" in out and f"{outcome}" in out
    assert err.count("\n") == (code > 0)
