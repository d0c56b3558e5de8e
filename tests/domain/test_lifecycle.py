"""Whatever the market and the desk do, in whatever order, the books balance.

The state machine gives random orders, back-dated ones too, legal and illegal. Beside the
ledger stands a second, plainer bookkeeper that knows nothing of lots, cycles or policies.
"""

from collections.abc import Iterable
from contextlib import closing
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain import calendar, commands, facts, history, money, policies, refusals, wheel
from domain.story import Story, told
from projections import answers, books, rebuild, tables
from projections.projector import Projector
from tests.domain.desk import Desk, Memory, sale

CENT = Decimal("0.01")
PRICES = st.decimals("0.01", 9, places=2) | st.decimals("0.001", 3, places=3)
STRIKES = st.decimals(40, 60, places=0) | st.decimals(40, 60, places=2)
FEES = st.sampled_from([Decimal(0), Decimal("0.65"), Decimal("1.31")])
FEW = st.integers(1, 3)
BACK = st.none() | st.integers(1, 60 * 24 * 20)
SPLITS = st.sampled_from([(2, 1), (3, 2), (7, 1), (1, 2), (1, 8), (5, 4)])
PICK = st.integers(0, 9)
SALES = st.fixed_dictionaries(
    {
        "strike": STRIKES,
        "premium": PRICES,
        "contracts": st.integers(1, 2),
        "fees": FEES,
        "dte": st.integers(0, 45),
        "back": BACK,
    }
)


class Contracts(msgspec.Struct):
    """An option as the plain bookkeeper knows it."""

    direction: str
    strike: Decimal
    multiplier: Decimal
    open: int

    def amount(self, contracts: int) -> Decimal:
        exact = self.strike * self.multiplier * contracts
        if self.multiplier % 1:
            return exact.quantize(CENT, ROUND_HALF_UP)
        return exact


class Bookkeeper:
    """Adds up what came in and went out, one standing fact after the other."""

    def __init__(self) -> None:
        self.capital = self.in_kind = self.flows = Decimal(0)
        self.shares = 0
        self.options: dict[UUID, Contracts] = {}
        self.wronged: list[str] = []

    @property
    def cash(self) -> Decimal:
        return self.capital + self.flows

    def read(self, line: Iterable[history.Entry]) -> "Bookkeeper":
        for each in line:
            self.enter(each.fact)
        return self

    def enter(self, fact: facts.WheelFact) -> None:
        match fact:
            case facts.WheelStarted():
                self.capital += fact.capital
                self.shares += fact.shares
                self.in_kind += moved(fact.shares * fact.cost_basis)
            case facts.WheelConfigured():
                self.capital += fact.contribution
            case facts.OptionSold():
                self._sold(fact)
            case facts.OptionBoughtBack():
                option = self._ended(fact)
                shares = option.multiplier * fact.contracts
                self.flows -= moved(fact.price_per_share * shares) + fact.fees
            case facts.OptionExpired():
                self._ended(fact)
            case facts.OptionAssigned():
                self._assigned(fact)
            case facts.SharesBought() | facts.SharesSold() | facts.SharesTransferredIn():
                self._traded(fact)
            case facts.DividendReceived():
                self.flows += moved(fact.amount_per_share * fact.shares)
            case facts.SplitApplied():
                self._split(fact)
            case _:
                pass

    def _sold(self, fact: facts.OptionSold) -> None:
        sold = Contracts(fact.direction, fact.strike, Decimal(fact.multiplier), fact.contracts)
        self.options[fact.trade_id] = sold
        pledged = [each for each in self.options.values() if each.direction == fact.direction]
        net = moved(fact.premium_per_share * fact.multiplier * fact.contracts) - fact.fees
        if fact.direction == "put":
            rolled = net if fact.rolled_from else 0  # one order with its buy-back
            if sum(each.amount(each.open) for each in pledged) > self.cash + rolled:
                self.wronged.append(f"put {fact.trade_id} was not secured")
        elif sum(int(each.multiplier * each.open) for each in pledged) > self.shares:
            self.wronged.append(f"call {fact.trade_id} was not covered")
        self.flows += net

    def _ended(
        self, fact: facts.OptionBoughtBack | facts.OptionExpired | facts.OptionAssigned
    ) -> Contracts:
        option = self.options[fact.trade_id]
        option.open -= fact.contracts
        if option.open < 0:
            self.wronged.append(f"{fact.trade_id} has less than nothing open")
        return option

    def _assigned(self, fact: facts.OptionAssigned) -> None:
        option = self._ended(fact)
        sign = 1 if option.direction == "put" else -1
        self.shares += sign * int(option.multiplier * fact.contracts)
        self.flows -= sign * option.amount(fact.contracts) + fact.fees
        self._held()

    def _traded(
        self, fact: facts.SharesBought | facts.SharesSold | facts.SharesTransferredIn
    ) -> None:
        self.flows -= fact.fees
        self.shares += -fact.shares if isinstance(fact, facts.SharesSold) else fact.shares
        amount = moved(fact.shares * fact.price)
        if isinstance(fact, facts.SharesTransferredIn):
            self.in_kind += amount
        else:
            self.flows += amount if isinstance(fact, facts.SharesSold) else -amount
        self._held()

    def _held(self) -> None:
        if self.shares < 0:
            self.wronged.append("less than no shares were held")

    def _split(self, fact: facts.SplitApplied) -> None:
        ratio = Fraction(fact.numerator, fact.denominator)
        self.flows += fact.cash_in_lieu
        self.shares = int(self.shares * ratio)
        for each in self.options.values():
            exact = each.strike * fact.denominator / fact.numerator
            each.strike = exact.quantize(CENT, ROUND_HALF_UP)
            if ratio.denominator == 1:
                each.open *= ratio.numerator
            else:
                odd = each.multiplier * fact.numerator / fact.denominator
                each.multiplier = odd.quantize(Decimal("0.000001"))


