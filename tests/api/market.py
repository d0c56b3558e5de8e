"""The worker that says what the market says, as far as the API hears it: on the bus."""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from adapters import bus, envelope, nats_server
from domain import market, subjects
from tests.api.house import House

D = Decimal


def option(
    direction: market.Direction, strike: str, expiration: str, **said: Any
) -> market.OptionMark:
    """A contract of which the provider said no more than this."""
    nothing: dict[str, Any] = dict.fromkeys(market.OptionMark.__struct_fields__)
    told = {key: D(value) if isinstance(value, str) else value for key, value in said.items()}
    known: dict[str, Any] = {
        "direction": direction,
        "strike": D(strike),
        "expiration": date.fromisoformat(expiration),
    }
    return market.OptionMark(**nothing | known | told)


class Market:
    """Says prices, marks, and how the provider is; each answers an instant when it was said."""

    def __init__(self, house: House) -> None:
        self.house = house

    def quotes(self, symbol: str, last: str, as_of: datetime | None = None) -> datetime:
        now = as_of or self.house.watch.now()
        quote = market.Quote(symbol, D(last), None, None, now, "test", "live")
        return self._says(
            subjects.QUOTES_BUCKET,
            {market.subject_token(symbol): envelope.plain(quote)},
            {subjects.market_quote(symbol): quote},
        )

    def marks(
        self, symbol: str, price: str, *options: market.OptionMark, as_of: datetime | None = None
    ) -> datetime:
        held = market.HeldMarks(
            symbol=symbol,
            price=D(price),
            options=tuple(msgspec.structs.replace(each, symbol=symbol) for each in options),
            dividend=None,
            earnings=None,
            as_of=as_of or self.house.watch.now(),
            source="test",
            state="live",
        )
        return self._says(
            subjects.MARKET_BUCKET,
            {f"marks.{market.subject_token(symbol)}": envelope.plain(held)},
            {subjects.market_chain(symbol): held},
        )

    def is_now(
        self,
        state: market.ProviderState,
        reason: str | None = None,
        login: market.Login | None = None,
    ) -> datetime:
        now = self.house.watch.now()
        provider = market.Provider(
            source="test", state=state, since=now, as_of=now, reason=reason, login=login
        )
        return self._says(subjects.MARKET_BUCKET, {"provider": envelope.plain(provider)}, {})

    def _says(
        self, bucket: str, kept: Mapping[str, bytes], published: Mapping[str, Any]
    ) -> datetime:
        return asyncio.run(self._say(bucket, kept, published))

    async def _say(
        self, bucket: str, kept: Mapping[str, bytes], published: Mapping[str, Any]
    ) -> datetime:
        house = self.house
        password = nats_server.password(house.settings.data_dir, "prices")
        async with bus.connect(
            house.settings.bus_url, "prices", password, house.watch, shelf=house.settings.market
        ) as prices:
            now = house.watch.now()
            for subject, data in published.items():
                kind = subject.rpartition(".")[0]
                identity = f"{subject}@{now.isoformat()}"
                await prices.publish(subject, data, id=identity, type=kind, time=now)
            await prices.put_all(bucket, kept)
            return house.watch.now()
