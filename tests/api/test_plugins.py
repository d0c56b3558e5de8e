"""Plugins over HTTP: found, registered, configured, run, and kept apart from all else."""

import os
import textwrap
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.api import house as houses
from tests.api.client import Client, Desk
from tests.api.waiting import until

HEAD = """
from plugin import Config, Context, Plugin, Schedule

class Settings(Config):
    days: int = 7
    symbols: list[str] = []

class It(Plugin):
    '''Says something.'''
    name = "{name}"
    version = "{version}"
    default_schedule = Schedule(cron="0 16 * * 1-5")
    default_market_hours = "sessions"
    config = Settings
    commands = ("trades.close",)

"""
FINE = "context.alert('all is well', severity='LOW', symbol='SPY')"
Write = Callable[..., str]


@pytest.fixture(scope="module")
def directory(house: houses.House) -> Iterator[Path]:
    with houses.plugged(house) as found:
        yield found


@pytest.fixture
def write(directory: Path) -> Write:
    return lambda name, body=FINE, version="1.0": written(directory, name, body, version)


def written(directory: Path, name: str, body: str, version: str = "1.0") -> str:
    """A plugin whose run does what the body says; its name."""
    code = HEAD.format(name=name, version=version) + "    def execute(self, context):\n"
    whole(directory, name, code + textwrap.indent(textwrap.dedent(body).strip(), " " * 8) + "\n")
    return name


def whole(directory: Path, name: str, code: str) -> None:
    """A plugin's file, all at once."""
    draft = directory / f"_{name}.draft"
    draft.write_text(code)
    draft.replace(directory / f"{name}.py")


def found(client: Client, name: str) -> Any:
    listed = client.get("/plugins/discovered").data
    return next((each for each in listed if each["name"] == name), None)


def register(client: Client, name: str) -> Any:
    until(lambda: found(client, name))
    return client.post("/plugins", {"name": name}).data


def begun(client: Client, name: str) -> str:
    return str(client.post(f"/plugins/{name}/run").data["run_id"])


def ended(client: Client, name: str, run_id: str) -> Any:
    runs = client.get(f"/plugins/{name}/runs").data
    return next((each for each in runs if each["run_id"] == run_id), None)


def run(client: Client, name: str) -> Any:
    """Run a registered plugin; how it ended."""
    run_id = begun(client, name)
    return until(lambda: ended(client, name, run_id))


def ready(client: Client, name: str, **limits: int) -> None:
    """A plugin that was written is registered and enabled."""
    register(client, name)
    if limits:
        client.put(f"/plugins/{name}/limits", limits)
    assert client.post(f"/plugins/{name}/enable").data["status"] == "healthy"


def alerts(client: Client, name: str, **query: Any) -> list[Any]:
    return list(client.get("/alerts", rule=f"plugin_{name}", **query).data)


def shown(client: Client, name: str) -> tuple[str, str | None]:
    plugin = client.get(f"/plugins/{name}").data
    return plugin["status"], plugin["reason"]


def test_a_plugin_that_was_found_tells_what_it_is(client: Client, write: Write) -> None:
    write("teller")
    told = until(lambda: found(client, "teller"))
    assert (told["plugin_version"], told["description"], told["wants"], told["fault"]) == (
        "1.0",
        "Says something.",
        ["trades.close"],
        None,
    )
    assert told["default_schedule"]["cron"] == "0 16 * * 1-5"
    assert told["is_registered"] is False


def test_a_plugin_is_registered_disabled_and_with_nothing_granted(
    client: Client, write: Write
) -> None:
    write("fresh")
    until(lambda: found(client, "fresh"))
    made = client.post("/plugins", {"name": "fresh"})
    assert (made.status, made.headers["location"]) == (201, "/api/v1/plugins/fresh")
    assert (made.data["status"], made.data["grants"], made.data["config"]) == ("disabled", [], {})
    assert client.get("/plugins/fresh").data == made.data
    assert found(client, "fresh")["is_registered"] is True
    assert client.post("/plugins", {"name": "fresh"}).code == "CONFLICT"


def test_a_run_tells_its_alerts_and_is_listed(client: Client, write: Write) -> None:
    ready(client, write("runner"))
    done = run(client, "runner")
    assert (done["outcome"], done["trigger"], done["alerts"]) == ("succeeded", "manual", 1)
    [alert] = until(lambda: alerts(client, "runner"))
    assert (alert["message"], alert["severity"], alert["symbol"]) == ("all is well", "LOW", "SPY")
    assert shown(client, "runner") == ("healthy", None)


