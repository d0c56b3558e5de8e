"""Symbols as Schwab writes them: BRK/B for BRK.B, and an index with a dollar sign before it."""

from typing import Final

INDEXES: Final = frozenset({"DJX", "NDX", "OEX", "RUT", "SPX", "VIX", "XEO", "XSP"})
"""The indexes of the options exchange in Chicago that Schwab lists options on."""


def theirs(symbol: str) -> str:
    """Our symbol as Schwab writes it."""
    return f"${symbol}" if symbol in INDEXES else symbol.replace(".", "/")


def ours(written: str) -> str:
    """Schwab's symbol as we write it; an index was `$SPX.X` at TD Ameritrade."""
    if written.startswith("$"):
        return written.removeprefix("$").removesuffix(".X")
    return written.replace("/", ".")
