"""With a token set, whoever does not carry it is told nothing but the health."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.api import house as houses
from tests.api.client import Client, Desk

TOKEN = "a secret"
NAME = str(uuid4())


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[houses.House]:
    with (
        pytest.MonkeyPatch.context() as patch,
        houses.opened(tmp_path_factory.mktemp("guarded"), patch, TOKEN) as opened,
    ):
        yield opened


def _named(part: str) -> str:
    if part == "{version}":
        return "1"
    return NAME if part.startswith("{") else part


@pytest.fixture(scope="module")
def paths(guarded: houses.House) -> list[tuple[str, str]]:
    """Every operation that there is."""
    client = guarded.client()
    found = client.get("/schema/openapi.json").body["paths"]
    client.close()
    return [
        (
            method.upper(),
            "/".join(_named(part) for part in path.split("/")),
        )
        for path, operations in found.items()
        for method in operations
        if method in ("get", "post", "put", "delete")
    ]


@pytest.mark.parametrize(("scheme", "status"), [("bearer", 200), ("BEARER", 200), ("Basic", 401)])
def test_the_scheme_is_known_however_it_is_written(
    guarded: houses.House, scheme: str, status: int
) -> None:
    client = Client(guarded.url)
    carried = {"Authorization": f"{scheme} {TOKEN}"}
    assert client.ask("GET", "/portfolios", headers=carried).status == status
    client.close()


@pytest.mark.parametrize("token", [None, "another", "a secret "])
def test_nobody_without_the_token_is_told_anything(
    guarded: houses.House, paths: list[tuple[str, str]], token: str | None
) -> None:
    client = Client(guarded.url, token and token.strip() + "x")
    refused = {
        path: (answered.status, answered.code)
        for method, path in paths
        if not path.endswith(("/health", "/act"))  # a signature is asked for instead
        for answered in [client.ask(method, path, {} if method in ("POST", "PUT") else None)]
    }
    client.close()
    assert len(refused) > 20
    assert set(refused.values()) == {(401, "UNAUTHORIZED")}


def test_what_is_not_there_is_not_told_either(guarded: houses.House) -> None:
    client = Client(guarded.url)
    assert client.get("/no/such/thing").status in (401, 404)
    assert client.post(f"/wheels/{NAME}/trades", b"{").code == "UNAUTHORIZED"
    assert client.get("/wheels", colour="red").code == "UNAUTHORIZED"
    client.close()


@pytest.mark.parametrize("path", ["/health", "/api/v1/health"])
def test_the_health_is_told_to_everyone(guarded: houses.House, path: str) -> None:
    client = Client(guarded.url)
    assert client.get(path).status == 200
    client.close()


def test_whoever_carries_the_token_may_do_everything(guarded: houses.House) -> None:
    client = guarded.client()
    desk = Desk(client)
    assert desk.sell(desk.wheel())
    client.close()
