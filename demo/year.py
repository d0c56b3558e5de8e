"""The year itself: sell by the rule, wait for the expiration, settle, sell again."""

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

from adapters.replay import Replay
from demo import rule
from demo.ledger import Ledger
from demo.screen import NEW_YORK, Screen
from domain.market import Chain, OptionMark

CLOSE: Final = time(16)


def closing(day: date) -> datetime:
    """By when a day's session has closed, wherever it was a short one."""
    return datetime.combine(day, CLOSE, NEW_YORK)


class Year:
    """One wheel over one year; what was recorded is in `rows`, as the ledger answered it."""

    def __init__(self, tape: Replay, ledger: Ledger, screen: Screen) -> None:
        self._tape = tape
        self._ledger = ledger
        self._screen = screen
        self.rows: list[rule.Row] = []

    async def play(self) -> None:
        """Trade until what is open expires after the recording's end."""
        day = rule.FIRST_DAY
        while day <= rule.LAST_DAY:
            chain = await self._close_of(day)
            sold = await self._sell(chain, day)
            if sold is None or sold.expiration > rule.LAST_DAY:
                return
            day = sold.expiration

    async def _close_of(self, day: date) -> Chain:
        """Wait for the close, and only then look at what it was."""
        await self._ledger.time.until(closing(day))
        return self._tape.chain_at(rule.SYMBOL, closing(day), None, None)

    async def _sell(self, chain: Chain, day: date) -> OptionMark | None:
        """Sell what the rule chooses, and see it to its end if that is within the recording."""
        wheel = await self._ledger.wheel()
        put = rule.chosen(chain, day, wheel["cash"])
        if put is None or put.bid is None:
            return None
        trade = await self._ledger.sold(put.strike, put.expiration, put.bid, chain.as_of)
        await self._note("sell_put", chain, trade, trade["premium_per_share"], put.delta)
        if put.expiration <= rule.LAST_DAY:
            await self._settle(trade["id"], put.expiration)
        return put

    async def _settle(self, trade_id: str, day: date) -> None:
        chain = await self._close_of(day)
        trade = await self._ledger.expired(trade_id, chain.underlying.last, chain.as_of)
        worthless = trade["outcome"] == "expired_worthless"
        await self._note("put_expired" if worthless else "put_assigned", chain, trade, None, None)

    async def _note(
        self,
        event: str,
        chain: Chain,
        trade: dict[str, Any],
        price: Decimal | None,
        delta: float | None,
    ) -> None:
        """Write down what the ledger says has happened."""
        wheel = await self._ledger.wheel()
        row = rule.Row(
            day=chain.as_of.astimezone(NEW_YORK).date(),
            event=event,
            type=trade["direction"],
            strike=Decimal(trade["strike"]),
            expiration=date.fromisoformat(trade["expiration_date"]),
            price=price,
            delta=delta,
            underlying_close=chain.underlying.last,
            cash=Decimal(wheel["cash"]),
            shares=wheel["shares"],
        )
        self.rows.append(row)
        self._screen.event(chain.as_of, *_told(row))


def _told(row: rule.Row) -> tuple[str, str]:
    put = f"{rule.SYMBOL} {row.strike} put"
    if row.price is None:
        what = "expired" if row.event == "put_expired" else "assigned"
        return what, f"{put}, {rule.SYMBOL} closed at {row.underlying_close:.2f}"
    return "sold", f"{put} to {row.expiration} at {row.price}, cash {row.cash:,}"
