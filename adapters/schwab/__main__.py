"""`python -m adapters.schwab`: log in at Schwab, from a machine that need not have a browser."""

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from adapters import clock, markets, settings
from domain import market

if TYPE_CHECKING:
    from adapters.schwab.entrance import Entrance

REFUSED = 1
MISUSED = 2


def main(environ: Mapping[str, str]) -> int:
    """Log in; the answer is the exit code."""
    try:
        chosen = settings.load(environ)
        return _log_in(markets.open_entrance(chosen, clock.open(chosen)))
    except settings.Misconfigured as reason:
        print(reason, file=sys.stderr)
        return MISUSED
    except (KeyboardInterrupt, EOFError):
        print("\nnot logged in", file=sys.stderr)
        return REFUSED


def _log_in(entrance: "Entrance") -> int:
    from adapters.schwab.entrance import NotAdmitted, NotBegun  # noqa: PLC0415  an extra

    visit = entrance.begin()
    print("Open this address in a browser, on any machine, and log in there:\n")
    print(f"    {visit.authorize_url}\n")
    print("You end at a page that cannot be shown: copy its address, whole and at once.")
    try:
        login = asyncio.run(entrance.complete(input("Its address: ")))
    except NotBegun as reason:
        print(reason, file=sys.stderr)
    except NotAdmitted as reason:
        print(f"the address {reason}", file=sys.stderr)
    except market.MarketFault as fault:
        print(f"not logged in: {fault.why}", file=sys.stderr)
    else:
        print(f"Logged in until {login.ends:%Y-%m-%d %H:%M} UTC.")
        return 0
    return REFUSED


if __name__ == "__main__":
    sys.exit(main(os.environ))
