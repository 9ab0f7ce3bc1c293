"""Commands and loader together, with an engine that the bench plays."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.geometry import Geometry
from hdl.cobs import body_layout
from hdl.commands import Commands, engine_signature
from hdl.loader import Loader
from hdl.status import COUNTERS
from tests.hdl.runner import simulate

SETTINGS = {"clock_hz": 12_345_678, "window": 3}
GEOMETRIES = {
    "even": {"pes": 4, "activations": 64},
    "odd": {"pes": 7, "matrix_words": 401, "pointer_words": 121, "accumulators": 101, "activations": 45,
            "codebook_entries": 100, "steps": 11, "entry_bits": 9, "word_entries": 4, "accumulator_bits": 40},
    "one": {"pes": 1, "activations": 128, "pointer_words": 65536, "steps": 256},
}  # fmt: skip


class CommandedLoader(wiring.Component):
    """Commands with the loader that they feed."""

    def __init__(self, geometry, payload_limit):
        self._loader = Loader(geometry)
        self._commands = Commands(geometry, payload_limit=payload_limit, **SETTINGS)
        super().__init__({
            "request": In(stream.Signature(8)),
            "reply": Out(stream.Signature(body_layout())),
            "events": In(data.StructLayout(dict.fromkeys(COUNTERS, 1))),
            "engine": Out(engine_signature(geometry)),
            "failed": Out(1),
        })  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        m.submodules.loader = loader = self._loader
        m.submodules.commands = commands = self._commands
        for name in ("request", "reply", "engine"):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(commands, name))
        wiring.connect(m, commands.loader, loader)
        m.d.comb += [commands.events.eq(self.events), self.failed.eq(loader.failed)]
        return m


@pytest.mark.parametrize(
    ("name", "limit", "stall"), [("even", 256, 0.0), ("odd", 200, 0.3), ("one", 128, 0.1)]
)
def test_commands(name, limit, stall):
    geometry = GEOMETRIES[name]
    simulate(
        CommandedLoader(Geometry(**geometry), limit),
        "tests.hdl.bench_commands",
        parameters={"geometry": geometry, "limit": limit, "stall": stall, "requests": 500, **SETTINGS},
    )


@pytest.mark.parametrize("clock_hz", [0, 1 << 32, 12e6])
def test_clock_is_checked(clock_hz):
    with pytest.raises(
        ValueError, match=rf"^Clock_hz must be an integer from 1 to 4294967295, not {clock_hz}$"
    ):
        Commands(Geometry(), clock_hz=clock_hz, payload_limit=256, window=2)
