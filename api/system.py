"""How the service itself is: its health in parts, and what it is made of."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from msgspec.structs import replace

from api import scheduler
from api.envelope import Reply
from api.glance import OVERDUE, Glance
from api.office import Office
from api.shapes.envelope import Answer
from api.shapes.system import Health, Info, Part
from domain import job as jobs
from domain import refusals
from projections import deliveries, questions

WORKERS = ("projector", "relay", "prices", "risk", "scanner", "scheduler", "notifier", "plugins")
SILENT_AFTER = timedelta(seconds=15)
LAG_ALLOWED = 1_000
RESTLESS_AT = 4
LATE_AFTER = timedelta(minutes=15)
TROUBLED_FOR = timedelta(days=1)
_SILENT = Part(status="degraded", reason=f"no answer for {OVERDUE:.0f} s")
Status = Literal["healthy", "degraded"]


class Pulse:
    """How the parts are; what must be asked for is asked once for all who ask us."""

    def __init__(self, office: Office) -> None:
        self._office = office
        # Whatever else is read from the log, health does not stand in line for a thread.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="health")
        self._store = Glance(self._look_at_store)
        self._views = Glance(self._look_at_views)
        self._runs = Glance(self._look_at_runs)
        self._channels = Glance(self._look_at_channels)

    async def parts(self) -> dict[str, Part]:
        """The health of each part, by its name."""
        store, views, troubles, failing = await asyncio.gather(
            self._store(), self._views(), self._runs(), self._channels()
        )
        head = 0 if store is None else store.position or 0
        return {
            "event_store": store or _SILENT,
            "views": _SILENT if views is None else _views(views, head),
            "bus": _bus(self._office),
            "market": _market(self._office),
            **{name: worker(self._office, name, head) for name in WORKERS},
            "scheduler": _scheduler(self._office, head, troubles or {}),
            "notifier": _notifier(worker(self._office, "notifier", head), failing),
        }

    async def _look_at_channels(self) -> str | None:
        """Why people may not be reached, if they may not."""
        try:
            failing = await deliveries.failing(self._office.live)
        except refusals.Unavailable:  # the views have their own part
            return None
        return "; ".join(map(_said, failing)) or None

    async def _look_at_store(self) -> Part:
        running = asyncio.get_running_loop()
        try:
            head = await running.run_in_executor(self._thread, self._office.log.head)
        except refusals.Unavailable as error:
            return Part(status="degraded", reason=error.message)
        if self._office.desk.failing is not None:
            return Part(status="degraded", reason=self._office.desk.failing, position=head)
        return Part(status="healthy", position=head)

    async def _look_at_views(self) -> int | refusals.Unavailable:
        try:
            await self._office.live.rows("SELECT 1 FROM tracking")
        except refusals.Unavailable as error:
            return error
        return await self._office.live.refresh()

    async def _look_at_runs(self) -> dict[tuple[str, str], int]:
        since = self._office.clock.now() - TROUBLED_FOR
        try:
            return await questions.troubles(self._office.live, since)
        except refusals.Unavailable:
            return {}  # the views' own part says so


def _said(failing: deliveries.Failing) -> str:
    since = f"{failing.since:%Y-%m-%dT%H:%M:%SZ}"
    return f"{failing.channel} fails since {since}: {failing.error}; {failing.waiting} waiting"


def _notifier(part: Part, failing: str | None) -> Part:
    """The notifier's health: that of its process, and of the channels."""
    if failing is None:
        return part
    reason = failing if part.reason is None else f"{part.reason}; {failing}"
    return replace(part, status="degraded", reason=reason)


class SystemController(Controller):
    """The service itself."""

    path = "/"
    tags = ("System",)

    @get(["/health", "/api/v1/health"], opt={"open": True, "unlimited": True})
    async def health(
        self, office: NamedDependency[Office], pulse: NamedDependency[Pulse]
    ) -> Reply[Answer[Health]]:
        """Overall and per part; 503 only when commands cannot be taken."""
        now = office.clock.now()
        parts = await pulse.parts()
        well = all(part.status == "healthy" for part in parts.values())
        shown = Health(status="healthy" if well else "degraded", parts=parts, timestamp=now)
        taking = parts["event_store"].status == "healthy"
        return Reply(Answer(shown, now), status_code=200 if taking else 503)

    @get("/api/v1/info")
    async def info(self, office: NamedDependency[Office]) -> Reply[Answer[Info]]:
        """Version, uptime, sizes, counts, jobs, and the ledger's head."""
        now = office.clock.now()
        head = await asyncio.to_thread(office.log.head)
        shown = Info(
            name="wheelwright",
            version=_version(),
            started_at=office.started_at,
            uptime_seconds=round((now - office.started_at).total_seconds(), 3),
            ledger_head=head,
            head_hash=(await asyncio.to_thread(office.log.hash_at, head)).hex(),
            view_position=office.live.position,
            sizes=_sizes(office),
            counts=await _counts(office),
            market=office.settings.market,
            event_store=office.settings.event_store.split(":", maxsplit=1)[0],
            jobs=await scheduler.planned(office),
        )
        return Reply(Answer(shown, now))


