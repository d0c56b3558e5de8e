"""Schwab: its market data, and the login that it asks for.

provider ──▶ line: the login, tries, faults ──▶ road: at what pace, and where Schwab is ──▶ Schwab
   │           └──▶ vault: the login, encrypted ◀── entrance: a person logs in
   └──▶ chains, answers, symbols: what Schwab says, in the market's words
"""
