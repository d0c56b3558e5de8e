"""What nobody who means well sends is refused, and every answer is dressed for the worst."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from adapters import settings
from tests.api import house as houses
from tests.api.client import Client, Desk
from tests.api.house import House
from tests.api.raw import asked, sent
from tests.api.waiting import until

ALLOWED = "https://desk.example"


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house that a page of another origin may use."""
    with (
        pytest.MonkeyPatch.context() as patch,
        houses.opened(
            tmp_path_factory.mktemp("open"), patch, cors_origins=(ALLOWED,), rate_limit=0
        ) as opened,
    ):
        yield opened


@pytest.fixture
def visitor(open_house: House) -> Iterator[Client]:
    client = open_house.client()
    yield client
    unlimited = {"changes": {"rate_limit": None}}
    until(lambda: client.put("/config", unlimited).status == 200)
    client.close()


# --- how every answer is dressed


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/portfolios", 200),
        ("GET", "/health", 200),
        ("GET", "/api/v1/metrics", 200),
        ("GET", "/schema/openapi.json", 200),
        ("POST", "/api/v1/portfolios", 400),
        ("GET", "/api/v1/no/such/thing", 404),
        ("GET", "/", 404),
        ("PATCH", "/api/v1/portfolios", 405),
        ("BREW", "/api/v1/portfolios", 405),
        ("OPTIONS", "/api/v1/portfolios", 204),
    ],
)
def test_every_answer_carries_what_every_answer_carries(
    client: Client, method: str, path: str, status: int
) -> None:
    answered = client.http.request(method, path, headers={"X-Request-ID": "mine-1"})
    said = answered.headers
    assert answered.status_code == status
    assert said["x-request-id"] == "mine-1"
    assert int(said["x-view-position"]) >= 0
    assert said["x-content-type-options"] == "nosniff"
    assert said["x-frame-options"] == "DENY"
    assert said["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in said["content-security-policy"]
    asked_for_again = path == "/schema/openapi.json"
    assert said["cache-control"] == ("no-cache" if asked_for_again else "no-store")
    if status >= 400:
        assert set(answered.json()["error"]) == {"code", "message", "details"}


def test_a_document_is_framed_by_nobody_and_loads_nothing(client: Client) -> None:
    said = client.http.get("/api/v1/portfolios").headers
    assert said["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_the_pages_of_the_documentation_keep_their_own_policy(client: Client) -> None:
    said = client.http.get("/docs").headers
    assert len(said.get_list("content-security-policy")) == 1
    assert "script-src 'self'" in said["content-security-policy"]


def test_no_header_is_said_twice(client: Client, desk: Desk) -> None:
    answered = client.http.post(
        f"/api/v1/portfolios/{desk.portfolio}/wheels",
        json={"symbol": "SPY", "capital_allocated": 1000},
    )
    names = [name for name, _ in answered.headers.multi_items()]
    assert len(names) == len(set(names))


# --- HEAD


@pytest.mark.parametrize(
    "path", ["/api/v1/portfolios", "/health", "/api/v1/metrics", "/docs", "/schema/openapi.json"]
)
def test_head_is_get_without_the_body(client: Client, path: str) -> None:
    head, get = client.http.head(path), client.http.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


def test_the_head_of_what_is_not_there_says_so(client: Client) -> None:
    assert client.http.head("/api/v1/nowhere").status_code == 404
    assert client.http.head("/api/v1/wheels/recommend").status_code in (404, 405)


def test_the_head_of_an_endless_answer_ends(client: Client) -> None:
    assert client.http.head("/api/v1/stream", timeout=10).status_code == 200


def test_wherever_get_is_head_is_too(client: Client, desk: Desk) -> None:
    desk.sell(desk.wheel())
    paths = client.get("/schema/openapi.json").body["paths"]
    asked = [path for path, item in paths.items() if "get" in item and "{" not in path]
    answers = {path: client.http.head(path) for path in asked}
    assert len(answers) > 10
    assert {answer.status_code for answer in answers.values()} <= {200, 400, 404, 503}
    assert {answer.content for answer in answers.values()} == {b""}
    assert client.get("/health").status == 200


# --- paths


@pytest.mark.parametrize(
    "target",
    [
        b"/docs/../../etc/passwd",
        b"/docs/..%2f..%2fetc%2fpasswd",
        b"/docs/%2e%2e/%2e%2e/etc/passwd",
        b"/docs/..%5c..%5cetc%5cpasswd",
        b"/docs/....//....//etc/passwd",
        b"/docs/%252e%252e%252fetc%252fpasswd",
        b"/docs//etc/passwd",
        b"/docs/%00swagger.js",
        b"/api/v1/../../../../etc/passwd",
        b"/api/v1/portfolios/..%2f..%2f..%2fetc%2fpasswd",
        b"/schema/../../config/server.yaml",
        b"//etc/passwd",
    ],
)
def test_no_path_leads_out_of_the_house(house: House, target: bytes) -> None:
    answered = asked(house, target)
    assert answered.status in (400, 404)
    assert b"root:" not in answered.body
    assert b"api_host" not in answered.body


# --- headers


@pytest.mark.parametrize(
    "header",
    [
        b"X-Request-ID: a\rSet-Cookie: b=c",
        b"X-Request-ID: a\nSet-Cookie: b=c",
        b"X-Request-ID: a%0d%0aSet-Cookie:%20b=c",
        b"X-Request-ID: a\x00b",
        b"X-Request-ID: \xe2\x80\xa8",
        b"X-Request-ID: " + b"a" * 129,
        b"X-Request-ID:",
    ],
)
def test_nothing_in_a_header_makes_another(house: House, header: bytes) -> None:
    answered = asked(house, b"/api/v1/portfolios", header)
    assert answered.header("set-cookie") is None
    assert answered.status in (0, 200, 400)


@pytest.mark.parametrize(
    "target",
    [
        b"/api/v1/portfolios?sort=%0d%0aSet-Cookie:%20a=b",
        b"/api/v1/portfolios?%0d%0aSet-Cookie:%20a=b=1",
        b"/api/v1/performance/export?what=trades%0d%0aSet-Cookie:%20a=b&format=csv",
        b"/api/v1/performance/export?what=trades&format=csv%0d%0aSet-Cookie:%20a=b",
        b"/api/v1/performance/export?what=trades&format=csv&symbol=%0d%0aSet-Cookie:%20a=b",
        b"/%0d%0aSet-Cookie:%20a=b",
    ],
)
def test_nothing_in_a_query_makes_a_header(house: House, target: bytes) -> None:
    answered = asked(house, target)
    assert answered.header("set-cookie") is None
    assert answered.status in (200, 400, 404)


def test_the_location_of_what_was_made_is_ours_to_write(client: Client, desk: Desk) -> None:
    body = {"symbol": "A\r\nX: y", "capital_allocated": 1000}
    answered = client.post(f"/portfolios/{desk.portfolio}/wheels", body)
    assert answered.code == "VALIDATION_ERROR"


# --- sizes


def test_a_body_that_is_too_large_is_refused_in_our_form(client: Client) -> None:
    head = client.head()
    body = json.dumps({"name": "x" * 1_100_000}).encode()
    answered = client.post("/portfolios", body)
    assert (answered.status, answered.code) == (400, "VALIDATION_ERROR")
    assert client.head() == head


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        (b"/api/v1/portfolios?sort=" + b"a" * 500_000, ()),
        (b"/api/v1/" + b"a" * 500_000, ()),
        (b"/api/v1/portfolios", (b"X-Long: " + b"a" * 2_000_000,)),
        (b"/api/v1/portfolios", tuple(b"X-%d: a" % n for n in range(5_000))),
    ],
)
def test_a_request_that_is_too_long_is_refused(
    house: House, target: bytes, headers: tuple[bytes, ...]
) -> None:
    assert asked(house, target, *headers).status in (0, 400, 404, 414, 431)
    assert asked(house, b"/health").status == 200


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
        b"GET /health\r\n\r\n\r\n\r\n",
        b"POST /api/v1/portfolios HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        (
            b"POST /api/v1/portfolios HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"
        ),
    ],
)
def test_what_is_no_request_is_no_fault_of_ours(house: House, said: bytes) -> None:
    assert sent(house, said + b"\r\n\r\n").status in (0, 400, 505)
    assert asked(house, b"/health").status == 200


