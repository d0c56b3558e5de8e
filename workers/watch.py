"""What the watch over the open options knows and does: judge, record, tell.

It does nothing by itself; whoever hears of prices, marks, the provider, positions and time
(workers/risk.py) says so, one thing after the other, and then lets it record. What stands is what
the log says: an alert that could not be recorded is not raised, and is judged again at the next
price or minute.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Executor
from datetime import datetime
from typing import Final, Protocol, TypeVar
from uuid import UUID, uuid4

import msgspec
import numpy as np
import numpy.typing as npt

from adapters import bus
from domain import (
    alert,
    columns,
    facts,
    judging,
    login,
    look,
    market,
    ports,
    refusals,
    risk,
    rules,
    subjects,
)

news = logging.getLogger(__name__)

Key = tuple[UUID | None, str]
"""Which alert: of which trade, if it is about one, under which rule."""
Wheels = Mapping[UUID, Sequence[risk.OpenOption]]
"""By wheel: all its open options, none when it has none any more."""
Nudge = Callable[[int], Awaitable[None]]
Publish = Callable[[Sequence[bus.Message]], Awaitable[object]]
Answer = TypeVar("Answer")

TRIES: Final = 5
AGAIN_AFTER: Final = 0.5
UNSEEN: Final = -1
LOGIN: Final[Key] = (None, login.RULE)


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
    """The open options of one symbol, what stands about them, and what was last told of them.

    `since` is when the symbol came under watch.
    """

    def __init__(
        self,
        options: Sequence[risk.OpenOption],
        said: market.HeldMarks | None,
        before: Watched | None,
        now: datetime,
    ) -> None:
        self.book = columns.book(options)
        self.since: datetime = now if before is None else before.since
        self.marks: look.Marks | None = None
        self.standing: look.Standing = judging.nothing_raised(self.book)
        self.level: npt.NDArray[np.int8] = np.full(len(options), UNSEEN, dtype=np.int8)
        self.dte: columns.Ints = np.full(len(options), UNSEEN, dtype=np.int64)
        if said is not None:
            self.mark(said)
        if before is not None:
            self._remember(before)

    def mark(self, said: market.HeldMarks) -> None:
        """Keep what the market says of these options."""
        self.marks = look.marks(self.book, said)

    def known(self, quote: market.Quote | None) -> look.Known:
        """All that is known of the symbol, its last price with it."""
        return look.Known(since=self.since, quote=quote, marks=self.marks)

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
                [
                    _since(alerts.get((each.trade_id, rule.name), alert.QUIET))
                    for each in self.book.options
                ],
                dtype=np.int64,
            )
            for rule in rules.RULES
        }

    def news(self, verdict: judging.Verdict) -> list[int]:
        """The places whose level or days to expiration are not what was last told."""
        if verdict.evaluation is None:
            return []
        level, dte = verdict.evaluation.level, verdict.seen.dte
        changed = (level != self.level) | (dte != self.dte)
        self.level, self.dte = level, dte
        return [int(place) for place in np.flatnonzero(changed)]


def _since(told: alert.Alert) -> int:
    if not told.is_active or told.raised_at is None:
        return look.NEVER
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

    Those that are not `known` were never raised. Blocking calls go to `thread`. What is recorded
    is said by `source`.
    """

    def __init__(
        self, log: AlertLog, nudge: Nudge, thread: Executor | None, source: str = "risk"
    ) -> None:
        self.known: dict[Key, alert.Alert] = {}
        self.raised = self.cleared = 0
        self._log = log
        self._nudge = nudge
        self._thread = thread
        self._source = source

    async def learn(self, keys: Sequence[Key]) -> None:
        """Read from the log how these alerts stand."""
        if keys:
            self.known |= await in_thread(
                self._thread, lambda: {key: self._read(key) for key in keys}
            )

    def stands(self, key: Key) -> bool:
        """Whether this alert is raised, as far as we know."""
        return self.known.get(key, alert.QUIET).is_active

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
            state = after.get(order.key) or self.known.get(order.key, alert.QUIET)
            for fact in alert.decide(state, order.command, order.at):
                recorded.append(_recorded(order, state.version + 1, fact, self._source))
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


def _recorded(order: Order, version: int, fact: facts.AlertFact, source: str) -> facts.Recorded:
    stream = facts.alert_stream(*order.key)
    return facts.Recorded(0, stream, version, order.at, order.at, source, uuid4(), None, fact)


