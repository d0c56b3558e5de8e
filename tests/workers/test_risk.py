"""From a price to an alert in the log, whatever happens on the way."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters import bus
from adapters.settings import Settings
from domain import alert, facts, look, market, refusals, risk
from projections import open_options
from workers import risk as worker
from workers import watch

MONDAY = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
IN_A_MONTH = date(2026, 2, 6)


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.instant = MONDAY

    def now(self) -> datetime:
        return self.instant

    def passes(self, **span: float) -> None:
        self.instant += timedelta(**span)


class Log:
    """A log in memory, as strict about versions as the real one."""

    def __init__(self) -> None:
        self.recorded: list[facts.Recorded] = []
        self.appends = 0
        self.reads = 0
        self.works = True

    def stream(self, stream_id: UUID) -> list[facts.Recorded]:
        if not self.works:
            raise refusals.Unavailable("the disk is gone")
        self.reads += 1
        return [each for each in self.recorded if each.stream_id == stream_id]

    def append(self, recorded: Sequence[facts.Recorded]) -> list[int]:
        if not self.works:
            raise refusals.Unavailable("the disk is full")
        taken = {(each.stream_id, each.version) for each in self.recorded}
        if any((each.stream_id, each.version) in taken for each in recorded):
            raise refusals.Stale("something else was recorded first")
        self.appends += 1
        self.recorded += recorded
        return list(range(len(self.recorded) - len(recorded) + 1, len(self.recorded) + 1))

    @property
    def story(self) -> list[str]:
        """What was recorded, in short: the event and its rule."""
        return [f"{each.name} {getattr(each.fact, 'rule', '')}" for each in self.recorded]


class Views:
    """The read models, as a test has them."""

    def __init__(self) -> None:
        self.position = 0
        self.wheels: dict[UUID, list[risk.OpenOption]] = {}
        self.touched: dict[UUID, int] = {}
        self.raised: list[watch.Key] = []
        self.alerts: list[tuple[UUID, str]] = []

    def hold(self, *options: risk.OpenOption, wheel: int = 1) -> None:
        """From now on the wheel has just these options open."""
        self.position += 1
        self.wheels[UUID(int=wheel)] = list(options)
        self.touched[UUID(int=wheel)] = self.position

    def positions(self, after: int) -> open_options.Changes:
        changed = {id_: held for id_, held in self.wheels.items() if self.touched[id_] > after}
        return open_options.Changes(self.position, changed, self.alerts)

    def read(self, log: Log) -> None:
        """Know the alerts that the log knows, as views do that have come to its end."""
        known: dict[watch.Key, facts.Fact] = {
            (each.fact.trade_id, each.fact.rule): each.fact
            for each in log.recorded
            if isinstance(each.fact, facts.OfAlert)
        }
        self.alerts = [(trade, rule) for trade, rule in known if trade is not None]
        self.raised = [
            key for key, fact in known.items() if not isinstance(fact, facts.AlertCleared)
        ]


class Desk:
    """A running watch, and the ways to talk to it."""

    def __init__(self, log: Log, views: Views, time: Time) -> None:
        self.log, self.views, self.time = log, views, time
        self.outbox = watch.Outbox()
        self.nudges: list[int] = []
        self.beat: dict[str, Any] = {}
        self.heard: asyncio.Queue[worker.Heard] = asyncio.Queue()
        alerts = watch.Alerts(log, self._nudge, None)
        self.watch = watch.Watch(alerts, self.outbox, time, look.Limits())

    async def _nudge(self, position: int) -> None:
        self.nudges.append(position)

    def work(self) -> asyncio.Task[None]:
        views = worker.Views(self.views.positions, lambda: self.views.raised)
        return asyncio.create_task(worker.follow(self.watch, views, self.heard, self.beat))

    async def hears(self, *news: worker.Heard) -> None:
        """Tell it all this at once, and wait until it is done with it."""
        for each in news:
            self.heard.put_nowait(each)
        await self.heard.join()

    async def sees(self, *prices: str, symbol: str = "AAPL") -> None:
        """One price after the other, a second apart."""
        for price in prices:
            self.time.passes(seconds=1)
            await self.hears(self.quote(price, symbol=symbol))

    def quote(
        self, price: str, *, symbol: str = "AAPL", state: market.PriceState = "live"
    ) -> market.Quote:
        return market.Quote(symbol, Decimal(price), None, None, self.time.now(), "test", state)

    def told(self) -> list[risk.PositionRisk]:
        """What is on its way to the bus, taken off."""
        waiting, self.outbox.waiting = self.outbox.waiting, {}
        return [each.data for each in waiting.values()]


@asynccontextmanager
async def desk(
    log: Log | None = None, views: Views | None = None, time: Time | None = None
) -> AsyncIterator[Desk]:
    """A watch that has looked at the positions once, in views that have read all of the log."""
    opened = Desk(log or Log(), views or Views(), time or Time())
    opened.views.read(opened.log)
    work = opened.work()
    await opened.hears("positions")
    yield opened
    await opened.hears("stop")
    await work


def option(
    trade: int = 1,
    *,
    strike: str = "150",
    expiration: date = IN_A_MONTH,
    symbol: str = "AAPL",
    direction: facts.Direction = "put",
    wheel: int = 1,
    premium: str = "10",
) -> risk.OpenOption:
    return risk.OpenOption(
        wheel_id=UUID(int=wheel),
        trade_id=UUID(int=1000 + trade),
        portfolio_id=UUID(int=99),
        symbol=symbol,
        direction=direction,
        strike=Decimal(strike),
        expiration_date=expiration,
        contracts=1,
        premium=Decimal(premium),
    )


def holding(*options: risk.OpenOption) -> Views:
    views = Views()
    views.hold(*options)
    return views


# --- prices ----------------------------------------------------------------------------------


async def test_a_price_in_the_money_becomes_an_alert_in_the_log() -> None:
    async with desk(views=holding(option())) as here:
        await here.sees("149")
        [recorded] = here.log.recorded
    assert isinstance(recorded.fact, facts.AlertRaised)
    assert (recorded.fact.severity, recorded.fact.price, recorded.source, recorded.stream_id) == (
        "HIGH",
        Decimal(149),
        "risk",
        facts.alert_stream(option().trade_id, "itm"),
    )


async def test_an_alert_happened_when_the_price_was_judged() -> None:
    async with desk(views=holding(option())) as here:
        await here.sees("149")
        [recorded] = here.log.recorded
    assert recorded.effective_at == recorded.recorded_at == MONDAY + timedelta(seconds=1)


async def test_the_log_is_said_to_have_grown() -> None:
    async with desk(views=holding(option())) as here:
        await here.sees("149", "149.5", "170")
        assert here.nudges == [1, 2]


async def test_a_price_that_swings_around_the_strike_50_times_is_one_alert() -> None:
    async with desk(views=holding(option())) as here:
        await here.sees(*("149.90", "150.10") * 50)
        assert here.log.story == ["AlertRaised itm"]


async def test_what_moved_far_away_and_came_back_is_a_second_alert() -> None:
    async with desk(views=holding(option())) as here:
        await here.sees("149", "170", "149")
        assert here.log.story == ["AlertRaised itm", "AlertCleared itm", "AlertRaised itm"]


async def test_all_options_of_a_symbol_go_into_one_append() -> None:
    async with desk(views=holding(*(option(n) for n in range(40)))) as here:
        await here.sees("149")
        assert (len(here.log.recorded), here.log.appends) == (40, 1)


async def test_prices_that_have_piled_up_are_judged_in_order_and_recorded_at_once() -> None:
    async with desk(views=holding(option(), option(2, symbol="BRK.B", strike="500"))) as here:
        quotes = [here.quote(price) for price in ("149", "170", "149")]
        await here.hears(*quotes, here.quote("499", symbol="BRK.B"))
        assert here.log.story == [
            "AlertRaised itm",
            "AlertCleared itm",
            "AlertRaised itm",
            "AlertRaised itm",
        ]
        assert here.log.appends == 1


@pytest.mark.parametrize("state", ["stale", "missing"])
async def test_a_price_that_is_out_of_date_raises_nothing(state: market.PriceState) -> None:
    async with desk(views=holding(option())) as here:
        await here.hears(here.quote("149", state=state))
        assert here.log.story == []


async def test_a_price_that_is_out_of_date_clears_nothing_either() -> None:
    async with desk(views=holding(option())) as here:
        await here.sees("149")
        await here.hears(here.quote("170", state="stale"))
        assert here.log.story == ["AlertRaised itm"]


async def test_once_the_price_is_out_of_date_the_last_good_one_counts_no_more() -> None:
    async with desk() as here:
        await here.sees("149")
        await here.hears(here.quote("149", state="stale"))
        here.views.hold(option())
        await here.hears("positions")
        assert here.log.story == []


async def test_a_price_older_than_the_last_is_no_price() -> None:
    async with desk(views=holding(option())) as here:
        late = here.quote("149")
        await here.sees("170")
        await here.hears(late)
        assert here.log.story == []


async def test_the_price_of_another_symbol_is_no_concern() -> None:
    async with desk(views=holding(option())) as here:
        await here.sees("1", symbol="MSFT")
        assert here.log.story == []


@pytest.mark.parametrize("nonsense", ["NaN", "Infinity", "0", "-5", "1e300"])
async def test_a_nonsensical_price_stops_nothing(nonsense: str) -> None:
    async with desk(views=holding(option())) as here:
        await here.sees(nonsense, "149")
        assert here.log.story == ["AlertRaised itm"]


# --- positions -------------------------------------------------------------------------------


async def test_a_new_position_is_judged_at_the_last_price() -> None:
    async with desk() as here:
        await here.sees("149")
        here.views.hold(option())
        await here.hears("positions")
        assert here.log.story == ["AlertRaised itm"]


async def test_a_corrected_strike_is_judged_at_the_last_price() -> None:
    async with desk(views=holding(option(strike="100"))) as here:
        await here.sees("149")
        here.views.hold(option(strike="150"))
        await here.hears("positions")
        assert here.log.story == ["AlertRaised itm"]


async def test_when_a_trade_ends_all_its_alerts_are_over() -> None:
    async with desk(views=holding(option(expiration=date(2026, 1, 6)))) as here:
        await here.sees("155", "149")
        here.views.hold()
        await here.hears("positions")
        over = [each.fact for each in here.log.recorded[3:]]
        assert [(f.rule, f.reason) for f in over if isinstance(f, facts.AlertCleared)] == [
            ("itm", "closed"),
            ("near_strike", "closed"),
            ("near_expiration", "closed"),
        ]


async def test_the_alerts_of_one_trade_do_not_end_with_another() -> None:
    async with desk(views=holding(option(1), option(2))) as here:
        await here.sees("149")
        here.views.hold(option(2))
        await here.hears("positions")
        cleared = [f.fact for f in here.log.recorded if isinstance(f.fact, facts.AlertCleared)]
        assert [each.trade_id for each in cleared] == [option(1).trade_id]


async def test_a_trade_that_is_open_again_is_alerted_again() -> None:
    async with desk(views=holding(option())) as here:
        await here.sees("149")
        here.views.hold()
        await here.hears("positions")
        here.views.hold(option())
        await here.hears("positions")
        assert here.log.story == ["AlertRaised itm", "AlertCleared itm", "AlertRaised itm"]


async def test_a_trade_that_ended_while_nobody_watched_takes_its_alerts_along() -> None:
    log, views = Log(), holding(option())
    async with desk(log, views) as before:
        await before.sees("149")
    views.hold()
    async with desk(log, views) as after:
        await after.hears("time")
        await after.hears("time")
        assert log.story == ["AlertRaised itm", "AlertCleared itm"]


async def test_views_of_a_past_that_are_being_rebuilt_are_not_believed() -> None:
    here = Desk(Log(), holding(option()), Time())
    views = worker.Views(here.views.positions, list, least=2)
    work = asyncio.create_task(worker.follow(here.watch, views, here.heard, here.beat))
    await here.hears("positions", here.quote("149"))
    before = (here.beat["state"], here.log.story)
    here.views.hold()
    await here.hears("positions", "stop")
    await work
    assert (before, here.beat["state"], here.log.story) == (("waiting", []), "running", [])


async def test_views_that_have_fallen_back_are_not_believed() -> None:
    async with desk(views=holding(option(2))) as here:
        here.views.position = 0
        await here.hears("positions")
        here.views.hold(option())
        await here.hears("positions", here.quote("149"))
        [recorded] = here.log.recorded
    assert recorded.stream_id == facts.alert_stream(option(2).trade_id, "itm")


async def test_positions_that_came_while_the_log_was_away_are_watched_afterwards() -> None:
    async with desk() as here:
        here.log.works = False
        here.views.hold(option())
        await here.hears("positions")
        here.log.works = True
        await here.hears("positions", here.quote("149"))
        assert here.log.story == ["AlertRaised itm"]


async def test_as_long_as_there_are_no_views_no_trade_has_ended() -> None:
    log, views = Log(), holding(option())
    async with desk(log, views) as before:
        await before.sees("149")
    empty = Views()
    empty.position = watch.UNSEEN
    async with desk(log, empty) as after:
        await after.hears("time")
        assert log.story == ["AlertRaised itm"]


# --- time ------------------------------------------------------------------------------------


async def test_expiration_comes_near_without_any_price() -> None:
    async with desk(views=holding(option(expiration=date(2026, 1, 8)))) as here:
        here.time.passes(hours=23)
        await here.hears("time")
        await here.hears("time")
        assert here.log.story == ["AlertRaised near_expiration"]


async def test_after_a_quarter_of_an_hour_out_of_the_money_is_out_of_the_money() -> None:
    async with desk(views=holding(option())) as here:
        await here.sees("149", "150.10")
        here.time.passes(minutes=14)
        await here.hears("time")
        assert here.log.story == ["AlertRaised itm"]
        here.time.passes(minutes=1)
        await here.hears("time")
        assert here.log.story[1:] == ["AlertCleared itm", "AlertRaised near_strike"]


async def test_on_the_evening_of_its_last_day_evidence_is_missing_until_the_trade_ends() -> None:
    async with desk(views=holding(option(expiration=MONDAY.date()))) as here:
        here.time.passes(hours=6, seconds=1)
        await here.hears("time", here.quote("200"))
        here.views.hold()
        await here.hears("positions")
        assert here.log.story == [
            "AlertRaised near_expiration",
            "AlertRaised evidence_missing",
            "AlertCleared near_expiration",
            "AlertCleared evidence_missing",
        ]


async def test_an_hour_without_prices_is_one_alert_a_position_raised_and_cleared() -> None:
    async with desk(views=holding(option(), option(2))) as here:
        await here.sees("200")
        for _ in range(60):
            here.time.passes(minutes=1)
            await here.hears("time")
        await here.sees("200.01")
        await here.hears("time")
        assert here.log.story == ["AlertRaised stale_price"] * 2 + ["AlertCleared stale_price"] * 2


async def test_a_price_that_comes_together_with_the_minute_is_judged_before_it() -> None:
    async with desk(views=holding(option())) as here:
        await here.sees("200")
        here.time.passes(minutes=16)
        await here.hears("time", here.quote("201"))
        assert here.log.story == []


async def test_a_new_position_is_no_excuse_for_a_price_that_has_long_been_missing() -> None:
    async with desk(views=holding(option())) as here:
        here.time.passes(minutes=14)
        here.views.hold(option(), option(2))
        await here.hears("positions")
        here.time.passes(minutes=1)
        await here.hears("time")
        assert here.log.story == ["AlertRaised stale_price"] * 2


async def test_a_watch_that_begins_in_the_middle_of_an_outage_tells_it_no_second_time() -> None:
    log, views, time = Log(), holding(option()), Time()
    async with desk(log, views, time) as before:
        await before.sees("200")
        time.passes(minutes=20)
        await before.hears("time")
    async with desk(log, views, time) as after:
        time.passes(minutes=20)
        await after.hears("time")
        assert log.story == ["AlertRaised stale_price"]
        await after.sees("200")
    assert log.story == ["AlertRaised stale_price", "AlertCleared stale_price"]


# --- marks -----------------------------------------------------------------------------------


def marks(here: Desk, ask: str, *, state: market.PriceState = "live") -> market.HeldMarks:
    """What it costs to buy the option back, with the share at 200."""
    mark = market.OptionMark(
        "AAPL", "put", Decimal(150), IN_A_MONTH, None, Decimal(ask), *[None] * 8
    )
    return market.HeldMarks(
        symbol="AAPL",
        price=Decimal(200),
        options=(mark,),
        dividend=None,
        earnings=None,
        as_of=here.time.now(),
        source="test",
        state=state,
    )


PROFIT = ["AlertRaised profit_target"]


async def test_marks_are_judged_as_they_come() -> None:
    async with desk(views=holding(option(premium="100"))) as here:
        await here.hears(marks(here, "0.51"))
        here.time.passes(minutes=1)
        await here.hears(marks(here, "0.48"))
        [recorded] = here.log.recorded
    assert isinstance(recorded.fact, facts.AlertRaised)
    assert (recorded.fact.rule, recorded.fact.severity, recorded.fact.message) == (
        "profit_target",
        "LOW",
        "AAPL 150.00 put has earned 52 % of its premium: 0.48 buys it back",
    )


async def test_a_new_position_is_judged_by_the_last_marks() -> None:
    async with desk() as here:
        await here.hears(marks(here, "0.48"))
        here.views.hold(option(premium="100"))
        await here.hears("positions")
        assert here.log.story == PROFIT


async def test_a_position_beside_a_new_one_keeps_its_marks() -> None:
    async with desk(views=holding(option(premium="100"))) as here:
        await here.hears(marks(here, "0.48"))
        here.views.hold(option(premium="200"), option(2, premium="100"))
        await here.hears("positions")
        assert here.log.story == PROFIT * 2


async def test_marks_older_than_the_last_are_none() -> None:
    async with desk(views=holding(option(premium="100"))) as here:
        late = marks(here, "0.48")
        here.time.passes(minutes=1)
        await here.hears(marks(here, "0.90"))
        await here.hears(late)
        assert here.log.story == []


async def test_marks_grow_old_and_then_a_corrected_premium_changes_nothing() -> None:
    async with desk(views=holding(option(premium="90"))) as here:
        await here.hears(marks(here, "0.48"))
        here.time.passes(minutes=31)
        await here.hears(here.quote("200"))
        here.views.hold(option(premium="100"))
        await here.hears("positions")
        assert here.log.story == []


# --- the login -------------------------------------------------------------------------------


def provider(
    here: Desk, *, days: float | None = 0, state: market.ProviderState = "live"
) -> market.Provider:
    """How the provider is, with a login so many days old."""
    now = here.time.now()
    since = None if days is None else now - timedelta(days=days)
    return market.Provider(
        source="schwab",
        state=state,
        since=now,
        as_of=now,
        login=None if since is None else market.Login(since, since + timedelta(days=7)),
    )


def severities(log: Log) -> list[str]:
    """What became of the alert about the login."""
    of_login = [each.fact for each in log.recorded if isinstance(each.fact, facts.OfAlert)]
    return [f"{type(each).__name__} {each.severity}" for each in of_login]


async def test_as_the_login_grows_old_it_is_told_twice_and_a_new_login_ends_it() -> None:
    async with desk(views=Views()) as here:
        await here.hears(provider(here))
        for hours in (119, 1, 35, 1, 11):
            here.time.passes(hours=hours)
            await here.hears("time")
        await here.hears(provider(here))
        assert severities(here.log) == [
            "AlertRaised MEDIUM",
            "AlertCleared MEDIUM",
            "AlertRaised HIGH",
            "AlertCleared HIGH",
        ]


async def test_the_alert_about_the_login_is_about_no_trade() -> None:
    async with desk() as here:
        await here.hears(provider(here, days=5))
        [recorded] = here.log.recorded
    assert recorded.stream_id == facts.alert_stream(None, "token_expiring")
    assert recorded.fact == facts.AlertRaised(
        symbol="SCHWAB",
        rule="token_expiring",
        severity="MEDIUM",
        message="The login at Schwab ends on 2026-01-07 10:00 New York time: log in again before",
    )


async def test_a_login_that_is_refused_is_told_at_once_and_once() -> None:
    async with desk() as here:
        for days in (1, None):
            await here.hears(provider(here, days=days, state="unauthenticated"), "time")
        assert severities(here.log) == ["AlertRaised HIGH"]


async def test_a_restart_tells_of_the_login_no_second_time() -> None:
    log = Log()
    for _ in range(2):
        async with desk(log) as here:
            await here.hears(provider(here, days=5), "time")
    assert severities(log) == ["AlertRaised MEDIUM"]


async def test_a_login_that_is_heard_of_before_the_positions_is_not_forgotten() -> None:
    here = Desk(Log(), Views(), Time())
    work = here.work()
    await here.hears(provider(here, days=5))
    before = severities(here.log)
    await here.hears("positions", "stop")
    await work
    assert (before, severities(here.log)) == ([], ["AlertRaised MEDIUM"])


async def test_no_trade_that_ends_takes_the_alert_about_the_login_along() -> None:
    log = Log()
    async with desk(log) as before:
        await before.hears(provider(before, days=5))
    async with desk(log) as after:
        await after.hears("time")
    assert severities(log) == ["AlertRaised MEDIUM"]


async def test_how_the_provider_was_before_does_not_count() -> None:
    async with desk() as here:
        late = provider(here, days=5)
        here.time.passes(minutes=1)
        await here.hears(provider(here), late)
        assert severities(here.log) == []


async def test_a_login_that_could_not_be_told_of_is_told_of_later() -> None:
    async with desk() as here:
        here.log.works = False
        await here.hears(provider(here, days=5))
        here.log.works = True
        await here.hears("time")
        assert severities(here.log) == ["AlertRaised MEDIUM"]


# --- what goes wrong -------------------------------------------------------------------------


async def test_the_log_is_asked_only_for_alerts_that_there_ever_were() -> None:
    log, views = Log(), holding(*(option(n) for n in range(100)))
    async with desk(log, views) as before:
        await before.sees("149")
        assert log.reads == 1  # that of the login
    async with desk(log, views):
        assert log.reads == 2 + 100


async def test_an_alert_that_the_views_do_not_know_is_not_raised_twice() -> None:
    log, views = Log(), holding(option())
    async with desk(log, views) as before:
        await before.sees("149")
    here = Desk(log, views, Time())
    work = here.work()
    await here.hears("positions", here.quote("149"), "stop")
    await work
    assert log.story == ["AlertRaised itm"]


async def test_an_alert_that_another_watch_has_raised_is_cleared_when_it_is_over() -> None:
    log, views = Log(), holding(option())
    async with desk(log, views) as here:
        await here.sees("200")
        async with desk(log, holding(option())) as other:
            await other.sees("149")
        here.views.read(log)
        await here.hears("time")
        await here.sees("200.01")
        assert log.story == ["AlertRaised itm", "AlertCleared itm"]


def test_a_price_that_is_seldom_asked_for_is_missed_later() -> None:
    ages = [worker.limits(Settings(price_interval=each)).price_age for each in (1, 300, 3600)]
    assert ages == [timedelta(minutes=15), timedelta(minutes=15), timedelta(hours=3)]


def test_the_settings_say_what_a_profit_is_and_what_money_costs() -> None:
    limits = worker.limits(Settings(profit_target=60.0, risk_free_rate=0.01))
    assert (limits.profit_target, limits.risk_free_rate) == (60.0, 0.01)


async def test_a_restart_raises_nothing_twice() -> None:
    log, views = Log(), holding(option(expiration=date(2026, 1, 6)))
    for _ in range(3):
        async with desk(log, views) as here:
            await here.sees("150.50", "149")
    assert sorted(log.story) == [
        "AlertRaised itm",
        "AlertRaised near_expiration",
        "AlertRaised near_strike",
    ]


async def test_a_restart_does_not_forget_how_long_an_alert_has_stood() -> None:
    log, views, time = Log(), holding(option()), Time()
    async with desk(log, views, time) as before:
        await before.sees("149")
    time.passes(minutes=15)
    async with desk(log, views, time) as after:
        await after.sees("150.10")
    assert log.story[:2] == ["AlertRaised itm", "AlertCleared itm"]


async def test_two_watches_at_once_raise_nothing_twice() -> None:
    log, views = Log(), holding(option(), option(2))
    async with desk(log, views) as one, desk(log, views) as other:
        await one.sees("149")
        await other.sees("149", "149.50")
        await one.sees("170")
    assert sorted(log.story) == ["AlertCleared itm"] * 2 + ["AlertRaised itm"] * 2


async def test_an_alert_that_somebody_has_acknowledged_can_still_be_cleared() -> None:
    async with desk(views=holding(option())) as here:
        await here.sees("149")
        raised = here.log.recorded[0]
        [seen] = alert.decide(alert.fold([raised]), alert.Acknowledge(), MONDAY)
        here.log.append(
            [facts.Recorded(0, raised.stream_id, 2, MONDAY, MONDAY, "api", uuid4(), None, seen)]
        )
        await here.sees("170")
        assert here.log.story[1:] == ["AlertAcknowledged itm", "AlertCleared itm"]


async def test_an_alert_that_somebody_has_dismissed_is_raised_when_its_reason_begins_anew() -> None:
    async with desk(views=holding(option())) as here:
        await here.sees("149")
        raised = here.log.recorded[0]
        [over] = alert.decide(alert.fold([raised]), alert.Dismiss(), MONDAY)
        here.log.append(
            [facts.Recorded(0, raised.stream_id, 2, MONDAY, MONDAY, "api", uuid4(), None, over)]
        )
        for price in ("148.90", "170", "149"):
            await here.sees(price)
        assert here.log.story == ["AlertRaised itm", "AlertCleared itm", "AlertRaised itm"]


async def test_an_alert_that_could_not_be_recorded_is_raised_at_the_next_price() -> None:
    async with desk(views=holding(option())) as here:
        here.log.works = False
        await here.sees("149")
        here.log.works = True
        await here.sees("148.99")
        assert here.log.story == ["AlertRaised itm"]


async def test_that_a_trade_has_ended_is_not_forgotten_while_the_log_is_away() -> None:
    async with desk(views=holding(option())) as here:
        await here.sees("149")
        here.log.works = False
        here.views.hold()
        await here.hears("positions")
        here.log.works = True
        await here.hears("positions")
        assert here.log.story == ["AlertRaised itm", "AlertCleared itm"]


async def test_views_that_cannot_be_read_yet_are_read_later() -> None:
    here, tries = Desk(Log(), holding(option()), Time()), iter([True, False])

    def positions(after: int) -> open_options.Changes:
        if next(tries):
            raise refusals.Unavailable("no views yet")
        return here.views.positions(after)

    views = worker.Views(positions, list)
    work = asyncio.create_task(worker.follow(here.watch, views, here.heard, {}))
    await here.hears("positions")
    await here.hears("positions", here.quote("149"), "stop")
    await work
    assert here.log.story == ["AlertRaised itm"]


# --- what is told ----------------------------------------------------------------------------


async def test_a_changed_level_is_told_and_a_mere_tick_is_not() -> None:
    async with desk(views=holding(option())) as here:
        heard = []
        for price in ("160", "161", "155", "154", "149", "148"):
            await here.sees(price)
            heard.append([each.level for each in here.told()])
        assert heard == [["LOW"], [], ["MEDIUM"], [], ["HIGH"], []]


async def test_a_new_day_is_told() -> None:
    async with desk(views=holding(option())) as here:
        await here.sees("160")
        here.told()
        here.time.passes(days=1)
        await here.hears("time")
        assert [each.dte_trading for each in here.told()] == [22]


async def test_what_is_told_names_the_price_and_where_it_stands() -> None:
    async with desk(views=holding(option())) as here:
        await here.sees("145")
        [told] = here.told()
    assert (told.price, told.pct, told.label) == (
        Decimal(145),
        Decimal("-3.3333"),
        "ITM by 3.3%",
    )


async def test_an_option_beside_a_new_one_is_no_news() -> None:
    async with desk(views=holding(option())) as here:
        await here.sees("160")
        here.told()
        here.views.hold(option(), option(2))
        await here.hears("positions")
        assert [each.trade_id for each in here.told()] == [option(2).trade_id]


async def test_while_the_bus_is_down_only_the_newest_of_each_option_waits() -> None:
    taken: list[bus.Message] = []
    tried, up, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def publish(messages: Sequence[bus.Message]) -> None:
        tried.set()
        if not up.is_set():
            raise bus.BusDown("no server is there")
        taken.extend(messages)
        done.set()

    async with desk(views=holding(option())) as here:
        sending = asyncio.create_task(here.outbox.send(publish, pause=0))
        await here.sees("160")
        await tried.wait()
        await here.sees("149")
        up.set()
        await done.wait()
        sending.cancel()
    assert [(each.subject, each.data.level) for each in taken] == [
        (f"risk.position.{UUID(int=99)}.{UUID(int=1)}", "HIGH")
    ]


async def test_the_heartbeat_says_what_is_watched() -> None:
    async with desk(views=holding(option(), option(2))) as here:
        await here.sees("149", "170")
        assert here.beat == {
            "state": "running",
            "position": 1,
            "options": 2,
            "quotes": 2,
            "raised": 2,
            "cleared": 2,
        }
