"""The wire protocol: frames there and back, and what damage does to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.protocol import (
    ESCAPE,
    FLAG,
    LARGEST_LIMIT,
    OVERHEAD,
    REPLY,
    Frame,
    Request,
    decode,
    decode_reply,
    encode,
    encode_reply,
)

SPECIAL = st.sampled_from([0, 1, FLAG, ESCAPE, 0x5D, 0x5E, 0xFF])
FRAMES = st.builds(
    Frame,
    st.integers(0, 255),
    st.integers(0, 255),
    st.lists(SPECIAL | st.integers(0, 255), max_size=LARGEST_LIMIT).map(bytes),
)


@given(FRAMES)
def test_requests_come_back_and_cost_one_byte_of_stuffing(frame):
    wire = encode(frame)
    assert wire.find(0) == len(wire) - 1
    assert len(wire) == len(frame.payload) + OVERHEAD + 2
    assert decode(wire[:-1]) == frame


@given(FRAMES)
def test_replies_come_back(frame):
    wire = encode_reply(frame)
    assert wire.find(FLAG) == len(wire) - 1
    assert decode_reply(wire[:-1]) == frame


def test_frames_byte_by_byte():
    assert encode(Frame(Request.DATA, 7, b"ab")).hex(" ") == "0a 09 07 02 61 62 29 23 3b 8a 00"
    reply = Frame(REPLY | Request.DATA, FLAG, bytes([0, ESCAPE]))
    assert encode_reply(reply).hex(" ") == "89 7d 5e 02 00 7d 5d be 2b 04 dc 7e"


@given(FRAMES, st.data())
def test_a_changed_bit_is_found(frame, data):
    for there, back, end in ((encode, decode, 0), (encode_reply, decode_reply, FLAG)):
        wire = bytearray(there(frame)[:-1])
        place = data.draw(st.integers(0, len(wire) - 1))
        wire[place] ^= 1 << data.draw(st.integers(0, 7))
        if end not in wire:
            with pytest.raises(ValueError):
                back(bytes(wire))


@pytest.mark.parametrize("wire", [b"", b"\x7d", b"\x7d\x7d\x5d", bytes(3), bytes(6)])
def test_what_is_no_reply_is_refused(wire):
    with pytest.raises(ValueError):
        decode_reply(wire)
