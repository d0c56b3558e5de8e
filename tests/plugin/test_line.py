"""A plugin's end of the line: an answer belongs to its question, or there is an error."""

import os
import socket
from collections.abc import Iterator

import pytest

from adapters import errand
from plugin.line import Line, Unheard

SPY = errand.Ask("GET", "/plugin/quotes/SPY")
XYZ = errand.Ask("GET", "/plugin/quotes/XYZ")
DONE = errand.Finished("succeeded")


class GivenUp(Exception):
    """What the handler of a signal raises."""


class Impatient:
    """Gives up in the middle of a reply."""

    def readline(self) -> bytes:
        raise GivenUp


@pytest.fixture
def ends() -> Iterator[tuple[Line, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Line(theirs), ours


def give_up(line: Line, ours: socket.socket, patch: pytest.MonkeyPatch) -> None:
    """Ask, and be gone before the reply is there."""
    with patch.context() as meanwhile:
        meanwhile.setattr(line, "_heard", Impatient())
        with pytest.raises(GivenUp):
            line.ask(SPY)
    ours.sendall(errand.line(errand.Reply(200, "what SPY costs")))


def test_an_answer_that_was_given_up_is_no_other_questions(
    ends: tuple[Line, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    line, ours = ends
    give_up(line, ours, monkeypatch)
    with pytest.raises(Unheard, match="given up"):
        line.ask(XYZ)


def test_the_last_word_is_heard_over_an_answer_that_was_given_up(
    ends: tuple[Line, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    line, ours = ends
    give_up(line, ours, monkeypatch)
    ours.shutdown(socket.SHUT_WR)
    line.tell(DONE)
    line._socket.close()
    line._heard.close()
    with ours.makefile("rb") as heard:
        assert heard.readlines() == [errand.line(SPY), errand.line(DONE)]


def test_what_cannot_be_said_is_no_question_that_was_given_up(
    ends: tuple[Line, socket.socket],
) -> None:
    line, ours = ends
    with pytest.raises(UnicodeEncodeError):
        line.ask(errand.Ask("GET", "\ud800"))
    ours.sendall(errand.line(errand.Reply(200, "what XYZ costs")))
    assert line.ask(XYZ).body == "what XYZ costs"


def test_another_process_asks_and_tells_nothing(
    ends: tuple[Line, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    line, ours = ends
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(Unheard, match="own process"):
        line.ask(SPY)
    with pytest.raises(Unheard, match="own process"):
        line.tell(DONE)
    ours.setblocking(False)
    with pytest.raises(BlockingIOError):
        ours.recv(1)
