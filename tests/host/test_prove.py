"""Proofs without a board, here on the simulated one: resident networks, and streamed ones."""

import numpy as np
import pytest

from boards.simulated import SimulatedBoard
from host.prove import prove
from tests.networks import random_model


@pytest.mark.parametrize(("sizes", "resident"), [((40, 30, 10), True), ((500, 300, 10), False)])
def test_cycles_are_foretold(sizes: tuple[int, ...], resident: bool) -> None:
    rng = np.random.default_rng(1)
    model = random_model(rng, list(sizes), density=0.5, largest=300)
    inputs = rng.random((2, sizes[0])) * (rng.random((2, sizes[0])) < 0.2)
    with SimulatedBoard() as board:
        outcome = prove(board.port, model, inputs)
    assert outcome.resident == resident
    assert outcome.proved
    assert outcome.cycles_foretold == outcome.images == 2
