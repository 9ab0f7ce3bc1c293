"""Bench of the decoders, all beside each other, against `golden.huffman`."""

import random
from collections.abc import Sequence

import cocotb
import numpy as np
from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from golden import huffman
from golden.coded import COUNTS, SYMBOLS, Table, of_table
from golden.protocol import TABLE
from tests.hdl.side_by_side import Part, stalls, watch
from tests.hdl.streams import collect, cycles, drive, parameters, rng, start

LATENCY = {"small": 3, "fast": 5, "registered": 5}
"""Cycles from the transfer of a word's last byte to that of its symbol, the bits of the byte apart."""
IDLE = 40


class Bench:
    """One decoder and the code that it has a table of."""

    def __init__(self, dut: HierarchyObject, form: str) -> None:
        self.form, self.dut, self.rng = form, Part(dut, form), rng()

    async def load(self, payloads: Sequence[bytes]) -> None:
        """Write a table as a link does, in requests of any order but for the counts, which are the last."""
        for payload in payloads:
            (address,) = TABLE.unpack_from(payload)
            for place, byte in enumerate(payload[TABLE.size :], address):
                self.dut.write.value = 1
                self.dut.address.value = place
                self.dut.data.value = byte
                await RisingEdge(self.dut.clk)
                self.dut.write.value = 0
                await cycles(self.dut, self.rng.randrange(2))

    async def begin(self) -> None:
        """Forget what there was."""
        self.dut.start.value = 1
        await RisingEdge(self.dut.clk)
        self.dut.start.value = 0

    async def decode(self, code: bytes, count: int, at_input: float, at_output: float) -> list[int]:
        """Symbols of a code."""
        driving = cocotb.start_soon(
            drive(self.dut, "i", code, stall=at_input, rng=random.Random(self.rng.random()))
        )
        found = await collect(self.dut, "o", count, stall=at_output, rng=random.Random(self.rng.random()))
        driving.cancel()
        self.dut.i__valid.value = 0
        return list(found)


async def waits_only_for_bits(bench: Bench, ends: np.ndarray) -> None:
    """Watch that nothing is asked for while symbols are in flight whose last bits, `ends`, have come."""
    dut, taken, given = bench.dut, 0, 0
    while True:
        await RisingEdge(dut.clk)
        if dut.hungry.value == 1:
            assert given >= np.searchsorted(ends, 8 * taken, side="right"), bench.form
        taken += dut.i__valid.value == 1 and dut.i__ready.value == 1
        given += dut.o__valid.value == 1 and dut.o__ready.value == 1


def random_lengths(generator: random.Random, symbols: int) -> np.ndarray:
    """Lengths of a code whose words may be as long as they can."""
    counts = np.zeros(SYMBOLS, dtype=np.int64)
    steepness = generator.choice([1.0, 1.1, 1.6, 2.1])
    for rank, symbol in enumerate(generator.sample(range(SYMBOLS), symbols)):
        counts[symbol] = max(1, int(1e9 / min(steepness**rank, 1e9)))
    return huffman.lengths(counts)


def codes(generator: random.Random) -> list[tuple[np.ndarray, list[int]]]:
    """Lengths and symbols: small and large codes, flat and steep ones."""
    found = []
    for symbols in (2, 3, 5, 16, 17, 40, 255, 256):
        lengths = random_lengths(generator, symbols)
        if np.bincount(lengths, minlength=9)[8] == SYMBOLS:
            lengths[:3] = (7, 9, 9)
        present = np.flatnonzero(lengths).tolist()
        found.append((lengths, present + [generator.choice(present) for _ in range(60)]))
    return found


async def each(dut: HierarchyObject) -> list[Bench]:
    await start(dut)
    return [Bench(dut, form) for form in parameters()["forms"]]


@cocotb.test()
async def decodes_as_golden(dut: HierarchyObject) -> None:
    for bench in await each(dut):
        for lengths, symbols in codes(bench.rng):
            await bench.load(of_table(lengths, 176))
            code = huffman.encode(symbols, lengths)
            ends = np.cumsum(lengths[symbols].astype(int))
            for at_input, at_output in stalls():
                await bench.begin()
                watching = cocotb.start_soon(waits_only_for_bits(bench, ends))
                found = await bench.decode(code, len(symbols), at_input, at_output)
                watching.cancel()
                assert found == symbols, bench.form


