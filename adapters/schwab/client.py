"""schwab-py's client, imported without the warning about a module that its streaming builds on."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from schwab.client import AsyncClient

__all__ = ["AsyncClient"]
