"""A memory with one write and one read port and a register behind it: on ECP5 block RAM is just that."""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import bits_for
from hdl.verilog import family

SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
"""Words and bits of a word in each shape of a DP16KD (Lattice FPGA-TN-02204, "Embedded Block RAM")."""
ADDRESS_BITS = 14
LUTRAM_SHARE = 32
"""A memory goes to LUTs if it takes fewer 16 x 4 LUT memories than this for each block: Yosys' costs."""


def fits_luts(words: int, bits: int, blocks: int) -> bool:
    """Whether a memory that would take so many blocks goes to LUTs instead."""
    return -(-words // 16) * -(-bits // 4) < LUTRAM_SHARE * blocks


def shape_of(words: int, bits: int) -> tuple[int, int] | None:
    """The shape that takes the fewest blocks for a memory; None if it is small, or deeper than a block.

    >>> shape_of(1024, 16), shape_of(256, 44), shape_of(2048, 16), shape_of(112, 16)
    ((1024, 18), (512, 36), (2048, 9), None)
    """
    fitting = [shape for shape in SHAPES if shape[0] >= words]
    best = min(fitting, key=lambda shape: -(-bits // shape[1]), default=None)
    return None if best is None or fits_luts(words, bits, -(-bits // best[1])) else best


class BlockMemory(wiring.Component):
    """Memory whose read data pass a register: address, memory, register, each with its own enable.

    For ECP5 it is block RAM whose own output register is used, which Yosys would not do, unless it is small
    enough for LUTs. Elsewhere, and without `output_register`, it is a memory that Yosys finds a place for.

    Latency 2 cycles (1 without `output_register`); throughput one word per cycle.

    Parameters
    ----------
    words, bits : int
    output_register : bool
    lanes : int
        Equal parts of a word, each with an enable of its own for writing; block RAM by instance has blocks
        for each.
    init : sequence of int
        First words, where it is not block RAM by instance, which has none.

    Members
    -------
    write_enable, write_address, write_data : In
        A bit of `write_enable` for each lane, the lowest first.
    read_enable, read_address : In
        When to look up which word. That of a word that is written in the same cycle is undefined.
    hold : In(1)
        The output register keeps what it has; otherwise it takes the word that was looked up last.
    read_data : Out
    """

    def __init__(self, *, words: int, bits: int, output_register: bool, lanes: int = 1, init=()):
        self._words = words
        self._bits = bits
        self._output_register = output_register
        self._lanes = lanes
        self._init = init
        super().__init__({
            "write_enable":  In(lanes),
            "write_address": In(range(words)),
            "write_data":    In(bits),
            "read_enable":   In(1),
            "read_address":  In(range(words)),
            "hold":          In(1),
            "read_data":     Out(bits),
        })

    def elaborate(self, platform):
        m = Module()
        instanced = self._output_register and family(platform) == "ecp5"
        lane_bits = self._bits // self._lanes
        shape = shape_of(self._words, lane_bits) if instanced else None
        if shape is None:
            self._portable(m)
        else:
            parts = [(lane, slice(low, min(low + shape[1], end)))
                     for lane, end in enumerate(range(lane_bits, self._bits + 1, lane_bits))
                     for low in range(end - lane_bits, end, shape[1])]
            for number, (lane, part) in enumerate(parts):
                m.submodules[f"block{number}"] = self._block(shape, lane, part)
        return m

    def _portable(self, m):
        m.submodules.words = words = memory.Memory(
            shape=self._bits, depth=self._words, init=self._init, attrs={"no_rw_check": 1})
        write = words.write_port(granularity=self._bits // self._lanes if self._lanes > 1 else None)
        read = words.read_port()
        m.d.comb += [
            write.en.eq(self.write_enable),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            read.en.eq(self.read_enable),
            read.addr.eq(self.read_address),
        ]
        if not self._output_register:
            m.d.comb += self.read_data.eq(read.data)
            return
        held = Signal(self._bits, reset_less=True)
        m.d.comb += self.read_data.eq(held)
        with m.If(~self.hold):
            m.d.sync += held.eq(read.data)

    def _block(self, shape, lane, part):
        """One DP16KD with part of a lane: port A writes, port B reads.

        Of a word of 36 bits each port's pins carry a half.
        """
        words, width = shape
        wide = width == 36
        unused = bits_for(16384 // words - 1) if words < 16384 else 0
        # The lowest address bits enable the bytes that are written, where a word has more than one.
        enables = {36: 4, 18: 2}.get(width, 0)
        written = self.write_data[part]
        write_data = [*written, *[Const(0, 1)] * (36 - len(written))]
        write_address = Cat(Const(0, unused), self.write_address, Const(0, ADDRESS_BITS))[:ADDRESS_BITS]
        write_address = Cat(Const((1 << enables) - 1, enables), write_address[enables:])
        read_address = Cat(Const(0, unused), self.read_address, Const(0, ADDRESS_BITS))[:ADDRESS_BITS]
        halves = ("A", "B") if wide else ("B",)
        data = {f"o_DO{half}{i}": self.read_data[part.start + 18 * number + i]
                for number, half in enumerate(halves)
                for i in range(18) if 18 * number + i < len(written)}
        return Instance(
            "DP16KD",
            p_DATA_WIDTH_A=width, p_DATA_WIDTH_B=width, p_REGMODE_A="OUTREG", p_REGMODE_B="OUTREG",
            p_WRITEMODE_A="NORMAL", p_WRITEMODE_B="NORMAL",
            p_CSDECODE_A="0b000", p_CSDECODE_B="0b000", p_RESETMODE="SYNC", p_ASYNC_RESET_RELEASE="SYNC",
            p_GSR="DISABLED", p_CLKAMUX="CLKA", p_CLKBMUX="CLKB",
            i_CLKA=ClockSignal(), i_CEA=self.write_enable[lane], i_OCEA=Const(0, 1), i_RSTA=Const(0, 1),
            i_WEA=Const(1, 1),
            i_CLKB=ClockSignal(), i_CEB=self.read_enable, i_OCEB=~self.hold, i_RSTB=Const(0, 1),
            i_WEB=Const(0, 1),
            **{f"i_CS{port}{i}": Const(0, 1) for port in "AB" for i in range(3)},
            **{f"i_ADA{i}": write_address[i] for i in range(ADDRESS_BITS)},
            **{f"i_ADB{i}": read_address[i] for i in range(ADDRESS_BITS)},
            **{f"i_DIA{i}": write_data[i] for i in range(18)},
            **{f"i_DIB{i}": write_data[18 + i] for i in range(18)},
            **data)