def moved(amount: Decimal) -> Decimal:
    """Cash moves in whole cents."""
    return amount.quantize(CENT, ROUND_HALF_UP)


class Answered(msgspec.Struct, frozen=True):
    """What was answered when, and from what."""

    at: datetime
    books: bytes


def answer(story: Story, at: datetime) -> bytes:
    """All that can be asked of a wheel, as text."""
    trades = [answers.trade(story, each, at) for each in story.wheel.trades.values()]
    told_income = [policies.income(each, story.line) for each in policies.POLICIES]
    lots = [answers.lot(story.wheel_id, each) for each in story.wheel.lots]
    return msgspec.json.encode([answers.wheel(story), trades, lots, told_income])


class Lifecycle(RuleBasedStateMachine):
    """One wheel, whatever happens to it."""

    def __init__(self) -> None:
        super().__init__()
        self.log = Memory()
        self.views = tables.create(":memory:")
        self.projector = Projector(self.log, self.views)
        self.answered: list[Answered] = []

    @initialize(
        capital=st.sampled_from(["500", "20000", "60000"]),
        shares=st.sampled_from([0, 0, 100, 250]),
        collateral=st.sampled_from(["cash_secured", "cash_secured", "margin"]),
    )
    def begins(self, capital: str, shares: int, collateral: str) -> None:
        held: dict[str, Any] = {"shares": shares, "cost_basis": Decimal(45)} if shares else {}
        self.desk = Desk(capital, log=self.log, collateral=collateral, **held)
        self.books = books.opened(self.desk.wheel_id, self.desk.stream)

    # --- what may happen --------------------------------------------------------------------

    def tries(self, command: Any, trade: UUID | None = None) -> bool:
        """Give an order. Refused it has changed nothing, the next one is free to do so."""
        before, count = self.desk.story, self.log.head()
        try:
            recorded = self.desk.does(command, trade)
        except refusals.Refusal:
            assert self.desk.story is before
            assert self.log.head() == count
            return False
        for each in recorded:
            self.books = self.books.then(each)
        return True

    def ago(self, minutes: int | None) -> str | None:
        return None if minutes is None else (self.desk.now - timedelta(minutes=minutes)).isoformat()

    def open_trade(self, pick: int) -> UUID:
        still_open = self.desk.wheel.open_trades
        return still_open[pick % len(still_open)]

    def some_trade(self, pick: int) -> UUID:
        trades = [*self.desk.wheel.trades, *self.desk.story.voided_trades]
        return trades[pick % len(trades)]

    def has_open(self) -> bool:
        return bool(self.desk.wheel.open_trades)

    def has_trades(self) -> bool:
        return bool(self.desk.wheel.trades or self.desk.story.voided_trades)

    @rule(days=st.integers(0, 30), hours=st.integers(0, 23))
    def time_passes(self, days: int, hours: int) -> None:
        self.desk.now += timedelta(days=days, hours=hours)

    @rule(terms=SALES)
    def sells_a_put(self, terms: dict[str, Any]) -> None:
        self.sells_an_option("put", **terms)

    @precondition(lambda self: self.desk.wheel.shares)
    @rule(terms=SALES)
    def sells_a_call(self, terms: dict[str, Any]) -> None:
        self.sells_an_option("call", **terms)

    def sells_an_option(
        self,
        direction: facts.Direction,
        *,
        strike: Decimal,
        premium: Decimal,
        contracts: int,
        fees: Decimal,
        dte: int,
        back: int | None,
    ) -> bool:
        expiration = calendar.trading_day(self.desk.now) + timedelta(days=dte)
        order = sale(direction, str(strike), str(premium), contracts)
        return self.tries(
            msgspec.structs.replace(
                order, fees=fees, expiration_date=expiration, opened_at=self.ago(back)
            )
        )

    @precondition(has_open)
    @rule(pick=PICK, price=PRICES, contracts=st.none() | FEW, fees=FEES, back=BACK)
    def buys_back(
        self, pick: int, price: Decimal, contracts: int | None, fees: Decimal, back: int | None
    ) -> None:
        order = commands.Close(
            price_per_share=price, contracts=contracts, fees=fees, effective_at=self.ago(back)
        )
        self.tries(order, self.open_trade(pick))

    @precondition(has_open)
    @rule(pick=PICK, contracts=st.none() | FEW, fees=FEES, back=BACK)
    def is_assigned(
        self, pick: int, contracts: int | None, fees: Decimal, back: int | None
    ) -> None:
        order = commands.Assign(contracts=contracts, fees=fees, effective_at=self.ago(back))
        self.tries(order, self.open_trade(pick))

    @precondition(has_open)
    @rule(pick=PICK, price=STRIKES, wait=st.booleans())
    def expires(self, pick: int, price: Decimal, wait: bool) -> None:
        trade = self.open_trade(pick)
        close = calendar.close_at(self.desk.trade(trade).expiration_date)
        if wait:
            self.desk.now = max(self.desk.now, close)
        early = self.desk.now < close
        done = self.tries(commands.Expire(stock_price_at_expiry=price), trade)
        assert not (early and done)

    @precondition(has_open)
    @rule(pick=PICK, price=PRICES, strike=STRIKES, premium=PRICES, contracts=st.none() | FEW)
    def rolls(
        self, pick: int, price: Decimal, strike: Decimal, premium: Decimal, contracts: int | None
    ) -> None:
        order = commands.Roll(
            close_price=price,
            strike=strike,
            premium_per_share=premium,
            contracts=contracts,
            expiration_date=calendar.trading_day(self.desk.now) + timedelta(days=30),
        )
        self.tries(order, self.open_trade(pick))

    @rule(
        action=st.sampled_from(["buy", "sell", "transfer_in"]),
        shares=st.sampled_from([1, 7, 50, 100, 300]),
        price=STRIKES,
        fees=FEES,
        back=BACK,
    )
    def trades_shares(
        self, action: Any, shares: int, price: Decimal, fees: Decimal, back: int | None
    ) -> None:
        self.tries(
            commands.TradeShares(
                action=action, shares=shares, price=price, fees=fees, effective_at=self.ago(back)
            )
        )

    @rule(amount=PRICES, days=st.integers(0, 10), back=BACK)
    def receives_a_dividend(self, amount: Decimal, days: int, back: int | None) -> None:
        ex_date = calendar.trading_day(self.desk.now) - timedelta(days=days)
        self.tries(
            commands.ReceiveDividend(
                amount_per_share=amount, ex_date=ex_date, effective_at=self.ago(back)
            )
        )

    @rule(ratio=SPLITS, cash=st.sampled_from([Decimal(0), Decimal("12.34")]), back=BACK)
    def splits(self, ratio: tuple[int, int], cash: Decimal, back: int | None) -> None:
        order = commands.ApplySplit(
            numerator=ratio[0],
            denominator=ratio[1],
            cash_in_lieu=cash,
            effective_at=self.ago(back),
        )
        if self.tries(order):
            again = msgspec.structs.replace(order, effective_at=self.ago(1))
            same_day = calendar.trading_day(self.desk.now - timedelta(minutes=1))
            if back is None and same_day == calendar.trading_day(self.desk.now):
                assert not self.tries(again)

    @precondition(has_trades)
    @rule(
        pick=PICK,
        changes=st.fixed_dictionaries(
            {},
            optional={
                "strike": STRIKES,
                "premium_per_share": PRICES,
                "contracts": FEW,
                "fees": FEES,
                "close_price": PRICES,
                "direction": st.sampled_from(["put", "call"]),
                "notes": st.sampled_from(["a note", None]),
            },
        ),
        back=BACK,
    )
    def corrects(self, pick: int, changes: dict[str, Any], back: int | None) -> None:
        if back is not None:
            changes = changes | {"opened_at": self.ago(back)}
        self.tries(commands.CorrectTrade(**changes, reason="a slip"), self.some_trade(pick))

    @precondition(has_trades)
    @rule(pick=PICK)
    def voids(self, pick: int) -> None:
        trade = self.some_trade(pick)
        gone = trade in self.desk.story.voided_trades
        assert not (self.tries(commands.VoidTrade(reason="never"), trade) and gone)

    @rule(terms=SALES)
    def sells_by_mistake(self, terms: dict[str, Any]) -> None:
        before = set(self.desk.wheel.open_trades)
        if self.sells_an_option("put", **terms):
            (sold,) = set(self.desk.wheel.open_trades) - before
            assert self.tries(commands.VoidTrade(reason="a slip of the pen"), sold)

    @rule(price=PRICES, strike=STRIKES, fees=FEES)
    def goes_flat(self, price: Decimal, strike: Decimal, fees: Decimal) -> None:
        for trade in self.desk.wheel.open_trades:
            call = self.desk.trade(trade).direction == "call"
            assert self.tries(
                commands.Assign(fees=fees)
                if call
                else commands.Close(price_per_share=price, fees=fees),
                trade,
            )
        if left := self.desk.wheel.shares:
            assert self.tries(
                commands.TradeShares(action="sell", shares=left, price=strike, fees=fees)
            )
        assert self.desk.wheel.is_flat

    @rule(terms=SALES, fees=FEES)
    def turns_once(self, terms: dict[str, Any], fees: Decimal) -> None:
        before = set(self.desk.wheel.open_trades)
        for direction in ("put", "call"):
            if self.sells_an_option(direction, **terms | {"back": None}):
                (sold,) = set(self.desk.wheel.open_trades) - before
                self.tries(commands.Assign(contracts=1, fees=fees), sold)
                before.add(sold)

    @rule(capital=st.sampled_from(["0", "20000", "40000", "60000"]), back=BACK)
    def capital_comes_or_goes(self, capital: str, back: int | None) -> None:
        self.tries(
            commands.ConfigureWheel(capital_allocated=Decimal(capital), effective_at=self.ago(back))
        )

    @precondition(lambda self: self.desk.wheel.is_flat)
    @rule()
    def is_put_away_and_comes_back(self) -> None:
        assert self.tries(commands.ArchiveWheel())
        assert not self.tries(sale("put"))
        assert self.tries(commands.ReopenWheel())

    # --- what may not -----------------------------------------------------------------------

    @precondition(has_open)
    @rule(pick=PICK)
    def no_more_ends_than_is_open(self, pick: int) -> None:
        trade = self.open_trade(pick)
        too_many = self.desk.wheel.open_contracts(trade) + 1
        price = Decimal("0.01")
        assert not self.tries(commands.Close(price_per_share=price, contracts=too_many), trade)
        assert not self.tries(commands.Assign(contracts=too_many), trade)

    @rule(figure=st.sampled_from(["NaN", "Infinity", "-1", "1e400", "1234567890123", "1e-9"]))
    def nothing_is_sold_that_is_not_there_nor_for_nonsense(self, figure: str) -> None:
        state, today = self.desk.wheel, calendar.trading_day(self.desk.now)
        calls = sale("call", contracts=state.shares // 100 + 1, expiration_date=today)
        shares = commands.TradeShares(action="sell", shares=state.shares + 1, price=Decimal(50))
        beyond = (max(state.cash, money.ZERO) + 1).quantize(Decimal(1)) + 1
        put = sale("put", str(beyond), expiration_date=today)
        assert not self.tries(calls)
        assert not self.tries(shares)
        assert state.collateral == "margin" or not self.tries(put)
        assert not self.tries(sale("put", figure, expiration_date=today))
        assert not self.tries(sale("put", "50", figure, expiration_date=today))

    # --- what is always so ------------------------------------------------------------------

    @property
    def bookkeeper(self) -> Bookkeeper:
        return Bookkeeper().read(self.desk.story.line)

    @invariant()
    def cash_is_the_sum_of_its_flows(self) -> None:
        plain, state = self.bookkeeper, self.desk.wheel
        assert state.cash == plain.capital + plain.flows
        assert (state.capital, state.in_kind) == (plain.capital, plain.in_kind)

    @invariant()
    def shares_and_contracts_are_counted_right_and_never_negative(self) -> None:
        plain, state = self.bookkeeper, self.desk.wheel
        assert state.shares == plain.shares == sum(lot.shares_left for lot in state.lots)
        still_open = {trade: each.open for trade, each in plain.options.items() if each.open}
        assert {each: state.open_contracts(each) for each in state.open_trades} == still_open
        assert all(lot.shares_left >= 0 <= lot.basis_left for lot in state.lots)

    @invariant()
    def every_put_was_secured_and_every_call_covered_when_it_was_entered(self) -> None:
        wronged = self.bookkeeper.wronged
        if self.desk.wheel.collateral == "margin":
            wronged = [each for each in wronged if "secured" not in each]
        assert wronged == []

    @invariant()
    def every_policy_tells_the_same_total_once_the_wheel_is_flat(self) -> None:
        if not self.desk.wheel.is_flat:
            return
        plain = self.bookkeeper
        assert set(self.desk.totals().values()) == {plain.flows - plain.in_kind}

    @invariant()
    def realized_and_unrealized_together_are_the_same_under_every_policy(self) -> None:
        state, price, mid = self.desk.wheel, Decimal("57.31"), Decimal("1.125")
        value = money.moved(price, state.shares)
        left = [state.trades[each] for each in state.open_trades]
        costs = [money.moved(mid, each.multiplier * each.open_contracts) for each in left]
        totals = {
            policies.total(self.desk.income(policy))
            + policies.unrealized_on_shares(policy, value, state.basis, state.tax_basis)
            + sum(
                policies.unrealized_on_option(policy, each.premium_left, cost)
                for each, cost in zip(left, costs, strict=True)
            )
            for policy in policies.POLICIES
        }
        assert totals == {state.cash + value - sum(costs) - state.capital - state.in_kind}

    @invariant()
    def every_policy_tells_the_same_total_of_every_closed_cycle(self) -> None:
        totals: dict[int, dict[str, Decimal]] = {}
        state = wheel.Wheel()
        for entry in self.desk.story.line:
            after = wheel.evolve(state, entry)
            for policy in policies.POLICIES:
                amount = policies.total(policies.amounts(policy, state, entry))
                of_cycle = totals.setdefault(len(after.cycles), {})
                of_cycle[policy] = of_cycle.get(policy, money.ZERO) + amount
            state = after
        for cycle in state.cycles:
            if cycle.ended_at is not None:
                assert set(totals[cycle.number].values()) == {cycle.total}

    @invariant()
    def every_sum_of_parts_is_the_figure(self) -> None:
        state = self.desk.wheel
        for trade in state.trades.values():
            parts = sum((each.premium for each in trade.closings), trade.premium_left)
            assert parts == trade.total_premium - trade.fees
            cost = sum((each.cost for each in trade.closings), money.ZERO)
            assert trade.open_contracts or trade.net_premium == parts - trade.buyback_cost
            assert cost == trade.buyback_cost
        for policy in policies.POLICIES:
            income = self.books.days.income.items()
            booked = sum(sum(amounts) for key, amounts in income if key[0] == policy)
            assert money.from_cents(booked) == policies.total(self.desk.income(policy))

    @invariant()
    def the_days_of_capital_lead_to_what_is_tied_up_now(self) -> None:
        state, days = self.desk.wheel, self.books.days.capital.values()
        assert money.from_cents(sum(came for came, _ in days)) == state.capital + state.in_kind
        tied = money.from_cents(sum(change for _, change in days))
        assert tied == state.collateral_in_use + state.basis

    @invariant()
    def what_was_kept_fact_by_fact_is_what_is_told_anew(self) -> None:
        stream = self.desk.stream
        assert self.desk.story == told(self.desk.wheel_id, stream)
        assert self.books == books.opened(self.desk.wheel_id, stream)

    @invariant()
    def what_is_answered_is_remembered(self) -> None:
        story = self.desk.story
        assert story.recorded_at is not None
        if not self.answered or self.answered[-1].at != story.recorded_at:
            self.answered.append(Answered(story.recorded_at, answer(story, story.recorded_at)))

    @rule()
    def the_views_follow(self) -> None:
        self.projector.advance()

    def teardown(self) -> None:
        if not hasattr(self, "desk"):
            return
        self._what_was_answered_then_is_answered_again()
        self._the_views_equal_a_rebuild()

    def _what_was_answered_then_is_answered_again(self) -> None:
        for each in self.answered:
            story = told(self.desk.wheel_id, self.desk.stream, as_of=each.at, known_at=each.at)
            assert answer(story, each.at) == each.books

    def _the_views_equal_a_rebuild(self) -> None:
        while self.projector.advance() < self.log.head():
            pass
        with closing(tables.create(":memory:")) as anew, closing(self.views) as live:
            rebuild.project(self.log, anew, self.log.head())
            assert list(tables.dump(live)) == list(tables.dump(anew))


TestLifecycle = pytest.mark.timeout(600)(Lifecycle.TestCase)  # time to find a short example
TestLifecycle.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, derandomize=True, database=None
)
