"""The bus lets each role do its work and no more: tried on a real server."""

import os
import re
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, closing
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, KeyValueConfig, StreamConfig
from nats.js.errors import APIError

from adapters import counter, nats_server
from adapters.settings import Settings
from tests.conftest import dealt_with

STREAMS = {
    "LEDGER": ["ledger.event.>"],
    "MARKET": ["market.quote.*", "market.chain.*"],
    "RISK": ["risk.>", "opportunity.>"],
    "OPS": ["ops.>"],
}
BUCKETS = ("quotes", "market", "leases")
MAY_PUBLISH = {
    "api": ["ledger.appended", "market.ask", "scan.ask", "plugins.ask", "ops.heartbeat.api"],
    "projector": ["views.advanced", "ops.heartbeat.projector"],
    "relay": [
        "ledger.event.wheel.1.OptionSold",
        "risk.alert.HIGH.SPY.itm",
        "opportunity.SPY",
        "ops.heartbeat.relay",
    ],
    "prices": [
        "market.quote.SPY",
        "market.chain.SPY",
        "$KV.quotes.SPY",
        "$KV.market.chain.SPY",
        "ops.heartbeat.prices",
    ],
    "risk": ["risk.position.1.2", "ledger.appended", "ops.heartbeat.risk"],
    "scanner": [
        "market.ask",
        "ledger.appended",
        "ops.job.opportunity_scanning.progress",
        "ops.heartbeat.scanner",
    ],
    "notifier": ["ledger.appended", "ops.heartbeat.notifier"],
    "scheduler": [
        "ops.job.nightly.started",
        "$KV.leases.job",
        "market.ask",
        "scan.ask",
        "ledger.appended",
        "ops.heartbeat.scheduler",
    ],
    "plugins": ["market.ask", "ledger.appended", "ops.heartbeat.plugins"],
    "subscriber": [],
}
DATA_SUBJECTS = {subject for subjects in MAY_PUBLISH.values() for subject in subjects} - {
    f"ops.heartbeat.{role}" for role in MAY_PUBLISH
}
OWN_ROLES = [role for role in MAY_PUBLISH if role != "subscriber"]
ALERT = "risk.alert.MEDIUM.BRK_B.near_strike"


