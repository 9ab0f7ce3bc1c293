"""Pins of amaranth-boards, and what they look like in nextpnr's constraint files: PCF, LPF, CST."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pin:
    """One pin of a board.

    Parameters
    ----------
    port : str
        Port of the top module.
    place : str
        Pin or ball of the chip.
    inverted : bool
        Whether it is active low.
    attributes : dict
        Those of amaranth-boards.
    """

    port: str
    place: str
    inverted: bool
    attributes: dict


def pins(platform, ports):
    """Pins of a platform's resources.

    Parameters
    ----------
    platform : amaranth.build.Platform
    ports : dict
        Port of the top module and its resource, such as "uart/0/rx"; each must be a single pin.

    Returns
    -------
    list of Pin
    """
    wires = {name: place for connector in type(platform).connectors for name, place in connector}
    return [_pin(platform, wires, port, *resource.split("/")) for port, resource in ports.items()]


def _pin(platform, wires, port, name, number, *path):
    node = platform.lookup(name, int(number))
    attributes = dict(node.attrs)
    for step in path:
        node = next(part for part in node.ios if part.name == step)
        attributes.update(node.attrs)
    [place] = node.ios[0].map_names(wires, node)
    return Pin(port, place, node.ios[0].invert, attributes)


def _text(value):
    return "1" if value is True else str(value)


def pcf(found, oscillator_mhz):
    """For nextpnr-ice40."""
    lines = []
    for pin in found:
        pull = "-pullup yes " if pin.attributes.get("PULLUP") else ""
        lines.append(f"set_io {pull}{pin.port} {pin.place}")
    return "\n".join([*lines, f"set_frequency clk {oscillator_mhz:g}", ""])


def lpf(found, oscillator_mhz):
    """For nextpnr-ecp5."""
    lines = []
    for pin in found:
        settings = " ".join(f"{name}={_text(value)}" for name, value in pin.attributes.items())
        lines += [f'LOCATE COMP "{pin.port}" SITE "{pin.place}";', f'IOBUF PORT "{pin.port}" {settings};']
    return "\n".join([*lines, f'FREQUENCY PORT "clk" {oscillator_mhz:g} MHZ;', ""])


def cst(found, oscillator_mhz):
    """For nextpnr-himbaechel with Gowin, which takes the frequency on its command line."""
    lines = []
    for pin in found:
        settings = " ".join(f"{name}={_text(value)}" for name, value in pin.attributes.items())
        lines += [f'IO_LOC "{pin.port}" {pin.place};', f'IO_PORT "{pin.port}" {settings};']
    return "\n".join([*lines, ""])


WRITERS = {"ice40": pcf, "ecp5": lpf, "gowin": cst}


FLASH_PINS = {"flash_select": "cs", "flash_clock": "clk", "flash_command": "copi", "flash_data": "cipo"}
"""Ports of the top module, and what amaranth-boards calls their pins."""


def board_pins(board, platform, *, flash=False):
    """Every pin that `boards.top.Top` uses of a board, with its flash or without."""
    return pins(platform, {
        "clk": f"{platform.default_clk}/0",
        "rx": "uart/0/rx",
        "tx": "uart/0/tx",
        **{f"led_{number}": resource for number, resource in enumerate(board.lamps)},
        **{f"high_{number}": resource for number, resource in enumerate(board.held_high)},
        **({port: f"{board.flash}/{name}" for port, name in FLASH_PINS.items()} if flash else {}),
    })


def constraints(board, found):
    """Text of the constraint file of a board, for its pins."""
    return WRITERS[board.chip.family](found, board.oscillator_mhz)
