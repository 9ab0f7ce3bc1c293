"""`tamis bench boards`, on small boards of its own: presets change, and no number here depends on one."""

import json
from dataclasses import replace

import numpy as np
import pytest

from boards import registry
from boards.board import Board
from boards.chips import GW1NR9, HX8K, UP5K, ecp5
from golden.cycles import run_cycles
from golden.engine import Engine
from golden.errors import UnsupportedError
from golden.execute import execute
from golden.forward import layer_forward
from golden.geometry import Geometry
from golden.plan import make_plan
from host import bench_boards, cli
from host.bench_boards import INPUTS, Network, Target, compare, dense_geometries, networks
from host.bench_boards_report import print_comparison
from host.bench_dense import BUILDS, dense_clock, marlann_bound, time_dense
from host.cost import Preset
from host.known_models import NetworkShape, random_inputs, random_model
from tests import networks as small
from tests.host.test_cli import check_schema

SHAPE = NetworkShape("tiny", (40, 30, 10), (0.2, 0.3), 0.3)
CASE = Network(shape=SHAPE, model=random_model(SHAPE), inputs=random_inputs(SHAPE, 3), seed=0)
GEOMETRY = Geometry(pes=3, matrix_words=256, pointer_words=64, accumulators=64, activations=64)


def board(name: str, chip, geometry: Geometry = GEOMETRY, **settings: object) -> Board:
    """A board that nobody makes."""
    common = {"title": "", "platform": "", "pll": "", "programmer": (), "oscillator_mhz": 12, "clock_mhz": 12}
    return Board(name=name, chip=chip, geometry=geometry, baud=1_000_000, **{**common, **settings})


BOARDS = [board("little", UP5K), board("other", HX8K, built=True), board("vague", GW1NR9, claims_clock=False)]


@pytest.fixture(autouse=True)
def small_boards(monkeypatch):
    monkeypatch.setattr(registry, "every", lambda: BOARDS)
    monkeypatch.setattr(bench_boards, "networks", lambda seed: [replace(CASE, seed=seed)])


def target(chip: str = "iCE40UP5K-SG48", geometry: Geometry = GEOMETRY, **settings: object) -> Target:
    """A target of 10 MHz and 1 Mbaud."""
    sizes = {"luts": 5280, "multipliers": 8, "block_ram_bytes": 15360, **settings}
    preset = Preset("b", geometry, 10_000_000, 1_000_000)
    return Target(preset=preset, clock_from="preset", status="untried", chip=chip, **sizes)


def rows(*targets: Target, case: Network = CASE):
    """What `compare` yields for one network."""
    return list(compare(targets, [case], lambda done, total: None))


