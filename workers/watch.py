"""What the watch over the open options knows and does: judge, record, tell.

It does nothing by itself; whoever hears of prices, positions and time (workers/risk.py) says
so, one thing after the other, and then lets it record. What stands is what the log says: an
alert that could not be recorded is not raised, and is judged again at the next price or minute.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime
from typing import Final, Protocol, TypeVar
from uuid import UUID, uuid4

import msgspec
import numpy as np
import numpy.typing as npt

from adapters import bus
from domain import alert, calendar, facts, market, ports, refusals, risk, subjects

news = logging.getLogger(__name__)

Key = tuple[UUID, str]
"""Which alert: of which trade, under which rule."""
Wheels = Mapping[UUID, Sequence[risk.OpenOption]]
"""By wheel: all its open options, none when it has none any more."""
Nudge = Callable[[int], Awaitable[None]]
Publish = Callable[[Sequence[bus.Message]], Awaitable[object]]
Answer = TypeVar("Answer")

TRIES: Final = 5
AGAIN_AFTER: Final = 0.5
UNSEEN: Final = -1


class AlertLog(Protocol):
    """What the watch needs of the log. Blocking."""

    def stream(self, stream_id: UUID) -> Sequence[facts.Recorded]: ...

    def append(self, recorded: Sequence[facts.Recorded]) -> Sequence[int]: ...


class Order(msgspec.Struct, frozen=True):
    """What is to become of one alert, and since when."""

    key: Key
    command: alert.Raise | alert.Clear
    at: datetime


class Watched:
    """The open options of one symbol, what stands about them, and what was last told of them."""

    def __init__(self, options: Sequence[risk.OpenOption], before: Watched | None) -> None:
        self.book = risk.book(options)
        self.standing: risk.Standing = risk.nothing_raised(self.book)
        self.level: npt.NDArray[np.int8] = np.full(len(options), UNSEEN, dtype=np.int8)
        self.dte: risk.Ints = np.full(len(options), UNSEEN, dtype=np.int64)
        if before is not None:
            self._remember(before)

    def _remember(self, before: Watched) -> None:
        """An option that is as it was has not become news."""
        places = {each.trade_id: place for place, each in enumerate(before.book.options)}
        for place, option in enumerate(self.book.options):
            known = places.get(option.trade_id)
            if known is not None and before.book.options[known] == option:
                self.level[place] = before.level[known]
                self.dte[place] = before.dte[known]

    def stand(self, alerts: Mapping[Key, alert.Alert]) -> None:
        """Let stand what the log says."""
        self.standing = {
            rule.name: np.array(
                [_since(alerts[each.trade_id, rule.name]) for each in self.book.options],
                dtype=np.int64,
            )
            for rule in risk.RULES
        }

    def news(self, verdict: risk.Verdict) -> list[int]:
        """The places whose level or days to expiration are not what was last told."""
        if verdict.evaluation is None:
            return []
        changed = (verdict.evaluation.level != self.level) | (verdict.dte != self.dte)
        self.level, self.dte = verdict.evaluation.level, verdict.dte
        return [int(place) for place in np.flatnonzero(changed)]


def _since(told: alert.Alert) -> int:
    if not told.is_active or told.raised_at is None:
        return risk.NEVER
    return risk.moment(told.raised_at)


class Outbox:
    """Changed risks on their way to the bus: of each option only the newest."""

    def __init__(self) -> None:
        self.waiting: dict[UUID, bus.Message] = {}
        self._filled = asyncio.Event()

    def put(self, changed: risk.PositionRisk, at: datetime) -> None:
        subject = subjects.risk_position(changed.portfolio_id, changed.wheel_id)
        message = bus.Message(subject, changed, str(uuid4()), "risk.position", at)
        self.waiting[changed.trade_id] = message
        self._filled.set()

    async def send(self, publish: Publish, pause: float = AGAIN_AFTER) -> None:
        """Send what comes in, for ever; what the bus cannot take now waits until it can."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            leaving, self.waiting = self.waiting, {}
            try:
                await publish(list(leaving.values()))
            except bus.Rejected as reason:
                news.warning("changed risks were not published: %s", reason)
            except bus.BusFault:
                self.waiting = leaving | self.waiting
                self._filled.set()
                await asyncio.sleep(pause)


