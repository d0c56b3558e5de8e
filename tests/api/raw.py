"""Requests as no proper client writes them."""

import http.client
import socket

from tests.api.house import House

PATIENCE = 30.0


class Raw:
    """What came back: the status (0 for a closed line), headers with names in small letters."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


def sent(house: House, said: bytes, method: str = "GET") -> Raw:
    """Write these bytes and read one answer."""
    address = ("127.0.0.1", house.settings.api_port)
    with socket.create_connection(address, timeout=PATIENCE) as line:
        try:
            line.sendall(said)
            answer = http.client.HTTPResponse(line, method=method)
            answer.begin()
            headers = [(name.lower(), value) for name, value in answer.getheaders()]
            return Raw(answer.status, headers, answer.read())
        except (ConnectionError, http.client.HTTPException):
            return Raw(0, [], b"")


def asked(house: House, target: bytes, *headers: bytes, method: bytes = b"GET") -> Raw:
    """Ask for a target, written as it is, with headers written as they are."""
    lines = (method + b" " + target + b" HTTP/1.1", b"Host: localhost", *headers)
    return sent(house, b"\r\n".join(lines) + b"\r\n\r\n", method.decode())
