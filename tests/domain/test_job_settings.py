"""What a job may be told, and what it may not."""

from decimal import Decimal
from typing import Any

import pytest

from domain import job_settings, refusals


@pytest.mark.parametrize("job", list(job_settings.SETTINGS))
def test_every_job_runs_with_nothing_said(job: str) -> None:
    job_settings.check(job, {})


@pytest.mark.parametrize(
    ("job", "said", "why"),
    [
        ("backup", {"keep": 0}, "settings.keep cannot be meant: Expected `int` >= 1"),
        ("backup", {"kept": 3}, "settings.kept is no setting of this job"),
        ("price_refresh", {"keep": 3}, "settings.keep is no setting of this job"),
        ("opportunity_scanning", {"symbols": [1]}, "settings.symbols[0] cannot be meant"),
        ("opportunity_scanning", {"symbols": ["A B"]}, "symbol must be 1 to 10 letters"),
        ("expiration_review", {"margin": "-0.01"}, "settings.margin must be from 0 to 1000"),
        ("performance_rollup", {"days": 1.5}, "settings.days cannot be meant"),
        ("ledger_checkpoint", {"full": "yes"}, "settings.full cannot be meant: Expected `bool`"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_name(
    job: str, said: dict[str, Any], why: str
) -> None:
    with pytest.raises(refusals.Invalid) as refused:
        job_settings.check(job, said)
    assert refused.value.message.startswith(why)


def test_a_margin_may_be_a_number_or_text() -> None:
    meant = [
        job_settings.meant({"margin": each}, job_settings.Expirations).margin
        for each in (0.05, "0.05", 1)
    ]
    assert meant == [Decimal("0.05"), Decimal("0.05"), Decimal(1)]
