"""A plugin's end of the socket: it asks, and waits for the reply."""

from __future__ import annotations

import socket
import threading

import httpx

from adapters import errand


class Line:
    """One socket, one question at a time, from whichever thread."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._heard = connected.makefile("rb")
        self._asking = threading.Lock()

    def begin(self) -> errand.Errand:
        """Say that we are there; what there is to do."""
        self._socket.sendall(b"\n")
        return errand.errand(self._heard.readline())

    def ask(self, question: errand.Ask) -> errand.Reply:
        """Ask, and wait."""
        with self._asking:
            self._socket.sendall(errand.line(question))
            return errand.reply(self._heard.readline())

    def tell(self, word: errand.Told | errand.Finished) -> None:
        """Say the last word."""
        with self._asking:
            self._socket.sendall(errand.line(word))


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
