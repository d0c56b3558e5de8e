"""The list of endpoints in docs/http-api.md and the running API are the same."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.api.client import Client

PAGE = (Path(__file__).parents[2] / "docs/http-api.md").read_text("utf-8")
ROW = re.compile(r"^\| `([A-Z]+)` \| `(/\S+)` \| (.+) \|$", re.MULTILINE)
PAGES = {("GET", "/docs"), ("GET", "/redoc"), ("GET", "/schema/openapi.json")}
"""What shows the document, and is not in it."""


def listed() -> Iterator[tuple[str, str]]:
    inside, outside = PAGE.split("### Outside")
    for text, prefix in ((inside, "/api/v1"), (outside, "")):
        for method, path, _ in ROW.findall(text):
            yield method, prefix + path


def test_every_operation_is_listed_and_everything_listed_is_one(client: Client) -> None:
    paths = client.get("/schema/openapi.json").body["paths"]
    operations = {(method.upper(), path) for path, item in paths.items() for method in item}
    assert set(listed()) == operations | PAGES


def test_nothing_is_listed_twice() -> None:
    every = list(listed())
    assert len(every) == len(set(every))


def test_every_error_that_the_page_names_is_in_the_document(client: Client) -> None:
    document = client.get("/schema/openapi.json").body
    known = document["components"]["schemas"]["Fault"]["properties"]["code"]["enum"]
    assert sorted(re.findall(r"^\| \d{3} \| `(\w+)` \|", PAGE, re.MULTILINE)) == known
