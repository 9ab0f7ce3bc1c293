"""Running models from Python: a session is one engine, on a board or in NumPy."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from golden.cycles import run_cycles
from golden.engine import Engine
from golden.errors import InputError, UnsupportedError, UsageError
from golden.execute import Device, Executor
from golden.fixed_point import INT16_MAX
from golden.geometry import Geometry
from golden.model import Model, decode
from golden.plan import make_plan
from golden.protocol import WHOLE
from host.driver import Driver, Progress
from host.exchange import Traffic
from host.files import read_file
from host.transport import BAUD_RATE, SerialTransport
from host.values import to_integers, to_results

Target = Literal["golden", "sim", "serial"]
Int16Array = NDArray[np.int16]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a batch gave, and what it cost.

    Parameters
    ----------
    outputs : array
        float32 of shape (batch, outputs); int64 of shape (batch,), or (batch, 1), for a model that ends in
        ArgMax; int16 of shape (batch, outputs) if raw outputs were asked for.
    raw : array of int16, shape (batch, outputs)
        The last layer's integers.
    cycles, stalls : array of int64, shape (batch,)
        Clock cycles of each input from start accepted to last activation written, and those of them in
        which a ready activation had to wait.
    link_bytes : int
        Bytes over the link in both directions, the load included; 0 without a link.
    retries : int
        Requests that the link made necessary to send again.
    saturations : int
        Values that were clipped to int16, the inputs' and all layers' together.
    load_bytes, load_bytes_uncoded : int
        Bytes of the requests that brought images for this batch, and what they would have been without
        Huffman code; both 0 if the model was there already.
    """

    outputs: NDArray[Any]
    raw: Int16Array
    cycles: IntArray
    stalls: IntArray
    link_bytes: int
    retries: int
    saturations: int
    load_bytes: int = 0
    load_bytes_uncoded: int = 0


class Session:
    """One engine; a context manager that gives it back at the end.

    The model that ran last stays loaded, so a second batch for it costs no load; nor does the first one, if a
    session before has left the model on the board.

    Parameters
    ----------
    device : Device
        A `host.driver.Driver`, or a `golden.engine.Engine`.
    traffic : Traffic, optional
        The link's counters, if there is a link.
    """

    def __init__(self, device: Device, traffic: Traffic | None = None) -> None:
        self.device = device
        self._traffic = traffic or Traffic()
        self._model: Model | None = None
        self._executor: Executor | None = None
        self._threshold = 0
        self.resources = ExitStack()

    @property
    def geometry(self) -> Geometry:
        """The engine's geometry."""
        return self.device.geometry

    def predict(
        self,
        model: Model,
        inputs: Any,
        *,
        raw: bool = False,
        threshold: int = 0,
        progress: Progress | None = None,
    ) -> Prediction:
        """Run a batch.

        Parameters
        ----------
        model : Model
        inputs : array of real numbers, shape (batch, inputs)
        raw : bool
            Return the last layer's integers as they are, without the model's final operation.
        threshold : int
            Inputs of every layer whose int16 magnitude does not exceed it count as zero, 0 to 32767.
        progress : callable, optional
            Called with the number of inputs done and the number of all.

        Raises
        ------
        UsageError
            If the threshold is out of range.
        InputError
            If the inputs are not finite numbers of that shape.
        UnsupportedError
            If the model does not fit the engine.
        DeviceError
            If the board or the link fails.
        """
        if not 0 <= threshold <= INT16_MAX:
            raise UsageError(f"the threshold must be from 0 to {INT16_MAX}, not {threshold}")
        batch, clipped = to_integers(model, _checked(model, inputs))
        link_bytes, retries = self._traffic.link_bytes, self._traffic.retries
        loads = self._traffic.load_bytes, self._traffic.load_bytes_uncoded
        told = None if progress is None else (lambda done: progress(done, len(batch)))
        result = self._executor_of(model, threshold).run(batch, told)
        integers = result.outputs
        return Prediction(
            outputs=integers if raw else to_results(model, integers),
            raw=integers,
            cycles=result.cycles,
            stalls=result.stalls,
            link_bytes=self._traffic.link_bytes - link_bytes,
            retries=self._traffic.retries - retries,
            saturations=clipped + result.saturations,
            load_bytes=self._traffic.load_bytes - loads[0],
            load_bytes_uncoded=self._traffic.load_bytes_uncoded - loads[1],
        )

    def close(self) -> None:
        """Close the link, and stop the simulated board if there is one."""
        self.resources.close()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _holds(self, bank: int, crc: int) -> bool:
        return isinstance(self.device, Driver) and self.device.holds(bank, crc)

    def _executor_of(self, model: Model, threshold: int) -> Executor:
        if self._executor is None or self._model is not model or self._threshold != threshold:
            plan = make_plan(model, self.geometry, threshold=threshold)
            # A resident image is used to the end of every run, so who finds one finds clean accumulators.
            held = plan.resident and self._holds(WHOLE, plan.images[0].crc)
            self._executor = Executor(plan, self.device, resume=held, active_columns=True)
            self._model, self._threshold = model, threshold
        return self._executor


