"""Chains of options as Schwab sends them, and as TD Ameritrade, whose format it is, once did.

Prices are read as the decimals that were written. Of the rest: volatility comes in percent,
a greek that is not known as "NaN" or -999, an expiration as text or as milliseconds, a price
that never was as 0. Contracts that are not what they seem (adjusted, mini, another multiplier,
settled on an opening) are left out.
"""

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

import msgspec

from adapters.schwab import symbols
from domain import calendar, market

SOURCE: Final = "schwab"
MULTIPLIER: Final = 100
DEAREST: Final = Decimal(10_000_000)
UNREADABLE: Final = (msgspec.MsgspecError, ValueError, ArithmeticError, OSError, RecursionError)
"""What reading nonsense raises, numbers and dates out of all bounds included."""
_UNKNOWN: Final = -999.0

Number = float | str | None


class Truncated(market.Unreadable):
    """A part of a chain that must not be taken for the whole: ask for less at a time."""

    def __init__(self, symbol: str) -> None:
        super().__init__(symbol, "the provider left out a part of the chain")


class _Deliverable(msgspec.Struct, rename="camel", gc=False):
    symbol: str | None = None
    deliverable_units: Number = None


class _Contract(msgspec.Struct, rename="camel", gc=False):
    strike_price: Decimal
    expiration_date: str | int
    put_call: str
    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None
    volatility: Number = None
    delta: Number = None
    gamma: Number = None
    theta: Number = None
    vega: Number = None
    open_interest: float | None = None
    total_volume: float | None = None
    quote_time_in_long: int | None = None
    multiplier: Number = None
    settlement_type: str | None = None
    option_deliverables_list: list[_Deliverable] | None = None
    non_standard: bool | None = None
    mini: bool | None = None


class _Underlying(msgspec.Struct, rename="camel"):
    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None
    quote_time: int | None = None
    delayed: bool | None = None


_Side = dict[str, dict[str, list[_Contract]]]


class _Chain(msgspec.Struct, rename="camel"):
    symbol: str
    status: str
    underlying: _Underlying | None = None
    underlying_price: Decimal | None = None
    is_delayed: bool | None = None
    is_chain_truncated: bool | None = None
    call_exp_date_map: _Side = {}
    put_exp_date_map: _Side = {}

    def contracts(self) -> Iterator[_Contract]:
        for side in (self.call_exp_date_map, self.put_exp_date_map):
            for strikes in side.values():
                for listed in strikes.values():
                    yield from listed


_DECODER: Final = msgspec.json.Decoder(_Chain)


def decoded(body: bytes, symbol: str | None = None) -> market.Chain:
    """The chain in an answer's body, of `symbol` where that is given.

    Raises Truncated where it is not whole, NoData where there is none, Unreadable for the rest.
    """
    about = symbol or "chain"
    try:
        said = _DECODER.decode(body)
        known = market.valid_symbol(symbols.ours(said.symbol))
        _must_be_whole(said, known, symbol)
        return _chain(said, known)
    except UNREADABLE as reason:
        raise market.Unreadable(about, f"no chain can be read in this: {reason}") from reason


def _must_be_whole(said: _Chain, known: str, asked: str | None) -> None:
    if said.status == "FAILED":
        raise market.NoData(known, "the provider has no chain for that")
    if said.status != "SUCCESS":
        raise market.Unreadable(known, f"the chain's status is {said.status[:20]!r}")
    if asked is not None and asked != known:
        raise market.Unreadable(asked, f"the provider answered with a chain of {known}")
    if said.is_chain_truncated:
        raise Truncated(known)


def _chain(said: _Chain, known: str) -> market.Chain:
    state: market.PriceState = "delayed" if said.is_delayed else "live"
    as_of = _as_of(said, known)
    marks = [_mark(known, each) for each in said.contracts() if _is_plain(known, each)]
    marks.sort(key=lambda mark: (mark.expiration, mark.strike, mark.direction))
    return market.Chain(
        symbol=known,
        underlying=_underlying(said, known, as_of, state),
        options=tuple(marks),
        as_of=as_of,
        source=SOURCE,
        state=state,
    )


