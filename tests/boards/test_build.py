"""A build from the pins to the bitstream: of a small device always, of whole boards in the long run."""

import json
import resource

import numpy as np
import pytest

from boards import build, place, synthesis
from boards.registry import find
from golden import flash
from golden.errors import InputError, TamisError, UnsupportedError
from host import known_models
from tests.boards.echo import Echo
from tests.networks import random_model


@pytest.fixture
def small(monkeypatch, tmp_path):
    """An iCEBreaker with the small device, and a cache of its own."""
    monkeypatch.setattr(build, "Device", Echo)
    monkeypatch.setenv("TAMIS_CACHE", str(tmp_path / "cache"))
    return find("icebreaker").with_changes(pes=1, clock_mhz=18)


def test_a_small_device_from_pins_to_bitstream(small, tmp_path):
    steps, ticks = [], []
    result = build.build(small, note=steps.append, progress=lambda done, total: ticks.append((done, total)))
    manifest = build.deliver(small, result, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "manifest.json").read_text()) == manifest
    assert manifest["board"] == "icebreaker" and manifest["pes"] == 1
    assert manifest["clock_reached_mhz"] > manifest["clock_asked_mhz"] == 18
    assert 20 < manifest["lut"] < 300 and 10 < manifest["ff"] < 300
    assert (manifest["bram"], manifest["dsp"]) == (0, 0)
    bitstream = (tmp_path / "out" / manifest["bitstream"]).read_bytes()
    assert build._hash(bitstream) == manifest["sha256"]["bitstream"] and len(bitstream) > 50_000
    assert [step.partition(",")[0] for step in steps] == ["synthesis", "placement and routing", "packing"]
    assert all(done <= total for done, total in ticks) and len({total for _, total in ticks}) == 1

    again = build.build(small, note=steps.append)
    assert again == result and len(steps) == 3, "the second build is found in the cache"


def test_a_model_goes_beside_the_bitstream(small, tmp_path):
    """Another model needs no other bitstream."""
    manifests = []
    for seed in (0, 1):
        model = random_model(np.random.default_rng(seed), [20, 15, 10])
        image = build.model_image(small, model)
        result = build.build(small, flash=True)
        manifests.append(manifest := build.deliver(small, result, tmp_path / "out", image))
        assert json.loads((tmp_path / "out" / "manifest.json").read_text()) == manifest
        assert (tmp_path / "out" / "model.flash").read_bytes() == flash.contents(image)
        assert manifest["model"]["crc"] == image.crc
    first, second = manifests
    assert first["model"]["sha256"] != second["model"]["sha256"]
    assert {**first, "model": None} == {**second, "model": None}
    pins = build.constraints(small, build.board_pins(small, small.pins(), flash=True))
    assert (
        "set_io flash_select 16\nset_io flash_clock 15\nset_io flash_command 14\nset_io flash_data 17" in pins
    )
    assert len((tmp_path / "out" / manifest["bitstream"]).read_bytes()) < flash.OFFSET


def test_a_model_that_does_not_fit_is_refused(small):
    model = known_models.random_model(known_models.network("lenet-300-100"))
    sentence = (
        "^the model does not fit icebreaker with 1 PEs: a vector takes 784 slots "
        f".* has {small.geometry.activations};"
    )
    with pytest.raises(UnsupportedError, match=sentence):
        build.model_image(small.with_changes(pes=1), model)
    with pytest.raises(UnsupportedError, match=r"^tang_nano_9k has no flash that a model is loaded from"):
        build.model_image(find("tang_nano_9k"), model)


def test_another_seed_needs_no_other_synthesis(small, monkeypatch, tmp_path):
    monkeypatch.setenv("TAMIS_CACHE", str(tmp_path))
    build.build(small, seed=3)
    monkeypatch.setattr(build.synthesis, "synthesise", None)
    build.build(small, seed=4)


def test_the_same_seed_gives_the_same_bytes(small, monkeypatch, tmp_path):
    bytes_of = {}
    for name, seed in (("first", 3), ("second", 3), ("other", 4)):
        monkeypatch.setenv("TAMIS_CACHE", str(tmp_path / name))
        bytes_of[name] = (build.build(small, seed=seed) / "icebreaker.bin").read_bytes()
    assert bytes_of["first"] == bytes_of["second"] != bytes_of["other"]


def test_timing_that_is_missed_fails_each_time(small, monkeypatch):
    monkeypatch.setattr(place, "reached", lambda report, clock: 11.0)
    for _ in range(2):
        with pytest.raises(UnsupportedError, match=r"misses its clock: 18 MHz asked, 11\.00 reached"):
            build.build(small)


def test_a_failed_check_leaves_no_bitstream(small, monkeypatch, tmp_path):
    def distrust(log, sizes):
        raise TamisError("the netlist cannot be trusted")

    monkeypatch.setattr(synthesis, "check_log", distrust)
    with pytest.raises(TamisError, match="cannot be trusted"):
        build.build(small)
    assert not [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"]


def test_a_folder_that_cannot_be_written(small, tmp_path):
    (tmp_path / "file").write_text("")
    result = build.build(small)
    with pytest.raises(InputError, match=r"^cannot write .*file/out: "):
        build.deliver(small, result, tmp_path / "file" / "out")


@pytest.mark.long
@pytest.mark.parametrize("name", ["ice40_hx8k_b_evn", "ulx3s_25f", "tang_nano_9k"])
def test_whole_boards_meet_their_clocks(name):
    result = build.build(find(name))
    manifest = json.loads((result / "manifest.json").read_text())
    assert manifest["clock_reached_mhz"] >= manifest["clock_asked_mhz"]
    text, _ = build.verilog(find(name), find(name).pins())
    chip = find(name).chip
    expected = build.capacity.estimate(build.capacity.contents(text, build.TOP), chip, manifest["pes"])
    assert (manifest["bram"], manifest["dsp"]) == (expected.bram, expected.dsp)
    assert expected.lut == pytest.approx(manifest["lut"], rel=0.2)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 4_000_000


def test_what_is_far_too_large_is_refused_soon(monkeypatch):
    written = []
    board = find("ulx3s_25f").with_changes(pes=256)
    real = build.verilog
    monkeypatch.setattr(
        build, "verilog", lambda one, pins: written.append(one.geometry.pes) or real(one, pins)
    )
    with pytest.raises(UnsupportedError, match=r"^256 PEs would take .*; --pes \d+ fits$"):
        build.build(board)
    assert written == [build.FEW_PES]
