"""What the market says, and the port through which it is asked.

Prices are dollars per share (options too: times the multiplier for a contract) and exact
decimals; volatilities and greeks are estimates and floats. Instants are aware, in UTC.

    MarketFault                 no answer, and why
    ├── UnknownSymbol           the provider has never heard of it
    ├── NoData                  it knows the symbol, but nothing for the time asked
    ├── StalePrice              it answers, with prices that are too old
    ├── ProviderDown            unreachable, or failing on its side
    ├── Throttled               asked too often; later may work
    ├── ReauthRequired          the login has ended; only a person can renew it
    └── Unreadable              an answer came that makes no sense
"""

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar, Final, Literal, Protocol, runtime_checkable

import msgspec

PriceState = Literal["live", "delayed", "stale", "missing"]
ProviderState = Literal["live", "delayed", "stale", "throttled", "unauthenticated", "down"]
"""How a provider is as a whole: what it says counts, or why it says nothing that does."""
Direction = Literal["put", "call"]

LONGEST_SYMBOL: Final = 10
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9.-]{0,9}")
_SPEAKABLE = re.compile(r"[A-Za-z0-9.-]+")


class MarketFault(Exception):
    """A question that the market's provider did not answer, and about which symbol.

    `state` is what such a fault makes of the provider; None where it is about the symbol alone.
    """

    state: ClassVar[ProviderState | None] = None

    def __init__(self, symbol: str, why: str) -> None:
        super().__init__(f"{symbol}: {why}")
        self.symbol = symbol
        self.why = why


class UnknownSymbol(MarketFault):
    def __init__(self, symbol: str, why: str = "not a symbol that is served here") -> None:
        super().__init__(symbol, why)


class NoData(MarketFault):
    def __init__(self, symbol: str, why: str = "nothing is known for that time") -> None:
        super().__init__(symbol, why)


class StalePrice(MarketFault):
    state = "stale"

    def __init__(self, symbol: str, why: str = "the price is too old") -> None:
        super().__init__(symbol, why)


class ProviderDown(MarketFault):
    state = "down"

    def __init__(self, symbol: str, why: str = "the provider does not answer") -> None:
        super().__init__(symbol, why)


