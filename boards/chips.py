"""The FPGAs on the boards: what each has, and the arguments that select it in the tools.

Counts are those of the data sheets: iCE40 UltraPlus FPGA-DS-02008, iCE40 LP/HX FPGA-DS-02029, ECP5
FPGA-DS-02012, GW1NR DS117.
"""

from dataclasses import dataclass

from hdl.block_memory import SHAPES

ICE40_BLOCK = ((256, 16), (512, 8), (1024, 4), (2048, 2))
ECP5_BLOCK = SHAPES
GOWIN_BLOCK = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
"""Words and bits of a word in each shape that one block RAM can take."""


@dataclass(frozen=True, kw_only=True)
class Chip:
    """An FPGA in its package.

    Parameters
    ----------
    name : str
    family : {"ice40", "ecp5", "gowin"}
    luts, flip_flops, brams, dsps : int
        How many it has; a DSP is one multiplier of at least 16 x 16.
    synthesis : tuple of str
        Arguments of Yosys' synthesis command.
    place : tuple of str
        Arguments of nextpnr.
    block_shapes : tuple
        Shapes of one block RAM.
    sprams : int
        Single-port memories of 16K x 16 bits, for the weights.
    lutram : bool
        Whether LUTs can be memory, 16 x 4 bits at a time.
    """

    name: str
    family: str
    luts: int
    flip_flops: int
    brams: int
    dsps: int
    synthesis: tuple[str, ...]
    place: tuple[str, ...]
    block_shapes: tuple[tuple[int, int], ...]
    sprams: int = 0
    lutram: bool = False


UP5K = Chip(
    name="iCE40UP5K-SG48", family="ice40", luts=5280, flip_flops=5280, brams=30, dsps=8,
    synthesis=("-device", "u", "-dsp"), place=("--up5k", "--package", "sg48"), block_shapes=ICE40_BLOCK,
    sprams=4)
HX8K = Chip(
    name="iCE40HX8K-CT256", family="ice40", luts=7680, flip_flops=7680, brams=32, dsps=0,
    synthesis=("-device", "hx"), place=("--hx8k", "--package", "ct256"), block_shapes=ICE40_BLOCK)
GW1NR9 = Chip(
    name="GW1NR-LV9QN88PC6/I5", family="gowin", luts=8640, flip_flops=6480, brams=26, dsps=20,
    synthesis=("-noiopads",), place=("--device", "GW1NR-LV9QN88PC6/I5", "--vopt", "family=GW1N-9C"),
    block_shapes=GOWIN_BLOCK, lutram=True)


def ecp5(size: str, package: str, speed: int) -> Chip:
    """A LFE5U of 25, 45 or 85 thousand LUTs.

    >>> ecp5("25F", "CABGA381", 6).dsps
    28
    """
    # LUTs of five to seven inputs would take up to eight of four: 7 % more in all.
    luts, brams, dsps = {"25F": (24288, 56, 28), "45F": (43848, 108, 72), "85F": (83640, 208, 156)}[size]
    return Chip(
        name=f"LFE5U-{size}-{speed} {package}", family="ecp5", luts=luts, flip_flops=luts, brams=brams,
        dsps=dsps, synthesis=("-nowidelut",),
        place=(f"--{size[:-1]}k", "--package", package, "--speed", str(speed)),
        block_shapes=ECP5_BLOCK, lutram=True)
