"""Damaged tables and codes over the whole link of the simulated board: typed errors only, no hang."""

import random
import zlib

import numpy as np
import pytest

from boards.presets import SIMULATED
from boards.simulated import SimulatedBoard
from golden import huffman, protocol
from golden.coded import SYMBOLS, Table, of_table
from golden.image import SECTION, words_to_bytes
from golden.memories import Memory
from golden.protocol import WHOLE, Code, Request
from host.driver import Driver
from host.exchange import Exchange, Refused
from host.transport import SerialTransport
from tests.hdl.link_reference import LinkReference

WORDS = np.random.default_rng(0).choice(12, 60, p=np.arange(1, 13) / 78)
IMAGE = SECTION.pack(Memory.CODEBOOK, 2, 1, 4, len(WORDS)) + words_to_bytes(WORDS, 2)
LENGTHS = huffman.lengths(np.bincount(np.frombuffer(IMAGE, np.uint8), minlength=SYMBOLS))
CODED = protocol.CODED.pack(0, len(IMAGE)) + huffman.encode(np.frombuffer(IMAGE, np.uint8), LENGTHS)
PAYLOADS = [
    *((Request.TABLE, payload) for payload in of_table(LENGTHS, protocol.PAYLOAD_LIMIT)),
    (Request.CODED, CODED),
]


class Fuzz:
    """One device, and what it should reply."""

    def __init__(self, transport, generator):
        self.exchange = Exchange(transport, timeout=5.0)
        self.reference = LinkReference(SIMULATED, 1, protocol.PAYLOAD_LIMIT, 2, None, decodes=True)
        self.random = generator
        self.seen = dict.fromkeys(Code, 0)

    def ask(self, request, payload=b""):
        """One request, whose reply must be the reference's."""
        code, data = self.reference.reply(request, payload)
        try:
            found = Code.OK, self.exchange.request(request, payload)
        except Refused as error:
            found = error.code, None
        assert found == (code, data if code == Code.OK else None), f"{request.name} {payload.hex(' ')}"
        self.seen[code] += 1

    def spoilt(self, request, payload):
        """A payload with one thing wrong, but the offset: the host would take a gap for a lost request."""
        first = protocol.DATA.size if request == Request.CODED else 0
        spoilt, place = bytearray(payload), self.random.randrange(first, len(payload))
        change = self.random.randrange(4)
        if change == 0:
            del spoilt[place:]
        elif change == 1:
            spoilt.insert(place, self.random.randrange(256))
        else:
            spoilt[place] = self.random.choice([0, 1, 255, spoilt[place] ^ 1 << self.random.randrange(8)])
        return bytes(spoilt)

    def load(self, payloads):
        """A whole load."""
        self.ask(Request.BEGIN, protocol.BEGIN.pack(WHOLE, zlib.crc32(IMAGE)))
        for request, payload in payloads:
            self.ask(request, payload)
        self.ask(Request.COMMIT)


def run(mutations):
    with SimulatedBoard() as board:
        transport = SerialTransport(board.port)
        driver = Driver(transport)
        fuzz = Fuzz(transport, random.Random(1))
        for number in range(mutations):
            payloads = list(PAYLOADS)
            for _ in range(fuzz.random.randrange(1, 3)):
                place = fuzz.random.randrange(len(payloads))
                payloads[place] = PAYLOADS[place][0], fuzz.spoilt(*PAYLOADS[place])
            fuzz.load(payloads)
            if number % 50 == 49:
                fuzz.load(PAYLOADS)
                assert fuzz.reference.committed == 0b11
                found = driver.read(Memory.CODEBOOK, 1, 4, len(WORDS))
                np.testing.assert_array_equal(found, WORDS)
        status = driver.status()
        assert (status.damaged, status.overruns) == (0, 0)
        transport.close()
    for code in (Code.BAD_TABLE, Code.BAD_CODE, Code.BAD_IMAGE, Code.OUT_OF_RANGE, Code.BAD_LENGTH):
        assert fuzz.seen[code] > mutations // 100, code.name
    return fuzz.seen


def test_damaged_tables_and_codes():
    run(200)


@pytest.mark.long
def test_many_damaged_tables_and_codes():
    seen = run(1000)
    print({code.name: number for code, number in seen.items() if number})


def test_a_table_outlives_a_load():
    """It is kept until the next one."""
    table = Table()
    assert {table.write(payload) for _, payload in PAYLOADS[:-1]} == {Code.OK}
    with SimulatedBoard() as board:
        transport = SerialTransport(board.port)
        fuzz = Fuzz(transport, random.Random(1))
        Driver(transport)
        fuzz.load(PAYLOADS)
        fuzz.load(PAYLOADS[-1:])
        assert fuzz.reference.committed == 0b11
        transport.close()
