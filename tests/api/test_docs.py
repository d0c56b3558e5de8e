"""The two pages that show the API's document, and all that they load."""

import re
from html.parser import HTMLParser

import pytest

from tests.api import house as houses
from tests.api.client import Client

PAGES = ("/docs", "/redoc")
FOREIGN = re.compile(r"(?:https?:)?//[\w.]+\.\w+")
LOADED_BY_SCRIPT = ("docs/redoc.js", "schema/openapi.json")


class Links(HTMLParser):
    """What a page loads, and what is written into it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.loaded += [value for name, value in attributes if name in ("src", "href") and value]

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style") and data.strip():
            self.inline.append(data)


def links(client: Client, page: str) -> Links:
    return Links(client.http.get(page).text)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_and_all_that_it_loads_come_from_here(client: Client, page: str) -> None:
    loaded = [*links(client, page).loaded, *LOADED_BY_SCRIPT]
    assert not any(FOREIGN.match(each) for each in loaded)
    assert {client.http.get(f"/{each}").status_code for each in loaded} == {200}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_script_or_style_written_into_it(client: Client, page: str) -> None:
    assert links(client, page).inline == []


def test_style_sheets_and_our_scripts_name_no_other_host(client: Client) -> None:
    for page in PAGES:
        for name in links(client, page).loaded:
            text = client.http.get(f"/{name}").text
            used = re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')]{,80})", text)
            if name.endswith(".css"):
                assert [each for each in used if FOREIGN.match(each)] == [], name
            elif name.endswith("-start.js"):
                assert FOREIGN.findall(text) == [], name


def test_redoc_does_not_fetch_its_makers_logo(client: Client) -> None:
    assert "cdn.redoc.ly/redoc/logo" not in client.http.get("/docs/redoc.js").text


@pytest.mark.parametrize("page", PAGES)
def test_the_browser_is_told_to_load_nothing_from_elsewhere(client: Client, page: str) -> None:
    policy = client.http.get(page).headers["content-security-policy"]
    sources = {word for rule in policy.split("; ") for word in rule.split()[1:]}
    assert sources == {"'none'", "'self'", "'unsafe-inline'", "data:", "blob:"}
    assert "script-src 'self';" in policy


@pytest.mark.parametrize("path", [*PAGES, *LOADED_BY_SCRIPT, "docs/swagger.js"])
def test_what_the_browser_has_is_not_sent_again(client: Client, path: str) -> None:
    path = f"/{path.removeprefix('/')}"
    first = client.http.get(path)
    again = client.http.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


def test_a_file_that_is_none_of_the_pages_is_unknown(client: Client) -> None:
    answered = client.http.get("/docs/redoc.html")
    assert (answered.status_code, answered.json()["error"]["code"]) == (404, "NOT_FOUND")


def test_an_order_from_the_page_is_taken(house: houses.House, client: Client) -> None:
    headers = {"Origin": house.url}
    assert client.post("/portfolios", {"name": "tried out"}, headers=headers).status == 201


@pytest.mark.parametrize("path", ["/schema", "/schema/", "/schema/swagger", "/schema/openapi.yaml"])
def test_beside_the_document_there_are_no_pages_of_the_framework(client: Client, path: str) -> None:
    answered = client.http.get(path)
    assert (answered.status_code, answered.json()["error"]["code"]) == (404, "NOT_FOUND")
