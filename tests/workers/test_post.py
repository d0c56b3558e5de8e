"""The post office: who is told what, in which order, once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters import addresses, clock, courier, event_store
from adapters.event_store import EventStore
from domain import channel, facts, notification, subjects
from tests.api.waiting import until
from workers import post
from workers.book import Book
from workers.post import Post

NOON = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
QUIET = facts.Quiet(start="22:00", end="07:00")
NIGHT = datetime(2026, 3, 3, 4, 0, tzinfo=UTC)
QUIET_BEGINS = datetime(2026, 3, 3, 3, 0, tzinfo=UTC)
MORNING = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
RETRIED = timedelta(minutes=30)


class Watch(clock.Clock):
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.at = NOON

    def now(self) -> datetime:
        return self.at


class Messenger:
    """Takes what it is given, unless a word in it says that it must not."""

    def __init__(self) -> None:
        self.brought: list[courier.Message] = []
        self.refused: set[str] = set()

    async def bring(self, url: str, message: courier.Message) -> str | None:
        if any(word in message.body for word in self.refused):
            return "it was not reached"
        self.brought.append(message)
        return None

    @property
    def said(self) -> list[str]:
        return [each.body.splitlines()[0] for each in self.brought]


class Stage:
    """A post office with a log, and an alert for each trade."""

    def __init__(self, log: EventStore, folder: Path, thread: ThreadPoolExecutor) -> None:
        self.log = log
        self.watch = Watch()
        self.messenger: Messenger = Messenger()
        self.addresses = addresses.Addresses(folder)
        self._thread = thread
        self.post = self.opened()

    def opened(self) -> Post:
        book = Book(self.log, _no_nudge, self.watch, self._thread)
        return Post(book, self.addresses, self.messenger, self.watch, "http://x")

    def opens(self, name: str = "mail", **said: Any) -> None:
        address = channel.Address(self.addresses.keep(f"json://{name}"), "json")
        self._decide(channel.Order(name, channel.Setup(**said), address, is_new=True))

    def changes(self, name: str = "mail", **said: Any) -> None:
        self._decide(channel.Order(name, channel.Setup(**said)))

    def remove(self, name: str) -> None:
        self._decide(channel.Order(name, channel.Remove()))

    def _decide(self, order: channel.Order) -> None:
        state = channel.fold(self.log.stream(facts.CHANNELS_STREAM))
        now = self.watch.at - timedelta(milliseconds=1)
        self.log.append(channel.decide(state, order, now=now, command_id=uuid4()))

    def happened(
        self, trade: int, fact: type[facts.OfAlert], wheel: int = 1, **said: Any
    ) -> subjects.AlertNotice:
        """Record something about the alert of a trade; what the bus says of it."""
        whose = {"wheel_id": UUID(int=wheel), "trade_id": UUID(int=trade), "rule": "itm"}
        fields: dict[str, Any] = {"symbol": "XYZ", "severity": "MEDIUM"} | whose | said
        told = fact(**fields)
        stream, now = facts.alert_stream(UUID(int=trade), "itm"), self.watch.now()
        version = len(self.log.stream(stream)) + 1
        self.log.append([facts.Recorded(0, stream, version, now, now, "risk", uuid4(), None, told)])
        recorded = self.log.stream(stream)[-1]
        assert isinstance(recorded.fact, facts.AlertFact)
        return subjects.alert_notice(recorded, recorded.fact)

    def raised(self, trade: int, wheel: int = 1, **said: Any) -> subjects.AlertNotice:
        return self.happened(
            trade, facts.AlertRaised, wheel, **{"message": f"alert {trade}"} | said
        )

    def cleared(self, trade: int) -> subjects.AlertNotice:
        return self.happened(trade, facts.AlertCleared, reason="OTM")

    async def hears(self, *notices: subjects.AlertNotice) -> None:
        await self.post.hear(notices)
        await self.sends()

    async def sends(self, at: datetime | None = None) -> None:
        self.watch.at = at or self.watch.at
        await self.post.send()
        await self.post.idle()

    def delivery(self, notice: subjects.AlertNotice, name: str = "mail") -> Any:
        stream = facts.notification_stream(name, notice.position)
        return notification.fold(self.log.stream(stream))


async def _until(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, condition)


async def _no_nudge(_: int) -> None:
    pass


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
async def stage(tmp_path: Path, thread: ThreadPoolExecutor) -> AsyncIterator[Stage]:
    with closing(event_store.open_sqlite(tmp_path / "ledger.db")) as log:
        yield Stage(log, tmp_path / "notifications", thread)


async def test_an_alert_is_told_once_however_often_it_is_heard(stage: Stage) -> None:
    stage.opens()
    notice = stage.raised(1)
    for _ in range(3):
        await stage.hears(notice)
    assert stage.messenger.said == ["alert 1"]
    assert (stage.delivery(notice).status, stage.delivery(notice).version) == ("delivered", 3)


async def test_a_message_says_what_can_be_done_by_links_and_fields(stage: Stage) -> None:
    stage.opens()
    notice = stage.raised(1)
    await stage.hears(notice)
    [message] = stage.messenger.brought
    assert message.id == str(facts.notification_stream("mail", notice.position))
    assert message.title == "MEDIUM XYZ itm"
    for what in ("acknowledge", "mute", "clear"):
        link = message.fields[f"{what}_url"]
        assert link in message.body
        assert link.startswith(f"http://x/api/v1/alerts/{notice.alert_id}/act?what={what}")


async def test_what_fails_holds_back_its_own_wheel_alone(stage: Stage) -> None:
    stage.opens()
    stage.messenger.refused = {"alert 1"}
    await stage.hears(stage.raised(1), stage.raised(2), stage.raised(3, wheel=2))
    assert stage.messenger.said == ["alert 3"]
    stage.messenger.refused = set()
    await stage.sends(NOON + RETRIED)
    assert stage.messenger.said == ["alert 3", "alert 1", "alert 2"]


async def test_what_fails_on_one_channel_is_told_on_another(stage: Stage) -> None:
    stage.opens("mail")
    stage.opens("phone")
    stage.addresses.forget(stage.addresses.key("json://mail"))
    notice = stage.raised(1)
    await stage.hears(notice)
    assert stage.delivery(notice, "phone").status == "delivered"
    assert "its URL is not kept here" in stage.delivery(notice, "mail").error


class Slow(Messenger):
    """Answers late over some channels, and only when it is told to; all others at once."""

    def __init__(self) -> None:
        super().__init__()
        self.out: list[str] = []
        self.late = asyncio.Event()

    async def bring(self, url: str, message: courier.Message) -> str | None:
        if "slow" not in url:
            return await super().bring(url, message)
        self.out.append(url)
        await self.late.wait()
        return "it was not reached"


async def test_channels_that_refuse_late_wait_for_each_other_and_keep_nobody_else(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post, "LATE_AFTER", 0)
    stage.messenger = slow = Slow()
    stage.post = stage.opened()
    for name in ("slow1", "slow2", "mail"):
        stage.opens(name)
    slow.late.set()
    await stage.hears(stage.raised(1))
    slow.late.clear()
    slow.out.clear()
    await stage.post.hear([stage.raised(n, wheel=n) for n in range(2, 6)])
    await stage.post.send()
    await _until(lambda: len(slow.brought) == 5)
    assert len(slow.out) == 1
    slow.late.set()
    await stage.post.idle()
    assert len(slow.out) == 8


async def test_who_rests_leaves_what_does_not_come_back_and_it_is_sent_again(
    stage: Stage,
) -> None:
    stage.messenger = Slow()
    stage.post = stage.opened()
    stage.opens("slow")
    notice = stage.raised(1)
    await stage.post.hear([notice])
    await stage.post.send()
    await _until(lambda: stage.delivery(notice, "slow").begun)
    await stage.post.rest()
    stage.messenger = Messenger()
    stage.post = stage.opened()
    await stage.post.recall([facts.notification_stream("slow", notice.position)], [])
    await stage.sends()
    assert [each.fields["perhaps_repeated"] for each in stage.messenger.brought] == [True]


async def test_a_failure_is_tried_again_at_its_time_and_not_before(stage: Stage) -> None:
    stage.opens()
    stage.messenger.refused = {"alert 1"}
    notice = stage.raised(1)
    await stage.hears(notice)
    stage.messenger.refused = set()
    due = stage.delivery(notice).due
    await stage.sends(due - timedelta(microseconds=1))
    assert (stage.messenger.said, stage.post.next_hour()) == ([], due)
    await stage.sends(due)
    assert (stage.messenger.said, stage.post.next_hour()) == (["alert 1"], None)


async def test_quiet_hours_hold_back_but_what_is_high_passes(stage: Stage) -> None:
    stage.opens(quiet=QUIET)
    stage.watch.at = NIGHT
    await stage.hears(stage.raised(1), stage.raised(2, severity="HIGH"))
    assert stage.messenger.said == ["alert 2"]
    await stage.sends(MORNING - timedelta(seconds=1))
    assert stage.messenger.said == ["alert 2"]
    await stage.sends(MORNING)
    assert stage.messenger.said == ["alert 2", "alert 1"]


async def test_what_failed_before_the_quiet_hours_is_not_tried_again_within_them(
    stage: Stage,
) -> None:
    """It holds back nothing that may pass, meanwhile."""
    stage.opens(quiet=QUIET)
    stage.watch.at = QUIET_BEGINS - timedelta(seconds=1)
    stage.messenger.refused = {"alert 1"}
    await stage.hears(stage.raised(1))
    stage.messenger.refused = set()
    await stage.sends(NIGHT)
    assert (stage.messenger.said, stage.post.next_hour()) == ([], MORNING)
    await stage.hears(stage.raised(2, severity="HIGH"))
    assert stage.messenger.said == ["alert 2"]
    await stage.sends(MORNING)
    assert stage.messenger.said == ["alert 2", "alert 1"]


async def test_who_starts_anew_in_quiet_hours_keeps_them(stage: Stage) -> None:
    stage.opens("mail", quiet=QUIET)
    stage.opens("digest", quiet=QUIET, digest=facts.Digest(every="hourly"))
    notice = stage.raised(1)
    await stage.post.hear([notice])
    stage.post = stage.opened()
    streams = [facts.notification_stream(name, notice.position) for name in ("mail", "digest")]
    await stage.post.recall(streams, [])
    await stage.sends(NIGHT)
    assert stage.messenger.brought == []
    await stage.sends(MORNING)
    assert len(stage.messenger.brought) == 2


async def test_what_a_channel_is_not_for_any_more_is_withdrawn(stage: Stage) -> None:
    stage.opens()
    stage.messenger.refused = {"alert 2"}
    told, waiting = stage.raised(1), stage.raised(2, wheel=2)
    await stage.hears(told, waiting)
    stage.messenger.refused = set()
    stage.changes(severities=("HIGH",))
    over = stage.cleared(1)
    await stage.hears(over)
    await stage.sends(NOON + RETRIED)
    assert stage.messenger.said == ["alert 1", "XYZ itm is over: OTM"]
    assert stage.delivery(waiting).error == "the channel is not for such alerts any more"


async def test_an_end_is_not_told_where_that_is_wanted_no_more(stage: Stage) -> None:
    stage.opens()
    await stage.hears(stage.raised(1))
    stage.messenger.refused = {"over"}
    over = stage.cleared(1)
    await stage.hears(over)
    stage.messenger.refused = set()
    stage.changes(cleared=False)
    await stage.sends(NOON + RETRIED)
    assert stage.messenger.said == ["alert 1"]
    assert stage.delivery(over).error == "the channel is not told any more what is over"


async def test_a_channel_that_is_set_up_again_is_not_told_what_waited_for_the_old_one(
    stage: Stage,
) -> None:
    stage.opens()
    told = stage.raised(1)
    await stage.hears(told)
    stage.messenger.refused = {"alert 2"}
    waiting = stage.raised(2, wheel=2)
    await stage.hears(waiting)
    stage.watch.at += timedelta(seconds=1)
    stage.remove("mail")
    stage.opens()
    stage.messenger.refused = set()
    await stage.hears(stage.cleared(1))
    await stage.sends(NOON + RETRIED)
    assert stage.messenger.said == ["alert 1"]
    assert stage.delivery(waiting).error == "the channel was removed"


async def test_a_digest_is_one_message_with_all_that_came_together(stage: Stage) -> None:
    stage.opens(digest=facts.Digest(every="hourly"))
    notices = [stage.raised(1), stage.raised(2, wheel=2)]
    await stage.hears(*notices)
    assert stage.messenger.said == []
    due = NOON + timedelta(hours=1)
    await stage.sends(due)
    [message] = stage.messenger.brought
    assert message.title == "2 alerts for mail"
    digest = facts.digest_stream("mail", due)
    assert {stage.delivery(each).digest_id for each in notices} == {digest}
    [sent] = stage.log.stream(digest)
    assert isinstance(sent.fact, facts.DigestSent)
    assert len(sent.fact.deliveries) == 2


async def test_what_was_seen_meanwhile_is_not_told_any_more(stage: Stage) -> None:
    stage.opens(quiet=QUIET)
    stage.watch.at = NIGHT
    notice, other = stage.raised(1), stage.raised(2)
    await stage.hears(notice, other)
    stage.happened(1, facts.AlertAcknowledged)
    stage.happened(2, facts.AlertMuted, until=MORNING + timedelta(hours=1))
    await stage.sends(MORNING)
    assert stage.messenger.said == []
    assert stage.delivery(notice).error == "somebody has acknowledged it"
    assert stage.delivery(other).error == "somebody has muted it"


async def test_an_end_is_told_to_who_was_told_of_the_beginning(stage: Stage) -> None:
    stage.opens("mail")
    await stage.hears(stage.raised(1))
    stage.opens("late")
    await stage.hears(stage.cleared(1))
    assert stage.messenger.said == ["alert 1", "XYZ itm is over: OTM"]


async def test_what_is_over_before_its_hour_is_told_neither_begun_nor_over(stage: Stage) -> None:
    stage.opens(quiet=QUIET)
    stage.watch.at = NIGHT
    await stage.hears(stage.raised(1))
    over = stage.cleared(1)
    await stage.hears(over)
    await stage.sends(MORNING)
    assert stage.messenger.said == []
    assert stage.delivery(over).error == "nobody was told of it before"


async def test_what_nobody_acknowledges_goes_to_another_channel_once(stage: Stage) -> None:
    stage.opens("phone", severities=("HIGH",))
    stage.opens("mail", escalation=facts.Escalation(after_minutes=10, to="phone"))
    await stage.hears(stage.raised(1), stage.raised(2, wheel=2))
    stage.happened(2, facts.AlertAcknowledged)
    assert stage.post.next_hour() == NOON + timedelta(minutes=10)
    for minutes in (10, 20):
        await stage.sends(NOON + timedelta(minutes=minutes))
    assert stage.messenger.said == ["alert 1", "alert 2", "Not acknowledged yet: alert 1"]


async def test_what_is_not_to_be_sent_on_any_more_is_not(stage: Stage) -> None:
    stage.opens("phone", severities=("HIGH",))
    for name in ("changed", "removed", "off"):
        stage.opens(name, escalation=facts.Escalation(after_minutes=10, to="phone"))
    await stage.hears(stage.raised(1))
    stage.changes("changed", escalation=None)
    stage.remove("removed")
    stage.changes("off", enabled=False)
    await stage.sends(NOON + timedelta(minutes=10))
    assert stage.messenger.said == ["alert 1"] * 3


async def test_who_starts_anew_escalates_what_was_to_be_and_not_twice(stage: Stage) -> None:
    stage.opens("phone", severities=("HIGH",))
    stage.opens("mail", escalation=facts.Escalation(after_minutes=10, to="phone"))
    notice = stage.raised(1)
    await stage.hears(notice)
    for minutes in (10, 20):
        stage.post = stage.opened()
        await stage.post.recall([], [facts.notification_stream("mail", notice.position)])
        await stage.sends(NOON + timedelta(minutes=minutes))
    assert stage.messenger.said == ["alert 1", "Not acknowledged yet: alert 1"]


async def test_who_finds_it_begun_sends_it_again_under_its_id_and_says_so(stage: Stage) -> None:
    stage.opens(quiet=QUIET)
    stage.watch.at = NIGHT
    notice = stage.raised(1)
    await stage.hears(notice)
    id_ = facts.notification_stream("mail", notice.position)
    begun = notification.begun(stage.delivery(notice))
    stage.log.append([facts.Recorded(0, id_, 2, NIGHT, NIGHT, "notifier", uuid4(), None, begun)])
    stage.post = stage.opened()
    await stage.post.recall([id_], [])
    await stage.sends(MORNING)
    [message] = stage.messenger.brought
    assert (message.id, message.fields["perhaps_repeated"]) == (str(id_), True)
    assert stage.delivery(notice).attempts == 2


async def test_what_was_planned_and_lost_from_sight_is_taken_up_when_it_is_heard_again(
    stage: Stage,
) -> None:
    stage.opens(quiet=QUIET)
    stage.watch.at = NIGHT
    notice = stage.raised(1)
    await stage.hears(notice)
    stage.post = stage.opened()
    await stage.hears(notice)
    await stage.hears(notice)
    await stage.sends(MORNING)
    assert stage.messenger.said == ["alert 1"]


async def test_what_waits_for_a_channel_that_is_removed_is_withdrawn(stage: Stage) -> None:
    stage.opens(quiet=QUIET)
    stage.watch.at = NIGHT
    notice = stage.raised(1)
    await stage.hears(notice)
    stage.remove("mail")
    await stage.sends(MORNING)
    assert (stage.messenger.said, stage.delivery(notice).error) == ([], "the channel was removed")


async def test_two_post_offices_tell_it_once(stage: Stage) -> None:
    stage.opens()
    notice = stage.raised(1)
    other = stage.opened()
    await stage.post.hear([notice])
    await other.recall([facts.notification_stream("mail", notice.position)], [])
    for each in (stage.post, other):
        await each.send()
        await each.idle()
    assert stage.messenger.said == ["alert 1"]


async def test_an_alert_of_another_log_is_told_to_nobody(stage: Stage) -> None:
    stage.opens()
    told = stage.raised(1)
    fact = facts.AlertRaised(symbol="XYZ", rule="itm", severity="LOW", message="not ours")
    other = facts.Recorded(99, UUID(int=5), 1, NOON, NOON, "risk", UUID(int=6), None, fact)
    await stage.hears(subjects.alert_notice(other, fact))
    assert (stage.messenger.said, stage.delivery(told).plan) == ([], None)
