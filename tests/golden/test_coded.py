"""Images cut into requests of Huffman code, and the model of a device's table."""

import numpy as np
import pytest

from golden import huffman, protocol
from golden.coded import COUNTS, LONGEST, Table, batches, of_table, uncoded
from golden.geometry import Geometry
from golden.image import SECTION
from golden.memories import Memory, word_bytes
from golden.plan import make_plan
from golden.protocol import Code, Request
from tests.hdl.link_reference import cut
from tests.networks import random_model


def section(memory, values):
    data = bytes(values)
    size = word_bytes(Geometry(), memory)
    return SECTION.pack(memory, size, 0, 0, len(data) // size) + data


def skewed(rng, count, some):
    return rng.choice(some, count, p=np.arange(len(some), 0, -1) ** 3 / sum(np.arange(1, len(some) + 1) ** 3))


def image(seed=0, sizes=(3000, 1200)):
    """Entries and pointers of different statistics."""
    rng = np.random.default_rng(seed)
    return section(Memory.MATRIX, skewed(rng, sizes[0], np.arange(40, 80)).astype(np.uint8)) + section(
        Memory.POINTERS, skewed(rng, sizes[1], np.arange(20)).astype(np.uint8)
    )


def received(found, limit):
    """What a device makes of the requests, each of which must suit it."""
    table, data = Table(), b""
    for batch in found:
        assert batch.ends[0] == len(data)
        assert len(batch.ends) == len(batch.payloads) + 1
        for payload, end in zip(batch.payloads, batch.ends[1:], strict=True):
            assert len(payload) <= limit
            if batch.request == Request.TABLE:
                assert table.write(payload) == Code.OK
                continue
            offset, count, rest = (*protocol.DATA.unpack_from(payload), 0, payload[protocol.DATA.size :])
            if batch.request == Request.CODED:
                offset, count = protocol.CODED.unpack_from(payload)
                rest = payload[protocol.CODED.size :]
            assert offset == len(data)
            if count:
                rest, sound = table.decode(rest, count)
                assert sound
            data += rest
            assert not cut(data), "a request ends after a header or a word"
            assert len(data) == end
    return data


@pytest.mark.parametrize("limit", [128, 176, 244])
def test_a_device_gets_the_image_back(limit):
    found = batches(image(), limit)
    assert received(found, limit) == image()
    assert [batch.request for batch in found] == 2 * [Request.TABLE, Request.CODED]
    assert sum(batch.wire_bytes for batch in found) < 0.8 * uncoded(image(), limit).wire_bytes


def test_the_decoder_is_that_of_golden():
    """`Table.decode` and `golden.huffman.decode` read the same code."""
    rng = np.random.default_rng(5)
    symbols = skewed(rng, 200, np.arange(100, 130))
    lengths = huffman.lengths(np.bincount(symbols, minlength=256))
    code = huffman.encode(symbols, lengths)
    table = Table()
    assert {table.write(payload) for payload in of_table(lengths, 128)} == {Code.OK}
    assert table.decode(code, 200) == (bytes(huffman.decode(code, 200, lengths).tolist()), True)
    assert table.decode(code[:-1], 200)[1] is False
    assert table.decode(code + b"\xff", 200) == table.decode(code, 200)
    assert table.decode(code[:-1], 200)[0][:180] == bytes(symbols[:180].tolist())


def test_runs_share_a_table_where_that_is_shorter():
    """Two small memories of the same statistics."""
    rng = np.random.default_rng(1)
    values = skewed(rng, 1200, np.arange(60)).astype(np.uint8)
    data = section(Memory.MATRIX, values[:600]) + section(Memory.POINTERS, values[600:])
    found = batches(data, 176)
    assert [batch.request for batch in found] == [Request.TABLE, Request.CODED]
    assert received(found, 176) == data


def test_what_does_not_pay_is_not_coded():
    rng = np.random.default_rng(2)
    noise = section(Memory.MATRIX, rng.integers(0, 256, 3000, dtype=np.uint8))
    assert [batch.request for batch in batches(noise, 176)] == [Request.DATA]
    tail = section(Memory.POINTERS, skewed(rng, 2400, np.arange(20)).astype(np.uint8))
    found = batches(noise + tail, 176)
    assert [batch.request for batch in found] == [Request.DATA, Request.TABLE, Request.CODED]
    assert received(found, 176) == noise + tail


def test_requests_of_code_may_hold_none():
    """Where a stretch of a run takes more bytes in code, it is sent as it is."""
    rng = np.random.default_rng(3)
    values = np.concatenate([skewed(rng, 6000, np.arange(8)), rng.permutation(256), np.zeros(400)])
    data = section(Memory.MATRIX, values.astype(np.uint8))
    (_, coded) = batches(data, 176)
    counts = [protocol.CODED.unpack_from(payload)[1] for payload in coded.payloads]
    assert 0 in counts
    assert max(counts) in (LONGEST, LONGEST - 1)
    assert received(batches(data, 176), 176) == data


@pytest.mark.parametrize("data", [b"", section(Memory.MATRIX, bytes(2)), section(Memory.MATRIX, bytes(4000))])
def test_small_and_uniform_images(data):
    """An image without bytes, and one whose only symbols are a header and zeros."""
    assert received(batches(data, 176), 176) == data


def test_models():
    model = random_model(np.random.default_rng(0), [64, 90, 30, 10])
    plan = make_plan(model, Geometry(pes=3))
    payload = plan.images[0].payload
    assert received(batches(payload, 176), 176) == payload


@pytest.mark.parametrize(
    ("address", "data", "code"),
    [
        (COUNTS + 1, [2, *[0] * 14], Code.OK),
        (COUNTS + 1, [1, 1, 2, *[0] * 12], Code.OK),
        (COUNTS + 1, [3, *[0] * 14], Code.BAD_TABLE),
        (COUNTS + 1, [1, *[0] * 14], Code.BAD_TABLE),
        (COUNTS + 1, [0] * 15, Code.BAD_TABLE),
        (COUNTS + 1, [*[0] * 7, 255, 2, *[0] * 6], Code.BAD_TABLE),
        (COUNTS + 1, [2, *[0] * 13], Code.BAD_LENGTH),
        (COUNTS + 1, [2, *[0] * 15], Code.BAD_LENGTH),
        (COUNTS, [2, *[0] * 14], Code.OUT_OF_RANGE),
        (COUNTS + 2, [2, *[0] * 14], Code.OUT_OF_RANGE),
        (250, [1] * 6, Code.OK),
        (250, [1] * 7, Code.OUT_OF_RANGE),
    ],
)
def test_tables_are_judged(address, data, code):
    table = Table()
    assert table.write(protocol.TABLE.pack(address) + bytes(data)) == code
    assert table.ready == (code == Code.OK and address == COUNTS + 1)


def test_no_table_no_code():
    assert Table().decode(b"\0", 1) == (b"", False)


def test_words_of_256_symbols_of_one_length_are_no_table():
    """Their number does not fit in a byte, and nothing would be saved."""
    values = np.tile(np.arange(256), 12).astype(np.uint8)
    assert [batch.request for batch in batches(section(Memory.MATRIX, values), 176)] == [Request.DATA]
