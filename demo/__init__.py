"""The reference wheel of 2021, played through a live instance by a client like any other.

    data/spy_2021 ──▶ prices worker ──▶ market.quote.SPY ──▶ risk worker ──▶ risk.alert.>
          │                                                                       │
          └──▶ rule ──HTTP──▶ api ──▶ ledger ──▶ views ──HTTP──▶ screen ◀── ear ──┘

It knows of the project only what a stranger can: the HTTP API, the bus, how an instance is
started, and the reader of the recorded market.
"""
