"""Who is notified in tests: a mail server and a webhook on this machine, that may refuse."""

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

DELIVERY = "X-Wheelwright-Delivery"


class Received(msgspec.Struct, frozen=True):
    """A message that was taken: the id that it came with, and what it said."""

    id: str
    said: Any
    headers: dict[str, str]


class Receiver:
    """Keeps what it took; `refuses` is asked at every attempt, with its number from 0."""

    def __init__(self, refuses: Callable[[int], bool]) -> None:
        self.took: list[Received] = []
        self.refuses = refuses
        self.url = ""
        self.attempts = 0
        self._lock = threading.Lock()

    def takes(self, message: Received) -> bool:
        with self._lock:
            self.attempts += 1
            if self.refuses(self.attempts - 1):
                return False
            self.took.append(message)
            return True


def never(_: int) -> bool:
    return False


@contextmanager
def webhook(refuses: Callable[[int], bool] = never) -> Iterator[Receiver]:
    """Takes JSON over HTTP; refuses with 503."""
    receiver = Receiver(refuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = dict(self.headers)
            took = receiver.takes(Received(headers[DELIVERY], msgspec.json.decode(body), headers))
            self.send_response(204 if took else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with _served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        receiver.url = f"json://127.0.0.1:{port}/hook?+Authorization=hunter2"
        yield receiver


@contextmanager
def oddity(answers: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[Receiver]:
    """Takes anything over HTTP, and answers as it likes."""
    receiver = Receiver(never)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.takes(Received("", body.decode(), dict(self.headers)))
            answers(self)

        def do_GET(self) -> None:
            receiver.takes(Received("", "", dict(self.headers)))
            answers(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.block_on_close = False
    with _served(server) as port:
        receiver.url = f"json://127.0.0.1:{port}/odd?+Authorization=hunter2"
        yield receiver


def dripping(handler: BaseHTTPRequestHandler) -> None:
    """Answer 200, and then a little from time to time until nobody listens."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b".")
        time.sleep(0.1)


def endless(handler: BaseHTTPRequestHandler) -> None:
    """Answer 200, and then as much as is taken."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"." * 1_000_000)


@contextmanager
def dripping_mailbox() -> Iterator[str]:
    """A mail server that never comes to the end of its first line; its URL."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while True:
                self.request.sendall(b"2")
                time.sleep(0.1)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with _served(Server(("127.0.0.1", 0), Handler)) as port:
        yield f"mailto://127.0.0.1:{port}?from=a@wheel.test&to=b@wheel.test&mode=insecure"


@contextmanager
def mailbox(refuses: Callable[[int], bool] = never) -> Iterator[Receiver]:
    """Takes mail over SMTP; refuses with 451 once it has the message."""
    receiver = Receiver(refuses)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 here")
            while line := self.rfile.readline():
                match line.split()[0].upper():
                    case b"EHLO" | b"HELO" | b"MAIL" | b"RCPT" | b"RSET" | b"NOOP":
                        self._say("250 yes")
                    case b"DATA":
                        self._say("354 go on")
                        self._say("250 kept" if self._takes() else "451 not now")
                    case b"QUIT":
                        self._say("221 bye")
                        return
                    case _:
                        self._say("502 what")

        def _takes(self) -> bool:
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line.removeprefix(b"."))
            mail = message_from_bytes(b"".join(lines), policy=policy.default)
            headers = {name: str(value) for name, value in mail.items()}
            part = mail.get_body(("plain", "html"))
            assert part is not None
            return receiver.takes(Received(headers[DELIVERY], part.get_content(), headers))

        def _say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with _served(Server(("127.0.0.1", 0), Handler)) as port:
        receiver.url = f"mailto://127.0.0.1:{port}?from=a@wheel.test&to=b@wheel.test&mode=insecure"
        yield receiver


@contextmanager
def _served(server: socketserver.TCPServer) -> Iterator[int]:
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
