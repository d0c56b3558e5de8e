"""docs/asyncapi.yaml says what the code does, and the code does what it says.

When a struct has changed, `python -m tests.test_asyncapi` writes the schemas anew; the
words around them are written by hand.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import msgspec
import pytest

from adapters.envelope import Envelope
from domain import market, risk, subjects

DOCUMENT = Path(__file__).parent.parent / "docs" / "asyncapi.yaml"
REF = "#/components/schemas/"
CARRIES: dict[str, type[msgspec.Struct]] = {
    "ledger.appended": subjects.Nudge,
    "views.advanced": subjects.Nudge,
    "ledger.event": subjects.LedgerEvent,
    "market.quote": market.Quote,
    "market.chain": market.HeldMarks,
    "market.ask": subjects.MarketQuestion,
    "scan.ask": subjects.ScanQuestion,
    "jobs.ask": subjects.JobQuestion,
    "plugins.ask": subjects.PluginQuestion,
    "risk.position": risk.PositionRisk,
    "risk.alert": subjects.AlertNotice,
    "opportunity": subjects.OpportunityNotice,
    "ops.heartbeat": subjects.Heartbeat,
    "ops.job": subjects.JobNotice,
}
ID = UUID(int=1)
EXAMPLES = {
    "ledger.appended": subjects.LEDGER_APPENDED,
    "views.advanced": subjects.VIEWS_ADVANCED,
    "ledger.event": subjects.ledger_event("wheel", ID, "OptionSold"),
    "market.quote": subjects.market_quote("BRK.B"),
    "market.chain": subjects.market_chain("BRK.B"),
    "market.ask": subjects.MARKET_ASK,
    "scan.ask": subjects.SCAN_ASK,
    "jobs.ask": subjects.JOBS_ASK,
    "plugins.ask": subjects.PLUGINS_ASK,
    "risk.position": subjects.risk_position(ID, ID),
    "risk.alert": subjects.risk_alert("HIGH", "BRK.B", "itm"),
    "opportunity": subjects.opportunity("BRK.B"),
    "ops.heartbeat": subjects.heartbeat("relay"),
    "ops.job": subjects.job("opportunity_scanning", "started"),
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return read()


def read() -> dict[str, Any]:
    document: dict[str, Any] = msgspec.yaml.decode(DOCUMENT.read_bytes())
    return document


def schemas() -> dict[str, Any]:
    """The schemas of all that travels, as it travels."""
    sealed = [Envelope[kind] for kind in dict.fromkeys(CARRIES.values())]  # type: ignore[valid-type]
    _, components = msgspec.json.schema_components(sealed, ref_template=REF + "{name}")
    return cast("dict[str, Any]", as_sent(components))


def as_sent(schema: object) -> object:
    """Decimals travel as numbers; AsyncAPI names a discriminator by the field alone."""
    if isinstance(schema, list | tuple):
        return [as_sent(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "decimal":
        return {"type": "number"}
    return {key: as_sent(_discriminator(key, value)) for key, value in schema.items()}


def _discriminator(key: object, value: object) -> object:
    if key == "discriminator" and isinstance(value, dict):
        return value["propertyName"]
    return value


def test_every_schema_is_that_of_the_struct_and_none_is_left_over(document: dict[str, Any]) -> None:
    assert document["components"]["schemas"] == schemas()


def test_every_channel_is_documented_and_none_is_invented(document: dict[str, Any]) -> None:
    documented = {
        name: (channel["address"], channel.get("x-stream"))
        for name, channel in document["channels"].items()
    }
    assert documented == {
        name: (channel.address, channel.stream) for name, channel in subjects.CHANNELS.items()
    }


def test_every_channel_carries_its_struct_in_an_envelope(document: dict[str, Any]) -> None:
    messages = document["components"]["messages"]
    assert {name: message["payload"] for name, message in messages.items()} == {
        name: {"$ref": f"{REF}Envelope_{kind.__name__}_"} for name, kind in CARRIES.items()
    }
    assert {name: channel["messages"] for name, channel in document["channels"].items()} == {
        name: {"message": {"$ref": f"#/components/messages/{name}"}} for name in CARRIES
    }


def test_every_place_in_an_address_is_explained(document: dict[str, Any]) -> None:
    for channel in document["channels"].values():
        places = re.findall(r"{(\w+)}", channel["address"])
        assert list(channel.get("parameters", {})) == places


def test_every_operation_belongs_to_a_channel_and_every_channel_has_one(
    document: dict[str, Any],
) -> None:
    of = [operation["channel"]["$ref"] for operation in document["operations"].values()]
    assert of == [f"#/channels/{name}" for name in subjects.CHANNELS]


def test_the_streams_are_those_of_the_code(document: dict[str, Any]) -> None:
    assert document["x-streams"] == {
        stream.name: {
            "subjects": list(stream.subjects),
            "keepDays": stream.keep.days if stream.keep else None,
            "duplicateWindowSeconds": stream.duplicates.total_seconds(),
        }
        for stream in subjects.STREAMS
    }


@pytest.mark.parametrize("name", subjects.CHANNELS)
def test_a_subject_that_is_built_fits_its_address_and_its_stream(name: str) -> None:
    channel, subject = subjects.CHANNELS[name], EXAMPLES[name]
    address = re.sub(r"{\w+}", "[^.]+", channel.address.replace(".", r"\."))
    assert re.fullmatch(address, subject)
    kept_by = [s.name for s in subjects.STREAMS if any(_fits(subject, p) for p in s.subjects)]
    assert kept_by == ([channel.stream] if channel.stream else [])


def _fits(subject: str, pattern: str) -> bool:
    expression = pattern.replace(".", r"\.").replace("*", "[^.]+").replace(">", ".+")
    return re.fullmatch(expression, subject) is not None


@pytest.mark.parametrize("symbol", ["SPY", "BRK.B", "BF-B"])
def test_a_symbol_is_one_token(symbol: str) -> None:
    assert subjects.market_quote(symbol).count(".") == 2


@pytest.mark.parametrize("token", ["", "*", ">", "a b", "a\r\nPUB", "a\n"])
def test_what_the_bus_gives_meaning_to_is_no_token(token: str) -> None:
    builders: list[Callable[[str], str]] = [
        lambda text: subjects.risk_alert("HIGH", "SPY", text),
        lambda text: subjects.job(text, "started"),
        lambda text: subjects.ledger_event("wheel", ID, text),
        subjects.heartbeat,
        subjects.market_quote,
    ]
    for build in builders:
        with pytest.raises(ValueError, match="token"):
            build(token)


def test_only_the_dot_of_a_symbol_is_rewritten() -> None:
    with pytest.raises(ValueError, match="token"):
        subjects.risk_alert("HIGH", "SPY", "a.b")


if __name__ == "__main__":
    text = DOCUMENT.read_text(encoding="utf-8")
    words = text[: text.index("  schemas:\n") + len("  schemas:\n")]
    written = msgspec.yaml.encode(schemas()).decode()
    DOCUMENT.write_text(words + re.sub(r"(?m)^(?=.)", "    ", written), encoding="utf-8")
