"""Payloads of the streams and buses inside the engine; field widths come from `golden`."""

from amaranth.lib import data

from golden.geometry import ACTIVATION_BITS, WEIGHT_BITS, Geometry, bits_for
from golden.pointers import LONG_LENGTH
from golden.steps import FIELDS, WORDS_PER_STEP, Part, Token, token_fields

LENGTH_BITS = bits_for(LONG_LENGTH)


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


def part_fields(part: Part) -> data.StructLayout:
    """Layout of a word of a step's descriptor."""
    return data.StructLayout(dict(FIELDS[part]))


def payload_layout(token: Token, geometry: Geometry) -> data.StructLayout:
    """Layout of a broadcast token's payload."""
    return data.StructLayout(dict(token_fields(token, geometry)))


def token_layout(geometry: Geometry) -> data.StructLayout:
    """A broadcast token: `kind` is a `golden.steps.Token`, whose fields the payload holds."""
    widest = max(payload_layout(token, geometry).size for token in Token)
    return data.StructLayout({"kind": bits_for(max(Token)), "payload": widest})


def scan_layout(geometry: Geometry) -> data.StructLayout:
    """Settings of a scan, constant from before its Begin until the control has heard of its last row.

    `first` and `last` are words of both activation files together; `wait` binds the scan to the drain in
    progress; `headroom` is 65535 less the threshold.
    """
    address = bits_for(2 * geometry.activations // geometry.scan_width - 1)
    return data.StructLayout({
        "first": address, "last": address, "wait": 1, "headroom": ACTIVATION_BITS})


def drain_layout(geometry: Geometry) -> data.StructLayout:
    """Settings of a drain, constant from before its Finish until its last activation was written.

    `destination` is a slot of both activation files together. Row r's bias begins at word `bias_address`
    plus r times `words`; `bias_end` is where that of a row behind the last would.
    """
    return data.StructLayout({
        "destination":  bits_for(2 * geometry.activations - 1),
        "shift":        dict(FIELDS[Part.DRAIN])["shift"],
        "relu":         1,
        "bias_address": bits_for(geometry.matrix_words - 1),
        "bias_end":     bias_count_bits(geometry),
        "bias_words":   dict(FIELDS[Part.FINISH])["bias_words"],
    })


def bias_count_bits(geometry: Geometry) -> int:
    """Bits that tell the addresses of a drain apart: rows without a bias count as a word each."""
    return bits_for(max(geometry.matrix_words, geometry.accumulators))


def access_layout(geometry: Geometry) -> data.StructLayout:
    """The bus that loads the PEs' memories and reads them back.

    `write` says that there is a word for PE number `pe`, or for `all` of them. `read` holds while a word is
    asked for; `peek` is then its address, and zero while a run is in progress.
    """
    pointers = geometry.pointer_words * geometry.pointer_pieces
    address = max(
        geometry.matrix_words, pointers, geometry.codebook_entries, geometry.accumulators,
        2 * geometry.activations, geometry.steps * WORDS_PER_STEP)
    return data.StructLayout({
        "write":   1,
        "read":    1,
        "memory":  3,
        "pe":      bits_for(geometry.pes - 1),
        "all":     1,
        "address": bits_for(address - 1),
        "peek":    bits_for(geometry.matrix_words - 1),
        "data":    max(geometry.word_bits, geometry.piece_bits, geometry.accumulator_bits),
    })


def detection_layout(geometry: Geometry) -> data.StructLayout:
    """What a detection leaf or node says: a word with a nonzero activation (`item`), or that there is none.

    `last` ends the row; `pe` is the PE within the subtree.
    """
    return data.StructLayout({
        "item": 1, "last": 1, "pe": bits_for(geometry.pes - 1), "activations": activation_bits(geometry)})


def span_bits(geometry: Geometry) -> int:
    """Bits of an entry address that tell the entries of one queue item apart, whole words of them."""
    width = geometry.word_entries
    words = (width - 1 + LONG_LENGTH * geometry.scan_width + width - 1) // width
    return min(bits_for(words - 1) + bits_for(width) - 1, geometry.entry_address_bits)


def queue_layout(geometry: Geometry) -> data.StructLayout:
    """An item of the activation queue: what has become of a token.

    Of an active column: its activation, and the entry addresses of its first and last entry, the latter
    without the bits that need not be known. With `geometry.output_registers` the latter counts from the
    beginning of the first entry's word, and `single` says whether that word holds both. With `scan_width` 2
    it may be two neighbours; if there are entries of the second one (`second`), they begin at `turn`. With
    `geometry.empty_columns` a column may be `empty`. Of Begin the fields stand in `activations`; `start` of
    Finish is the first bias.
    """
    span = span_bits(geometry)
    pair = {"second": 1, "turn": span} if geometry.scan_width > 1 else {}
    empty = {"empty": 1} if geometry.empty_columns else {}
    single = {"single": 1} if geometry.output_registers else {}
    return data.StructLayout({
        "kind":        bits_for(max(Token)),
        "activations": activation_bits(geometry),
        "start":       geometry.entry_address_bits,
        "stop":        span,
        **single,
        **pair,
        **empty,
    })


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
