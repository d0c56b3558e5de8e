"""Plugins: the user's own programs, what they may do, when they run, and how that went."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID, uuid4, uuid5

import msgspec
from litestar import Controller, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from api import dependencies, desk, fitting
from api.envelope import Reply, page_of
from api.office import Office, When
from api.shapes.envelope import Answer, Page
from api.shapes.plugins import Discovered, Plugin
from domain import facts, refusals, subjects
from domain import plugin as plugins
from domain import schedule as schedules
from projections import answers, questions

_ENABLE: Final = plugins.Enable()
_DISABLE: Final = plugins.Disable()


class PluginController(Controller):
    """Plugins."""

    path = "/plugins"
    tags = ("Plugins",)

    @get()
    async def list_plugins(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        part: NamedDependency[questions.Slice],
    ) -> Reply[Page[Plugin]]:
        """List the registered plugins, by name, each with its status and its last run."""
        streams = None if clocks.is_now else await office.plugins()
        async with office.views(clocks, streams) as views:
            found = await questions.all_plugins(views, part)
        now = office.clock.now()
        shown = [_shown(each, last, clocks.told_at(now)) for each, last in found.items]
        return page_of(shown, found.total, part.page, part.page_size, now)

    @post(status_code=201, opt={"creates": True})
    async def register(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        data: JSONBody[plugins.Register],
    ) -> Reply[Answer[Plugin]]:
        """Register a plugin that was found; it is disabled, and nothing is granted to it."""
        found = {each.plugin: each for each in (await _asked(office)).found}
        return await _carried_out(office, data.name, data, asked, found.get(data.name))

    @get("/discovered")
    async def discovered(self, office: NamedDependency[Office]) -> Reply[Answer[list[Discovered]]]:
        """List every plugin that was found, registered or not, and those that cannot be loaded."""
        found = (await _asked(office)).found
        rows = await office.live.rows("SELECT name FROM plugins WHERE is_registered")
        registered = {row[0] for row in rows}
        shown = [_discovered(each, registered) for each in found]
        return Reply(Answer(shown, office.clock.now()))

    @get("/{name:str}")
    async def plugin(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        name: FromPath[str],
    ) -> Reply[Answer[Plugin]]:
        """One registered plugin."""
        streams = None if clocks.is_now else await office.plugins(name)
        async with office.views(clocks, streams) as views:
            found = await questions.plugin(views, name)
            last = await questions.last_run(views, name)
        now = office.clock.now()
        shown = _shown(found, last, clocks.told_at(now))
        return Reply(Answer(shown, now), headers={"ETag": f'"{shown.version}"'})

    @delete("/{name:str}", status_code=200)
    async def remove(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        name: FromPath[str],
    ) -> Reply[Answer[Plugin]]:
        """Want a plugin no more: a run of it is ended, its alerts are over; it can come again."""
        return await _carried_out(office, name, plugins.Remove(), asked)

    @post("/{name:str}/enable", status_code=200)
    async def enable(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        name: FromPath[str],
        data: JSONBody[plugins.Enable] = _ENABLE,
    ) -> Reply[Answer[Plugin]]:
        """Let a plugin run on its schedule."""
        return await _carried_out(office, name, data, asked)

    @post("/{name:str}/disable", status_code=200)
    async def disable(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        name: FromPath[str],
        data: JSONBody[plugins.Disable] = _DISABLE,
    ) -> Reply[Answer[Plugin]]:
        """Let a plugin run no more by itself; a run that has begun is ended, and has failed."""
        return await _carried_out(office, name, data, asked)

    @put("/{name:str}/schedule")
    async def schedule(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        name: FromPath[str],
        data: JSONBody[plugins.Schedule],
    ) -> Reply[Answer[Plugin]]:
        """Say when a plugin runs: by an interval, a crontab or the close of sessions."""
        return await _carried_out(office, name, data, asked)

    @put("/{name:str}/config")
    async def configure(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        name: FromPath[str],
        data: JSONBody[plugins.Configure],
    ) -> Reply[Answer[Plugin]]:
        """Configure a plugin, whole; what it can be told stands in its `config_schema`."""
        return await _carried_out(office, name, data, asked)

    @put("/{name:str}/grants")
    async def grant(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        name: FromPath[str],
        data: JSONBody[plugins.Grant],
    ) -> Reply[Answer[Plugin]]:
        """Say which commands a plugin may give; all others are refused, and its run with them."""
        return await _carried_out(office, name, data, asked)

    @put("/{name:str}/limits")
    async def limit(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        name: FromPath[str],
        data: JSONBody[plugins.Limit],
    ) -> Reply[Answer[Plugin]]:
        """Limit the time and the memory of a plugin's runs."""
        return await _carried_out(office, name, data, asked)

    @post("/{name:str}/run", status_code=200, opt={"records": False})
    async def run(
        self,
        office: NamedDependency[Office],
        name: FromPath[str],
        idempotency_key: dependencies.IdempotencyKey = None,
    ) -> Reply[Answer[subjects.PluginRunning]]:
        """Run a plugin now, enabled or not; answers while it runs, and one run of it at a time.

        How it ended stands among its runs, under the same `run_id`. Under the same idempotency key
        it is the same run, as long as that has not ended.
        """
        key = dependencies.checked(idempotency_key)
        run_id = uuid4() if key is None else uuid5(facts.plugin_stream(name), key)
        state = await office.desk.latest(desk.PLUGIN, facts.plugin_stream(name))
        if state.found is None:
            raise refusals.Unknown("plugin", name)
        reply = await _asked(office, subjects.PluginOrder(run_id, name))
        return Reply(Answer(_begun(reply), office.clock.now()))

    @get("/{name:str}/runs")
    async def runs(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        part: NamedDependency[questions.Slice],
        name: FromPath[str],
        outcome: FromQuery[facts.PluginOutcome | None] = None,
    ) -> Reply[Page[answers.PluginRun]]:
        """List a plugin's runs, the newest first; those of a removed one stay."""
        streams = None if clocks.is_now else await office.plugins(name)
        async with office.views(clocks, streams) as views:
            found = await questions.plugin_runs(views, name, outcome, part)
        return page_of(found.items, found.total, part.page, part.page_size, office.clock.now())


