"""Training with PyTorch, from a network and data to a model file."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden.errors import InputError, ToolMissingError, UnsupportedError, UsageError
from golden.model import decode
from host import cli
from host.network import DenseLayer, perceptron
from host.onnx_import import import_onnx
from host.train_data import Samples, TrainData, save_data, split_samples
from host.train_masks import logits
from host.train_settings import TrainSettings
from host.train_torch import from_torch, random_network
from host.training import TrainResult, accuracy, train
from tests.host.onnx_models import random_mlp
from tests.host.test_cli import check_schema

long = pytest.mark.long
QUICK = TrainSettings(fresh=True, epochs=12, rounds=3, keep=0.3)
SIZES = (8, 24, 12, 3)


def blobs(count: int = 600) -> TrainData:
    """Three classes in 8 dimensions, nearly separable."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, count)
    centres = 1.5 * rng.standard_normal((3, 8))
    inputs = centres[labels] + 0.7 * rng.standard_normal((count, 8))
    return split_samples(Samples(inputs.astype(np.float32), labels))


@pytest.fixture(scope="module")
def quick() -> TrainResult:
    return train(perceptron(SIZES), blobs(), QUICK)


@long
def test_a_fresh_network_becomes_small_and_stays_accurate(quick: TrainResult) -> None:
    assert [stage.name for stage in quick.stages] == ["dense", "pruned", "shared", "fine-tuned"]
    dense, *_, last = quick.stages
    assert dense.test > 0.9 and last.test > dense.test - 0.03
    assert dense.kept == 1.0 and 0.2 < last.kept <= 0.3
    assert quick.met and len(quick.history) == 12 + 2 * 4 + 24 + 12
    for layer in quick.model.layers:
        assert layer.index_bits <= 4


@long
def test_accuracies_are_those_of_golden_on_the_file(quick: TrainResult) -> None:
    model = decode(quick.data)
    data = blobs()
    assert quick.stages[-1].test == accuracy(model, data.test) == np.mean(quick.stages[-1].correct)
    assert quick.stages[-1].validation == accuracy(model, data.validation)


@long
def test_integers_lose_nothing_to_the_real_numbers(quick: TrainResult) -> None:
    real = [
        DenseLayer(weights=layer.weights(), bias=layer.bias.astype(np.float32), relu=layer.relu, name="")
        for layer in quick.shared.layers
    ]
    assert accuracy(real, blobs().test) == pytest.approx(quick.stages[-1].test, abs=0.01)


