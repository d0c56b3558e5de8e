"""One scan at a time: symbol by symbol, a few at once, each find recorded as it comes.

A symbol that cannot be searched is kept with its reason and stops no other. What was recorded
stays recorded whatever becomes of the scan, and is not found a second time on the same day.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, Literal, Protocol
from uuid import UUID

from msgspec.structs import replace

from domain import facts, market, opportunity, ports, refusals, subjects, watchlist

_logger = logging.getLogger(__name__)

Find = Callable[[str, facts.Profile], Awaitable[Sequence[facts.OpportunityFound]]]
"""What is worth selling in a symbol, the best first; whichever `scan_id` it says, ours counts.

Raises market.MarketFault or refusals.Refusal where the symbol cannot be searched.
"""
Tell = Callable[[subjects.JobNotice], Awaitable[None]]
"""Tells how a scan stands; what cannot be told is not, and is no reason to stop."""

AT_ONCE: Final = 4
UNLISTED: Final[facts.Profile] = "conservative"
"""The profile for symbols that are not on the watchlist."""
INTERRUPTED: Final = "interrupted: the scanner ended before the scan did"
RUNNING: Final = "a scan is running already"
REUSED: Final = "the idempotency key was used for a scan of other symbols"


class FindLog(Protocol):
    """What a search needs of the log. Blocking."""

    def stream(self, stream_id: UUID) -> Sequence[facts.Recorded]: ...

    def append_each(
        self, appends: Sequence[ports.Append]
    ) -> Sequence[Sequence[int] | refusals.Refusal]: ...


class Ledger:
    """The way to the log: what is watched, and what was found."""

    def __init__(
        self,
        log: FindLog,
        nudge: Callable[[int], Awaitable[None]],
        clock: ports.Clock,
        thread: Executor | None = None,
    ) -> None:
        self._log = log
        self._nudge = nudge
        self._clock = clock
        self._thread = thread

    async def profiles(self, symbols: Sequence[str] | None) -> dict[str, facts.Profile]:
        """The profile to search each symbol by; None asks for all that are watched."""
        stream = await self._aside(lambda: self._log.stream(facts.WATCHLIST_STREAM))
        watched = {each.symbol: each.profile for each in watchlist.fold(stream).watched}
        return {
            symbol: watched.get(symbol, UNLISTED)
            for symbol in (watched if symbols is None else symbols)
        }

    async def record(self, scan_id: UUID, found: Sequence[facts.OpportunityFound]) -> int:
        """Record what was not found before on its day; how many that are.

        Raises refusals.Invalid for a find that makes no sense, refusals.Unavailable when the log
        does not take one.
        """
        now = self._clock.now()
        appends = [_append(each, scan_id, now) for each in found]
        if not appends:
            return 0
        outcomes = await self._aside(lambda: self._log.append_each(appends))
        stored = [each for each in outcomes if not isinstance(each, refusals.Refusal)]
        if stored:
            await self._nudge(stored[-1][-1])
        for each in outcomes:
            if isinstance(each, refusals.Refusal) and not isinstance(each, refusals.Stale):
                raise each
        return len(stored)

    async def _aside(self, blocking: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, blocking)


def _append(found: facts.OpportunityFound, scan_id: UUID, now: datetime) -> ports.Append:
    """As the first fact of its stream: a second one has no place there."""
    ours = replace(found, scan_id=scan_id)
    [fact] = opportunity.decide(opportunity.NOTHING, opportunity.Find(ours))
    stream = facts.opportunity_stream(fact)
    return ports.Append([facts.Recorded(0, stream, 1, now, now, "scanner", scan_id, None, fact)])


class Pace:
    """When to tell of progress: after so many symbols, or so many (real) seconds."""

    def __init__(self, symbols: int = 10, seconds: float = 1.0) -> None:
        self._symbols = symbols
        self._seconds = seconds
        self.begin()

    def begin(self) -> None:
        """It has just been told that nothing is done yet."""
        self._done, self._at = 0, asyncio.get_running_loop().time()

    def is_due(self, done: int) -> bool:
        """Whether to tell that so many are done; then it counts as told."""
        now = asyncio.get_running_loop().time()
        if done - self._done < self._symbols and now - self._at < self._seconds:
            return False
        self._done, self._at = done, now
        return True


class Scanner:
    """Begins scans when it is asked to, and knows how the last one stands."""

    def __init__(
        self,
        ledger: Ledger,
        find: Find,
        tell: Tell,
        keep: Callable[[subjects.Scan], None],
        clock: ports.Clock,
        last: subjects.Scan | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.scan = last
        self.scans = self.found = 0
        self._ledger = ledger
        self._find = find
        self._tell_job = tell
        self._write = keep
        self._clock = clock
        self._pace = pace or Pace()
        self._beginning = asyncio.Lock()
        self._running: asyncio.Task[None] | None = None

    @property
    def report(self) -> dict[str, int]:
        """What a heartbeat tells."""
        scan = self.scan
        return {
            "scans": self.scans,
            "found": self.found,
            "symbols": len(scan.symbols) if scan else 0,
            "done": scan.done if scan else 0,
            "failing": len(scan.failed) if scan else 0,
        }

    async def recall(self) -> None:
        """A scan that was running when we ended has failed; say so."""
        if self.scan is not None and self.scan.status == "running":
            await self._end("failed", INTERRUPTED)

    async def reply(self, question: subjects.ScanQuestion) -> subjects.ScanReply:
        """Answer how the last scan stands, or begin one, unless one is running."""
        if question.order is None:
            return subjects.ScanReply(self.scan)
        async with self._beginning:
            conflict = self._conflict(question.order)
            if conflict is None and not self._is_known(question.order):
                await self._begin(question.order)
            return subjects.ScanReply(self.scan, conflict)

    def _is_known(self, order: subjects.ScanOrder) -> bool:
        return self.scan is not None and self.scan.id == order.id

    def _conflict(self, order: subjects.ScanOrder) -> str | None:
        """Why this scan cannot begin, nor is one that was begun before."""
        if self.scan is None:
            return None
        if self._is_known(order):
            return None if order.symbols in (None, self.scan.symbols) else REUSED
        return RUNNING if self.scan.status == "running" else None

    async def _begin(self, order: subjects.ScanOrder) -> None:
        scan = subjects.Scan(
            id=order.id,
            status="running",
            started_at=self._clock.now(),
            finished_at=None,
            symbols=order.symbols or (),
            done=0,
            failed=(),
            found=0,
            message=None,
        )
        try:
            profiles = await self._ledger.profiles(order.symbols)
        except refusals.Unavailable as reason:
            self.scan = scan
            await self._end("failed", f"what is watched cannot be read: {reason.message}")
            return
        self.scan = replace(scan, symbols=tuple(profiles))
        self.scans += 1
        self._keep()
        self._running = asyncio.create_task(self._run(profiles), name="scan")

    async def _run(self, profiles: Mapping[str, facts.Profile]) -> None:
        try:
            await self._tell("started")
            await self._search(profiles)
        except asyncio.CancelledError:  # by us, or from within: it must not stay as running
            await self._end("failed", INTERRUPTED)
            raise
        except Exception:
            _logger.exception("the scan stumbled")
            await self._end("failed", "an internal error; the scanner's log has it")
            return
        await self._end(*_verdict(self._standing))

    async def _search(self, profiles: Mapping[str, facts.Profile]) -> None:
        """Search every symbol, a few at once, and count what becomes of each as it is done."""
        self._pace.begin()
        free = asyncio.Semaphore(AT_ONCE)

        async def one(symbol: str, profile: facts.Profile) -> int | subjects.ScanFailure:
            async with free:
                return await self._searched(symbol, profile)

        async with asyncio.TaskGroup() as group:
            searching = [group.create_task(one(*each)) for each in profiles.items()]
            for finished in asyncio.as_completed(searching):
                self._count(await finished)
                if self._standing.done < len(profiles) and self._pace.is_due(self._standing.done):
                    self._keep()
                    await self._tell("progress")

    async def _searched(self, symbol: str, profile: facts.Profile) -> int | subjects.ScanFailure:
        """How many were found in a symbol that are new today, or why it could not be searched."""
        try:
            return await self._ledger.record(self._standing.id, await self._find(symbol, profile))
        except Exception as reason:  # noqa: BLE001  one failing symbol never stops the others
            return _failure(symbol, reason)

    def _count(self, outcome: int | subjects.ScanFailure) -> None:
        scan = self._standing
        if isinstance(outcome, subjects.ScanFailure):
            self.scan = replace(scan, done=scan.done + 1, failed=(*scan.failed, outcome))
        else:
            self.scan = replace(scan, done=scan.done + 1, found=scan.found + outcome)
            self.found += outcome

    async def stop(self) -> None:
        """End the scan that is running, if one is, and let who asks later know."""
        if self._running is None or self._running.done():
            return
        self._running.cancel()
        with suppress(asyncio.CancelledError):
            await self._running
        await self.recall()

    def _keep(self) -> None:
        """Write down how the scan stands; without a disk it goes on all the same."""
        try:
            self._write(self._standing)
        except refusals.Unavailable as reason:
            _logger.warning("%s", reason)

    @property
    def _standing(self) -> subjects.Scan:
        assert self.scan is not None
        return self.scan

    async def _end(self, status: Literal["succeeded", "failed"], message: str | None) -> None:
        finished = self._clock.now()
        self.scan = replace(self._standing, status=status, finished_at=finished, message=message)
        self._keep()
        await self._tell(status)

    async def _tell(self, outcome: subjects.Outcome) -> None:
        scan = self._standing
        await self._tell_job(
            subjects.JobNotice(
                job=subjects.OPPORTUNITY_SCANNING,
                run_id=scan.id,
                outcome=outcome,
                started_at=scan.started_at,
                at=scan.finished_at or self._clock.now(),
                done=scan.done,
                total=len(scan.symbols),
                failed=len(scan.failed),
                found=scan.found,
                message=scan.message,
            )
        )


def _verdict(scan: subjects.Scan) -> tuple[Literal["succeeded", "failed"], str | None]:
    """How a scan ended that went through all its symbols."""
    if not scan.failed:
        return "succeeded", None
    if len(scan.failed) == len(scan.symbols):
        return "failed", "no symbol could be searched"
    return "succeeded", f"{len(scan.failed)} of {len(scan.symbols)} symbols could not be searched"


_CODES: Final = (
    (market.MarketFault, "EXTERNAL_API_ERROR"),
    (refusals.Invalid, "VALIDATION_ERROR"),
    (refusals.Unknown, "NOT_FOUND"),
    (refusals.Unavailable, "SERVICE_UNAVAILABLE"),
    (refusals.Refusal, "INVALID_STATE"),
)


def _failure(symbol: str, reason: Exception) -> subjects.ScanFailure:
    for kind, code in _CODES:
        if isinstance(reason, kind):
            why = reason.why if isinstance(reason, market.MarketFault) else str(reason)
            return subjects.ScanFailure(symbol, code, why)
    _logger.error("searching %s failed", symbol, exc_info=reason)
    return subjects.ScanFailure(symbol, "INTERNAL_ERROR", "the scanner's log has it")
