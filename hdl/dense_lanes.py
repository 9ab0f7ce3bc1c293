"""A pair of dense lanes: a weight memory, two products a cycle, two accumulators."""

from amaranth.hdl import Array, ClockSignal, Const, Instance, Module, Mux, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from golden.dense import PRODUCT_CYCLES, DenseGeometry, dense_address_bits
from golden.geometry import bits_for
from hdl.int8_products import Int8Products

SPRAM_ADDRESS_BITS = 14


def dense_load_layout(geometry: DenseGeometry) -> data.StructLayout:
    """A word for the weight memory of one pair, on its way there."""
    return data.StructLayout({
        "valid":   1,
        "pair":    bits_for(geometry.pairs - 1),
        "address": dense_address_bits(geometry),
        "data":    16,
    })


def operand_layout() -> data.StructLayout:
    """What comes with a column: its activation, and with a row group's last column what is done then."""
    return data.StructLayout({"activation": 8, "clear": 1, "drain": 1})


class DenseLanes(wiring.Component):
    """Multiply and accumulate two rows; hand each over when it is complete.

    ::

        cycle   0          1         2            2+P             3+P              4+P
                address -> memory -> weight    -> product 0 ----> sum 0 ---------> o.row
                                     operand                                       ^
                                               -> product 1 -> a cycle later --> sum 1

    Everything that comes in goes to the next pair two cycles later, so the pairs finish their rows one
    after the other, and none is far from the next. Only `stop` takes one cycle: sent d cycles behind
    `drain` it meets it in pair d, where it ends the draining, as rows end there.

    The accumulators need the cycle behind the last column to become zero: no gates stand before the adder.

    Latency P + 4 cycles from the address, P of `golden.dense.PRODUCT_CYCLES`; throughput two products per
    cycle.

    Parameters
    ----------
    geometry : DenseGeometry
    primitives : str or None
        See `hdl.int8_products.Int8Products`.

    Members
    -------
    pair : In
        Number of this pair; a constant.
    load : In(dense_load_layout)
    address, next_address : In, Out
        Word of the weights.
    operand, next_operand : In(operand_layout), Out
        Two cycles behind the address. Without a column the activation is zero.
    stop, next_stop : In(1), Out(1)
    drained : Out(1)
    row : Out
        A finished sum, zero unless `drained`; the even row first, the odd one a cycle later.

    Raises
    ------
    ValueError
        If a block of single-port RAM does not hold the weights.
    """

    def __init__(self, geometry: DenseGeometry, *, primitives: str | None = None):
        if geometry.single_port and primitives == "ice40" and geometry.weight_words > 1 << SPRAM_ADDRESS_BITS:
            raise ValueError(f"Weight words must be at most {1 << SPRAM_ADDRESS_BITS} in single-port RAM, "
                             f"not {geometry.weight_words!r}")
        self._geometry = geometry
        self._primitives = primitives
        super().__init__({
            "pair":         In(bits_for(geometry.pairs - 1)),
            "load":         In(dense_load_layout(geometry)),
            "address":      In(dense_address_bits(geometry)),
            "next_address": Out(dense_address_bits(geometry)),
            "operand":      In(operand_layout()),
            "next_operand": Out(operand_layout()),
            "stop":         In(1),
            "next_stop":    Out(1),
            "drained":      Out(1),
            "row":          Out(geometry.accumulator_bits),
        })

    def elaborate(self, platform):
        m = Module()
        geometry = self._geometry
        weights = Signal(16, reset_less=True)
        m.d.sync += weights.eq(self._memory(m))

        m.submodules.products = products = Int8Products(geometry.products, primitives=self._primitives)
        m.d.comb += [
            *(products.weight[i].eq(weights.word_select(i, 8)) for i in range(2)),
            products.activation.eq(self.operand.activation),
        ]

        draining = Signal()
        m.d.comb += draining.eq(self.operand.drain & ~self.stop)
        address = Signal.like(self.address, reset_less=True)
        operand = Signal(operand_layout())
        m.d.sync += [
            address.eq(self.address),
            self.next_address.eq(address),
            operand.eq(self.operand),
            operand.drain.eq(draining),
            self.next_operand.eq(operand),
            self.next_stop.eq(self.stop),
        ]

        # The last product is in the sum one cycle after it came out; the second lane is a cycle later.
        clear, drain = self.operand.clear, draining
        for cycle in range(PRODUCT_CYCLES[geometry.products] + 1):
            clear, drain = self._delay(m, clear, f"clear{cycle}"), self._delay(m, drain, f"drain{cycle}")
        clears = Array([clear, self._delay(m, clear, "clear_odd")])
        drains = Array([drain, self._delay(m, drain, "drain_odd")])
        odd_product = Signal.like(products.o[1], reset_less=True)
        m.d.sync += odd_product.eq(products.o[1])

        sums = [Signal(geometry.accumulator_bits, name=f"sum{i}") for i in range(2)]
        for i, product in enumerate((products.o[0], odd_product)):
            m.d.sync += sums[i].eq(sums[i] + product)
            with m.If(clears[i]):
                m.d.sync += sums[i].eq(0)
        m.d.sync += [
            self.drained.eq(drains[0] | drains[1]),
            self.row.eq(Mux(drains[0], sums[0], 0) | Mux(drains[1], sums[1], 0)),
        ]
        return m

    def _memory(self, m):
        """Weight memory; returns the word whose address came a cycle before.

        What is read of a word while it is written is anything: no run may need a word that is being loaded.
        """
        geometry = self._geometry
        chosen = Signal()
        m.d.comb += chosen.eq(self.load.valid & (self.load.pair == self.pair))
        if geometry.single_port and self._primitives == "ice40":
            return self._single_port_ram(m, chosen)
        m.submodules.weights = weights = memory.Memory(
            shape=16, depth=geometry.weight_words, init=[], attrs={"no_rw_check": 1})
        write, read = weights.write_port(), weights.read_port()
        m.d.comb += [
            write.en.eq(chosen),
            write.addr.eq(self.load.address),
            write.data.eq(self.load.data),
            read.addr.eq(self.address),
        ]
        if geometry.single_port:
            # One address, and never both at once.
            address = Signal.like(self.address)
            m.d.comb += [
                address.eq(Mux(chosen, self.load.address, self.address)),
                write.addr.eq(address),
                read.addr.eq(address),
                read.en.eq(~chosen),
            ]
        return read.data

    def _single_port_ram(self, m, chosen):
        """The UP5K's SPRAM, for which Yosys does not take a memory with two ports."""
        word = Signal(16)
        m.submodules.weights = Instance(
            "SB_SPRAM256KA",
            i_CLOCK=ClockSignal(), i_CHIPSELECT=Const(1, 1),
            i_ADDRESS=Mux(chosen, self.load.address, self.address) | Const(0, SPRAM_ADDRESS_BITS),
            i_DATAIN=self.load.data, i_WREN=chosen, i_MASKWREN=Const(0b1111, 4),
            i_STANDBY=Const(0, 1), i_SLEEP=Const(0, 1), i_POWEROFF=Const(1, 1),     # off when low
            o_DATAOUT=word)
        return word

    def _delay(self, m, value, name):
        register = Signal.like(value, name=name)
        m.d.sync += register.eq(value)
        return register
