"""Presets hold the models that they name."""

import pytest

from boards.registry import every, find
from golden.model import Model, decode
from golden.plan import make_plan
from host.compressor import compress
from host.demo import EXAMPLE
from host.known_models import NETWORKS, network, random_model

DIGITS = {"digits": None, "digits, 7.5 % kept": 0.075}


def named(name: str) -> Model:
    """The model that a preset means."""
    if name in DIGITS:
        source, inputs = EXAMPLE / "pruned.onnx", EXAMPLE / "calibration.npy"
        return decode(compress(source, keep_global=DIGITS[name], calibrate=inputs).data)
    return random_model(network(name))


@pytest.mark.parametrize("name", [board.name for board in every() if board.resident])
def test_the_named_model_is_resident(name: str) -> None:
    board = find(name)
    assert board.resident in DIGITS or board.resident in [shape.name for shape in NETWORKS]
    assert make_plan(named(board.resident), board.geometry, resident=True).resident


@pytest.mark.parametrize("name", ["icebreaker", "ice40_hx8k_b_evn"])
def test_small_boards_name_a_model(name: str) -> None:
    assert find(name).resident