async def _carried_out(
    office: Office,
    name: str,
    order: plugins.Order,
    asked: desk.Asked,
    found: facts.PluginRegistered | None = None,
) -> Reply[Answer[Plugin]]:
    async with office.live.look() as views:
        last = await questions.last_run(views, name)
    return await office.desk.carry_out(_task(name, order, found, last), asked)


def _task(
    name: str,
    order: plugins.Order,
    found: facts.PluginRegistered | None,
    last: answers.PluginRun | None,
) -> desk.Task[plugins.Plugin]:
    """An order on one plugin, answered with it as it then stands, or as it was when removed."""
    before: list[plugins.Plugin] = []

    def decide(state: plugins.Plugin, now: datetime, command_id: UUID) -> list[facts.Recorded]:
        before[:] = [state]
        decided = plugins.decide(state, name, order, now, found, fitting.fits)
        return [
            plugins.recorded(state, fact, now, command_id, order.source, order) for fact in decided
        ]

    def show(state: plugins.Plugin, now: datetime) -> desk.Shown:
        shown = answers.plugin(state if state.found is not None else before[0])
        at = msgspec.structs.replace(shown, version=state.version)
        return desk.Shown(_shown(at, last, now), state.version, f"/api/v1/plugins/{name}")

    return desk.Task(
        facts.plugin_stream(name), desk.PLUGIN, order, decide, show, lambda state: state.version
    )


def _shown(found: answers.Plugin, last: answers.PluginRun | None, now: datetime) -> Plugin:
    status = plugins.status(
        enabled=found.enabled, fault=found.fault, last=last.outcome if last else None
    )
    failed = status not in {"healthy", "disabled", "broken"}
    return Plugin(
        **msgspec.structs.asdict(found),
        status=status,
        reason=found.fault or (last.error if last and failed else None),
        last_run=last,
        next_run_at=_next_run(found, now),
    )


def _next_run(found: answers.Plugin, now: datetime) -> datetime | None:
    if not found.enabled or found.fault is not None or found.schedule is None:
        return None
    return schedules.next_due(found.schedule, found.market_hours, now)


def _discovered(found: facts.PluginRegistered, registered: set[str]) -> Discovered:
    return Discovered(
        name=found.plugin,
        origin=found.origin,
        digest=found.digest,
        plugin_version=found.plugin_version,
        description=found.description,
        default_schedule=found.default_schedule,
        default_market_hours=found.default_market_hours,
        config_schema=msgspec.json.decode(found.config_schema),
        wants=found.wants,
        fault=found.fault,
        is_registered=found.plugin in registered,
    )


async def _asked(office: Office, order: subjects.PluginOrder | None = None) -> subjects.PluginReply:
    return await office.ask(
        subjects.PLUGINS_ASK,
        subjects.PluginQuestion(order),
        subjects.PluginReply,
        part="plugins",
        silence="the plugins do not answer",
    )


def _begun(reply: subjects.PluginReply) -> subjects.PluginRunning:
    """The run that was asked for; raises refusals.Conflict or OutOfTurn where there is none."""
    if reply.run is None:
        raise refusals.OutOfTurn(reply.conflict or "it cannot be run", expected="a whole plugin")
    if reply.conflict is not None:
        raise refusals.Conflict(reply.conflict, run_id=str(reply.run.run_id))
    return reply.run
