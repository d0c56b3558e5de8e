"""Orders, which are also the API's request bodies. Prices in USD per share, amounts in USD.

`effective_at` (for a sale also `opened_at`) says when it happened: an instant with its offset,
or a New York date, which means that day's close. Left out it is now, or, for a trade that has
expired, the close of its expiration date.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from domain import facts, market, refusals

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Text = Annotated[str, Meta(max_length=2000)]
Reason = Annotated[str, Meta(min_length=1, max_length=500, description="Why this is so.")]
Mark = Annotated[
    str, Meta(min_length=1, max_length=200, description="Its name where it came from.")
]
Source = Annotated[
    str,
    Meta(
        description="Who says so.",
        max_length=100,
        pattern=r"^(api|cli|demo|risk|(import|migration|broker|plugin):[\w.:\-]{1,80})$",
    ),
]
Moment = Annotated[
    str,
    Meta(
        min_length=10,
        max_length=40,
        description="An instant with its offset, or a New York date.",
    ),
]

# What money.entered and money.counted hold; here it is only told, to those who read the schema.
_AT_MOST = {"exclusiveMaximum": 10**12}
Positive = Annotated[
    Decimal,
    Meta(
        description="USD, greater than 0; at most 6 digits after the point.",
        extra_json_schema={"exclusiveMinimum": 0, **_AT_MOST},
    ),
]
Amount = Annotated[
    Decimal,
    Meta(
        description="USD, at least 0; at most 6 digits after the point.",
        extra_json_schema={"minimum": 0, **_AT_MOST},
    ),
]
Contracts = Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": 1_000_000})]
Multiplier = Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": 100_000})]
Shares = Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": 10**9})]
Ratio = Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": 10_000})]


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every order may say."""

    effective_at: Moment | None = None
    source: Source = "api"
    external_id: Mark | None = None
    notes: Text | None = None


def symbol_of(text: str) -> str:
    """The symbol that an order names, in the form in which it is kept; raises refusals.Invalid."""
    try:
        return market.valid_symbol(text)
    except ValueError as error:
        raise refusals.Invalid(
            "symbol", text, "must be 1 to 10 letters, digits, points or hyphens"
        ) from error


class OpenPortfolio(Command, frozen=True, kw_only=True):
    """Open a portfolio."""

    name: Name
    description: Text | None = None
    default_capital: Amount = Decimal(0)


class ChangePortfolio(Command, frozen=True, kw_only=True):
    """Change a portfolio's own data; what is left out stays."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    default_capital: Amount | UnsetType = UNSET


class ChooseDefault(Command, frozen=True, kw_only=True):
    """Choose the portfolio that is meant when none is named."""

    portfolio_id: str


class ChangeConfiguration(Command, frozen=True, kw_only=True):
    """Give keys of the configuration values; null takes back what was given here before."""

    changes: Annotated[dict[str, str | float | bool | None], Meta(min_length=1, max_length=50)]
    reason: Reason | None = None

    def texts(self) -> dict[str, str | None]:
        """The values as they would stand in the environment."""
        return {key: _text(value) for key, value in self.changes.items()}


def _text(value: str | float | bool | None) -> str | None:  # noqa: FBT001  a value, no switch
    match value:
        case None | str():
            return value
        case bool():
            return str(value).lower()
        case _:
            return str(int(value)) if value == int(value) else str(value)


class StartWheel(Command, frozen=True, kw_only=True):
    """Start a wheel with capital, with shares already held at a cost basis, or both."""

    symbol: Annotated[str, Meta(min_length=1, max_length=10)]
    capital_allocated: Positive | None = None
    shares: int = 0
    cost_basis: Positive | None = None
    profile: facts.Profile = "conservative"
    collateral: facts.Collateral = "cash_secured"
    starting_direction: facts.Direction | None = None


class ConfigureWheel(Command, frozen=True, kw_only=True):
    """Change a wheel's settings; another capital is a contribution, or a withdrawal."""

    capital_allocated: Amount | None = None
    profile: facts.Profile | None = None
    collateral: facts.Collateral | None = None
    starting_direction: facts.Direction | None = None


