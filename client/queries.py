"""What questions may say, as keyword arguments; what is left out is not sent.

`first` and `last` are sent as `from` and `to`. Lists are of New York dates, ends included.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal, TypedDict
from uuid import UUID

from api.shapes.stream import Topic
from domain import facts, permit, policies, recommendation

Id = UUID | str
Moment = datetime | date | str
Day = date | str
Period = Literal["30d", "90d", "365d", "ytd", "all"]


class Clocks(TypedDict, total=False):
    """The two clocks: what had happened by then, what was known by then."""

    as_of: Moment | None
    known_at: Moment | None


class Part(Clocks, total=False):
    """Which part of a list, in which order: fields, comma-separated, a minus sorts down."""

    page: int
    page_size: int
    sort: str | None


class Active(Part, total=False):
    """Put away or not."""

    is_active: bool | None


class OfWheels(Active, total=False):
    """Which wheels."""

    symbol: str | None
    state: str | None
    profile: facts.Profile | None


class Wheels(OfWheels, total=False):
    """Which wheels, of which portfolio."""

    portfolio_id: Id | None


class OfTrades(Part, total=False):
    """Which trades."""

    outcome: str | None
    direction: facts.Direction | None
    opened_from: Day | None
    opened_to: Day | None
    closed_from: Day | None
    closed_to: Day | None
    expiring_from: Day | None
    expiring_to: Day | None


class Trades(OfTrades, total=False):
    """Which trades, of which portfolio and symbol."""

    portfolio_id: Id | None
    symbol: str | None


class OfPositions(Part, total=False):
    """Which open positions; days to expiration in calendar days."""

    risk_level: facts.Severity | None
    dte_min: int | None
    dte_max: int | None
    symbol: str | None


class Positions(OfPositions, total=False):
    """Which open positions, of which portfolio."""

    portfolio_id: Id | None


class Snapshots(Part, total=False):
    """Which snapshots."""

    first: Day | None
    last: Day | None


class Trend(Clocks, total=False):
    """Of what days, in what steps."""

    interval: Literal["daily", "weekly"]
    first: Day | None
    last: Day | None


class Alerts(Part, total=False):
    """Which alerts."""

    status: Literal["active", "cleared"] | None
    severity: facts.Severity | None
    symbol: str | None
    rule: str | None
    wheel_id: Id | None
    portfolio_id: Id | None
    trade_id: Id | None


class Deliveries(Part, total=False):
    """Which notifications."""

    channel: str | None
    status: Literal["waiting", "delivered", "failed", "withdrawn"] | None
    alert_id: Id | None


class Deed(TypedDict, total=False):
    """What a signed link says, as it stands in the link."""

    what: permit.Deed
    raised: int
    expires: Moment
    signature: str
    until: Moment | None


class Opportunities(Part, total=False):
    """Which opportunities, found from and to which New York days."""

    symbol: str | None
    direction: facts.Direction | None
    profile: facts.Profile | None
    unread: bool | None
    first: Day | None
    last: Day | None


class OfJob(TypedDict, total=False):
    """As it is set up for which portfolio; for all when none is named."""

    portfolio_id: Id | None


class Runs(Part, total=False):
    """Which runs of jobs, due from and to which New York days."""

    job: str | None
    outcome: facts.RunOutcome | None
    trigger: facts.Trigger | None
    portfolio_id: Id | None
    first: Day | None
    last: Day | None


class PluginRuns(Part, total=False):
    """Which runs of a plugin."""

    outcome: facts.PluginOutcome | None


class Over(Clocks, total=False):
    """Under which policy, over which dates, or over which period up to today."""

    policy: policies.Policy
    first: Day | None
    last: Day | None
    period: Period | None


class Ranked(Over, total=False):
    """How many of the best and of the worst."""

    top: int


class Scoped(Over, total=False):
    """Of one wheel, portfolio or symbol, or of everything."""

    wheel_id: Id | None
    portfolio_id: Id | None
    symbol: str | None


class WinLoss(Scoped, total=False):
    """Of which trades; of how many symbols by themselves."""

    direction: facts.Direction | None
    top: int


class Timeline(Scoped, total=False):
    """In what steps."""

    interval: Literal["day", "week", "month"]


class Compared(Over, total=False):
    """Which portfolios, in which order; all active ones when none is named."""

    portfolio_id: Sequence[Id]
    page: int
    page_size: int
    sort: str | None


class Explained(Scoped, total=False):
    """Which figure; `after` is the `next_after` of the page before."""

    figure: str
    after: str | None
    limit: int


class Exported(Scoped, total=False):
    """What is exported, as what; `header` is that of the old tool, for trades as CSV."""

    what: Literal["trades", "performance", "snapshots"]
    format: Literal["csv", "parquet", "json"]
    header: Literal["ours", "old"]


class Bounds(TypedDict, total=False):
    """Between which two, which themselves are not among them, in which order."""

    after: int
    before: int | None
    order: Literal["asc", "desc"]
    limit: int


class Events(Bounds, total=False):
    """Which events: of one stream, of one type."""

    stream: Id | None
    type: str | None


class Checkpoints(TypedDict, total=False):
    """Which checkpoints, from the newest back."""

    before: int | None
    limit: int


class Verified(TypedDict, total=False):
    """From the first event, or from the last checkpoint; or one that was kept elsewhere."""

    full: bool
    position: int | None
    hash: str | None


Topics = Sequence[Topic]


class Recommend(TypedDict, total=False):
    """What shall be recommended, and on which terms."""

    direction: facts.Direction | None
    profile: facts.Profile | None
    max_dte: int | None
    expiration_date: Day | None
    ranking: recommendation.Ranking
    limit: int
    allow_below_basis: bool
    explain: bool


class Rolls(TypedDict, total=False):
    """How far a roll may go, and how many are asked for."""

    max_dte: int | None
    limit: int
