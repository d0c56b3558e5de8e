"""The login at the provider of prices, and when somebody has to be told to renew it.

It ends a week after it was made, whatever is done with it, and only a person can log in anew: so
there is time to do it in, and then there is little.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from domain import calendar, facts, market

RULE: Final = "token_expiring"
SYMBOL: Final = "SCHWAB"
"""In the place of a symbol: the one provider here that has logins."""
SOON: Final = timedelta(days=5)
NOW_OR_NEVER: Final = timedelta(days=6, hours=12)


def severity(provider: market.Provider, now: datetime) -> facts.Severity | None:
    """How urgently somebody has to log in; None where nobody has to."""
    if provider.state == "unauthenticated":
        return "HIGH"
    if provider.login is None:
        return None
    age = now - provider.login.since
    return "HIGH" if age >= NOW_OR_NEVER else "MEDIUM" if age >= SOON else None


def told(provider: market.Provider, severity: facts.Severity, now: datetime) -> facts.AlertRaised:
    """What is recorded when somebody has to log in."""
    return facts.AlertRaised(
        symbol=SYMBOL, rule=RULE, severity=severity, message=_says(provider, now)
    )


def _says(provider: market.Provider, now: datetime) -> str:
    if provider.login is None:
        return "Nobody is logged in at Schwab: no prices come until somebody logs in"
    if provider.state == "unauthenticated" or now >= provider.login.ends:
        return "The login at Schwab has ended: no prices come until somebody logs in again"
    ends = f"{provider.login.ends.astimezone(calendar.NEW_YORK):%Y-%m-%d %H:%M}"
    return f"The login at Schwab ends on {ends} New York time: log in again before"
