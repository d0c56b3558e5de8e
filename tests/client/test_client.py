"""The client says what is meant and hears what was answered, from the real API."""

import asyncio
import inspect
import subprocess
import sys
import textwrap
from contextlib import aclosing
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

import client as package
from api.shapes import ledger
from client import AsyncClient, Client, errors, methods
from client.operations import Operations
from domain import commands, facts
from projections import answers
from tests.api.house import House
from tests.api.waiting import until

NOBODY = UUID(int=1)
PUT: dict[str, Any] = {
    "direction": "put",
    "strike": 95,
    "expiration_date": date(2026, 4, 17),
    "premium_per_share": Decimal("1.10"),
}


def test_it_needs_nothing_of_the_server() -> None:
    code = "import client, sys; print(*{'litestar', 'granian', 'nats', 'polars'} & {*sys.modules})"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert said.stdout == b"\n"


def test_its_own_example_runs(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    _, _, example = inspect.cleandoc(str(package.__doc__)).partition("\n\n")
    code, _, _ = example.partition("\n\nQuestions answer")
    told = textwrap.dedent(code).replace("http://127.0.0.1:8000", house.url)
    exec(compile(told, "client", "exec"), {"Decimal": Decimal})  # noqa: S102  our own words
    assert capsys.readouterr().out.splitlines()[-1] == "95.00 open"


def test_money_is_exact_and_times_are_times(client: Client, wheel: answers.Wheel) -> None:
    sold = client.sell_option(wheel.id, **PUT).data
    assert (sold.premium_per_share, sold.total_premium) == (Decimal("1.10"), Decimal("110.00"))
    assert sold.opened_at.tzinfo is not None
    assert client.trade(sold.id) == sold


def test_an_order_is_its_struct_or_its_fields(client: Client, wheel: answers.Wheel) -> None:
    order = commands.SellOption(
        direction="put",
        strike=Decimal(90),
        expiration_date=date(2026, 4, 17),
        premium_per_share=Decimal("0.90"),
    )
    assert client.sell_option(wheel.id, order=order).data.strike == 90
    with pytest.raises(TypeError, match="not both"):
        client.sell_option(wheel.id, order=order, contracts=2)
    with pytest.raises(TypeError, match="takes wheel_id"):
        client.sell_option(order=order)


def test_what_an_order_leaves_out_stays(client: Client, wheel: answers.Wheel) -> None:
    sold = client.sell_option(wheel.id, **PUT).data
    noted = client.correct_trade(sold.id, order=commands.CorrectTrade(notes="earnings week")).data
    assert (noted.notes, noted.strike) == ("earnings week", Decimal(95))
    order = commands.ChangePortfolio(description="of puts")
    changed = client.change_portfolio(wheel.portfolio_id, order=order, dry_run=True).data
    assert (changed.name, changed.description) == ("Income", "of puts")


def test_a_key_that_is_none_is_not_replaced(client: Client, wheel: answers.Wheel) -> None:
    with pytest.raises(errors.Invalid, match="Idempotency-Key"):
        client.sell_option(wheel.id, idempotency_key="", **PUT)


def test_what_became_of_a_command_is_told(client: Client, wheel: answers.Wheel) -> None:
    done = client.sell_option(wheel.id, idempotency_key="once", **PUT)
    again = client.sell_option(wheel.id, idempotency_key="once", **PUT)
    assert (done.replayed, again.replayed) == (False, True)
    assert (again.data, again.position) == (done.data, done.position)
    assert done.version == done.data.version
    assert len(client.trades_of(wheel.id).data) == 1


def test_a_version_that_is_not_current_is_a_conflict(client: Client, wheel: answers.Wheel) -> None:
    changed = client.configure_wheel(wheel.id, if_match=wheel.version, profile="aggressive")
    with pytest.raises(errors.Conflict) as refused:
        client.configure_wheel(wheel.id, if_match=wheel.version, profile="defensive")
    assert refused.value.details == {"expected": wheel.version, "current": changed.version}


def test_a_dry_run_tells_what_would_be_and_records_nothing(
    client: Client, wheel: answers.Wheel
) -> None:
    would = client.sell_option(wheel.id, dry_run=True, **PUT)
    assert (would.dry_run, would.data.total_premium) == (True, Decimal("110.00"))
    (change,) = would.changes
    assert isinstance(change.fact, facts.OptionSold)
    assert change.fact.premium_per_share == Decimal("1.10")
    assert client.trades_of(wheel.id).data == []


def test_orders_without_a_body_are_orders_too(client: Client, wheel: answers.Wheel) -> None:
    client.sell_option(wheel.id, **PUT)
    with pytest.raises(errors.InvalidState):
        client.archive_wheel(wheel.id)
    assert not client.archive_wheel(wheel.id, force=True).data.is_active
    assert client.restore_wheel(wheel.id).data.is_active


def test_a_trade_is_voided_with_a_reason(client: Client, wheel: answers.Wheel) -> None:
    sold = client.sell_option(wheel.id, **PUT).data
    voided = client.void_trade(sold.id, reason="entered twice").data
    assert voided.outcome == "voided"
    assert [each.name for each in client.trade_history(sold.id)] == ["OptionSold", "FactVoided"]


def test_the_past_is_asked_for(client: Client, wheel: answers.Wheel) -> None:
    client.sell_option(wheel.id, opened_at="2026-02-02", **PUT)
    assert client.wheel(wheel.id, as_of=date(2026, 2, 1)).cash == Decimal("20000.00")
    assert client.wheel(wheel.id, as_of="2026-02-03").cash > Decimal("20000.00")
    earned = client.wheel_performance(wheel.id, policy="us_tax", first=date(2026, 2, 1))
    assert (earned.policy, earned.first) == ("us_tax", date(2026, 2, 1))


def test_errors_say_what_is_wrong(client: Client, wheel: answers.Wheel) -> None:
    with pytest.raises(errors.Unknown) as unknown:
        client.wheel(NOBODY)
    assert (unknown.value.status, unknown.value.details["kind"]) == (404, "wheel")
    with pytest.raises(errors.Invalid) as invalid:
        client.sell_option(wheel.id, **PUT | {"strike": -1})
    assert (invalid.value.field, invalid.value.code) == ("strike", "VALIDATION_ERROR")
    assert invalid.value.request_id
    assert invalid.value.idempotency_key


def test_lists_are_gone_through_page_by_page(client: Client, wheel: answers.Wheel) -> None:
    for strike in (30, 31, 32, 33, 34):
        client.sell_option(wheel.id, **PUT | {"strike": strike, "opened_at": "2026-02-02"})
    page = client.trades_of(wheel.id, page_size=2)
    assert (len(page.data), page.pagination.total_pages) == (2, 3)
    each = client.trades_of.each(wheel.id, page_size=2, sort="strike")
    assert [trade.strike for trade in each] == [30, 31, 32, 33, 34]


def test_the_ledger_is_gone_through_from_both_ends(client: Client, wheel: answers.Wheel) -> None:
    client.sell_option(wheel.id, **PUT)
    forth = list(client.events.each(stream=wheel.id, limit=1))
    back = list(client.wheel_events.each(wheel.id, order="desc", limit=1))
    assert forth == back[::-1]
    assert isinstance(forth[1].data, facts.OptionSold)


def test_the_ledger_is_verified_and_exported(client: Client, wheel: answers.Wheel) -> None:
    found = client.verify(full=True)
    assert found.ok
    assert next(client.checkpoints.each(limit=1)).hash == found.head_hash
    *_, end = b"".join(client.ledger_export()).splitlines()
    assert found.head_hash.encode() in end
    with pytest.raises(errors.Invalid):
        next(client.ledger_export(after=10**9))


def test_the_service_is_asked_about_itself(client: Client) -> None:
    assert "event_store" in client.health().parts
    assert client.info().ledger_head >= 0
    ports = [each.value for each in client.config().settings if each.key == "api_port"]
    assert isinstance(ports[0], int)
    assert "wheelwright_" in client.metrics()


async def test_what_is_awaited_is_the_same(
    client: Client, awaited: AsyncClient, wheel: answers.Wheel
) -> None:
    sold = (await awaited.sell_option(wheel.id, **PUT)).data
    assert await awaited.trade(sold.id) == client.trade(sold.id)
    assert [each async for each in awaited.trades_of.each(wheel.id)] == [sold]
    assert (await awaited.trades_of(wheel.id)).data == [sold]
    with pytest.raises(errors.Unknown):
        await awaited.wheel(NOBODY)
    lines = b"".join([chunk async for chunk in awaited.ledger_export()]).splitlines()
    assert len(lines) == (await awaited.info()).ledger_head + 2


async def test_many_are_awaited_at_once(awaited: AsyncClient, wheel: answers.Wheel) -> None:
    asked = [awaited.wheel(wheel.id) for _ in range(10)]
    assert await asyncio.gather(*asked) == [wheel] * 10


@pytest.mark.timeout(20)
def test_what_happens_is_heard(client: Client, wheel: answers.Wheel) -> None:
    head = client.info().ledger_head
    client.sell_option(wheel.id, **PUT)
    told = next(client.stream(["ledger"], after=head))
    assert (told.topic, told.position) == ("ledger", head + 1)
    assert isinstance(told.data, ledger.Event)
    assert isinstance(told.data.data, facts.OptionSold)


@pytest.mark.timeout(20)
async def test_what_happens_is_heard_by_who_awaits_it(
    awaited: AsyncClient, wheel: answers.Wheel
) -> None:
    head = (await awaited.info()).ledger_head
    await awaited.sell_option(wheel.id, **PUT)
    async with aclosing(awaited.stream(["ledger"], after=head)) as stream:
        told = await anext(stream)
    assert told.position == head + 1


# --- completeness ---------------------------------------------------------------------------

WITHOUT_METHOD = {("GET", "/api/v1/health"), ("GET", "/api/v1/stream")}
"""The same as /health; and `stream`, which is no single answer."""


def described(client: Client) -> dict[tuple[str, str], dict[str, Any]]:
    document = client._http.get("/schema/openapi.json").json()
    return {
        (method.upper(), path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in {"get", "post", "put", "delete"}
    }


def offered() -> dict[tuple[str, str], Any]:
    """The methods of both clients, by what they ask."""
    found = {}
    for name, each in vars(Operations).items():
        if name.startswith("__"):
            continue
        if isinstance(each, methods.Command):
            found[each.method, each.path] = each
        else:
            ids = [
                NOBODY
                for parameter in inspect.signature(each.ask).parameters.values()
                if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
            ]
            request = each.ask(*ids)
            found[request.method, request.path] = each
    return found


def test_every_operation_has_a_method_and_every_method_an_operation(client: Client) -> None:
    missing = described(client).keys() ^ offered().keys()
    assert missing - WITHOUT_METHOD - {("GET", "/api/v1/health"), ("GET", "/health")} == set()


def test_every_question_can_say_what_its_operation_takes(client: Client) -> None:
    operations = described(client)
    for place, each in offered().items():
        if place not in operations or isinstance(each, methods.Command):
            continue
        known = {{"first": "from", "last": "to"}.get(name, name) for name in queries_of(each.ask)}
        asked = {
            parameter["name"]
            for parameter in operations[place].get("parameters", ())
            if parameter["in"] == "query"
        }
        assert (place, known) == (place, asked)


def test_every_order_can_say_what_its_operation_takes(client: Client) -> None:
    document = client._http.get("/schema/openapi.json").json()
    operations = described(client)
    for place, each in offered().items():
        if isinstance(each, methods.Command):
            fields = set(each.order.__struct_fields__)
            assert (place, fields) == (place, taken(document, operations[place], each))


def taken(document: Any, operation: Any, each: methods.Command[Any, Any]) -> set[str]:
    """The fields of an operation's body, or, without one, of its query."""
    if not each.body:
        parameters = operation.get("parameters", ())
        named = {each["name"] for each in parameters if each["in"] == "query"}
        return named - {"dry_run"}
    if "requestBody" not in operation:  # the one order that comes in a DELETE's body
        return set(commands.VoidTrade.__struct_fields__)
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    while "oneOf" in schema or "$ref" in schema:
        if "oneOf" in schema:
            schema = next(each for each in schema["oneOf"] if each.get("type") != "null")
        else:
            schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return set(schema["properties"])


def test_a_job_is_set_up_and_run(client: Client) -> None:
    client.configure_job("backup", retries=1, schedule=facts.Schedule(cron="0 3 * * *"))
    job = client.job("backup")
    assert (job.retries, job.schedule_text) == (1, "At 03:00, America/New_York time")
    assert job in client.jobs()
    assert client.job_configurations("backup")[0].setup.retries == 1
    run = client.trigger_job("backup").data
    (again,) = until(lambda: client.job_history(job="backup").data)
    assert (again.run_id, again.outcome) == (run.run_id, "succeeded")


def test_what_is_watched_is_scanned_found_and_read(client: Client) -> None:
    client.watch(symbol="aapl", profile="moderate")
    begun = client.scan(symbols=["AAPL"]).data
    until(lambda: client.opportunities(symbol="AAPL", unread=True).data)
    (opportunity,) = client.opportunities.each(symbol="AAPL")
    assert (opportunity.scan_id, opportunity.profile) == (begun.id, "moderate")
    assert client.read_opportunity(opportunity.id).data.is_read
    assert not client.unwatch("AAPL").data.is_watched
    with pytest.raises(errors.Unknown):
        client.watched("AAPL")


SIGNED = "alert_deed"
"""What only a link that the notifier has signed can ask."""


def test_every_answer_is_what_its_method_promises(
    house: House, client: Client, portfolio: answers.Portfolio, wheel: answers.Wheel
) -> None:
    house.open_market()
    sold = client.sell_option(wheel.id, **PUT | {"opened_at": "2026-02-02"}).data
    client.close_trade(sold.id, price_per_share="0.40", effective_at="2026-02-05")
    client.trade_shares(wheel.id, action="buy", shares=100, price=90)
    client.mark_position(wheel.id, price=91)
    still_open = sold_as_recommended(client, wheel)
    client.watch(symbol="MSFT")
    client.scan(symbols=["MSFT"])
    registered(client, "premium_target")
    client.add_channel(name="premium_target", url="json://127.0.0.1:9/hook")
    ids: dict[str, Any] = {"portfolio_id": portfolio.id, "wheel_id": wheel.id, "version": 1}
    ids |= {"trade_id": still_open, "symbol": "MSFT", "name": "premium_target", "job": "backup"}
    for name, each in vars(Operations).items():
        if name != SIGNED and isinstance(each, methods.Read | methods.Listing | methods.Download):
            wanted = inspect.signature(each.ask).parameters
            said = {id_: ids[id_] for id_ in ids if id_ in wanted}
            method = getattr(client, name)
            found = method.each(**said) if isinstance(each, methods.Listing) else method(**said)
            if not isinstance(each, methods.Read):
                list(found)


def registered(client: Client, name: str) -> None:
    until(lambda: any(each.name == name for each in client.discovered_plugins()))
    client.register_plugin(name=name)


def test_a_plugin_is_registered_told_run_and_removed(client: Client) -> None:
    if not list(client.plugins.each()):
        registered(client, "premium_target")
    told = client.configure_plugin("premium_target", config={"percent": 60}).data
    assert (told.config, told.status) == ({"percent": 60}, "disabled")
    client.schedule_plugin("premium_target", schedule={"interval_seconds": 3600})
    client.grant_plugin("premium_target", commands=["trades.close"])
    client.limit_plugin("premium_target", timeout_seconds=30)
    assert client.enable_plugin("premium_target").data.next_run_at is not None
    run_id = client.run_plugin("premium_target").data.run_id
    until(lambda: run_id in {each.run_id for each in client.plugin_runs.each("premium_target")})
    assert client.disable_plugin("premium_target").data.status == "disabled"
    client.remove_plugin("premium_target")
    with pytest.raises(errors.Unknown):
        client.plugin("premium_target")


def sold_as_recommended(client: Client, wheel: answers.Wheel) -> UUID:
    """A trade that stays open: the first contract that is recommended."""
    advice = client.recommend(wheel.id, direction="put", profile="aggressive", max_dte=60)
    best = advice.recommendations[0]
    return client.sell_option(
        wheel.id,
        direction="put",
        strike=best.strike,
        expiration_date=best.expiration_date,
        premium_per_share=best.bid,
    ).data.id


def queries_of(ask: Any) -> set[str]:
    """The keyword arguments of a question."""
    found = set()
    for parameter in inspect.signature(ask, eval_str=True).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            (typed,) = parameter.annotation.__args__
            found |= typed.__annotations__.keys()
        elif parameter.kind is parameter.KEYWORD_ONLY:
            found.add(parameter.name)
    return found
