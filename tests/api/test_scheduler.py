"""The jobs as they are asked about, set up and run over HTTP."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from api import scheduler as words
from domain import facts
from domain import job as jobs
from tests.api import house as houses
from tests.api.client import Client, Desk
from tests.api.waiting import PATIENCE, until
from workers import chore, running


class Hand:
    """Does the work of every job, at once or when it is let go on."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.fails = False

    def load(self, _: str) -> chore.Chore:
        return self.work

    async def work(self, context: running.Context, due: chore.Due) -> chore.Done:
        await asyncio.to_thread(self.goes_on.wait, PATIENCE)
        if self.fails:
            return chore.Done(failed=(chore.Missed("SPY", "no price"),))
        return chore.Done(done=3, message=f"{due.job} done")


@pytest.fixture
def hand(house: houses.House) -> Iterator[Hand]:
    made = Hand()
    with houses.scheduling(house, made.load):
        yield made


def shown(client: Client, job: str, **query: Any) -> Any:
    return client.get(f"/scheduler/jobs/{job}", **query).data


def ran(client: Client, job: str, headers: dict[str, str] | None = None, **said: Any) -> Any:
    """A run that was asked for, once it is over."""
    begun = client.post(f"/scheduler/jobs/{job}/trigger", said, headers)
    assert begun.status == 200, begun.body
    return until(lambda: over(client, begun.data["run_id"]))


def over(client: Client, run: str) -> Any:
    found = client.get("/scheduler/history", page_size=500, trigger="manual").data
    return next((each for each in found if each["run_id"] == run), None)


def test_every_job_of_the_catalogue_is_shown(client: Client) -> None:
    found = client.get("/scheduler/jobs").data
    assert [each["job"] for each in found if each["portfolio_id"] is None] == list(jobs.JOBS)
    snapshot = shown(client, "daily_snapshot")
    assert snapshot["schedule_text"] == "30 minutes after the close of every session"
    assert snapshot["next_run"] == "2026-03-02T21:30:00Z"
    assert (snapshot["running"], snapshot["catch_up"]) == (None, "all")


@pytest.mark.parametrize(
    ("said", "rule", "expected"),
    [
        ({"interval_seconds": 300}, "market_hours", "Every 5 minutes, while the market is open"),
        ({"interval_seconds": 3600}, "any", "Every hour"),
        ({"interval_seconds": 90}, "any", "Every 90 seconds"),
        (
            {"cron": "45 9 * * *"},
            "sessions",
            "At 09:45, on days of trading, America/New_York time",
        ),
        (
            {"cron": "0 9 * * 1-5", "timezone": "UTC"},
            "any",
            "At 09:00, Monday through Friday, UTC time",
        ),
        ({"cron": "0 9 * * 07"}, "any", "At 09:00, only on Sunday, America/New_York time"),
        ({"cron": "0 9 * * 0-7"}, "any", "At 09:00, America/New_York time"),
        ({"cron": "0 9 * * *,6"}, "any", "At 09:00, America/New_York time"),
        (
            {"cron": "0 9 * * 1/2"},
            "any",
            "At 09:00, only on Monday, Wednesday, and Friday, America/New_York time",
        ),
        ({"cron": "3 1,*/9 * * *"}, "any", "At 3 1,*/9 * * *, America/New_York time"),
        (
            {"cron": "5,* 9 * * *"},
            "any",
            "Every minute, between 09:00 and 09:59, America/New_York time",
        ),
    ],
)
def test_a_schedule_is_told_in_words(
    said: dict[str, Any], rule: facts.MarketHours, expected: str
) -> None:
    assert words.in_words(facts.Schedule(**said), rule) == expected


def test_a_job_is_set_up_otherwise_and_it_is_known_who_did_and_when(client: Client) -> None:
    before = shown(client, "backup")
    said = {"schedule": {"cron": "0 23 * * 0"}, "settings": {"keep": 3}, "notes": "weekly"}
    answered = client.put("/scheduler/jobs/backup", said | {"source": "cli"})
    assert answered.data["next_run"] == "2026-03-09T03:00:00Z"
    assert answered.data["settings"] == {"keep": 3}
    told = client.get("/scheduler/jobs/backup/history").data[0]
    assert (told["source"], told["notes"]) == ("cli", "weekly")
    assert told["request_id"] == answered.headers["x-request-id"]
    assert told["setup"]["schedule"]["cron"] == "0 23 * * 0"
    assert told["version"] == answered.data["version"] == before["version"] + 1


def test_what_it_was_before_stands_in_its_history(client: Client) -> None:
    for retries in (4, 5):
        client.put("/scheduler/jobs/ledger_checkpoint", {"retries": retries})
    told = client.get("/scheduler/jobs/ledger_checkpoint/history").data[0]
    assert (told["before"]["retries"], told["setup"]["retries"]) == (4, 5)


