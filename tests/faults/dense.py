"""Faults in the dense engine, each tried on one size of it."""

from tests.faults import Fault

ENGINE = "'tests/hdl/test_dense_engine.py::test_follows_golden[{}]'"


def unit(name: str, variant: str, *changes: tuple[str, str]) -> list[Fault]:
    """Faults of one file, tried on a variant of the engine."""
    return [Fault(f"hdl/{name}.py", old, new, ENGINE.format(variant)) for old, new in changes]


def products(*changes: tuple[str, str]) -> list[Fault]:
    """Faults of the products, tried on their own test."""
    tests = "tests/hdl/test_int8_products.py"
    return [Fault("hdl/int8_products.py", old, new, tests) for old, new in changes]


FAULTS = [
    *products(
        ("Cat(self.weight[0][:7], ~self.weight[0][7])", "self.weight[0]"),
        ("(activations[2] << 7)", "(activations[1] << 7)"),
        ("self.o[1].eq(upper - carried)", "self.o[1].eq(upper)"),
        ("times(6) - (times(7) << 1)", "times(6) + (times(7) << 1)"),
        ("p_MODE_8x8=Const(1, 1), p_A_SIGNED=Const(1, 1)", "p_MODE_8x8=Const(1, 1), p_A_SIGNED=Const(0, 1)"),
    ),
    *unit(
        "dense_lanes",
        "six",
        ("draining.eq(self.operand.drain & ~self.stop)", "draining.eq(self.operand.drain)"),
        ("odd_product.eq(products.o[1])", "odd_product.eq(products.o[0])"),
        ("PRODUCT_CYCLES[geometry.products] + 1", "PRODUCT_CYCLES[geometry.products]"),
        ("self.load.valid & (self.load.pair == self.pair)", "self.load.valid"),
    ),
    *unit("dense_lanes", "thirty", ("operand.drain.eq(draining)", "operand.drain.eq(self.operand.drain)")),
    *unit(
        "dense_control",
        "six",
        ("pad_again.eq(lanes - 3 - columns)", "pad_again.eq(lanes - 4 - columns)"),
        ("final.eq(remaining <= lanes)", "final.eq(remaining < lanes)"),
        ("(remaining[:bits_for(lanes)] + 1) >> 1", "remaining[:bits_for(lanes)] >> 1"),
        ("(begun | (gapping & gap[-1])) & more", "(begun | (gapping & gap[-1]))"),
        ("geometry.latency - FETCH_CYCLES - 2", "geometry.latency - FETCH_CYCLES - 3"),
        ("self.settings.target.eq(~word[9])", "self.settings.target.eq(word[9])"),
    ),
    *unit(
        "dense_drain",
        "six",
        ("self.i_valid & ~(end & settings.rows[0])", "self.i_valid"),
        ("left.eq((self.settings.rows - 1) >> 1)", "left.eq(self.settings.rows >> 1)"),
        ("value[7:].all() | ~value[7:].any()", "value[8:].all() | ~value[8:].any()"),
        ("with m.If(pending & ~occupied):", "with m.If(pending):"),
        ("place.eq(self.settings.bias)", "place.eq(0)"),
    ),
    *unit(
        "dense_engine",
        "ten",
        ("operand.activation.eq(Mux(active, activation, 0))", "operand.activation.eq(activation)"),
        ("self._geometry.single_port else 0", "self._geometry.single_port else 1"),
        ("stop.eq(control.stop)", "stop.eq(0)"),
        ("self.run.valid & ~asking)", "self.run.valid)"),
    ),
]