def run(capsys, *arguments: object) -> str:
    """Standard output of the command."""
    code = cli.main(["bench", "boards", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


def test_prints_json_of_its_schema_and_draws(capsys, tmp_path):
    found = json.loads(run(capsys, "--json", "--plots", tmp_path, "--seed", 3))
    check_schema("bench_boards", found)
    assert [(row["board"], row["status"]) for row in found] == [
        ("little", "untried"),
        ("other", "built"),
        ("vague", "untried"),
    ]
    assert [row["clock_from"] for row in found] == ["preset", "preset", "none claimed"]
    assert [row["marlann_per_second"] is None for row in found] == [False, True, True]
    assert (tmp_path / "boards.png").stat().st_size > 1000


def test_ours_is_the_mean_of_the_cycle_model():
    (row,) = rows(target())
    cycles = execute(make_plan(CASE.model, GEOMETRY), Engine(GEOMETRY, run_cycles), CASE.inputs).cycles
    hidden = layer_forward(CASE.model.layers[0], CASE.inputs)[0]
    assert row.resident and row.inputs == 3
    assert row.activations == (0.3, np.count_nonzero(hidden) / hidden.size)
    assert row.cycles == pytest.approx(cycles.mean())
    assert row.engine_us == pytest.approx(row.cycles / 10)
    assert row.answer_us > row.engine_us + 10 * row.wire_bytes
    assert row.engine_us < row.pace_us < row.answer_us
    assert row.marlann_per_second == pytest.approx(marlann_bound([(30, 40), (10, 30)]))


def test_a_streamed_network_waits_for_the_slower_of_line_and_engine():
    (row,) = rows(target(geometry=replace(GEOMETRY, matrix_words=16)))
    assert row.resident is False
    assert row.answer_us == row.pace_us == pytest.approx(max(row.engine_us, 10 * row.wire_bytes))


def test_ours_beside_the_dense_engines():
    (row,) = rows(target())
    few, many = row.dense
    assert (few.size, few.lanes, many.size, many.lanes) == ("ours", 4, "all", 16)
    assert few.clock_mhz == dense_clock("iCE40UP5K", "ours") and few.clock_from == "alone"
    for one, geometry in zip(row.dense, dense_geometries(target(), CASE.layers).values(), strict=True):
        timing = time_dense(CASE.layers, geometry, clock_mhz=one.clock_mhz, baud=1_000_000)
        assert (one.cycles, one.engine_us, one.answer_us) == (timing.cycles, timing.us, timing.wire_us)
        assert one.faster == pytest.approx(timing.us / row.engine_us)
        assert one.answer_faster == pytest.approx(timing.wire_us / row.answer_us)


@pytest.mark.parametrize(
    ("chip", "pes", "lanes", "products"),
    [
        (UP5K, 1, (2, 16), ("plain", "plain")),
        (HX8K, 4, (4, 24), ("lut", "lut")),
        (ecp5("45F", "CABGA381", 6), 7, (8, 144), ("plain", "packed")),
        (GW1NR9, 2, (2, 40), ("plain", "packed")),
    ],
)
def test_dense_engines_have_as_many_multipliers_as_ours_and_as_the_chip(chip, pes, lanes, products):
    sizes = {"luts": chip.luts, "multipliers": chip.dsps, "block_ram_bytes": 8192}
    found = dense_geometries(target(chip.name, replace(GEOMETRY, pes=pes), **sizes), CASE.layers)
    assert tuple(one.lanes for one in found.values()) == lanes
    assert tuple(one.products for one in found.values()) == products


def test_sizes_that_were_built_are_those_of_the_benchmark():
    for build in BUILDS:
        if build.size == "all" and build.chip in ("UP5K", "HX8K"):
            chip = {"UP5K": UP5K, "HX8K": HX8K}[build.chip]
            found = dense_geometries(target(chip.name, luts=chip.luts, multipliers=chip.dsps), CASE.layers)
            assert (found["all"].lanes, found["all"].products) == (
                build.geometry.lanes,
                build.geometry.products,
            )


def test_all_memory_of_the_chip_holds_dense_weights():
    weights = 30 * 40 + 10 * 30
    for room, resident in ((weights, True), (weights - 1, False)):
        (row,) = rows(target("iCE40HX8K-CT256", multipliers=0, block_ram_bytes=room))
        assert [one.resident for one in row.dense] == [resident] * 2
    (row,) = rows(target(block_ram_bytes=0))
    assert [one.resident for one in row.dense] == [True, True], "in the single-port memories"


def test_dense_engines_lack_nothing_but_room_for_weights():
    found = dense_geometries(target(), [(3000, 2000)] * 9)
    assert all((one.biases, one.activations, one.layers) == (27000, 3000, 9) for one in found.values())


def test_where_nothing_was_built_a_dense_engine_has_our_clock():
    (row,) = rows(target("GW1NR-LV9QN88PC6/I5"))
    assert [(one.clock_mhz, one.clock_from) for one in row.dense] == [(10.0, "assumed")] * 2


def test_densities_rise_until_both_dense_engines_are_faster():
    (row,) = rows(target())
    slowest = max(one.engine_us for one in row.dense)
    times = [time for _, time in row.densities]
    assert all(time < slowest for time in times[:-1])
    assert times[-1] >= slowest or row.densities[-1][0] == 1
    for one in row.dense:
        if one.wins_at is not None:
            assert row.densities[0][0] <= one.wins_at <= row.densities[-1][0]
            assert np.interp(one.wins_at, *zip(*row.densities, strict=True)) >= one.engine_us * 0.999


def test_boards_with_one_engine_share_its_runs(monkeypatch):
    asked = []
    meter = bench_boards.meter

    def noting(*given, **options):
        asked.append(given)
        return meter(*given, **options)

    monkeypatch.setattr(bench_boards, "meter", noting)
    first, second = rows(target(), target("LFE5U-25F-6 CABGA381"))
    assert len(asked) <= max(len(first.densities), len(second.densities)) + 1
    assert (first.cycles, first.wire_bytes) == (second.cycles, second.wire_bytes)


def test_what_does_not_fit_says_why(capsys):
    model = small.random_model(np.random.default_rng(0), [40, 30, 10], index_bits=8)
    found = rows(target(), case=replace(CASE, model=model))
    (row,) = found
    assert not row.fits and "8 bits" in row.reason and row.cycles is None and row.densities == ()
    assert [(one.faster, one.answer_faster, one.wins_at) for one in row.dense] == [(None, None, None)] * 2
    check_schema("bench_boards", json.loads(json.dumps([row.as_dict()])))
    print_comparison(found)
    text = capsys.readouterr().out
    assert "do not fit" in text and f"b: {row.reason}" in text


def test_densities_end_where_ours_cannot_run_them(monkeypatch, capsys):
    meter = bench_boards.meter

    def narrow(model, geometry, inputs, **options):
        if model.layers[0].nnz > 0.25 * 30 * 40:
            raise UnsupportedError("too much")
        return meter(model, geometry, inputs, **options)

    monkeypatch.setattr(bench_boards, "meter", narrow)
    (row,) = found = rows(target(GW1NR9.name))
    assert row.fits and row.densities[-1][0] == 0.2 and row.dense[0].wins_at is None
    print_comparison(found)
    assert "> 20.0 %" in capsys.readouterr().out


def test_tables_say_what_is_assumed(capsys):
    text = run(capsys)
    for said in ("none claimed", "12.0*", "out of context", "flatters", "MARLANN's bound", "wins from"):
        assert said in text


def test_markdown_has_a_line_for_each_board(capsys):
    lines = run(capsys, "--markdown").splitlines()
    assert lines[0] == "**tiny**" and len({line.count("|") for line in lines[2:7]}) == 1
    assert [line.split(" | ")[0] for line in lines[4:7]] == ["| little", "| other", "| vague"]
    assert "3 x 12, none claimed | resident" in lines[6] and "12.0\\*, 12.0\\*" in lines[6]
    assert lines[8].startswith("MARLANN's bound beside little: 312,533 inferences a second. Ours: ")


def manifest(folder, name: str, clock_mhz: float, geometry: Geometry = GEOMETRY) -> None:
    """What a build leaves."""
    folder.mkdir()
    sizes = dict.fromkeys(("pes", "clock_asked_mhz", "lut", "ff", "bram", "dsp"), 1)
    found = {
        "board": name,
        "geometry": geometry.as_dict(),
        "clock_reached_mhz": clock_mhz,
        "clock_claimed": True,
    }
    (folder / "manifest.json").write_text(json.dumps({**sizes, **found}))


def test_reckons_with_the_slowest_clock_that_a_build_of_the_preset_reached(capsys, tmp_path):
    manifest(tmp_path / "a", "little", 31.25)
    manifest(tmp_path / "b", "little", 30.5)
    manifest(tmp_path / "c", "other", 99, replace(GEOMETRY, pes=2))
    little, other, _ = json.loads(run(capsys, "--json", "--manifests", tmp_path))
    assert (little["clock_mhz"], little["clock_from"]) == (30.5, "build")
    assert little["engine_us"] == pytest.approx(little["cycles"] / 30.5)
    assert (other["clock_mhz"], other["clock_from"]) == (12, "preset")


def test_a_folder_without_manifests_is_refused(capsys, tmp_path):
    assert cli.main(["bench", "boards", "--manifests", str(tmp_path)]) == 3
    assert "holds no manifest.json" in capsys.readouterr().err


def test_the_networks_of_the_benchmark():
    digits, *known = networks(1)
    assert [case.shape.name for case in (digits, *known)] == ["digits", "lenet-300-100", "784-1024-1024-10"]
    for case in (digits, *known):
        assert case.inputs.shape == (INPUTS, case.model.inputs) and case.inputs.dtype == np.int16
    again = networks(1)[0]
    np.testing.assert_array_equal(digits.inputs, again.inputs)
    half = digits.with_density(0.5)
    assert [(layer.rows, layer.columns) for layer in half.layers] == digits.layers
    assert all(layer.nnz == round(layer.rows * layer.columns / 2) for layer in half.layers)
