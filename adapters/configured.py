"""The settings with which a process starts: also what the ledger says of them.

What was changed through the API stands in the ledger, so that every process finds it when it
starts, and so that everybody can read who changed what.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing

from adapters import event_store
from adapters.settings import Layers, Settings, layers
from domain import configuration, facts, ports, refusals

_log = logging.getLogger(__name__)


def load(environ: Mapping[str, str]) -> Settings:
    """What the file, the ledger and the environment come to; raises settings.Misconfigured.

    A ledger that is not there yet, or does not answer, says nothing.
    """
    base = layers(environ)
    settings = base.settings()
    if settings.event_store == "sqlite" and not settings.event_store_path.exists():
        return settings
    try:
        with closing(event_store.open_there(settings)) as log:
            return overlaid(base, log).settings()
    except refusals.Unavailable as reason:
        _log.warning("starting without what the ledger says of the settings: %s", reason.message)
        return settings


def overlaid(base: Layers, log: ports.Log) -> Layers:
    """The layers with what a ledger says; raises refusals.Unavailable. Blocking."""
    said = configuration.told(list(log.stream(facts.SETTINGS_STREAM)))
    return base.overlaid(said.values)
