"""Line bytes and cycles of streamed networks: `python -m tests.host.count_bytes`."""

import time

from boards.presets import ECP5_25F_LENET, UP5K_LENET, simulated
from golden.active import Columns
from golden.model import decode
from golden.plan import make_plan
from host.arrays import load_inputs
from host.compressor import compress
from host.demo import EXAMPLE, WEIGHT_BITS
from host.estimate import meter
from host.known_models import network, random_inputs, random_model
from host.values import to_integers

IMAGES = 20


def digits():
    """The network of the demo, and test images."""
    calibrate = EXAMPLE / "calibration.npy"
    model = decode(compress(EXAMPLE / "pruned.onnx", weight_bits=WEIGHT_BITS, calibrate=calibrate).data)
    inputs, _ = to_integers(model, load_inputs(EXAMPLE / "test_inputs.npy", model.inputs))
    return model, inputs[:IMAGES]


def large():
    """784-1024-1024-10 at 10 %, and an input of which 19 % is not zero."""
    shape = network("784-1024-1024-10")
    return random_model(shape), random_inputs(shape, 1)


def main():
    """Print a line for each network and engine."""
    for name, (model, inputs), engines in (
        ("digits", digits(), {"simulated, 1 PE": simulated(1)}),
        ("784-1024-1024-10", large(), {"iCEBreaker": UP5K_LENET, "ECP5-25F": ECP5_25F_LENET}),
    ):
        for engine, geometry in engines.items():
            found = [meter(model, geometry, inputs, active_columns=active) for active in (False, True)]
            columns = Columns(make_plan(model, geometry))
            start = time.process_time()
            columns.choose(0, inputs[0], 0)
            seconds = time.process_time() - start
            sizes = ", ".join(f"{one.wire_bytes:,.0f} bytes and {one.cycles:,.0f} cycles" for one in found)
            print(f"{name}, {engine}: {sizes}; first layer cut in {seconds:.2f} s")


if __name__ == "__main__":
    main()
