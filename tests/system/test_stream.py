"""The live stream of a whole instance, across the death and the end of its API."""

import signal
from contextlib import ExitStack

import httpx

from tests.api.listening import Listener, listening, tell_much
from tests.api.waiting import until
from tests.system.instance import Instance
from tests.system.test_kills import Writer, head

PROMPTLY = 5.0


def test_whoever_comes_back_after_a_death_has_lost_nothing_and_hears_nothing_twice(
    instance: Instance,
) -> None:
    writer = Writer(instance, "SPY")
    heard: list[int | None] = []
    with writer.writing():
        for _ in range(3):
            with listening(instance.url, "?topics=ledger", behind(heard)) as listener:
                heard += [event.id for event in listener.next(20)]
                instance.kill("api")
            until(lambda: answers(instance))
    with listening(instance.url, "?topics=ledger", behind(heard)) as listener:
        heard += [event.id for event in listener.next(head(instance) - len(heard))]
    assert heard == list(range(1, head(instance) + 1))


def behind(heard: list[int | None]) -> dict[str, str]:
    return {"Last-Event-ID": str(heard[-1] if heard else 0)}


def answers(instance: Instance) -> bool:
    try:
        return httpx.get(f"{instance.url}/health", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_an_instance_ends_promptly_with_streams_open(instance: Instance) -> None:
    tell_much(instance.settings)
    with ExitStack() as stack:
        stack.enter_context(listening(instance.url, "?last_event_id=0"))  # never reads on
        readers = [stack.enter_context(listening(instance.url)) for _ in range(20)]
        assert instance.end(signal.SIGTERM, within=PROMPTLY) == 0
        assert [last(reader) for reader in readers] == ["bye"] * 20


def last(listener: Listener) -> str:
    return [event.event for event in listener.events()][-1]
