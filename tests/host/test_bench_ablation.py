"""The ablation: exact cycles on small layers, each beside the engine whose choices it names."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from golden.cycles import run_cycles
from golden.engine import Engine
from golden.execute import execute
from golden.geometry import Geometry
from golden.layers import Model
from golden.plan import make_plan
from host import bench_layers, bench_plots, cli
from host.bench import geometry_for, measure, on_chip_bits, placements, plan_case
from host.bench_ablation import CHOICES, ablate, pointer_bits, print_ablations
from host.bench_layers import Case, Shape, make_case, make_layer

ROOT = Path(__file__).parents[2]
TINY = Shape("tiny", 300, 130, 0.1, 0.5, 1234, 1.5)
WIDE = Shape("wide", 90, 500, 0.05, 1.0, 2345, 2.5)
PES = 4
CODEBOOK = [0, *range(1, 16)]


@pytest.fixture(autouse=True)
def small_layers(monkeypatch):
    monkeypatch.setattr(bench_layers, "SHAPES", (TINY, WIDE))


def case_of(dense: np.ndarray) -> Case:
    """A layer with weights where the matrix is not zero, all of whose columns are active."""
    column, row = np.nonzero(dense.T)
    layer = make_layer(dense.shape, row, column, np.full(row.size, 3), CODEBOOK)
    return Case(name="x", layer=layer, vector=np.ones(dense.shape[1], dtype=np.int16), seed=1, rows="uniform")


def spent(case: Case, geometry: Geometry, in_order: bool) -> int:
    """Cycles on an engine that is named in full."""
    plan = make_plan(Model(layers=(case.layer,)), geometry, placements(case, geometry, in_order))
    return int(execute(plan, Engine(geometry, run_cycles), case.vector[np.newaxis]).cycles[0])


def test_padding_zeros_cost_a_cycle_each_and_nothing_else_matters():
    """Forty columns of three weights on one PE, two of them behind two padding zeros each."""
    dense = np.zeros((100, 40))
    dense[[0, 40, 80]] = 1
    one = ablate(case_of(dense), 1)
    assert (one.nnz, one.ideal_cycles) == (120, 120)
    assert one.paper_cycles - one.changed["escapes"] == 40 * 4
    assert one.put_back["padding_zeros"] - one.cycles == 40 * 4
    assert one.put_back["rows_mod_n"] == one.put_back["empty_columns"] == one.cycles


def test_empty_columns_cost_a_cycle_each():
    """Forty columns without a weight, each between two that have eight, on one PE."""
    dense = np.ones((8, 81)) * (np.arange(81) % 2 == 0)
    one = ablate(case_of(dense), 1)
    assert one.paper_cycles == one.changed["escapes"]
    assert one.changed["escapes"] - one.changed["columns_dropped"] == 40
    assert one.put_back["empty_columns"] == one.cycles, "its neighbour has entries, and they go together"


def test_rows_that_meet_are_parted():
    """Rows 0, 2, 4 and so on have all the weights; in order they meet on one of two PEs."""
    dense = np.ones((16, 40)) * (np.arange(16) % 2 == 0)[:, np.newaxis]
    one = ablate(case_of(dense), 2)
    assert one.changed["columns_dropped"] - one.changed["rows_by_load"] == 40 * 4
    assert one.put_back["rows_mod_n"] - one.cycles == 40 * 4


def test_numbers_are_exact():
    """On a layer without random numbers; whoever changes the engine's timing changes these."""
    row, column = np.indices((160, 300))
    value = (row * row * 7 + column * column * 11 + row * column) % 127
    one = ablate(case_of(value < 3 + row % 5 * (column % 3)), PES)
    assert (one.ideal_cycles, one.paper_cycles, one.cycles) == (566, 876, 634)
    assert list(one.changed.values()) == [709, 674, 637, 634, 634]
    assert list(one.put_back.values()) == [844, 635, 662, 637, 634]


