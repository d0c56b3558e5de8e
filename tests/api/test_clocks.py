"""What was held then, and what was believed then: the two clocks of a question."""

import random
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters import event_store
from api import archive
from projections import past, rebuild, tables
from tests.api.client import Client, Desk
from tests.api.house import House
from tests.api.waiting import until

WEDNESDAY, THURSDAY = "2026-03-04", "2026-03-05"
THURSDAY_MORNING = datetime(2026, 3, 5, 15, 0, tzinfo=UTC)
STEPS = 40

D = Decimal


@pytest.fixture(scope="module")
def noticed_late(client: Client, house: House) -> str:
    """Five puts sold on Monday, two of them assigned on Tuesday; the notice comes on Thursday."""
    desk = Desk(client)
    wheel = desk.wheel("XYZ", capital_allocated=50_000)
    puts = desk.sell(wheel, contracts=5, expiration_date="2026-03-20")
    house.watch.turn_to(THURSDAY_MORNING)
    desk.act(puts, "assign", contracts=2, effective_at="2026-03-03")
    return wheel


@pytest.mark.parametrize(
    ("query", "shares"),
    [
        ({}, 200),
        ({"as_of": WEDNESDAY}, 200),
        ({"as_of": WEDNESDAY, "known_at": THURSDAY}, 200),
        ({"as_of": WEDNESDAY, "known_at": WEDNESDAY}, 0),
        ({"as_of": "2026-03-02"}, 0),
        ({"known_at": "2026-03-04T23:59:00-05:00"}, 0),
    ],
)
def test_a_late_notice_counts_when_it_happened_and_is_known_when_it_came(
    client: Client, noticed_late: str, query: dict[str, str], shares: int
) -> None:
    assert client.get(f"/wheels/{noticed_late}", **query).data["shares"] == shares


def test_a_trade_that_was_voided_later_was_not_there_before_it_was_sold(client: Client) -> None:
    desk = Desk(client)
    wheel = desk.wheel(capital_allocated=50_000)
    put = desk.sell(wheel, opened_at="2026-02-10")
    assert client.delete(f"/trades/{put}", reason="another account's").status == 200
    before, after = (
        client.get(f"/wheels/{wheel}/trades", as_of=day).data
        for day in ("2026-02-09", "2026-02-11")
    )
    assert (len(before), len(after)) == (0, 1)


def test_an_instant_without_an_offset_is_refused(client: Client) -> None:
    refused = client.get("/wheels", as_of="2026-03-04T12:00:00")
    assert (refused.status, refused.code) == (400, "VALIDATION_ERROR")
    assert refused.error["details"]["field"] == "as_of"


def test_nothing_is_known_of_what_came_later(client: Client, desk: Desk) -> None:
    wheel = desk.wheel()
    assert client.get(f"/wheels/{wheel}", known_at="2025-12-31").status == 404


# --- whatever is recorded, the past stays as it was answered --------------------------------