class Line:
    """The wire in one role. What the server says before its PONG is its answer."""

    def __init__(self, settings: Settings, role: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", settings.nats_port), timeout=5)
        secret = nats_server.password(settings.data_dir, role)
        self._heard = self.socket.makefile("rb")
        assert b"-ERR" not in self.ask(
            f'CONNECT {{"user": "{role}", "pass": "{secret}", "verbose": false}}'
        )

    def ask(self, said: str) -> bytes:
        self.socket.sendall(f"{said}\r\nPING\r\n".encode())
        answer = b""
        while not answer.endswith(b"PONG\r\n"):
            answer += self._heard.readline()
        return answer

    def may_publish(self, subject: str) -> bool:
        return b"Permissions Violation" not in self.ask(f"PUB {subject} 2\r\n{{}}")

    def may_subscribe(self, subject: str) -> bool:
        return b"Permissions Violation" not in self.ask(f"SUB {subject} 1")

    def close(self) -> None:
        self._heard.close()
        self.socket.close()


Enter = Callable[[str], Awaitable[JetStreamContext]]
Call = Callable[[str], Line]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An instance in a directory whose name needs quoting, on a port that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Settings(data_dir=tmp_path_factory.mktemp('a "data" dir'), nats_port=port)


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[Settings]:
    environment = os.environ | nats_server.environment(settings)
    with subprocess.Popen(
        nats_server.argv(), env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if "Server is ready" in line:
                break
        else:
            pytest.fail("".join(said))
        yield settings
        process.terminate()
        process.stderr.read()


@pytest.fixture
def call(server: Settings) -> Iterator[Call]:
    with ExitStack() as lines:

        def connected(role: str) -> Line:
            return lines.enter_context(closing(Line(server, role)))

        yield connected


@pytest.fixture
async def enter(server: Settings) -> AsyncIterator[Enter]:
    """Lets roles in with the ordinary client, and sees them out."""
    async with AsyncExitStack() as visitors:

        async def let_in(role: str) -> JetStreamContext:
            client = Client()
            secret = nats_server.password(server.data_dir, role)
            await client.connect(server.bus_url, user=role, password=secret, allow_reconnect=False)
            visitors.push_async_callback(client.close)
            return client.jetstream(timeout=2)

        yield let_in


@pytest.fixture
async def streams(enter: Enter) -> None:
    """The streams and the bucket, made by a role of ours, as at a first start."""
    js = await enter("risk")
    for name, subjects in STREAMS.items():
        await js.add_stream(StreamConfig(name=name, subjects=subjects))
    for bucket in BUCKETS:
        await js.create_key_value(KeyValueConfig(bucket=bucket))


@pytest.mark.parametrize("role", OWN_ROLES)
async def test_any_of_our_roles_can_make_every_stream_and_the_bucket(
    enter: Enter, role: str
) -> None:
    js = await enter(role)
    for name, subjects in STREAMS.items():
        await js.add_stream(StreamConfig(name=name, subjects=subjects))
        await js.update_stream(StreamConfig(name=name, subjects=subjects))
    for bucket in BUCKETS:
        await js.create_key_value(KeyValueConfig(bucket=bucket))
    made = {info.config.name for info in await js.streams_info()}
    assert made == {*STREAMS, *(f"KV_{bucket}" for bucket in BUCKETS)}


@pytest.mark.parametrize("role", MAY_PUBLISH)
def test_a_role_publishes_its_own_subjects(call: Call, role: str) -> None:
    line = call(role)
    assert all(line.may_publish(subject) for subject in MAY_PUBLISH[role])


@pytest.mark.parametrize("role", MAY_PUBLISH)
def test_a_role_publishes_no_others_subjects(call: Call, role: str) -> None:
    line = call(role)
    others = sorted(DATA_SUBJECTS - set(MAY_PUBLISH[role]))
    if role == "scheduler":
        others = [subject for subject in others if not subject.startswith("ops.")]
    assert not any(line.may_publish(subject) for subject in others)


@pytest.mark.parametrize(
    ("asks", "answers"), [("api", "prices"), ("scanner", "prices"), ("api", "scheduler")]
)
async def test_who_is_asked_may_answer(server: Settings, asks: str, answers: str) -> None:
    async with AsyncExitStack() as visitors:
        asking, answering = [await _plain(server, role, visitors) for role in (asks, answers)]

        async def answer(question: Msg) -> None:
            await question.respond(b"42")

        await answering.subscribe("market.ask", cb=answer)
        await dealt_with(answering)
        assert (await asking.request("market.ask", b"?", timeout=5)).data == b"42"


def test_the_price_worker_may_answer_as_long_as_anybody_waits() -> None:
    _, _, prices = nats_server.CONFIG.read_text().partition("user: prices")
    expires = re.search(r'expires: "(\d+)m"', prices)
    assert expires is not None
    assert 60 * int(expires[1]) > counter.WITHIN


async def _plain(server: Settings, role: str, visitors: AsyncExitStack) -> Client:
    client = Client()
    secret = nats_server.password(server.data_dir, role)
    await client.connect(server.bus_url, user=role, password=secret, allow_reconnect=False)
    visitors.push_async_callback(client.close)
    return client


@pytest.mark.parametrize("role", MAY_PUBLISH)
@pytest.mark.parametrize("verb", ["PURGE", "DELETE", "MSG.DELETE", "RESTORE"])
def test_no_role_can_destroy_what_a_stream_holds(call: Call, role: str, verb: str) -> None:
    assert not call(role).may_publish(f"$JS.API.STREAM.{verb}.LEDGER")


@pytest.mark.parametrize("verb", ["CREATE", "UPDATE"])
def test_the_subscriber_can_neither_make_nor_change_a_stream(call: Call, verb: str) -> None:
    assert not call("subscriber").may_publish(f"$JS.API.STREAM.{verb}.LEDGER")


@pytest.mark.parametrize("role", OWN_ROLES)
def test_our_roles_may_listen_to_all_of_the_bus(call: Call, role: str) -> None:
    assert call(role).may_subscribe(">")


@pytest.mark.parametrize(
    "subject", ["ledger.event.>", "market.quote.>", "risk.>", "opportunity.>", "ops.>"]
)
def test_the_subscriber_may_listen_to_what_is_meant_for_it(call: Call, subject: str) -> None:
    assert call("subscriber").may_subscribe(subject)


@pytest.mark.parametrize("subject", [">", "ledger.appended", "$KV.>", "$JS.>", "market.>", "*.ask"])
def test_the_subscriber_may_listen_to_nothing_else(call: Call, subject: str) -> None:
    assert not call("subscriber").may_subscribe(subject)


@pytest.mark.usefixtures("streams")
async def test_a_durable_push_subscriber_gets_what_it_missed_once_and_in_order(
    enter: Enter,
) -> None:
    relay, stranger = await enter("relay"), await enter("subscriber")
    # The server may not have noticed yet that the stranger left, and sends again what it missed:
    # soon, and before anything later, as one message at a time may wait for its acknowledgement.
    strict = ConsumerConfig(ack_wait=1, max_ack_pending=1)
    subject, name = "risk.alert.MEDIUM.>", "pusher"
    away = await stranger.subscribe(subject, durable=name, config=strict, manual_ack=True)
    await away.unsubscribe()
    for number in (b"1", b"2", b"3"):
        await relay.publish(ALERT, number)
    back = await stranger.subscribe(subject, durable=name, manual_ack=True)
    heard = []
    for _ in range(3):
        message = await back.next_msg(timeout=5)
        await message.ack_sync(timeout=5)
        heard.append(message.data)
    left = await stranger.consumer_info("RISK", "pusher")
    assert (heard, left.num_ack_pending, left.num_pending) == ([b"1", b"2", b"3"], 0, 0)


@pytest.mark.usefixtures("streams")
async def test_a_durable_pull_subscriber_reads_and_acknowledges(enter: Enter) -> None:
    relay, stranger = await enter("relay"), await enter("subscriber")
    subscription = await stranger.pull_subscribe("ledger.event.wheel.2.>", durable="puller")
    await relay.publish("ledger.event.wheel.2.OptionSold", b"sold")
    (message,) = await subscription.fetch(1, timeout=5)
    await message.ack_sync(timeout=5)
    assert (await stranger.consumer_info("LEDGER", "puller")).num_ack_pending == 0
    assert await stranger.delete_consumer("LEDGER", "puller")


@pytest.mark.usefixtures("streams")
async def test_an_ordered_subscriber_needs_nothing_more(enter: Enter) -> None:
    prices, stranger = await enter("prices"), await enter("subscriber")
    subscription = await stranger.subscribe("market.quote.BRK_B", ordered_consumer=True)
    await prices.publish("market.quote.BRK_B", b"quote")
    assert (await subscription.next_msg(timeout=5)).data == b"quote"


@pytest.mark.usefixtures("streams")
async def test_the_subscriber_cannot_touch_a_consumer_of_ours(enter: Enter, call: Call) -> None:
    ours, stranger = await enter("risk"), call("subscriber")
    await ours.add_consumer("MARKET", ConsumerConfig(durable_name="risk", ack_policy=None))
    touched = [
        "$JS.API.CONSUMER.DELETE.MARKET.risk",
        "$JS.API.CONSUMER.MSG.NEXT.MARKET.risk",
        "$JS.API.CONSUMER.DURABLE.CREATE.MARKET.risk",
        "$JS.API.CONSUMER.CREATE.MARKET.risk",
        "$JS.API.CONSUMER.CREATE.MARKET.risk.market.quote.>",
        "$JS.ACK.MARKET.risk.1.1.1.1.0",
    ]
    assert not any(stranger.may_publish(subject) for subject in touched)


@pytest.mark.usefixtures("streams")
async def test_the_subscriber_cannot_slip_a_name_of_ours_past_the_subject(enter: Enter) -> None:
    stranger = await enter("subscriber")
    with pytest.raises(APIError):
        await stranger._api_request(
            "$JS.API.CONSUMER.CREATE.MARKET",
            b'{"stream_name": "MARKET", "config": {"durable_name": "risk", "ack_policy": "none"}}',
            timeout=5,
        )


@pytest.mark.usefixtures("streams")
async def test_last_quotes_are_put_by_prices_and_watched_by_the_others(enter: Enter) -> None:
    bucket = await (await enter("prices")).key_value("quotes")
    await bucket.put("SPY", b"375.31")
    seen = []
    for role in (
        "api",
        "projector",
        "relay",
        "risk",
        "scanner",
        "notifier",
        "scheduler",
        "plugins",
    ):
        watcher = await (await (await enter(role)).key_value("quotes")).watchall()
        entry = await anext(watcher)
        seen.append(entry and entry.value)
    assert seen == [b"375.31"] * 8


def test_nobody_enters_without_a_password(server: Settings) -> None:
    with socket.create_connection(("127.0.0.1", server.nats_port), timeout=5) as line:
        line.sendall(b"CONNECT {}\r\nPING\r\n")
        said = b"".join(iter(lambda: line.recv(4096), b""))
    assert b"-ERR 'Authorization Violation'" in said


def test_passwords_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    nats_server.prepare(tmp_path)
    first = [nats_server.password(tmp_path, role) for role in nats_server.ROLES]
    nats_server.prepare(tmp_path)
    assert [nats_server.password(tmp_path, role) for role in nats_server.ROLES] == first
    assert len(set(first)) == len(nats_server.ROLES)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "nats").iterdir()} == {0o600}


def test_a_missing_password_says_where_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(nats_server.NoPassword, match=r"risk\.password"):
        nats_server.password(tmp_path, "risk")


def test_the_servers_environment_is_the_same_at_every_start(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert nats_server.environment(settings) == nats_server.environment(settings)