class Throttled(MarketFault):
    """`retry_after` in (real) seconds, where the provider says how long to wait."""

    state = "throttled"

    def __init__(
        self,
        symbol: str,
        why: str = "the provider was asked too often",
        *,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(symbol, why)
        self.retry_after = retry_after


class ReauthRequired(MarketFault):
    state = "unauthenticated"

    def __init__(self, symbol: str, why: str = "the login at the provider has ended") -> None:
        super().__init__(symbol, why)


class Unreadable(MarketFault):
    def __init__(self, symbol: str, why: str = "the provider's answer makes no sense") -> None:
        super().__init__(symbol, why)


FAULTS: Final[dict[str, type[MarketFault]]] = {
    each.__name__: each
    for each in (
        UnknownSymbol,
        NoData,
        StalePrice,
        ProviderDown,
        Throttled,
        ReauthRequired,
        Unreadable,
    )
}


def fault(name: str, symbol: str, why: str, retry_after: float | None = None) -> MarketFault:
    """The fault that another process was told; an unknown name is a provider that is down."""
    kind = FAULTS.get(name, ProviderDown)
    if issubclass(kind, Throttled):
        return kind(symbol, why, retry_after=retry_after)
    return kind(symbol, why)


class Quote(msgspec.Struct, frozen=True):
    """The last price of a share, and when, by whom and how freshly it was said."""

    symbol: str
    last: Decimal
    bid: Decimal | None
    ask: Decimal | None
    as_of: datetime
    source: str
    state: PriceState


class OptionMark(msgspec.Struct, frozen=True, gc=False):
    """One contract of a chain; `symbol` is the underlying's.

    Implied volatility is a decimal a year (0.25 is 25 %); vega per volatility point;
    theta per calendar day. None is what the provider did not say.
    """

    symbol: str
    direction: Direction
    strike: Decimal
    expiration: date
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    implied_volatility: float | None
    delta: float | None
    gamma: float | None
    theta: float | None
    vega: float | None
    open_interest: int | None
    volume: int | None


class Chain(msgspec.Struct, frozen=True):
    """The options on one symbol, by expiration, then strike, then calls before puts."""

    symbol: str
    underlying: Quote
    options: tuple[OptionMark, ...]
    as_of: datetime
    source: str
    state: PriceState


class Bar(msgspec.Struct, frozen=True):
    """One session's prices as they were traded: not adjusted for anything later."""

    symbol: str
    day: date
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int


class Dividend(msgspec.Struct, frozen=True):
    """A cash dividend: who holds the share before the ex-date gets the amount."""

    symbol: str
    ex_date: date
    amount: Decimal


class Earning(msgspec.Struct, frozen=True):
    """A date on which a company reports, as it was known at `fetched_at`: such dates move.

    `hour` is before the market opens, after it closes, during the session, or not known.
    """

    symbol: str
    day: date
    hour: Literal["bmo", "amc", "dmh", ""]
    source: str
    fetched_at: datetime


class DayVolatility(msgspec.Struct, frozen=True):
    """A session's at-the-money implied volatility, thirty days out, as a decimal a year."""

    day: date
    volatility: float


class Login(msgspec.Struct, frozen=True):
    """Since when a provider lets us in, and when that ends for good; only a person renews it."""

    since: datetime
    ends: datetime


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """How the provider is: since when, and why where it is not well; and its login, if it has one.

    `as_of` is when that was said.
    """

    source: str
    state: ProviderState
    since: datetime
    as_of: datetime
    reason: str | None = None
    login: Login | None = None


class HeldMarks(msgspec.Struct, frozen=True, kw_only=True):
    """What the market says of the contracts that are held in one symbol, and of what awaits them.

    `options` has only those that are listed; `price` is the underlying's, in the same instant.
    `dividend` is the next one to come; `earnings` the dates known ahead, None where nobody knows.
    """

    symbol: str
    price: Decimal
    options: tuple[OptionMark, ...]
    dividend: Dividend | None
    earnings: tuple[date, ...] | None
    as_of: datetime
    source: str
    state: PriceState


@runtime_checkable
class EarningsData(Protocol):
    """Who knows when companies report. Whatever goes wrong comes out as a MarketFault."""

    async def earnings(self, symbol: str, first: date, last: date) -> tuple[Earning, ...]:
        """Give the dates within the window, in order."""
        ...


class MarketData(Protocol):
    """A provider of prices. Whatever goes wrong inside comes out as a MarketFault.

    A window's `first` and `last` are both inside it; None leaves that end open.
    """

    async def quotes(self, symbols: Iterable[str]) -> dict[str, Quote | MarketFault]:
        """Answer every symbol by itself: one that fails never spoils the others."""
        ...

    async def chain(self, symbol: str, first: date | None, last: date | None) -> Chain:
        """Give the options that expire within the window."""
        ...

    async def history(self, symbol: str, first: date, last: date) -> tuple[Bar, ...]:
        """Give the finished sessions of the window, in order."""
        ...

    async def expirations(self, symbol: str) -> tuple[date, ...]:
        """Give the dates on which listed options end, in order."""
        ...

    async def ex_dividends(self, symbol: str, first: date, last: date) -> tuple[Dividend, ...]:
        """Give the dividends whose ex-date lies within the window, in order."""
        ...

    async def volatilities(self, symbol: str, first: date, last: date) -> tuple[DayVolatility, ...]:
        """Give the at-the-money volatilities of finished sessions, as far as they are known.

        A provider that only knows the present gives none: then they are collected day by day.
        """
        ...

    def login(self) -> Login | None:
        """The login with which it is asked; None where none is needed, or there is none."""
        ...


def valid_symbol(symbol: str) -> str:
    """The symbol as it is written everywhere: upper case, 1 to 10 of A-Z, 0-9, '.' and '-'.

    Raises ValueError for any other text, above all for what the bus gives a meaning to.
    """
    written = symbol.upper()
    if not (symbol.isascii() and _SYMBOL.fullmatch(written)):
        raise ValueError(
            f"{symbol!r} is no symbol: 1 to {LONGEST_SYMBOL} letters, digits, '.' or '-', "
            "the first a letter or a digit"
        )
    return written


def subject_token(symbol: str) -> str:
    """The symbol as one token of a bus subject, and a key of its buckets: BRK.B is BRK_B.

    Raises ValueError for what means something to the bus, or could not be read back.
    """
    if not _SPEAKABLE.fullmatch(symbol):
        raise ValueError(f"{symbol!r} cannot be a token of a subject")
    return symbol.replace(".", "_")


def symbol_of(token: str) -> str:
    """The symbol that a token of a bus subject stands for: BRK_B is BRK.B."""
    return token.replace("_", ".")
