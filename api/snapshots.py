"""Snapshots: a wheel as it stood at an instant, with its price; and the trend they show."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from api import desk
from api.envelope import Reply, page_of
from api.office import Office, When
from api.shapes.envelope import Answer, Page
from api.shapes.snapshots import Trend
from domain import facts, freshness, mark, market, refusals, valuation
from domain.story import Story
from projections import answers, marks, questions, snapshots, sums

From = Annotated[date | None, QueryParameter(name="from", description="First New York date.")]
To = Annotated[date | None, QueryParameter(name="to", description="Last New York date.")]
_AS_IT_STANDS = valuation.MarkPosition()
_MODEL = desk.Model(
    "valuation", lambda _: valuation.UNMARKED, valuation.evolve, lambda state: state.version
)


class SnapshotController(Controller):
    """Snapshots of wheels."""

    path = "/wheels/{wheel_id:uuid}"
    tags = ("Snapshots",)

    @post("/snapshots", status_code=201, opt={"creates": True})
    async def mark_position(
        self,
        office: NamedDependency[Office],
        asked: NamedDependency[desk.Asked],
        wheel_id: FromPath[UUID],
        data: JSONBody[valuation.MarkPosition] = _AS_IT_STANDS,
    ) -> Reply[Answer[snapshots.Snapshot]]:
        """Write down what a wheel holds and what that is worth, now or at an earlier instant.

        Without a price the last one counts that was heard by then, and without `effective_at` the
        mark is of the instant of that price, of those of its options, or of the wheel's last fact,
        whichever came last. An option without a mid takes the market's, where it is fresh.
        """
        story = await office.desk.latest(desk.WHEEL, wheel_id)
        heard = await _heard(office, story, data)
        return await office.desk.carry_out(_task(story, data, heard), asked)

    @get("/snapshots")
    async def list_snapshots(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        part: NamedDependency[questions.Slice],
        wheel_id: FromPath[UUID],
        first: From = None,
        last: To = None,
    ) -> Reply[Page[snapshots.Snapshot]]:
        """List a wheel's snapshots, the newest first."""
        over = _span(first, last)
        async with office.views(clocks, _streams(wheel_id)) as views:
            await questions.wheel(views, wheel_id)
            found = await marks.all_marks(views, wheel_id, over, part)
        return page_of(found.items, found.total, part.page, part.page_size, office.clock.now())

    @get("/snapshots/latest")
    async def latest_snapshot(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        wheel_id: FromPath[UUID],
    ) -> Reply[Answer[snapshots.Snapshot]]:
        """A wheel's last snapshot: the one nearest to now."""
        async with office.views(clocks, _streams(wheel_id)) as views:
            await questions.wheel(views, wheel_id)
            return _reply(await marks.latest(views, wheel_id), office.clock.now())

    @get("/snapshots/{version:int}")
    async def snapshot(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        wheel_id: FromPath[UUID],
        version: FromPath[int],
    ) -> Reply[Answer[snapshots.Snapshot]]:
        """One snapshot of a wheel."""
        async with office.views(clocks, _streams(wheel_id)) as views:
            await questions.wheel(views, wheel_id)
            return _reply(await marks.one(views, wheel_id, version), office.clock.now())

    @get("/trend")
    async def trend(
        self,
        office: NamedDependency[Office],
        clocks: NamedDependency[When],
        wheel_id: FromPath[UUID],
        interval: FromQuery[marks.Interval] = "daily",
        first: From = None,
        last: To = None,
    ) -> Reply[Answer[Trend]]:
        """How a wheel's price, moneyness, risk, option value and time value have moved.

        The last snapshot of a New York day, or of an ISO week, stands for it.
        """
        over = _span(first, last)
        async with office.views(clocks, _streams(wheel_id)) as views:
            wheel = questions.decoded(await questions.wheel(views, wheel_id), answers.Wheel)
            points = await marks.trend(views, wheel_id, interval, over)
        shown = Trend(wheel_id=wheel_id, symbol=wheel.symbol, interval=interval, points=points)
        return Reply(Answer(shown, office.clock.now()))


class _Heard(msgspec.Struct, frozen=True):
    """The last price of a wheel's symbol, and the marks of its options."""

    quote: market.Quote | None
    board: mark.Board


async def _heard(office: Office, story: Story, command: valuation.MarkPosition) -> _Heard:
    """The last prices that a mark can have: for an earlier instant those that were known then."""
    symbol = story.wheel.symbol
    last = _Heard(office.quotes.get(symbol), office.boards.get(symbol, {}))
    if command.effective_at is None:
        return last
    at = valuation.effective_at(story, command, last.quote, last.board, office.clock.now())
    has_price = command.price is not None or (last.quote is not None and last.quote.as_of <= at)
    has_marks = bool(last.board) and all(each.as_of <= at for each in last.board.values())
    if has_price and (has_marks or not story.wheel_at(at).open_trades):
        return last
    then = await office.prices_at(When(as_of=at), [symbol])
    return _Heard(
        last.quote if has_price else then.quotes.get(symbol),
        last.board if has_marks else then.boards.get(symbol, {}),
    )


def _task(
    story: Story, command: valuation.MarkPosition, heard: _Heard
) -> desk.Task[valuation.Valuation]:
    def decide(state: valuation.Valuation, now: datetime, command_id: UUID) -> list[facts.Recorded]:
        at = valuation.effective_at(story, command, heard.quote, heard.board, now)
        judged, mids = _judged(heard.quote, at), mark.mids(heard.board, at)
        return valuation.decide(
            state, story, command, judged, mids, at=at, now=now, command_id=command_id
        )

    def show(state: valuation.Valuation, _: datetime) -> desk.Shown:
        assert state.last is not None
        place = f"/api/v1/wheels/{story.wheel_id}/snapshots/{state.version}"
        return desk.Shown(snapshots.snapshot(state.last), state.version, place)

    stream_id = facts.valuation_stream(story.wheel_id)
    return desk.Task(stream_id, _MODEL, command, decide, show, lambda state: state.version)


def _judged(quote: market.Quote | None, at: datetime) -> market.Quote | None:
    """A quote with what it was worth at an instant."""
    if quote is None:
        return None
    return msgspec.structs.replace(quote, state=freshness.price_state(quote, at))


def _streams(wheel_id: UUID) -> list[UUID]:
    return [wheel_id, facts.valuation_stream(wheel_id)]


def _span(first: date | None, last: date | None) -> sums.Span:
    if first is not None and last is not None and first > last:
        raise refusals.Invalid("from", first, "must not be after to")
    return sums.Span(first, last)


def _reply(body: bytes, now: datetime) -> Reply[Any]:
    version = questions.decoded(body, snapshots.Snapshot).version
    return Reply(Answer(msgspec.Raw(body), now), headers={"ETag": f'"{version}"'})
