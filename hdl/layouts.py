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


def activation_bits(geometry: Geometry) -> int:
    """Bits of the activations that go together: those of one activation word."""
    return ACTIVATION_BITS * geometry.scan_width


def token_layout(geometry: Geometry) -> data.StructLayout:
    """A broadcast token: `kind` is a `golden.steps.Token`, whose fields the payload holds."""
    return data.StructLayout({"kind": 3, "payload": 16 + activation_bits(geometry)})


def token_fields(token: Token) -> data.StructLayout:
    """Layout of a settings token's 32-bit payload."""
    return data.StructLayout(dict(FIELDS[token]))


def activation_fields(geometry: Geometry) -> data.StructLayout:
    """Layout of an Activation token's payload."""
    return data.StructLayout(dict(FIELDS[Token.ACTIVATION][:1 + geometry.scan_width]))


def detection_layout(geometry: Geometry) -> data.StructLayout:
    """What a detection leaf or node says: a word with a nonzero activation (`item`), or that there is none.

    `last` ends the row; `pe` is the PE within the subtree.
    """
    return data.StructLayout({
        "item": 1, "last": 1, "pe": PE_BITS, "activations": activation_bits(geometry)})


def column_layout(geometry: Geometry) -> data.StructLayout:
    """An active column as a PE's activation queue holds it; with `scan_width` 2 it may be two neighbours.

    `length` counts the entries of both, `first_length` those of the first.
    """
    second = {"first_length": LENGTH_BITS} if geometry.scan_width > 1 else {}
    return data.StructLayout({
        "activations": activation_bits(geometry),
        "length":      LENGTH_BITS + geometry.scan_width - 1,
        **second,
        "start":       geometry.entry_address_bits,
    })


def queue_layout(geometry: Geometry) -> data.StructLayout:
    """An item of the activation queue: a column, or a token's payload in the low 32 bits of `item`."""
    return data.StructLayout({"kind": 3, "item": max(32, column_layout(geometry).size)})


def word_layout(geometry: Geometry) -> data.StructLayout:
    """A sparse-matrix word on its way to weight decode; see `hdl.matrix_read`.

    With `scan_width` 2 entries from `boundary` on belong to the second column, which begins in this
    word if `turns` is set.
    """
    position = bits_for(geometry.word_entries - 1)
    second = {"turns": 1, "boundary": bits_for(geometry.word_entries)} if geometry.scan_width > 1 else {}
    return data.StructLayout({
        "kind":       2,
        "first":      1,
        "last":       1,
        "low":        position,
        "high":       position,
        **second,
        "activations": activation_bits(geometry),
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
