"""How one description of an operation is a method of both clients.

Each of these stands in a class once. Read from a `Sync` client it is a plain method, from an
`Async` one a coroutine function, with the types that the description has.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from string import Formatter
from typing import Any, Generic, ParamSpec, TypeVar, overload
from uuid import UUID, uuid4

import msgspec

from client import requests
from client.requests import Done, Paged, Request

P = ParamSpec("P")
A = TypeVar("A")
T = TypeVar("T")
K = TypeVar("K", bound=msgspec.Struct)
Id = UUID | str | int


class Sync(ABC):
    """A client that waits."""

    @abstractmethod
    def send(self, request: Request[A]) -> A:
        """Ask, again where that helps, and read the answer."""

    @abstractmethod
    def receive(self, request: Request[Any]) -> Iterator[bytes]:
        """Ask once, and hand on the answer's bytes as they come."""


class Async(ABC):
    """A client that is awaited."""

    @abstractmethod
    async def send(self, request: Request[A]) -> A:
        """Ask, again where that helps, and read the answer."""

    @abstractmethod
    def receive(self, request: Request[Any]) -> AsyncIterator[bytes]:
        """Ask once, and hand on the answer's bytes as they come."""


class Read(Generic[P, A]):
    """A question."""

    def __init__(self, ask: Callable[P, Request[A]]) -> None:
        self.ask = ask

    @overload
    def __get__(self, client: None, owner: Any) -> Read[P, A]: ...

    @overload
    def __get__(self, client: Sync, owner: Any) -> Callable[P, A]: ...

    @overload
    def __get__(self, client: Async, owner: Any) -> Callable[P, Coroutine[Any, Any, A]]: ...

    def __get__(self, client: Sync | Async | None, owner: Any) -> Any:
        """The question itself, or a method that asks it."""
        if client is None:
            return self
        sender = client

        @wraps(self.ask)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return sender.send(self.ask(*args, **kwargs))

        return method


class Download(Generic[P]):
    """A question whose answer may be long, and is handed on as it comes."""

    def __init__(self, ask: Callable[P, Request[bytes]]) -> None:
        self.ask = ask

    @overload
    def __get__(self, client: None, owner: Any) -> Download[P]: ...

    @overload
    def __get__(self, client: Sync, owner: Any) -> Callable[P, Iterator[bytes]]: ...

    @overload
    def __get__(self, client: Async, owner: Any) -> Callable[P, AsyncIterator[bytes]]: ...

    def __get__(self, client: Sync | Async | None, owner: Any) -> Any:
        """The question itself, or a method that asks it."""
        if client is None:
            return self
        sender = client

        @wraps(self.ask)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return sender.receive(self.ask(*args, **kwargs))

        return method


class Listing(Generic[P, A, T]):
    """A question that is answered in pages."""

    def __init__(self, ask: Callable[P, Paged[A, T]]) -> None:
        self.ask = ask

    @overload
    def __get__(self, client: None, owner: Any) -> Listing[P, A, T]: ...

    @overload
    def __get__(self, client: Sync, owner: Any) -> Pages[P, A, T]: ...

    @overload
    def __get__(self, client: Async, owner: Any) -> AsyncPages[P, A, T]: ...

    def __get__(self, client: Sync | Async | None, owner: Any) -> Any:
        """The question itself, or a method that asks it."""
        if client is None:
            return self
        return Pages(self.ask, client) if isinstance(client, Sync) else AsyncPages(self.ask, client)


