"""Resets of ECP5 on global wires, which nextpnr keeps for clocks unless a buffer is asked for by name.

A reset goes to thousands of flip-flops all over the chip. Routed like any wire it takes a sixth of all
routing, and now and then the router spends minutes on one of its ends.
"""

import json
from collections import Counter

FEWEST = 256
"""Flip-flops that a reset must have to be worth one of the few global wires."""
MOST = 7
"""Eight of the sixteen global wires reach resets; one is left to the clock."""


def buffer_resets(path, top):
    """Put a global buffer, a DCCA, between large resets and their flip-flops.

    What else such a net drives, such as LUTs, stays where it is.

    Parameters
    ----------
    path : Path
        Netlist of an ECP5, as `write_json` of Yosys writes it; rewritten.
    top : str
        Name of the module; it is flat.

    Returns
    -------
    dict of str to int
        Flip-flops behind each buffer, by its name.
    """
    design = json.loads(path.read_text())
    module = design["modules"][top]
    flip_flops = [cell["connections"] for cell in module["cells"].values() if cell["type"] == "TRELLIS_FF"]
    resets = Counter(reset for reset in map(_reset, flip_flops) if isinstance(reset, int))
    large = [(reset, count) for reset, count in resets.most_common(MOST) if count >= FEWEST]
    free = 1 + max(bit for net in module["netnames"].values() for bit in net["bits"] if isinstance(bit, int))
    found, buffered = {}, {}
    for number, (reset, count) in enumerate(large):
        name, wire = f"global_reset{number}", free + number
        module["cells"][name] = {
            "hide_name": 0, "type": "DCCA", "parameters": {}, "attributes": {},
            "port_directions": {"CLKI": "input", "CLKO": "output"},
            "connections": {"CLKI": [reset], "CLKO": [wire]},
        }
        module["netnames"][name] = {"hide_name": 0, "bits": [wire], "attributes": {}}
        found[name], buffered[reset] = count, wire
    for pins in flip_flops:
        if (reset := _reset(pins)) in buffered:
            pins["LSR"] = [buffered[reset]]
    path.write_text(json.dumps(design))
    return found


def _reset(pins):
    """The wire at a flip-flop's reset; a digit, or None, if it has none."""
    return next(iter(pins.get("LSR", ())), None)
