"""A plugin's end of the socket: it asks, and waits for the reply."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from typing import Final

import httpx

from adapters import errand

_CHUNK: Final = 65_536


class Unheard(Exception):
    """Nothing can be asked: not from this process, or not any more; says why."""


class Line:
    """One socket, one question at a time, from whichever thread of the process that began it.

    A reply is known by its turn alone. So a question that is given up before its reply is there,
    as a signal's handler may have it, is the last one.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._heard = connected.makefile("rb")
        self._asking = threading.Lock()
        self._process = os.getpid()
        self._given_up = False

    def begin(self) -> errand.Errand:
        """Say that we are there; what there is to do."""
        self._socket.sendall(b"\n")
        return errand.errand(self._heard.readline())

    def ask(self, question: errand.Ask) -> errand.Reply:
        """Ask, and wait. Raises Unheard where the reply might be another question's."""
        said = errand.line(question)
        self._check_process()
        with self._asking:
            if self._given_up:
                raise Unheard("a question was given up before its reply; none can follow it")
            self._given_up = True
            self._socket.sendall(said)
            reply = errand.reply(self._heard.readline())
            self._given_up = False
            return reply

    def tell(self, word: errand.Told | errand.Finished) -> None:
        """Say the last word, and wait until it was heard: who leaves a reply unread is cut off."""
        said = errand.line(word)
        self._check_process()
        with self._asking:
            self._socket.sendall(said)
            with suppress(OSError):
                while self._socket.recv(_CHUNK):
                    pass

    def _check_process(self) -> None:
        # Before the lock: a process that was forked while a thread held it never gets it.
        if os.getpid() != self._process:
            raise Unheard("ask in the plugin's own process, not in one that it has started")


class Transport(httpx.BaseTransport):
    """The API as a plugin's client reaches it: over the line, as far as it is let."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Hand a request over; the reply is the API's, or says why there is none."""
        content = request.read()
        reply = self._line.ask(
            errand.Ask(
                request.method,
                request.url.raw_path.decode("ascii"),
                content.decode() if content else None,
                dict(request.headers),
            )
        )
        return httpx.Response(reply.status, headers=reply.headers, content=reply.body.encode())
