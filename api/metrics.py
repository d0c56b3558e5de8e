"""What can be counted and measured, for Prometheus; the registry is ours, not the process's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import get_args

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.types import HTTPScope
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Enum,
    Gauge,
    Histogram,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from api import scheduler
from api.office import Office
from domain import market
from projections import deliveries, questions

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
_COMMANDS = frozenset({"POST", "PUT", "DELETE"})
_STATES = ["starting", "running", "waiting", "stopping"]
_NOWHERE = "none"
"""The route of a path that leads nowhere: paths are the callers' own words, and never a label."""


class Runs(Collector):
    """What became of the jobs' runs, as the ledger has it: a restart does not begin anew."""

    def __init__(self) -> None:
        self.counts: Sequence[questions.RunCount] = ()

    def collect(self) -> Iterator[Metric]:
        """One figure for each job and outcome."""
        meaning = "Runs of jobs by what became of them."
        family = CounterMetricFamily("wheelwright_job_runs", meaning, labels=("job", "outcome"))
        for each in self.counts:
            family.add_metric((each.job, each.outcome), each.count)
        yield family


class Metrics:
    """What happened since the process began, and how things stand when somebody asks."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Histogram(
            "wheelwright_http_request_seconds",
            "Time until a request was answered whole.",
            ("method", "route", "status"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._commands = Counter(
            "wheelwright_commands",
            "Commands by what came of them: ok, rehearsed, replayed, or the code of the refusal.",
            ("command", "outcome"),
            registry=self.registry,
        )
        self._durations: dict[tuple[str, str, int], Histogram] = {}
        self._head = self._gauge("ledger_head", "The ledger's newest position.")
        self._views = self._gauge("views_position", "The position that the views have reached.")
        self._views_lag = self._gauge("views_lag", "Facts that the views do not have yet.")
        self._relay = self._gauge("relay_position", "The position up to which the bus was told.")
        self._relay_lag = self._gauge("relay_lag", "Facts that the bus was not told yet.")
        self._open = self._gauge("open_positions", "Trades that are open.")
        self._bus = self._gauge("bus_connected", "1 while the bus is connected, else 0.")
        self._notifications = self._gauge(
            "notifications",
            "Notifications by channel and by what became of them: delivered, failed, withdrawn, "
            "or waiting.",
            "channel",
            "outcome",
        )
        self._silence = self._gauge(
            "worker_heartbeat_age_seconds", "Real time since a worker's last heartbeat.", "worker"
        )
        self._state = Enum(
            "wheelwright_worker_state",
            "What a worker last said of itself.",
            ("worker",),
            states=_STATES,
            registry=self.registry,
        )
        self._market = Enum(
            "wheelwright_market_state",
            "How the provider of prices last said that it is.",
            ("source",),
            states=get_args(market.ProviderState),
            registry=self.registry,
        )
        self._login = self._gauge(
            "login_age_seconds",
            "Time since somebody logged in at the provider of prices.",
            "source",
        )
        self._job_age = self._gauge(
            "job_last_success_age_seconds", "Market time since a job last succeeded.", "job"
        )
        self._job_lag = self._gauge(
            "scheduler_lag_seconds", "Market time since the oldest due job that has not run."
        )
        self._runs = Runs()
        self.registry.register(self._runs)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"wheelwright_{name}", meaning, labels, registry=self.registry)

    def watch(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Add a figure that is read whenever somebody asks."""
        self._gauge(name, meaning).set_function(read)

    def answered(self, scope: HTTPScope, method: str, status: int, took: float) -> None:
        """Count a request: `took` seconds, `status` 0 when nobody was left to be answered."""
        route: str = scope.get("path_template") or _NOWHERE
        known = method if method in _METHODS else "other"
        key = (known, route, status)
        durations = self._durations.get(key)
        if durations is None:
            durations = self._durations[key] = self._requests.labels(*map(str, key))
        durations.observe(took)
        if known in _COMMANDS and "route_handler" in scope:
            outcome = scope["state"].get("outcome", "ok")
            self._commands.labels(scope["route_handler"].fn.__name__, outcome).inc()

    async def told(self, office: Office) -> bytes:
        """All of it, as Prometheus reads it."""
        head = await asyncio.to_thread(office.log.head)
        self._head.set(head)
        self._views.set(office.live.position)
        self._views_lag.set(max(head - office.live.position, 0))
        self._bus.set(office.bus.connected)
        self._open.set(await questions.count_open(office.live, questions.OpenFilter()))
        await self._tell_notifications(office)
        self._tell_workers(office, head)
        self._tell_market(office)
        self._tell_jobs(office, await questions.count_runs(office.live))
        return await asyncio.to_thread(generate_latest, self.registry)

    async def _tell_notifications(self, office: Office) -> None:
        self._notifications.clear()
        for (channel, outcome), count in (await deliveries.counts(office.live)).items():
            self._notifications.labels(channel, outcome).set(count)

    def _tell_market(self, office: Office) -> None:
        """Of the one provider that there is; another before it is told of no more."""
        self._market.clear()
        self._login.clear()
        provider = office.provider
        if provider is None:
            return
        self._market.labels(provider.source).state(provider.state)
        if provider.login is not None:
            age = office.clock.now() - provider.login.since
            self._login.labels(provider.source).set(age.total_seconds())

    def _tell_jobs(self, office: Office, counts: Sequence[questions.RunCount]) -> None:
        self._runs.counts = counts
        self._job_lag.set(scheduler.lag(office))
        now = office.clock.now()
        for each in counts:
            if each.outcome == "succeeded":
                self._job_age.labels(each.job).set((now - each.last).total_seconds())

    def _tell_workers(self, office: Office, head: int) -> None:
        for name, beat in office.beats.items():
            self._silence.labels(name).set(office.silence(name).total_seconds())
            self._state.labels(name).state(beat.state)
        relay = office.beats.get("relay")
        if relay is not None and relay.position is not None:
            self._relay.set(relay.position)
            self._relay_lag.set(max(head - relay.position, 0))


class MetricsController(Controller):
    """Figures of the service itself."""

    path = "/metrics"
    tags = ("System",)

    @get(media_type="text/plain")
    async def metrics(
        self, office: NamedDependency[Office], metrics: NamedDependency[Metrics]
    ) -> Response[bytes]:
        """Everything that is counted and measured, for Prometheus to read."""
        return Response(await metrics.told(office), media_type=CONTENT_TYPE_LATEST)
