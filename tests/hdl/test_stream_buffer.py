"""Stream buffer: order, timing, and registered ready."""

from hdl.stream_buffer import StreamBuffer
from tests.hdl.runner import simulate


def test_stream_buffer() -> None:
    simulate(StreamBuffer(16), "tests.hdl.bench_stream_buffer")
