"""docs/plugins.md is done, step by step: its file is saved, what it types is typed."""

import contextlib
import doctest
import io
import re
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from domain import plugin
from tests.api import house as houses
from tests.api.waiting import EVERY, PATIENCE, until

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs/plugins.md").read_text("utf-8")
EXAMPLES = sorted((ROOT / "examples/plugins").glob("*.py"))
PIECE = re.compile(r"^```(python|pycon)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CHECKER = doctest.OutputChecker()
_LOOSELY = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[houses.House]:
    with (
        pytest.MonkeyPatch.context() as patch,
        houses.opened(tmp_path_factory.mktemp("house"), patch) as opened,
        houses.plugged(opened),
    ):
        yield opened


class Newcomer:
    """Does what stands there; a question is asked again until all has caught up."""

    def __init__(self, house: houses.House) -> None:
        self._house = house
        self._session: dict[str, Any] = {"__name__": "__main__"}

    def save(self, code: str) -> None:
        (self._house.settings.plugins_path / "idle_cash.py").write_text(code)

    def type(self, text: str) -> None:
        own = text.replace("http://127.0.0.1:8000", self._house.url)
        for example in doctest.DocTestParser().get_examples(own):
            deadline = time.monotonic() + PATIENCE
            answered = self._answered(example.source)
            while not _is(example, answered) and time.monotonic() < deadline:
                time.sleep(EVERY)
                answered = self._answered(example.source)
            assert _is(example, answered), (example.source, example.want, answered)

    def _answered(self, source: str) -> str:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            try:
                exec(compile(source, "<guide>", "single"), self._session)  # noqa: S102 - our guide
            except Exception as error:  # noqa: BLE001 - it is told, and compared
                return f"{type(error).__module__}.{type(error).__name__}: {error}\n"
        return printed.getvalue()


def _is(example: doctest.Example, answered: str) -> bool:
    return _CHECKER.check_output(example.exc_msg or example.want, answered, _LOOSELY)


def test_a_newcomer_comes_to_a_plugin_that_runs(house: houses.House) -> None:
    newcomer = Newcomer(house)
    do = {"python": newcomer.save, "pycon": newcomer.type}
    for language, text in PIECE.findall(GUIDE):
        do[language](text)
    newcomer._session["wheelwright"].close()


def test_the_guide_names_every_command_and_every_status() -> None:
    _, _, behind = GUIDE.partition("Commands have to be granted")
    listed, _, _ = behind.partition(". What")
    assert set(re.findall(r"`([a-z.]+)`", listed)) == set(plugin.COMMANDS)
    told = re.findall(r"`(\w+)`", GUIDE.partition("## When it goes wrong")[2])
    assert set(plugin.Status.__args__) <= set(told)  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_runs_as_it_is(house: houses.House, path: Path) -> None:
    house.open_market()
    client, name = house.client(), path.stem
    copy(path, house.settings.plugins_path)
    until(lambda: name in {each["name"] for each in client.get("/plugins/discovered").data})
    assert client.post("/plugins", {"name": name}).data["reason"] is None
    client.post(f"/plugins/{name}/enable")
    client.post(f"/plugins/{name}/run")
    [ran] = until(lambda: client.get(f"/plugins/{name}/runs").data)
    client.close()
    assert (ran["outcome"], ran["error"]) == ("succeeded", None)