def _views(seen: int | refusals.Unavailable, head: int) -> Part:
    if isinstance(seen, refusals.Unavailable):
        return Part(status="degraded", reason=seen.message)
    position, lag = seen, max(head - seen, 0)
    if lag <= LAG_ALLOWED:
        return Part(status="healthy", position=position, lag=lag)
    return Part(status="degraded", reason=f"{lag} facts behind", position=position, lag=lag)


def _bus(office: Office) -> Part:
    if office.bus.connected:
        return Part(status="healthy")
    return Part(status="degraded", reason="not connected; commands and queries go on without it")


def _market(office: Office) -> Part:
    """The provider as it last said it is, and the prices that say themselves that they are old."""
    provider, quotes = office.provider, len(office.quotes)
    state = None if provider is None else provider.state
    stale = sorted(name for name, quote in office.quotes.items() if quote.state == "stale")
    if provider is not None and state not in {"live", "delayed"}:
        reason = f"{provider.source} is {state}: {provider.reason or 'no reason was given'}"
        return Part(status="degraded", reason=reason, quotes=quotes, state=state)
    if stale:
        reason = f"stale: {', '.join(stale[:10])}"
        return Part(status="degraded", reason=reason, quotes=quotes, state=state)
    return Part(status="healthy", quotes=quotes, state=state)


def worker(office: Office, name: str, head: int) -> Part:
    """A worker's health, by its heartbeats, with the log at `head`."""
    heard = office.heard.get(name)
    if heard is None:
        return Part(status="degraded", reason="no heartbeat yet")
    silent = office.silence(name)
    if silent > SILENT_AFTER:
        reason = f"no heartbeat for {silent.total_seconds():.0f} s"
        return Part(status="degraded", reason=reason, last_heartbeat=heard)
    trouble = _trouble(office, name, head)
    return Part(
        status="healthy" if trouble is None else "degraded",
        reason=trouble,
        last_heartbeat=heard,
        position=office.beats[name].position,
    )


def _scheduler(office: Office, head: int, troubles: Mapping[tuple[str, str], int]) -> Part:
    """The worker's health, and that of what it runs."""
    part = worker(office, "scheduler", head)
    counts: Counter[str] = Counter()
    for (_, outcome), count in troubles.items():
        counts[outcome] += count
    part = msgspec.structs.replace(part, troubles=dict(counts))
    reason = part.reason or _late(office) or _ahead(office) or _words(troubles)
    if reason is None:
        return part
    return msgspec.structs.replace(part, status="degraded", reason=reason)


def _late(office: Office) -> str | None:
    late = timedelta(seconds=scheduler.lag(office))
    if late <= max(LATE_AFTER, SILENT_AFTER * office.clock.speed):
        return None
    return f"a job has been due for {late}"


def _ahead(office: Office) -> str | None:
    ahead = timedelta(seconds=scheduler.ahead(office))
    if not ahead:
        return None
    return f"runs are recorded that are due only in {ahead}: the clock was ahead, or is behind"


def _words(troubles: Mapping[tuple[str, str], int]) -> str | None:
    """What is wrong with the jobs; to miss what is not made up for anyway is no harm."""
    told = (
        f"{job} {outcome} {count}x"
        for (job, outcome), count in sorted(troubles.items())
        if outcome != "missed" or job not in jobs.JOBS or jobs.JOBS[job].catch_up != "none"
    )
    return ", ".join(told) or None


def _trouble(office: Office, name: str, head: int) -> str | None:
    """What is wrong with a worker that lives."""
    if office.births(name) >= RESTLESS_AT:
        return f"began {office.births(name)} times in the last minute"
    state = office.beats[name].state
    if state != "running":
        return f"{state}"
    stuck = office.stuck(name, head)
    if stuck > SILENT_AFTER:
        return (
            f"stands at {office.beats[name].position} of {head} for {stuck.total_seconds():.0f} s"
        )
    return None


def _version() -> str:
    try:
        return version("wheelwright")
    except PackageNotFoundError:
        return "0.1.0"


def _sizes(office: Office) -> dict[str, int]:
    paths = {
        "ledger": office.settings.event_store_path,
        "views": office.settings.views_path,
    }
    return {name: _size(path.resolve()) for name, path in paths.items() if path.exists()}


def _size(database: Path) -> int:
    """Bytes of a database, with what stands in its log and not yet in its file."""
    log = database.with_name(f"{database.name}-wal")
    return sum(path.stat().st_size for path in (database, log) if path.exists())


async def _counts(office: Office) -> dict[str, int]:
    counts = {}
    for table in ("portfolios", "wheels", "trades", "alerts"):
        found = await office.live.rows(f"SELECT COUNT(*) FROM {table}")  # noqa: S608
        counts[table] = int(found[0][0])
    counts["open_positions"] = await questions.count_open(office.live, questions.OpenFilter())
    return counts