class Alerts:
    """The alerts under watch as the log has them, and the way to change them.

    Blocking calls go to `thread`.
    """

    def __init__(self, log: AlertLog, nudge: Nudge, thread: Executor | None) -> None:
        self.known: dict[Key, alert.Alert] = {}
        self.raised = self.cleared = 0
        self._log = log
        self._nudge = nudge
        self._thread = thread

    async def learn(self, keys: Sequence[Key]) -> None:
        """Read from the log how these alerts stand."""
        if keys:
            self.known |= await in_thread(
                self._thread, lambda: {key: self._read(key) for key in keys}
            )

    def _read(self, key: Key) -> alert.Alert:
        return alert.fold(self._log.stream(facts.alert_stream(*key)))

    def forget(self, keys: Iterable[Key]) -> None:
        """These are watched no longer."""
        for key in keys:
            self.known.pop(key, None)

    async def carry_out(self, orders: Sequence[Order]) -> bool:
        """Record what the orders lead to, all in one append; whether at the first try.

        Somebody may have acknowledged one of them meanwhile: then all are decided again.
        Raises refusals.Stale after too many tries, refusals.Unavailable when the log is.
        """
        keys = list({each.key: None for each in orders})
        for tried in range(TRIES):
            recorded, after = self._decided(orders)
            try:
                await self._append(recorded)
            except refusals.Stale:
                await self.learn(keys)
            else:
                self.known |= after
                self._count(recorded)
                return tried == 0
        raise refusals.Stale("the alerts change too fast")

    def _decided(
        self, orders: Sequence[Order]
    ) -> tuple[list[facts.Recorded], dict[Key, alert.Alert]]:
        recorded: list[facts.Recorded] = []
        after: dict[Key, alert.Alert] = {}
        for order in orders:
            state = after.get(order.key, self.known[order.key])
            for fact in alert.decide(state, order.command, order.at):
                recorded.append(_recorded(order, state.version + 1, fact))
                state = alert.evolve(state, recorded[-1])
            after[order.key] = state
        return recorded, after

    async def _append(self, recorded: Sequence[facts.Recorded]) -> None:
        if recorded:
            positions = await in_thread(self._thread, lambda: self._log.append(recorded))
            await self._nudge(positions[-1])

    def _count(self, recorded: Sequence[facts.Recorded]) -> None:
        raised = sum(isinstance(each.fact, facts.AlertRaised) for each in recorded)
        self.raised += raised
        self.cleared += len(recorded) - raised


def _recorded(order: Order, version: int, fact: facts.AlertFact) -> facts.Recorded:
    stream = facts.alert_stream(*order.key)
    return facts.Recorded(0, stream, version, order.at, order.at, "risk", uuid4(), None, fact)