@long
def test_biases_are_multiples_of_a_power_of_two(quick: TrainResult) -> None:
    for shared, layer in zip(quick.shared.layers, quick.model.layers, strict=True):
        fraction = layer.weight_fraction + layer.input_fraction
        np.testing.assert_array_equal(np.ldexp(layer.bias.astype(float), -fraction), shared.bias)
        lowest = np.bitwise_and(layer.bias, -layer.bias)[layer.bias != 0].min()
        assert np.abs(layer.bias // lowest).max() < 1 << 7


@long
def test_the_same_seed_gives_the_same_file_and_another_another(quick: TrainResult) -> None:
    assert train(perceptron(SIZES), blobs(), QUICK).data == quick.data
    assert train(perceptron(SIZES), blobs(), TrainSettings(fresh=True, epochs=12, seed=2)).data != quick.data


@long
def test_the_test_split_changes_nothing_but_its_own_accuracy(quick: TrainResult) -> None:
    data = blobs()
    other = TrainData(data.train, data.validation, data.test.take(slice(0, 3)))
    assert train(perceptron(SIZES), other, QUICK).data == quick.data


@long
def test_a_trained_network_is_where_training_starts(quick: TrainResult) -> None:
    settings = TrainSettings(epochs=3, rounds=2, keep=0.5)
    result = train(quick.dense, blobs(), settings)
    assert result.stages[0].test == quick.stages[0].test
    assert result.history[0].stage == "prune 1 of 2"


@long
def test_training_that_only_does_harm_is_not_kept(quick: TrainResult) -> None:
    result = train(quick.dense, blobs(), TrainSettings(epochs=2, rounds=1, keep=1.0, rate=10))
    assert result.history[0].accuracy < 0.8, "the steps are far too large"
    assert result.stages[1].test == result.stages[0].test


@long
def test_joint_training_prunes_and_shares_in_one_loop() -> None:
    settings = TrainSettings(fresh=True, joint=True, epochs=20, keep=0.3, weight_bits=(3, 2, 4))
    result = train(perceptron(SIZES), blobs(), settings)
    assert {epoch.stage for epoch in result.history} == {"dense", "joint", "fine-tune"}
    assert result.stages[-1].test > 0.9 and result.stages[-1].kept <= 0.31
    for layer, bits in zip(result.model.layers, (3, 2, 4), strict=True):
        assert layer.index_bits <= bits


@long
def test_a_teacher_is_heard(quick: TrainResult) -> None:
    settings = TrainSettings(fresh=True, epochs=12, rounds=3, keep=0.3)
    result = train(perceptron(SIZES), blobs(), settings, teacher=quick.dense)
    assert result.data != quick.data and result.stages[-1].test > 0.85
    deep = perceptron((*SIZES[:-1], 6, SIZES[-1]))
    assert train(perceptron(SIZES), blobs(), settings, teacher=deep).data != result.data
    with pytest.raises(InputError, match="teacher has 5 inputs and 3 outputs"):
        train(perceptron(SIZES), blobs(), settings, teacher=perceptron((5, 3)))


@long
def test_the_sparsest_network_within_the_limit_is_used() -> None:
    settings = TrainSettings(fresh=True, epochs=12, keep=0.02, max_loss=2)
    result = train(perceptron(SIZES), blobs(), settings)
    assert result.met
    assert result.stages[-1].validation >= result.stages[0].validation - 0.02
    assert result.stages[-1].kept < 0.6


@long
@pytest.mark.parametrize(("bits", "allowed"), [(2, 180), (4, 300)])
def test_the_file_has_the_bytes_that_are_allowed(bits: int, allowed: int) -> None:
    settings = TrainSettings(fresh=True, epochs=9, rounds=3, weight_bits=bits, file_bytes=allowed)
    result = train(perceptron(SIZES), blobs(), settings)
    assert 0.9 * allowed < len(result.data) <= allowed
    assert result.stages[-1].test > 0.85
    roomy = train(result.dense, blobs(), replace(settings, fresh=False, file_bytes=100_000))
    assert roomy.stages[-1].kept > 0.8, "only useless neurons go"


@long
@pytest.mark.parametrize("fresh", [True, False])
def test_bytes_that_no_file_fits_are_refused_before_anything_is_trained(fresh: bool) -> None:
    settings = TrainSettings(fresh=fresh, epochs=3, file_bytes=20)
    network = random_network(perceptron(SIZES), 1)
    seen: list[Any] = []
    with pytest.raises(UsageError, match=r"--bytes 20 is too few: the file .* has \d+ bytes when"):
        train(network, blobs(), settings, progress=seen.append)
    assert not seen


@long
def test_progress_tells_every_epoch_and_counts_down() -> None:
    seen: list[Any] = []
    result = train(perceptron(SIZES), blobs(), QUICK, progress=seen.append)
    assert tuple(seen) == result.history
    assert seen[-1].seconds_left == 0 and seen[0].seconds_left > seen[-2].seconds_left
    assert seen[0].kept == 1.0 and seen[-1].kept <= 0.3


@long
def test_a_torch_module_is_taken_as_it_is() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2))
    module = nn.Sequential(nn.Flatten(), inner, nn.Identity(), nn.Linear(16, 3, bias=False), nn.Softmax(1))
    inner[1].running_mean.uniform_(-1, 1)
    inner[1].running_var.uniform_(0.5, 2)
    found = from_torch(module.eval())
    inputs = blobs().test.inputs
    with torch.no_grad():
        expected = module[:-1](torch.tensor(inputs)).numpy()
    np.testing.assert_allclose(logits(found.layers, inputs), expected, atol=1e-5)
    assert found.final == "softmax"
    result = train(module, blobs(), TrainSettings(fresh=True, epochs=5, rounds=2))
    assert result.model.final == "softmax" and result.model.layers[0].rows == 16


