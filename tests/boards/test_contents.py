"""Contents of block RAM: as Yosys writes them, through placement, and swapped in what was placed."""

import json
from dataclasses import replace

import numpy as np
import pytest

from boards import build, contents, place, synthesis
from boards.chips import ecp5
from boards.registry import find
from boards.tools import run
from golden.errors import TamisError
from golden.geometry import Geometry
from golden.memories import Memory
from golden.plan import make_plan
from golden.stored import split
from hdl.block_memory import SHAPES
from tests.networks import random_model

GEOMETRY = Geometry(
    pes=2, matrix_words=1024, pointer_words=256, accumulators=64, activations=64, codebook_entries=64, steps=8
)


def board():
    return replace(find("icesugar_pro"), geometry=GEOMETRY)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape[1] > 1], ids=str)
def test_lanes_are_those_of_yosys(tmp_path, shape):
    words, width = shape
    values = np.random.default_rng(width).integers(0, 1 << width, words, dtype=np.uint64)
    lines = "\n".join(f"m[{place}] = {width}'d{value};" for place, value in enumerate(values))
    (tmp_path / "m.v").write_text(
        f"module m(input c, w, r, input [{words.bit_length() - 2}:0] a, b, "
        f"input [{width - 1}:0] d, "
        f'output reg [{width - 1}:0] q);\n(* ram_style="block" *) reg [{width - 1}:0] m [0:{words - 1}];\n'
        f"initial begin\n{lines}\nend\nalways @(posedge c) begin\n"
        "if (w) m[a] <= d; if (r) q <= m[b]; end\nendmodule\n"
    )
    (tmp_path / "m.ys").write_text("read_verilog m.v\nsynth_ecp5 -top m\nwrite_json m.json\n")
    done, log = run("yosys", ["m.ys"], tmp_path, seconds=300)
    assert done, log
    cells = json.loads((tmp_path / "m.json").read_text())["modules"]["m"]["cells"]
    [block] = [cell["parameters"] for cell in cells.values() if cell["type"] in ("DP16KD", "PDPW16KD")]
    assert int(block["DATA_WIDTH_B" if "DATA_WIDTH_B" in block else "DATA_WIDTH_R"], 2) == width
    found = []
    for number in range(64):
        value = int(block[f"INITVAL_{number:02X}"], 2)
        found += [value >> 20 * (lane // 2) + 9 * (lane % 2) & 0x1FF for lane in range(32)]
    assert contents.lanes(values, width).tolist() == found


def test_wide_memories_are_cut():
    words = np.random.default_rng(0).integers(0, 1 << 44, 300, dtype=np.uint64)
    found = contents.blocks(words, 44)
    np.testing.assert_array_equal(found[0], contents.lanes(words & np.uint64((1 << 36) - 1), 36))
    np.testing.assert_array_equal(found[1], contents.lanes(words >> np.uint64(36), 36))
    assert contents.blocks(words[:16], 8) == {}, "in LUTs"


@pytest.fixture(scope="module")
def placed(tmp_path_factory):
    """A whole device of two PEs, synthesised and placed, but not routed: its folder."""
    work = tmp_path_factory.mktemp("placed")
    chip = board().chip
    text, pins = build.verilog(board(), board().pins(), flash=True)
    synthesis.synthesise(text, build.TOP, chip, work)
    contents.mark(work, build.TOP, contents.names(GEOMETRY))
    unrouted = replace(chip, place=(*chip.place, "--no-route"))  # wires have no part in contents
    place.place(unrouted, pins, work, clock_mhz=float(board().clock), seed=1)
    return work


def images(count):
    for seed in range(count):
        model = random_model(np.random.default_rng(seed), [60, 70, 33, 10], index_bits=4)
        [image] = make_plan(model, GEOMETRY, resident=True).images
        yield image


def test_each_block_of_each_pe_holds_what_was_asked(placed):
    """Placed once, filled twice; all other bits of the chip stay as they are."""
    config = (placed / build.PLACED).read_text()
    before = contents.read(config)
    numbers = {contents.marker(name).tobytes(): name for name in contents.names(GEOMETRY)}
    at = {number: numbers.get(block.tobytes()) for number, block in before.items()}
    assert sorted(filter(None, at.values())) == sorted(contents.names(GEOMETRY)) and len(numbers) == 7
    for image in images(2):
        wanted = contents.of_image(GEOMETRY, *split(image, contents.filled(GEOMETRY)))
        assert len({block.tobytes() for block in wanted.values()}) == 7, "each PE has contents of its own"
        swapped = contents.swap(config, wanted)
        for number, block in contents.read(swapped).items():
            np.testing.assert_array_equal(block, wanted.get(at[number], before[number]))
        outside = contents._BLOCK.sub("", config)
        assert contents._BLOCK.sub("", swapped) == outside


def test_the_bitstream_unpacks_to_what_was_asked(placed, tmp_path):
    """Through ecppack and back."""
    [image] = images(1)
    wanted = contents.of_image(GEOMETRY, *split(image, contents.filled(GEOMETRY)))
    (tmp_path / build.PLACED).write_text(contents.swap((placed / build.PLACED).read_text(), wanted))
    place.pack(board().chip, board().pack, tmp_path)
    done, log = run("ecpunpack", ["--input", "bitstream", "--textcfg", "again"], tmp_path, seconds=300)
    assert done, log
    found = {block.tobytes() for block in contents.read((tmp_path / "again").read_text()).values()}
    assert all(block.tobytes() in found for block in wanted.values())


def test_a_block_that_is_not_there_is_told(placed, tmp_path):
    config = (placed / build.PLACED).read_text()
    with pytest.raises(TamisError, match="no block RAM nowhere to be filled"):
        contents.swap(config, {"nowhere": np.zeros(contents.LANES, dtype=np.uint16)})
    (tmp_path / "design.json").write_text((placed / "design.json").read_text())
    with pytest.raises(TamisError, match=r"no block RAM device\.tx to be filled"):
        contents.mark(tmp_path, build.TOP, ["device.tx"])


def test_what_can_be_filled():
    assert contents.filled(GEOMETRY) == [Memory.MATRIX, Memory.POINTERS]
    assert contents.filled(replace(GEOMETRY, pointer_words=16)) == [Memory.MATRIX]
    assert contents.filled(replace(GEOMETRY, output_registers=False)) == []
    assert ecp5("25F", "CABGA256", 6).family == board().chip.family
