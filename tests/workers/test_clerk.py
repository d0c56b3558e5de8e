"""The clerk and the counter: one process asks the provider, all the others ask it."""

import asyncio
from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

import pytest

from adapters import bus, kept
from adapters.counter import Counter
from domain import market, refusals, subjects
from tests.conftest import Join, NatsServer, soon
from tests.workers.exchange import FRIDAY, OPEN, Exchange, Turned
from workers.clerk import AT_ONCE, Clerk
from workers.standing import Standing

pytestmark = pytest.mark.usefixtures("server")
TODAY = date(2026, 3, 2)


class Shop(NamedTuple):
    """A clerk who answers, and who comes to ask."""

    exchange: Exchange
    clock: Turned
    clerk: Clerk
    standing: Standing
    counter: Counter
    ours: bus.Bus


@pytest.fixture
async def shop(join: Join) -> Shop:
    clock = Turned()
    exchange = Exchange(clock)
    ours, theirs = await join("prices"), await join("api")
    standing = Standing("test", clock, exchange.login)
    clerk = Clerk(exchange, exchange, ours, clock, standing)
    await ours.answer(subjects.MARKET_ASK, clerk.answer)
    return Shop(exchange, clock, clerk, standing, Counter(theirs, clock), ours)


async def bid(shop: Shop) -> str:
    chain = await soon(shop.counter.chain("XYZ", FRIDAY))
    return str(chain.options[0].bid)


async def test_what_is_kept_and_fresh_is_not_asked_for_again(shop: Shop) -> None:
    assert [await bid(shop), await bid(shop)] == ["1.01", "1.01"]
    shop.clock.turn(minutes=14)
    assert await bid(shop) == "1.01"


async def test_what_has_grown_old_is_asked_for_again(shop: Shop) -> None:
    assert await bid(shop) == "1.01"
    shop.clock.turn(minutes=15)
    assert await bid(shop) == "1.02"


async def test_a_chain_of_a_price_that_has_grown_stale_is_asked_for_again(shop: Shop) -> None:
    shop.exchange.behind = timedelta(minutes=4)
    assert await bid(shop) == "1.01"
    shop.clock.turn(minutes=10)
    assert await bid(shop) == "1.01"
    shop.clock.turn(minutes=2)
    assert await bid(shop) == "1.02"


async def test_a_price_that_stays_stale_is_asked_for_once_a_minute(shop: Shop) -> None:
    shop.exchange.behind = timedelta(hours=1)
    assert [await bid(shop), await bid(shop)] == ["1.01", "1.01"]
    shop.clock.turn(minutes=1)
    assert [await bid(shop), await bid(shop)] == ["1.02", "1.02"]


async def test_what_was_kept_for_nearer_dates_is_asked_for_again(shop: Shop) -> None:
    await bid(shop)
    await shop.counter.chain("XYZ", TODAY + timedelta(days=38))
    assert len(shop.exchange.asked) == 1
    await shop.counter.chain("XYZ", TODAY + timedelta(days=60))
    assert shop.exchange.asked[1] == "chain XYZ 2026-03-02 2026-05-01"


async def test_many_who_ask_the_same_at_once_are_answered_with_one_question(shop: Shop) -> None:
    shop.exchange.slow.clear()
    asking = [asyncio.create_task(bid(shop)) for _ in range(20)]
    await soon(shop.exchange.until_asked(1))
    shop.exchange.slow.set()
    assert await asyncio.gather(*asking) == ["1.01"] * 20
    assert len(shop.exchange.asked) == 1


async def test_another_clerk_finds_what_was_kept(shop: Shop) -> None:
    await bid(shop)
    again = Clerk(shop.exchange, None, shop.ours, shop.clock, shop.standing)
    entry = await again.keep(subjects.MarketQuestion("chain", "XYZ", TODAY, FRIDAY))
    assert len(shop.exchange.asked) == 1
    assert entry.fetched_at == OPEN


FAULTS: list[Callable[[str], market.MarketFault]] = [
    market.UnknownSymbol,
    market.NoData,
    market.StalePrice,
    market.ProviderDown,
    market.Throttled,
    market.ReauthRequired,
    market.Unreadable,
]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_comes_back_as_what_it_is(
    shop: Shop, fault: Callable[[str], market.MarketFault]
) -> None:
    shop.exchange.fault = fault("XYZ")
    with pytest.raises(type(shop.exchange.fault)) as raised:
        await bid(shop)
    assert raised.value.why == shop.exchange.fault.why
    assert raised.value.symbol == "XYZ"


