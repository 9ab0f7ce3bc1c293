"""The benchmarks, exact on small layers: gateware, cycle model, columns of the tables, files."""

import importlib
import json
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_array_equal

from boards.bare_engine import BareEngine
from golden.cycles import run_cycles
from golden.engine import Engine
from golden.errors import TamisError, ToolMissingError
from golden.execute import Device
from golden.forward import forward
from golden.geometry import Geometry
from hdl.layouts import queue_layout
from host import bench_layers, bench_plots, bench_threshold, cli, cli_bench
from host.bench import Measurement, geometry_for, measure, plan_case, require_scipy
from host.bench_files import read_case, read_matrix
from host.bench_layers import Case, Shape, draw, make_case
from host.bench_report import totals
from host.demo import EXAMPLE
from host.session import load_model
from host.values import to_integers

ROOT = Path(__file__).parents[2]
TINY = Shape("tiny", 300, 130, 0.1, 0.5, 1234, 1.5)
WIDE = Shape("wide", 90, 500, 0.05, 1.0, 2345, 2.5)
PES = 4
ROWS = ("uniform", "lognormal")


@pytest.fixture(scope="module")
def ours() -> Iterator[BareEngine]:
    with BareEngine(geometry_for(PES)) as engine:
        yield engine


@pytest.fixture(scope="module")
def papers() -> Iterator[BareEngine]:
    with BareEngine(geometry_for(PES, 8, paper=True)) as engine:
        yield engine


@pytest.fixture
def no_build(monkeypatch, ours, papers):
    """Let the command use the engines that are there."""
    engines = {engine.geometry: nullcontext(engine) for engine in (ours, papers)}
    monkeypatch.setattr("boards.bare_engine.BareEngine", engines.__getitem__)


@pytest.fixture
def small_layers(monkeypatch):
    monkeypatch.setattr(bench_layers, "SHAPES", (TINY, WIDE))


def timed(case: Case, device: Device) -> Measurement:
    geometry = device.geometry
    return measure(case, plan_case(case, geometry), device, queue_layout(geometry).size)