class Life:
    """A wheel to which random things happen, legal or not."""

    def __init__(self, desk: Desk, seed: int) -> None:
        self.client = desk.client
        self.random = random.Random(seed)
        self.desk = desk
        self.wheel = desk.wheel("RND", capital_allocated=100_000)
        self.trades: list[str] = []
        self.recorded = 0

    def step(self) -> None:
        act: Callable[[], Any] = self.random.choice(
            [
                self.sell,
                self.sell,
                self.sell,
                self.end,
                self.end,
                self.roll,
                self.correct,
                self.void,
                self.note,
                self.shares,
                self.dividend,
                self.split,
                self.configure,
            ]
        )
        answered = act()
        assert answered is None or answered.status in (200, 201, 409), answered.body
        self.recorded += answered is not None and answered.status < 300

    def day(self, first: int = 0, last: int = 50) -> str:
        """Some day in January or February."""
        return (
            f"{datetime(2026, 1, 5, tzinfo=UTC) + timedelta(self.random.randint(first, last)):%F}"
        )

    def price(self, around: int) -> Decimal:
        return D(self.random.randint(around * 80, around * 120)) / 100

    def trade(self) -> str | None:
        return self.random.choice(self.trades) if self.trades else None

    def sell(self) -> Any:
        said = self.desk.sale(
            direction=self.random.choice(["put", "put", "call"]),
            strike=self.random.randint(90, 110),
            expiration_date=f"2026-0{self.random.choice(['2-20', '3-20', '2-27'])}",
            contracts=self.random.randint(1, 4),
            premium_per_share=self.price(2),
            opened_at=self.day(0, 30),
        )
        answered = self.client.post(f"/wheels/{self.wheel}/trades", said)
        if answered.status == 201:
            self.trades.append(answered.data["id"])
        return answered

    def on_trade(self, action: str, **said: Any) -> Any:
        trade = self.trade()
        return trade and self.client.post(f"/trades/{trade}/{action}", said)

    def end(self) -> Any:
        some = {"contracts": self.random.randint(1, 2), "effective_at": self.day(31, 45)}
        match self.random.randrange(4):
            case 0:
                return self.on_trade("close", price_per_share=self.price(1), **some)
            case 1:
                return self.on_trade("assign", **some)
            case 2:
                return self.on_trade("assign")
            case _:
                return self.on_trade("expire", stock_price_at_expiry=self.price(100))

    def roll(self) -> Any:
        answered = self.on_trade(
            "roll",
            close_price=self.price(1),
            strike=self.random.randint(90, 110),
            expiration_date="2026-03-20",
            premium_per_share=self.price(2),
            effective_at=self.day(31, 45),
        )
        if answered is not None and answered.status == 200:
            self.trades.append(answered.data["id"])
        return answered

    def correct(self) -> Any:
        trade = self.trade()
        said = {"reason": "typing error", "premium_per_share": self.price(2)}
        return trade and self.client.put(f"/trades/{trade}", said)

    def note(self) -> Any:
        trade = self.trade()
        return trade and self.client.put(f"/trades/{trade}", {"notes": self.day()})

    def void(self) -> Any:
        trade = self.trade()
        return trade and self.client.delete(f"/trades/{trade}", reason="never happened")

    def shares(self) -> Any:
        action = self.random.choice(["buy", "sell", "transfer_in"])
        said = {"action": action, "shares": 100, "price": self.price(100)}
        at = {"effective_at": self.day()}
        return self.client.post(f"/wheels/{self.wheel}/shares", said | at)

    def dividend(self) -> Any:
        said = {"amount_per_share": self.price(1), "ex_date": self.day()}
        return self.client.post(f"/wheels/{self.wheel}/dividends", said)

    def split(self) -> Any:
        said = {"numerator": 2, "denominator": 1, "effective_at": self.day(46, 50)}
        return self.client.post(f"/wheels/{self.wheel}/splits", said)

    def configure(self) -> Any:
        return self.client.put(
            f"/wheels/{self.wheel}", {"capital_allocated": self.random.randint(900, 1100) * 100}
        )

    def questions(self) -> Iterator[tuple[str, dict[str, str]]]:
        """All that can be asked about the wheel and its portfolio."""
        yield f"/wheels/{self.wheel}", {}
        yield f"/wheels/{self.wheel}/state", {}
        yield f"/wheels/{self.wheel}/trades", {"page_size": "500"}
        yield f"/wheels/{self.wheel}/lots", {}
        yield f"/wheels/{self.wheel}/cycles", {}
        yield f"/wheels/{self.wheel}/position", {}
        yield f"/wheels/{self.wheel}/risk", {}
        for policy in ("cash", "close", "us_tax"):
            yield f"/wheels/{self.wheel}/performance", {"policy": policy}
        yield f"/portfolios/{self.desk.portfolio}", {}
        yield f"/portfolios/{self.desk.portfolio}/summary", {}
        yield f"/portfolios/{self.desk.portfolio}/wheels", {}
        yield f"/portfolios/{self.desk.portfolio}/positions", {}
        yield f"/portfolios/{self.desk.portfolio}/performance", {}

    def questions_about_all(self) -> Iterator[tuple[str, dict[str, str]]]:
        """What is asked about all portfolios."""
        yield "/portfolios", {"page_size": "500"}
        yield "/portfolios/default", {}
        yield "/wheels", {"page_size": "500"}
        yield "/trades", {"page_size": "500", "sort": "-net_premium"}
        yield "/positions/open", {"page_size": "500"}
        yield "/alerts", {"page_size": "500"}
        yield "/performance/aggregate", {"policy": "close"}
        yield "/performance/timeline", {"interval": "month"}


