"""The words of the API's document that no single handler could say."""

from __future__ import annotations

from typing import Any, NamedTuple

ABOUT = """\
The ledger and nervous system of a trader of the options wheel.

Every answer has `data` and `timestamp`, a list also `pagination`; every error has `error` with
`code`, `message` and `details`. Amounts are JSON numbers, exact to the last digit written; times
are UTC, dates are New York dates.

A command takes `Idempotency-Key` (the same key and the same order are answered once), `If-Match`
(the version that it is meant for) and `dry_run=true` (decide, say what would change, record
nothing). A question takes `as_of` (what had happened by then) and `known_at` (what was known by
then): an instant, or a date, which means the end of that New York day. A parameter or a field
that is not known is refused.
"""

TAGS = {
    "Portfolios": "What wheels are kept in, and what they come to.",
    "Wheels": "One symbol's turn of cash, puts, shares and calls; its shares, dividends, splits.",
    "Trades": "Options sold, and how they ended: expired, bought back, assigned, rolled.",
    "Positions": "Open options at the market's last word, and their risk.",
    "Advice": "What is worth selling, and why not; what an open option can be rolled into.",
    "Snapshots": "What a wheel was worth at a moment, and how that moved.",
    "Performance": "What was earned, under a policy, in a span of New York dates.",
    "Alerts": "What asks for attention, and what somebody has said about it.",
    "Notifications": "Channels over which somebody is told of alerts, and what they were told.",
    "Watchlist": "Symbols in which opportunities are looked for, and the scans that look.",
    "Opportunities": "Contracts worth selling, as scans found them.",
    "Scheduler": "The jobs that run by themselves: how each is set up, and how its runs went.",
    "Plugins": "The user's own programs: what they may do, when they run, and how that went.",
    "Ledger": "The facts themselves, in their one order, and the proof that they are unchanged.",
    "Market": "The provider of prices, and the login that it asks for.",
    "Live": "What happens, as it happens.",
    "System": "How the service is, and how it is set up.",
}

PARAMETERS = {
    "alert_id": "The alert.",
    "allow_below_basis": "Also calls whose strike is under the adjusted cost basis.",
    "channel": "Only what this channel was told, or is to be told.",
    "closed_from": "Ended on this New York date or later.",
    "closed_to": "Ended on this New York date or earlier.",
    "direction": "put or call.",
    "expiring_from": "Expires on this date or later.",
    "expiring_to": "Expires on this date or earlier.",
    "expiration_date": "Only contracts that expire on this date.",
    "explain": "Also every contract that was rejected, with the rules that speak against it.",
    "job": "The job, by its name in the list of jobs.",
    "interval": "How long one point is.",
    "is_active": "Only active ones, or only archived ones.",
    "name": "The channel, or the plugin.",
    "opened_from": "Opened on this New York date or later.",
    "opened_to": "Opened on this New York date or earlier.",
    "max_dte": "Calendar days to expiration at most, 1 to 90.",
    "opportunity_id": "The opportunity.",
    "outcome": "How it ended, or open.",
    "page": "Which page, from 1; beyond the last one there is no data.",
    "page_size": "How many on a page.",
    "portfolio_id": "The portfolio.",
    "profile": "aggressive, moderate, conservative or defensive.",
    "ranking": "income: expected net annual return on collateral; bias: the old tool's score.",
    "risk_level": "LOW, MEDIUM or HIGH.",
    "rule": "The rule that raised it.",
    "severity": "LOW, MEDIUM or HIGH.",
    "status": "active, or cleared.",
    "stream": "Only this stream: a portfolio, a wheel, an alert.",
    "symbol": "The share's symbol; case does not matter.",
    "trade_id": "The trade.",
    "trigger": "What made it run: its schedule, catching up, or somebody who asked.",
    "type": "Only facts of this name.",
    "unread": "Only those that nobody has read, or only those that somebody has.",
    "what": "acknowledge, mute or clear.",
    "version": "The fact, by its version in the wheel's history.",
    "after": "Continue behind this one: the `next_after` of the page before.",
    "limit": "How many at most.",
    "wheel_id": "The wheel.",
}

HEADERS = {
    "ETag": "The version of what is told; send it as If-Match.",
    "Idempotency-Replayed": "true when this is the answer that was given the first time.",
    "Location": "Where the new resource is.",
    "Retry-After": "After how many seconds to try again.",
    "WWW-Authenticate": "Bearer.",
    "X-Ledger-Position": "Where in the ledger the command's last fact stands.",
    "X-Request-ID": "The request's id: the one that it came with, or one of ours.",
    "X-View-Position": "Up to which position of the ledger the views had read.",
}


class Error(NamedTuple):
    """What one status means, with an example of each code that it comes with."""

    name: str
    meaning: str
    examples: dict[str, tuple[str, dict[str, Any]]]
    """By code: the message and the details."""
    headers: tuple[str, ...] = ()


ERRORS = {
    "400": Error(
        "Invalid",
        "The request cannot be meant; the details name field, value and constraint.",
        {
            "VALIDATION_ERROR": (
                "strike must be greater than 0",
                {"field": "strike", "value": "-1", "constraint": "must be greater than 0"},
            )
        },
    ),
    "401": Error(
        "Unauthorized",
        "A bearer token is needed.",
        {"UNAUTHORIZED": ("a bearer token is needed", {})},
        ("WWW-Authenticate",),
    ),
    "404": Error(
        "Unknown",
        "Nothing has that name.",
        {
            "NOT_FOUND": (
                "no wheel 5a1f8f0e-4a3c-5c55-9d4e-0e6f3f6b8d11",
                {"kind": "wheel", "id": "5a1f8f0e-4a3c-5c55-9d4e-0e6f3f6b8d11"},
            )
        },
    ),
    "409": Error(
        "OutOfTurn",
        "Something was there first (CONFLICT), or it may not happen as things stand "
        "(INVALID_STATE).",
        {
            "CONFLICT": (
                "version 3 is not the current one, 4 is",
                {"expected": 3, "current": 4},
            ),
            "INVALID_STATE": ("the portfolio is archived", {"expected": "an active portfolio"}),
        },
    ),
    "429": Error(
        "TooMany",
        "More requests in a minute than the instance allows (setting `rate_limit`).",
        {"RATE_LIMITED": ("too many requests; try again in 12 s", {"retry_after": 12})},
        ("Retry-After",),
    ),
    "500": Error(
        "Internal",
        "A fault of ours; the log has it under the request's id.",
        {
            "INTERNAL_ERROR": (
                "an internal error; the log has it under the request id",
                {"request_id": "0f8fad5bd9cb469fa16570867728950e"},
            )
        },
    ),
    "502": Error(
        "Unanswered",
        "Somebody outside does not answer with what is needed. Of the provider of market data "
        "the details name its state: stale, throttled, unauthenticated, down, missing or "
        "unreadable; of a channel for notifications, why it did not take a message.",
        {
            "EXTERNAL_API_ERROR": (
                "AAPL: the provider does not answer",
                {"symbol": "AAPL", "state": "down", "why": "the provider does not answer"},
            )
        },
        ("Retry-After",),
    ),
    "503": Error(
        "Unavailable",
        "A part that is needed does not answer; the same request may succeed later.",
        {"SERVICE_UNAVAILABLE": ("the ledger cannot be written: database is locked", {})},
    ),
}


def codes() -> set[str]:
    """Every code that an error can have."""
    return {code for error in ERRORS.values() for code in error.examples} | {"METHOD_NOT_ALLOWED"}
