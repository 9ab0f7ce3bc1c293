"""Faults in what decodes loads: both decoders, what stands around them in the link, and its program."""

from tests.faults import Fault


def unit(file: str, tests: str, *changes: tuple[str, str]) -> list[Fault]:
    """Faults of one file, tried on one test file."""
    return [Fault(f"hdl/{file}.py", old, new, f"tests/hdl/test_{tests}.py") for old, new in changes]


FAULTS = [
    *unit(
        "huffman_decoder",
        "huffman_decoder",
        ("goes.eq(turn & (~shown | ~self.o.valid | self.o.ready))", "goes.eq(turn)"),
        ("turn.eq(~turn)", "turn.eq(1)"),
        ("(takes & (available == 1))", "0"),
        ("Mux(length == 2, twos, table.read_data)", "table.read_data"),
        ("Mux(found, place, COUNTS + next_length)", "Mux(found, place, COUNTS + length)"),
        ("place.eq(base + value)", "place.eq(base + difference)"),
        ("difference[8] | (length == MAX_LENGTH)", "difference[8]"),
        ("base.eq(base + count)", "base.eq(base + value)"),
        ("(available == 0) & ~found & ~shown & ~self.o.valid", "(available == 0)"),
        ("available.eq(0), rest.eq(0), base.eq(0), length.eq(1),\n", "available.eq(0), base.eq(0),\n"),
        ("this_first.eq(Mux(begins, 0, first))", "this_first.eq(first)"),
        ("first.eq(end << 1)", "first.eq(end)"),
        ("offsets[n - 1].eq(this_base - this_first)", "offsets[n - 1].eq(this_base)"),
        ("takes.eq(goes & (available >= length))", "takes.eq(goes & (available > length))"),
        ("self.i.ready.eq(available <= ROOM - 8)", "self.i.ready.eq(1)"),
        ("self.hungry.eq(~takes & ~taken & ~found & ~shown & ~self.o.valid)", "self.hungry.eq(~takes)"),
        ("available.eq(0), taken.eq(0), found.eq(0), shown", "taken.eq(0), found.eq(0), shown"),
    ),
    *unit(
        "coded_bytes",
        "coded_link",
        ("settled.eq(looked & ~popped & ~popped_before)", "settled.eq(looked & ~popped)"),
        ("settled.eq(~popped)", "settled.eq(1)"),
        ("self.looks & settled & (left != 0)", "self.looks & settled"),
        ("self.available.eq(unit.o.valid | ended)", "self.available.eq(unit.o.valid)"),
        ("self.short.eq(self.active & ended)", "self.short.eq(ended)"),
        ("with m.If(self.set_size & ~self.active):", "with m.If(self.set_size):"),
        ("[self.active.eq(1), ended.eq(0)]", "self.active.eq(1)"),
        ("with m.If(self.end):", "with m.If(0):"),
    ),
    *unit(
        "firmware_coded",
        "coded_link",
        ("            load    coding\n            if_zero e_code\n", ""),
        ("            if_zero data0               ; they are no code\n", ""),
        ("take_table: clear   coding\n", "take_table:\n"),
        ("            if_carry e_table            ; 256", "            ; 256"),
        ("            load    room\n            unless_zero e_table\n", ""),
        ("            dec     reach+1\n            unless_zero e_table\n", ""),
        ("            compare #LENGTHS\n            unless_zero e_size\n", ""),
        ("e_code:     clear   transaction\n", "e_code:\n"),
        ("            unless_carry symbols1\n", "            jump    symbols1\n"),
    ),
    Fault(
        "hdl/firmware_coded.py",
        "            unless_carry e_table\n",
        "",
        "tests/hdl/test_coded_link.py",
        equivalent="too many words leave a rest of the byte that asks for so many more that 256 are passed",
    ),
]