def test_an_alert_is_over_when_a_good_run_tells_it_no_more(
    client: Client, write: Write, directory: Path
) -> None:
    body = """
    for key in self.settings.symbols:
        context.alert(f"look at {key}", key=key)
    """
    ready(client, write("watcher", body))
    for symbols, left in (["A", "B"], ["A", "B"]), (["B", "C"], ["B", "C"]), ([], []):
        client.put("/plugins/watcher/config", {"config": {"symbols": symbols}})
        assert run(client, "watcher")["outcome"] == "succeeded"
        until(partial(stands, client, left))


def test_what_is_not_run_because_it_is_async_is_no_good_run(
    client: Client, directory: Path, write: Write
) -> None:
    ready(client, write("later"))
    run(client, "later")
    until(lambda: alerts(client, "later"))
    code = (directory / "later.py").read_text().replace("def execute", "async def execute")
    whole(directory, "later", code.replace("1.0", "2.0"))
    until(lambda: client.get("/plugins/later").data["plugin_version"] == "2.0")
    done = run(client, "later")
    assert (done["outcome"], "must be a plain `def`" in done["error"]) == ("failed", True)
    assert alerts(client, "later", status="active")


def test_the_alerts_of_a_plugin_that_is_removed_are_over(client: Client, write: Write) -> None:
    ready(client, write("leaving"))
    run(client, "leaving")
    until(lambda: alerts(client, "leaving", status="active"))
    client.delete("/plugins/leaving")
    until(lambda: not alerts(client, "leaving", status="active"))


def test_a_long_description_is_cut(client: Client, directory: Path) -> None:
    long = HEAD.replace("Says something.", "word " * 1_000).format(name="wordy", version="1")
    whole(directory, "wordy", long)
    told = until(lambda: found(client, "wordy"))
    assert (told["fault"], len(told["description"])) == (None, 1_000)


def stands(client: Client, left: list[str]) -> bool:
    active = alerts(client, "watcher", status="active")
    return sorted(each["message"].removeprefix("look at ") for each in active) == left


# --- what goes wrong stays where it is --------------------------------------------------------

