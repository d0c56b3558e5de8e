"""The project keeps its own promises: names, settings, commands, the lock."""

import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from adapters import nats_server, settings
from domain import login, recommendation, rules

ROOT = Path(__file__).parents[1]
VARIABLES = {settings.CONFIG_VARIABLE, *map(settings.variable, settings.keys())}


@pytest.mark.parametrize(
    "name",
    ["adapters", "api", "client", "domain", "plugin", "projections", "supervisor", "workers"],
)
def test_our_plain_names_stay_ours(name: str) -> None:
    """A package that we install could bring one of the same name; schwab-py brings `tests`."""
    assert Path(str(importlib.import_module(name).__file__)).parent == ROOT / name


def test_tests_are_ours_too() -> None:
    assert Path(str(importlib.import_module("tests").__file__)).parent == ROOT / "tests"


def test_every_setting_is_documented() -> None:
    documented = set(re.findall(r"`(WHEEL_\w+)` \|", (ROOT / "docs/configuration.md").read_text()))
    assert documented == VARIABLES


def test_no_code_reads_a_variable_that_is_not_a_setting() -> None:
    theirs = {f"WHEEL_NATS_PASSWORD_{role.upper()}" for role in nats_server.ROLES}
    known = VARIABLES | theirs | {"WHEEL_NATS_STORE", "WHEEL_NATS_PASSWORD_"}
    packages = ("adapters", "api", "domain", "plugin", "projections", "supervisor", "workers")
    code = (path.read_text() for name in packages for path in (ROOT / name).rglob("*.py"))
    read = {name for text in code for name in re.findall(r"\bWHEEL_\w+", text)}
    assert read - known <= {"WHEEL_"}


def test_every_rule_of_alerts_is_documented_with_its_severity() -> None:
    documented = re.findall(
        r"^\| `(\w+)` \| (\w+) \|", (ROOT / "docs/alerts.md").read_text(), re.MULTILINE
    )
    of_trades = [(each.name, each.severity) for each in rules.RULES]
    assert documented == [*of_trades, (login.RULE, "MEDIUM"), (login.RULE, "HIGH")]


def test_every_rule_against_a_sale_and_every_profile_is_documented() -> None:
    page = (ROOT / "docs/advice.md").read_text()
    _, _, table = page.partition("| rule |")
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE)
    bands = {
        name: f"{least} to {most} | {recommendation.MUCH[name] * 100:.0f} %"
        for name, (least, most) in recommendation.BANDS.items()
    }
    assert [name for name, _ in rows] == [*(each.name for each in recommendation.RULES), *bands]
    assert {name: said for name, said in rows if name in bands} == bands


def test_every_command_of_the_makefile_has_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [line.split()[1] for line in said.stdout.splitlines()] == phony.group(1).split()


def test_the_lock_names_no_host_and_hashes_everything() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    entries = re.findall(r"^\S+==(?:.|\n)*?(?=^\S|\Z)", lock, re.MULTILINE)
    assert "://" not in lock
    assert len(entries) > 50
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_lock_holds_every_dependency_that_the_project_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"].values()
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    wanted += [requirement for extra in extras for requirement in extra]
    locked = set(
        re.findall(r"^([^\s=\[]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    )
    names = {re.split(r"[<>=\[]", each)[0].lower().replace("_", "-") for each in wanted}
    assert names <= locked


@pytest.mark.parametrize(
    ("what", "large"),
    [
        ("workers.notifier, workers.plugins, workers.projector, workers.relay", "numpy"),
        ("workers.scanner, workers.scheduler", "numpy"),
        ("workers.risk", "scipy"),
        ("api.app, projections.exports", "polars"),
    ],
)
def test_a_process_does_not_load_what_it_seldom_or_never_needs(what: str, large: str) -> None:
    code = f"import sys, {what}; print({large!r} in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert said.stdout == "False\n"
