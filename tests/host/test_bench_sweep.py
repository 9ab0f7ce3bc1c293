"""The sweeps, exact on small layers: one plan for all queues, busy cycles, run widths, speed-ups, files."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from golden.cycles import run_cycles
from golden.encoding import entry_counts
from golden.engine import Engine
from golden.execute import execute
from golden.geometry import Geometry
from host import bench_layers, bench_plots, bench_sweep, cli
from host.bench import geometry_for, plan_case
from host.bench_layers import Case, Shape, draw, make_layer
from host.bench_sweep import (
    DEPTHS,
    PES,
    RUN_BITS,
    SWEEPS,
    pe_counts,
    queue_depths,
    run_widths,
    time_case,
    with_run_bits,
)
from host.bench_sweep_plots import draw_sweep

ROOT = Path(__file__).parents[2]
TINY = Shape("tiny", 200, 150, 0.04, 0.5, 0, 0.0)
SMALL = Shape("small", 60, 90, 0.3, 1.0, 0, 0.0)
MODES = (False, True)


def drawn(shape: Shape, seed: int = 1) -> Case:
    layer, vector = draw(shape, np.random.default_rng(seed), "lognormal")
    return Case(name=shape.name, layer=layer, vector=vector, rows="lognormal", seed=seed)


@pytest.fixture
def small_layers(monkeypatch):
    monkeypatch.setattr(bench_layers, "SHAPES", (TINY, SMALL))


def by_model(case: Case, geometry: Geometry) -> tuple[int, int]:
    """Cycles and stalls of a plan that was made for this very geometry."""
    result = execute(plan_case(case, geometry), Engine(geometry, run_cycles), case.vector[np.newaxis])
    return int(result.cycles[0]), int(result.stalls[0])


@pytest.mark.parametrize("paper", MODES)
def test_one_plan_serves_all_queues(paper):
    case, geometry = drawn(replace(SMALL, columns=600, weights=0.1)), geometry_for(16, paper=paper)
    swept = time_case(case, geometry, DEPTHS)
    assert [one.queue for one in swept] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    for one in swept:
        assert (one.cycles, one.stalls) == by_model(case, replace(geometry, queue_depth=one.queue))
    assert swept[0].cycles > swept[-1].cycles
    assert len({one.busy_cycles for one in swept}) == 1


@pytest.mark.parametrize("paper", MODES)
def test_tiles_add_up(paper):
    case = drawn(TINY)
    geometry = replace(geometry_for(3, paper=paper), matrix_words=64, accumulators=32, activations=64)
    whole, (tiled,) = geometry_for(3, paper=paper), time_case(case, geometry)
    assert tiled.tiled and tiled.steps > 2
    assert (tiled.cycles, tiled.stalls) == by_model(case, geometry)
    (resident,) = time_case(case, whole)
    assert not resident.tiled and resident.steps == 1
    assert tiled.cycles > resident.cycles
    assert tiled.nnz_active == resident.nnz_active == case.nnz_active


def test_paper_is_busy_with_weights_padding_and_empty_columns():
    case = drawn(replace(TINY, rows=400))
    (one,) = time_case(case, geometry_for(4, paper=True))
    busy = padding = 0
    for column in range(case.layer.columns):
        rows = case.layer.row[case.layer.column == column]
        for pe in range(4):
            slots = rows[rows % 4 == pe] // 4
            entries = int(entry_counts(np.diff(slots, prepend=-1) - 1, 4, padding_zeros=True).sum())
            padding += entries - slots.size
            busy += max(entries, 1) * bool(case.vector[column])
    assert (one.busy_cycles, one.padding) == (busy, padding)
    assert padding > 0
    assert one.load_efficiency == busy / (4 * one.cycles)
    assert one.work_share == case.nnz_active / busy
    assert one.efficiency == pytest.approx(one.load_efficiency * one.work_share)


def test_escapes_and_empty_columns_cost_this_engine_no_cycle():
    layer = make_layer((128, 6), [0, 70, 100, 3], [0, 0, 2, 4], [1, 1, 1, 1], [0, 7])
    layer = replace(layer, index_bits=4, codebook=np.arange(16, dtype=np.int16))
    case = Case(name="x", layer=layer, vector=np.ones(6, dtype=np.int16))
    (ours,) = time_case(case, geometry_for(1))
    (papers,) = time_case(case, geometry_for(1, paper=True))
    assert (ours.entries, ours.padding, ours.busy_cycles) == (6, 2, 4)
    # Gaps of 69, 100 and 3 zeros: four and six padding entries; and three empty columns.
    assert (papers.entries, papers.padding, papers.busy_cycles) == (14, 10, 17)
    assert (ours.stored_bits, papers.stored_bits) == (6 * 8 / 4, 14 * 8 / 4)
    assert (ours.work_share, papers.work_share) == (1.0, 4 / 17)


@pytest.mark.parametrize("paper", MODES)
@pytest.mark.parametrize("run_bits", [4, 5])
def test_run_widths_are_those_of_real_entries(paper, run_bits):
    case, geometry = drawn(TINY), geometry_for(2, 8, paper=paper)
    (swept,) = time_case(*with_run_bits(case, geometry, run_bits))
    (real,) = time_case(case, replace(geometry, entry_bits=4 + run_bits))
    assert swept == real
    assert swept.stored_bits == swept.entries * (4 + run_bits) / swept.nnz


def test_every_run_width_is_swept():
    swept = list(run_widths([drawn(TINY)], 4))
    assert [(one.paper, one.queue, one.run_bits) for one in swept] == [
        (paper, 8 if paper else 16, run_bits) for paper in MODES for run_bits in range(1, 9)
    ]
    for mode in (swept[: len(RUN_BITS)], swept[len(RUN_BITS) :]):
        assert [one.padding for one in mode] == sorted((one.padding for one in mode), reverse=True)
        assert mode[0].padding > mode[-1].padding == 0
        assert mode[0].cycles > mode[-1].cycles
    assert swept[0].weights_share == swept[0].nnz / (swept[0].nnz + swept[0].padding)


def test_layer_is_tiled_at_any_run_width():
    case, geometry = with_run_bits(drawn(TINY), geometry_for(2, paper=True), 1)
    (one,) = time_case(case, replace(geometry, matrix_words=128))
    assert one.tiled


def test_speedup_is_over_one_pe():
    swept = list(pe_counts([drawn(SMALL)], 5))
    assert [one.pes for one in swept] == [*PES, *PES]
    assert {one.queue for one in swept} == {5}
    for paper in MODES:
        cycles = {one.pes: one.cycles for one in swept if one.paper is paper}
        speedups = {one.pes: one.speedup for one in swept if one.paper is paper}
        assert speedups == {pes: cycles[1] / cycles[pes] for pes in PES}
    one = swept[PES.index(4)]
    (again,) = time_case(drawn(SMALL), geometry_for(4, 5))
    assert replace(one, speedup=None) == again


@pytest.mark.parametrize(
    ("command", "setting", "values"),
    [
        ("queue --pes 4", "queue", DEPTHS),
        ("runs --pes 4 --queue 3", "run_bits", RUN_BITS),
        ("pes --queue 3", "pes", PES),
    ],
)
def test_json_follows_its_schema(small_layers, tmp_path, capsys, command, setting, values):
    arguments = f"bench sweep {command} --seed 5 --layers small --rows lognormal --json --plots".split()
    assert cli.main([*arguments, str(tmp_path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    schema = json.loads((ROOT / "docs" / "schemas" / "sweep.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(printed, schema, jsonschema.Draft202012Validator)
    expected = [("small", paper, value) for paper in MODES for value in values]
    assert [(one["layer"], one["paper"], one[setting]) for one in printed] == expected
    assert {(one["seed"], one["rows"]) for one in printed} == {(5, "lognormal")}
    name = command.split()[0]
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}_{f}.png" for f in SWEEPS[name].figures}


def test_tables_say_what_they_show(small_layers, capsys):
    assert cli.main(["bench", "sweep", "queue", "--pes", "4"]) == 0
    text = capsys.readouterr().out
    for part in ("cycle model", "seed 1", "4 PEs", "Load efficiency", "this engine", "paper's choices"):
        assert part in text
    assert all(name in text for name in ("tiny", "small", "256"))
    assert "Tiled" not in text


def test_tables_name_what_was_tiled(capsys):
    swept = [replace(one, tiled=one.queue == 2) for one in queue_depths([drawn(SMALL)], 4)]
    bench_sweep.print_sweep("queue", swept)
    assert "with the paper's choices: small at 2." in " ".join(capsys.readouterr().out.split())


def test_figures_name_their_axes(monkeypatch, tmp_path):
    figures = []
    monkeypatch.setattr(bench_plots, "save_figure", lambda figure, path: figures.append(figure) or path)
    swept = list(pe_counts([drawn(SMALL)]))
    draw_sweep("pes", swept, tmp_path)
    assert len(figures) == len(SWEEPS["pes"].figures)
    for figure in figures:
        assert figure.axes[0].get_ylabel() and figure.get_suptitle()
        assert [axes.get_title() for axes in figure.axes] == ["this engine", "the paper's choices"]
        assert all("PEs" in axes.get_xlabel() for axes in figure.axes)
