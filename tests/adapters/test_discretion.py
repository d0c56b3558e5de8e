"""What looks like a secret is not written down; what does not is."""

import json
import logging

import pytest

from adapters import discretion


@pytest.mark.parametrize(
    "line",
    [
        "Authorization: Bearer hush",
        'authorization: "Bearer hush"',
        "{'Authorization': 'Bearer hush'}",
        "nats://risk:hush@bus:4222",
        "postgresql://desk:hush@db/wheel",
        "postgresql:///wheel?host=db&password=hush",
        "password=hush",
        "password: hush,",
        'password = "hush hush"',
        '{"password":"hush hush"}',
        '{\\"client_secret\\": \\"hush\\"}',
        "api_key=hush&more=1",
        "refresh_token: hush",
        "access-token=hush",
    ],
)
def test_a_secret_is_not_to_be_read(line: str) -> None:
    assert "hush" not in discretion.blotted(line)


@pytest.mark.parametrize(
    "line",
    [
        "account 12345678",
        "acct# 123456789",
        "accountNumber: 12345678",
        '{"accountNumber": "12345678"}',
        "for the broker's account no. 12345678, today",
        "GET /trader/v1/accounts/12345678/orders",
        "broker_account=12345678",
    ],
)
def test_a_number_of_an_account_is_not_to_be_read(line: str) -> None:
    assert "12345678" not in discretion.blotted(line)


@pytest.mark.parametrize("word", ["accounts/", '"hashValue": "', "account hash "])
def test_the_hash_of_an_account_is_not_to_be_read(word: str) -> None:
    number = "0A1B2C3D" * 8
    assert number not in discretion.blotted(f"{word}{number}")


@pytest.mark.parametrize(
    "line",
    [
        "the ledger's head is 12345678",
        "head hash 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "account 1234567",
        "on account of 2026-01-05T15:00:00Z",
        "a token is needed",
        "GET /api/v1/wheels/41cc5d78-2e8b-5495-8897-9904b50465e5",
        "the password is wrong",
    ],
)
def test_what_is_none_is_left_as_it_is(line: str) -> None:
    assert discretion.blotted(line) == line


def test_a_line_of_json_stays_json() -> None:
    line = json.dumps({"message": 'password="a b" account 12345678', "token": "x", "n": 12345678})
    assert json.loads(discretion.blotted(line))["n"] == 12345678


def test_what_stands_under_a_secrets_name_is_blotted_out_however_deep() -> None:
    given = {"api_token": "hush", "nested": [{"Password": "hush"}], "symbol": "SPY", "token": None}
    assert discretion.without_secrets(given) == {
        "api_token": "***",
        "nested": [{"Password": "***"}],
        "symbol": "SPY",
        "token": None,
    }


def test_a_known_secret_is_found_wherever_it_stands() -> None:
    formatter = discretion.Discreet(logging.Formatter("%(message)s"), ("hush", None, ""))
    record = logging.makeLogRecord({"msg": "in a hushed voice"})
    assert formatter.format(record) == "in a ***ed voice"