@cocotb.test()
async def counts_its_cycles(dut: HierarchyObject) -> None:
    """The small form takes one or two cycles a bit; the fast one a symbol a cycle, if 8 bits are enough."""
    for bench in await each(dut):
        for lengths, symbols in codes(bench.rng):
            await bench.load(of_table(lengths, 176))
            await bench.begin()
            bits = [int(lengths[symbol]) for symbol in symbols]
            code = huffman.encode(symbols, lengths)
            taken: list[int] = []
            given: list[int] = []
            watching = [
                cocotb.start_soon(watch(bench.dut, name, log)) for name, log in (("i", taken), ("o", given))
            ]
            assert await bench.decode(code, len(symbols), 0.0, 0.0) == symbols
            await cycles(bench.dut, 2)
            for watcher in watching:
                watcher.cancel()
            ends = np.cumsum(bits)
            first = taken[0]
            if bench.form == "small":
                expected = first + ends + LATENCY["small"]
            elif bench.form == "registered":
                expected = first + 2 * ends - 1 + LATENCY["registered"]
                expected += given[0] == expected[0] + 1  # its turn may have come a cycle later
            else:
                expected, last = [], 0
                for end in ends.tolist():
                    last = max(last + 1, first + -(-end // 8) - 1 + LATENCY["fast"])
                    expected.append(last)
            assert given == list(expected), f"{bench.form}, words of {min(bits)} to {max(bits)} bits"


@cocotb.test()
async def says_that_bits_are_missing(dut: HierarchyObject) -> None:
    """With nothing left to give, and only then; `start` throws away what there was."""
    for bench in await each(dut):
        lengths = np.zeros(SYMBOLS, dtype=np.uint8)
        lengths[[7, 9]] = 1
        lengths[[7, 9, 11]] = (1, 2, 2)
        await bench.load(of_table(lengths, 176))
        await bench.begin()
        await cycles(bench.dut, 2)
        assert bench.dut.hungry.value == 1
        await drive(bench.dut, "i", [0b0110_1001])
        for _ in range(IDLE):
            await RisingEdge(bench.dut.clk)
            assert bench.dut.hungry.value == 0, "symbols wait"
        assert await collect(bench.dut, "o", 5) == [9, 7, 9, 11, 7]
        await cycles(bench.dut, 4)
        assert bench.dut.hungry.value == 1
        await drive(bench.dut, "i", [0b0000_0001])
        await cycles(bench.dut, IDLE)
        await bench.begin()
        await cycles(bench.dut, 2)
        assert bench.dut.hungry.value == 1
        assert bench.dut.o__valid.value == 0
        assert await bench.decode(b"\x07", 2, 0.0, 0.0) == [11, 9]


@cocotb.test()
async def ends_with_any_table(dut: HierarchyObject) -> None:
    """Mutated tables and codes: what is no code gives symbols without meaning, at most one for each bit."""
    for bench in await each(dut):
        random, refused = bench.rng, 0
        for _ in range(parameters()["mutations"]):
            lengths = random_lengths(random, random.choice([2, 5, 20]))
            payloads = [bytearray(payload) for payload in of_table(lengths, 176)]
            for _ in range(random.randrange(3)):
                payload = random.choice(payloads)
                payload[random.randrange(TABLE.size, len(payload))] = random.choice(
                    [0, 1, random.randrange(256)]
                )
            present = np.flatnonzero(lengths).tolist()
            code = bytearray(huffman.encode(random.choices(present, k=12), lengths) + bytes(8))
            for _ in range(random.randrange(3)):
                code[random.randrange(len(code))] ^= 1 << random.randrange(8)
            await bench.load(payloads)
            await bench.begin()
            count = 8 * len(code) // huffman.MAX_LENGTH - 1
            model = Table()
            good = all(model.write(bytes(payload)) == 0 for payload in payloads)
            found = await bench.decode(bytes(code), count, 0.1, 0.1)
            refused += not good
            if good:
                assert found == list(model.decode(bytes(code), count)[0]), bench.form
        assert refused > parameters()["mutations"] // 10


@cocotb.test()
async def takes_fifteen_bits_at_most(dut: HierarchyObject) -> None:
    """With a table without words, whose symbols mean nothing; then a code is decoded as ever."""
    for bench in await each(dut):
        await bench.load([TABLE.pack(COUNTS + 1) + bytes(15)])
        await bench.begin()
        await bench.decode(b"\xff" * 30, 16, 0.0, 0.0)
        lengths = np.zeros(SYMBOLS, dtype=np.uint8)
        lengths[[3, 4]] = 1
        await bench.load(of_table(lengths, 176))
        await bench.begin()
        assert await bench.decode(b"\x02", 3, 0.0, 0.0) == [3, 4, 3]


@cocotb.test()
async def keeps_table_addresses_apart(dut: HierarchyObject) -> None:
    """Symbol 1 and the count of words of one bit differ in the highest bit of their addresses only."""
    for bench in await each(dut):
        lengths = np.zeros(SYMBOLS, dtype=np.uint8)
        lengths[[3, 4]] = 1
        counts, symbols = of_table(lengths, 176)[::-1]
        await bench.load([symbols, counts])
        assert TABLE.unpack_from(counts) == (COUNTS + 1,)
        await bench.begin()
        assert await bench.decode(b"\x02", 3, 0.0, 0.0) == [3, 4, 3]
