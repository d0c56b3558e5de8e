"""`python -m demo`: a year of the reference wheel, live, in about two minutes.

Exits with 0 when what the ledger says is the reference to the cent, with 1 when it is not.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Final

import httpx

from adapters.replay import Replay
from demo import ear, instance, rule
from demo.ledger import Ledger
from demo.screen import NEW_YORK, Bar, Screen
from demo.year import Year, closing

OPENING: Final = datetime.combine(rule.FIRST_DAY, time(9, 30), NEW_YORK)
LEAD: Final = 5.0
"""Real seconds that an instance takes to start; its clock begins that much before the opening."""
FASTEST, SLOWEST = 5.0, 3_600.0
UNEQUAL, NOT_STARTED, INTERRUPTED = 1, 1, 130


def main(arguments: list[str]) -> int:
    """Play the year; answers the exit status."""
    screen = Screen()
    try:
        return asyncio.run(_until_interrupted(_seconds(arguments), screen))
    except (KeyboardInterrupt, asyncio.CancelledError):
        screen.say("Stopped; nothing is left behind.")
        return INTERRUPTED
    except (instance.NotStarted, httpx.HTTPError) as reason:
        screen.say(str(reason))
        return NOT_STARTED


def _seconds(arguments: list[str]) -> float:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument(
        "--seconds",
        type=float,
        default=100.0,
        help=f"real seconds that the year takes, {FASTEST:g} to {SLOWEST:g} (default: 100)",
    )
    seconds: float = parser.parse_args(arguments).seconds
    if not FASTEST <= seconds <= SLOWEST:
        parser.error(f"--seconds must be {FASTEST:g} to {SLOWEST:g}")
    return seconds


async def _until_interrupted(seconds: float, screen: Screen) -> int:
    """A SIGTERM stops as cleanly as a Ctrl-C."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await _demonstrate(seconds, screen)


async def _demonstrate(seconds: float, screen: Screen) -> int:
    expected = rule.reference()
    last = closing(expected[-1].day)
    speed = (last - OPENING).total_seconds() / seconds
    screen.say(f"A year of SPY in {seconds:g} seconds. Starting an instance ...")
    start = OPENING - timedelta(seconds=LEAD * speed)
    async with (
        instance.running(rule.DATA, start, speed) as running,
        httpx.AsyncClient(base_url=running.url, timeout=30) as client,
        ear.listening(running.bus_url, running.subscriber_password, screen.alert) as heard,
    ):
        screen.say(f"Healthy at {running.url}; listening to risk.alert.> as subscriber")
        ledger = Ledger(client, speed)
        year = await _played(ledger, screen, last)
        await _state(ledger, year, heard, screen)
    return _compared(year, expected, screen)


async def _played(ledger: Ledger, screen: Screen, last: datetime) -> Year:
    tape = Replay(ledger.time.now, rule.DATA)
    await ledger.get("/health")
    await ledger.rest_jobs()
    with screen.progress(OPENING, last) as bar:
        async with _drawn(bar, ledger):
            await ledger.time.until(OPENING)
            await ledger.open()
            year = Year(tape, ledger, screen)
            await year.play()
    return year


@asynccontextmanager
async def _drawn(bar: Bar, ledger: Ledger) -> AsyncIterator[None]:
    """Keep the bar moving while the block lasts."""

    async def draw() -> None:
        while True:
            bar.at(ledger.time.now())
            await asyncio.sleep(0.1)

    drawing = asyncio.create_task(draw())
    try:
        yield
    finally:
        drawing.cancel()
        await asyncio.wait([drawing])


async def _state(ledger: Ledger, year: Year, heard: ear.Ear, screen: Screen) -> None:
    """Show the trades and the final figures, all as the ledger has them."""
    trades = await ledger.wheel("/trades", sort="opened_at")
    wheel, verified = await ledger.wheel(), await ledger.get("/ledger/verify", full="true")
    earned = {
        policy: await ledger.wheel("/performance", policy=policy)
        for policy in ("cash", "close", "us_tax")
    }
    counts = earned["cash"]
    raised, cleared = heard.alerts["raised"], heard.alerts["cleared"]
    screen.trades(trades, year.rows)
    screen.statement(
        [
            ("Cash", f"{Decimal(wheel['cash']):,}"),
            *((f"Income, {name}", f"{each['realized_pnl']:,}") for name, each in earned.items()),
            ("Premium collected", f"{counts['premium_collected']:,}"),
            ("Fees", f"{counts['fees']:,}"),
            ("Trades", f"{counts['total_trades']}, of which {counts['trades_ended']} have ended"),
            ("Win rate", f"{counts['win_rate']} %"),
            ("Heard on the bus", f"{heard.quotes} quotes, {raised} alerts, {cleared} ended"),
            ("Ledger", _verdict(verified)),
        ]
    )


def _verdict(verified: dict[str, object]) -> str:
    if verified["ok"]:
        return f"{verified['checked']} events verified, head {verified['head_hash']}"
    return f"NOT WHOLE at {verified['first_bad_position']}: {verified['why']}"


def _compared(year: Year, expected: list[rule.Row], screen: Screen) -> int:
    if different := rule.difference(year.rows, expected):
        screen.say(f"This is NOT the reference: {different}")
        return UNEQUAL
    screen.say(f"All {len(expected)} lines equal data/spy_2021/reference.csv, to the cent.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