class Watch:
    """All that is known of prices and positions, and the orders that follow from it."""

    def __init__(self, alerts: Alerts, outbox: Outbox, clock: ports.Clock) -> None:
        self.position = UNSEEN
        self.quotes_heard = 0
        self._quotes: dict[str, market.Quote] = {}
        self._wheels: dict[UUID, Sequence[risk.OpenOption]] = {}
        self._held: dict[str, dict[UUID, risk.OpenOption]] = {}
        self._watched: dict[str, Watched] = {}
        self._alerts = alerts
        self._outbox = outbox
        self._clock = clock
        self._orders: list[Order] = []
        self._over: dict[Key, Order] = {}
        self._judged: set[str] = set()

    @property
    def report(self) -> dict[str, int]:
        """What a heartbeat tells."""
        return {
            "position": self.position,
            "options": sum(len(each) for each in self._wheels.values()),
            "quotes": self.quotes_heard,
            "raised": self._alerts.raised,
            "cleared": self._alerts.cleared,
        }

    async def moved(self, position: int, wheels: Wheels) -> None:
        """Watch what these wheels hold now; what they held before is over.

        `position` is that of the log which the views have come to.
        """
        before = {each.trade_id: each for id_ in wheels for each in self._wheels.get(id_, ())}
        now = {each.trade_id: each for options in wheels.values() for each in options}
        await self._alerts.learn(_keys(now.keys() - before.keys()))
        self.position = position
        if not wheels:
            return
        self._wheels = {id_: held for id_, held in {**self._wheels, **wheels}.items() if held}
        gone = [each for id_, each in before.items() if now.get(id_) != each]
        come = [each for id_, each in now.items() if before.get(id_) != each]
        self._lay_out(gone, come)
        for key in _keys(now):
            self._over.pop(key, None)
        self.over(_keys(before.keys() - now.keys()))

    def _lay_out(self, gone: Iterable[risk.OpenOption], come: Iterable[risk.OpenOption]) -> None:
        """Make the books of the symbols concerned anew, and judge them at the last price."""
        changed = set()
        for option in gone:
            self._held[option.symbol].pop(option.trade_id)
            changed.add(option.symbol)
        for option in come:
            self._held.setdefault(option.symbol, {})[option.trade_id] = option
            changed.add(option.symbol)
        for symbol in changed:
            before = self._watched.pop(symbol, None)
            if held := self._held[symbol]:
                self._watched[symbol] = Watched(list(held.values()), before)
                self._watched[symbol].stand(self._alerts.known)
                self.judge(symbol)

    async def settle(self, raised: Iterable[Key]) -> None:
        """End the alerts of trades that ended while nobody watched."""
        open_trades = {each for held in self._held.values() for each in held}
        left = [key for key in raised if key[0] not in open_trades]
        await self._alerts.learn(left)
        self.over(left)

    def over(self, keys: Iterable[Key]) -> None:
        """The trade has ended, however it did, and its alerts with it."""
        at = self._clock.now()
        for key in keys:
            self._over[key] = Order(key, alert.Clear("closed"), at)

    def priced(self, quote: market.Quote) -> None:
        """Judge by a new price; one heard before, or older than the last, is none."""
        last = self._quotes.get(quote.symbol)
        if last is not None and (quote == last or quote.as_of < last.as_of):
            return
        self.quotes_heard += 1
        self._quotes[quote.symbol] = quote
        self.judge(quote.symbol)

    def judge_all(self) -> None:
        """Judge by the passing of time."""
        for symbol in self._watched:
            self.judge(symbol)

    def judge(self, symbol: str) -> None:
        """Ask every rule about every option in a symbol, now, at its last price."""
        watched = self._watched.get(symbol)
        if watched is None:
            return
        now = self._clock.now()
        quote = self._quotes.get(symbol)
        if quote is not None and not risk.trusted(quote, now):
            quote = None
        price = None if quote is None else quote.last
        verdict = risk.judge(watched.book, watched.standing, price, now)
        watched.standing = verdict.standing
        for turn in verdict.turns:
            self._judged.add(symbol)
            self._orders += _orders(watched.book, turn, quote, now)
        if quote is not None:
            on = calendar.trading_day(now)
            for place in watched.news(verdict):
                self._outbox.put(risk.position_risk(watched.book.options[place], quote, on), now)

    async def record(self) -> None:
        """Record what has been judged since the last time.

        What could not be recorded does not stand: it is judged again. Only that a trade has
        ended would not be noticed a second time, so those orders wait.
        """
        orders = [*self._orders, *self._over.values()]
        judged = self._judged & self._watched.keys()
        self._orders, self._judged = [], set()
        if not orders:
            return
        as_decided = False
        try:
            as_decided = await self._alerts.carry_out(orders)
        except refusals.Refusal as reason:
            news.warning("%d alerts could not be recorded yet: %s", len(orders), reason)
        else:
            self._alerts.forget(self._over)
            self._over = {}
        if not as_decided:
            for symbol in judged:
                self._watched[symbol].stand(self._alerts.known)


def _orders(
    book: risk.Book, turn: risk.Turn, quote: market.Quote | None, now: datetime
) -> Iterable[Order]:
    on = calendar.trading_day(now)
    price = None if quote is None else quote.last
    for option in (book.options[place] for place in turn.raised):
        told = risk.told(turn.rule, option, quote, on)
        yield Order((option.trade_id, turn.rule.name), alert.Raise(told), now)
    for option in (book.options[place] for place in turn.cleared):
        reason = risk.why_over(turn.rule, option, price, on)
        yield Order((option.trade_id, turn.rule.name), alert.Clear(reason, price), now)


def _keys(trades: Iterable[UUID]) -> list[Key]:
    return [(trade, rule.name) for trade in trades for rule in risk.RULES]


async def in_thread(thread: Executor | None, blocking: Callable[[], Answer]) -> Answer:
    """Wait for something that blocks, elsewhere."""
    return await asyncio.get_running_loop().run_in_executor(thread, blocking)