def check_schema(name: str, value: object) -> None:
    schema = json.loads((ROOT / "docs" / "schemas" / f"{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(value, schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("shape", [TINY, WIDE], ids=lambda shape: shape.name)
def test_gateware_equals_golden_and_the_model(ours, papers, small_layers, shape, rows):
    case = make_case(shape, 1, rows)
    mine, theirs = timed(case, ours), timed(case, papers)
    assert mine.matches_golden and theirs.matches_golden
    assert mine.cycles == mine.model_cycles
    assert theirs.cycles == theirs.model_cycles == mine.paper_cycles == theirs.paper_cycles
    assert mine.ideal_cycles < mine.cycles <= mine.interleaved_cycles < theirs.cycles
    assert theirs.interleaved_cycles == theirs.cycles


def test_columns_are_what_they_are_called(ours, small_layers):
    case = make_case(TINY, 2, "lognormal")
    one = timed(case, ours)
    dense = case.layer.weights()
    active = int(np.count_nonzero(dense[:, case.vector != 0]))
    assert (one.nnz, one.nnz_active) == (np.count_nonzero(dense), active)
    assert one.ideal_cycles == -(-active // PES)
    assert one.efficiency == active / (PES * one.cycles)
    assert one.entries == one.nnz + one.padding
    assert one.dense_cycles == 33 * 300
    assert one.us == one.cycles / one.clock_mhz
    assert (one.eie_cycles, one.eie_us) == (1234, 1.5)
    assert (one.tiled, one.steps) == (False, 1)
    assert one.csr_us > 0


def test_bits_count_every_memory(small_layers):
    geometry = Geometry(pes=2, queue_depth=5, word_entries=2, scan_width=2)
    layer = bench_layers.make_layer((3, 4), [0, 2, 1], [0, 0, 3], [1, 1, 1], [0, 7])
    case = Case(name="x", layer=layer, vector=np.array([1, 0, 0, 1], dtype=np.int16))
    one = timed(case, Engine(geometry, run_cycles))
    # Rows 0 and 2 meet in column 0, so they go to different PEs; one of them also has row 1.
    assert one.bits == {
        "matrix": 2 * 1 * 16,
        "pointers": 2 * 1 * (12 + 32),
        "codebook": 2 * 2 * 16,
        "steps": 8 * 32,
        "activations": 2 * (2 + 2) * 16,
        "accumulators": 2 * 2 * 32,
        "queue": 2 * 5 * queue_layout(geometry).size,
    }
    assert one.bits_per_weight == sum(one.bits.values()) / 3


def test_layer_that_does_not_fit_is_tiled(small_layers):
    geometry = Geometry(pes=3, matrix_words=256, accumulators=32, activations=64, scan_width=2)
    one = timed(make_case(TINY, 1, "uniform"), Engine(geometry, run_cycles))
    assert one.tiled and one.steps > 1
    assert one.matches_golden
    assert one.bits["accumulators"] == 3 * 32 * 32
    assert one.bits["matrix"] <= 3 * 256 * geometry.word_bits


def test_placement_knows_weights_and_calibration_but_not_the_vector():
    layer, vector = draw(TINY, np.random.default_rng(1), "lognormal")
    half = np.arange(300) < 150
    cases = {
        "seen": Case(name="x", layer=layer, vector=vector),
        "other": Case(name="x", layer=layer, vector=vector[::-1].copy()),
        "calibrated": Case(name="x", layer=layer, vector=vector, activity=half.astype(float)),
    }
    geometry = geometry_for(PES)
    images = {name: plan_case(case, geometry).images for name, case in cases.items()}
    assert images["seen"] == images["other"]
    assert images["seen"] != images["calibrated"]


def test_matrices_are_random_as_said(small_layers):
    shape = replace(TINY, columns=2000)
    uniform, vector = draw(shape, np.random.default_rng(1), "uniform")
    spread, _ = draw(shape, np.random.default_rng(1), "lognormal")
    assert np.count_nonzero(vector) / 2000 == pytest.approx(0.5, abs=0.05)
    per_row = [np.bincount(layer.row, minlength=130) / 2000 for layer in (uniform, spread)]
    assert [share.mean() for share in per_row] == pytest.approx([0.1, 0.1], abs=0.005)
    assert per_row[0].std() < 0.01
    assert np.log(per_row[1]).std() == pytest.approx(0.6, abs=0.1)
    full, _ = draw(replace(shape, weights=0.9), np.random.default_rng(1), "lognormal")
    assert np.bincount(full.row).max() == 2000
    assert np.all(full.bound() < 1 << 31)
    assert_array_equal(make_case(TINY, 3, "uniform").vector, make_case(TINY, 3, "uniform").vector)
    assert np.any(make_case(TINY, 3, "uniform").vector != make_case(TINY, 4, "uniform").vector)


def test_one_geometry_for_each_number_of_pes():
    for pes in range(1, 257):
        geometry = geometry_for(pes)
        assert geometry.pes * geometry.activations <= 65536
        if pes >= 32:
            assert geometry.matrix_entries * pes >= 1 << 23
            assert geometry.columns >= 25088


def test_eie_prints_json_of_its_schema(small_layers, capsys, tmp_path):
    plots = tmp_path / "new" / "plots"
    arguments = ["bench", "eie", "--pes", str(PES), "--seed", "7", "--plots", str(plots), "--json"]
    assert cli.main(arguments) == 0
    printed = json.loads(capsys.readouterr().out)
    check_schema("bench", printed)
    assert [(one["layer"], one["seed"], one["rows"]) for one in printed] == [
        ("tiny", 7, "uniform"),
        ("wide", 7, "uniform"),
    ]
    assert all(one["cycles"] == one["model_cycles"] and one["matches_golden"] for one in printed)
    assert sorted(path.name for path in plots.iterdir()) == ["bits.png", "cycles.png", "efficiency.png"]


def test_eie_says_what_its_columns_are(no_build, small_layers, capsys):
    arguments = ["bench", "eie", "--pes", str(PES), "--rows", "lognormal", "--layers", "wide", "--paper"]
    assert cli.main(arguments) == 0
    text = capsys.readouterr().out
    for part in ("simulated only", "paper's choices", "lognormal rows", "queue of 8", "one activation"):
        assert part in text
    for part in ("EIE cycles*", "other matrices", "800 MHz", "assumed", "one thread"):
        assert part in text


def test_sums_over_layers(ours, small_layers):
    measured = [timed(make_case(shape, 1, "uniform"), ours) for shape in (TINY, WIDE)]
    sums = totals(measured)
    assert sums.cycles == measured[0].cycles + measured[1].cycles
    assert sums.efficiency == (measured[0].nnz_active + measured[1].nnz_active) / (PES * sums.cycles)
    ratio = np.prod([one.cycles / one.paper_cycles for one in measured]) ** 0.5
    assert sums.against_paper == pytest.approx(ratio)


@pytest.mark.parametrize("change", [{"matches_golden": False}, {"model_cycles": 1}])
def test_difference_is_an_error(monkeypatch, small_layers, change, capsys):
    engine = Engine(geometry_for(PES), run_cycles)
    wrong = replace(timed(make_case(TINY, 1, "uniform"), engine), **change)
    monkeypatch.setattr(cli_bench, "measure_all", lambda geometry, cases: [wrong])
    assert cli.main(["bench", "eie", "--pes", str(PES), "--json"]) == TamisError.exit_code
    assert "tiny; please report it" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
def test_any_matrix(no_build, form, tmp_path, capsys):
    rng = np.random.default_rng(5)
    matrix = scipy.sparse.random(40, 70, 0.2, form, dtype=np.float32, random_state=rng)
    matrix.data[0] = 0
    vector = np.where(rng.random(70) < 0.5, 1e-9, 0)
    vector[3] = -4.0
    draws = rng.integers(0, 2, (10, 70))
    scipy.sparse.save_npz(tmp_path / "w.npz", matrix)
    np.save(tmp_path / "a.npy", vector)
    np.save(tmp_path / "draws.npy", draws)
    names = [str(tmp_path / name) for name in ("w.npz", "a.npy", "draws.npy")]
    assert cli.main(["bench", "layer", *names[:2], "--calibrate", names[2], "--pes", str(PES), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    check_schema("bench", printed)
    (one,) = printed
    dense = matrix.toarray()
    assert (one["outputs"], one["inputs"], one["nnz"]) == (40, 70, np.count_nonzero(dense))
    assert one["nnz_active"] == np.count_nonzero(dense[:, vector != 0])
    assert (one["rows"], one["seed"], one["eie_cycles"]) == ("given", None, None)
    assert one["matches_golden"] and one["cycles"] == one["model_cycles"]

    case = read_case(*names)
    assert_array_equal(case.layer.weights() != 0, dense != 0)
    assert_array_equal(np.sign(case.vector), np.sign(vector))
    assert_array_equal(case.activity, draws.mean(axis=0))


def test_duplicates_in_a_matrix_add_up(tmp_path):
    matrix = scipy.sparse.coo_matrix(([1.0, 2.0, -2.0, 5.0], ([0, 1, 1, 0], [0, 1, 1, 0])), shape=(2, 2))
    scipy.sparse.save_npz(tmp_path / "w.npz", matrix)
    read = read_matrix(str(tmp_path / "w.npz"))
    assert_array_equal(read.toarray(), [[6, 0], [0, 0]])
    assert read.nnz == 1


def test_vector_without_an_activation_is_no_error(ours):
    layer, vector = draw(TINY, np.random.default_rng(1), "uniform")
    one = timed(Case(name="x", layer=layer, vector=np.zeros_like(vector)), ours)
    assert (one.nnz_active, one.efficiency, one.cycles) == (0, 0.0, one.model_cycles)


def test_missing_packages_are_named(monkeypatch, tmp_path):
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ToolMissingError, match=r"scipy is not installed.*pip install 'tamis\[bench\]'"):
        require_scipy()
    with pytest.raises(ToolMissingError, match=r"matplotlib is not installed.*pip install 'tamis\[plots\]'"):
        bench_plots.prepare(tmp_path)


@pytest.fixture(scope="module")
def few_digits(tmp_path_factory) -> Path:
    """The example with twelve test images."""
    folder = tmp_path_factory.mktemp("digits")
    for name in ("pruned.onnx", "calibration.npy"):
        shutil.copy(EXAMPLE / name, folder / name)
    for name in ("test_inputs.npy", "test_labels.npy"):
        np.save(folder / name, np.load(EXAMPLE / name)[:12])
    return folder


def test_threshold_skips_work(few_digits, monkeypatch, capsys, tmp_path):
    points = bench_threshold.sweep(few_digits, (0, 2048, 32767))
    assert [point.skipped for point in points][::2] == [0, 1]
    assert 0.05 < points[1].skipped < 0.9
    assert points[0].cycles > points[1].cycles > points[2].cycles
    assert points[0].accuracy >= points[1].accuracy > points[2].accuracy

    monkeypatch.setattr(bench_threshold, "sweep", lambda *_: points)
    assert cli.main(["bench", "threshold", "--json", "--plots", str(tmp_path)]) == 0
    check_schema("threshold", json.loads(capsys.readouterr().out))
    assert (tmp_path / "threshold.png").stat().st_size > 1000
    assert cli.main(["bench", "threshold"]) == 0
    assert "2,048" in capsys.readouterr().out


def test_run_takes_a_threshold(few_digits, tmp_path, capsys):
    names = [str(tmp_path / name) for name in ("digits.tamis", "y.npy")]
    calibration = str(few_digits / "calibration.npy")
    assert (
        cli.main(["compress", str(few_digits / "pruned.onnx"), "-o", names[0], "--calibrate", calibration])
        == 0
    )
    inputs = str(few_digits / "test_inputs.npy")
    assert cli.main(["run", names[0], inputs, "-o", names[1], "--raw", "--threshold", "3000"]) == 0
    model = load_model(names[0])
    activations, _ = to_integers(model, np.load(inputs))
    expected, _ = forward(model, activations, threshold=3000)
    assert_array_equal(np.load(names[1]), expected)
    assert np.any(expected != forward(model, activations)[0])


def test_figures_name_their_axes(monkeypatch, small_layers, tmp_path):
    drawn = []
    monkeypatch.setattr(bench_plots, "save_figure", lambda figure, path: drawn.append(figure) or path)
    engine = Engine(geometry_for(PES), run_cycles)
    bench_plots.layers([timed(make_case(TINY, 1, "uniform"), engine)], tmp_path)
    points = [bench_threshold.Point(threshold=0, work=1, skipped=0.0, accuracy=1.0, cycles=3.0)]
    bench_plots.threshold(points, tmp_path)
    assert len(drawn) == 4
    for figure in drawn:
        assert all(axes.get_ylabel() for axes in figure.axes)
        assert figure.axes[-1].get_xlabel() and figure.get_suptitle()
