"""The engine alone in Verilator, its streams driven directly: for benchmarks, which want no serial line."""

import struct
import subprocess
from pathlib import Path
from types import TracebackType

import numpy as np

from golden.errors import DeviceError
from golden.execute import RunReport
from golden.geometry import Geometry
from golden.image import sections
from golden.memories import Memory
from golden.protocol import WHOLE, Fault
from hdl.engine import Engine
from hdl.verilator import build
from hdl.verilog import emit

OPTIONS = ("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert", "-fno-inline")
COMPILER_FLAGS = ("-O2",)
CYCLE_LIMIT = 100_000_000
STOP_SECONDS = 5.0


class BareEngine:
    """A `golden.execute.Device` made of the gateware; a context manager that ends the simulation.

    Images enter through the engine's `write` stream, one word a cycle: the path behind a device's loader.

    Parameters
    ----------
    geometry : Geometry

    Raises
    ------
    ToolMissingError
        If the simulator cannot be built for want of a tool.
    """

    def __init__(self, geometry: Geometry):
        self.geometry = geometry
        self._committed = 0
        self._report = None
        verilog = emit(Engine(geometry), "tamis_engine")
        program = build(verilog, Path(__file__).with_name("bare_engine.cpp"), options=OPTIONS,
                        cxxflags=COMPILER_FLAGS)
        self._process = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def reset(self) -> None:
        """Stop, and clear the accumulators."""
        self._send(b"Z")
        self._commit(0)

    def load(self, bank: int, image: bytes) -> None:
        """Write and commit an image."""
        mask = 3 if bank == WHOLE else 1 << bank
        self._commit(self._committed & ~mask)
        for section in sections(image, self.geometry, bank):
            self._write(section.memory, section.pe, section.address, section.words)
        self._commit(self._committed | mask)

    def write_activations(self, file: int, slot: int, pe: int, values: np.ndarray) -> None:
        """Write consecutive values to consecutive PEs."""
        words = np.asarray(values, dtype=np.int16).view(np.uint16)
        for first, k, part in self._by_pe(file, slot, pe, len(words)):
            self._write(Memory.ACTIVATIONS, k, first, words[part])

    def read_outputs(self, file: int, slot: int, pe: int, count: int) -> np.ndarray:
        """Read values in the order of `write_activations`."""
        values = np.empty(count, dtype=np.uint16)
        for first, k, part in self._by_pe(file, slot, pe, count):
            values[part] = self._read(Memory.ACTIVATIONS, k, first, len(values[part]))
        return values.view(np.int16)

    def start(self, first: int, count: int) -> None:
        """Run steps; the simulation returns at their end."""
        self._send(b"G" + struct.pack("<BHI", first, count, CYCLE_LIMIT))
        fault, cycles, stalls, done = struct.unpack("<4I", self._receive(16))
        if not done:
            raise DeviceError(f"the engine did not finish within {CYCLE_LIMIT} cycles")
        if fault:
            raise DeviceError(f"the engine stopped with fault {Fault(fault).name}")
        self._report = RunReport(cycles, stalls)

    def wait(self) -> RunReport:
        """Report of the run."""
        return self._report

    def saturations(self) -> np.ndarray:
        """Saturation counter of each PE, modulo 2**16, shape (pes,)."""
        counters = [self._read(Memory.COUNTERS, pe, 0, 1)[0] for pe in range(self.geometry.pes)]
        return np.array(counters, dtype=np.int64)

    def close(self) -> None:
        """End the simulation."""
        self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> "BareEngine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _by_pe(self, file, slot, pe, count):
        """First address, PE and places in the vector of the values that each PE holds."""
        pes = self.geometry.pes
        for k in range(min(pes, count)):
            row, target = divmod(slot * pes + pe + k, pes)
            yield file * self.geometry.activations + row, target, slice(k, count, pes)

    def _commit(self, mask):
        self._committed = mask
        self._send(b"C" + bytes([mask]))

    def _write(self, memory, pe, address, words):
        header = struct.pack("<BHHI", memory, pe, address, len(words))
        self._send(b"W" + header + np.asarray(words).astype("<u8").tobytes())

    def _read(self, memory, pe, address, count):
        self._send(b"R" + struct.pack("<BHHI", memory, pe, address, count))
        return np.frombuffer(self._receive(8 * count), dtype="<u8")

    def _send(self, data):
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise DeviceError("the simulated engine ended by itself") from None

    def _receive(self, size):
        data = self._process.stdout.read(size)
        if len(data) < size:
            raise DeviceError("the simulated engine ended by itself")
        return data
