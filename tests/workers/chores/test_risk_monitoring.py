"""A sweep behind the live watch raises and clears what that missed, and nothing twice."""

from datetime import timedelta
from decimal import Decimal
from functools import partial
from uuid import UUID

import pytest

from adapters import envelope, kept
from adapters.event_store import EventStore
from domain import facts, market, refusals, risk, subjects
from projections import alerts as views_of_alerts
from projections import open_options
from tests.conftest import soon
from tests.domain.desk import EXPIRY, MONDAY, PORTFOLIO, usd
from tests.workers.chores.yard import Yard, failed
from workers import chore, watch
from workers import risk as live
from workers.chores import risk_monitoring


async def swept(yard: Yard, portfolio_id: UUID | None = None) -> chore.Done:
    yard.project()
    due = yard.due("risk_monitoring", at=yard.time.now(), portfolio_id=portfolio_id)
    return await soon(risk_monitoring.run(yard.context, due))


def told(yard: Yard) -> list[str]:
    """What became of alerts, in order, and who says so."""
    return [
        f"{each.name} {each.fact.rule} {each.source}"
        for each in yard.log.after(0, 1_000)
        if isinstance(each.fact, facts.OfAlert)
    ]


async def moves(yard: Yard, minutes: float, price: str, symbol: str = "XYZ") -> None:
    yard.time.turn_to(yard.time.now() + timedelta(minutes=minutes))
    await yard.quoted(symbol, price, yard.time.now())


async def test_what_nobody_saw_is_raised(yard: Yard) -> None:
    yard.desk().put("100", "1.50")
    await moves(yard, 5, "97")
    done = await swept(yard)
    assert told(yard) == ["AlertRaised itm scheduler"]
    assert (done.done, done.failed, done.message) == (1, (), "1 alerts raised, 0 cleared")


async def test_a_second_sweep_raises_nothing_more(yard: Yard) -> None:
    yard.desk().put("100", "1.50")
    await moves(yard, 5, "97")
    await swept(yard)
    head = yard.log.head()
    done = await swept(yard)
    assert (yard.log.head(), done.message) == (head, "0 alerts raised, 0 cleared")


async def test_what_should_have_been_cleared_is(yard: Yard) -> None:
    yard.desk().put("100", "1.50")
    await moves(yard, 5, "97")
    await swept(yard)
    await moves(yard, 20, "108")
    await swept(yard)
    assert told(yard) == ["AlertRaised itm scheduler", "AlertCleared itm scheduler"]


async def test_an_alert_of_a_trade_that_has_ended_is_cleared(yard: Yard) -> None:
    desk = yard.desk()
    put = desk.put("100", "1.50")
    await moves(yard, 5, "97")
    await swept(yard)
    desk.closes(put, "3.10")
    assert (await swept(yard)).done == 0
    assert told(yard)[-1] == "AlertCleared itm scheduler"


async def test_what_the_live_watch_has_raised_is_not_raised_again(
    yard: Yard, log: EventStore
) -> None:
    """And what the sweep clears, the live watch finds cleared."""
    yard.desk().put("100", "1.50")
    yard.project()
    await moves(yard, 5, "97")

    async def nudge(_: int) -> None: ...

    desk = watch.Watch(
        watch.Alerts(log, nudge, None), watch.Outbox(), yard.time, live.limits(yard.settings)
    )
    link = yard.settings.views_path
    views = live.Views(partial(open_options.changed, link), partial(views_of_alerts.active, link))
    await views.settle(desk)
    desk.priced((await yard.context.bus.quotes())["XYZ"])
    await desk.record()
    await swept(yard)
    assert told(yard) == ["AlertRaised itm risk"]


async def test_marks_are_judged_too(yard: Yard) -> None:
    desk = yard.desk()
    put = desk.trade(desk.put("100", "2.00"))
    await moves(yard, 5, "130")
    said = market.OptionMark(
        symbol="XYZ",
        direction="put",
        strike=put.strike,
        expiration=EXPIRY,
        bid=usd("0.10"),
        ask=usd("0.15"),
        last=None,
        implied_volatility=None,
        delta=None,
        gamma=None,
        theta=None,
        vega=None,
        open_interest=None,
        volume=None,
    )
    held = market.HeldMarks(
        symbol="XYZ",
        price=Decimal(130),
        options=(said,),
        dividend=None,
        earnings=None,
        as_of=yard.time.now(),
        source="test",
        state="live",
    )
    entry = {kept.marks_key("XYZ"): envelope.plain(held)}
    await yard.prices.put_all(subjects.MARKET_BUCKET, entry)
    await swept(yard)
    assert told(yard) == ["AlertRaised profit_target scheduler"]


async def test_an_option_without_a_price_is_told_and_stops_no_other(yard: Yard) -> None:
    yard.desk("NONE").put("100", "1.50")
    yard.desk("OLD").put("100", "1.50")
    yard.desk().put("100", "1.50")
    await yard.quoted("OLD", "97", MONDAY - risk.SILENCE)
    await moves(yard, 5, "97")
    done = await swept(yard)
    assert done.done == 1
    assert failed(done) == dict.fromkeys(
        ("NONE", "OLD"), "there is no price to judge its options by"
    )


async def test_only_a_portfolios_options_are_counted_where_one_is_named(yard: Yard) -> None:
    yard.desk().put("100", "1.50")
    await moves(yard, 5, "97")
    assert (await swept(yard, UUID(int=99))).done == 0
    assert (await swept(yard, PORTFOLIO)).done == 1


async def test_views_that_are_behind_the_ledger_are_not_judged_by(yard: Yard) -> None:
    desk = yard.desk()
    put = desk.put("100", "1.50")
    yard.project()
    desk.closes(put, "0.10")
    await moves(yard, 5, "97")
    with pytest.raises(refusals.Unavailable, match="behind the ledger"):
        await risk_monitoring.run(yard.context, yard.due("risk_monitoring"))
    assert told(yard) == []