def test_what_was_set_up_is_there_after_a_restart(client: Client, house: houses.House) -> None:
    client.put("/scheduler/jobs/performance_rollup", {"schedule": {"cron": "5 4 * * *"}})
    house.close()
    house.open()
    again = shown(client, "performance_rollup")
    assert (again["schedule"]["cron"], again["schedule_text"]) == (
        "5 4 * * *",
        "At 04:05, America/New_York time",
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"schedule": {"cron": "every day"}}, "schedule.cron"),
        ({"schedule": {"cron": "0 9 * * *", "timezone": "Mars/Olympus"}}, "schedule.timezone"),
        ({"schedule": {"interval_seconds": -5}}, "schedule.interval_seconds"),
        ({"schedule": {}}, "schedule"),
        ({"retries": 99}, "retries"),
        ({"timeout_seconds": -1}, "timeout_seconds"),
        ({"settings": {"colour": "red"}}, "settings.colour"),
        ({"effective_at": "2026-01-05"}, "effective_at"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_field(
    client: Client, body: dict[str, Any], field: str
) -> None:
    head = client.head()
    refused = client.put("/scheduler/jobs/backup", body)
    assert (refused.status, refused.code) == (400, "VALIDATION_ERROR")
    assert refused.error["details"]["field"] == field
    assert client.head() == head


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{",
        {"colour": "red"},
        {"enabled": "yes"},
        {"market_hours": "no"},
        {"schedule": 5},
    ],
)
def test_what_is_no_setup_is_refused(client: Client, body: Any) -> None:
    assert client.put("/scheduler/jobs/backup", body).code == "VALIDATION_ERROR"


def test_a_job_that_nobody_knows_is_not_found(client: Client) -> None:
    place = "/scheduler/jobs/mowing"
    asked = [
        client.get(place),
        client.get(f"{place}/history"),
        client.put(place, {"enabled": False}),
        client.post(f"{place}/trigger"),
    ]
    assert [each.code for each in asked] == ["NOT_FOUND"] * 4


def test_a_portfolio_has_an_entry_of_its_own_that_begins_as_that_for_all(
    client: Client, desk: Desk
) -> None:
    client.put("/scheduler/jobs/risk_monitoring", {"retries": 7})
    mine = {"portfolio_id": desk.portfolio}
    assert client.get("/scheduler/jobs/risk_monitoring", **mine).status == 404
    made = client.put("/scheduler/jobs/risk_monitoring", mine | {"enabled": False}).data
    assert (made["retries"], made["enabled"], made["next_run"]) == (7, False, None)
    assert shown(client, "risk_monitoring", **mine) == made
    assert shown(client, "risk_monitoring")["enabled"]
    found = client.get("/scheduler/jobs").data
    assert made in found


def test_a_portfolio_that_is_not_there_has_no_jobs(client: Client) -> None:
    nobody = {"portfolio_id": str(uuid4())}
    assert client.put("/scheduler/jobs/daily_snapshot", nobody).code == "NOT_FOUND"
    assert client.post("/scheduler/jobs/daily_snapshot/trigger", nobody).code == "NOT_FOUND"


@pytest.mark.parametrize("job", ["backup", "ledger_checkpoint", "opportunity_scanning"])
def test_what_is_done_for_all_at_once_is_no_job_of_a_portfolio(client: Client, job: str) -> None:
    mine = {"portfolio_id": Desk(client).portfolio}
    for refused in (
        client.put(f"/scheduler/jobs/{job}", mine),
        client.post(f"/scheduler/jobs/{job}/trigger", mine),
    ):
        assert refused.code == "VALIDATION_ERROR"
        assert refused.body["error"]["details"]["field"] == "portfolio_id"


def test_a_job_that_there_is_not_has_no_history(client: Client) -> None:
    assert client.get("/scheduler/history", job="nope").code == "NOT_FOUND"


def test_a_setup_meant_for_another_version_is_refused(client: Client) -> None:
    version = client.put("/scheduler/jobs/backup", {"retries": 1}).headers["etag"]
    client.put("/scheduler/jobs/backup", {"retries": 2})
    stale = client.put("/scheduler/jobs/backup", {"retries": 3}, {"If-Match": version})
    assert (stale.status, stale.code) == (409, "CONFLICT")
    assert shown(client, "backup")["retries"] == 2


def test_a_setup_asked_for_twice_is_carried_out_once(client: Client) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    first, again = [
        client.put("/scheduler/jobs/backup", {"backoff_seconds": 77}, key) for _ in range(2)
    ]
    assert again.body == first.body
    assert again.headers["idempotency-replayed"] == "true"


def test_a_rehearsed_setup_changes_nothing(client: Client) -> None:
    head = client.head()
    told = client.put("/scheduler/jobs/backup", {"retries": 9}, dry_run=True).data
    assert told["after"]["retries"] == 9
    assert told["changes"][0]["fact"]["type"] == "JobConfigured"
    assert client.head() == head