@pytest.mark.parametrize("rows", ["uniform", "lognormal"])
@pytest.mark.parametrize("shape", [TINY, WIDE], ids=lambda shape: shape.name)
def test_every_number_belongs_to_the_engine_that_is_named(shape, rows):
    case = make_case(shape, 1, rows)
    one = ablate(case, PES)
    paper = geometry_for(PES, 8, paper=True)
    ours = geometry_for(PES, 16)
    assert one.paper_cycles == spent(case, paper, True)
    assert one.changed == {
        "escapes": spent(case, replace(paper, padding_zeros=False), True),
        "columns_dropped": spent(case, replace(paper, padding_zeros=False, empty_columns=False), True),
        "rows_by_load": spent(case, replace(ours, scan_width=1, queue_depth=8), False),
        "two_broadcasts": spent(case, replace(ours, queue_depth=8), False),
        "queue_of_16": spent(case, ours, False),
    }
    assert one.put_back == {
        "padding_zeros": spent(case, replace(ours, padding_zeros=True), False),
        "empty_columns": spent(case, replace(ours, empty_columns=True), False),
        "rows_mod_n": spent(case, ours, True),
        "one_broadcast": spent(case, replace(ours, scan_width=1), False),
        "queue_of_8": spent(case, replace(ours, queue_depth=8), False),
    }
    assert one.cycles == one.changed["queue_of_16"]
    timed = measure(case, plan_case(case, ours), Engine(ours, run_cycles), 1)
    assert (one.cycles, one.paper_cycles) == (timed.model_cycles, timed.paper_cycles)
    assert one.put_back["rows_mod_n"] == timed.interleaved_cycles


def test_each_engine_is_timed_once():
    told: list[str] = []
    ablate(make_case(TINY, 1, "uniform"), PES, told.append)
    assert len(told) == 1 + 2 * len(CHOICES)
    assert told[-1] == "tiny: running the cycle model, 10 of 10"


def test_pointers_are_counted_as_stored():
    case = make_case(TINY, 1, "uniform")
    geometry = geometry_for(PES)
    plan = plan_case(case, geometry)
    full, stored = pointer_bits(plan)
    assert geometry.entry_address_bits == 18
    assert full == PES * 301 * 18
    assert stored == PES * (300 // 8 + 1) * (18 + 32) == on_chip_bits(plan, 1)["pointers"]
    small = Geometry(pes=3, matrix_words=256, accumulators=32, activations=64, scan_width=2)
    tiled = plan_case(case, small)
    (report,) = tiled.layers
    assert not tiled.resident and report.row_tiles > 1
    assert pointer_bits(tiled)[0] == 3 * 9 * (300 * report.row_tiles + report.steps)


def test_prints_json_of_its_schema(capsys, tmp_path):
    arguments = ["bench", "ablation", "--pes", str(PES), "--rows", "lognormal", "--seed", "7"]
    assert cli.main([*arguments, "--json", "--plots", str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    schema = json.loads((ROOT / "docs" / "schemas" / "ablation.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(printed, schema, jsonschema.Draft202012Validator)
    assert [(one["layer"], one["seed"], one["rows"]) for one in printed] == [
        ("tiny", 7, "lognormal"),
        ("wide", 7, "lognormal"),
    ]
    assert (tmp_path / "ablation.png").stat().st_size > 1000


def test_prints_tables_with_geometric_means(capsys):
    base = ablate(make_case(TINY, 1, "uniform"), PES)
    half = dict.fromkeys(base.changed, 1000)
    back = dict.fromkeys(base.put_back, 3000)
    first = replace(base, paper_cycles=2000, changed=half, cycles=1000, put_back=back)
    twice = replace(first, layer="more", paper_cycles=8000, put_back=dict.fromkeys(back, 12000))
    print_ablations([first, twice])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    means = {" ".join(line[:3]): line[3:] for line in lines if line[:1] == ["mean"]}
    assert means["mean / paper"][1:] == ["1.000", *["0.250"] * 5]
    assert means["mean / before"] == ["0.250", *["1.000"] * 4]
    assert means["mean / none"] == ["1.000", *["6.000"] * 5]
    text = " ".join(" ".join(line) for line in lines)
    for part in ("4 PEs", "seed 1", "uniform rows", "full, 18 bits", "queue of 8", "+ queue of 16"):
        assert part in text


def test_figure_names_its_axes(monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr(bench_plots, "save_figure", lambda figure, path: drawn.append(figure) or path)
    bench_plots.ablation([ablate(make_case(shape, 1, "uniform"), PES) for shape in (TINY, WIDE)], tmp_path)
    (figure,) = drawn
    assert all(axes.get_ylabel() for axes in figure.axes)
    assert figure.axes[-1].get_xlabel() == "layer" and figure.get_suptitle()
    assert [len(axes.patches) for axes in figure.axes] == [2 * 6, 2 * 5]
