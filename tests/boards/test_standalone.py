"""A board that loads its model from flash at power-up, on the simulated board."""

import time
from dataclasses import replace

import numpy as np
import pytest

from boards import simulated
from boards.presets import SIMULATED
from boards.simulated import CLOCK_HZ, DIVISOR, SimulatedBoard
from golden import flash, protocol
from golden.cycles import run_cycles
from golden.engine import Engine
from golden.execute import execute
from golden.forward import forward
from golden.image import Image
from golden.memories import Memory, depth, word_bits
from golden.plan import make_plan
from golden.protocol import WHOLE, Fault, Frame, Request, encode
from golden.stored import split
from hdl.block_memory import BlockMemory
from hdl.device import Device
from hdl.verilog import emit
from host.driver import Driver
from host.session import Session
from host.transport import SerialTransport
from tests.boards.stored_device import StoredDevice
from tests.networks import random_model

MODEL = random_model(np.random.default_rng(0), [60, 70, 33, 10])
INPUTS = np.random.default_rng(1).integers(-3000, 3000, (3, 60)).astype(np.int16)
OUTPUTS, _ = forward(MODEL, INPUTS)
PLAN = make_plan(MODEL, SIMULATED, resident=True)
[IMAGE] = PLAN.images
CONTENTS = flash.contents(IMAGE)


def connect(board):
    return Driver(SerialTransport(board.port), timeout=0.5)


def test_the_model_is_there_without_a_load():
    with SimulatedBoard(flash=CONTENTS) as board, connect(board) as driver:
        assert driver.holds(WHOLE, IMAGE.crc)
        before = driver.traffic.link_bytes
        prediction = Session(driver, driver.traffic).predict(MODEL, INPUTS, raw=True)
        np.testing.assert_array_equal(prediction.raw, OUTPUTS)
        golden = execute(PLAN, Engine(SIMULATED, run_cycles), INPUTS)
        np.testing.assert_array_equal(prediction.cycles, golden.cycles)
        assert driver.traffic.link_bytes - before < len(IMAGE.payload) // 2
        assert driver.status().fault == Fault.NONE


def test_reset_loads_it_again():
    with SimulatedBoard(flash=CONTENTS) as board, connect(board) as driver:
        driver.reset()
        assert not driver.holds(WHOLE, IMAGE.crc), "a reset over the link forgets it"
        board.press_reset()
        time.sleep(0.5)
        assert driver.holds(WHOLE, IMAGE.crc)


def spoil(contents, place):
    return contents[:place] + bytes([contents[place] ^ 0x10]) + contents[place + 1 :]


FOREIGN = flash.contents(Image(replace(SIMULATED, pes=8), WHOLE, IMAGE.payload))

BEGIN = encode(Frame(Request.BEGIN, 0, protocol.BEGIN.pack(WHOLE, IMAGE.crc)))
OTHER = encode(Frame(Request.BEGIN, 0, protocol.BEGIN.pack(WHOLE, IMAGE.crc ^ 1)))


@pytest.mark.parametrize(
    ("contents", "fault"),
    [
        (b"", Fault.NONE),
        (b"\x7e\xaa\x99\x7e" * 100, Fault.FLASH_FOREIGN),
        (FOREIGN, Fault.FLASH_FOREIGN),
        (spoil(CONTENTS, 2), Fault.FLASH_FOREIGN),
        (spoil(CONTENTS, 100), Fault.FLASH_DAMAGED),
        (spoil(CONTENTS, len(CONTENTS) - 3), Fault.FLASH_DAMAGED),
        (CONTENTS[: len(CONTENTS) // 2], Fault.FLASH_DAMAGED),
        (CONTENTS[:4], Fault.FLASH_DAMAGED),
        (CONTENTS.replace(BEGIN, OTHER), Fault.FLASH_DAMAGED),
    ],
    ids=[
        "erased",
        "bitstream",
        "other geometry",
        "magic",
        "flipped bit",
        "last bit",
        "half",
        "header",
        "image CRC",
    ],
)
def test_a_bad_image_is_told_and_a_load_mends_it(contents, fault):
    with SimulatedBoard(flash=contents) as board, connect(board) as driver:
        status = driver.status()
        assert (status.fault, status.committed, status.transaction) == (fault, 0, 0)
        prediction = Session(driver, driver.traffic).predict(MODEL, INPUTS, raw=True)
        np.testing.assert_array_equal(prediction.raw, OUTPUTS)
        assert driver.status().fault == Fault.NONE


def test_memories_filled_with_the_bitstream_need_no_load(monkeypatch):
    """Matrix and pointers as initial contents, all else by the requests that are stored with them."""
    geometry = replace(SIMULATED, pes=1)
    plan = make_plan(MODEL, geometry, resident=True)
    [image] = plan.images
    filled, requests = split(image, (Memory.MATRIX, Memory.POINTERS))
    by_shape = {(depth(geometry, one), word_bits(geometry, one)): words for one, words in filled.items()}
    begin = BlockMemory.__init__

    def with_contents(self, *, words, bits, output_register, init=(), lanes=1):
        given = by_shape.get((words, bits))
        begin(
            self,
            words=words,
            bits=bits,
            output_register=output_register,
            init=init if given is None else given[0].tolist(),
            lanes=lanes,
        )

    monkeypatch.setattr(BlockMemory, "__init__", with_contents)
    device = Device(geometry, divisor=DIVISOR, clock_hz=CLOCK_HZ, flash=True)
    program = simulated.program(emit(simulated.Board(StoredDevice(device, requests)), name="board"))
    with SimulatedBoard(program=program) as board, connect(board) as driver:
        assert driver.holds(WHOLE, image.crc)
        prediction = Session(driver, driver.traffic).predict(MODEL, INPUTS, raw=True)
        np.testing.assert_array_equal(prediction.raw, OUTPUTS)
        assert driver.traffic.bytes_sent < len(image.payload) // 2  # a load sends it all
