"""The API's document says all that there is to say of every operation."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import jsonschema
import msgspec
import pytest

from api import examples, glossary, schemas
from domain import commands
from projections import answers
from tests.api import house as houses
from tests.api.client import Client, Desk

ENDLESS = {"get_stream"}
"""What cannot be in the story; its example is in the document all the same."""
COMMANDS = ("post", "put", "delete")


class Operation(NamedTuple):
    path: str
    method: str
    said: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.said["operationId"])


@pytest.fixture(scope="module")
def document(client: Client) -> dict[str, Any]:
    body: dict[str, Any] = client.http.get("/schema/openapi.json").json()
    return body


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, item in document["paths"].items():
        for method, said in item.items():
            yield Operation(path, method, said)


def success(operation: Operation) -> list[dict[str, Any]]:
    return [told for status, told in operation.said["responses"].items() if status.startswith("2")]


def contents(operation: Operation) -> Iterator[dict[str, Any]]:
    for told in success(operation):
        yield from told["content"].values()


def test_every_operation_has_a_summary_a_tag_and_a_name_of_its_own(
    document: dict[str, Any],
) -> None:
    every = list(operations(document))
    tags = {tag["name"] for tag in document["tags"]}
    assert [each.id for each in every if not each.said["summary"]] == []
    assert {tag for each in every for tag in each.said["tags"]} == tags
    assert len({each.id for each in every}) == len(every)


def test_every_operation_has_an_example_of_its_answer(document: dict[str, Any]) -> None:
    without = [
        each.id
        for each in operations(document)
        if not any("example" in said or "examples" in said for said in contents(each))
    ]
    assert without == []


def test_every_body_has_an_example_and_takes_no_other_fields(document: dict[str, Any]) -> None:
    known = document["components"]["schemas"]
    for each in operations(document):
        if "requestBody" in each.said:
            said = each.said["requestBody"]["content"]["application/json"]
            named = known[said["schema"]["$ref"].rpartition("/")[2]]
            assert named["additionalProperties"] is False, each.id
            assert "example" in said, each.id


def test_every_parameter_says_what_it_is(document: dict[str, Any]) -> None:
    silent = {
        (each.id, parameter["name"])
        for each in operations(document)
        for parameter in each.said["parameters"]
        if not parameter["description"]
    }
    assert silent == set()


def test_every_operation_names_the_errors_that_it_can_answer(document: dict[str, Any]) -> None:
    for each in operations(document):
        named = {status for status in each.said["responses"] if status >= "400"}
        assert named >= {"400", "500", "503"}, each.id
        assert ("404" in named) >= ("{" in each.path), each.id
        assert ("409" in named) == (each.method in COMMANDS or "502" in named), each.id
        assert ("401" in named) == (each.said.get("security") != []), each.id


def test_every_error_has_an_example_of_each_of_its_codes(document: dict[str, Any]) -> None:
    for status, error in glossary.ERRORS.items():
        told = document["components"]["responses"][error.name]
        shown = told["content"]["application/json"]["examples"]
        assert {each["value"]["error"]["code"] for each in shown.values()} == set(error.examples)
        assert status >= "400"


def test_the_errors_are_as_in_their_examples(client: Client, desk: Desk) -> None:
    wheel = desk.wheel()
    nobody = "5a1f8f0e-4a3c-5c55-9d4e-0e6f3f6b8d11"
    sale, changed = f"/wheels/{wheel}/trades", {"profile": "moderate"}
    answered = [
        client.post(sale, desk.sale(strike=-1)),
        client.get(f"/wheels/{nobody}"),
        client.put(f"/wheels/{wheel}", changed, headers={"If-Match": '"7"'}),
    ]
    client.delete(f"/portfolios/{desk.portfolio}")
    answered.append(client.post(f"/portfolios/{desk.portfolio}/wheels", {"symbol": "Z"}))
    for each in answered:
        message, details = glossary.ERRORS[str(each.status)].examples[each.code]
        told = each.error
        assert (figureless(told["message"]), set(told["details"])) == (
            figureless(message),
            set(details),
        )


def figureless(text: str) -> str:
    return re.sub(r"\b\d\b", "?", text)


def test_every_example_has_the_form_that_is_documented(document: dict[str, Any]) -> None:
    for each in operations(document):
        for said in contents(each):
            if "example" in said and "schema" in said:
                valid(said["example"], said["schema"], document)
        body = each.said.get("requestBody", {"content": {}})["content"].get("application/json")
        if body:
            valid(body["example"], body["schema"], document)


def valid(value: Any, schema: dict[str, Any], document: dict[str, Any]) -> None:
    whole = schema | {"components": document["components"]}
    jsonschema.Draft202012Validator(whole).validate(value)


def test_the_story_tells_every_operation_that_ends(document: dict[str, Any]) -> None:
    told = {step.operation for step in examples.story()}
    outside = {step.operation for step in examples.outside()}
    assert told | outside == {each.id for each in operations(document)} - ENDLESS
    assert not told & outside


def test_what_is_made_links_to_what_can_be_done_with_it(document: dict[str, Any]) -> None:
    known = {each.id: each for each in operations(document)}
    links = {
        link["operationId"]: list(link["parameters"])
        for each in known.values()
        for told in success(each)
        for link in told.get("links", {}).values()
    }
    assert {"post_portfolio_wheels", "post_wheel_trades", "post_trade_close"} <= set(links)
    for name, (parameter,) in links.items():
        assert parameter in {each["name"] for each in known[name].said["parameters"]}


def test_a_token_is_said_to_be_needed_where_one_is_set(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    place = tmp_path_factory.mktemp("guarded")
    with pytest.MonkeyPatch.context() as patch, houses.opened(place, patch, "secret") as house:
        stranger = Client(house.url)
        said = stranger.http.get("/schema/openapi.json").json()
        assert said["security"] == [{"token": []}]
        assert stranger.http.get("/docs").status_code == 200
        assert stranger.get("/portfolios").code == "UNAUTHORIZED"
        stranger.close()


class Node(msgspec.Struct):
    """One that holds itself."""

    inner: "list[Node]"
    mark: commands.Positive | None = None


def test_a_struct_that_holds_itself_is_described_once() -> None:
    known = schemas.Schemas()
    known.of(Node, "read")
    assert known.components["Node"]["properties"]["inner"]["items"] == {
        "$ref": "#/components/schemas/Node"
    }


def test_what_is_left_out_of_a_body_has_a_default_and_an_answer_is_whole() -> None:
    read, written = schemas.Schemas(), schemas.Schemas()
    read.of(commands.SellOption, "read")
    written.of(answers.Trade, "written")
    assert "contracts" not in read.components["SellOption"]["required"]
    assert read.components["SellOption"]["properties"]["contracts"]["default"] == 1
    assert set(written.components["Trade"]["required"]) == set(answers.Trade.__struct_fields__)