def test_without_a_scheduler_a_job_is_not_run_now(client: Client) -> None:
    answered = client.post("/scheduler/jobs/backup/trigger")
    assert (answered.status, answered.code) == (503, "SERVICE_UNAVAILABLE")
    assert answered.error["details"] == {"part": "scheduler"}


def test_a_job_is_run_at_once_whatever_the_hour(client: Client, hand: Hand) -> None:
    run = ran(client, "opportunity_scanning")
    assert (run["outcome"], run["trigger"], run["done"], run["attempts"]) == (
        "succeeded",
        "manual",
        3,
        1,
    )
    assert run["message"] == "opportunity_scanning done"
    assert run["duration_seconds"] >= 0
    assert shown(client, "opportunity_scanning")["last_run"] == run


def test_under_the_same_key_it_is_the_same_run(client: Client, hand: Hand) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    first = ran(client, "backup", key)
    again = client.post("/scheduler/jobs/backup/trigger", {}, key)
    assert again.data == first


def test_a_job_is_run_for_one_portfolio(client: Client, hand: Hand, desk: Desk) -> None:
    run = ran(client, "daily_snapshot", portfolio_id=desk.portfolio)
    assert run["portfolio_id"] == desk.portfolio
    mine = client.get("/scheduler/history", portfolio_id=desk.portfolio)
    assert [each["run_id"] for each in mine.data] == [run["run_id"]]


def test_a_job_that_runs_is_a_conflict_and_is_shown_as_running(client: Client, hand: Hand) -> None:
    hand.goes_on.clear()
    begun = client.post("/scheduler/jobs/backup/trigger").data
    assert begun["outcome"] == "running"
    other = client.post("/scheduler/jobs/backup/trigger")
    assert (other.status, other.code) == (409, "CONFLICT")
    assert other.error["details"] == {"run_id": begun["run_id"]}
    assert shown(client, "backup")["running"]["run_id"] == begun["run_id"]
    hand.goes_on.set()
    until(lambda: over(client, begun["run_id"]))


def test_what_is_due_runs_and_stands_in_the_history(
    client: Client, hand: Hand, house: houses.House
) -> None:
    due = datetime.fromisoformat(shown(client, "daily_snapshot")["next_run"])
    house.watch.turn_to(due + timedelta(seconds=1))
    wanted = {"job": "daily_snapshot", "trigger": "schedule"}
    [run] = until(lambda: client.get("/scheduler/history", **wanted).data)
    assert (run["due_at"], run["outcome"]) == ("2026-03-02T21:30:00Z", "succeeded")
    assert shown(client, "daily_snapshot")["next_run"] == "2026-03-03T21:30:00Z"
    day = {"from": "2026-03-02", "to": "2026-03-02"}
    assert client.get("/scheduler/history", **wanted, **day).data == [run]
    assert client.get("/scheduler/history", **wanted, **{"from": "2026-03-03"}).data == []


def test_the_history_comes_in_pages_the_newest_first(client: Client, hand: Hand) -> None:
    runs = [ran(client, "expiration_review")["run_id"] for _ in range(3)]
    pages = [
        client.get("/scheduler/history", job="expiration_review", trigger="manual", **part).body
        for part in ({"page": number, "page_size": 1} for number in (1, 2, 3, 4))
    ]
    assert [each["run_id"] for page in pages for each in page["data"]] == runs[::-1]
    assert pages[0]["pagination"]["total_items"] == 3
    assert client.get("/scheduler/history", sort="colour").status == 400
    assert client.get("/scheduler/history", outcome="dreamt").status == 400


def test_the_history_can_be_asked_as_it_was_known(
    client: Client, hand: Hand, house: houses.House
) -> None:
    then = house.watch.now().isoformat()
    run = ran(client, "ledger_checkpoint")["run_id"]
    past = client.get("/scheduler/history", page_size=500, known_at=then).data
    assert run not in [each["run_id"] for each in past]


def test_a_failure_is_seen_in_health_and_metrics_until_it_is_made_up_for(
    client: Client, hand: Hand
) -> None:
    hand.fails = True
    assert ran(client, "price_refresh")["outcome"] == "failed"
    part = until(lambda: troubled(client))
    assert (part["status"], part["troubles"]["failed"]) == ("degraded", 1)
    assert 'job_runs_total{job="price_refresh",outcome="failed"} 1.0' in metrics(client)
    hand.fails = False
    ran(client, "price_refresh")
    until(lambda: not troubled(client))
    assert 'job_last_success_age_seconds{job="price_refresh"}' in metrics(client)


def troubled(client: Client) -> Any:
    part = client.get("/health").data["parts"]["scheduler"]
    return part if part["troubles"].get("failed") else None


def metrics(client: Client) -> str:
    return client.http.get("/api/v1/metrics").text


def test_the_service_tells_what_is_planned(client: Client) -> None:
    planned = {each["job"]: each["next_run"] for each in client.get("/info").data["jobs"]}
    assert planned.keys() == jobs.JOBS.keys()
    assert all(planned.values())
