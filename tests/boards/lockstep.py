"""A transport to a simulated board whose clock stands still while the host thinks.

`python -m tests.boards.lockstep` counts the clock cycles that images of the digits demo take on the line, and
with `--board icebreaker` those of random inputs of a LeNet-300-100 shape, on that board's engine and line.
"""

import argparse
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

from boards.presets import simulated
from boards.registry import find
from boards.simulated import CLOCK_HZ, DIVISOR, OPTIMISATION, OPTIONS, POWER_ON_CYCLES, Board
from golden.execute import Executor
from golden.model import decode
from golden.payloads import of_inference
from golden.plan import make_plan
from hdl.device import Device
from hdl.verilator import build
from hdl.verilog import emit
from host.arrays import load_inputs
from host.compressor import compress
from host.demo import EXAMPLE, WEIGHT_BITS
from host.driver import Driver
from host.known_models import NETWORKS, random_inputs, random_model
from host.values import to_integers

TIMEOUT_CYCLES = 400_000
"""Clock cycles that stand for a timeout of any length."""


class Lockstep:
    """The whole design behind its serial pins, and a host that takes no time, or a fixed one.

    Parameters
    ----------
    geometry : Geometry
    divisor : int
        Clock cycles per serial bit.
    latency : int
        Clock cycles from a reply's last byte, or any later moment, until what the host then writes is on
        the line: what an adapter and an operating system take.

    Attributes
    ----------
    cycles : int
        Clock cycles since power-on.
    """

    name = "lockstep"

    def __init__(self, geometry, *, divisor=4, latency=0):
        verilog = emit(Board(Device(geometry, divisor=divisor, clock_hz=CLOCK_HZ)), name="board")
        flags = (OPTIMISATION, f"-DDIVISOR={divisor}", f"-DPOWER_ON_CYCLES={POWER_ON_CYCLES}")
        program = build(verilog, Path(__file__).with_suffix(".cpp"), options=OPTIONS, cxxflags=flags)
        self.latency, self.cycles = latency, 0
        self._process = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def write(self, data):
        self._process.stdin.write(b"w" + struct.pack("<QQ", self.latency, len(data)) + data)

    def read(self, size, timeout):
        self._process.stdin.write(b"r" + struct.pack("<Q", TIMEOUT_CYCLES))
        self._process.stdin.flush()
        self.cycles, count = struct.unpack("<QQ", self._process.stdout.read(16))
        return self._process.stdout.read(count)

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def main():
    """Print clock cycles and bytes of one input, and of each of many."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    for name, default in (("pes", 4), ("divisor", 0), ("latency", 0), ("images", 128)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--board")
    for name in ("streamed", "active"):
        parser.add_argument(f"--{name}", action="store_true")
    arguments = parser.parse_args()
    if arguments.board:
        board = find(arguments.board)
        geometry, divisor = board.geometry, board.divisor
        model, inputs = random_model(NETWORKS[0]), random_inputs(NETWORKS[0], 128)
    else:
        calibrate = EXAMPLE / "calibration.npy"
        model = decode(compress(EXAMPLE / "pruned.onnx", weight_bits=WEIGHT_BITS, calibrate=calibrate).data)
        inputs, _ = to_integers(model, load_inputs(EXAMPLE / "test_inputs.npy", model.inputs))
        geometry, divisor = simulated(arguments.pes), DIVISOR
    plan = make_plan(model, geometry, resident=not arguments.streamed)
    with Lockstep(geometry, divisor=arguments.divisor or divisor, latency=arguments.latency) as line:
        driver = Driver(line)
        executor = Executor(plan, driver, active_columns=arguments.active)
        before = line.cycles
        executor.run(inputs[:1])
        load = driver.traffic.load_bytes
        print(f"load and first input: {line.cycles - before:,} cycles, {load:,} bytes of the load")
        if plan.resident:
            executor.run(inputs[:126])
            one = executor._job(executor._vectors(inputs[0]))
            before = line.cycles
            driver.flow(
                of_inference(geometry, one.writes, one.span, one.reads, driver.identity.payload_limit)
            )
            print(
                f"from the first bit of an input to the last of its outputs: {line.cycles - before:,} cycles"
            )
        for count in (1, arguments.images):
            cycles, traffic = line.cycles, replace(driver.traffic)
            engine = executor.run(inputs[:count]).cycles.mean()
            sent = (driver.traffic.bytes_sent - traffic.bytes_sent) / count
            received = (driver.traffic.bytes_received - traffic.bytes_received) / count
            print(
                f"{count} inputs at once: {(line.cycles - cycles) / count:,.0f} cycles an input, "
                f"{engine:,.0f} of the engine; {sent:,.0f} bytes there, {received:,.0f} back; "
                f"{driver.traffic.retries} retries"
            )


if __name__ == "__main__":
    main()