# --- who asks


@pytest.mark.parametrize(
    "host", [b"evil.example", b"localhost.evil.example", b"127.0.0.1@evil.example"]
)
def test_another_name_for_our_address_is_refused(house: House, host: bytes) -> None:
    said = b"GET /api/v1/portfolios HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
    assert sent(house, said).status == 400


def test_nobody_listens_to_the_world_without_a_token(house: House) -> None:
    environ = {"WHEEL_API_HOST": "0.0.0.0"}
    with pytest.raises(settings.Misconfigured, match="api_token"):
        settings.load(environ)


def test_whoever_listens_to_the_world_asks_for_the_token(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path_factory.mktemp("world")
    with houses.opened(place, monkeypatch, "hush", api_host="0.0.0.0") as house:
        stranger, known = Client(house.url), house.client()
        answers = [each.get("/portfolios").status for each in (stranger, known)]
        stranger.close()
        known.close()
    assert answers == [401, 200]


# --- pages of other origins


def preflight(client: Client, origin: str, **asked: str) -> Any:
    headers = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
    headers |= {f"Access-Control-Request-{name.title()}": each for name, each in asked.items()}
    return client.http.options("/api/v1/config", headers=headers)


def test_a_page_that_was_named_may_ask_and_read_what_it_needs(visitor: Client) -> None:
    answered = preflight(visitor, ALLOWED, headers="content-type, if-match, authorization")
    assert answered.status_code == 204
    assert answered.headers["access-control-allow-origin"] == ALLOWED
    made = visitor.post("/portfolios", {"name": "from a page"}, {"Origin": ALLOWED})
    assert made.status == 201
    assert made.headers["access-control-allow-origin"] == ALLOWED
    assert "ETag" in made.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in made.headers


@pytest.mark.parametrize("origin", ["https://evil.example", "http://desk.example", "null"])
def test_a_page_that_was_not_named_may_not(visitor: Client, origin: str) -> None:
    answered = preflight(visitor, origin)
    assert answered.status_code == 400
    assert "access-control-allow-origin" not in answered.headers
    assert visitor.post("/portfolios", {"name": "x"}, {"Origin": origin}).status == 400


def test_no_page_is_allowed_unless_one_is_named(client: Client) -> None:
    answered = client.get("/portfolios")
    assert not [name for name in answered.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "origin", ["*", "https://*.example", "desk.example", "https://a/b", "null"]
)
def test_an_origin_is_one_origin(origin: str) -> None:
    with pytest.raises(settings.Misconfigured, match="cors_origins"):
        settings.load({"WHEEL_CORS_ORIGINS": origin})


# --- how often


def test_who_asks_too_often_is_told_when_to_come_again(visitor: Client) -> None:
    visitor.put("/config", {"changes": {"rate_limit": 200}})
    answers = [visitor.get("/portfolios") for _ in range(250)]
    refused = next(each for each in answers if each.status != 200)
    assert (refused.status, refused.code) == (429, "RATE_LIMITED")
    assert refused.headers["retry-after"] == "1"
    assert refused.error["details"] == {"retry_after": 1}
    assert [visitor.get("/health").status for _ in range(5)] == [200] * 5