BAD = {
    "sleeps": ("import time\ntime.sleep(10_000)", "timed_out", "not done within 2 s"),
    "spins": ("while True: pass", "timed_out", "not done within 2 s"),
    "eats": ("all = []\nwhile True: all.append(bytearray(10_000_000))", "out_of_memory", None),
    "orphans": (
        "import os\nos.kill(os.getppid(), 9)",
        "failed",
        "the process that keeps it was killed while it ran",
    ),
    "breeds": (
        """
        import os, time
        for _ in range(8):
            if os.fork() == 0:
                mine = bytearray(b"x" * 40_000_000)
                time.sleep(10_000)
        time.sleep(10_000)
        """,
        "out_of_memory",
        "it and what it has started took more memory than it may",
    ),
    "raises": ("raise ValueError('the moon is wrong')", "failed", "ValueError: the moon is wrong"),
    "leaves": ("import os\nos._exit(7)", "failed", "it ended without a word, with status 7"),
    "crashes": ("import os\nos.abort()", "failed", "ended by SIGABRT"),
    "times": ("import os\nos.kill(os.getpid(), 40)", "failed", "ended by signal 40"),
    "mutes": (
        "import sys\nsys.stdout.close()\nsys.stderr.close()\nraise ValueError('really')",
        "failed",
        "ValueError: really",
    ),
    "cuts": (
        "import os\nos.close(1)\nos.close(2)\nraise ValueError('so')",
        "failed",
        "ValueError: so",
    ),
    "halves": ("raise ValueError('\\ud800')", "failed", "ValueError: \\ud800"),
    "yields": (
        "context.alert('no')\nyield",
        "failed",
        "plugin.loading.Unfit: execute must be a plain `def` that yields nothing",
    ),
    "exits": ("raise SystemExit(3)", "failed", "SystemExit: 3"),
    "closes": (
        "context.api.close_trade('5a1f8f0e-4a3c-5c55-9d4e-0e6f3f6b8d11', price_per_share=1)",
        "refused",
        "trades.close was not granted",
    ),
    "hides": (
        "try:\n    context.api.change_config(changes={})\nexcept Exception: pass",
        "refused",
        "PUT /api/v1/config was not granted",
    ),
    "looks": ("context.api.config()", "refused", "GET /api/v1/config was not granted"),
    "nests": (
        """
        deep = b"[" * 5_000 + b"]" * 5_000
        context._line._socket.sendall(b'{"type": "ask", "x": ' + deep + b"}\\n")
        context._line._heard.readline()
        """,
        "failed",
        "it said what cannot be read",
    ),
    "pools": (
        """
        from concurrent.futures import ProcessPoolExecutor
        global ask
        def ask(symbol):
            return context.quote(symbol)
        with ProcessPoolExecutor(2) as pool:
            print(list(pool.map(ask, ["SPY", "XYZ"] * 4)))
        """,
        "failed",
        "plugin.line.Unheard: ask in the plugin's own process, not in one that it has started",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_plugin_is_shown_for_what_it_is_and_the_others_run_on(
    client: Client, write: Write, name: str
) -> None:
    body, outcome, why = BAD[name]
    ready(
        client,
        write(name, body),
        timeout_seconds=2 if outcome == "timed_out" else 30,
        memory_mb=128,
    )
    ready(client, write(f"beside_{name}"))
    bad = begun(client, name)
    assert run(client, f"beside_{name}")["outcome"] == "succeeded"
    assert client.get("/positions/open").status == 200
    done = until(lambda: ended(client, name, bad))
    assert (done["outcome"], done["error"] if why else None) == (outcome, why)
    assert shown(client, name) == (outcome, done["error"])


def test_a_question_that_was_given_up_is_the_last_and_the_run_says_so(
    client: Client, write: Write
) -> None:
    body = """
    read, context._line._heard = context._line._heard, None
    try:
        context.quote("SPY")
    except AttributeError:
        context._line._heard = read
    try:
        context.quote("XYZ")
    except Exception as error:
        print(error)
    """
    ready(client, write("hasty", body))
    done = run(client, "hasty")
    assert (done["outcome"], "given up" in done["output"]) == ("succeeded", True)


def test_what_is_binary_is_kept_as_text(client: Client, write: Write) -> None:
    body = """
    import os, sys
    sys.stdout.buffer.write(bytes(range(256)) * 4000)
    sys.stdout.flush()
    os.write(1, b"\\x00\\xff\\x1b[31mthe end\\n")
    """
    ready(client, write("binary", body))
    done = run(client, "binary")
    assert done["outcome"] == "succeeded"
    assert done["output"].endswith("\\x00\\xff\\x1b[31mthe end\n")
    assert len(done["output"]) <= 4_003


def test_what_a_plugin_started_ends_with_it(client: Client, write: Write, directory: Path) -> None:
    body = f"""
    import subprocess
    for apart in (False, True):
        child = subprocess.Popen(["sleep", "10000"], start_new_session=apart)
        with open({str(directory / "_children")!r}, "a") as file:
            file.write(f"{{child.pid}}\\n")
    child.wait()
    """
    ready(client, write("parent", body), timeout_seconds=2)
    assert run(client, "parent")["outcome"] == "timed_out"
    children = [int(each) for each in (directory / "_children").read_text().split()]
    assert len(children) == 2
    until(lambda: not any(alive(pid) for pid in children))


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_plugin_sees_no_secret_of_ours_in_its_environment(client: Client, write: Write) -> None:
    os.environ["WHEEL_API_TOKEN_OF_A_TEST"] = "secret"
    try:
        ready(client, write("nosy", "import os\nprint(sorted(os.environ))"))
        output = run(client, "nosy")["output"]
    finally:
        del os.environ["WHEEL_API_TOKEN_OF_A_TEST"]
    assert "PYTHONPATH" in output
    assert "WHEEL_" not in output


@pytest.mark.parametrize(
    ("name", "code", "why"),
    [
        ("syntax", "def broken(:\n", "SyntaxError"),
        ("missing", "import a_module_that_is_not_there\n", "ModuleNotFoundError"),
        ("empty", "", "0 classes"),
        ("misnamed", HEAD.format(name="other", version="1"), "calls itself 'other'"),
        ("quits", "raise SystemExit\n", "SystemExit"),
        ("shoots", "import os\nos.kill(os.getpid(), 40)\n", "ended by signal 40"),
        ("unsaid", HEAD.format(name="unsaid", version="\\ud800"), "UnicodeEncodeError"),
        (
            "timeless",
            HEAD.format(name="timeless", version="1").replace("0 16", "61 16"),
            "its default schedule cannot be meant: schedule.cron must be a crontab",
        ),
    ],
)
def test_what_cannot_be_loaded_is_broken_and_says_why(
    client: Client, directory: Path, name: str, code: str, why: str
) -> None:
    whole(directory, name, code)
    told = until(lambda: found(client, name))
    assert why in told["fault"]
    registered = client.post("/plugins", {"name": name}).data
    assert (registered["status"], why in registered["reason"]) == ("broken", True)
    refused = client.post(f"/plugins/{name}/enable")
    assert (refused.status, refused.code) == (409, "INVALID_STATE")
    assert client.post(f"/plugins/{name}/run").code == "INVALID_STATE"


# --- what changes -----------------------------------------------------------------------------


def test_a_changed_file_is_loaded_anew_and_a_broken_one_stands_still_until_it_is_mended(
    client: Client, write: Write, directory: Path
) -> None:
    ready(client, write("changing"))
    path = directory / "changing.py"
    before = path.stat()
    write("changing", version="2.0")
    # Compiled code is kept by the second and the length, which may both be as they were.
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert path.stat().st_size == before.st_size
    until(lambda: client.get("/plugins/changing").data["plugin_version"] == "2.0")
    whole(directory, "changing", "def broken(:\n")
    until(lambda: shown(client, "changing")[0] == "broken")
    broken = client.get("/plugins/changing").data
    assert (broken["enabled"], broken["next_run_at"]) == (True, None)
    assert broken["schedule"]["cron"] == "0 16 * * 1-5"
    write("changing", version="3.0")
    until(lambda: shown(client, "changing") == ("healthy", None))
    assert client.get("/plugins/changing").data["next_run_at"] == "2026-03-02T21:00:00Z"


def test_a_file_that_has_gone_is_broken_and_can_come_back(
    client: Client, write: Write, directory: Path
) -> None:
    ready(client, write("fleeting"))
    (directory / "fleeting.py").unlink()
    until(lambda: shown(client, "fleeting") == ("broken", "it is not there any more"))
    write("fleeting")
    until(lambda: shown(client, "fleeting")[0] == "healthy")


def test_a_granted_command_is_recorded_as_the_plugins_own(
    client: Client, write: Write, desk: Desk
) -> None:
    trade = desk.sell(desk.wheel())
    body = f"""
    done = context.api.close_trade('{trade}', price_per_share=0.05, source='cli')
    print(done.data.outcome)
    """
    ready(client, write("closer", body))
    client.put("/plugins/closer/grants", {"commands": ["trades.close"]})
    assert run(client, "closer")["output"] == "closed_early\n"
    [*_, closed] = client.get(f"/trades/{trade}/history").data
    assert closed["source"] == "plugin:closer"


def test_what_is_due_runs_by_itself_and_once(
    client: Client, write: Write, house: houses.House
) -> None:
    ready(client, write("hourly"))
    client.put("/plugins/hourly/schedule", {"schedule": {"interval_seconds": 3600}})
    house.watch.turn_to(house.watch.now() + timedelta(hours=2, minutes=30))
    [ran] = until(lambda: client.get("/plugins/hourly/runs").data)
    assert (ran["trigger"], ran["outcome"]) == ("schedule", "succeeded")
    assert client.get("/plugins/hourly").data["next_run_at"] > house.watch.now().isoformat()


def test_one_run_of_a_plugin_at_a_time(client: Client, write: Write) -> None:
    ready(client, write("slow", "import time\ntime.sleep(10_000)"), timeout_seconds=2)
    first = begun(client, "slow")
    again = client.post("/plugins/slow/run")
    assert (again.status, again.code) == (409, "CONFLICT")
    assert again.error["details"] == {"run_id": first}
    until(lambda: ended(client, "slow", first))


@pytest.mark.parametrize(
    ("name", "method", "path", "why"),
    [
        ("unwished", "DELETE", "", "the plugin was removed"),
        ("stopped", "POST", "/disable", "the plugin was disabled"),
    ],
)
def test_a_run_of_what_is_not_wanted_any_more_is_ended(
    client: Client, write: Write, name: str, method: str, path: str, why: str
) -> None:
    ready(
        client, write(name, "print('here')\nimport time\ntime.sleep(10_000)"), timeout_seconds=600
    )
    run_id = begun(client, name)
    assert client.ask(method, f"/plugins/{name}{path}").status == 200
    done = until(lambda: ended(client, name, run_id))
    assert (done["outcome"], done["error"]) == ("failed", why)


def test_what_was_granted_can_be_taken_back_from_a_run(client: Client, write: Write) -> None:
    body = """
    while True:
        try:
            context.api.watch(symbol="SPY")
        except Exception as error:
            if "not granted" in str(error):
                raise
    """
    ready(client, write("eager", body), timeout_seconds=600)
    client.put("/plugins/eager/grants", {"commands": ["watchlist.watch"]})
    run_id = begun(client, "eager")
    until(lambda: client.get("/watchlist").data)
    client.put("/plugins/eager/grants", {"commands": []})
    done = until(lambda: ended(client, "eager", run_id))
    assert (done["outcome"], done["error"]) == ("refused", "watchlist.watch was not granted")


# --- orders -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def named(client: Client, directory: Path) -> str:
    name = written(directory, "ordered", FINE)
    register(client, name)
    return name


@pytest.mark.parametrize(
    ("what", "body", "field"),
    [
        ("schedule", {"schedule": {"cron": "61 * * * *"}}, "schedule.cron"),
        ("schedule", {"schedule": {"cron": "every day"}}, "schedule.cron"),
        ("schedule", {"schedule": {"cron": "0 0 31 2 *"}}, "schedule"),
        ("schedule", {"schedule": {"interval_seconds": -5}}, "schedule.interval_seconds"),
        ("schedule", {"schedule": {}}, "schedule"),
        ("schedule", {"schedule": {"cron": "0 9 * * *", "timezone": "Mars"}}, "schedule.timezone"),
        (
            "schedule",
            {"schedule": {"cron": "0 3 * * *"}, "market_hours": "market_hours"},
            "schedule",
        ),
        (
            "schedule",
            {"schedule": {"after_close_minutes": 30}, "market_hours": "sometimes"},
            "market_hours",
        ),
        ("schedule", {"schedule": {"interval_seconds": 60, "cron": "* * * * *"}}, "schedule"),
        ("config", {"config": {"days": "many"}}, "config.days"),
        ("config", {"config": {"colour": "red"}}, "config"),
        ("grants", {"commands": ["ledger.rewrite"]}, "commands"),
        ("limits", {"timeout_seconds": 0}, "timeout_seconds"),
    ],
)
def test_an_order_that_cannot_be_meant_is_refused(
    client: Client, named: str, what: str, body: dict[str, Any], field: str
) -> None:
    refused = client.put(f"/plugins/{named}/{what}", body)
    assert (refused.status, refused.code) == (400, "VALIDATION_ERROR")
    assert refused.error["details"]["field"] == field


def test_an_order_takes_a_version_and_can_be_rehearsed(client: Client, named: str) -> None:
    stale = client.put(f"/plugins/{named}/config", {"config": {"days": 3}}, {"If-Match": '"999"'})
    assert (stale.status, stale.code) == (409, "CONFLICT")
    would = client.put(f"/plugins/{named}/config", {"config": {"days": 3}}, dry_run=True).data
    assert [each["name"] for each in would["changes"]] == ["PluginConfigured"]
    assert would["after"]["config"] == {"days": 3}
    assert client.get(f"/plugins/{named}").data["config"] == {}


def test_what_was_decided_can_be_asked_as_of_before(
    client: Client, write: Write, house: houses.House
) -> None:
    register(client, write("bygone"))
    then = house.watch.now().isoformat()
    house.watch.turn_to(house.watch.now() + timedelta(minutes=1))
    client.put("/plugins/bygone/schedule", {"schedule": {"interval_seconds": 600}})
    client.delete("/plugins/bygone")
    assert client.get("/plugins/bygone").status == 404
    before = client.get("/plugins/bygone", as_of=then).data
    assert before["schedule"]["cron"] == "0 16 * * 1-5"


def test_a_plugin_that_nobody_knows_is_not_found(client: Client, directory: Path) -> None:
    assert client.post("/plugins", {"name": "nobody"}).status == 404
    for method, path in (
        ("GET", "/plugins/nobody"),
        ("DELETE", "/plugins/nobody"),
        ("POST", "/plugins/nobody/enable"),
        ("POST", "/plugins/nobody/run"),
    ):
        assert client.ask(method, path).status == 404, path
