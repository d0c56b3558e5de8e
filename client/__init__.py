"""The API in Python, typed: the same structs on both sides, money in Decimals.

    from client import Client, errors

    with Client("http://127.0.0.1:8000") as wheelwright:
        portfolio = wheelwright.open_portfolio(name="Income").data
        wheel = wheelwright.start_wheel(portfolio.id, symbol="XYZ", capital_allocated=20_000).data
        sold = wheelwright.sell_option(
            wheel.id,
            direction="put",
            strike=95,
            expiration_date="2027-01-15",
            contracts=2,
            premium_per_share=Decimal("1.50"),
        )
        assert sold.data.total_premium == Decimal("300.00")
        try:
            wheelwright.close_trade(sold.data.id, price_per_share=1, contracts=3)
        except errors.InvalidState as refused:
            print(refused.message)
        for trade in wheelwright.trades.each(symbol="XYZ"):
            print(trade.strike, trade.outcome)

Questions answer what was asked for, lists a page, and `.each` of a list everything. Commands
take their fields, or `order=` with the command's struct, and answer `Done`: the resource, its
version, the ledger's position. All take `idempotency_key`, `if_match` and `dry_run`. Questions
about the ledger take `as_of` and `known_at`, those about performance `policy` too.

`AsyncClient` has the same methods, awaited. `operations.Operations` lists them all.
"""

from client import errors
from client.live import Told
from client.patience import Patience
from client.requests import Done
from client.senders import AsyncClient, Client

__all__ = ["AsyncClient", "Client", "Done", "Patience", "Told", "errors"]
