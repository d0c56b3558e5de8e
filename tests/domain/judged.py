"""An option, what is known of it, and what the rules say: to be given in a line each."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain import columns, facts, judging, look, market, risk

MONDAY = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
TODAY = date(2026, 1, 5)
IN_A_MONTH = date(2026, 2, 6)
LIMITS = look.Limits()


def option(
    side: facts.Direction = "put",
    strike: str | Decimal = "150",
    expiration: date = IN_A_MONTH,
    trade: int = 1,
    **more: Any,
) -> risk.OpenOption:
    return risk.OpenOption(
        wheel_id=UUID(int=100),
        trade_id=UUID(int=trade),
        portfolio_id=UUID(int=200),
        symbol="AAPL",
        direction=side,
        strike=Decimal(strike),
        expiration_date=expiration,
        contracts=1,
        **more,
    )


def quote(
    last: str | Decimal = "150", at: datetime = MONDAY, state: market.PriceState = "live"
) -> market.Quote:
    return market.Quote("AAPL", Decimal(last), None, None, at, "test", state)


def judged(
    one: risk.OpenOption,
    standing: look.Standing | None = None,
    now: datetime = MONDAY,
    **known: Any,
) -> judging.Verdict:
    """What is said of one option, watched since Monday, by what is known of it."""
    book = columns.book([one])
    if (said := known.get("marks")) is not None:
        known["marks"] = look.marks(book, said)
    return judging.judge(
        book,
        judging.nothing_raised(book) if standing is None else standing,
        look.Known(**{"since": MONDAY} | known),
        now,
        LIMITS,
    )


def words(verdict: judging.Verdict) -> list[tuple[str, str]]:
    """What is raised and cleared."""
    heard: list[tuple[str, str]] = []
    for turn in verdict.turns:
        heard += [("raised", turn.rule.name)] * turn.raised.size
        heard += [("cleared", turn.rule.name)] * turn.cleared.size
    return heard


def marks(
    one: risk.OpenOption,
    bid: str | None = "0.45",
    ask: str | None = "0.50",
    price: str = "200",
    at: datetime = MONDAY,
    **said: Any,
) -> market.HeldMarks:
    """What the market says of one option."""
    mark = market.OptionMark(
        one.symbol,
        one.direction,
        one.strike,
        one.expiration_date,
        None if bid is None else Decimal(bid),
        None if ask is None else Decimal(ask),
        *[None] * 8,
    )
    known: dict[str, Any] = {"dividend": None, "earnings": None, "state": "live"}
    return market.HeldMarks(
        symbol=one.symbol,
        price=Decimal(price),
        options=(mark,),
        as_of=at,
        source="test",
        **known | said,
    )


def sold(premium: str = "100", side: facts.Direction = "put", **more: Any) -> risk.OpenOption:
    """Sold at 150 for so many dollars."""
    return option(side, premium=Decimal(premium), **more)


Step = tuple[float, dict[str, Any]]


def heard(one: risk.OpenOption, *steps: Step) -> list[tuple[str, str]]:
    """What is raised and cleared as minutes pass and the marks change."""
    now, standing, said = MONDAY, None, []
    for passed, changed in steps:
        now += timedelta(minutes=passed)
        change: dict[str, Any] = {"at": now} | changed
        verdict = judged(one, standing, now, marks=marks(one, **change), quote=quote("200", now))
        standing = verdict.seen.raised
        said += words(verdict)
    return said


def ask(price: str | None) -> dict[str, Any]:
    return {"bid": "0.01", "ask": price}


def pays(ex: date, amount: str = "0.25") -> market.Dividend:
    return market.Dividend("AAPL", ex, Decimal(amount))


def inside(extrinsic: str, price: str = "155") -> dict[str, Any]:
    """A call at 150, so much over its intrinsic value at both bid and ask."""
    worth = str(Decimal(price) - 150 + Decimal(extrinsic))
    return {"bid": worth, "ask": worth, "price": price}


def deep(extrinsic: str, price: str = "120") -> dict[str, Any]:
    """A put at 150, so much over its intrinsic value at both bid and ask."""
    worth = str(150 - Decimal(price) + Decimal(extrinsic))
    return {"bid": worth, "ask": worth, "price": price}
