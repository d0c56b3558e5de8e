"""What is worth selling, and why, and why not.

Every contract of a side is asked every rule of `RULES`; what none rejects is ranked:

- `income` (the default): the expected net annual return on collateral,
  (net premium - P(ITM) x expected loss beyond the strike) / collateral x 365 / DTE;
- `bias`: 0.4 min(n / 2.5, 1) + 0.3 (1 - min(DTE / 45, 1)) + 0.3 (1 - P(ITM)), the ranking of the
  old tool, which has no term for money.

P(ITM) is the market's: of the contract's own volatility. The expected loss is ours: of the
volatility that is expected to be realised (`Sheet.expected`). Were both of the contract's own,
their product would be the option's own price, and no sale would be worth more than another: see
docs/decisions/035.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Final, Literal

import msgspec
import numpy as np

from domain import calendar, facts, fees, market, money
from domain.candidates import MICROS, UNSAID, Floats, Ints, Mask, Sheet, micros, sheet
from domain.outlook import Outlook, Source

Ranking = Literal["income", "bias"]

BANDS: Final[Mapping[facts.Profile, tuple[float, float]]] = {
    "aggressive": (0.5, 1.0),
    "moderate": (1.0, 1.5),
    "conservative": (1.5, 2.0),
    "defensive": (2.0, 2.5),
}
"""Standard deviations out of the money, both ends inside."""
MUCH: Final[Mapping[facts.Profile, float]] = {
    "aggressive": 0.40,
    "moderate": 0.30,
    "conservative": 0.15,
    "defensive": 0.07,
}
"""The P(ITM) above which somebody of that profile is warned."""
MULTIPLIER: Final = 100
LEAST_BID: Final = 50_000
LEAST_INTEREST: Final = 100
LITTLE_INTEREST: Final = 500
NARROW: Final = 100_000
LITTLE_YIELD: Final = 5.0
SOON: Final = 7
MOST_IN_ONE: Final = Decimal("0.25")
_EDGE: Final = 1e-9
_MANY: Final = 100
"""Contracts over which a fee is not lost in the cent that it is rounded to."""
_YEAR: Final = 365
_TENTH: Final = 0.1


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. `expiration` asks for that date alone."""

    direction: market.Direction
    profile: facts.Profile = "conservative"
    max_dte: int = 14
    expiration: date | None = None
    ranking: Ranking = "income"
    limit: int = 5
    allow_below_basis: bool = False


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """With what it can be sold: USD, shares.

    `collateral` None secures as much as is asked, one contract at a time. `basis` is the adjusted
    cost basis per share. `in_symbol` is what the portfolio has in this symbol already, `capital`
    all that it has, in cash and in shares at what they cost; None where there is no portfolio.
    """

    collateral: Decimal | None = None
    shares: int = 0
    basis: Decimal | None = None
    in_symbol: Decimal = money.ZERO
    capital: Decimal | None = None


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """A contract worth selling, with every term of its rank.

    Prices in USD per share, amounts in USD for all `contracts`, rates in percent; `score` is what
    it is ranked by. `expected_loss` is how far beyond the strike, per share, it is expected to end
    if it ends in the money. `if_called_return_pct` and `static_return_pct` are of calls alone.
    """

    symbol: str
    direction: market.Direction
    strike: Decimal
    expiration_date: date
    dte: int
    contracts: int
    premium_per_share: Decimal
    total_premium: Decimal
    fees: Decimal
    net_premium: Decimal
    collateral: Decimal
    sigma_distance: float
    probability_itm: float
    expected_loss: float
    delta: float | None
    implied_volatility: float
    volatility_source: Source
    expected_volatility: float
    annualized_yield_pct: float
    expected_return_pct: float
    static_return_pct: float | None
    if_called_return_pct: float | None
    bias_score: float
    score: float
    bid: Decimal
    ask: Decimal
    open_interest: int
    current_price: Decimal
    break_even: Decimal
    warnings: tuple[str, ...]
    as_of: datetime


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A contract that is not worth selling: `rule` says why, `rules` all that speaks against it."""

    direction: market.Direction
    strike: Decimal
    expiration_date: date
    dte: int
    bid: Decimal | None
    ask: Decimal | None
    open_interest: int | None
    sigma_distance: float | None
    probability_itm: float | None
    bias_score: float | None
    rule: str
    rules: tuple[str, ...]
    why: str


class Advice(msgspec.Struct, frozen=True):
    """The best first; `rejected` counts by rule: of each contract the first against it."""

    recommendations: tuple[Recommendation, ...]
    considered: int
    rejected: Mapping[str, int]
    rejections: tuple[Rejection, ...]


class _Desk(msgspec.Struct, frozen=True):
    """All that the rules look at; `net`, `friction` in micro-dollars a contract."""

    sheet: Sheet
    terms: Terms
    means: Means
    net: Ints
    friction: Ints
    contracts: Ints


class Rule(msgspec.Struct, frozen=True):
    """A reason not to sell: which contracts it speaks against, and its words."""

    name: str
    against: Callable[[_Desk], Mask]
    why: str


def _wrong_date(desk: _Desk) -> Mask:
    if desk.terms.expiration is None:
        return (desk.sheet.dte < 1) | (desk.sheet.dte > desk.terms.max_dte)
    other = [each.expiration != desk.terms.expiration for each in desk.sheet.options]
    return np.array(other, dtype=np.bool_) | (desk.sheet.dte < 1)


def too_wide(rows: Sheet) -> Mask:
    """Where bid and ask are too far apart to trade between, or one is missing."""
    bid, ask = rows.bid, rows.ask
    spread = ask - bid
    narrow = (spread <= NARROW) | (10 * spread <= bid + ask)  # a fifth of the mid
    wide: Mask = (ask == UNSAID) | (spread < 0) | ~narrow
    return wide


def _outside(desk: _Desk, *, near: bool) -> Mask:
    least, most = BANDS[desk.terms.profile]
    with np.errstate(invalid="ignore"):
        if near:
            return np.asarray(desk.sheet.sigmas < least - _EDGE)
        return np.asarray(desk.sheet.sigmas > most + _EDGE)


def _under_basis(desk: _Desk) -> Mask:
    basis = desk.means.basis
    if desk.terms.direction == "put" or basis is None or desk.terms.allow_below_basis:
        return np.zeros(len(desk.sheet.options), dtype=np.bool_)
    return desk.sheet.strike < micros(basis)


RULES: Final[tuple[Rule, ...]] = (
    Rule("expiration", _wrong_date, "expires on another day than was asked for"),
    Rule("in_the_money", lambda desk: desk.sheet.outside <= 0, "is not out of the money"),
    Rule("no_bid", lambda desk: desk.sheet.bid <= 0, "nobody bids for it"),
    Rule("low_bid", lambda desk: desk.sheet.bid < LEAST_BID, "the bid is under 0.05"),
    Rule(
        "low_open_interest",
        lambda desk: desk.sheet.interest < LEAST_INTEREST,
        "fewer than 100 contracts are open, or nobody says how many",
    ),
    Rule(
        "wide_spread",
        lambda desk: too_wide(desk.sheet),
        "bid and ask are more than 0.10 and a fifth of the mid apart",
    ),
    Rule(
        "no_volatility",
        lambda desk: np.isnan(desk.sheet.volatility),
        "no volatility is known for it",
    ),
    Rule(
        "too_near",
        lambda desk: _outside(desk, near=True),
        "the strike is nearer than the profile's band of standard deviations",
    ),
    Rule(
        "too_far",
        lambda desk: _outside(desk, near=False),
        "the strike is farther than the profile's band of standard deviations",
    ),
    Rule(
        "friction",
        lambda desk: desk.net < 2 * desk.friction,
        "what it brings in is less than twice what fees and the spread cost",
    ),
    Rule("below_basis", _under_basis, "the strike is under the adjusted cost basis"),
    Rule(
        "not_covered",
        lambda desk: desk.contracts < 1,
        "there is too little free collateral, or there are too few free shares",
    ),
)
"""In the order in which they speak: the first is the reason that is given."""


def recommended(
    chain: market.Chain,
    outlook: Outlook,
    terms: Terms,
    means: Means,
    tariff: fees.Schedule,
    now: datetime,
) -> Advice:
    """Judge every contract of a side. Takes milliseconds: in a thread where others wait."""
    desk = _desk(sheet(chain, terms.direction, outlook, now), terms, means, tariff, now)
    against = np.array([rule.against(desk) for rule in RULES], dtype=np.bool_)
    passed = np.flatnonzero(~against.any(axis=0))
    first = against.argmax(axis=0)
    scores = _Scores.of(desk)
    ranked = sorted(passed.tolist(), key=lambda place: _rank(desk, scores, place))
    rejected = np.flatnonzero(against.any(axis=0)).tolist()
    counts = np.bincount(first[rejected], minlength=len(RULES)).tolist() if rejected else []
    return Advice(
        tuple(
            _recommendation(desk, scores, place, chain, outlook, tariff, now)
            for place in ranked[: terms.limit]
        ),
        len(desk.sheet.options),
        {RULES[n].name: count for n, count in enumerate(counts) if count},
        tuple(_rejection(desk, scores, place, against[:, place]) for place in rejected),
    )


class _Scores(msgspec.Struct, frozen=True):
    """Rates in percent a year, and the old tool's score."""

    collateral: Floats
    income: Floats
    expected: Floats
    bias: Floats

    @staticmethod
    def of(desk: _Desk) -> _Scores:
        rows = desk.sheet
        each = (
            rows.strike / MICROS
            if desk.terms.direction == "put"
            else np.full(len(rows.options), rows.spot)
        )
        collateral = each * MULTIPLIER
        with np.errstate(divide="ignore", invalid="ignore"):
            a_year = 100 * _YEAR / np.maximum(rows.dte, 1) / collateral
            net = desk.net / MICROS
            lost = rows.probability * rows.loss * MULTIPLIER
            return _Scores(
                collateral,
                net * a_year,
                (net - lost) * a_year,
                bias(rows.sigmas, rows.probability, rows.dte),
            )


