"""Stream buffer: order, timing, and where `ready` comes from."""

import pytest

from hdl.stream_buffer import StreamBuffer
from tests.hdl.runner import simulate


@pytest.mark.parametrize("entries", [1, 2])
def test_stream_buffer(entries: int) -> None:
    component = StreamBuffer(16, entries=entries)
    simulate(component, "tests.hdl.bench_stream_buffer", parameters={"entries": entries})


def test_entries_are_checked() -> None:
    with pytest.raises(ValueError, match=r"^Entries must be 1 or 2, not 3$"):
        StreamBuffer(16, entries=3)
