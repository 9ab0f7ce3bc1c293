"""Loads in code, through the driver and a device in Python."""

import numpy as np
import pytest

from golden.execute import execute
from golden.forward import forward
from golden.geometry import Geometry
from golden.plan import make_plan
from golden.protocol import WHOLE, Capability, Code, Request
from host.coded_load import requests_of, uncoded_bytes
from host.driver import Driver
from host.exchange import Refused
from host.session import Session
from tests.host.device_model import DeviceModel, FaultyTransport
from tests.networks import random_model

RESIDENT = Geometry(pes=3)
HALVES = Geometry(pes=3, matrix_words=1024)
MODEL = random_model(np.random.default_rng(0), [64, 120, 60, 11])
INPUTS = np.random.default_rng(1).integers(-3000, 3000, (2, 64)).astype(np.int16)
IMAGE = make_plan(MODEL, RESIDENT).images[0].payload


def coding(geometry=RESIDENT, **settings):
    return DeviceModel(geometry, capabilities=Capability.CODED_LOADS, **settings)


@pytest.mark.parametrize("geometry", [RESIDENT, HALVES])
@pytest.mark.parametrize("kind", ["none", "flip", "drop", "duplicate", "truncate"])
def test_outputs_equal_golden_over_a_bad_line(geometry, kind):
    device = coding(geometry)
    line = FaultyTransport(device, 0.0 if kind == "none" else 1e-3, seed=3, kinds=(kind,))
    driver = Driver(line, timeout=0.02)
    result = execute(make_plan(MODEL, geometry), driver, INPUTS)
    np.testing.assert_array_equal(result.outputs, forward(MODEL, INPUTS)[0])
    assert {Request.TABLE, Request.CODED} <= set(device.requests)
    assert 0 < driver.traffic.load_bytes < driver.traffic.load_bytes_uncoded
    assert (driver.traffic.retries > 0) == (kind != "none")


@pytest.mark.parametrize("payload_limit", [128, 176, 244])
def test_the_load_bytes_are_those_on_the_wire(payload_limit):
    device = coding(payload_limit=payload_limit)
    driver = Driver(device)
    sent = driver.traffic.bytes_sent
    driver.load(WHOLE, IMAGE)
    others = [request for request in device.requests if request in (Request.BEGIN, Request.COMMIT)]
    assert len(others) == 2
    begin_and_commit = (8 + 9) + 9
    assert driver.traffic.bytes_sent - sent == driver.traffic.load_bytes + begin_and_commit
    assert driver.traffic.load_bytes_uncoded == uncoded_bytes(IMAGE, payload_limit)


def test_progress_is_told_in_image_bytes():
    told = []
    Driver(coding(), progress=lambda *done: told.append(done)).load(WHOLE, IMAGE)
    assert [total for _, total in told] == [len(IMAGE)] * len(told)
    assert sorted(told) == told
    assert told[-1] == (len(IMAGE), len(IMAGE))


def test_devices_that_do_not_decode_get_no_code():
    device = DeviceModel(RESIDENT)
    driver = Driver(device)
    driver.load(WHOLE, IMAGE)
    assert not {Request.TABLE, Request.CODED} & set(device.requests)
    assert driver.traffic.load_bytes == driver.traffic.load_bytes_uncoded
    assert [batch.request for batch in requests_of(IMAGE, driver.identity)] == [Request.DATA]


def test_a_session_tells_the_bytes_of_its_load():
    driver = Driver(coding())
    with Session(driver, driver.traffic) as session:
        first = session.predict(MODEL, np.zeros((1, 64)))
        second = session.predict(MODEL, np.zeros((1, 64)))
    assert 0 < first.load_bytes < first.load_bytes_uncoded < first.link_bytes
    assert second.load_bytes == second.load_bytes_uncoded == 0


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (Request.TABLE, Code.BAD_TABLE, "table is damaged; load the model again"),
        (Request.CODED, Code.BAD_CODE, "code is damaged, or has no table; load the model again"),
    ],
)
def test_bad_code_is_said_in_one_sentence(request_, code, message):
    class Spoiling(DeviceModel):
        def answer_of(self, request):
            return (code, b"") if request == request_ else None

        def on_table(self, payload):
            return self.answer_of(Request.TABLE) or super().on_table(payload)

        def on_coded(self, payload):
            return self.answer_of(Request.CODED) or super().on_coded(payload)

    driver = Driver(Spoiling(RESIDENT, capabilities=Capability.CODED_LOADS))
    with pytest.raises(Refused, match=rf"refused {request_.name} with {code.name}: [^.]*{message}$"):
        driver.load(WHOLE, IMAGE)
    assert not driver.status().committed
