"""Primitives of ECP5 side by side, all with the same stimuli, for a bench of their simulation models."""

from collections.abc import Sequence

from amaranth.hdl import Cat, ClockSignal, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

MEMORIES = (
    (36, 36, "OUTREG", "NORMAL"),
    (36, 36, "NOREG", "NORMAL"),
    (36, 9, "NOREG", "NORMAL"),
    (18, 18, "NOREG", "READBEFOREWRITE"),
    (18, 36, "OUTREG", "NORMAL"),
    (9, 9, "OUTREG", "WRITETHROUGH"),
    (4, 18, "NOREG", "READBEFOREWRITE"),
    (2, 1, "NOREG", "WRITETHROUGH"),
    (1, 4, "OUTREG", "READBEFOREWRITE"),
)
"""Widths of the ports that write and read, output register, what a write shows at its own port."""
INITIAL = (0x2A5A5, 0x15A5A)
"""The first two words of 18 bits."""
MULTIPLIERS = ((), ("INPUTA", "INPUTB", "OUTPUT"), ("PIPELINE",), ("INPUTB", "PIPELINE", "OUTPUT"))
"""Which registers of a multiplier are used."""


def bits(prefix: str, value: Signal, count: int) -> dict[str, object]:
    """Connections of pins that are numbered."""
    return {f"{prefix}{number}": value[number] for number in range(count)}


class Primitives(wiring.Component):
    """Memories with a port that writes and one that reads, one PDPW16KD, and multipliers."""

    def __init__(self) -> None:
        super().__init__(
            {
                "write": In(1),
                "enable": In(1),
                "write_address": In(14),
                "data": In(36),
                "read": In(1),
                "show": In(1),
                "read_address": In(14),
                "clear": In(1),
                **{f"read_{n}": Out(36) for n in range(len(MEMORIES))},
                **{f"own_{n}": Out(18) for n in range(len(MEMORIES))},
                "exchanged": Out(36),
                "a": In(18),
                "b": In(18),
                "signs": In(2),
                "hold": In(1),
                **{f"product_{n}": Out(36) for n in range(len(MULTIPLIERS))},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for number, (width_a, width_b, register, mode) in enumerate(MEMORIES):
            outputs = Cat(getattr(self, f"own_{number}"), Signal(18, name=f"upper_{number}"))
            shown = getattr(self, f"read_{number}")
            low, high = Signal(18, name=f"low_{number}"), Signal(18, name=f"high_{number}")
            m.d.comb += [outputs.eq(low), shown.eq(Cat(low, high) if width_b == 36 else high)]
            m.submodules[f"memory_{number}"] = Instance(
                "DP16KD",
                p_DATA_WIDTH_A=width_a,
                p_DATA_WIDTH_B=width_b,
                p_REGMODE_A=register,
                p_REGMODE_B=register,
                p_WRITEMODE_A=mode,
                p_INITVAL_00=INITIAL[0] | INITIAL[1] << 20,
                i_CLKA=ClockSignal(),
                i_CEA=self.enable,
                i_WEA=self.write,
                i_OCEA=self.show,
                i_RSTA=self.clear,
                i_CLKB=ClockSignal(),
                i_CEB=self.read,
                i_WEB=0,
                i_OCEB=self.show,
                i_RSTB=self.clear,
                **{f"i_CS{port}{n}": 0 for port in "AB" for n in range(3)},
                **bits("i_ADA", self.write_address, 14),
                **bits("i_ADB", self.read_address, 14),
                **bits("i_DIA", self.data[:18], 18),
                **bits("i_DIB", self.data[18:], 18),
                **bits("o_DOA", low, 18),
                **bits("o_DOB", high, 18),
            )
        m.submodules.exchanged = Instance(
            "PDPW16KD",
            i_CLKW=ClockSignal(),
            i_CEW=self.enable & self.write,
            i_CLKR=ClockSignal(),
            i_CER=self.read,
            i_OCER=0,
            i_RST=self.clear,
            **{f"i_CS{port}{n}": 0 for port in "WR" for n in range(3)},
            **bits("i_BE", self.write_address[:4], 4),
            **bits("i_ADW", self.write_address[5:], 9),
            **bits("i_ADR", self.read_address, 14),
            **bits("i_DI", self.data, 36),
            **bits("o_DO", self.exchanged, 36),
        )
        for number, registers in enumerate(MULTIPLIERS):
            m.submodules[f"multiplier_{number}"] = self._multiplier(
                registers, getattr(self, f"product_{number}")
            )
        return m

    def _multiplier(self, registers: Sequence[str], product: Signal) -> Instance:
        return Instance(
            "MULT18X18D",
            **{f"p_REG_{name}_CLK": "CLK0" for name in registers},
            i_CLK0=ClockSignal(),
            i_CE0=~self.hold,
            i_RST0=self.clear,
            i_SIGNEDA=self.signs[0],
            i_SIGNEDB=self.signs[1],
            i_SOURCEA=0,
            i_SOURCEB=0,
            **bits("i_A", self.a, 18),
            **bits("i_B", self.b, 18),
            **bits("o_P", product, 36),
        )