class Pages(Generic[P, A, T]):
    """Called, it answers a page; `each` goes through all of them."""

    def __init__(self, ask: Callable[P, Paged[A, T]], client: Sync) -> None:
        self._ask = ask
        self._client = client
        self.__doc__ = ask.__doc__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> A:
        """One page."""
        return self._client.send(self._ask(*args, **kwargs))

    def each(self, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        """Everything, page by page as it is wanted."""
        request: Paged[A, T] | None = self._ask(*args, **kwargs)
        while request is not None:
            page = self._client.send(request)
            yield from request.items(page)
            request = request.next(page)


class AsyncPages(Generic[P, A, T]):
    """Called, it answers a page; `each` goes through all of them."""

    def __init__(self, ask: Callable[P, Paged[A, T]], client: Async) -> None:
        self._ask = ask
        self._client = client
        self.__doc__ = ask.__doc__

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> A:
        """One page."""
        return await self._client.send(self._ask(*args, **kwargs))

    async def each(self, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        """Everything, page by page as it is wanted."""
        request: Paged[A, T] | None = self._ask(*args, **kwargs)
        while request is not None:
            page = await self._client.send(request)
            for item in request.items(page):
                yield item
            request = request.next(page)


class Asked(msgspec.Struct, frozen=True):
    """How a command is asked for, beside what it says."""

    idempotency_key: str | None
    if_match: int | None
    dry_run: bool

    @property
    def headers(self) -> dict[str, str]:
        """A command without a key of its own gets one: only so can it be sent again."""
        given = self.idempotency_key
        key = None if self.dry_run else uuid4().hex if given is None else given
        match = None if self.if_match is None else f'"{self.if_match}"'
        told = {requests.KEY: key, "If-Match": match}
        return {name: value for name, value in told.items() if value is not None}


class Command(Generic[K, T]):
    """An order, said as its struct or in its fields; the API judges what it is told.

    An order without a body says its fields in the query.
    """

    def __init__(
        self, method: str, path: str, order: type[K], shown: type[T], *, body: bool = True
    ) -> None:
        self.method = method
        self.path = requests.PREFIX + path
        self.order = order
        self.shown = shown
        self.body = body
        self.ids = [name for _, name, _, _ in Formatter().parse(path) if name]

    def ask(
        self, ids: tuple[Id, ...], order: K | None, said: dict[str, Any], asked: Asked
    ) -> Request[Done[T]]:
        """The request; raises TypeError when ids are missing, or the order is said twice."""
        if len(ids) != len(self.ids):
            raise TypeError(f"takes {', '.join(self.ids) or 'no id'}, not {len(ids)} ids")
        if order is not None and said:
            raise TypeError("takes an order or its fields, not both")
        in_query = said if order is None else msgspec.structs.asdict(order)
        return Request(
            method=self.method,
            path=self.path,
            at=dict(zip(self.ids, ids, strict=True)),
            query=({} if self.body else in_query) | ({"dry_run": True} if asked.dry_run else {}),
            headers=asked.headers,
            content=requests.body(said if order is None else order) if self.body else None,
            told=requests.done(self.shown),
        )

    @overload
    def __get__(self, client: None, owner: Any) -> Command[K, T]: ...

    @overload
    def __get__(self, client: Sync, owner: Any) -> Order[K, T]: ...

    @overload
    def __get__(self, client: Async, owner: Any) -> AsyncOrder[K, T]: ...

    def __get__(self, client: Sync | Async | None, owner: Any) -> Any:
        """The order itself, or a method that sends it."""
        if client is None:
            return self
        return Order(self, client) if isinstance(client, Sync) else AsyncOrder(self, client)


class Order(Generic[K, T]):
    """Called with the ids in its path, and the order as its struct or in its fields."""

    def __init__(self, command: Command[K, T], client: Sync) -> None:
        self._command = command
        self._client = client
        self.__doc__ = command.order.__doc__

    def __call__(
        self,
        *ids: Id,
        order: K | None = None,
        idempotency_key: str | None = None,
        if_match: int | None = None,
        dry_run: bool = False,
        **said: Any,
    ) -> Done[T]:
        """Send it; the same `idempotency_key` is carried out once, however often it is sent."""
        asked = Asked(idempotency_key, if_match, dry_run)
        return self._client.send(self._command.ask(ids, order, said, asked))


class AsyncOrder(Generic[K, T]):
    """Called with the ids in its path, and the order as its struct or in its fields."""

    def __init__(self, command: Command[K, T], client: Async) -> None:
        self._command = command
        self._client = client
        self.__doc__ = command.order.__doc__

    async def __call__(
        self,
        *ids: Id,
        order: K | None = None,
        idempotency_key: str | None = None,
        if_match: int | None = None,
        dry_run: bool = False,
        **said: Any,
    ) -> Done[T]:
        """Send it; the same `idempotency_key` is carried out once, however often it is sent."""
        asked = Asked(idempotency_key, if_match, dry_run)
        return await self._client.send(self._command.ask(ids, order, said, asked))
