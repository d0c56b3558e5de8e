"""The two clients: how a request goes out and its answer comes back, waited for or awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, closing
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from tenacity import AsyncRetrying, Retrying

from api.shapes.stream import Topic
from client import errors
from client.live import Listener, Told
from client.methods import Async, Sync
from client.operations import Operations
from client.patience import Patience
from client.requests import KEY, Request

A = TypeVar("A")
URL = "http://127.0.0.1:8000"
TIMEOUT = 30.0
_PATIENT = Patience()


class Client(Operations, Sync):
    """Asks and waits for the answer; safe to use from several threads.

    Raises `client.errors`. What cannot be answered just now, and what gets no answer, is asked
    again as `patience` says. Every command carries an idempotency key, so that it is carried
    out once, however often it was sent.
    """

    def __init__(
        self,
        url: str = URL,
        token: str | None = None,
        *,
        timeout: float = TIMEOUT,
        patience: Patience = _PATIENT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._patience = patience
        self._http = httpx.Client(
            base_url=url, headers=_headers(token), timeout=timeout, transport=transport
        )

    def send(self, request: Request[A]) -> A:
        """Ask, again where that helps, and read the answer."""
        answer: A = Retrying(**self._patience.retrying)(self._sent, request)
        return answer

    def _sent(self, request: Request[A]) -> A:
        try:
            return request.told(self._http.send(_outgoing(self._http, request)))
        except httpx.RequestError as error:
            raise _unreachable(error, request) from error
        except errors.Failed as error:
            error.idempotency_key = request.headers.get(KEY)
            raise

    def receive(self, request: Request[Any]) -> Generator[bytes]:
        """Ask once, and hand on the answer's bytes as they come."""
        try:
            with closing(self._http.send(_outgoing(self._http, request), stream=True)) as response:
                if not response.is_success:
                    response.read()
                    raise errors.of(response)
                yield from response.iter_bytes()
        except httpx.RequestError as error:
            raise _unreachable(error, request) from error

    def stream(
        self, topics: Sequence[Topic] | None = None, *, after: int | None = None
    ) -> Generator[Told]:
        """What happens, as it happens, for ever; from now on, or from behind a position.

        A broken connection is made again, and nothing of the ledger is lost by it.
        """
        listener = Listener(topics, after, self._patience)
        while True:
            reason = None
            try:
                with closing(self.receive(listener.request())) as chunks:
                    for chunk in chunks:
                        yield from listener.hear(chunk)
            except errors.Failed as error:
                reason = error
            time.sleep(listener.broken(reason))

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class AsyncClient(Operations, Async):
    """The same, awaited: every method of `Client` is a coroutine, every iterator asynchronous."""

    def __init__(
        self,
        url: str = URL,
        token: str | None = None,
        *,
        timeout: float = TIMEOUT,
        patience: Patience = _PATIENT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._patience = patience
        self._http = httpx.AsyncClient(
            base_url=url, headers=_headers(token), timeout=timeout, transport=transport
        )

    async def send(self, request: Request[A]) -> A:
        """Ask, again where that helps, and read the answer."""
        return await AsyncRetrying(**self._patience.retrying)(self._sent, request)

    async def _sent(self, request: Request[A]) -> A:
        try:
            return request.told(await self._http.send(_outgoing(self._http, request)))
        except httpx.RequestError as error:
            raise _unreachable(error, request) from error
        except errors.Failed as error:
            error.idempotency_key = request.headers.get(KEY)
            raise

    async def receive(self, request: Request[Any]) -> AsyncGenerator[bytes]:
        """Ask once, and hand on the answer's bytes as they come."""
        try:
            sent = await self._http.send(_outgoing(self._http, request), stream=True)
            async with aclosing(sent) as response:
                if not response.is_success:
                    await response.aread()
                    raise errors.of(response)
                async for chunk in response.aiter_bytes():
                    yield chunk
        except httpx.RequestError as error:
            raise _unreachable(error, request) from error

    async def stream(
        self, topics: Sequence[Topic] | None = None, *, after: int | None = None
    ) -> AsyncGenerator[Told]:
        """What happens, as it happens, for ever; from now on, or from behind a position.

        A broken connection is made again, and nothing of the ledger is lost by it.
        """
        listener = Listener(topics, after, self._patience)
        while True:
            reason = None
            try:
                async with aclosing(self.receive(listener.request())) as chunks:
                    async for chunk in chunks:
                        for told in listener.hear(chunk):
                            yield told
            except errors.Failed as error:
                reason = error
            await asyncio.sleep(listener.broken(reason))

    async def close(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


def _headers(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def _outgoing(http: httpx.Client | httpx.AsyncClient, request: Request[Any]) -> httpx.Request:
    known = {} if request.content is None else {"Content-Type": "application/json"}
    return http.build_request(
        request.method,
        request.target,
        params=httpx.QueryParams(request.params),
        headers={**known, **request.headers},
        content=request.content,
        timeout=httpx.USE_CLIENT_DEFAULT if request.silence is None else request.silence,
    )


def _unreachable(error: httpx.RequestError, request: Request[Any]) -> errors.Unreachable:
    told = f"{request.method} {request.target}: {type(error).__name__} {error}".rstrip()
    unreachable = errors.Unreachable(told)
    unreachable.idempotency_key = request.headers.get(KEY)
    return unreachable