class Told:
    """What was answered, to be asked again."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._answers: list[tuple[str, dict[str, str], str, Any]] = []

    def ask(self, questions: Iterable[tuple[str, dict[str, str]]]) -> None:
        for path, query in questions:
            answered = self._client.get(path, **query)
            self._answers.append((path, query, answered.body["timestamp"], timeless(answered.data)))

    def ask_again(self) -> None:
        for path, query, then, data in self._answers:
            again = self._client.get(path, as_of=then, known_at=then, **query)
            assert timeless(again.data) == data, (path, query, then)


def timeless(data: Any) -> Any:
    """Without the times at which positions were looked at."""
    if isinstance(data, list):
        return [timeless(each) for each in data]
    if isinstance(data, dict):
        return {name: timeless(each) for name, each in data.items() if name != "last_updated"}
    return data


@pytest.mark.parametrize("seed", range(3))
def test_the_past_is_told_as_it_was_told_then(desk: Desk, seed: int) -> None:
    life, told = Life(desk, seed), Told(desk.client)
    for _ in range(STEPS):
        life.step()
        told.ask(life.questions())
    assert life.recorded > STEPS / 3
    told.ask_again()


def test_the_past_of_everything_is_told_as_it_was_told_then(desk: Desk) -> None:
    life, told = Life(desk, 7), Told(desk.client)
    for _ in range(STEPS):
        life.step()
        told.ask(life.questions_about_all())
    assert life.recorded > STEPS / 3
    told.ask_again()


def test_large_questions_are_answered_from_checkpoints(
    desk: Desk, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "FEW", 0)
    monkeypatch.setattr(archive, "NEAR", 2)
    life, told = Life(desk, 8), Told(desk.client)
    for _ in range(STEPS):
        life.step()
    told.ask([*life.questions_about_all(), *life.questions()][:4])
    for _ in range(3):
        life.step()
    told.ask_again()
    told.ask_again()
    assert list((house.settings.data_dir / "past").glob("*.past"))


@pytest.mark.parametrize("seed", range(3, 6))
def test_a_life_makes_views_that_a_rebuild_makes_again(
    desk: Desk, house: House, tmp_path: Path, seed: int
) -> None:
    life = Life(desk, seed)
    for _ in range(STEPS):
        life.step()
    with closing(event_store.open_store(house.settings)) as log:
        rebuilt = rebuild.rebuild(log, tmp_path / "views.db")
    live = until(lambda: digest(house.settings.views_path, rebuilt.position))
    assert live == rebuilt.after


@pytest.mark.parametrize("few", [0, 1], ids=["from the log", "from the live views"])
def test_a_checkpoint_of_a_life_is_its_replay(
    desk: Desk, house: House, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(past, "FEW", few)
    monkeypatch.setattr(past, "MOST_FILES", 50)
    life, instants = Life(desk, 9), list[datetime]()
    for n in range(STEPS):
        life.step()
        if n % 8 == 0:
            instants.append(house.watch.now())
    views = house.settings.views_path
    with closing(event_store.open_store(house.settings)) as log:
        for at in instants:
            for when in (past.When(at, None), past.When(None, at), past.When(at, at)):
                past.bring(log, views, when)
                with (
                    closing(past.opened(past.place(views, when))) as kept,
                    closing(past.replayed(log, when, None)) as replayed,
                ):
                    assert told(kept) == told(replayed), when


def told(connection: sqlite3.Connection) -> list[str]:
    """The rows of all tables but the projector's own."""
    return [each for each in tables.dump(connection) if not each.startswith("tracking")]


def digest(views: Path, position: int) -> str | None:
    """The digest of live views, once they have come to a position."""
    with closing(tables.create(views.resolve())) as connection:
        there = tables.position(connection) == position
        return tables.digest(connection) if there else None
