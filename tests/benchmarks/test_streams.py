"""The readers of the bench count every fact once, however it comes in."""

from adapters import clock
from benchmarks import streams


async def test_a_fact_that_comes_in_two_parts_counts_once() -> None:
    reader = streams.Reader()
    reader.data_received(b"retry: 1000\nid: 1\n\n")
    text = clock.SYSTEM.now().isoformat().encode()
    event = b'event: ledger\nid: 2\ndata: {"recorded_at":"%s"}\n\n' % text
    for part in (event[:40], event[40:], event):
        reader.data_received(part)
    assert reader.begun.done()
    assert len(reader.delays) == 2