async def test_how_long_to_wait_comes_back_with_it(shop: Shop) -> None:
    shop.exchange.fault = market.Throttled("XYZ", retry_after=17)
    with pytest.raises(market.Throttled) as raised:
        await bid(shop)
    assert raised.value.retry_after == 17


@pytest.mark.parametrize("fault", [market.ProviderDown, market.UnknownSymbol, market.Unreadable])
async def test_what_failed_is_left_alone_for_a_while(
    shop: Shop, fault: Callable[[str], market.MarketFault]
) -> None:
    shop.exchange.fault = fault("XYZ")
    for _ in range(30):
        with pytest.raises(market.MarketFault):
            await bid(shop)
    assert len(shop.exchange.asked) == 1


class Peculiar(market.Unreadable):
    """A fault of a provider's own, which is made in its own way."""

    def __init__(self) -> None:
        super().__init__("XYZ", "peculiar")


async def test_what_failed_in_a_way_of_its_own_stays_so_while_it_is_left_alone(shop: Shop) -> None:
    shop.exchange.fault = Peculiar()
    question = subjects.MarketQuestion("chain", "XYZ", TODAY, FRIDAY)
    for _ in range(3):
        with pytest.raises(Peculiar):
            await shop.clerk.keep(question)


async def test_a_provider_that_is_down_is_down_for_every_symbol(shop: Shop) -> None:
    shop.exchange.fault = market.ProviderDown("XYZ")
    for symbol in ("XYZ", "ABC", "DEF"):
        with pytest.raises(market.ProviderDown, match=symbol):
            await shop.counter.chain(symbol, FRIDAY)
    assert len(shop.exchange.asked) == 1


async def test_one_symbol_that_is_unknown_leaves_the_others_alone(shop: Shop) -> None:
    shop.exchange.fault = market.UnknownSymbol("XYZ")
    with pytest.raises(market.UnknownSymbol):
        await bid(shop)
    shop.exchange.fault = None
    assert (await shop.counter.chain("ABC", FRIDAY)).symbol == "ABC"
    assert shop.standing.provider.state == "live"


async def test_nobody_behind_the_counter_is_said_to_be_so(join: Join) -> None:
    counter = Counter(await join("api"), Turned())
    with pytest.raises(refusals.Unavailable, match="cannot be asked"):
        await counter.chain("XYZ", FRIDAY)


async def test_who_is_patient_waits_for_the_next_clerk(join: Join) -> None:
    clock, ours = Turned(), await join("prices")
    exchange = Exchange(clock)
    clerk = Clerk(exchange, None, ours, clock, Standing("test", clock, exchange.login))
    patient = Counter(await join("scanner"), clock, patient=True)
    waiting = asyncio.create_task(patient.chain("XYZ", FRIDAY))
    assert not (await asyncio.wait([waiting], timeout=0.3))[0]
    await ours.answer(subjects.MARKET_ASK, clerk.answer)
    assert (await soon(waiting)).symbol == "XYZ"


async def test_without_a_bus_it_is_said_too(join: Join, server: NatsServer) -> None:
    connected = await join("api")
    server.stop()
    with pytest.raises(refusals.Unavailable, match="cannot be asked"):
        await Counter(connected, Turned()).chain("XYZ", FRIDAY)


async def test_who_knows_no_earnings_says_so(shop: Shop) -> None:
    deaf = Clerk(shop.exchange, None, shop.ours, shop.clock, shop.standing)
    with pytest.raises(market.NoData, match="no key is set"):
        await deaf.keep(subjects.MarketQuestion("earnings", "XYZ", TODAY, FRIDAY))
    assert not shop.exchange.asked


async def test_dates_ahead_are_only_those_that_were_asked_for(shop: Shop) -> None:
    ahead = TODAY + timedelta(days=30)
    assert [each.day for each in await shop.counter.earnings("XYZ", ahead)] == [date(2026, 3, 11)]
    assert await shop.counter.earnings("XYZ", date(2026, 3, 10)) == ()
    assert [str(each.amount) for each in await shop.counter.dividends("XYZ", ahead)] == ["0.25"]
    assert len(shop.exchange.asked) == 2


async def test_the_days_volatility_is_collected_for_the_year(shop: Shop) -> None:
    await bid(shop)
    shop.clock.turn(days=1)
    await bid(shop)
    year = await shop.counter.volatilities("XYZ")
    assert [each.day for each in year] == [date(2026, 3, 2), date(2026, 3, 3)]