def load_model(path: str | Path) -> Model:
    """Read a model file.

    Raises
    ------
    InputError
        If it cannot be read, or is no sound model file.
    UnsupportedError
        If its sums would leave the widest accumulator that an engine can have.
    """
    data = read_file(path)
    try:
        return decode(data)
    except (InputError, UnsupportedError) as error:
        raise type(error)(f"{path}: {error}") from None


def connect(
    port: str, *, baud_rate: int = BAUD_RATE, timeout: float = 2.0, progress: Progress | None = None
) -> Session:
    """Open a session with the board at a serial port.

    Parameters
    ----------
    port : str
        Path or name of the port.
    baud_rate : int
        Bits per second.
    timeout : float
        Seconds to wait for a reply before a request is sent again.
    progress : callable, optional
        Called with the bytes loaded so far and those of the image, while an image is loaded.

    Raises
    ------
    DeviceError
        If there is no Tamis engine at the port.
    """
    with ExitStack() as stack:
        transport = SerialTransport(port, baud_rate)
        stack.callback(transport.close)
        driver = Driver(transport, timeout=timeout, progress=progress)
        session = Session(driver, driver.traffic)
        session.resources = stack.pop_all()
    return session


def open_session(
    target: Target = "golden",
    *,
    pes: int | None = None,
    port: str | None = None,
    baud_rate: int = BAUD_RATE,
    progress: Progress | None = None,
) -> Session:
    """Open a session with any target.

    Parameters
    ----------
    target : {"golden", "sim", "serial"}
        The engine in NumPy, a simulated board that lives as long as the session, or a board at `port`.
    pes : int, optional
        Processing elements of the first two; 4 by default.
    port : str, optional
        Port of the third.
    baud_rate : int
        Bits per second of that port.
    progress : callable, optional
        As for `connect`.

    Raises
    ------
    UsageError
        If `pes` or `port` does not suit the target.
    ToolMissingError
        If the simulated board cannot be built.
    DeviceError
        If the board or the link fails.
    """
    if target == "serial":
        if port is None or pes is not None:
            raise UsageError("a serial board needs its port, and states its PEs itself; give port, not pes")
        return connect(port, baud_rate=baud_rate, progress=progress)
    if port is not None:
        raise UsageError(f"target {target} has no port; leave the port out, or choose the target serial")
    pes = Geometry().pes if pes is None else pes
    if target == "golden":
        return Session(Engine(Geometry(pes=pes), run_cycles))
    if target != "sim":
        raise UsageError(f"the target must be golden, sim or serial, not {target!r}")
    from host.cli_targets import simulated_board

    with ExitStack() as stack:
        board = stack.enter_context(simulated_board(pes))
        session = connect(board.port, timeout=2.0 + 0.1 * pes, progress=progress)
        stack.callback(session.resources.pop_all().close)
        session.resources = stack.pop_all()
    return session


def predict(
    model: Model,
    inputs: Any,
    target: Target = "golden",
    *,
    pes: int | None = None,
    port: str | None = None,
    raw: bool = False,
    threshold: int = 0,
) -> Prediction:
    """Run one batch on a target; see `open_session` and `Session.predict`.

    >>> from golden.model import Layer
    >>> scales = {"input_fraction": 2, "output_fraction": 2}
    >>> layer = Layer.from_indices([[0, 1], [3, 0]], [0, 5, 6, -7], [1, 2], **scales)
    >>> predict(Model(layers=(layer,)), [[0.5, 0.75]]).outputs.tolist()
    [[4.0, -3.0]]
    """
    with open_session(target, pes=pes, port=port) as session:
        return session.predict(model, inputs, raw=raw, threshold=threshold)


def _checked(model: Model, inputs: Any) -> NDArray[np.float64]:
    """Inputs as float64, or one sentence on what is wrong with them."""
    array = np.asarray(inputs)
    if array.dtype.kind not in "fiub":
        raise InputError(f"inputs must be real numbers, not of type {array.dtype}; convert them to float32")
    if array.ndim != 2 or array.shape[1] != model.inputs or not len(array):
        raise InputError(
            f"the inputs have shape {array.shape}, but this model needs (batch, {model.inputs}) with at "
            "least one input; reshape the array"
        )
    if not np.isfinite(array).all():
        raise InputError("the inputs hold NaN or infinite values, but must be finite; remove them")
    return array.astype(np.float64)
