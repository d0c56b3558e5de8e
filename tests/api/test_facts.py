"""Any one fact can be taken back, with a reason, where nothing later needs it."""

from tests.api.client import Client, Desk


def test_a_mistyped_dividend_is_voided(client: Client, desk: Desk) -> None:
    wheel = desk.wheel(capital_allocated="20000")
    order = {"amount_per_share": 5, "ex_date": "2026-02-27", "shares": 100}
    client.post(f"/wheels/{wheel}/dividends", order)
    answered = client.post(f"/wheels/{wheel}/events/2/void", {"reason": "mistyped"})
    assert answered.data["cash"] == 20000


def test_a_wheels_start_is_not(client: Client, desk: Desk) -> None:
    wheel = desk.wheel(capital_allocated="20000")
    refused = client.post(f"/wheels/{wheel}/events/1/void", {"reason": "a whim"})
    assert (refused.status, refused.code) == (409, "INVALID_STATE")


def test_a_fact_that_is_not_there_is_unknown(client: Client, desk: Desk) -> None:
    wheel = desk.wheel(capital_allocated="20000")
    refused = client.post(f"/wheels/{wheel}/events/7/void", {"reason": "a guess"})
    assert (refused.status, refused.code) == (404, "NOT_FOUND")