async def test_chains_and_volatilities_asked_for_at_once_do_not_wait_for_each_other(
    shop: Shop,
) -> None:
    asked = [
        subjects.MarketQuestion(kind, f"S{n}", TODAY, FRIDAY)
        for kind in ("chain", "volatilities")
        for n in range(AT_ONCE)
    ]
    shop.exchange.slow.clear()
    asking = [asyncio.create_task(shop.clerk.keep(each)) for each in asked]
    await soon(shop.exchange.until_asked(AT_ONCE))
    shop.exchange.slow.set()
    assert len(await soon(asyncio.gather(*asking))) == len(asked)


async def test_patient_questions_leave_room_for_those_who_wait(join: Join, shop: Shop) -> None:
    patient = Counter(await join("scanner"), shop.clock, patient=True)
    shop.exchange.slow.clear()
    scanning = [asyncio.create_task(patient.chain(f"S{n}", FRIDAY)) for n in range(40)]
    await soon(shop.exchange.until_asked(2))
    waiting = asyncio.create_task(bid(shop))
    await soon(shop.exchange.until_asked(3))
    assert sum("XYZ" in each for each in shop.exchange.asked) == 1
    shop.exchange.slow.set()
    await soon(waiting)
    await soon(asyncio.gather(*scanning))


async def test_an_entry_of_another_version_is_as_good_as_none(shop: Shop) -> None:
    entries = {kept.key("chain", "XYZ"): b"something else"}
    await shop.ours.put_all(subjects.MARKET_BUCKET, entries)
    assert await bid(shop) == "1.01"


# --- how the provider stands ------------------------------------------------------------------


async def test_a_fault_is_told_of_the_provider_with_its_reason_and_since_when(shop: Shop) -> None:
    shop.standing.failed(market.Throttled("XYZ", "too many"))
    shop.clock.turn(minutes=3)
    shop.standing.failed(market.Throttled("ABC", "too many"))
    told = shop.standing.told()
    assert (told.state, told.reason, told.since) == ("throttled", "too many", OPEN)


async def test_an_answer_makes_it_well_again(shop: Shop) -> None:
    shop.standing.failed(market.ProviderDown("XYZ"))
    shop.standing.quoted([])
    assert shop.standing.provider.state == "down"
    shop.standing.answered("delayed")
    assert (shop.standing.provider.state, shop.standing.provider.reason) == ("delayed", None)
    shop.standing.rested("XYZ")


async def test_a_symbol_of_its_own_trouble_does_not_hide_that_of_the_provider(shop: Shop) -> None:
    shop.standing.quoted([market.UnknownSymbol("ABC"), market.ProviderDown("XYZ", "gone")])
    assert (shop.standing.provider.state, shop.standing.provider.reason) == ("down", "gone")


async def test_a_provider_of_whom_nothing_can_be_read_is_down(shop: Shop) -> None:
    shop.standing.quoted([market.Unreadable("ABC", "status 403"), market.Unreadable("XYZ", "?")])
    assert (shop.standing.provider.state, shop.standing.provider.reason) == ("down", "status 403")
    shop.standing.rested("XYZ")


def login(days: int) -> market.Login:
    since = OPEN + timedelta(days=days)
    return market.Login(since, since + timedelta(days=7))


async def test_a_login_that_was_refused_stays_so_until_there_is_another_one() -> None:
    logins = [login(0)]
    standing = Standing("test", Turned(), lambda: logins[-1])
    standing.failed(market.ReauthRequired("XYZ"))
    assert standing.told().state == "unauthenticated"
    logins.append(login(1))
    assert (standing.told().state, standing.told().reason) == ("live", None)


async def test_without_the_login_that_it_needs_it_is_not_live_though_nobody_has_asked() -> None:
    clock, logins = Turned(), [market.Login(OPEN, OPEN + timedelta(days=7))]
    standing = Standing("test", clock, lambda: logins[-1] if logins else None, needs_login=True)
    told = [standing.told().state]
    clock.turn(minutes=7 * 24 * 60)
    told.append(standing.told().state)
    logins.clear()
    told.append(standing.told().state)
    logins.append(market.Login(clock.now(), clock.now() + timedelta(days=7)))
    told.append(standing.told().state)
    assert told == ["live", "unauthenticated", "unauthenticated", "live"]
