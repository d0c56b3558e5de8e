"""When somebody has to log in anew, and how urgently."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import login, market

MADE = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
WEEK = timedelta(days=7)


def provider(
    *, state: market.ProviderState = "live", since: datetime | None = MADE
) -> market.Provider:
    found = None if since is None else market.Login(since, since + WEEK)
    return market.Provider(source="schwab", state=state, since=MADE, as_of=MADE, login=found)


@pytest.mark.parametrize(
    ("age", "urgency"),
    [
        (timedelta(0), None),
        (timedelta(days=5, microseconds=-1), None),
        (timedelta(days=5), "MEDIUM"),
        (timedelta(days=6, hours=12, microseconds=-1), "MEDIUM"),
        (timedelta(days=6, hours=12), "HIGH"),
        (timedelta(days=30), "HIGH"),
    ],
)
def test_a_login_is_to_be_renewed_after_five_days_and_urgently_after_six_and_a_half(
    age: timedelta, urgency: str | None
) -> None:
    assert login.severity(provider(), MADE + age) == urgency


@pytest.mark.parametrize("since", [None, MADE])
def test_a_login_that_is_refused_is_urgent_however_new(since: datetime | None) -> None:
    assert login.severity(provider(state="unauthenticated", since=since), MADE) == "HIGH"


@pytest.mark.parametrize("state", ["live", "stale", "throttled", "down"])
def test_a_provider_without_logins_needs_none(state: market.ProviderState) -> None:
    assert login.severity(provider(state=state, since=None), MADE + WEEK) is None


@given(st.timedeltas(timedelta(0), 2 * WEEK), st.timedeltas(timedelta(0), WEEK))
def test_no_login_becomes_less_urgent_by_waiting(age: timedelta, more: timedelta) -> None:
    urgencies = [None, "MEDIUM", "HIGH"]
    now, later = (login.severity(provider(), MADE + each) for each in (age, age + more))
    assert urgencies.index(now) <= urgencies.index(later)


@pytest.mark.parametrize(
    ("found", "age", "said"),
    [
        (
            provider(),
            timedelta(days=5),
            "The login at Schwab ends on 2026-01-12 10:00 New York time: log in again before",
        ),
        (
            provider(),
            WEEK,
            "The login at Schwab has ended: no prices come until somebody logs in again",
        ),
        (
            provider(state="unauthenticated"),
            timedelta(days=1),
            "The login at Schwab has ended: no prices come until somebody logs in again",
        ),
        (
            market.Provider(source="schwab", state="unauthenticated", since=MADE, as_of=MADE),
            timedelta(days=1),
            "Nobody is logged in at Schwab: no prices come until somebody logs in",
        ),
    ],
)
def test_it_says_until_when(found: market.Provider, age: timedelta, said: str) -> None:
    assert login.told(found, "HIGH", MADE + age).message == said
