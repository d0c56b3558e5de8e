"""The examples of the API's document are what is answered.

Run as a program it writes the answers anew: `python -m tests.api.test_examples`.
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from shutil import copy
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import msgspec
import pytest
from msgspec.structs import replace

from adapters import event_store
from api import examples
from domain import facts
from projections import answers
from tests.api import house as houses
from tests.api.client import Client
from tests.api.waiting import until
from tests.domain.finds import find
from workers import chore, running

ADVICE = {"get_wheel_recommend", "post_wheels_recommend_batch", "get_trade_roll_candidates"}
FLEETING = {
    "get_health",
    "get_health_at_root",
    "get_info",
    "get_metrics",
    "get_ledger_export",
    "get_scheduler_history",
    "post_scheduler_job_trigger",
    *ADVICE,
}
"""Operations that tell how things are just now: only the form of their answers stays."""
PLUGIN = Path(__file__).parents[2] / "examples/plugins/premium_target.py"
SETTING = "fee_per_contract"
"""The one setting that is shown: others differ from place to place."""
READER = msgspec.json.Decoder(float_hook=Decimal)
HASH = re.compile(r"[0-9a-f]{32,64}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class Told(NamedTuple):
    """A step as the file tells it, and as it is answered."""

    step: examples.Step
    answered: examples.Step


def played(house: houses.House) -> Iterator[Told]:
    """Do all that the story says, in its order."""
    directory = house.settings.plugins_path
    directory.mkdir(parents=True)
    copy(PLUGIN, directory)
    with houses.scanning(house, find), houses.plugged(house), ExitStack() as later:
        yield from told(house, later)


def told(house: houses.House, later: ExitStack) -> Iterator[Told]:
    """The same, where everybody is there whom it needs; some come later."""
    client = house.client()
    document = client.get("/schema/openapi.json").body
    places = {
        operation["operationId"]: (method.upper(), path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    for step in examples.story():
        if step.operation == "get_wheel_recommend":
            house.open_market()
        if step.operation == "get_scheduler_jobs":
            later.enter_context(houses.scheduling(house, lambda _: price))
        if step.operation == "get_scheduler_history":
            until(lambda: client.get("/scheduler/history", trigger="manual").data)
        if step.operation == "get_alerts":
            raise_an_alert(house, client)
        if step.operation == "get_watchlist_scan":
            until(lambda: client.get("/watchlist/scan").data["finished_at"])
        if step.operation == "get_plugins_discovered":
            until(lambda: client.get("/plugins/discovered").data)
        if step.operation == "get_plugin_runs":
            until(lambda: client.get(f"/plugins/{PLUGIN.stem}/runs").data)
        if step.operation == "get_opportunities":
            until(lambda: client.get("/opportunities").data)
        method, path = places[step.operation]
        yield Told(step, done(client, step, method, path))
    client.close()


async def price(_: running.Context, __: chore.Due) -> chore.Done:
    """What a job does in the story."""
    return chore.Done(done=1)


def done(client: Client, step: examples.Step, method: str, path: str) -> examples.Step:
    """A step with the answer that it is given now."""
    body = None if step.body is msgspec.UNSET else answers.ENCODER.encode(step.body)
    answered = client.http.request(
        method, path.format(**step.path), content=body, params=step.query, headers=step.headers
    )
    is_json = answered.headers["content-type"].startswith("application/json")
    answer = shown(READER.decode(answered.content)) if is_json else first_lines(answered.text)
    return replace(step, status=answered.status_code, answer=answer)


def shown(answer: Any) -> Any:
    """The configuration with one setting, all else whole."""
    match answer:
        case {"data": {"settings": list() as settings} as data}:
            one = [each for each in settings if each["key"] == SETTING]
            return answer | {"data": data | {"settings": one}}
        case _:
            return answer


def first_lines(text: str) -> str:
    """The beginning of what is no JSON; of the metrics, that of our own."""
    ours = (line for line in text.splitlines() if "process_" not in line and "python_" not in line)
    return "\n".join(islice(ours, 3)) + "\n"


def raise_an_alert(house: houses.House, client: Client) -> None:
    """What the watch does when the price comes near the strike."""
    (trade,) = client.get("/trades", outcome="open").data
    fact = facts.AlertRaised(
        portfolio_id=UUID(trade["portfolio_id"]),
        wheel_id=UUID(trade["wheel_id"]),
        trade_id=UUID(trade["id"]),
        symbol=trade["symbol"],
        rule="near_strike",
        severity="MEDIUM",
        message="AAPL at 153.10 is within 3 % of the call's strike of 157.50",
        direction=trade["direction"],
        strike=Decimal(trade["strike"]),
        expiration_date=datetime.fromisoformat(trade["expiration_date"]).date(),
        price=Decimal("153.10"),
        price_as_of=houses.MONDAY,
    )
    stream = facts.alert_stream(fact.trade_id, fact.rule)
    now = house.watch.now()
    recorded = facts.Recorded(0, stream, 1, now, now, "risk", uuid4(), None, fact, None)
    log = event_store.open_store(house.settings)
    log.append([recorded])
    log.close()
    until(lambda: client.get("/alerts", status="active").data)


def kept(value: Any) -> Any:
    """What of an answer is the same each time: instants and hashes are not."""
    match value:
        case dict():
            return {key: kept(each) for key, each in value.items()}
        case list():
            return [kept(each) for each in value]
        case str() if INSTANT.fullmatch(value):
            return "an instant"
        case str() if HASH.fullmatch(value):
            return "a hash"
        case _:
            return value


def form(value: Any) -> Any:
    """What of an answer is its form."""
    if isinstance(value, dict):
        return {key: form(each) for key, each in value.items()}
    return type(value).__name__


@contextmanager
def stage(place: Path) -> Iterator[houses.House]:
    """A house in which the share of the story has a price, once the market opens."""
    script = place / "prices.json"
    script.write_text('{"AAPL": 151.20}')
    with (
        pytest.MonkeyPatch.context() as patch,
        houses.opened(place, patch, market_script=script) as house,
    ):
        yield house


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[houses.House]:
    with stage(tmp_path_factory.mktemp("stage")) as opened:
        yield opened


@pytest.fixture(scope="module")
def answered(house: houses.House) -> list[Told]:
    return list(played(house))


def test_every_example_is_answered_as_documented(answered: list[Told]) -> None:
    for step, now in answered:
        assert now.status == step.status, (step.operation, now.answer)
        same = form if step.operation in FLEETING else kept
        assert same(now.answer) == same(step.answer), step.operation


def written_anew() -> None:
    """Write what is answered into the file."""
    with tempfile.TemporaryDirectory() as place, stage(Path(place)) as house:
        steps = [told.answered for told in played(house)]
    whole = answers.ENCODER.encode(steps)
    examples.FILE.write_bytes(msgspec.json.format(whole, indent=2) + b"\n")


if __name__ == "__main__":
    written_anew()
