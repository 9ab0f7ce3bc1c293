"""Proof without a board: the host's own driver runs a network on a simulated chip, against golden."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.cycles import run_cycles
from golden.engine import Engine
from golden.errors import InputError
from golden.execute import Executor
from golden.forward import forward
from golden.model import Model, decode
from golden.plan import make_plan
from host.arrays import load_inputs
from host.compressor import compress
from host.demo import EXAMPLE, WEIGHT_BITS
from host.driver import Progress
from host.known_answers import Case, Random
from host.session import connect
from host.values import to_integers

TIMEOUT = 10.0
"""Seconds to wait for a reply: simulated gates are a thousand times slower than real ones."""
SMALL = Case("proof", (48, 96, 40, 10), (Random(keep=0.4), Random(keep=0.4, relu=True), Random(keep=0.4)))
"""A network small enough to stay resident on every board."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a proof found.

    Parameters
    ----------
    pes : int
        As the board states.
    resident : bool
        Whether the whole network was loaded at once.
    images, outputs : int
        How many were compared.
    mismatches : int
        Outputs that are not golden's integers.
    cycles_foretold : int
        Images whose clock cycles are those of the cycle model.
    link_bytes, retries : int
        Of the serial line; a sound one needs no retry.
    seconds : float
        Wall time of the run, without building.
    """

    pes: int
    resident: bool
    images: int
    outputs: int
    mismatches: int
    cycles_foretold: int
    link_bytes: int
    retries: int
    seconds: float

    @property
    def proved(self) -> bool:
        """Whether every integer and every count of cycles is golden's, over a line without an error."""
        return not (self.mismatches or self.retries) and self.cycles_foretold == self.images

    def as_dict(self) -> dict[str, Any]:
        """Types that JSON knows."""
        return asdict(self)


def digits() -> tuple[Model, NDArray[np.float32]]:
    """The example network, compressed, and the images of its test split.

    Raises
    ------
    InputError
        If the example is not there.
    """
    pruned, calibration = EXAMPLE / "pruned.onnx", EXAMPLE / "calibration.npy"
    if not Path(pruned).exists():
        raise InputError(
            f"the example network is not in {EXAMPLE}; give --model and --input, or run in a checkout"
        )
    model = decode(compress(pruned, weight_bits=WEIGHT_BITS, calibrate=calibration).data)
    return model, load_inputs(EXAMPLE / "test_inputs.npy", model.inputs)


def prove(port: str, model: Model, inputs: NDArray[Any], *, progress: Progress | None = None) -> Outcome:
    """Run a network through a serial port and compare it with golden.

    Parameters
    ----------
    port : str
        Of a simulated board.
    model : Model
    inputs : array, shape (images, inputs)
    progress : callable, optional
        Called with the images done, and all of them.

    Raises
    ------
    DeviceError
        If the board or the link fails.
    UnsupportedError
        If the network does not fit the board.
    """
    start = time.monotonic()
    with connect(port, timeout=TIMEOUT) as session:
        found = session.predict(model, inputs, raw=True, progress=progress)
        geometry = session.geometry
    seconds = time.monotonic() - start
    activations, _ = to_integers(model, inputs)
    reference, _ = forward(model, activations, geometry.accumulator_bits)
    plan = make_plan(model, geometry)
    golden = Executor(plan, Engine(geometry, run_cycles), active_columns=True).run(activations)
    return Outcome(
        pes=geometry.pes,
        resident=plan.resident,
        images=len(reference),
        outputs=reference.size,
        mismatches=int(np.count_nonzero(found.raw != reference)),
        cycles_foretold=int(np.count_nonzero(found.cycles == golden.cycles)),
        link_bytes=found.link_bytes,
        retries=found.retries,
        seconds=round(seconds, 1),
    )