def _as_of(said: _Chain, known: str) -> datetime:
    """The newest instant at which a contract was quoted; of an empty chain, its share."""
    newest = max((each.quote_time_in_long or 0 for each in said.contracts()), default=0)
    if not newest and said.underlying is not None:
        newest = said.underlying.quote_time or 0
    if not newest:
        raise market.Unreadable(known, "the chain does not say when it was quoted")
    return instant(newest)


def _underlying(
    said: _Chain, known: str, as_of: datetime, state: market.PriceState
) -> market.Quote:
    """The share's quote: its price is the one that the chain was reckoned with."""
    quoted = said.underlying or _Underlying()
    last = price(said.underlying_price) or price(quoted.last)
    if last is None:
        raise market.Unreadable(known, "the chain does not say its share's price")
    return market.Quote(
        symbol=known,
        last=last,
        bid=price(quoted.bid),
        ask=price(quoted.ask),
        as_of=instant(quoted.quote_time) if quoted.quote_time else as_of,
        source=SOURCE,
        state="delayed" if quoted.delayed else state,
    )


def _is_plain(known: str, contract: _Contract) -> bool:
    """Whether it delivers a hundred of the shares that it is named after, at a day's close."""
    if contract.non_standard or contract.mini or contract.settlement_type == "A":
        return False
    if number(contract.multiplier) != MULTIPLIER:
        return False
    delivered = contract.option_deliverables_list
    if not delivered:
        return True
    return (
        len(delivered) == 1
        and symbols.ours(delivered[0].symbol or "") == known
        and number(delivered[0].deliverable_units) == MULTIPLIER
    )


def _mark(known: str, contract: _Contract) -> market.OptionMark:
    strike = price(contract.strike_price)
    if strike is None:
        raise ValueError("a contract has no strike")
    percent = number(contract.volatility)
    return market.OptionMark(
        symbol=known,
        direction=_direction(contract.put_call),
        strike=strike,
        expiration=_expiration(contract.expiration_date),
        bid=_bid(contract.bid),
        ask=price(contract.ask),
        last=price(contract.last),
        implied_volatility=percent / 100 if percent and percent > 0 else None,
        delta=number(contract.delta),
        gamma=number(contract.gamma),
        theta=number(contract.theta),
        vega=number(contract.vega),
        open_interest=_count(contract.open_interest),
        volume=_count(contract.total_volume),
    )


def _direction(put_call: str) -> market.Direction:
    match put_call:
        case "PUT":
            return "put"
        case "CALL":
            return "call"
        case _:
            raise ValueError(f"a contract is neither a put nor a call, but {put_call[:20]!r}")


@lru_cache(maxsize=1024)
def _expiration(written: str | int) -> date:
    """The New York date of the close at which a contract ends, however that is written."""
    ends = instant(written) if isinstance(written, int) else datetime.fromisoformat(written)
    if ends.tzinfo is None:
        return ends.date()
    return calendar.trading_day(ends)


def instant(milliseconds: int) -> datetime:
    """The instant of a count of milliseconds since 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def price(said: Decimal | None) -> Decimal | None:
    """A price that can be meant; 0 and less are the provider's way to say that there is none."""
    if said is None or not said.is_finite() or not 0 < said < DEAREST:
        return None
    return said


def number(said: Number) -> float | None:
    """A number that is known: neither "NaN" nor -999."""
    try:
        known = float(said) if said is not None else math.nan
    except ValueError:
        return None
    return known if math.isfinite(known) and known != _UNKNOWN else None


def _bid(said: Decimal | None) -> Decimal | None:
    """What somebody bids: of an option also nothing at all, which is a bid of 0."""
    return said if said is not None and said.is_zero() else price(said)


def _count(said: float | None) -> int | None:
    return int(said) if said is not None and said >= 0 else None
