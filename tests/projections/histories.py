"""Random histories of two wheels, and a bookkeeper who reads them straight from their facts.

Prices are whole dollars and fees a dollar a contract, so that every share's part of an amount is
in whole cents, and the bookkeeper needs no rule for remainders.
"""

from collections import defaultdict
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any

from hypothesis import strategies as st

from domain import calendar, commands, facts, refusals
from tests.domain.desk import Desk, Memory, sale, usd
from tests.projections import ledger

FIRST = date(2026, 1, 5)
LAST = date(2026, 3, 31)
DAYS = st.integers(0, (LAST - FIRST).days)
STEP: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "wheel": st.integers(0, 1),
        "what": st.sampled_from(
            ["put", "put", "call", "close", "expire", "assign", "buy", "sell", "dividend"]
        ),
        "day": DAYS,
        "price": st.integers(1, 12),
        "strike": st.integers(45, 55),
        "count": st.integers(1, 3),
        "pick": st.integers(0, 5),
    }
)
LATE = st.lists(STEP, max_size=25)
STEPS = LATE | st.lists(STEP, min_size=8, max_size=25).map(
    lambda steps: sorted(steps, key=itemgetter("day"))
)
"""Orders as they come, most of them back-dated; or in the order in which things happened."""

Day = tuple[str, date]
Booked = dict[Day, list[Decimal]]


class History:
    """What came of some orders; those that the ledger refused left nothing."""

    def __init__(self, steps: list[dict[str, Any]]) -> None:
        self.log = Memory()
        ledger.found_portfolio(self.log)
        self.desks = [Desk("40000", symbol=symbol, log=self.log) for symbol in ("XYZ", "ABC")]
        for desk in self.desks:
            desk.on(LAST.isoformat(), hour=20)
        for step in steps:
            with suppress(refusals.Refusal):
                _follow(self.desks[step["wheel"]], step)


def _follow(desk: Desk, step: dict[str, Any]) -> None:
    day = FIRST + timedelta(days=step["day"])
    at = datetime.combine(day, time(12), calendar.NEW_YORK).isoformat()
    count, price, fees = step["count"], usd(step["price"]), usd(step["count"])
    match step["what"]:
        case "put" | "call" as direction:
            later = {"expiration_date": day + timedelta(days=14), "opened_at": at, "fees": fees}
            desk.does(sale(direction, str(step["strike"]), str(price), count, **later))
        case "buy" | "sell" as action:
            order = commands.TradeShares(
                action=action,
                shares=100 * count,
                price=usd(step["strike"]),
                fees=fees,
                effective_at=at,
            )
            desk.does(order)
        case "dividend":
            desk.does(
                commands.ReceiveDividend(amount_per_share=price, ex_date=day, effective_at=at)
            )
        case ending:
            _end(desk, ending, step, at)


def _end(desk: Desk, ending: str, step: dict[str, Any], at: str) -> None:
    open_trades = desk.wheel.open_trades
    if not open_trades:
        return
    trade_id = open_trades[step["pick"] % len(open_trades)]
    count = min(step["count"], desk.wheel.open_contracts(trade_id))
    order: commands.TradeCommand
    match ending:
        case "close":
            price = usd(step["price"])
            order = commands.Close(
                price_per_share=price, contracts=count, fees=usd(count), effective_at=at
            )
        case "assign":
            order = commands.Assign(contracts=count, fees=usd(count), effective_at=at)
        case _:
            order = commands.Expire(stock_price_at_expiry=usd(step["strike"]))
    desk.does(order, trade_id)


def booked(stream: list[facts.Recorded]) -> Booked:
    """Option, stock and dividend income by policy and day: the bookkeeper's, first in first out."""
    found: Booked = defaultdict(lambda: [Decimal(0)] * 3)
    sold: dict[Any, tuple[facts.OptionSold, Decimal]] = {}
    lots: list[list[Decimal]] = []

    def book(policy: str, kind: int, amount: Decimal) -> None:
        found[policy, day][kind] += amount

    def leave(shares: int, proceeds: Decimal, premium: Decimal) -> None:
        left = Decimal(shares)
        gain, tax_gain = proceeds, proceeds + premium
        while left:
            taken = min(left, lots[0][0])
            gain, tax_gain = gain - taken * lots[0][1], tax_gain - taken * lots[0][2]
            lots[0][0] -= taken
            left -= taken
            if not lots[0][0]:
                lots.pop(0)
        for policy, amount in (("cash", gain), ("close", gain), ("us_tax", tax_gain)):
            book(policy, 1, amount)

    for each in sorted(stream, key=lambda each: (each.effective_at, each.version)):
        day = calendar.trading_day(each.effective_at)
        match each.fact:
            case facts.OptionSold() as fact:
                net = fact.premium_per_share * 100 - fact.fees / fact.contracts
                sold[fact.trade_id] = (fact, net)
                book("cash", 0, net * fact.contracts)
            case facts.OptionBoughtBack() as back:
                cost = back.price_per_share * 100 * back.contracts + back.fees
                book("cash", 0, -cost)
                for policy in ("close", "us_tax"):
                    book(policy, 0, sold[back.trade_id][1] * back.contracts - cost)
            case facts.OptionExpired() as expired:
                for policy in ("close", "us_tax"):
                    book(policy, 0, sold[expired.trade_id][1] * expired.contracts)
            case facts.OptionAssigned() as gone:
                option, net = sold[gone.trade_id]
                book("close", 0, net * gone.contracts)
                shares, amount = 100 * gone.contracts, option.strike * 100 * gone.contracts
                if option.direction == "put":
                    basis = (amount + gone.fees) / shares
                    lots.append([Decimal(shares), basis, basis - net / 100])
                else:
                    leave(shares, amount - gone.fees, net * gone.contracts)
            case facts.SharesBought() as bought:
                basis = bought.price + bought.fees / bought.shares
                lots.append([Decimal(bought.shares), basis, basis])
            case facts.SharesSold() as left:
                leave(left.shares, left.price * left.shares - left.fees, Decimal(0))
            case facts.DividendReceived() as dividend:
                for policy in ("cash", "close", "us_tax"):
                    book(policy, 2, dividend.amount_per_share * dividend.shares)
            case _:
                pass
    return {key: amounts for key, amounts in found.items() if any(amounts)}
