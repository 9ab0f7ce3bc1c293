"""The HTML report: sound, self-contained, safe against hostile names, and with the report's own figures."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from boards.registry import find
from golden.geometry import Geometry
from host import cli
from host.compressor import CompressResult, compress
from host.cost import Preset, cost
from host.html_report import board_row, html_report, weight_error
from host.info import dense_cycles
from tests.host.onnx_models import node, random_mlp, save

VOID = {"meta", "line", "rect", "circle", "br"}
HOSTILE = '<script src="https://example.com/x.js">&"quoted"</script>'


class Reader(HTMLParser):
    """Checks that tags nest, and keeps tables, attributes and text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str | None]] = []
        self.tables: list[list[list[str]]] = []
        self.text: list[str] = []
        self.feed(page.decode())
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> CompressResult:
    path = random_mlp(tmp_path_factory.mktemp("report") / "net.onnx", (12, 40, 5), 0)
    return compress(path, keep=0.3, weight_bits=3)


def page_of(result: CompressResult, title: str = "net.onnx", **more: Any) -> bytes:
    return html_report(
        title, result.model, result.shared, file_bytes=len(result.data), source=result.source, **more
    )


def number(text: str) -> float:
    return float(text.replace(",", "").removesuffix(" %"))


def test_the_figures_are_those_of_the_report(result: CompressResult) -> None:
    layers, coding = Reader(page_of(result)).tables
    assert len(layers) == 1 + len(result.report.layers)
    for row, stored, layer in zip(layers[1:], coding[1:], result.report.layers, strict=True):
        assert row[:2] == [layer.name, f"{layer.rows} x {layer.columns}"]
        assert [number(cell) for cell in row[2:]] == pytest.approx(
            [
                layer.weights,
                100 * layer.kept,
                layer.weight_bits,
                4 * (layer.rows * layer.columns + layer.rows),
                layer.sizes.packed_bytes,
                layer.sizes.coded_bytes,
                100 * weight_error(result.source, result.shared, result.report.layers.index(layer)),
            ],
            abs=0.051,
        )
        sizes = layer.sizes
        assert stored[1] == sizes.form
        assert [number(cell) for cell in stored[2:8]] == pytest.approx(
            [
                sizes.index_bits_packed,
                sizes.index_bits_coded,
                sizes.index_entropy,
                sizes.run_bits_packed,
                sizes.run_bits_coded,
                sizes.run_entropy,
            ],
            abs=0.0051,
        )


def test_boards_have_the_cost_functions_figures(result: CompressResult) -> None:
    board = find("icebreaker")
    inputs = np.random.default_rng(0).standard_normal((2, 12)).astype(np.float32)
    tiny = Preset("tiny", Geometry(pes=1, codebook_entries=2), 1_000_000, 9600)
    rows = [board_row(result.model, one, inputs) for one in (board, tiny)]
    found = cost(result.model, board, inputs)
    dense = sum(dense_cycles(layer, 3) for layer in result.model.layers)
    assert rows[0].cost == found
    fits, refused = Reader(page_of(result, boards=rows)).tables[2][1:]
    assert fits[:6] == [
        "icebreaker",
        "3",
        "resident",
        f"{found.cycles:,.0f}",
        f"{dense:,}",
        f"{dense / found.cycles:.1f}",
    ]
    assert fits[7:] == [f"{1000 * found.engine_seconds:.3f}", f"{1000 * found.answer_seconds:.3f}"]
    assert refused[:3] == ["tiny", "1", "does not fit"]
    assert rows[1].reason in "".join(Reader(page_of(result, boards=rows)).text)


def test_it_refers_to_nothing_outside(result: CompressResult) -> None:
    rows = [board_row(result.model, find("icebreaker"))]
    page = page_of(result, boards=rows, stages=[("dense", 0.98), ("shared", 0.97)], stages_of="Test.")
    found = Reader(page)
    assert not found.tags & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "base",
        "form",
        "image",
        "use",
    }
    assert not [name for _, name, _ in found.attributes if name in ("src", "href", "srcset", "xlink:href")]
    assert not [name for _, name, _ in found.attributes if name.startswith("on")]
    for text in (b"http", b"//", b"url(", b"@import", b"nan"):
        assert text not in page
    assert page == page_of(result, boards=rows, stages=[("dense", 0.98), ("shared", 0.97)], stages_of="Test.")


def test_it_can_be_read_aloud(result: CompressResult) -> None:
    found = Reader(page_of(result, stages=[("dense", 0.98), ("shared", 0.97)], stages_of="Test."))
    assert ("html", "lang", "en") in found.attributes
    assert {"title", "main", "h1", "h2", "caption", "figcaption"} <= found.tags
    pictures = [value for tag, name, value in found.attributes if (tag, name) == ("svg", "aria-label")]
    assert pictures[0] == "Accuracy along the pipeline: dense 98.00 %, shared 97.00 %"
    assert len(pictures) == 1 + len(result.model.layers)
    assert all(cell for table in found.tables for cell in table[0])


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).standard_normal((12, 3)).astype(np.float32)
    hostile = node("MatMul", "x w", "y")
    hostile.name = HOSTILE
    result = compress(save(tmp_path / "net.onnx", [hostile], {"w": weights}, ("batch", 12)))
    assert result.report.layers[0].name == HOSTILE
    found = Reader(page_of(result, HOSTILE, notes=[HOSTILE], stages=[(HOSTILE, 0.5)], stages_of=HOSTILE))
    assert "script" not in found.tags
    assert found.tables[0][1][0] == HOSTILE
    assert found.text.count(HOSTILE) >= 5


def test_a_network_that_came_compressed_has_no_errors(tmp_path: Path) -> None:
    indices = np.random.default_rng(0).integers(0, 4, (6, 5))
    np.savez(tmp_path / "net.npz", layer0_indices=indices, layer0_codebook=[0, -1, 0.5, 2])
    result = compress(tmp_path / "net.npz")
    assert result.source is None
    assert Reader(page_of(result)).tables[0][1][-1] == ""


def test_compress_writes_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = random_mlp(tmp_path / "net.onnx", (6, 9, 4), 0)
    report = tmp_path / "r.html"
    assert cli.main(["compress", str(path), "-o", str(tmp_path / "m.tamis"), "--report", str(report)]) == 0
    found = Reader(report.read_bytes())
    assert [row[0] for row in found.tables[2][1:3]] == ["icebreaker", "icesugar"]
    assert f"{(tmp_path / 'm.tamis').stat().st_size:,} bytes instead of" in "".join(found.text)
    assert "net.onnx" in capsys.readouterr().out or "net.onnx" in found.text