class ArchiveWheel(Command, frozen=True, kw_only=True):
    """Put a wheel away; with options open only when forced."""

    force: bool = False


class ReopenWheel(Command, frozen=True, kw_only=True):
    """Bring an archived wheel back."""


class SellOption(Command, frozen=True, kw_only=True):
    """Record an option sold to open: a put secured by cash, or a call covered by shares."""

    direction: facts.Direction
    strike: Positive
    expiration_date: date
    contracts: Contracts = 1
    premium_per_share: Positive
    fees: Amount | None = None
    opened_at: Moment | None = None
    multiplier: Multiplier = 100


class Expire(Command, frozen=True, kw_only=True):
    """Let what is open expire: in the money by a cent it is assigned, else worthless."""

    stock_price_at_expiry: Amount
    assigned: bool | None = None


class Close(Command, frozen=True, kw_only=True):
    """Buy back open contracts, all of them unless said otherwise."""

    price_per_share: Amount
    contracts: Contracts | None = None
    fees: Amount | None = None


class Assign(Command, frozen=True, kw_only=True):
    """The holder exercised, all open contracts unless said otherwise."""

    contracts: Contracts | None = None
    stock_price: Amount | None = None
    fees: Amount = Decimal(0)


class Roll(Command, frozen=True, kw_only=True):
    """Buy back and sell anew as one order; `fees` are the whole order's."""

    close_price: Amount
    strike: Positive
    expiration_date: date
    premium_per_share: Positive
    contracts: Contracts | None = None
    fees: Amount | None = None


class CorrectTrade(Command, frozen=True, kw_only=True):
    """Write a note, or correct what was recorded, which needs a reason.

    `close_price`, `closed_at` and `stock_price_at_expiry` correct the trade's last closing.
    """

    notes: Text | UnsetType | None = UNSET  # type: ignore[assignment]  # null clears a note
    direction: facts.Direction | UnsetType = UNSET
    strike: Positive | UnsetType = UNSET
    expiration_date: date | UnsetType = UNSET
    contracts: Contracts | UnsetType = UNSET
    premium_per_share: Positive | UnsetType = UNSET
    fees: Amount | UnsetType = UNSET
    multiplier: Multiplier | UnsetType = UNSET
    opened_at: Moment | UnsetType = UNSET
    close_price: Amount | UnsetType = UNSET
    closed_at: Moment | UnsetType = UNSET
    stock_price_at_expiry: Amount | UnsetType = UNSET
    reason: Reason | None = None


class VoidTrade(Command, frozen=True, kw_only=True):
    """The trade never happened: its sale and all that ended it are voided."""

    reason: Reason


class VoidFact(Command, frozen=True, kw_only=True):
    """One recorded fact never happened."""

    reason: Reason


class TradeShares(Command, frozen=True, kw_only=True):
    """Buy or sell shares in the market, or bring them in from elsewhere at their basis."""

    action: Literal["buy", "sell", "transfer_in"]
    shares: Shares
    price: Positive
    fees: Amount = Decimal(0)


class ReceiveDividend(Command, frozen=True, kw_only=True):
    """A dividend was paid, on the shares held into the ex-date unless `shares` says otherwise."""

    amount_per_share: Positive
    ex_date: date
    shares: Shares | None = None


class ApplySplit(Command, frozen=True, kw_only=True):
    """`numerator` new shares for `denominator` old ones."""

    numerator: Ratio
    denominator: Ratio
    cash_in_lieu: Amount = Decimal(0)


WheelCommand = (
    StartWheel
    | ConfigureWheel
    | ArchiveWheel
    | ReopenWheel
    | SellOption
    | TradeShares
    | ReceiveDividend
    | ApplySplit
    | VoidFact
)
TradeCommand = Expire | Close | Assign | Roll | CorrectTrade | VoidTrade