class Watch:
    """All that is known of prices and positions, and the orders that follow from it."""

    def __init__(
        self, alerts: Alerts, outbox: Outbox, clock: ports.Clock, limits: look.Limits
    ) -> None:
        self.position = UNSEEN
        self.quotes_heard = 0
        self._quotes: dict[str, market.Quote] = {}
        self._marks: dict[str, market.HeldMarks] = {}
        self._provider: market.Provider | None = None
        self._wheels: dict[UUID, Sequence[risk.OpenOption]] = {}
        self._held: dict[str, dict[UUID, risk.OpenOption]] = {}
        self._watched: dict[str, Watched] = {}
        self._alerts = alerts
        self._outbox = outbox
        self._clock = clock
        self._limits = limits
        self._orders: list[Order] = []
        self._over: dict[Key, Order] = {}
        self._judged: set[str] = set()

    @property
    def held(self) -> Mapping[str, Collection[risk.OpenOption]]:
        """The open options, by symbol."""
        return {symbol: held.values() for symbol, held in self._held.items() if held}

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

    async def moved(self, position: int, wheels: Wheels, alerts: Iterable[Key] = ()) -> None:
        """Watch what these wheels hold now; what they held before is over.

        `position` is that of the log which the views have come to, `alerts` all that were ever
        raised, until then, on what these wheels hold: of no other does the log know.
        """
        before = {each.trade_id: each for id_ in wheels for each in self._wheels.get(id_, ())}
        now = {each.trade_id: each for options in wheels.values() for each in options}
        new = now.keys() - before.keys()
        first = [LOGIN] if self.position == UNSEEN else []
        await self._alerts.learn([*first, *(key for key in alerts if key[0] in new)])
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
                watched = Watched(
                    list(held.values()), self._marks.get(symbol), before, self._clock.now()
                )
                self._watched[symbol] = watched
                watched.stand(self._alerts.known)
                self.judge(symbol)

    async def settle(self, raised: Iterable[Key]) -> None:
        """Make up for what was done to alerts while nobody watched, or by another watch.

        `raised` are all that stand, as the views have it: those of trades that have ended are
        over, and of those that we do not know to stand we learn how they do.
        """
        open_trades = {each for held in self._held.values() for each in held}
        ours = [key for key in raised if key[0] is not None and not self._alerts.stands(key)]
        left = [key for key in raised if key[0] is not None and key[0] not in open_trades]
        await self._alerts.learn(list({*ours, *left}))
        self._restand({each for each, _ in ours})
        self.over(left)

    def _restand(self, trades: AbstractSet[UUID | None]) -> None:
        """Let stand what the log says of some trades."""
        for symbol, held in self._held.items():
            if symbol in self._watched and not trades.isdisjoint(held):
                self._watched[symbol].stand(self._alerts.known)

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

    def marked(self, said: market.HeldMarks) -> None:
        """Judge by marks of held options; older ones than the last are none."""
        last = self._marks.get(said.symbol)
        if last is not None and said.as_of < last.as_of:
            return
        self._marks[said.symbol] = said
        if said.symbol in self._watched:
            self._watched[said.symbol].mark(said)
            self.judge(said.symbol)

    def provided(self, provider: market.Provider) -> None:
        """Know how the provider is, and its login; they are judged when we record."""
        if self._provider is None or provider.as_of >= self._provider.as_of:
            self._provider = provider

    def judge_all(self) -> None:
        """Judge by the passing of time."""
        for symbol in self._watched:
            self.judge(symbol)

    def judge(self, symbol: str) -> None:
        """Ask every rule about every option in a symbol, now, by the last that is known of it."""
        watched = self._watched.get(symbol)
        if watched is None:
            return
        now = self._clock.now()
        known = watched.known(self._quotes.get(symbol))
        verdict = judging.judge(watched.book, watched.standing, known, now, self._limits)
        watched.standing = verdict.seen.raised
        for turn in verdict.turns:
            self._judged.add(symbol)
            self._orders += _orders(verdict.seen, turn)
        if (quote := verdict.seen.quote) is not None:
            for place in watched.news(verdict):
                option = watched.book.options[place]
                self._outbox.put(risk.position_risk(option, quote, verdict.seen.on), now)

    def _of_login(self) -> list[Order]:
        """What is to become of the alert about the provider's login; one way is enough to it."""
        if self._provider is None or self.position == UNSEEN:
            return []
        now = self._clock.now()
        alerted = self._alerts.known.get(LOGIN, alert.QUIET)
        stands = alerted.told.severity if alerted.is_active and alerted.told else None
        wanted = login.severity(self._provider, now)
        if wanted == stands:
            return []
        over = alert.Clear("logged in anew" if wanted is None else f"{wanted} from now on")
        orders = [] if stands is None else [Order(LOGIN, over, now)]
        if wanted is not None:
            told = alert.Raise(login.told(self._provider, wanted, now))
            orders.append(Order(LOGIN, told, now))
        return orders

    async def record(self) -> bool:
        """Record what has been judged since the last time; whether nothing is left to record.

        What could not be recorded does not stand: it is judged again. Only that a trade has
        ended would not be noticed a second time, so those orders wait.
        """
        orders = [*self._orders, *self._over.values(), *self._of_login()]
        judged = self._judged & self._watched.keys()
        self._orders, self._judged = [], set()
        if not orders:
            return True
        recorded = as_decided = False
        try:
            as_decided = await self._alerts.carry_out(orders)
        except refusals.Refusal as reason:
            news.warning("%d alerts could not be recorded yet: %s", len(orders), reason)
        else:
            recorded = True
            self._alerts.forget(self._over)
            self._over = {}
        if not as_decided:
            for symbol in judged:
                self._watched[symbol].stand(self._alerts.known)
        return recorded


def _orders(seen: look.Look, turn: judging.Turn) -> Iterable[Order]:
    rule, options = turn.rule, seen.book.options
    for place in turn.raised:
        told = alert.Raise(judging.told(rule, seen, place))
        yield Order((options[place].trade_id, rule.name), told, seen.at)
    for place in turn.cleared:
        price, _ = judging.priced(rule, seen)
        over = alert.Clear(rule.ended(seen, place), price)
        yield Order((options[place].trade_id, rule.name), over, seen.at)


def _keys(trades: Iterable[UUID]) -> list[Key]:
    return [(trade, rule.name) for trade in trades for rule in rules.RULES]


async def in_thread(thread: Executor | None, blocking: Callable[[], Answer]) -> Answer:
    """Wait for something that blocks, elsewhere."""
    return await asyncio.get_running_loop().run_in_executor(thread, blocking)
