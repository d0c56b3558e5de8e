"""Web pages of others do not write here through their reader's browser, nor read."""

import pytest

from tests.api.client import Client

BODY = b'{"name": "by a stranger"}'


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_what_a_form_can_send_is_refused_by_its_origin(client: Client, kind: str) -> None:
    answered = client.post("/portfolios", BODY, {"Content-Type": kind, "Origin": "null"})
    assert (answered.status, answered.error["details"]["field"]) == (400, "Origin")


@pytest.mark.parametrize("header", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
def test_a_strange_host_or_origin_is_refused(client: Client, header: dict[str, str]) -> None:
    answered = client.post("/portfolios", BODY, header)
    assert (answered.code, answered.error["details"]["field"]) == ("VALIDATION_ERROR", *header)


def test_a_page_of_this_machine_may_ask(client: Client) -> None:
    answered = client.post("/portfolios", BODY, {"Origin": "http://localhost:3000"})
    assert answered.status == 201
