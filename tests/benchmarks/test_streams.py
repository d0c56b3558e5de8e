"""The readers of the bench count every trade once, however it comes in."""

from adapters import clock
from benchmarks import streams


async def test_a_trade_that_comes_in_two_parts_counts_once() -> None:
    reader = streams.Reader()
    reader.data_received(b"retry: 1000\nid: 1\n\n")
    text = clock.SYSTEM.now().isoformat().encode()
    trade, alert = (
        b'event: ledger\nid: 2\ndata: {"type":"%s","recorded_at":"%s"}\n\n' % (name, text)
        for name in (b"OptionSold", b"AlertRaised")
    )
    for part in (trade[:40], trade[40:], alert, trade):
        reader.data_received(part)
    assert reader.begun.done()
    assert len(reader.delays) == 2
