"""The watchlist: the symbols in which opportunities are looked for, and the scans that look."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID, uuid4, uuid5

from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from api import dependencies, desk
from api.envelope import Reply, page_of
from api.office import Office, When
from api.shapes.envelope import Answer, Page
from domain import commands, facts, refusals, subjects
from domain import watchlist as watchlists
from projections import answers, questions

_STREAMS: Final = (facts.WATCHLIST_STREAM,)
_ALL: Final = watchlists.Search()


class WatchlistController(Controller):
    """The watchlist."""

    path = "/watchlist"
    tags = ("Watchlist",)

    @get()
    async def list_watched(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        part: NamedDependency[questions.Slice],
    ) -> Reply[Page[answers.Watched]]:
        """List the watched symbols, by name."""
        async with office.views(clocks, _STREAMS) as views:
            found = await questions.watched(views, part)
        return page_of(found.items, found.total, part.page, part.page_size, office.clock.now())

    @post(status_code=201, opt={"creates": True})
    async def watch(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        data: JSONBody[watchlists.Watch],
    ) -> Reply[Answer[answers.Watched]]:
        """Put a symbol on the watchlist; it is priced from now on, and scanned with the others."""
        task = _task(data, commands.symbol_of(data.symbol))
        return await office.desk.carry_out(task, asked)

    @get("/scan")
    async def last_scan(self, office: NamedDependency[Office]) -> Reply[Answer[subjects.Scan]]:
        """The scan that was begun last, as it stands."""
        scan = (await _asked(office, subjects.ScanQuestion())).scan
        if scan is None:
            raise refusals.Unknown("scan", "last")
        return Reply(Answer(scan, office.clock.now()))

    @post("/scan", status_code=200, opt={"records": False})
    async def scan(
        self,
        office: NamedDependency[Office],
        idempotency_key: dependencies.IdempotencyKey = None,
        data: JSONBody[watchlists.Search] = _ALL,
    ) -> Reply[Answer[subjects.Scan]]:
        """Begin to look for opportunities; answers while it runs, and one scan runs at a time.

        Under the same idempotency key it is the same scan. What it finds is recorded as it is
        found, each contract once a day.
        """
        key = dependencies.checked(idempotency_key)
        scan_id = uuid4() if key is None else uuid5(facts.WATCHLIST_STREAM, key)
        order = subjects.ScanOrder(scan_id, data.named)
        reply = await _asked(office, subjects.ScanQuestion(order))
        return Reply(Answer(_begun(reply), office.clock.now()))

    @get("/{symbol:str}", operation_id="get_watchlist_symbol")
    async def watched(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        symbol: FromPath[str],
    ) -> Reply[Answer[answers.Watched]]:
        """One watched symbol."""
        async with office.views(clocks, _STREAMS) as views:
            body = await questions.watched_symbol(views, symbol)
        shown = questions.decoded(body, answers.Watched)
        return Reply(Answer(shown, office.clock.now()), headers={"ETag": f'"{shown.version}"'})

    @delete("/{symbol:str}", status_code=200, operation_id="delete_watchlist_symbol")
    async def unwatch(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        symbol: FromPath[str],
    ) -> Reply[Answer[answers.Watched]]:
        """Take a symbol off the watchlist; what was found in it stays."""
        task = _task(watchlists.Unwatch(symbol=symbol), symbol.upper())
        return await office.desk.carry_out(task, asked)


def _task(order: watchlists.Order, symbol: str) -> desk.Task[watchlists.Watchlist]:
    """An order on one symbol; its version is that of the list's last fact about it."""

    def decide(
        state: watchlists.Watchlist, now: datetime, command_id: UUID
    ) -> list[facts.Recorded]:
        return watchlists.decide(state, order, now=now, command_id=command_id)

    def show(state: watchlists.Watchlist, _: datetime) -> desk.Shown:
        shown = answers.watched(state.entries[symbol])
        return desk.Shown(shown, shown.version, f"/api/v1/watchlist/{symbol}")

    def version(state: watchlists.Watchlist) -> int:
        entry = state.entry(symbol)
        return 0 if entry is None else entry.version

    return desk.Task(facts.WATCHLIST_STREAM, desk.WATCHLIST, order, decide, show, version)


async def _asked(office: Office, question: subjects.ScanQuestion) -> subjects.ScanReply:
    return await office.ask(
        subjects.SCAN_ASK,
        question,
        subjects.ScanReply,
        part="scanner",
        silence="the scanner does not answer",
    )


def _begun(reply: subjects.ScanReply) -> subjects.Scan:
    """The scan that was asked for; raises refusals.Conflict where another stands in its way."""
    scan = reply.scan
    assert scan is not None
    if reply.conflict is not None:
        raise refusals.Conflict(reply.conflict, id=str(scan.id), status=scan.status, done=scan.done)
    return scan