@long
def test_torch_layers_that_are_not_supported_are_named() -> None:
    nn = pytest.importorskip("torch").nn
    linear = nn.Linear(4, 4)
    for module, says in (
        (nn.Sequential(linear, nn.Sigmoid()), r"layer 1 \(Sigmoid\) is not supported"),
        (nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3))), r"layer 0\.0 \(Conv2d\)"),
        (nn.LSTM(4, 4), r"layer 0 \(LSTM\)"),
        (nn.Sequential(nn.ReLU(), linear), r"layer 0 \(ReLU\) comes before"),
        (nn.Sequential(linear, nn.ReLU(), nn.BatchNorm1d(4)), r"layer 2 \(BatchNorm1d\) must follow"),
        (nn.Sequential(linear, nn.Softmax(1), linear), "follows the last Softmax"),
        (nn.Sequential(linear, nn.Softmax(0)), "last axis"),
        (nn.Sequential(nn.Flatten(0), linear), "all axes but the first"),
        (nn.Sequential(linear, nn.BatchNorm1d(4, track_running_stats=False)), "running statistics"),
        (nn.Sequential(nn.Identity()), "no Linear layer"),
        (object(), r"layer 0 \(object\)"),
    ):
        with pytest.raises(UnsupportedError, match=says):
            from_torch(module)
    with pytest.raises(InputError, match="takes 5 values, but the layer before gives 4"):
        from_torch(nn.Sequential(linear, nn.Linear(5, 2)))


@long
def test_the_command_writes_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, data = random_mlp(tmp_path / "m.onnx", SIZES, 0), blobs()
    save_data(tmp_path / "d.npz", data)
    options = [
        "--data",
        tmp_path / "d.npz",
        "-o",
        tmp_path / "m.tamis",
        "--fresh",
        "--epochs",
        8,
        "--rounds",
        2,
    ]
    command = ["train", path, *options, "--weight-bits", "4,3,4", "--teacher", path]
    page = tmp_path / "r.html"
    assert cli.main([*map(str, command), "--json", "--report", str(page)]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    check_schema("train", report)
    assert f"{report['file_bytes']:,} bytes instead of" in page.read_text()
    last = report["stages"][-1]
    assert f"{last['name']} {100 * last['test']:.2f} %" in page.read_text()
    assert report["file_bytes"] == os.path.getsize(tmp_path / "m.tamis")
    assert "prune 2 of 2: epoch 16 of 16, loss" in err and "left" in err
    assert cli.main(list(map(str, command))) == 0
    out, _ = capsys.readouterr()
    assert f"{report['file_bytes']:,} bytes instead of {report['dense_bytes']:,}" in out


@long
def test_a_target_that_is_missed_is_said_and_the_best_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, data = random_mlp(tmp_path / "m.onnx", SIZES, 0), blobs()
    own = logits(import_onnx(path).layers, data.validation.inputs).argmax(axis=1)
    # all answers are right at first, and the train split teaches others
    save_data(tmp_path / "d.npz", TrainData(data.train, Samples(data.validation.inputs, own), data.test))
    options = ["--data", tmp_path / "d.npz", "--max-loss", 0, "--epochs", 2, "--weight-bits", 2]
    assert cli.main([str(part) for part in ("train", path, "-o", tmp_path / "best.tamis", *options)]) == 7
    out, err = capsys.readouterr()
    assert "the best network found has" in err and "times smaller" in out
    assert decode((tmp_path / "best.tamis").read_bytes()).outputs == 3


def test_without_data_the_other_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "m.onnx", "-o", "m.tamis"]) == 2
    assert "`tamis compress m.onnx -o m.tamis`" in capsys.readouterr().err


def test_without_torch_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ToolMissingError, match=r"pip install 'tamis\[train\]'"):
        train(perceptron(SIZES), blobs())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"keep": 0.0}, "--keep must be above 0"),
        ({"max_loss": -1.0}, "--max-loss must be from 0 to 100"),
        ({"weight_bits": 9}, "--weight-bits must be from 1 to 8"),
        ({"weight_bits": (4, 0)}, "--weight-bits must be from 1 to 8"),
        ({"rounds": 0}, "--rounds"),
        ({"epochs": 0}, "--epochs"),
        ({"bias_bits": 1}, "--bias-bits"),
        ({"prune": "random"}, "--prune must be one of"),
        ({"joint": True, "max_loss": 1.0}, "exclude each other"),
        ({"file_bytes": 0}, "--bytes must be from 1"),
        ({"joint": True, "file_bytes": 900}, "--bytes and --joint exclude each other"),
        ({"max_loss": 1.0, "file_bytes": 900}, "--bytes and --max-loss exclude each other"),
        ({"accumulator_bits": 20}, "accumulator_bits"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        TrainSettings(**settings)


def test_bits_for_another_number_of_layers_are_refused() -> None:
    with pytest.raises(UsageError, match="bits for 2 layers, but the network has 3"):
        TrainSettings(weight_bits=(4, 4)).bits_of(3)
