"""Figures for Prometheus: of routes and not of paths, and cheap to keep."""

import re
from pathlib import Path
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from api.metrics import Metrics
from tests.api.client import Client, Desk
from tests.api.waiting import until

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scraped(client: Client) -> Samples:
    answered = client.http.get("/api/v1/metrics")
    assert answered.status_code == 200
    assert answered.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families(answered.text)
        for sample in family.samples
    }


def figure(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, tuple(sorted(labels.items()))), 0.0)


def test_a_request_is_counted_under_its_route(client: Client, desk: Desk) -> None:
    wheel = desk.wheel()
    client.get(f"/wheels/{wheel}")
    client.get(f"/wheels/{uuid4()}")
    samples = scraped(client)
    route = "/api/v1/wheels/{wheel_id}"
    name = "wheelwright_http_request_seconds_count"
    assert figure(samples, name, method="GET", route=route, status="200") >= 1
    assert figure(samples, name, method="GET", route=route, status="404") >= 1
    assert not any(wheel in str(labels) for _, labels in samples)


def test_paths_and_methods_that_nobody_knows_make_no_series_of_their_own(client: Client) -> None:
    for n in range(3):
        client.http.request(f"BREW{n}", f"/coffee/{n}")
    samples = scraped(client)
    strange = [labels for _, labels in samples if "coffee" in str(labels) or "BREW" in str(labels)]
    assert strange == []


def test_commands_are_counted_by_what_came_of_them(client: Client, desk: Desk) -> None:
    before = scraped(client)
    wheel, key = desk.wheel(), {"Idempotency-Key": str(uuid4())}
    for _ in range(2):
        client.post(f"/wheels/{wheel}/trades", desk.sale(), key)
    client.post(f"/wheels/{wheel}/trades", desk.sale(), dry_run=True)
    client.post(f"/wheels/{wheel}/trades", desk.sale(strike=-1))
    client.post(f"/wheels/{wheel}/trades", desk.sale(strike=10_000))
    after = scraped(client)

    def more(outcome: str) -> float:
        labels = {"command": "sell_option", "outcome": outcome}
        name = "wheelwright_commands_total"
        return figure(after, name, **labels) - figure(before, name, **labels)

    outcomes = ("ok", "replayed", "rehearsed", "VALIDATION_ERROR", "INVALID_STATE")
    assert [more(each) for each in outcomes] == [1, 1, 1, 1, 1]


def test_the_ledger_and_the_views_are_where_they_are(client: Client, desk: Desk) -> None:
    desk.sell(desk.wheel())
    samples = scraped(client)
    assert figure(samples, "wheelwright_ledger_head") == client.head()
    assert figure(samples, "wheelwright_views_position") == client.head()
    assert figure(samples, "wheelwright_views_lag") == 0
    assert figure(samples, "wheelwright_open_positions") >= 1
    assert figure(samples, "wheelwright_bus_connected") == 1


def test_workers_tell_their_state_and_their_age(client: Client) -> None:
    state = {"worker": "api", "wheelwright_worker_state": "running"}
    until(lambda: figure(scraped(client), "wheelwright_worker_state", **state) == 1)
    age = ("wheelwright_worker_heartbeat_age_seconds", (("worker", "api"),))
    assert scraped(client)[age] >= 0


def test_every_figure_of_ours_has_a_name_of_ours_and_says_what_it_means(client: Client) -> None:
    text = client.http.get("/api/v1/metrics").text
    helped = dict(re.findall(r"(?m)^# HELP (\S+) (.+)$", text))
    assert all(name.startswith(("wheelwright_", "process_")) for name in helped)
    assert all(helped.values())


def test_two_applications_in_a_process_count_apart() -> None:
    scope = {"method": "GET", "path_template": "/x", "state": {}}
    one, other = Metrics(), Metrics()
    one.answered(scope, "GET", 200, 0.1)  # type: ignore[arg-type]
    labels = {"method": "GET", "route": "/x", "status": "200"}
    name = "wheelwright_http_request_seconds_count"
    assert one.registry.get_sample_value(name, labels) == 1
    assert other.registry.get_sample_value(name, labels) is None


@pytest.mark.parametrize("status", [0, 200])
def test_a_figure_that_somebody_else_keeps_is_read_when_asked_for(status: int) -> None:
    metrics = Metrics()
    metrics.watch("readers", "Readers.", lambda: status)
    assert metrics.registry.get_sample_value("wheelwright_readers") == status


def test_the_page_on_operation_has_every_figure_of_ours(client: Client) -> None:
    page = (Path(__file__).parents[2] / "docs" / "operation.md").read_text()
    told = set(re.findall(r"`(wheelwright_\w+)`", page))
    text = client.http.get("/api/v1/metrics").text
    kept = set(re.findall(r"(?m)^# HELP (wheelwright_\w+) ", text))
    assert told == {name for name in kept if not name.endswith("_created")}
