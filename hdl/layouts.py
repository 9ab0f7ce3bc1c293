"""Payloads of the streams and buses inside the engine; field widths come from `golden`."""

from amaranth.lib import data

from golden.geometry import ACTIVATION_BITS, WEIGHT_BITS, Geometry, bits_for
from golden.steps import FIELDS, Token

PE_BITS = 8
LENGTH_BITS = 8


def write_layout(geometry: Geometry) -> data.StructLayout:
    """One word for one memory: `memory` is a `golden.memories.Memory`."""
    return data.StructLayout({"memory": 3, "pe": 16, "address": 16, "data": geometry.data_bits})


def read_layout() -> data.StructLayout:
    """Request for one word of one memory."""
    return data.StructLayout({"memory": 3, "pe": 16, "address": 16})


def run_layout() -> data.StructLayout:
    """A run: `count` steps from step `first`."""
    return data.StructLayout({"first": 8, "count": 9})


def token_layout() -> data.StructLayout:
    """A broadcast token: `kind` is a `golden.steps.Token`, whose fields the payload holds."""
    return data.StructLayout({"kind": 3, "payload": 32})


def token_fields(token: Token) -> data.StructLayout:
    """Layout of a token's 32-bit payload."""
    return data.StructLayout(dict(FIELDS[token]))


def detection_layout() -> data.StructLayout:
    """What a detection leaf or node says: an activation (`item`) or nothing; whether its row ends (`last`).

    `lane` is the slot within the activation word, `pe` the PE within the subtree.
    """
    return data.StructLayout({"item": 1, "last": 1, "lane": 1, "pe": PE_BITS, "activation": ACTIVATION_BITS})


def column_bits(geometry: Geometry) -> int:
    """Bits of a queued column: start entry, length in entries, activation."""
    return geometry.entry_address_bits + LENGTH_BITS + ACTIVATION_BITS


def column_layout(geometry: Geometry) -> data.StructLayout:
    """An active column as a PE's activation queue holds it."""
    return data.StructLayout({
        "activation": ACTIVATION_BITS,
        "length":     LENGTH_BITS,
        "start":      geometry.entry_address_bits,
    })


def queue_layout(geometry: Geometry) -> data.StructLayout:
    """An item of the activation queue: a column, or a token's payload in the low 32 bits of `item`."""
    return data.StructLayout({"kind": 3, "item": max(32, column_bits(geometry))})


def word_layout(geometry: Geometry) -> data.StructLayout:
    """A sparse-matrix word on its way to weight decode; see `hdl.matrix_read`."""
    position = bits_for(geometry.word_entries - 1)
    return data.StructLayout({
        "kind":       2,
        "first":      1,
        "last":       1,
        "low":        position,
        "high":       position,
        "activation": ACTIVATION_BITS,
        "entries":    data.ArrayLayout(geometry.entry_bits, geometry.word_entries),
    })


def operation_layout(geometry: Geometry) -> data.StructLayout:
    """What the arithmetic unit does in one cycle; see `hdl.arithmetic`."""
    return data.StructLayout({
        "kind":       3,
        "row":        bits_for(geometry.accumulators - 1),
        "weight":     WEIGHT_BITS,
        "activation": ACTIVATION_BITS,
        "immediate":  geometry.accumulator_bits,
    })