def bias(sigmas: Floats, probability_itm: Floats, dte: Ints) -> Floats:
    """The old tool's score of contracts, 0 to 1."""
    score: Floats = (
        0.4 * np.minimum(sigmas / 2.5, 1)
        + 0.3 * (1 - np.minimum(dte / 45, 1))
        + 0.3 * (1 - probability_itm)
    )
    return score


def _desk(rows: Sheet, terms: Terms, means: Means, tariff: fees.Schedule, now: datetime) -> _Desk:
    charged = micros(fee(tariff, _MANY, calendar.trading_day(now)) / _MANY)
    slippage = np.where(rows.ask > rows.bid, (rows.ask - rows.bid) // 2, 0) * MULTIPLIER
    return _Desk(
        rows,
        terms,
        means,
        rows.bid * MULTIPLIER - charged,
        slippage + charged,
        _sizes(rows, terms, means),
    )


def _sizes(rows: Sheet, terms: Terms, means: Means) -> Ints:
    """How many contracts the means allow."""
    if terms.direction == "call":
        return np.full(len(rows.options), means.shares // MULTIPLIER, dtype=np.int64)
    if means.collateral is None:
        return np.ones(len(rows.options), dtype=np.int64)
    sizes: Ints = micros(means.collateral) // (rows.strike * MULTIPLIER)
    return sizes


def fee(tariff: fees.Schedule, contracts: int, day: date) -> Decimal:
    """The broker's fees and the regulators', for one order, in USD."""
    return tariff.for_contracts(contracts, day) + (fees.REGULATORY * contracts).quantize(
        money.CENT, ROUND_HALF_UP
    )


def _rank(desk: _Desk, scores: _Scores, place: int) -> tuple[float, date, Decimal]:
    option = desk.sheet.options[place]
    best = scores.expected if desk.terms.ranking == "income" else scores.bias
    return -float(best[place]), option.expiration, option.strike


def _recommendation(
    desk: _Desk,
    scores: _Scores,
    place: int,
    chain: market.Chain,
    outlook: Outlook,
    tariff: fees.Schedule,
    now: datetime,
) -> Recommendation:
    rows, option = desk.sheet, desk.sheet.options[place]
    assert option.bid is not None
    assert option.ask is not None
    today = calendar.trading_day(now)
    contracts = int(desk.contracts[place])
    shares, spot = contracts * MULTIPLIER, chain.underlying.last
    charged = fee(tariff, contracts, today)
    total = money.moved(option.bid, shares)
    is_call = option.direction == "call"
    tied = money.moved(spot if is_call else option.strike, shares)
    expected, bias_ = float(scores.expected[place]), float(scores.bias[place])
    found = Recommendation(
        symbol=option.symbol,
        direction=option.direction,
        strike=money.price(option.strike),
        expiration_date=option.expiration,
        dte=int(rows.dte[place]),
        contracts=contracts,
        premium_per_share=money.price(option.bid),
        total_premium=total,
        fees=charged,
        net_premium=total - charged,
        collateral=tied,
        sigma_distance=_figure(rows.sigmas[place]),
        probability_itm=_figure(rows.probability[place]),
        expected_loss=_figure(rows.loss[place]),
        delta=_figure(rows.delta[place]),
        implied_volatility=_figure(rows.volatility[place]),
        volatility_source=rows.source_of(place),
        expected_volatility=_figure(rows.expected[place]),
        annualized_yield_pct=_rate(total - charged, tied, int(rows.dte[place])),
        expected_return_pct=round(expected, 4),
        static_return_pct=_percent(option.bid, spot) if is_call else None,
        if_called_return_pct=_percent(option.bid + option.strike - spot, spot) if is_call else None,
        bias_score=round(bias_, 6),
        score=round(expected if desk.terms.ranking == "income" else bias_, 6),
        bid=money.price(option.bid),
        ask=money.price(option.ask),
        open_interest=int(rows.interest[place]),
        current_price=money.price(spot),
        break_even=_break_even(option, desk.means, spot, total - charged, shares),
        warnings=(),
        as_of=chain.as_of,
    )
    warned = _warnings(found, desk, chain, outlook, today)
    return msgspec.structs.replace(found, warnings=tuple(warned))


def _figure(number: float) -> float:
    return round(float(number), 6)


def _rate(net: Decimal, tied: Decimal, dte: int) -> float:
    return round(float(100 * net / tied * _YEAR / dte), 4)


def _percent(part: Decimal, of: Decimal) -> float:
    return round(float(100 * part / of), 4)


def _break_even(
    option: market.OptionMark, means: Means, spot: Decimal, net: Decimal, shares: int
) -> Decimal:
    """A put's strike less what it brings in; a call's shares, at their basis, less the same."""
    a_share = net / shares
    if option.direction == "put":
        from_ = option.strike
    else:
        from_ = spot if means.basis is None else means.basis
    return (from_ - a_share).quantize(
        Decimal("0.0001"), ROUND_DOWN if a_share < 0 else ROUND_HALF_UP
    )


def _warnings(
    found: Recommendation, desk: _Desk, chain: market.Chain, outlook: Outlook, today: date
) -> Sequence[str]:
    """What somebody should know before selling it, in words."""
    end = found.expiration_date
    said = []
    most = MUCH[desk.terms.profile]
    if found.probability_itm > most:
        said.append(f"P(ITM) {found.probability_itm:.0%} is above the profile's {most:.0%}")
    said += [
        f"earnings on {each.day}, before expiration"
        for each in outlook.earnings or ()
        if today <= each.day <= end
    ]
    said += [
        f"ex-dividend {each.amount} on {each.ex_date}, before expiration"
        for each in outlook.dividends
        if today < each.ex_date <= end
    ]
    if found.annualized_yield_pct < LITTLE_YIELD:
        said.append(f"annual yield {found.annualized_yield_pct:.1f}% is under {LITTLE_YIELD:.0f}%")
    if found.expected_return_pct < 0:
        said.append("expected return is negative: the premium does not pay for the risk")
    if found.dte <= SOON:
        said.append(f"expires in {found.dte} days" if found.dte > 1 else "expires in 1 day")
    spread = found.ask - found.bid
    if spread > money.CENT and spread > Decimal(_TENTH) * (found.ask + found.bid) / 2:
        said.append(f"wide spread: {found.bid} to {found.ask}")
    if found.open_interest < LITTLE_INTEREST:
        said.append(f"low open interest: {found.open_interest}")
    if (
        found.direction == "call"
        and desk.means.basis is not None
        and found.strike < desk.means.basis
    ):
        said.append(f"strike under the cost basis of {money.price(money.micro(desk.means.basis))}")
    said += _concentration(found, desk.means)
    if chain.state != "live" or chain.underlying.state != "live":
        said.append(f"delayed price, of {chain.underlying.as_of:%Y-%m-%d %H:%M}Z")
    return said


def _concentration(found: Recommendation, means: Means) -> list[str]:
    if not means.capital or means.capital <= 0:
        return []
    more = found.collateral if found.direction == "put" else money.ZERO
    share = (means.in_symbol + more) / means.capital
    if share <= MOST_IN_ONE:
        return []
    return [f"concentration: {share:.0%} of the portfolio's capital in {found.symbol}"]


def _rejection(desk: _Desk, scores: _Scores, place: int, against: Mask) -> Rejection:
    rows, option = desk.sheet, desk.sheet.options[place]
    speaks = [RULES[n] for n in np.flatnonzero(against)]
    return Rejection(
        direction=option.direction,
        strike=money.price(option.strike),
        expiration_date=option.expiration,
        dte=int(rows.dte[place]),
        bid=option.bid,
        ask=option.ask,
        open_interest=option.open_interest,
        sigma_distance=_known(rows.sigmas[place]),
        probability_itm=_known(rows.probability[place]),
        bias_score=_known(scores.bias[place]),
        rule=speaks[0].name,
        rules=tuple(rule.name for rule in speaks),
        why=speaks[0].why,
    )


def _known(number: float) -> float | None:
    return _figure(number) if np.isfinite(number) else None
