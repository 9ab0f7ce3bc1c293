"""Two signed products of 8 by 8 bits with a common operand: what a pair of dense lanes multiplies."""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.dense import PRODUCT_CYCLES
from hdl.multiplier import Multiplier

PRIMITIVES = (None, "ice40", "ecp5")
FIELD_BITS = 10
"""Place of the second weight in a packed operand of 18 bits."""
OVERLAP_BITS = 16 - FIELD_BITS
"""Bits in which the two products of a packed one overlap."""


class Int8Products(wiring.Component):
    """Multiply two weights by one activation.

    "plain" leaves each product to a multiplier of the chip; on iCE40 both share an SB_MAC16, which is
    made for two products of 8 by 8 bits. "lut" adds up the activation's bits in pairs, pairs of pairs,
    and all.

    "packed" shares a multiplier of 18 by 18 bits, too narrow to keep the products apart by itself::

        operand      w1 (8)  0 0  u0 (8)          u0 = w0 + 128, unsigned, so that no borrow reaches w1
        product      w1 * a * 1024 + u0 * a       the 6 upper bits of u0 * a fall on w1 * a

    The low 6 bits of w1 * a are multiplied once more in logic. Taken from the sum they leave the upper 6
    bits of u0 * a, and these taken from the sum leave w1 * a. At last u0 * a is 128 * a too large.

    Latency `golden.dense.PRODUCT_CYCLES[kind]`; throughput two products per cycle.

    Parameters
    ----------
    kind : str
        One of `golden.dense.PRODUCT_CYCLES`.
    primitives : str or None
        The family whose primitives are used, "ice40" or "ecp5", or None to describe them.

    Members
    -------
    weight : In(signed(8)).array(2)
    activation : In(signed(8))
    o : Out(signed(16)).array(2)

    Raises
    ------
    ValueError
        For a kind or a family that does not exist.
    """

    def __init__(self, kind: str, *, primitives: str | None = None):
        if kind not in PRODUCT_CYCLES:
            raise ValueError(f"Kind must be one of {tuple(PRODUCT_CYCLES)}, not {kind!r}")
        if primitives not in PRIMITIVES:
            raise ValueError(f"Primitives must be one of {PRIMITIVES}, not {primitives!r}")
        self._kind = kind
        self._primitives = primitives
        super().__init__({
            "weight":     In(signed(8)).array(2),
            "activation": In(signed(8)),
            "o":          Out(signed(16)).array(2),
        })

    def elaborate(self, platform):
        m = Module()
        if self._kind == "packed":
            self._packed(m)
        elif self._kind == "lut":
            self._lut(m)
        elif self._primitives == "ice40":
            self._mac16(m)
        else:
            for i in range(2):
                m.submodules[f"multiplier{i}"] = one = Multiplier(primitive=self._primitives == "ecp5")
                m.d.comb += [one.a.eq(self.weight[i]), one.b.eq(self.activation), self.o[i].eq(one.o)]
        return m

    def _packed(self, m):
        m.submodules.multiplier = multiplier = Multiplier(primitive=self._primitives == "ecp5")
        offset = Cat(self.weight[0][:7], ~self.weight[0][7])
        m.d.comb += [
            multiplier.a.eq(Cat(offset, Const(0, FIELD_BITS - 8), self.weight[1]).as_signed()),
            multiplier.b.eq(self.activation),
        ]
        # Beside the multiplier: the low bits of the second product, and the activation.
        # They are added up by hand, as Yosys would spend a second multiplier on them.
        rows = [self.weight[1][:OVERLAP_BITS - bit] & self.activation[bit].replicate(OVERLAP_BITS - bit)
                for bit in range(OVERLAP_BITS)]
        pairs = [Signal(OVERLAP_BITS - bit, name=f"low_pair{bit}", reset_less=True)
                 for bit in range(0, OVERLAP_BITS, 2)]
        low = Signal(OVERLAP_BITS, reset_less=True)
        activations = [Signal(signed(8), name=f"activation{i}", reset_less=True) for i in range(3)]
        source = self.activation
        for register in activations:
            m.d.sync += register.eq(source)
            source = register
        m.d.sync += [
            *(pair.eq(even + (odd << 1))
              for pair, even, odd in zip(pairs, rows[::2], rows[1::2], strict=True)),
            low.eq(pairs[0] + (pairs[1] << 2) + (pairs[2] << 4)),
        ]
        upper = Signal(signed(16), reset_less=True)
        carried = Signal(signed(OVERLAP_BITS), reset_less=True)
        rest = Signal(FIELD_BITS, reset_less=True)
        m.d.sync += [
            upper.eq(multiplier.o >> FIELD_BITS),
            carried.eq(multiplier.o[FIELD_BITS:16] - low),
            rest.eq(multiplier.o),
            self.o[0].eq(Cat(rest, carried).as_signed() - (activations[2] << 7)),
            self.o[1].eq(upper - carried),
        ]

    def _lut(self, m):
        activation = Signal.like(self.activation, reset_less=True)
        m.d.sync += activation.eq(self.activation)
        for i, o in enumerate(self.o):
            weight = Signal.like(self.weight[i], name=f"weight{i}", reset_less=True)
            m.d.sync += weight.eq(self.weight[i])

            def times(bit, weight=weight):
                product = Signal(signed(8), name=f"row{bit}")
                m.d.comb += product.eq(weight & activation[bit].replicate(8))
                return product

            pairs = [times(0) + (times(1) << 1), times(2) + (times(3) << 1),
                     times(4) + (times(5) << 1), times(6) - (times(7) << 1)]
            for width in (10, 12):
                registers = [Signal(signed(width), name=f"sum{i}_{width}_{k}", reset_less=True)
                             for k in range(len(pairs))]
                m.d.sync += [register.eq(pair) for register, pair in zip(registers, pairs, strict=True)]
                places = 2 if width == 10 else 4
                pairs = [low + (high << places)
                         for low, high in zip(registers[::2], registers[1::2], strict=True)]
            m.d.sync += o.eq(pairs[0])

    def _mac16(self, m):
        m.submodules.multiplier = Instance(
            "SB_MAC16",
            p_MODE_8x8=Const(1, 1), p_A_SIGNED=Const(1, 1), p_B_SIGNED=Const(1, 1),
            p_A_REG=Const(1, 1), p_B_REG=Const(1, 1),
            p_TOP_8x8_MULT_REG=Const(1, 1), p_BOT_8x8_MULT_REG=Const(1, 1),
            p_TOPOUTPUT_SELECT=Const(2, 2), p_BOTOUTPUT_SELECT=Const(2, 2),
            i_CLK=ClockSignal(), i_CE=Const(1, 1),
            i_A=Cat(*self.weight), i_B=Cat(self.activation, self.activation),
            **{f"i_{name}": Const(0, 16) for name in "CD"},
            **{f"i_{name}": Const(0, 1) for name in (
                "AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT", "OLOADTOP",
                "OLOADBOT", "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT", "CI", "ACCUMCI", "SIGNEXTIN")},
            o_O=Cat(*self.o))
